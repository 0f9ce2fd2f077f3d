"""What commands print: one JSON document, or tables for people; messages go to stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..core.logs import redacted

if TYPE_CHECKING:
    from ..core.records import Hit

_STEERING = re.compile("[\0-\x08\n-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but the tab, what turns the direction of writing, and halves of characters."""


def document(value: Any) -> None:
    """Print one JSON document on stdout."""
    pieces([f"{json.dumps(value, ensure_ascii=False, indent=2)}\n"])


def pieces(document: Iterable[str]) -> None:
    """Print a JSON document that comes in pieces on stdout."""
    encoding = sys.stdout.encoding or "utf-8"
    for piece in document:
        sys.stdout.write(_encodable(piece, encoding).decode(encoding))


def check_writable(path: Path) -> None:
    """Refuse a file that can't be written, before hours are spent on what shall stand in it.

    Raises:
        InvalidQueryError: Its folder isn't there or can't be written.
    """
    from ..core.errors import InvalidQueryError

    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        why = "it is a folder" if path.is_dir() else "its folder is missing or can't be written"
        raise InvalidQueryError(
            f"{path} can't be written: {why}", hint="name a file in a folder that is there"
        )


def pieces_file(path: Path, document: Iterable[str]) -> None:
    """Write a JSON document that comes in pieces to a file, which is replaced whole.

    Raises:
        ConfigurationError: It can't be written.
    """
    from ..core.locks import disk_error, replacing

    try:
        with replacing(path.absolute()) as file:
            for piece in document:
                file.write(_encodable(piece, "utf-8"))
    except OSError as error:
        raise disk_error(error, f"the file {path} can't be written") from error


def line(text: str = "") -> None:
    """Print a line of the result on stdout."""
    sys.stdout.write(_printable(text) + "\n")


def message(text: str) -> None:
    """Print a line for the person on stderr, without secrets."""
    sys.stderr.write(_printable(redacted(text)) + "\n")


def piece(text: str, *, aside: bool = False) -> None:
    """Print a piece of a text as it comes, on stdout or aside on stderr; lines stay lines."""
    stream = sys.stderr if aside else sys.stdout
    stream.write("\n".join(map(_printable, text.split("\n"))))
    stream.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, and tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            line("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        shown.add_row(*(Text(_printable(cell)) for cell in row))
    Console().print(shown)


def hits(found: Iterable[Hit]) -> None:
    """Print hits as a table; the other clips of a video stand below its best one."""
    from ..core.records import Moment

    rows = []
    for rank, hit in enumerate(found, start=1):
        rows.append((str(rank), *_cells(hit)))
        rows += [("", *_cells(clip)) for clip in hit.members[1:] if not isinstance(hit, Moment)]
    if not rows:
        message("nothing found")
        return
    table(("", "score", "sure", "time", "video", "about", "id"), rows)


def _cells(hit: Hit) -> tuple[str, ...]:
    sure = hit.confidence.value if hit.confidence else ""
    return f"{hit.score:.3f}", sure, span(hit.start, hit.end), name(hit.uri), about(hit), hit.id


def span(start: float, end: float) -> str:
    """A span as people write it: `0:05.0-0:10.0`."""
    return f"{clock(start)}-{clock(end)}"


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def name(uri: str) -> str:
    """The last part of an address, readable."""
    return unquote(urlsplit(uri).path.rpartition("/")[2]) or uri


def about(hit: Hit) -> str:
    """A few words on a hit."""
    text = hit.record.text
    words = text.caption or text.title or text.transcript
    first = words.partition("\n")[0]
    return first if len(first) <= 60 else f"{first[:59]}…"


def _encodable(piece: str, encoding: str) -> bytes:
    """A piece of JSON, with escapes for a poor terminal or a file name in another encoding."""
    try:
        return piece.encode(encoding)
    except UnicodeEncodeError:
        return "".join(each if each.isascii() else json.dumps(each)[1:-1] for each in piece).encode(encoding)


def _printable(text: str) -> str:
    """Without characters that would steer the terminal, and encodable on any."""
    shown = _STEERING.sub("�", text)
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "replace").decode(encoding)
