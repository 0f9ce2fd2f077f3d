"""What is right for a query in one collection: the videos and spans that judgements name, found by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from .errors import InvalidQueryError, NotFoundError
from .judgements import Judged, at
from .measures import Span

if TYPE_CHECKING:
    from .manifest import Manifest
    from .search import VideoSearch

_LEAST = 6  # characters of an id's start
_SLACK = 0.05  # seconds that a span may be longer than its video: containers round


@dataclass(frozen=True, slots=True)
class Answers:
    """What is right for a query in one collection.

    Args:
        grades: By the id of each relevant video.
        spans: Its relevant spans in seconds; empty where the query names no span at all.
        ignore: Ids of videos that don't count.
    """

    grades: Mapping[str, int]
    spans: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    ignore: Sequence[str] = ()


def answers_in(search: VideoSearch, judged: Sequence[Judged]) -> list[Answers]:
    """What is right for each query, as videos of this collection.

    Raises:
        PolyreelError: A video isn't in it or can't be told from others, or a span isn't in its video.
    """
    videos = _Videos(search)
    answers = []
    for each in judged:
        with at(each.where):
            answers.append(videos.answers(each))
    return answers


class _Videos:
    """The videos of a collection by all that may name them."""

    def __init__(self, search: VideoSearch) -> None:
        self._stack = search.stack.name
        self._by_id = {video.video_id: video for video in search.videos()}
        self._named: dict[str, list[Manifest]] = {}
        for video in self._by_id.values():
            self._named.setdefault(_path(video.uri).rpartition("/")[2], []).append(video)

    def answers(self, judged: Judged) -> Answers:
        """What is right for a query."""
        grades: dict[str, int] = {}
        spans: dict[str, list[Span]] = {}
        for each in judged.relevant:
            video = self._find(each.video)
            grades[video.video_id] = max(each.grade, grades.get(video.video_id, 0))
            start, end = each.start or 0.0, video.duration if each.end is None else each.end
            if end > video.duration + _SLACK:
                raise InvalidQueryError(
                    f"the span of {each.video} ends at {end:g} s; the video is {video.duration:.2f} s long"
                )
            spans.setdefault(video.video_id, []).append((start, end))
        has_spans = any(each.start is not None for each in judged.relevant)
        ignore = [self._find(name).video_id for name in judged.ignore]
        if both := grades.keys() & set(ignore):
            raise InvalidQueryError(f"the video {min(both)} is both relevant and ignored")
        return Answers(grades, spans if has_spans else {}, ignore)

    def _find(self, name: str) -> Manifest:
        if name in self._by_id:
            return self._by_id[name]
        path = _path(name)
        same = self._named.get(path.rpartition("/")[2], [])
        found = [video for video in same if f"/{_path(video.uri)}".endswith(f"/{path.lstrip('/')}")]
        found = [video for video in found if video.uri == name] or found
        if not found and len(name) >= _LEAST and name.isalnum():
            found = [video for id, video in self._by_id.items() if id.startswith(name)]
        if not found:
            raise NotFoundError(
                f"there is no video {name!r} in the collection of the stack {self._stack!r}",
                hint="see `polyreel videos`, or ingest it first",
            )
        if len(found) > 1:
            raise InvalidQueryError(
                f"{len(found)} videos of the stack {self._stack!r} are called {name!r}",
                hint="give more of the path, or the id",
            )
        return found[0]


def _path(address: str) -> str:
    """The path of an address, readable; a path as it is."""
    return unquote(urlsplit(address).path) if "://" in address else address
