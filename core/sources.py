"""Finding videos and what people wrote about them: files, folders and JSON sidecars.

A sidecar is `clip.json` or `clip.mp4.json` beside `clip.mp4`:

    {"title": "...", "tags": ["..."], "caption": "... or a list", "transcript": "...",
     "captions": [{"start": 0.0, "end": 2.5, "text": "..."}],
     "fields": {"year": 2020}, "any other key": "is a field, too"}
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import InvalidQueryError, MediaError, NotFoundError, PolyreelError
from .records import Text

SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv".split()
)
"""What counts as a video when a folder is searched; a file that is named itself may end in anything."""

_TEXT = frozenset({"title", "tags", "caption", "captions", "transcript"})


@dataclass(frozen=True, slots=True)
class Line:
    """Words that belong to a span."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file to take in and what is known of it.

    Args:
        path: The file.
        text: Of the whole video.
        fields: Declared and other values, unchecked.
        lines: Captions with times.
    """

    path: Path
    text: Text = field(default_factory=Text)
    fields: Mapping[str, object] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()

    def text_of(self, start_ms: int, end_ms: int) -> Text:
        """The text of a span: that of the video, and the lines of its own time."""
        own = [line.text for line in self.lines if line.start_ms < end_ms and line.end_ms > start_ms]
        if not own:
            return self.text
        transcript = "\n".join(part for part in (self.text.transcript, *own) if part)
        return Text(self.text.title, self.text.tags, self.text.caption, transcript)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that was asked for and can't be taken in."""

    path: Path
    error: PolyreelError


def discover(
    paths: Iterable[Path], described: Mapping[str, Mapping[str, object]] | None = None
) -> Iterator[Source | Unreadable]:
    """Every video of the given files and folders, once, in the order of names.

    Args:
        paths: Files, or folders that are searched to the bottom; hidden ones inside them are left out.
        described: Text and fields by file name, which win over sidecars; `*` holds for every file.
    """
    seen: set[str] = set()
    for path in paths:
        found = False
        for file in _files(path):
            found = True
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield _source(file, described or {})
        if not found:
            yield Unreadable(path, _nothing(path))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        yield path.absolute()


def _in_folder(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder.absolute()):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(place, name)


def _nothing(path: Path) -> PolyreelError:
    if not path.is_dir():
        return NotFoundError(f"there is no file {path}")
    if not os.access(path, os.R_OK | os.X_OK):
        return MediaError(f"the folder {path} can't be read", hint="check its permissions")
    return NotFoundError(
        f"there is no video in the folder {path}", hint=f"videos end in {' '.join(sorted(SUFFIXES))}"
    )


def _source(path: Path, described: Mapping[str, Mapping[str, object]]) -> Source | Unreadable:
    try:
        known = {**_sidecar(path), **described.get("*", {}), **described.get(path.name, {})}
        return described_source(path, known)
    except PolyreelError as error:
        return Unreadable(path, error)


def _sidecar(path: Path) -> dict[str, object]:
    for sidecar in (path.with_name(f"{path.name}.json"), path.with_suffix(".json")):
        if sidecar != path and sidecar.is_file():
            return read_json_object(sidecar)
    return {}


def read_json_object(path: Path) -> dict[str, object]:
    """The JSON object in a file.

    Raises:
        InvalidQueryError: It is no JSON, or no object, or can't be read.
    """
    try:
        value = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidQueryError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidQueryError(f"{path} holds no JSON object")
    return value


def described_source(path: Path, known: Mapping[str, object]) -> Source:
    """A source from what a sidecar or a row says.

    Raises:
        InvalidQueryError: A value has another type than it must have.
    """
    text = Text(
        title=_string(known, "title") or _words(path),
        tags=tuple(_strings(known, "tags")),
        caption="\n".join(_strings(known, "caption")),
        transcript=_string(known, "transcript"),
    )
    declared = known.get("fields", {})
    if not isinstance(declared, Mapping):
        raise InvalidQueryError(f"fields of {path.name} must be an object, got {declared!r}")
    loose = {name: value for name, value in known.items() if name not in _TEXT and name != "fields"}
    return Source(path, text, {**loose, **declared}, _lines(known.get("captions", []), path))


def _words(path: Path) -> str:
    """The words of a file name, for a video without a title."""
    return re.sub(r"[\s._-]+", " ", path.stem).strip()


def _string(known: Mapping[str, object], key: str) -> str:
    value = known.get(key) or ""
    if not isinstance(value, str):
        raise InvalidQueryError(f"{key} must be a string, got {value!r}")
    return value


def _strings(known: Mapping[str, object], key: str) -> Sequence[str]:
    value = known.get(key) or []
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise InvalidQueryError(f"{key} must be a string or a list of strings, got {value!r}")
    return values


def _lines(value: object, path: Path) -> tuple[Line, ...]:
    try:
        return tuple(
            Line(round(line["start"] * 1000), round(line["end"] * 1000), str(line["text"]))
            for line in value  # type: ignore[attr-defined]
        )
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise InvalidQueryError(
            f"captions of {path.name} can't be read", hint='write [{"start": 0.0, "end": 2.5, "text": "..."}]'
        ) from error
