"""Checks of a body's keys: every key is known, has its type and lies within its limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .refusal import invalid, missing

Check = Callable[[str, Any], None]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


def checked(body: Any, keys: Mapping[str, Check], required: Collection[str] = (), *, where: str = "") -> None:
    """Refuse an unknown key, a missing one and a value of another type; null is a value of no type."""
    if not isinstance(body, dict):
        raise invalid(f"{where or 'the body'} is no object")
    for name in body:
        if name not in keys:
            raise invalid(f"the parameter {where}{name} is unknown")
    for name in required:
        if name not in body:
            raise missing(f"{where}{name}")
    for name, value in body.items():
        keys[name](f"{where}{name}", value)


def text(name: str, value: Any) -> None:
    """A string."""
    if not isinstance(value, str):
        raise invalid(f"{name} is no string")


def identifier(name: str, value: Any) -> None:
    """The name of a collection, an index or a field."""
    text(name, value)
    if not _NAME.fullmatch(value):
        raise invalid(f"{name} has 1 to 128 letters, digits and underscores, a letter first")


def flag(name: str, value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise invalid(f"{name} is no boolean")


def anything(name: str, value: Any) -> None:
    """Any value but null."""
    if value is None:
        raise invalid(f"{name} is null")


def whole(least: int, most: int) -> Check:
    """A whole number within limits."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise invalid(f"{name} is no whole number from {least} to {most}")

    return check


def number(least: float, most: float) -> Check:
    """A number within limits."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise invalid(f"{name} is no number from {least} to {most}")

    return check


def one_of(*values: str) -> Check:
    """One of the words."""

    def check(name: str, value: Any) -> None:
        if value not in values:
            raise invalid(f"{name} is none of {', '.join(values)}")

    return check


def listed(inner: Check, least: int = 0, most: int = 1_000_000) -> Check:
    """A list of so many."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise invalid(f"{name} is no list of {least} to {most}")
        for item in value:
            inner(name, item)

    return check


def shaped(keys: Mapping[str, Check], required: Collection[str] = ()) -> Check:
    """An object with these keys."""

    def check(name: str, value: Any) -> None:
        checked(value, keys, required, where=f"{name}.")

    return check


def mapped(inner: Check) -> Check:
    """An object with any keys."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise invalid(f"{name} is no object")
        for item in value.values():
            inner(name, item)

    return check
