"""Judgements: queries and what is right for them, from a JSONL file whose format is in docs/evaluate.md.

{"text": "a red ball", "relevant": ["ball_a.mp4", {"video": "ball_b.mp4", "start": 1, "end": 4, "grade": 2}]}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from .errors import InvalidQueryError, NotFoundError, PolyreelError
from .fields import shown
from .filter_text import from_text
from .query import Query
from .registry import nearest
from .rows import folder_of, lines_of
from .sidecars import parse_json_object

_SET_BY_US = frozenset({"group_by", "limit"})
"""Arguments of a search that the evaluation itself gives."""
_QUERY = frozenset(field.name for field in fields(Query)) - _SET_BY_US
_OURS = frozenset({"id", "relevant", "ignore"})
_RELEVANT = frozenset({"video", "start", "end", "grade"})
_FILES = ("image", "video", "audio")


@dataclass(frozen=True, slots=True)
class Relevant:
    """A video, or a span of one, that a query should find.

    Args:
        video: The video's id or the start of it, its address, its file name, or the end of its path.
        start: Seconds; None where the whole video is meant.
        end: Seconds; None with `start`.
        grade: How relevant it is, at least 1; that of a video is the highest of its spans.
    """

    video: str
    start: float | None = None
    end: float | None = None
    grade: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A query, and what is right for it.

    Args:
        query: Without limit and grouping, which the evaluation sets.
        relevant: At least one.
        id: By which stacks are compared; no two are the same.
        ignore: Videos that count neither as right nor as wrong, such as the one the query was cut from.
        where: File and line, for messages.
    """

    query: Query
    relevant: Sequence[Relevant]
    id: str
    ignore: Sequence[str] = ()
    where: str = ""


def read_judgements(file: str | Path) -> list[Judged]:
    """The lines of a file, all checked; `-` is the standard input. Relative paths begin at the file's folder.

    Raises:
        PolyreelError: What is wrong with the first wrong line, which is named.
    """
    read: list[Judged] = []
    name, folder = str(file), folder_of(str(file))
    try:
        for where, line in lines_of(name):
            with at(where):
                read.append(_judged(parse_json_object(line, "the line"), where, folder, str(len(read) + 1)))
    except OSError as error:
        raise NotFoundError(f"{name} can't be read: {error.strerror or error}") from error
    if not read:
        raise InvalidQueryError(f"{file} has no query in it", hint="write one as a JSON object in each line")
    seen: dict[str, str] = {}
    for each in read:
        if (earlier := seen.setdefault(each.id, each.where)) != each.where:
            raise InvalidQueryError(f"{each.where}: the id {each.id!r} is that of {earlier} as well")
    return read


@contextmanager
def at(where: str) -> Iterator[None]:
    """Put the place in front of an error's message."""
    try:
        yield
    except PolyreelError as error:
        error.message = f"{where}: {error.message}" if where else error.message
        raise


def _judged(line: Mapping[str, object], where: str, folder: Path, number: str) -> Judged:
    for name in line.keys() - _QUERY - _OURS:
        if name in _SET_BY_US:
            raise InvalidQueryError(f"{name!r} is set by the evaluation itself", hint="leave it out")
        raise InvalidQueryError(f"there is no key {name!r}", hint=nearest(name, _QUERY | _OURS))
    asked = {name: value for name, value in line.items() if name in _QUERY}
    asked = {name: _placed(value, folder) if name in _FILES else value for name, value in asked.items()}
    if isinstance(asked.get("where"), str):
        asked["where"] = from_text(str(asked["where"]))
    if isinstance(without := asked.get("without"), Mapping):
        asked["without"] = {n: _placed(v, folder) if n in _FILES else v for n, v in without.items()}
    query = Query(**asked)  # type: ignore[arg-type]  # the query checks its own values
    query.parts()
    query.condition()
    query.chosen_fusion()
    id = line.get("id", number)
    if not isinstance(id, str | int) or isinstance(id, bool):
        raise InvalidQueryError(f"id is {shown(id)}; it must be text or a whole number")
    relevant = _listed(line, "relevant", "videos that the query should find")
    if not relevant:
        raise InvalidQueryError("no relevant video is named", hint='add "relevant": ["a file name"]')
    ignore = [_video(each, "ignore") for each in _listed(line, "ignore", "videos that don't count")]
    return Judged(query, tuple(map(_relevant, relevant)), str(id), tuple(ignore), where)


def _relevant(value: object) -> Relevant:
    if isinstance(value, str):
        return Relevant(_video(value, "relevant"))
    if not isinstance(value, Mapping):
        raise InvalidQueryError(f"relevant holds {shown(value)}; it must be a video, or an object")
    for name in value.keys() - _RELEVANT:
        raise InvalidQueryError(f"there is no key {name!r} in relevant", hint=nearest(name, _RELEVANT))
    video, grade = _video(value.get("video"), "relevant"), value.get("grade", 1)
    if not isinstance(grade, int) or isinstance(grade, bool) or grade < 1:
        raise InvalidQueryError(
            f"the grade of {video} is {shown(grade)}; it must be a whole number from 1 on"
        )
    if ("start" in value) != ("end" in value):
        raise InvalidQueryError(f"the span of {video} needs both start and end")
    if "start" not in value:
        return Relevant(video, grade=grade)
    start, end = _seconds(value["start"]), _seconds(value["end"])
    if start is None or end is None or not start < end:
        span = f"{shown(value['start'])} to {shown(value['end'])}"
        raise InvalidQueryError(f"the span of {video} is {span}; it must be seconds, 0 <= start < end")
    return Relevant(video, start, end, grade)


def _video(value: object, key: str) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidQueryError(
        f"{key} names the video {shown(value)}; it must be an id, an address or a file name"
    )


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _listed(line: Mapping[str, object], key: str, what: str) -> list[object]:
    value = line.get(key, [])
    if not isinstance(value, list):
        raise InvalidQueryError(f"{key} is {shown(value)}; it must be a list of {what}")
    return value


def _placed(value: object, folder: Path) -> object:
    """Paths that begin at the folder; addresses, and what is no path, as they are."""
    if isinstance(value, list):
        return [_placed(each, folder) for each in value]
    if not isinstance(value, str) or not value or "://" in value:
        return value
    return str(folder / Path(value).expanduser())
