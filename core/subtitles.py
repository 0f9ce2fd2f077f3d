"""Subtitles: SubRip (`.srt`) and WebVTT (`.vtt`) as lines with times.

Both are read line by line: a line with `-->` begins a cue, an empty line ends it. What stands outside of cues
(headers, counters, NOTE, STYLE and REGION blocks) is passed over, and so is a cue whose times can't be read,
if another one's can. Formats: https://www.w3.org/TR/webvtt1/ (section 4.1); SubRip has no specification.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import InvalidQueryError

SUBTITLES = frozenset({".srt", ".vtt"})
"""How their file names end."""

_TIME = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}")  # <i>, <v Ann>, </c>, <00:01.500>, {\an8}
_COUNTER = re.compile(r"\s*\d+\s*")
_DIGIT = re.compile(r"\s*\d")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_EXAMPLE = "a cue is a line `00:00:01.000 --> 00:00:02.500` with its words below"


@dataclass(frozen=True, slots=True)
class Line:
    """Words that belong to a span."""

    start_ms: int
    end_ms: int
    text: str


def parse_subtitles(content: bytes, name: str) -> tuple[Line, ...]:
    """The cues in the bytes of a file, as they stand there; cues without words are left out.

    Args:
        content: UTF-8, or UTF-16 that begins with its byte order mark.
        name: Of the file, for the message.

    Raises:
        InvalidQueryError: There is no readable cue; the message names the line where reading failed.
    """
    cues = list(_cues(_decoded(content, name)))
    lines = tuple(cue.line for cue in cues if cue.times and cue.line.text)
    if not lines:
        bad = next((cue.number for cue in cues), 1)
        raise InvalidQueryError(f"{name}:{bad}: no subtitle can be read", hint=_EXAMPLE)
    return lines


@dataclass(slots=True)
class _Cue:
    """The lines of a cue; no times where they can't be read."""

    number: int
    times: tuple[int, int] | None
    words: list[str]

    @property
    def line(self) -> Line:
        start, end = self.times or (0, 0)
        text = html.unescape(_TAG.sub("", " ".join(self.words)))
        return Line(start, end, " ".join(text.split()))


def _cues(text: str) -> Iterator[_Cue]:
    cue: _Cue | None = None
    for number, line in enumerate(_NEWLINE.split(text), start=1):
        if "-->" in line and (cue is None or _DIGIT.match(line)):  # SubRip has arrows among its words, too
            if cue:
                yield _without_counter(cue)
            cue = _Cue(number, _times(line), [])
        elif cue and not line.strip():
            yield cue
            cue = None
        elif cue:
            cue.words.append(line)
    if cue:
        yield cue


def _without_counter(cue: _Cue) -> _Cue:
    """A cue that ran into the next one, since no empty line divides them: its last line counts that one."""
    if cue.words and _COUNTER.fullmatch(cue.words[-1]):
        cue.words.pop()
    return cue


def _times(line: str) -> tuple[int, int] | None:
    found = _TIMES.fullmatch(line)
    if found is None:
        return None
    groups = found.groups()
    start, end = _ms(*groups[:4]), _ms(*groups[4:])
    return (start, end) if end > start else None


def _ms(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> int:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "0").ljust(3, "0"))


def _decoded(content: bytes, name: str) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidQueryError(f"{name}:{line}: this is no UTF-8", hint="save the file as UTF-8") from error
