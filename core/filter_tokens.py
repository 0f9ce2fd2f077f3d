"""The pieces of a filter's text: words, names, numbers, quoted text and signs, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

from .errors import InvalidQueryError

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
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset({"and", "or", "not", "true", "false"})
"""Words that name no field unless they stand in backticks."""
SHOWN = 24
"""Characters of the text that an error shows on each side of the spot."""


class Token(NamedTuple):
    """A piece of the text: its kind (a group of `_TOKEN`, or `end`), and where it begins."""

    kind: str
    text: str
    at: int

    @property
    def keyword(self) -> str:
        """A word of capitals in small letters; anything else as it is."""
        return self.text.lower() if self.kind == "word" and self.text.isupper() else self.text


def tokens_of(text: str) -> Iterator[Token]:
    """The pieces of a text without its spaces; the end, again and again, when it is over."""
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "space":
            yield Token(str(found.lastgroup), found[0], found.start())
    yield from repeat(Token("end", "", len(text)))


def unreadable(text: str, at: int, problem: str, hint: str | None = None) -> InvalidQueryError:
    """An error at a place of a text, with the column and the text around it."""
    before = ("…" if at > SHOWN else "") + visible(text[max(0, at - SHOWN) : at])
    after = visible(text[at : at + SHOWN]) + ("…" if len(text) > at + SHOWN else "")
    message = f"the filter can't be read at column {at + 1}: {problem} ({before}▸{after})"
    return InvalidQueryError(message, hint=hint)


def name_of(field: str) -> str:
    """A field as the text form writes it, in backticks where it must be."""
    if _NAME.fullmatch(field) and field.lower() not in RESERVED:
        return field
    return "`" + quoted(field)[1:-1].replace("`", r"\u0060") + "`"


def quoted(text: str) -> str:
    """A text in double quotes; ValueError where it holds half a character."""
    text.encode()  # UnicodeEncodeError, a ValueError, for a lone surrogate
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{visible(escaped)}"'


def visible(text: str) -> str:
    """A text with escapes for what can't be seen."""
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    number = ord(character)
    short = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}.get(character)
    return short or (f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")


def named(text: str) -> str:
    """A piece of a text for a message: visible, short and in quotes."""
    return f"'{short(visible(text))}'"


def short(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= 2 * SHOWN else f"{text[: 2 * SHOWN]}…"
