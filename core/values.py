"""Checks of single values: each gives the value in its API form, or raises one of `WRONG`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import cast

MAX_INT = 2**53
"""The largest integer that every engine and JSON reader keeps exactly."""

WRONG = ValueError, OverflowError
"""Another type, text that can't be read or encoded, a number or date out of range."""

_PLAIN = {str, int, float, bool, type(None)}
_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


class _OtherTypeError(ValueError):
    """A value isn't of its field's type."""


def string(value: object) -> str:
    """Text that UTF-8 can encode."""
    if type(value) is str and value.isascii():  # nearly every one
        return value
    if isinstance(value, str):
        return _text(value)
    raise _OtherTypeError


def _text(value: str) -> str:
    value.encode()  # UnicodeEncodeError, a ValueError, for a lone surrogate
    return str.__str__(value)  # an enum's member becomes its text


def integer(value: object) -> int:
    """An int, but no bool."""
    if isinstance(value, int) and type(value) is not bool and abs(value) <= MAX_INT:
        return int(value)
    raise _OtherTypeError


def number(value: object) -> float:
    """A finite float, of an int too."""
    if isinstance(value, int | float) and type(value) is not bool and math.isfinite(value):
        return float(value)
    raise _OtherTypeError


def boolean(value: object) -> bool:
    """True or False."""
    if isinstance(value, bool):
        return value
    raise _OtherTypeError


def instant(value: object) -> datetime:
    """An instant in UTC, of a datetime with a zone or its ISO 8601 text."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(instant, datetime) and instant.utcoffset() is not None:
        return instant.astimezone(UTC)
    raise _OtherTypeError


def strings(value: object) -> tuple[str, ...]:
    """Texts, as a tuple."""
    if type(value) is tuple and all(type(item) is str for item in value):
        "".join(value).encode()
        return value
    if isinstance(value, list | tuple):
        return tuple(map(string, value))
    raise _OtherTypeError


def plain(value: object) -> object:
    """A plain copy of a JSON value, just as it will be read back.

    Raises:
        TypeError: It holds what JSON can't.
        RecursionError: It nests too deep.
    """
    return value if _is_plain(value) else json.loads(_JSON.encode(value).encode())


def _is_plain(value: object) -> bool:
    """Whether JSON gives this very value back, as most of them; to ask it takes 4 µs a value.

    Raises:
        UnicodeEncodeError: It is a text with a lone surrogate.
    """
    if type(value) is str:
        value.encode()
        return True
    if type(value) is int or type(value) is float:
        return abs(value) <= MAX_INT  # not of a NaN, nor of an infinity
    return value is None or type(value) is bool


def are_strings(values: Sequence[object]) -> bool:
    """Whether `string` gives all of them back; this and the next five may say no of what is right, too.

    Raises:
        ValueError: One can't be encoded.
    """
    if set(map(type, values)) != {str}:
        return False
    "".join(cast("Sequence[str]", values)).encode()
    return True


def are_integers(values: Sequence[object]) -> bool:
    """The same of `integer`."""
    return set(map(type, values)) == {int} and _within(values)


def are_numbers(values: Sequence[object]) -> bool:
    """The same of `number`."""
    return set(map(type, values)) == {float} and all(map(math.isfinite, cast("Sequence[float]", values)))


def are_booleans(values: Sequence[object]) -> bool:
    """The same of `boolean`."""
    return set(map(type, values)) == {bool}


def are_instants(values: Sequence[object]) -> bool:
    """The same of `instant`: those in UTC."""
    return set(map(type, values)) == {datetime} and all(
        value.tzinfo is UTC for value in cast("Sequence[datetime]", values)
    )


def are_tuples(values: Sequence[object]) -> bool:
    """The same of `strings`."""
    if set(map(type, values)) != {tuple}:
        return False
    items = [*chain.from_iterable(cast("Sequence[tuple[object, ...]]", values))]
    return not items or are_strings(items)


def are_plain(values: Sequence[object]) -> bool:
    """Whether JSON gives all of them back, as `_is_plain` of each.

    Raises:
        ValueError: One can't be encoded.
    """
    if not set(map(type, values)) <= _PLAIN:
        return False
    "".join([value for value in values if type(value) is str]).encode()
    return _within([value for value in values if type(value) is int or type(value) is float])


def _within(values: Sequence[object]) -> bool:
    return all(-MAX_INT <= value <= MAX_INT for value in cast("Sequence[float]", values))  # no NaN is
