"""Sections become keyword arguments: every value is checked by its type, and every error names its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ConfigDict, SecretStr, TypeAdapter, ValidationError

from ..core.errors import ConfigurationError
from ..core.fields import shown
from ..core.logs import conceal
from ..core.masking import passwords
from ..core.registry import nearest
from . import hints
from .tree import NESTED, Leaf, Node, Tree, dotted, variable

T = TypeVar("T")

VARIABLES = [
    "POLYREEL_CONFIG",
    "POLYREEL_INGEST__WORKERS",
    "POLYREEL_STACK",
    "POLYREEL_STACKS__NAME__STORE__PATH",
]
"""What a mistaken variable may have meant."""

_CONFIG = ConfigDict(allow_inf_nan=False, hide_input_in_errors=True)
_LIMITS = {"finite_number", "greater_than", "greater_than_equal", "less_than", "less_than_equal"}


def construct(make: Callable[..., T], tree: Tree, **given: object) -> T:
    """Call with the section's keys as keyword arguments.

    Raises:
        ConfigurationError: A key is unknown, missing or of another type, or the call refused a value.
    """
    arguments = keywords(make, tree, given)
    with located(tree.section):
        return make(**given, **arguments)


def keywords(make: Callable[..., object], tree: Tree, given: Iterable[str] = ()) -> dict[str, Any]:
    """The checked keyword arguments of a section.

    Raises:
        ConfigurationError: A key is unknown, missing or of another type.
    """
    keys = {name: key for name, key in hints.keys_of(make).items() if name not in given}
    for name, node in tree.children.items():
        if name not in keys:
            raise _unknown(node, keys)
    for name, key in keys.items():
        if key.required and name not in tree.children:
            raise ConfigurationError(f"{tree.section} lacks the key {name!r}", hint=_where_to_set(tree, name))
    return {name: read(node, keys[name].hint) for name, node in tree.children.items()}


def read(node: Node, hint: Any) -> Any:
    """A value of the type, or the section for a type that is made of one.

    Raises:
        ConfigurationError: It is of another type.
    """
    members = [member for member in hints.members(hint) if member is not type(None)]
    sections = [member for member in members if hints.is_section(member)]
    if isinstance(node, Leaf):
        if sections == members:
            raise ConfigurationError(f"{node.where} must be a section, {_example(node)}")
        return _scalar(node, hint)
    if not sections:
        raise ConfigurationError(f"{node.where} is a section; it must be {hints.words(hint)}")
    return _section(node, sections[0])


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest name, if one is near."""
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else None


@contextmanager
def located(place: str) -> Iterator[None]:
    """Put the place in front of the message of a configuration error."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error.message}", hint=error.hint) from (error.__cause__ or error)


def _section(tree: Tree, hint: Any) -> Any:
    if hint is Tree:
        return tree
    if not hints.is_mapping(hint):
        return construct(hint, tree)
    (key, inner) = get_args(hint) or (str, str)
    names = hints.choices(key)
    for name, node in tree.children.items():
        if names and name not in names:
            raise _unknown(node, names)
    chosen = TypeAdapter(key).validate_strings if names else str
    return {chosen(name): read(node, inner) for name, node in tree.children.items()}


def _scalar(leaf: Leaf, hint: Any) -> Any:
    adapter = TypeAdapter(hints.plain(hint), config=_CONFIG)
    try:
        return _resolved(_typed(adapter, leaf), leaf)
    except ValidationError as error:
        raise _mistaken(leaf, hint, error) from None
    except (TypeError, ValueError, RuntimeError):  # a date, no path, an unknown home folder
        raise _mistaken(leaf, hint) from None


def _typed(adapter: TypeAdapter[Any], leaf: Leaf) -> Any:
    """The text of a variable is read by the type, a list as JSON. A file's value must be of the type.

    TOML has the types of JSON, whose strict mode in pydantic takes text for a path, but not for a number.
    """
    if not leaf.origin.variables:
        return adapter.validate_json(json.dumps(leaf.value), strict=True)
    try:
        return adapter.validate_strings(leaf.value)
    except ValidationError:
        if not leaf.value.startswith("["):
            raise
        return adapter.validate_json(leaf.value, strict=True)


def _resolved(value: Any, leaf: Leaf) -> Any:
    """The value with absolute paths, also in a list; secrets are made known to the log, which masks them."""
    if isinstance(value, SecretStr):
        conceal(value.get_secret_value())
    if isinstance(value, str):
        for password in passwords(value):
            conceal(password)
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_resolved(item, leaf) for item in value)
    if not isinstance(value, Path):
        return value
    if not leaf.value or "\0" in str(value):
        raise ValueError("no path")
    return leaf.origin.base / value.expanduser()


def _mistaken(leaf: Leaf, hint: Any, error: ValidationError | None = None) -> ConfigurationError:
    wanted = hints.words(hint)
    if leaf.origin.variables and wanted.startswith("a list"):
        wanted += ", written as JSON"
    for limit in error.errors(include_input=False, include_url=False) if error else ():
        if limit["type"] in _LIMITS:
            wanted = limit["msg"].removeprefix("Input should be ")
    if hints.is_secret(leaf.path[2:], hint):
        return ConfigurationError(f"{leaf.where} must be {wanted}")
    return ConfigurationError(
        f"{leaf.where} is {shown(leaf.value)}; it must be {wanted}",
        hint=_suggested(leaf.value, hints.choices(hint)),
    )


def _suggested(value: object, choices: list[str]) -> str | None:
    """The nearest choice for the first value, or item of a list, that is none."""
    items = value if isinstance(value, list) else [value]
    wrong = [item for item in items if isinstance(item, str) and item not in choices]
    return suggestion(wrong[0], choices) if wrong else None


def _where_to_set(tree: Tree, name: str) -> str | None:
    """What a stack that ships leaves to the user, since only they can know it."""
    if not tree.origin.shipped:
        return None
    return f"set {variable((*tree.path, name))}, or write it under [{dotted(tree.path)}] in polyreel.toml"


def _unknown(node: Node, keys: Iterable[str]) -> ConfigurationError:
    if node.origin.variables and len(node.path) == 1:
        return ConfigurationError(f"{node.where} is no setting", hint=nearest(variable(node.path), VARIABLES))
    return ConfigurationError(f"{node.where} is no setting", hint=nearest(node.path[-1], keys))


def _example(leaf: Leaf) -> str:
    if leaf.origin.variables:
        return f"set by {variable(leaf.path)}{NESTED}…"
    return f"[{dotted(leaf.path)}]"
