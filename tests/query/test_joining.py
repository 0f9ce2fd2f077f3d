"""Moments of many clips, and many moments: what is asked for around them is bounded and leaves none out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyreel.core.filters import MAX_NODES, Or
from polyreel.core.moments import Joiner
from polyreel.core.records import Hit, Moment, Record
from polyreel.core.shape import Moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyreel.core.asking import Asking
    from polyreel.core.filters import Filter

MOST = 16_384


class Asked:
    """Clips, best first, as a store gives them; remembers the conditions that it was asked for."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = tuple(hits)
        self.wheres: list[Filter] = []

    def best(self, depth: int) -> Asking[tuple[Hit, ...]]:
        yield from ()
        return self.hits[:depth]

    def around(self, limit: int, where: Filter) -> Asking[tuple[Hit, ...]]:
        yield from ()
        self.wheres.append(where)
        return self.hits[:limit]


def joined(asked: Asked, rules: Moments, wanted: int) -> tuple[Moment, ...]:
    asking = Joiner(rules, asked.best, asked.around, MOST).found(wanted, frozenset())
    try:
        next(asking)
    except StopIteration as end:
        found: tuple[Moment, ...] = end.value
        return found
    raise AssertionError("these clips are there at once")


def clip(video: int, at: int, score: float) -> Hit:
    record = Record(
        f"{video}-{at}", f"v{video}", "file:///v.mp4", start_ms=at * 1000, end_ms=at * 1000 + 1000
    )
    return Hit(record, score)


def test_a_moment_takes_in_all_its_clips_however_many_they_are() -> None:
    asked = Asked([clip(0, at, 1.0 - at / 10_000) for at in range(500)])
    (moment,) = joined(asked, Moments(longest=1000), wanted=1)
    assert len(moment.members) == 500
    assert moment.span_ms == (0, 500_000)


def test_no_more_is_asked_for_once_the_clips_are_too_bad_to_join() -> None:
    good = [clip(0, at, 1.0 - at / 10_000) for at in range(40)]
    asked = Asked([*good, *(clip(1, at, 0.1) for at in range(500))])
    (moment,) = joined(asked, Moments(longest=1000), wanted=1)
    assert len(moment.members) == 40
    assert len(asked.wheres) == 1


def test_the_condition_of_many_moments_is_one_that_a_store_takes() -> None:
    asked = Asked([clip(video, 0, 1.0 - video / 10_000) for video in range(3000)])
    assert len(joined(asked, Moments(), wanted=3000)) == 3000
    sizes = [len(where.parts) for where in asked.wheres if isinstance(where, Or)]
    assert sum(sizes) == 3000
    assert max(sizes) * 8 < MAX_NODES
