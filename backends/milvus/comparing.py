"""Exact answers to searches, by comparing all vectors here: for when an index gives too few hits."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from ...core.checks import SCORE_KIND
from ...core.records import Hit, Record, Vector
from ...core.requests import Answer
from ...core.space import Metric

if TYPE_CHECKING:
    import numpy as np

_ROWS = 1_024  # records compared at once


def nearest(records: Iterable[Record], queries: Sequence[Vector], metric: Metric, limit: int) -> list[Answer]:
    """The nearest of some records to each query, in memory for no more than the hits and a thousand of them.

    Args:
        records: With their vectors.
        queries: What they are compared with.
        metric: Of the collection.
        limit: Hits of each at most.
    """
    best: list[list[tuple[float, str, Record]]] = [[] for _ in queries]
    for some in _pieces(iter(records)):
        for at, scores in enumerate(_scores([record.content for record in some], queries, metric)):
            found = ((-score, record.id, record) for score, record in zip(scores, some, strict=True))
            best[at] = heapq.nsmallest(limit, [*best[at], *found], key=lambda entry: entry[:2])
    kind = SCORE_KIND[metric]
    return [
        Answer(tuple(Hit(replace(record, content=None), -score, kind) for score, _, record in entries))
        for entries in best
    ]


def _pieces(records: Iterator[Record]) -> Iterator[list[Record]]:
    while some := list(islice(records, _ROWS)):
        yield some


def _scores(vectors: Sequence[object], queries: Sequence[Vector], metric: Metric) -> list[list[float]]:
    """Of each query with each of the vectors."""
    import numpy as np  # here: seldom needed, and pymilvus loads it only when it must

    rows, sought = np.asarray(vectors, np.float64), np.asarray(queries, np.float64)
    scores: np.ndarray
    if metric is Metric.L2:
        scores = np.stack([0.0 - np.linalg.norm(rows - one, axis=1) for one in sought])
    else:
        scores = sought @ rows.T
    if metric is Metric.COSINE:
        lengths = np.outer(np.linalg.norm(sought, axis=1), np.linalg.norm(rows, axis=1))
        scores = np.clip(scores / lengths, -1.0, 1.0)
    found: list[list[float]] = scores.tolist()
    return found
