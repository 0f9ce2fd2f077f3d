"""Measures against values computed by hand and against plain numpy; intervals against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyreel.core.measures import interval, ranking_measures, span_measures, temporal_iou


def test_measures_of_a_ranking_are_those_computed_by_hand() -> None:
    measures = ranking_measures(["x", "a", "y", "b"], {"a": 1, "b": 3, "c": 2})
    assert measures["recall@1"] == 0
    assert measures["recall@5"] == pytest.approx(2 / 3)
    assert measures["recall@10"] == pytest.approx(2 / 3)
    assert measures["mrr@10"] == pytest.approx(1 / 2)
    found, best = 0.63093 + 3 * 0.43068, 3 + 2 * 0.63093 + 0.5  # discounts of places 2 and 4; 1, 2 and 3
    assert measures["ndcg@10"] == pytest.approx(found / best, abs=1e-5)


def test_a_perfect_ranking_has_one_and_an_empty_one_has_nothing() -> None:
    perfect = ranking_measures(["b", "a"], {"a": 1, "b": 2})
    assert perfect == {"recall@1": 0.5, "recall@5": 1, "recall@10": 1, "mrr@10": 1, "ndcg@10": 1}
    assert set(ranking_measures([], {"a": 1}).values()) == {0}


def test_places_beyond_the_tenth_do_not_count() -> None:
    assert set(ranking_measures([*"0123456789", "a"], {"a": 1}).values()) == {0}
    assert ranking_measures([*"012345678", "a"], {"a": 1})["mrr@10"] == pytest.approx(1 / 10)


@given(
    st.permutations(list("abcdefghijklmno")),
    st.dictionaries(st.sampled_from("abcdefghijklmnopq"), st.integers(1, 4), min_size=1),
)
def test_measures_agree_with_a_plain_account(ranking: list[str], grades: dict[str, int]) -> None:
    measures = ranking_measures(ranking, grades)
    gains = np.array([grades.get(each, 0) for each in ranking[:10]], float)
    discounts = 1 / np.log2(np.arange(2, 12))
    ideal = np.zeros(10)
    best = np.sort(list(grades.values()))[::-1][:10]
    ideal[: len(best)] = best
    hits = np.flatnonzero(gains)
    for k in (1, 5, 10):
        assert measures[f"recall@{k}"] == pytest.approx(np.count_nonzero(gains[:k]) / len(grades))
    assert measures["mrr@10"] == pytest.approx(1 / (hits[0] + 1) if len(hits) else 0)
    assert measures["ndcg@10"] == pytest.approx(float((gains * discounts).sum() / (ideal * discounts).sum()))


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        ((0, 10), (0, 10), 1.0),
        ((0, 10), (5, 15), 5 / 15),
        ((5, 15), (0, 10), 5 / 15),
        ((0, 10), (2, 4), 0.2),
        ((0, 5), (5, 10), 0.0),
        ((0, 5), (8, 10), 0.0),
    ],
)
def test_the_overlap_of_spans(one: tuple[float, float], other: tuple[float, float], iou: float) -> None:
    assert temporal_iou(one, other) == pytest.approx(iou)


def test_a_span_counts_from_its_threshold_on() -> None:
    assert span_measures(0.49) == {"r@1 iou=0.5": 0, "r@1 iou=0.7": 0}
    assert span_measures(0.5) == {"r@1 iou=0.5": 1, "r@1 iou=0.7": 0}
    assert span_measures(0.7) == {"r@1 iou=0.5": 1, "r@1 iou=0.7": 1}


def test_an_interval_has_the_width_of_the_means_own_error() -> None:
    values = np.random.default_rng(3).normal(0.5, 0.2, 400)
    found = interval(list(values), resamples=4000)
    error = values.std() / math.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert found.low < found.mean < found.high
    assert found.queries == 400


def test_about_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    generator = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        found = interval(list(generator.binomial(1, 0.6, 60).astype(float)), resamples=500)
        held += found.low <= 0.6 <= found.high
    assert 0.90 <= held / 300 <= 0.98


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    values = [float(each) for each in np.random.default_rng(5).normal(size=30)]
    assert interval(values, seed=1) == interval(values, seed=1)
    assert interval(values, seed=1) != interval(values, seed=2)


def test_many_values_are_drawn_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyreel.core.measures._AT_ONCE", 64)
    found = interval([0.0, 1.0] * 20, resamples=501)
    assert found.low < 0.5 < found.high


def test_a_difference_is_more_than_chance_where_its_interval_leaves_zero_out() -> None:
    assert interval([0.1, 0.2, 0.15, 0.12] * 5).excludes_zero
    assert not interval([0.1, -0.2, 0.15, -0.12] * 5).excludes_zero
