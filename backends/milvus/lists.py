"""A list of texts in one text, as Milvus Lite keeps it: `|sea|sun|`, so that an item is found as `|sea|`.

Lite looks into a list of its own by making Python's objects of all rows, their vectors too: of 20 000 rows
that took 850 ms, and the same question about texts 16. Servers keep lists, of which they have indexes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from ...core.fields import Column

_END = "|"
_MARK = "~"
_SAID = {
    "0": _MARK,
    "1": _END,
    "2": "%",  # which, as the next two, means more than itself in a pattern of `like`
    "3": "_",
    "4": "\\",
    "5": "\n",
    "6": "\r",
}
_WRITTEN = str.maketrans({meant: _MARK + letter for letter, meant in _SAID.items()})
_ODD = re.compile(f"[{re.escape(''.join(_SAID.values()))}]")
_READ = re.compile(f"{_MARK}(.)")


def packed(texts: Iterable[str]) -> str:
    """The text that holds the list; empty for an empty one."""
    items = [*texts]
    if not items:
        return ""
    if _ODD.search("".join(items)):  # few have one, and to look takes a tenth of the time
        items = [text.translate(_WRITTEN) for text in items]
    return f"{_END}{_END.join(items)}{_END}"


def unpacked(text: str) -> list[str]:
    """The opposite of `packed`."""
    items = text[1:-1].split(_END) if text else []
    return [_READ.sub(lambda mark: _SAID[mark[1]], item) if _MARK in item else item for item in items]


def holding(column: str, texts: Iterable[str], literal: Callable[[str], str]) -> str:
    """The expression of what holds one of the texts."""
    return " or ".join(f"{column} like {literal(f'%{packed([text])}%')}" for text in texts)


def all_packed(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns, their lists as texts."""
    return {name: packed(value) if isinstance(value, list) else value for name, value in columns.items()}
