"""Putting hits together: the rows of one segment, several rankings, the likeness of hits to parts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from heapq import nlargest
from operator import attrgetter, gt, itemgetter

from .media import Media
from .records import Hit, Record, ScoreKind, Vector
from .shape import Shape

RRF_K = 60
"""Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009."""
_SAME = 1e-5  # scores that differ by less, as those of two engines may, are the same
_DIGITS = 6  # to which scores are compared where they decide the order of hits
_ROUNDED = 10**-_DIGITS  # by which scores may differ that are the same then

Segment = tuple[str, str, int, int]
Shown = str | Segment
"""A place in a list: a video of a grouped one, else a segment, whichever of its rows stands for it."""

_Entry = tuple[float, float, Record]
"""Of a fused ranking: its score, the greatest share of it, and the record of which that is."""


def segment(record: Record) -> Segment:
    """What the rows of several channels have in common; a scope is a string, its `.value` takes longer."""
    return record.video_id, record.scope, record.start_ms, record.end_ms


_SEGMENT = attrgetter("record.video_id", "record.scope", "record.start_ms", "record.end_ms")  # of a hit


def places(hit: Hit, shape: Shape) -> list[Shown]:
    """What no later page may show again."""
    if shape.by_video:
        return [hit.video_id]
    return [segment(each.record) for each in hit.members or (hit,)]


def order(hit: Hit) -> tuple[float, str, int, str]:
    """Best first; what is equally good in the order of videos and time."""
    record = hit.record
    return -round(hit.score, _DIGITS), record.video_id, record.start_ms, record.id


def in_order(hits: Sequence[Hit]) -> Sequence[Hit]:
    """Sorted by `order`, as they mostly are: then it takes a fifth of the time."""
    scores = [hit.score for hit in hits]
    if all(map(gt, scores, [score + 2 * _ROUNDED for score in scores[1:]])):
        return hits
    return sorted(hits, key=order)


def repeats(hits: Sequence[Hit]) -> bool:
    """Whether a segment is among the hits more than once."""
    return len(set(map(_SEGMENT, hits))) < len(hits)


def folded(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The first, which is the best, hit of each segment."""
    best: dict[Segment, Hit] = {}
    for place, hit in zip(map(_SEGMENT, hits), hits, strict=True):
        best.setdefault(place, hit)
    return tuple(best.values())


def fused(
    lists: Sequence[tuple[float, Sequence[Hit]]], limit: int | None = None, *, by_video: bool = False
) -> tuple[Hit, ...]:
    """One ranking of several, each with its weight, by the ranks of the segments, or videos, in them.

    Args:
        lists: Weights and rankings; of videos, each with the best hit of every one.
        limit: Hits at most; every one of the rankings when left out.
        by_video: Whether they are of videos, whose best hits may be other segments in each list; shown is the
            one that counts most.
    """
    entries: dict[object, _Entry] = {}
    for weight, found in lists:
        hits = sorted(found, key=attrgetter("score"), reverse=True)
        for rank, hit in zip(_ranks(hits), hits, strict=True):
            record, share = hit.record, weight / (RRF_K + rank)
            key = record.video_id if by_video else segment(record)
            if (entry := entries.get(key)) is None:
                entries[key] = share, share, record
            else:
                score, most, shown = entry
                entries[key] = score + share, max(most, share), record if share > most else shown
    best = _best(entries.values(), limit)
    return tuple([Hit(record, score, ScoreKind.RRF) for score, _, record in best])


def _best(entries: Collection[_Entry], limit: int | None) -> list[_Entry]:
    """The first of them in the order of hits; of many, only those that may be among them are sorted."""
    if limit is not None and limit < len(entries):
        floor = nlargest(limit, map(itemgetter(0), entries))[-1] - _ROUNDED
        entries = [entry for entry in entries if entry[0] >= floor]
    return sorted(entries, key=_place)[:limit]


def _place(entry: _Entry) -> tuple[float, str, int, str]:
    """As `order` of the hit that is made of it."""
    score, _, record = entry
    return -round(score, _DIGITS), record.video_id, record.start_ms, record.id


def _ranks(hits: Sequence[Hit]) -> list[int]:
    """The ranks, from 1 on, of hits that are sorted by score.

    Equally good ones share a rank: the clips of a video whose caption holds the words, or all the videos of
    which a vector says nothing. Else their order, which means nothing, would count.
    """
    ranks: list[int] = []
    rank, floor = 0, math.inf
    for place, hit in enumerate(hits, start=1):
        score = hit.score
        if score < floor:
            rank, floor = place, score - _SAME * max(abs(score), 1.0)
        ranks.append(rank)
    return ranks


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
