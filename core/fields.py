"""Declared fields: their types, how a value is checked, and the one form every engine can keep.

Values have two forms. At the API a field is a `str`, `int`, `float`, `bool`, aware `datetime` (an instant,
always UTC after the check) or `tuple[str, ...]`. In a store it is a *column* that is never missing:

| type         | column                          | default |
|--------------|---------------------------------|---------|
| string       | str                             | `""`    |
| int          | int within ±2^53                | 0       |
| float        | float, finite, never -0.0       | 0.0     |
| bool         | int, 0 or 1                     | 0       |
| datetime     | int, microseconds since 1970    | 0       |
| list[string] | list of str                     | `[]`    |

The hidden list column `present` names the fields really given, so that a default is never taken for a value.
The built-in columns `start` and `end` are seconds at the API and whole milliseconds in a store.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from fractions import Fraction
from itertools import chain
from types import MappingProxyType
from typing import cast

from .errors import IntegrityError, InvalidQueryError
from .values import (
    WRONG,
    are_booleans,
    are_instants,
    are_integers,
    are_numbers,
    are_plain,
    are_strings,
    are_tuples,
    boolean,
    instant,
    integer,
    number,
    plain,
    string,
    strings,
)


class FieldType(StrEnum):
    """What a declared field holds."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DATETIME = "datetime"
    STRINGS = "list[string]"


Schema = Mapping[str, FieldType]
"""Field names and their types, without the built-in columns."""

Value = str | int | float | bool | datetime | tuple[str, ...]
"""A checked value in the form of the API."""

Column = str | int | float | list[str]
"""A value in the form of a store."""

BUILT_IN: Schema = MappingProxyType(
    {
        "video_id": FieldType.STRING,
        "scope": FieldType.STRING,
        "start": FieldType.FLOAT,
        "end": FieldType.FLOAT,
        "uri": FieldType.STRING,
        "channel": FieldType.STRING,
    }
)
"""Columns that every record has; they filter like declared fields and are never null."""

SPAN = frozenset({"start", "end"})
"""The built-in columns that are seconds at the API and integer milliseconds in a store."""

PRESENT = "present"
"""The hidden list column with the names of the fields really given."""

_AS_THEY_ARE = {FieldType.STRING: str, FieldType.INT: int}
"""What the most common values are, in which the API's form is the store's."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DEFAULTS: Mapping[FieldType, Column] = {FieldType.STRING: "", FieldType.FLOAT: 0.0}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 64
_EXPECTED: Mapping[FieldType, str] = {
    FieldType.STRING: "a string that UTF-8 can encode",
    FieldType.INT: "an int within ±2^53",
    FieldType.FLOAT: "a finite float or an int",
    FieldType.BOOL: "true or false",
    FieldType.DATETIME: "a datetime with a time zone, or ISO 8601 text with an offset or Z",
    FieldType.STRINGS: "a list of strings that UTF-8 can encode",
}


def check_schema(schema: Mapping[str, str]) -> dict[str, FieldType]:
    """Check names and types; types may be given as text (`"int"`, `"list[string]"`).

    Raises:
        InvalidQueryError: A name that can't be a column everywhere, or an unknown type.
    """
    return {_field_name(name): _field_type(name, type) for name, type in schema.items()}


def check_value(name: str, type: FieldType, value: object) -> Value | None:
    """The value in its one API form, itself if it has it; None, which means "not given", stays None.

    Typing is strict: a bool is no int, and only an int for a float field is converted. Datetimes become UTC.

    Raises:
        InvalidQueryError: The value isn't of the type.
    """
    try:
        return None if value is None else _CHECKS[type](value)
    except WRONG:
        raise _refused(name, type, value) from None


def check_fields(schema: Schema, values: Mapping[str, object]) -> tuple[dict[str, Value], dict[str, object]]:
    """Split a user's metadata into declared fields, checked, and the rest (`extra`) as plain JSON values.

    A declared field that is None is left out. Where the check changes nothing, `fields` is `values` itself.

    Raises:
        InvalidQueryError: A value isn't of its field's type, or an extra one isn't JSON.
    """
    fields: dict[str, Value] = {}
    extra: dict[str, object] = {}
    as_given = type(values) is dict
    for name, value in values.items():
        kind = schema.get(name)
        if kind is None:
            extra[_extra_name(name)] = _json_value(name, value)
        elif value is not None:
            try:  # as `check_value`, without a call for each value: it is the larger part of the time
                fields[name] = checked = _CHECKS[kind](value)
            except WRONG:
                raise _refused(name, kind, value) from None
            as_given = as_given and checked is value
    as_given = as_given and len(fields) == len(values)
    return cast("dict[str, Value]", values) if as_given else fields, extra


def check_extra(values: Mapping[str, object]) -> dict[str, object]:
    """Undeclared metadata as plain JSON values; where the check changes nothing, `values` itself.

    Raises:
        InvalidQueryError: A value isn't JSON.
    """
    extra: dict[str, object] = {}
    as_given = type(values) is dict
    for name, value in values.items():
        key, plain = _extra_name(name), _json_value(name, value)
        as_given = as_given and key is name and plain is value
        extra[key] = plain
    return cast("dict[str, object]", values) if as_given else extra


def are_plain_fields(schema: Schema, rows: Sequence[object]) -> bool:
    """Whether `check_fields` gives each of the rows back itself, and nothing over; it may say no then, too.

    It goes through a batch field by field, in a third of the time.

    Raises:
        ValueError: A text can't be encoded.
    """
    if set(map(type, rows)) != {dict}:
        return False
    given, known = cast("Sequence[dict[str, object]]", rows), 0
    for name, kind in schema.items():
        values = [row[name] for row in given if name in row]
        if values and not _PLAIN[kind](values):
            return False
        known += len(values)
    return known == sum(map(len, given))


def are_plain_extra(rows: Sequence[object]) -> bool:
    """The same of `check_extra`.

    Raises:
        ValueError: A text can't be encoded.
    """
    if set(map(type, rows)) != {dict}:
        return False
    given = cast("Sequence[dict[str, object]]", rows)
    names = {*chain.from_iterable(given)}
    return not names or (are_strings([*names]) and are_plain([*chain.from_iterable(map(dict.values, given))]))


def to_column(type: FieldType, value: object) -> Column:
    """A checked value as a store keeps it."""
    match value:
        case str():
            return value
        case datetime():
            return (value - _EPOCH) // _MICROSECOND
        case tuple():
            return list(value)
        case float():
            return value + 0.0  # -0.0 becomes 0.0: engines disagree on whether they are equal
        case int():
            return float(value) if type is FieldType.FLOAT else int(value)
    raise TypeError(f"{shown(value)} was never checked")


def from_column(type: FieldType, column: object) -> Value:
    """What `to_column` was given.

    Raises:
        IntegrityError: The column can't come from this type.
    """
    if _AS_THEY_ARE.get(type) is column.__class__:
        return cast("Value", column)
    match column:
        case str() if type is FieldType.STRING:
            return column
        case list() | tuple() if type is FieldType.STRINGS:
            return tuple(column)
        case int() if type in (FieldType.BOOL, FieldType.INT):
            return bool(column) if type is FieldType.BOOL else column
        case int() | float() if type is FieldType.FLOAT:
            return float(column)
        case int() if type is FieldType.DATETIME:
            return _instant(column)
    raise IntegrityError(f"a stored column of type {type} holds {shown(column)}")


def default_column(type: FieldType) -> Column:
    """What is written where nothing was given."""
    if type is FieldType.STRINGS:
        return []  # a new one for each row
    return _DEFAULTS.get(type, 0)


def row(schema: Schema, fields: Mapping[str, object]) -> dict[str, Column]:
    """All declared columns, defaults included, and the column `present`, from checked fields."""
    columns: dict[str, Column] = {}
    present: list[str] = []
    for name, kind in schema.items():
        if name in fields:
            value = fields[name]
            as_it_is = type(value) is _AS_THEY_ARE.get(kind)
            columns[name] = cast("Column", value) if as_it_is else to_column(kind, value)
            present.append(name)
        else:
            columns[name] = default_column(kind)
    columns[PRESENT] = present
    return columns


def read_row(schema: Schema, columns: Mapping[str, object]) -> dict[str, Value]:
    """The fields that `row` was given, from stored columns that may hold more than declared fields."""
    present = columns[PRESENT]
    if not isinstance(present, list | tuple):
        raise IntegrityError(f"the stored column {PRESENT!r} holds {shown(present)}")
    return {name: from_column(schema[name], columns[name]) for name in present if name in schema}


def exact_ms(seconds: float) -> Fraction:
    """Milliseconds of a time in seconds, exactly as the number is written in decimal.

    What lies within 1e-6 ms of a whole millisecond is taken for arithmetic noise and becomes whole, so that
    0.1 + 0.2 is 300 ms.
    """
    exact = Fraction(repr(float(seconds))) * 1000
    whole = round(exact)
    return Fraction(whole) if abs(exact - whole) <= Fraction(1, 10**6) else exact


def to_ms(seconds: float) -> int:
    """The nearest whole millisecond."""
    return round(exact_ms(seconds))


def shown(value: object) -> str:
    """A value for a message: one short line, whatever it is."""
    plain = str.__str__(value) if isinstance(value, str) else value  # an enum's member becomes its text
    try:
        text = " ".join(_SHORT.repr(plain).split())
    except Exception:  # noqa: BLE001 - the repr of a stranger's object may raise anything
        return f"a value of type {type(value).__name__}"
    return text if plain is None or isinstance(plain, str) else f"{text} ({type(value).__name__})"


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A hint with the nearest of the names, or with all of them."""
    known = [str(known) for known in names]
    close = get_close_matches(name[:64], known, n=1) if isinstance(name, str) else []
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"


def _field_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith("_"):
        rule = "1 to 64 ASCII letters, digits and underscores, and begins with a letter"
        raise InvalidQueryError(f"{shown(name)} can't be a field: a name has {rule}")
    if name in BUILT_IN or name == PRESENT:
        raise InvalidQueryError(f"{shown(name)} can't be a field: polyreel has a column of that name")
    return name


def _field_type(name: str, type: str) -> FieldType:
    try:
        return FieldType(type)
    except ValueError:
        hint = did_you_mean(type, FieldType)
        raise InvalidQueryError(f"field {name!r} has unknown type {shown(type)}", hint=hint) from None


def _refused(name: str, type: FieldType, value: object) -> InvalidQueryError:
    return InvalidQueryError(f"field {shown(name)} takes {_EXPECTED[type]}, not {shown(value)}")


_CHECKS: Mapping[FieldType, Callable[[object], Value]] = {
    FieldType.STRING: string,
    FieldType.INT: integer,
    FieldType.FLOAT: number,
    FieldType.BOOL: boolean,
    FieldType.DATETIME: instant,
    FieldType.STRINGS: strings,
}
"""What gives a value in its API form, or raises one of `WRONG`."""


_PLAIN: Mapping[FieldType, Callable[[Sequence[object]], bool]] = {
    FieldType.STRING: are_strings,
    FieldType.INT: are_integers,
    FieldType.FLOAT: are_numbers,
    FieldType.BOOL: are_booleans,
    FieldType.DATETIME: are_instants,
    FieldType.STRINGS: are_tuples,
}
"""What says of a batch of values whether all have their API form."""


def _instant(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise IntegrityError(f"a stored instant is out of range: {shown(microseconds)}") from error


def _extra_name(name: object) -> str:
    if type(name) is str and name.isascii():
        return name
    checked = check_value("extra", FieldType.STRING, name)
    if not isinstance(checked, str):
        raise InvalidQueryError(f"a metadata key is text, not {shown(name)}")
    return checked


def _json_value(name: str, value: object) -> object:
    try:
        return plain(value)
    except (TypeError, ValueError, RecursionError) as error:
        hint = "declare the field, or give a value that JSON can hold"
        message = f"undeclared field {shown(name)} takes a JSON value, not {shown(value)}"
        raise InvalidQueryError(message, hint=hint) from error
