"""Which types of parameters a configuration can fill, and how they are named in messages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import SecretStr

from ..core.errors import ConfigurationError
from ..core.secret import Secret

WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    SecretStr: "text",
    NoneType: "nothing",
    dict: "a section",
    list: "a list",
    tuple: "a list",
    set: "a list",
    frozenset: "a list",
}
"""The types that a configuration can say, in words."""

_SECRET_NAME = re.compile(r"key|secret|token|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section.

    Args:
        hint: The type of its value.
        required: Has no default.
    """

    hint: Any
    required: bool


def keys_of(make: Callable[..., object]) -> dict[str, Key]:
    """The keys that fill the keyword parameters of a class or function.

    A constructor that takes `**others` hands them to its base, whose parameters are keys as well. A parameter with a
    default whose type no configuration can say is no key.

    Raises:
        ConfigurationError: A type can't be looked up.
    """
    found: dict[str, Key] = {}
    for function in _constructors(make):
        parameters = inspect.signature(function).parameters.values()
        hints = _hints(function)
        for one in parameters:
            if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD) and one.name in hints:
                required = one.default is one.empty
                if required or sayable(hints[one.name]):
                    found.setdefault(one.name, Key(hints[one.name], required))
        if all(one.kind is not one.VAR_KEYWORD for one in parameters):
            break
    return found


def is_secret(name: str, hint: Any) -> bool:
    """Whether a value must not be shown, by its type or its name."""
    return bool(_SECRET_NAME.search(name)) or any(member in (Secret, SecretStr) for member in members(hint))


def sayable(hint: Any) -> bool:
    """Whether a configuration can say a value of the type."""
    if hint in (Secret, Any) or get_origin(hint) is Literal:
        return True
    inner = [part for part in _parts(hint) if part is not ...]
    return (_container(hint) in WORDS or _is_enum(hint)) and all(map(sayable, inner))


def plain(hint: Any) -> Any:
    """The type for pydantic: `Secret` is its SecretStr."""
    if hint is Secret:
        return SecretStr
    args = get_args(hint)
    if get_origin(hint) is Annotated:
        return Annotated[(plain(args[0]), *args[1:])]
    if get_origin(hint) in (Union, UnionType):
        return reduce(or_, map(plain, args))
    return hint


def words(hint: Any) -> str:
    """A type for a message: `a number`, `'clip' or 'video'`."""
    if names := choices(hint, deep=False):
        return _either(list(map(repr, names)))
    if get_origin(hint) in (Union, UnionType):
        return _either([words(member) for member in members(hint) if member is not NoneType])
    if get_origin(hint) is Annotated:
        return words(get_args(hint)[0])
    named = "text" if hint is Secret else WORDS.get(_container(hint), "something else")
    inner = _parts(hint)
    return f"{named} of {words(inner[0])}" if named == "a list" and choices(hint) else named


def choices(hint: Any, *, deep: bool = True) -> list[str]:
    """The texts among which a value of the type is chosen; of a list's items too, where `deep`."""
    if _is_enum(hint):
        return [str(member.value) for member in hint]
    if get_origin(hint) is Literal:
        return list(map(str, get_args(hint)))
    return [name for part in _parts(hint) for name in choices(part)] if deep else []


def members(hint: Any) -> Iterator[Any]:
    """The types of a union; the type itself where it is none."""
    if get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from members(member)
    elif get_origin(hint) is Annotated:
        yield from members(get_args(hint)[0])
    else:
        yield hint


def _constructors(make: Callable[..., object]) -> list[Callable[..., object]]:
    if not isinstance(make, type):
        return [make]
    return [vars(base)["__init__"] for base in make.__mro__ if "__init__" in vars(base) and base is not object]


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"the types of {function.__module__}.{function.__qualname__} can't be looked up: {error}",
            hint="its module must import them at run time, not under TYPE_CHECKING",
        ) from error


def _container(hint: Any) -> Any:
    """`list` of `list[str]`; `list` for an unnamed sequence, `dict` for a mapping; the type itself otherwise."""
    origin = get_origin(hint) or hint
    if origin in WORDS or not isinstance(origin, type):
        return NoneType if origin in (Union, UnionType, Annotated) else origin
    return dict if issubclass(origin, Mapping) else list if _is_sequence(origin) else origin


def _parts(hint: Any) -> list[Any]:
    args = list(get_args(hint))
    return args[:1] if get_origin(hint) is Annotated else [] if get_origin(hint) is Literal else args


def _is_sequence(kind: type) -> bool:
    return kind.__module__ == "collections.abc" and kind.__name__ in ("Sequence", "Collection", "Iterable", "Set")


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Enum)


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
