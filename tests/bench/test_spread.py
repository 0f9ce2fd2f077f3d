"""Which stack is called the best, and when none is."""

from __future__ import annotations

import pytest

from polyreel.bench.results import Measure, Sample
from polyreel.bench.spread import Verdict, percentile, spread, verdict


def measure(stack: str, *samples: float, better: str = "lower") -> Measure:
    sample = Sample.model_validate({"name": "p50", "value": 0, "unit": "ms", "better": better})
    return Measure.of(stack, "search", sample, list(samples))


def test_the_best_is_named_where_its_spread_lies_apart_from_every_other() -> None:
    assert verdict([measure("slow", 5, 6), measure("fast", 1, 2), measure("slower", 9, 9.5)]) == Verdict(
        "fast"
    )
    more = [measure("one", 5, 6, better="higher"), measure("other", 1, 2, better="higher")]
    assert verdict(more).best == "one"


def test_nobody_is_called_the_best_where_spreads_overlap() -> None:
    found = verdict([measure("one", 1, 3), measure("other", 2, 4), measure("third", 8, 9)])
    assert found == Verdict(None, ("one", "other"))


def test_nobody_is_called_the_best_where_something_was_measured_once() -> None:
    assert verdict([measure("one", 1), measure("other", 100)]).best is None
    assert verdict([measure("one", 1, 1.1), measure("other", 100)]).best is None


def test_a_single_stack_is_not_the_best_and_a_neutral_number_has_none() -> None:
    assert verdict([measure("one", 1, 2)]).best is None
    assert verdict([measure("one", 1, 2, better=""), measure("other", 5, 6, better="")]).best is None


@pytest.mark.parametrize(
    ("samples", "expected"),
    [([3.0], (3, 3, 3)), ([3.0, 1.0, 2.0], (1, 2, 3)), ([float(n) for n in range(1, 21)], (2, 10.5, 18))],
)
def test_a_spread_is_least_and_greatest_or_without_the_outer_tenths(
    samples: list[float], expected: tuple[float, float, float]
) -> None:
    assert spread(samples) == expected


def test_percentiles_are_of_the_nearest_rank() -> None:
    hundred = [float(n) for n in range(100, 0, -1)]
    assert [percentile(hundred, part) for part in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.99) == 7
