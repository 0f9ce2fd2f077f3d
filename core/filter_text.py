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
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from difflib import get_close_matches
from itertools import repeat
from typing import NamedTuple

from .errors import InvalidQueryError
from .fields import did_you_mean, shown
from .filters import ALL, MAX_DEPTH, TAKES_LIST, And, Condition, Filter, Limits, Not, Op, Or, fold

MAX_TEXT = 100_000
"""Characters of one text."""

_TOKEN = re.compile(
    r"""
      (?P<space>    \s+ )
    | (?P<text>     "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' )
    | (?P<name>     `(?:[^`\\]|\\.)*+` )
    | (?P<unclosed> ["'`] )
    | (?P<number>   [-+]?\.?[0-9][\w.:+-]* )    # whatever begins like one, such as 2020-01-01
    | (?P<word>     [^\W\d][\w.-]* )
    | (?P<sign>     [=!<>~&|^]+ )
    | (?P<other>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[\ud800-\udfff]", re.DOTALL)
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t", "r": "\r"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"and", "or", "not", "true", "false"})
_SURROGATES = range(0xD800, 0xE000)
_OPS = tuple(map(str, Op))
_MEANT = {
    **dict.fromkeys("= === : is eq equals".split(), "=="),
    **dict.fromkeys("<> !== ~= ne".split(), "!="),
    **dict.fromkeys("=> ge gte".split(), ">="),
    **dict.fromkeys("=< le lte".split(), "<="),
    **dict.fromkeys("contains has includes".split(), "any"),
    **dict.fromkeys("startswith starts like".split(), "prefix"),
    **dict.fromkeys("& && ,".split(), "and"),
    **dict.fromkeys("| ||".split(), "or"),
    **dict.fromkeys("! ~".split(), "not"),
}
"""What people write who know another language."""

_NULLS = frozenset({"null", "none", "nil"})
_SHOWN = 24
"""Characters of the text that an error shows on each side of the spot."""

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
        raise _unreadable(text, MAX_TEXT, f"a filter has at most {MAX_TEXT} characters, not {len(text)}")
    return _Reader(text).read()


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


class _Token(NamedTuple):
    """A piece of the text: its kind (a group of `_TOKEN`, or `end`), and where it begins."""

    kind: str
    text: str
    at: int

    @property
    def keyword(self) -> str:
        """A word of capitals in small letters; anything else as it is."""
        return self.text.lower() if self.kind == "word" and self.text.isupper() else self.text


class _Part(NamedTuple):
    """What was read, and its levels."""

    tree: Filter
    depth: int


class _Reader:
    """Reads one text by recursive descent: any of, all of, not, condition."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._last: _Token | None = None
        self._now = next(self._tokens)
        self._limits = Limits()
        self._open = 0  # the `not` and parentheses around this place

    def read(self) -> Filter:
        """The whole text."""
        if self._now.kind == "end":
            return ALL
        tree = self._any_of().tree
        if self._now.kind != "end":
            raise self._expected("'and', 'or' or the end", self._meant("and", "or"))
        return tree

    def _any_of(self) -> _Part:
        return self._joined("or", Or, self._all_of)

    def _all_of(self) -> _Part:
        return self._joined("and", And, self._one)

    def _joined(self, word: str, join: type[And | Or], read: Callable[[], _Part]) -> _Part:
        start, parts = self._now, [read()]
        while self._take(word):
            parts.append(read())
        if len(parts) == 1:
            return parts[0]
        trees, depths = zip(*parts, strict=True)
        return self._made(join(trees), max(depths) + 1, start)

    def _one(self) -> _Part:
        start = self._now
        if self._take("not"):
            inner = self._inside(start, self._one)
            return self._made(Not(inner.tree), inner.depth + 1, start)
        if self._take("("):
            inner = self._inside(start, self._any_of)
            self._need(")", "'and', 'or' or ')'", self._meant("and", "or"))
            return inner
        if self._take("true", "false"):
            return self._made(ALL if start.keyword == "true" else Or(()), 1, start)
        return self._made(self._condition(), 1, start)

    def _inside(self, start: _Token, read: Callable[[], _Part]) -> _Part:
        if self._open == MAX_DEPTH:
            raise _unreadable(self._text, start.at, f"a filter nests at most {MAX_DEPTH} deep")
        self._open += 1
        part = read()
        self._open -= 1
        return part

    def _made(self, tree: Filter, depth: int, start: _Token) -> _Part:
        try:
            self._limits.enter(depth)
        except InvalidQueryError as error:
            raise _unreadable(self._text, start.at, error.message, error.hint) from None
        return _Part(tree, depth)

    def _condition(self) -> Condition:
        field = self._field()
        op = self._operator(field)
        if op is Op.EXISTS:
            return Condition(field, op)
        if op is Op.BETWEEN:
            return Condition(field, op, self._span())
        return Condition(field, op, self._list() if op in TAKES_LIST else self._value())

    def _field(self) -> str:
        kind = self._now.kind
        if kind == "name":
            return self._unescaped(self._next())
        if kind == "word" and self._now.keyword not in _RESERVED:
            return self._next().text
        backwards = "the field stands on the left, as in year >= 2020" if kind in ("number", "text") else None
        raise self._expected("a field", backwards or self._meant("not"))

    def _operator(self, field: str) -> Op:
        if self._now.keyword in _OPS:
            return Op(self._next().keyword)
        if self._take("not"):
            self._need("in", "'in'", "any other not stands before the field")
            return Op.NOT_IN
        hint = self._meant(*_OPS) or did_you_mean(self._now.text, _OPS)
        if self._now.kind == "end" or self._now.keyword in ("and", "or", ")"):
            hint = f"write {_short(_name(field))} == true if it is a bool"
        raise self._expected("an operator", hint)

    def _span(self) -> tuple[object, object]:
        low = self._value("write between 1 and 2")
        self._need("and", "'and'", "write between 1 and 2")
        return low, self._value()

    def _list(self) -> tuple[object, ...]:
        self._need("[", "'['", 'a list looks like ["beach", "dog"] or [2019, 2020]')
        if self._take("]"):
            return ()
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._need("]", "',' or ']'")
        return tuple(values)

    def _value(self, hint: str | None = None) -> object:
        token = self._now
        if token.kind == "text":
            return self._unescaped(self._next())
        if token.kind == "number":
            return self._number(self._next())
        if self._take("true", "false"):
            return token.keyword == "true"
        if token.text == "[":
            hint = hint or "in and not in take a list"
        elif token.kind == "word" and token.keyword not in _RESERVED:
            hint = self._meant("true", "false") or f"put text in quotes: {_short(_quoted(token.text))}"
        if token.text.lower() in _NULLS:
            hint = "a missing value is found with exists, as in not (year exists)"
        raise self._expected("a value", hint)

    def _number(self, token: _Token) -> int | float:
        if not _NUMBER.fullmatch(token.text):
            hint = f"put dates and other text in quotes: {_short(_quoted(token.text))}"
            raise _unreadable(self._text, token.at, f"{_named(token.text)} is no number", hint)
        value = float(token.text)
        if not math.isfinite(value):
            raise _unreadable(self._text, token.at, f"{_named(token.text)} is more than a field can hold")
        return value if set(".eE") & set(token.text) else int(token.text)

    def _unescaped(self, token: _Token) -> str:
        def character(found: re.Match[str]) -> str:
            code = found[1] or ""
            if code in _ESCAPES:
                return _ESCAPES[code]
            number = int(code[1:], 16) if len(code) > 1 else _SURROGATES.start
            if number <= sys.maxunicode and number not in _SURROGATES:
                return chr(number)
            problem = f"{_named(found[0])} stands for no character"
            raise _unreadable(self._text, token.at + found.start(), problem, r"a backslash is written \\")

        return _ESCAPE.sub(character, token.text)[1:-1]

    def _next(self) -> _Token:
        self._last, self._now = self._now, next(self._tokens)
        return self._last

    def _take(self, *words: str) -> bool:
        return self._now.keyword in words and bool(self._next())

    def _need(self, word: str, what: str, hint: str | None = None) -> None:
        if not self._take(word):
            raise self._expected(what, hint)

    def _meant(self, *words: str) -> str | None:
        """A hint, if what stands here is another way to say one of the words."""
        text = self._now.text.lower()
        close = [_MEANT[text]] if _MEANT.get(text) in words else get_close_matches(text[:_SHOWN], words, n=1)
        return f"did you mean {close[0]!r}?" if close else None

    def _expected(self, what: str, hint: str | None) -> InvalidQueryError:
        after = f" after {_named(self._last.text)}" if self._last else ""
        found = f", not {_named(self._now.text)}" if self._now.text else ""
        problem = f"expected {what}{after}{found}"
        if self._now.kind == "unclosed":
            problem, hint = f"the quote {self._now.text} is never closed", None
        if self._now.text and self._now.text in "“”„‘’「」":
            hint = "text stands in straight quotes"
        return _unreadable(self._text, self._now.at, problem, hint)


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "space":
            yield _Token(str(found.lastgroup), found[0], found.start())
    yield from repeat(_Token("end", "", len(text)))


def _unreadable(text: str, at: int, problem: str, hint: str | None = None) -> InvalidQueryError:
    before = ("…" if at > _SHOWN else "") + _visible(text[max(0, at - _SHOWN) : at])
    after = _visible(text[at : at + _SHOWN]) + ("…" if len(text) > at + _SHOWN else "")
    message = f"the filter can't be read at column {at + 1}: {problem} ({before}▸{after})"
    return InvalidQueryError(message, hint=hint)


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
        return f"{_name(leaf.field)} {Op(leaf.op)}{_operand(leaf.op, leaf.value)}"
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
            return _quoted(value)
        case datetime():
            return _quoted(value.isoformat())
    raise TypeError


def _name(field: str) -> str:
    if _NAME.fullmatch(field) and field.lower() not in _RESERVED:
        return field
    return "`" + _quoted(field)[1:-1].replace("`", r"\u0060") + "`"


def _quoted(text: str) -> str:
    text.encode()  # UnicodeEncodeError, a ValueError, for a lone surrogate
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{_visible(escaped)}"'


def _visible(text: str) -> str:
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    number = ord(character)
    short = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}.get(character)
    return short or (f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")


def _named(text: str) -> str:
    return f"'{_short(_visible(text))}'"


def _short(text: str) -> str:
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…"
