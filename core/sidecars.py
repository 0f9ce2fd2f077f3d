"""What people wrote about a video in files beside it: JSON and subtitles.

A JSON sidecar is `clip.mp4.json` or `clip.json` beside `clip.mp4`; the first wins:

    {"title": "...", "tags": ["..."], "caption": "... or a list", "transcript": "...",
     "captions": [{"start": 0.0, "end": 2.5, "text": "..."}],
     "fields": {"year": 2020}, "any other key": "is a field, too"}

Subtitles are `clip.srt`, `clip.vtt` and, with a language, `clip.en.srt`, `clip.zh-Hans.vtt`; all are read, in
the order of their names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from .errors import InvalidQueryError
from .fields import shown
from .records import Text
from .sources import SUFFIXES, Source
from .subtitles import SUBTITLES, Line, parse_subtitles

_TEXT = frozenset({"title", "tags", "caption", "captions", "transcript"})
_LANGUAGE = re.compile(r"\.[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")

Read = Callable[[str], bytes]
"""Reads a file beside the video by its name. Raises a `PolyreelError`, or OSError, where it can't."""


def beside(name: str, neighbours: Iterable[str], read: Read) -> tuple[dict[str, object], tuple[Line, ...]]:
    """What the sidecars of a video say: the JSON object, and the lines of all subtitles.

    Args:
        name: The video's file name.
        neighbours: The names of the files beside it.
        read: Reads one of them.

    Raises:
        InvalidQueryError: A sidecar can't be read; the message names it.
    """
    names, stem = set(neighbours) - {name}, PurePosixPath(name).stem
    written = next((each for each in (f"{name}.json", f"{stem}.json") if each in names), None)
    lines: list[Line] = []
    for each in sorted(names):
        if _is_subtitle(each, PurePosixPath(name), names):
            lines += parse_subtitles(_content(each, read), each)
    return (parse_json_object(_content(written, read), written) if written else {}), tuple(lines)


def read_json_object(path: Path) -> dict[str, object]:
    """The JSON object in a file.

    Raises:
        InvalidQueryError: It is no JSON, or no object, or can't be read.
    """
    return parse_json_object(_content(str(path), lambda _: path.read_bytes()), str(path))


def parse_json_object(content: bytes, name: str) -> dict[str, object]:
    """The JSON object in bytes; `name` is for the message.

    Raises:
        InvalidQueryError: It is no JSON, or no object.
    """
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidQueryError(f"{name} can't be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidQueryError(f"{name} holds no JSON object")
    return value


def described_source(path: Path, known: Mapping[str, object], subtitles: Sequence[Line] = ()) -> Source:
    """A source from what a sidecar or a row says, and the lines of its subtitles.

    Raises:
        InvalidQueryError: A value has another type than it must have.
    """
    text = Text(
        title=_string(known, "title") or _words(path),
        tags=tuple(_strings(known, "tags")),
        caption="\n".join(_strings(known, "caption")),
        transcript=_string(known, "transcript"),
    )
    declared = known.get("fields")
    declared = {} if declared is None else declared
    if not isinstance(declared, Mapping):
        raise InvalidQueryError(f"fields of {path.name} must be an object, not {shown(declared)}")
    loose = {name: value for name, value in known.items() if name not in _TEXT and name != "fields"}
    captions = _captions(known.get("captions") or [], path)
    return Source(path, text, {**loose, **declared}, (*captions, *subtitles))


def _is_subtitle(name: str, video: PurePosixPath, names: set[str]) -> bool:
    """Whether it is a subtitle of the video, and not of another one with a longer name."""
    own, dot, suffix = name.rpartition(".")
    if f"{dot}{suffix}".lower() not in SUBTITLES or not own.startswith(video.stem):
        return False
    language = own.removeprefix(video.stem)
    if language in ("", video.suffix):
        return True
    other = any(f"{own}{each}" in names for each in SUFFIXES)
    return _LANGUAGE.fullmatch(language) is not None and language not in SUFFIXES and not other


def _content(name: str, read: Read) -> bytes:
    try:
        return read(name)
    except OSError as error:
        raise InvalidQueryError(f"{name} can't be read: {error.strerror or error}") from error


def _words(path: Path) -> str:
    """The words of a file name, for a video without a title."""
    stem = os.fsencode(path.stem).decode(errors="replace")  # a name may be in another encoding
    return re.sub(r"[\s._-]+", " ", stem).strip()


def _string(known: Mapping[str, object], key: str) -> str:
    value = known.get(key) or ""
    if not isinstance(value, str):
        raise InvalidQueryError(f"{key} must be a string, not {shown(value)}")
    return _whole(value, key)


def _strings(known: Mapping[str, object], key: str) -> Sequence[str]:
    value = known.get(key) or []
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise InvalidQueryError(f"{key} must be a string or a list of strings, not {shown(value)}")
    return [_whole(each, key) for each in values]


def _captions(value: object, path: Path) -> tuple[Line, ...]:
    try:
        return tuple(
            Line(
                round(line["start"] * 1000),
                round(line["end"] * 1000),
                _whole(str(line["text"]), "captions"),
            )
            for line in value  # type: ignore[attr-defined]
        )
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise InvalidQueryError(
            f"captions of {path.name} can't be read", hint='write [{"start": 0.0, "end": 2.5, "text": "..."}]'
        ) from error


def _whole(text: str, key: str) -> str:
    """The text, unless it holds half of a surrogate pair, which JSON can write and no store can keep."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidQueryError(
            f"{key} holds half of a character: {shown(text)}", hint="write the whole character, or none"
        ) from error
    return text
