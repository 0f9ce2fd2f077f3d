r"""The text form of filters, for people: one that `from_text` reads and `to_text` writes.

    year >= 2020 and tags any ["beach", "dog"]
    not (indoor == true) or title prefix "The "
    taken between "2020-01-01T00:00:00Z" and "2021-01-01T00:00:00Z"
    year not in [2019, 2020] and rating exists

`not` binds tighter than `and`, and `and` tighter than `or`; words may be in capitals. Values are numbers,
`true`, `false`, and text in double or single quotes with the escapes \\ \" \' \n \t \r \uXXXX \UXXXXXXXX;
instants are ISO 8601 text. A field stands in backticks if it is no plain word, or one of `and`, `or`, `not`,
`true`, `false`. In place of a condition, `true` is ALL, as is an empty text, and `false` matches nothing.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple

from .errors import InvalidQueryError
from .fields import shown
from .filter_parser import Reader
from .filter_tokens import name_of, quoted, unreadable
from .filters import TAKES_LIST, Condition, Filter, Op, fold

MAX_TEXT = 100_000
"""Characters of one text."""

_OR, _AND, _LEAF, _NOT, _ATOM = range(5)
"""How tightly a written phrase holds together."""


def from_text(text: str) -> Filter:
    """Read the text form. Types are left to `check`, so instants stay text here.

    Raises:
        InvalidQueryError: With the column, which counts characters from 1, and the text around it.
    """
    if not isinstance(text, str):
        raise InvalidQueryError(f"a filter's text is expected, not {shown(text)}")
    if len(text) > MAX_TEXT:
        raise unreadable(text, MAX_TEXT, f"a filter has at most {MAX_TEXT} characters, not {len(text)}")
    return Reader(text).read()


def to_text(filter: Filter) -> str:
    """The text form, in one line.

    `from_text` gives an equal tree, but for three things: an instant has become its ISO 8601 text, an `And`
    or `Or` of a single part that part, and an enum's member its plain value. A text beyond `MAX_TEXT` can be
    shown, but not read again.

    Raises:
        InvalidQueryError: A name, operator or value that no field can have, or a tree beyond the limits.
    """
    return fold(
        filter,
        leaf=lambda leaf: _Phrase(_written_leaf(leaf), _LEAF),
        all_of=lambda parts: _joined("and", parts, _AND, empty="true"),
        any_of=lambda parts: _joined("or", parts, _OR, empty="false"),
        negate=lambda part: _Phrase(f"not {_wrapped(part, _LEAF)}", _NOT),
    ).text


class _Phrase(NamedTuple):
    """Written text, and how tightly it holds together."""

    text: str
    rank: int


def _joined(word: str, parts: list[_Phrase], rank: int, *, empty: str) -> _Phrase:
    if len(parts) < 2:
        return parts[0] if parts else _Phrase(empty, _ATOM)
    return _Phrase(f" {word} ".join(_wrapped(part, rank) for part in parts), rank)


def _wrapped(part: _Phrase, rank: int) -> str:
    return f"({part.text})" if part.rank <= rank else part.text


def _written_leaf(leaf: Condition) -> str:
    try:
        return f"{name_of(leaf.field)} {Op(leaf.op)}{_operand(leaf.op, leaf.value)}"
    except (TypeError, ValueError, OverflowError) as error:
        message = (
            f"the filter {shown(leaf.field)} {shown(leaf.op)} {shown(leaf.value)} can't be written as text"
        )
        raise InvalidQueryError(message, hint="check says which fields, operators and values fit") from error


def _operand(op: Op, value: object) -> str:
    """A value after its operator; TypeError or ValueError where they don't fit."""
    match value:
        case None if op == Op.EXISTS:
            return ""
        case (low, high) if op == Op.BETWEEN:
            return f" {_written(low)} and {_written(high)}"
        case tuple() if op in TAKES_LIST - {Op.BETWEEN}:
            return f" [{', '.join(map(_written, value))}]"
        case _ if op not in TAKES_LIST | {Op.EXISTS}:
            return f" {_written(value)}"
    raise TypeError


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() if math.isfinite(float(value)):
            return int.__repr__(value)
        case float() if math.isfinite(value):
            return float.__repr__(value)
        case str():
            return quoted(value)
        case datetime():
            return quoted(value.isoformat())
    raise TypeError
