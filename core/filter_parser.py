"""Reading a filter's text by recursive descent; `core.filter_text` says what it looks like."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import NamedTuple

from .errors import InvalidQueryError
from .fields import did_you_mean
from .filter_tokens import RESERVED, SHOWN, Token, name_of, named, quoted, short, tokens_of, unreadable
from .filters import ALL, MAX_DEPTH, TAKES_LIST, And, Condition, Filter, Limits, Not, Op, Or

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[\ud800-\udfff]", re.DOTALL)
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t", "r": "\r"}
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


class _Part(NamedTuple):
    """What was read, and its levels."""

    tree: Filter
    depth: int


class Reader:
    """Reads one text by recursive descent: any of, all of, not, condition."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._last: Token | None = None
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

    def _inside(self, start: Token, read: Callable[[], _Part]) -> _Part:
        if self._open == MAX_DEPTH:
            raise unreadable(self._text, start.at, f"a filter nests at most {MAX_DEPTH} deep")
        self._open += 1
        part = read()
        self._open -= 1
        return part

    def _made(self, tree: Filter, depth: int, start: Token) -> _Part:
        try:
            self._limits.enter(depth)
        except InvalidQueryError as error:
            raise unreadable(self._text, start.at, error.message, error.hint) from None
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
        if kind == "word" and self._now.keyword not in RESERVED:
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
            hint = f"write {short(name_of(field))} == true if it is a bool"
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
        elif token.kind == "word" and token.keyword not in RESERVED:
            hint = self._meant("true", "false") or f"put text in quotes: {short(quoted(token.text))}"
        if token.text.lower() in _NULLS:
            hint = "a missing value is found with exists, as in not (year exists)"
        raise self._expected("a value", hint)

    def _number(self, token: Token) -> int | float:
        if not _NUMBER.fullmatch(token.text):
            hint = f"put dates and other text in quotes: {short(quoted(token.text))}"
            raise unreadable(self._text, token.at, f"{named(token.text)} is no number", hint)
        value = float(token.text)
        if not math.isfinite(value):
            raise unreadable(self._text, token.at, f"{named(token.text)} is more than a field can hold")
        return value if set(".eE") & set(token.text) else int(token.text)

    def _unescaped(self, token: Token) -> str:
        def character(found: re.Match[str]) -> str:
            code = found[1] or ""
            if code in _ESCAPES:
                return _ESCAPES[code]
            number = int(code[1:], 16) if len(code) > 1 else _SURROGATES.start
            if number <= sys.maxunicode and number not in _SURROGATES:
                return chr(number)
            problem = f"{named(found[0])} stands for no character"
            raise unreadable(self._text, token.at + found.start(), problem, r"a backslash is written \\")

        return _ESCAPE.sub(character, token.text)[1:-1]

    def _next(self) -> Token:
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
        close = [_MEANT[text]] if _MEANT.get(text) in words else get_close_matches(text[:SHOWN], words, n=1)
        return f"did you mean {close[0]!r}?" if close else None

    def _expected(self, what: str, hint: str | None) -> InvalidQueryError:
        after = f" after {named(self._last.text)}" if self._last else ""
        found = f", not {named(self._now.text)}" if self._now.text else ""
        problem = f"expected {what}{after}{found}"
        if self._now.kind == "unclosed":
            problem, hint = f"the quote {self._now.text} is never closed", None
        if self._now.text and self._now.text in "“”„‘’「」":
            hint = "text stands in straight quotes"
        return unreadable(self._text, self._now.at, problem, hint)
