"""The exact answer to a search, by comparing all vectors here: for when an index gives too few hits."""

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


def nearest(records: Iterable[Record], query: Vector, metric: Metric, limit: int) -> Answer:
    """The nearest of some records, in memory for no more than the hits and a thousand of them.

    Args:
        records: With their vectors.
        query: What they are compared with.
        metric: Of the collection.
        limit: Hits at most.
    """
    best: list[tuple[float, str, Record]] = []
    for some in _pieces(iter(records)):
        scores = _scores([record.content for record in some], query, metric)
        found = ((-score, record.id, record) for score, record in zip(scores, some, strict=True))
        best = heapq.nsmallest(limit, [*best, *found], key=lambda entry: entry[:2])
    kind = SCORE_KIND[metric]
    return Answer(tuple(Hit(replace(record, content=None), -score, kind) for score, _, record in best))


def _pieces(records: Iterator[Record]) -> Iterator[list[Record]]:
    while some := list(islice(records, _ROWS)):
        yield some


def _scores(vectors: Sequence[object], query: Vector, metric: Metric) -> list[float]:
    import numpy as np  # here: seldom needed, and pymilvus loads it only when it must

    rows: np.ndarray = np.asarray(vectors, np.float64)
    sought = np.asarray(query, np.float64)
    if metric is Metric.L2:
        return [0.0 - float(distance) for distance in np.linalg.norm(rows - sought, axis=1)]
    scores = rows @ sought
    if metric is Metric.COSINE:
        scores = np.clip(scores / (np.linalg.norm(rows, axis=1) * np.linalg.norm(sought)), -1.0, 1.0)
    return [float(score) for score in scores]
