"""Which types a configuration can say a value of, and how messages name them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from functools import reduce
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import SecretStr

from ..core.errors import ConfigurationError
from ..core.secret import Secret
from .tree import Tree

WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    Secret: "text",
    SecretStr: "text",
    NoneType: "nothing",
}
"""The plain types that a configuration can say, in words. Choices, lists and sections are made of them."""

_SECRET_NAME = re.compile(r"key|secret|token|passw|credential|authori[sz]ation|cookie", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section.

    Args:
        hint: The type of its value.
        required: Has no default.
        default: What holds where nobody wrote a value.
    """

    hint: Any
    required: bool
    default: Any = field(default=None, repr=False)


def keys_of(make: Callable[..., object]) -> dict[str, Key]:
    """The keys that fill the keyword parameters of a class or function.

    A constructor that takes `**others` hands them to its base, whose parameters are keys as well. A parameter
    with a default and a type that no configuration can say is no key.

    Raises:
        ConfigurationError: A type can't be looked up.
    """
    found: dict[str, Key] = {}
    for function in _constructors(make):
        parameters, hints = inspect.signature(function).parameters.values(), _hints(function)
        for one in parameters:
            required = one.default is one.empty
            key = Key(hints.get(one.name, Any), required, None if required else one.default)
            if _by_keyword(one) and one.name != "self" and (key.required or sayable(key.hint)):
                found.setdefault(one.name, key)
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            break
    return found


def members(hint: Any) -> Iterator[Any]:
    """The types of a union; the type itself where it is none."""
    if get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from members(member)
    elif get_origin(hint) is Annotated:
        yield from members(get_args(hint)[0])
    else:
        yield hint


def sayable(hint: Any) -> bool:
    """Whether a configuration can say every value of the type."""
    return all(_sayable(member) for member in members(hint))


def is_secret(names: Iterable[str], hint: Any) -> bool:
    """Whether a value must not be shown, by the names of its key and sections or by its type."""
    return any(map(_SECRET_NAME.search, names)) or any(
        member in (Secret, SecretStr) or any(is_secret((), arg) for arg in get_args(member))
        for member in members(hint)
    )


def inner(hint: Any, names: Iterable[str]) -> Any:
    """The type of a value that lies deeper, in the sections of these names; None where it can't be known."""
    for name in names:
        section = next((member for member in members(hint) if is_section(member)), None)
        if section is None:
            return None
        if is_mapping(section):
            hint = (get_args(section) or (str, str))[1]
        else:
            hint = getattr(keys_of(section).get(name), "hint", None)
    return hint


def is_section(hint: Any) -> bool:
    """Whether a type, which is no union, is said by a section of its own."""
    return is_dataclass(hint) or is_mapping(hint)


def is_mapping(hint: Any) -> bool:
    """Whether a type is a `dict` or `Mapping`."""
    return issubclass(_class(hint), Mapping)


def is_list(hint: Any) -> bool:
    """Whether a type is a `list`, `tuple`, `set`, `Sequence` or the like."""
    kind = _class(hint)
    return issubclass(kind, Collection) and not issubclass(kind, str | Enum | Mapping)


def plain(hint: Any) -> Any:
    """The type for pydantic, which has a class for `Secret`."""
    args = get_args(hint)
    if not args or get_origin(hint) is Literal:
        return SecretStr if hint is Secret else hint
    if get_origin(hint) in (Union, UnionType):
        return reduce(or_, map(plain, args))
    if get_origin(hint) is Annotated:
        return Annotated[(plain(args[0]), *args[1:])]
    return get_origin(hint)[tuple(map(plain, args))]


def choices(hint: Any) -> list[str]:
    """The texts among which a value, or an item of a list, is chosen; none where any will do."""
    return [choice for member in members(hint) for choice in _choices(member)]


def words(hint: Any) -> str:
    """A type for a message: `a number`, `'clip' or 'video'`."""
    named = dict.fromkeys(_words(member) for member in members(hint) if member is not NoneType)
    return _either(list(named))


def _constructors(make: Callable[..., object]) -> list[Callable[..., object]]:
    if not isinstance(make, type):
        return [make]
    bases = [base for base in make.__mro__ if "__init__" in vars(base) and base is not object]
    return [vars(base)["__init__"] for base in bases]


def _by_keyword(one: inspect.Parameter) -> bool:
    return one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"the types of {function.__module__}.{function.__qualname__} can't be looked up: {error}",
            hint="its module must import them at run time, not under TYPE_CHECKING",
        ) from error


def _sayable(hint: Any) -> bool:
    if hint in WORDS or hint is Tree or _choices(hint):
        return True
    if is_dataclass(hint):
        return all(
            sayable(key) for function in _constructors(_class(hint)) for key in _hints(function).values()
        )
    inner = [arg for arg in get_args(hint) if arg is not ...]
    return (is_mapping(hint) or is_list(hint)) and all(map(sayable, inner))


def _class(hint: Any) -> type:
    """`list` of `list[str]`; `object` for what is no class."""
    kind = get_origin(hint) or hint
    return kind if isinstance(kind, type) else object


def _choices(hint: Any) -> list[str]:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [str(member.value) for member in hint]
    if get_origin(hint) is Literal:
        return list(map(str, get_args(hint)))
    return choices(get_args(hint)[0]) if is_list(hint) and get_args(hint) else []


def _words(hint: Any) -> str:
    if is_section(hint):
        return "a section"
    if is_list(hint):
        return f"a list of {words(get_args(hint)[0])}" if _choices(hint) else "a list"
    return WORDS.get(hint) or _either(list(map(repr, _choices(hint)))) or "of another type"


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
