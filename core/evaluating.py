"""How well a stack finds what it should: queries with known answers, asked of several stacks side by side.

judged = read_judgements("queries.jsonl")
with polyreel.open("local") as one, polyreel.open("local_clip") as other:
    found = evaluate({"local": one, "local_clip": other}, judged)
found.measures("local")["recall@1"]                       # a mean and its interval
found.difference("local_clip", "local")["recall@1"]       # paired, query by query
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from .errors import InvalidQueryError, NotFoundError
from .filter_json import from_json
from .filters import F, Filter
from .judgements import Judged, at
from .levels import Measured, measured, medium_alone
from .measures import (
    DEPTH,
    RANKING,
    RESAMPLES,
    SEED,
    SPANS,
    Interval,
    Span,
    interval,
    ranking_measures,
    span_measures,
    temporal_iou,
)
from .media import Modality
from .records import ScoreKind

if TYPE_CHECKING:
    from .manifest import Manifest
    from .query import Query
    from .search import VideoSearch

Progress = Callable[[str, int, int], None]
"""Hears the stack, how many of its queries were asked, and of how many."""
_LEAST = 6  # characters of an id's start
_SLACK = 0.05  # seconds that a span may be longer than its video: containers round


@dataclass(frozen=True, slots=True)
class Scored:
    """What one query found on one stack.

    Args:
        id: The query's.
        found: Ids of the videos found, best first, at most `DEPTH`, without those that don't count.
        ranks: Of each relevant video by its id, from 1 on; None where it isn't among them.
        iou: How much the span found first overlaps a relevant one; None where the query names no spans.
        measures: By name: those of `RANKING`, and of `SPANS` where there are spans.
        seconds: That the search for videos took.
        usage: What providers counted for it.
        medium: That it asked by alone; None of any other query.
        cosines: Of the videos in `found`, by their ids; empty where scores are of another kind.
    """

    id: str
    found: tuple[str, ...]
    ranks: Mapping[str, int | None]
    iou: float | None
    measures: Mapping[str, float]
    seconds: float = 0.0
    usage: Mapping[str, float] = field(default_factory=dict)
    medium: Modality | None = None
    cosines: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel evaluate --json`."""
        return {
            "id": self.id,
            "ranks": dict(self.ranks),
            "found": list(self.found),
            "cosines": {id: round(cosine, 6) for id, cosine in self.cosines.items()},
            **({} if self.iou is None else {"iou": round(self.iou, 6)}),
            "measures": {name: round(value, 6) for name, value in self.measures.items()},
            "seconds": round(self.seconds, 6),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What every query found, by the name of the stack; the first one is what others are compared with.

    Args:
        scored: In the order of the queries.
        seed: Of the intervals.
        resamples: Of each interval.
    """

    scored: Mapping[str, Sequence[Scored]]
    seed: int = SEED
    resamples: int = RESAMPLES

    def measures(self, stack: str) -> dict[str, Interval]:
        """The mean of each measure over the queries that have it, with its interval."""
        values = {name: [each.measures[name] for each in self._with(stack, name)] for name in RANKING + SPANS}
        return {name: self._interval(each) for name, each in values.items() if each}

    def difference(self, stack: str, other: str) -> dict[str, Interval]:
        """By how much each measure of a stack is above that of another, over the queries that both have.

        An interval that holds 0 tells neither from the other.
        """
        values: dict[str, list[float]] = {}
        for name in RANKING + SPANS:
            theirs = {each.id: each.measures[name] for each in self._with(other, name)}
            own = self._with(stack, name)
            values[name] = [each.measures[name] - theirs[each.id] for each in own if each.id in theirs]
        return {name: self._interval(each) for name, each in values.items() if each}

    def levels(self, stack: str) -> dict[Modality, Measured]:
        """What the cosines of a stack say, by the medium of those queries that ask by one alone."""
        return measured(self.scored[stack])

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel evaluate --json`."""
        first, *others = self.scored
        return {
            "seed": self.seed,
            "resamples": self.resamples,
            "stacks": {name: self._stack_json(name) for name in self.scored},
            "differences": [self._difference_json(name, first) for name in others],
        }

    def _stack_json(self, stack: str) -> dict[str, object]:
        scored = self.scored[stack]
        return {
            "measures": {name: each.to_json() for name, each in self.measures(stack).items()},
            "median_seconds": round(median(each.seconds for each in scored), 6),
            "usage": _summed(each.usage for each in scored),
            "levels": {medium.value: each.to_json() for medium, each in self.levels(stack).items()},
            "queries": [each.to_json() for each in scored],
        }

    def _difference_json(self, stack: str, other: str) -> dict[str, object]:
        found = self.difference(stack, other)
        measures = {
            name: {**each.to_json(), "excludes_zero": each.excludes_zero} for name, each in found.items()
        }
        return {"stack": stack, "minus": other, "measures": measures}

    def _with(self, stack: str, measure: str) -> list[Scored]:
        return [each for each in self.scored[stack] if measure in each.measures]

    def _interval(self, values: Sequence[float]) -> Interval:
        return interval(values, seed=self.seed, resamples=self.resamples)


def evaluate(
    searches: Mapping[str, VideoSearch],
    judged: Sequence[Judged],
    *,
    seed: int = SEED,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask every query of every stack. All lines are checked against all collections before any is asked.

    Args:
        searches: Open stacks by the names that the result gives them; the first is what others are compared
            with.
        judged: Queries and what is right for them (`read_judgements`).
        seed: The same seed gives the same intervals.
        resamples: Of each interval.
        progress: Hears of each query that was asked.

    Raises:
        PolyreelError: A line doesn't fit a collection, or a query failed; the line is named.
    """
    answers = {name: answers_in(search, judged) for name, search in searches.items()}
    scored: dict[str, list[Scored]] = {name: [] for name in searches}
    for name, search in searches.items():
        for each, right in zip(judged, answers[name], strict=True):
            scored[name].append(ask(search, each, right))
            if progress:
                progress(name, len(scored[name]), len(judged))
    return Evaluation(scored, seed, resamples)


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


def ask(search: VideoSearch, judged: Judged, right: Answers) -> Scored:
    """Ask one query: for the best videos, and where spans are known for the best moment as well.

    Raises:
        PolyreelError: The search failed; the query's line is named.
    """
    query = _without(judged.query, right.ignore)
    with at(judged.where):
        (result,) = search.search_many([replace(query, group_by="video", limit=DEPTH)])
        iou = _iou(search, query, right) if right.spans else None
    found = tuple(hit.video_id for hit in result.hits)
    cosines = {hit.video_id: hit.score for hit in result.hits if hit.score_kind is ScoreKind.COSINE}
    places = {video: rank for rank, video in enumerate(found, start=1)}
    measures = ranking_measures(found, right.grades)
    measures |= {} if iou is None else span_measures(iou)
    ranks = {video: places.get(video) for video in right.grades}
    return Scored(
        judged.id,
        found,
        ranks,
        iou,
        measures,
        result.timing["total"],
        dict(result.usage),
        medium_alone(query.parts()),
        cosines,
    )


def _iou(search: VideoSearch, query: Query, right: Answers) -> float:
    """How much the span found first, in whatever video, overlaps a relevant one."""
    (result,) = search.search_many([replace(query, limit=1)])
    return max(
        (
            temporal_iou((hit.start, hit.end), span)
            for hit in result.hits
            for span in right.spans.get(hit.video_id, ())
        ),
        default=0.0,
    )


def _without(query: Query, ignored: Sequence[str]) -> Query:
    if not ignored:
        return query
    where = query.where if isinstance(query.where, Filter) else from_json(query.where)
    return replace(query, where=where & F.video_id.not_in(list(ignored)))


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


def _summed(usages: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for usage in usages:
        for name, amount in usage.items():
            total[name] = total.get(name, 0) + amount
    return total
