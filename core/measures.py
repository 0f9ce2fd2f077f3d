"""Measures of rankings, and intervals that say how much of them is chance.

The libraries for this (ranx, ir-measures) bring a compiler or C extensions along, and know no spans of time;
the measures are a few lines each, as trec_eval defines them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEPTH = 10
"""How many places of a ranking count."""
RECALL_AT = (1, 5, 10)
IOU_AT = (0.5, 0.7)

RANKING = (*(f"recall@{k}" for k in RECALL_AT), f"mrr@{DEPTH}", f"ndcg@{DEPTH}")
"""The measures of a ranking of videos."""
SPANS = tuple(f"r@1 iou={iou:g}" for iou in IOU_AT)
"""The measures of a found span, which queries have whose relevant spans are known."""

SEED = 0
RESAMPLES = 2000
_LEVEL = 0.95
_AT_ONCE = 1 << 22  # numbers drawn in one go

Span = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries, and where it may lie by chance.

    Args:
        mean: Over the queries that have the measure.
        low: Lower end of the interval of 95 %.
        high: Upper end of it.
        queries: How many there are.
    """

    mean: float
    low: float
    high: float
    queries: int

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is more than chance explains."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> dict[str, float]:
        """Rounded: more digits would say nothing."""
        ends = {"mean": self.mean, "low": self.low, "high": self.high}
        return {**{name: round(value, 6) for name, value in ends.items()}, "queries": self.queries}


def ranking_measures(ranking: Sequence[str], grades: Mapping[str, float]) -> dict[str, float]:
    """All measures of `RANKING`, each from 0 to 1.

    Args:
        ranking: What was found, best first, nothing twice; places beyond `DEPTH` don't count.
        grades: How relevant each relevant one is, above 0; there is at least one.
    """
    found = [grades.get(each, 0.0) for each in ranking[:DEPTH]]
    recall = [sum(grade > 0 for grade in found[:k]) / len(grades) for k in RECALL_AT]
    first = next((rank for rank, grade in enumerate(found, start=1) if grade > 0), None)
    best = sorted(grades.values(), reverse=True)[:DEPTH]
    values = (*recall, 1 / first if first else 0.0, _gain(found) / _gain(best))
    return dict(zip(RANKING, values, strict=True))


def span_measures(iou: float) -> dict[str, float]:
    """All measures of `SPANS`: whether the span found first overlaps a relevant one that much."""
    return {name: float(iou >= least) for name, least in zip(SPANS, IOU_AT, strict=True)}


def temporal_iou(one: Span, other: Span) -> float:
    """The time that two spans share as a part of the time that either takes, from 0 to 1."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    if shared <= 0:
        return 0.0
    return shared / (max(one[1], other[1]) - min(one[0], other[0]))


def interval(values: Sequence[float], *, seed: int = SEED, resamples: int = RESAMPLES) -> Interval:
    """The mean of values, and its interval by the bootstrap's percentiles (Efron and Tibshirani 1993, 13.3).

    With few queries that all went alike it has no width, which doesn't mean that nothing is left to chance.

    Args:
        values: One for each query; for the difference of two stacks, the difference in each query.
        seed: The same seed draws the same queries.
        resamples: How often as many queries are drawn, with repetition.
    """
    import numpy as np  # here, since only an evaluation needs it

    means = np.sort(_resampled(np.asarray(values, np.float64), np.random.default_rng(seed), resamples))
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(math.fsum(values) / len(values), float(low), float(high), len(values))


def _resampled(
    values: NDArray[np.float64], generator: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """The mean of each resample, drawn in pieces so that many queries don't fill the memory."""
    import numpy as np

    count = len(values)
    rows = max(_AT_ONCE // count, 1)
    sizes = [min(rows, resamples - begun) for begun in range(0, resamples, rows)]
    drawn = [values[generator.integers(0, count, (size, count))].mean(axis=1) for size in sizes]
    return np.concatenate(drawn)


def _gain(grades: Sequence[float]) -> float:
    """Discounted cumulative gain, with the grade itself as the gain (Järvelin and Kekäläinen 2002)."""
    return math.fsum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))
