"""Putting hits together: the rows of one segment, several rankings, the likeness of hits to parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from .media import Media
from .records import Hit, Record, ScoreKind, Vector
from .shape import Shape

RRF_K = 60
"""Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009."""
_SAME = 1e-5  # scores that differ by less, as those of two engines may, are the same

Segment = tuple[str, str, int, int]
Shown = str | Segment
"""A place in a list: a video of a grouped one, else a segment, whichever of its rows stands for it."""


def segment(record: Record) -> Segment:
    """What the rows of several channels have in common."""
    return record.video_id, record.scope.value, record.start_ms, record.end_ms


def places(hit: Hit, shape: Shape) -> list[Shown]:
    """What no later page may show again."""
    if shape.by_video:
        return [hit.video_id]
    return [segment(each.record) for each in hit.members or (hit,)]


def order(hit: Hit) -> tuple[float, str, int, str]:
    """Best first; what is equally good in the order of videos and time."""
    record = hit.record
    return -round(hit.score, 6), record.video_id, record.start_ms, record.id


def folded(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """The first, which is the best, hit of each segment."""
    best: dict[Segment, Hit] = {}
    for hit in hits:
        best.setdefault(segment(hit.record), hit)
    return tuple(best.values())


def fused(lists: Sequence[tuple[float, Sequence[Hit]]], *, by_video: bool = False) -> tuple[Hit, ...]:
    """One ranking of several, each with its weight, by the ranks of the segments, or videos, in them.

    Args:
        lists: Weights and rankings; of videos, each with the best hit of every one.
        by_video: Whether they are of videos, whose best hits may be other segments in each list; shown is the
            one that counts most.
    """
    entries: dict[object, tuple[float, float, Record]] = {}  # score, greatest share of it, whose that is
    for weight, found in lists:
        for rank, hit in _ranked(found):
            record, share = hit.record, weight / (RRF_K + rank)
            key = record.video_id if by_video else segment(record)
            score, most, shown = entries.get(key, (0.0, -math.inf, record))
            entries[key] = score + share, max(most, share), record if share > most else shown
    made = [Hit(record, score, ScoreKind.RRF) for score, _, record in entries.values()]
    return tuple(sorted(made, key=order))


def _ranked(found: Sequence[Hit]) -> Iterator[tuple[int, Hit]]:
    """The hits with their ranks from 1 on.

    Equally good ones share a rank: the clips of a video whose caption holds the words, or all the videos of
    which a vector says nothing. Else their order, which means nothing, would count.
    """
    rank, score = 0, math.inf
    for place, hit in enumerate(sorted(found, key=attrgetter("score"), reverse=True), start=1):
        if not math.isclose(hit.score, score, rel_tol=_SAME, abs_tol=_SAME):
            rank, score = place, hit.score
        yield rank, hit


def likeness(
    contents: Sequence[Vector | Media | None], vectors: Mapping[str, Vector]
) -> list[dict[str, float]]:
    """The cosines of stored vectors with each part's vector, by the part's name."""
    import numpy as np  # here: a query of one part needs none

    known = [content for content in contents if content is not None and not isinstance(content, Media)]
    if not known or len(known) < len(contents) or not vectors:
        return [{} for _ in contents]
    rows = np.asarray(known, np.float64)
    parts = np.asarray(list(vectors.values()), np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    return [dict(zip(vectors, map(float, row), strict=True)) for row in rows @ parts.T]
