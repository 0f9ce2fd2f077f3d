"""Levels of confidence: what they call a cosine, and how they are read off queries with known answers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import ConfigurationError
from polyreel.core.evaluating import Evaluation, Scored
from polyreel.core.levels import LEAST, Levels, Measured
from polyreel.core.media import Modality
from polyreel.core.records import Confidence

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_a_cosine_that_reaches_a_level_has_its_label() -> None:
    levels = Levels(medium=0.2, high=0.3)
    labels = [levels.confidence(cosine) for cosine in (-1.0, 0.199, 0.2, 0.299, 0.3, 1.0)]
    low, medium, high = Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH
    assert labels == [low, low, medium, medium, high, high]


@pytest.mark.parametrize(
    ("medium", "high", "message"),
    [
        (0.3, 0.2, "medium is 0.3, which is above high, 0.2"),
        (0.2, 27.0, "high is 27; it must be a cosine, from -1 to 1"),
        (float("nan"), 0.2, "medium is nan; it must be a cosine"),
    ],
)
def test_levels_that_no_cosines_have_are_refused(medium: float, high: float, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Levels(medium, high)


@pytest.mark.parametrize("count", [20, 39, 40, 61, 400])
def test_no_wrong_video_is_high_and_one_of_twenty_at_most_is_medium(count: int) -> None:
    drawn = random.Random(count)
    wrong = [drawn.gauss(0.1, 0.05) for _ in range(count)]
    levels = Measured([], wrong).levels
    assert levels is not None
    assert sum(cosine >= levels.high for cosine in wrong) == 0
    assert sum(cosine >= levels.medium for cosine in wrong) == count // 20
    assert levels.high - max(wrong) <= 0.0011  # and neither is higher than it must be
    assert sum(cosine >= levels.medium - 0.0011 for cosine in wrong) > count // 20


@pytest.mark.parametrize("cosine", [thousandths / 1000 for thousandths in range(-999, 999, 37)])
def test_a_level_is_above_the_cosine_that_it_is_read_off(cosine: float) -> None:
    levels = Measured([], [cosine] * LEAST).levels
    assert levels is not None
    assert cosine < levels.medium == levels.high <= cosine + 0.0011


def test_of_too_few_queries_no_level_is_read() -> None:
    few = Measured([0.9] * LEAST, [0.1] * (LEAST - 1))
    assert few.levels is None
    assert few.why == "queries with a wrong video among those found: 19, of 20 needed"
    unknown = {"medium": None, "high": None, "right": None, "wrong": None}
    assert few.to_json() == {**unknown, "why": few.why}
    assert not Measured([], [0.1] * LEAST).why


def test_a_wrong_video_that_is_the_same_leaves_no_room_for_a_level() -> None:
    twins = Measured([1.0] * LEAST, [0.1] * LEAST + [1.0])
    assert twins.levels is None
    assert "name it as relevant" in twins.why


def scored(
    cosines: Mapping[str, float], right: str = "right", medium: Modality | None = Modality.TEXT
) -> Scored:
    return Scored("1", tuple(cosines), {right: None}, None, {}, medium=medium, cosines=cosines)


def test_the_best_right_and_the_best_wrong_video_of_each_query_count() -> None:
    every = [
        scored({"wrong": 0.5, "right": 0.4, "other": 0.3}),
        scored({"right": 0.7, "wrong": 0.2}),
        scored({"wrong": 0.1}),  # what is right wasn't found
        scored({"right": 0.6}),  # and here nothing else
        scored({"wrong": 0.8}, medium=Modality.IMAGE),
        scored({"wrong": 0.9}, medium=None),  # of several parts
        scored({}),  # ranks
    ]
    assert Evaluation({"here": every}).levels("here") == {
        Modality.TEXT: Measured([0.4, 0.7, 0.6], [0.5, 0.2, 0.1]),
        Modality.IMAGE: Measured([], [0.8]),
    }
