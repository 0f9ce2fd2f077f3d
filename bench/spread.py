"""Medians, spreads, percentiles, and which of several is best, if any can be said to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .results import Measure

_MANY = 10  # samples from which the outermost tenths are left out


def spread(samples: Sequence[float]) -> tuple[float, float, float]:
    """Low end, median and high end: least and greatest, or the tenth and ninetieth of a hundred samples."""
    ordered = sorted(samples)
    if len(ordered) >= _MANY:
        return percentile(ordered, 0.1), median(ordered), percentile(ordered, 0.9)
    return ordered[0], median(ordered), ordered[-1]


def percentile(samples: Sequence[float], part: float) -> float:
    """The sample below or at which so large a part of them lies (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, -int(-part * len(ordered) // 1) - 1))]


def overlap(one: Measure, other: Measure) -> bool:
    """Whether the spreads have a value in common; what was measured once has none, and counts as if."""
    if min(len(one.samples), len(other.samples)) < 2:
        return True
    return one.low <= other.high and other.low <= one.high


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which of several stacks is best in one measure.

    Args:
        best: The stack whose spread lies apart from that of every other; None where there is no such.
        tied: Those of which none can be called the best, best median first.
    """

    best: str | None
    tied: tuple[str, ...] = ()


def verdict(measures: Sequence[Measure]) -> Verdict:
    """The best of one measure over stacks."""
    if len(measures) < 2 or not measures[0].better:
        return Verdict(None)
    ordered = sorted(measures, key=lambda each: each.median, reverse=measures[0].better == "higher")
    first, *others = ordered
    tied = [each.stack for each in others if overlap(first, each)]
    return Verdict(None, (first.stack, *tied)) if tied else Verdict(first.stack)
