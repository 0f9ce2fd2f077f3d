"""Sections become keyword arguments: every value is checked by its type, and every error names its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..core.errors import ConfigurationError
from ..core.fields import shown
from ..core.registry import nearest
from . import hints
from .tree import Leaf, Node, Tree, variable

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
            raise ConfigurationError(f"{tree.section} lacks the key {name!r}")
    return {name: read(node, keys[name].hint) for name, node in tree.children.items()}


def read(node: Node, hint: Any) -> Any:
    """A value of the type, or the section for a type that is made of one.

    Raises:
        ConfigurationError: It is of another type.
    """
    made = [member for member in hints.members(hint) if _takes_section(member)]
    if isinstance(node, Leaf):
        if made and len(made) == len([part for part in hints.members(hint) if part is not type(None)]):
            raise _no_section(node)
        return _scalar(node, hint)
    if not made:
        raise ConfigurationError(f"{node.where} is a section; it must be {hints.words(hint)}")
    return _section(node, made[0])


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
        raise ConfigurationError(f"{place}: {error.message}", hint=error.hint) from error
