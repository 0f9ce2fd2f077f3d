"""Checks of single values: each gives the value in its API form, or raises one of `WRONG`."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

MAX_INT = 2**53
"""The largest integer that every engine and JSON reader keeps exactly."""

WRONG = ValueError, OverflowError
"""Another type, text that can't be read or encoded, a number or date out of range."""

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
