"""What a query is made of: parts, read from what a person gives for them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from .errors import InvalidQueryError, NotFoundError
from .fields import shown, to_ms
from .lexical import query as lexical_query
from .media import Media, Modality
from .records import Vector

Sources = str | Path | Sequence[str | Path]
"""One address or several: a local path, or a URI that the stack can fetch; `#t=3,8` behind it is a span."""

_MARK = "#t="
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)
"""Seconds, `m:ss` or `h:mm:ss`, as Media Fragments URI 1.0, 4.2.1, writes them."""


class Fusion(StrEnum):
    """How several parts become one ranking."""

    JOINT = "joint"
    SUM = "sum"
    RANK = "rank"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a query video that is embedded by itself, and how long it is in milliseconds."""

    media: Media
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One ingredient of a query: a medium, a vector, a record's id, or words to be looked up.

    Args:
        name: `text`, `image`, `video`, `audio`, `vector`, `like` or `lexical`; then `image_2` and so on.
        weight: Negative for what the hits should not be like.
        pieces: Of a video that is longer than the embedder takes at once (`core.query_media`).
    """

    name: str
    media: Media | None = None
    vector: Vector | None = None
    like: str | None = None
    words: str = ""
    weight: float = 1.0
    pieces: tuple[Piece, ...] = ()


def of_text(text: str) -> Part:
    """A text to be embedded."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidQueryError("the query text is empty")
    _check_utf8(text)
    return Part("text", media=Media(Modality.TEXT, text=text))


def of_words(words: str) -> Part:
    """Words to be looked up."""
    if not isinstance(words, str) or not lexical_query(words):
        raise InvalidQueryError("there is no word to look up", hint="give at least one word")
    _check_utf8(words)
    return Part("lexical", words=words)


def of_media(modality: Modality, sources: Sources) -> list[Part]:
    """Pictures, videos or sounds."""
    return [Part(modality.value, media=_medium(modality, each)) for each in _several(modality.value, sources)]


def of_records(ids: str | Sequence[str]) -> list[Part]:
    """Records of the collection."""
    return [Part("like", like=str(each)) for each in _several("like", ids)]


def named(parts: Sequence[Part]) -> list[Part]:
    """Parts with a number behind the name from the second of a kind on."""
    if len(parts) == 1:
        return [*parts]
    seen: dict[str, int] = {}
    found = []
    for part in parts:
        seen[part.name] = seen.get(part.name, 0) + 1
        count = seen[part.name]
        found.append(part if count == 1 else replace(part, name=f"{part.name}_{count}"))
    return found


def checked_weight(what: str, weight: object) -> float:
    """A weight as a float.

    Raises:
        InvalidQueryError: It is no number, or 0.
    """
    if (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not math.isfinite(weight)
        or weight == 0
    ):
        raise InvalidQueryError(f"the weight of {what!r} is {weight!r}; it must be a number other than 0")
    return float(weight)


def _check_utf8(text: str) -> None:
    """Refuse half a character, as a shell makes of bytes in another encoding: no model's API takes it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidQueryError(
            f"the query {shown(text)} is no UTF-8 text", hint="write it again in UTF-8"
        ) from error


def _medium(modality: Modality, source: str | Path) -> Media:
    if isinstance(source, str) and "://" in source:
        address, span = _spanned(modality, source)
        return Media(modality, uri=address, start_ms=span[0], end_ms=span[1])
    path, whole = Path(source).expanduser(), (0, None)
    if _MARK not in path.name or _is_file(path, modality):
        return _local(modality, path, whole)
    address, span = _spanned(modality, str(path))
    return _local(modality, Path(address), span)


def _local(modality: Modality, path: Path, span: tuple[int, int | None]) -> Media:
    if not _is_file(path, modality):
        raise NotFoundError(f"there is no {modality.value} file {path}")
    return Media(modality, path=path, start_ms=span[0], end_ms=span[1])


def _is_file(path: Path, modality: Modality) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise NotFoundError(
            f"the {modality.value} file {path} can't be read: {error.strerror}",
            hint="check the path and its permissions",
        ) from error


def _spanned(modality: Modality, source: str) -> tuple[str, tuple[int, int | None]]:
    """An address without the span behind it, and the span in milliseconds."""
    address, mark, text = source.rpartition(_MARK)
    if not mark:
        return source, (0, None)
    if modality is Modality.IMAGE:
        raise InvalidQueryError("a picture has no span of time", hint=f"leave {mark}{text} out")
    start, _, end = text.partition(",")
    try:
        first, last = _ms(start or "0"), _ms(end) if end else None
    except ValueError:
        last = first = 0
    if not (start or end) or (last is not None and first >= last):
        raise InvalidQueryError(
            f"{mark}{text} behind a query {modality.value} is no span of time",
            hint=f"write {mark}START,END in seconds or as m:ss, such as {mark}3,8 or {mark}1:05,1:10",
        )
    return address, (first, last)


def _ms(text: str) -> int:
    if not (found := _CLOCK.fullmatch(text)):
        raise ValueError(text)
    hours, minutes, seconds = found.groups()
    if minutes and float(seconds) >= 60:
        raise ValueError(text)
    return to_ms(int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds))


def _several(name: str, sources: Sources) -> Sequence[str | Path]:
    """The addresses or ids of one argument, none of which is empty."""
    given = [sources] if isinstance(sources, str | Path) else sources
    if isinstance(given, Sequence) and all(isinstance(each, str | Path) and str(each) for each in given):
        return given
    what = "an id, or several" if name == "like" else "a path or an address, or several"
    raise InvalidQueryError(f"{name} takes {what}, not {shown(sources)}")
