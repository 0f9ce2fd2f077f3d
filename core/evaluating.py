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

from .filter_json import from_json
from .filters import F, Filter
from .ground_truth import Answers, answers_in
from .judgements import Judged, at
from .levels import Measured, measured, medium_alone
from .measures import (
    DEPTH,
    RANKING,
    RESAMPLES,
    SEED,
    SPANS,
    Interval,
    interval,
    ranking_measures,
    span_measures,
    temporal_iou,
)
from .media import Modality
from .records import ScoreKind

if TYPE_CHECKING:
    from .query import Query
    from .search import VideoSearch

Progress = Callable[[str, int, int], None]
"""Hears the stack, how many of its queries were asked, and of how many."""


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


def _summed(usages: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for usage in usages:
        for name, amount in usage.items():
            total[name] = total.get(name, 0) + amount
    return total
