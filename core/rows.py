"""Rows: one JSON object for each line, naming a video and saying what is known of it.

    {"uri": "clips/a.mp4", "title": "...", "tags": ["..."], "year": 2020}

`uri` is a path, a URL or an address of the stack's object store; a relative path begins at the file's folder.
The other keys are those of a JSON sidecar, over which they win.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import InvalidQueryError, NotFoundError, PolyreelError
from .sidecars import parse_json_object
from .sources import Unreadable

STDIN = "-"
"""The name of the standard input."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file or of the standard input.

    Args:
        where: File and line, for messages.
        uri: The address or path that it names.
        folder: Where a relative path begins.
        known: What it says of the video; None for a line that is an address only.
    """

    where: str
    uri: str
    folder: Path
    known: Mapping[str, object] | None = None


def read_rows(file: str) -> Iterator[Row | Unreadable]:
    """The rows of a JSONL file, as they are read; `-` is the standard input. Empty lines are passed over.

    A broken row, and a file that can't be read, are `Unreadable`.
    """
    return _read(file, loose=False)


def read_list() -> Iterator[Row | Unreadable]:
    """The lines of the standard input: a row where a line begins with `{`, else a path or an address."""
    return _read(STDIN, loose=True)


def lines_of(file: str) -> Iterator[tuple[str, bytes]]:
    """The lines of a file that hold anything, with file and number for messages; `-` is the standard input.

    Raises:
        OSError: It can't be read.
    """
    name = "standard input" if file == STDIN else file
    with _opened(file) as stream:
        for number, line in enumerate(stream, start=1):
            content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if content.strip():
                yield f"{name}:{number}", content.strip()


def folder_of(file: str) -> Path:
    """Where a relative path in a file begins."""
    return Path() if file == STDIN else Path(file).parent


def _read(file: str, *, loose: bool) -> Iterator[Row | Unreadable]:
    folder = folder_of(file)
    try:
        for where, line in lines_of(file):
            yield _row(line, where, folder, loose=loose)
    except OSError as error:
        name = "standard input" if file == STDIN else file
        yield Unreadable(name, NotFoundError(f"{name} can't be read: {error.strerror or error}"))


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STDIN:
        yield sys.stdin.buffer
    else:
        with Path(file).open("rb") as stream:
            yield stream


def _row(line: bytes, where: str, folder: Path, *, loose: bool) -> Row | Unreadable:
    try:
        if loose and not line.startswith(b"{"):
            return Row(where, _text(line), folder)
        known = parse_json_object(line, "the row")
        uri = known.pop("uri", None)
        if not isinstance(uri, str) or not uri:
            raise InvalidQueryError("the row names no video", hint='write {"uri": "clip.mp4", …}')
        return Row(where, uri, folder, known)
    except PolyreelError as error:
        return Unreadable(where, error)


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidQueryError("the line is no UTF-8") from error
