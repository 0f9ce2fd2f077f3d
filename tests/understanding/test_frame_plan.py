"""Frames, tokens and pixels by the documented rules: the worked cases of the vendor's page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyreel.core.errors import ConfigurationError
from polyreel.core.frameplan import FAMILIES, family_of, frame_plan
from polyreel.core.media import VideoInfo
from polyreel.core.rates import Rate


def info(seconds: float, width: int = 1920, height: int = 1080, fps: float = 25.0) -> VideoInfo:
    return VideoInfo(
        round(seconds * 1000), width, height, fps, "h264", "yuv420p", 0, "mov,mp4,m4a,3gp,3g2,mj2", 1
    )


@pytest.mark.parametrize(
    ("seconds", "fps", "family", "expected"),
    [
        (60, 1, "seed_1_6", (60, 640, 38_400)),
        (300, 1, "seed_1_6", (300, 273, 81_900)),
        (600, 2, "seed_1_6", (640, 128, 81_920)),
        (600, 2, "seed_1_8", (1200, 68, 81_600)),
        (8, 1, "seed_1_6", (16, 640, 10_240)),
        (3600, 0.2, "seed_1_6", (640, 128, 81_920)),
    ],
)
def test_the_worked_cases_come_out(
    seconds: float, fps: float, family: str, expected: tuple[int, int, int]
) -> None:
    plan = frame_plan(info(seconds), fps, FAMILIES[family])
    assert (plan.frames, plan.tokens_per_frame, plan.tokens) == expected


def test_frames_of_a_long_video_are_spread_over_it() -> None:
    plan = frame_plan(info(600), 2, FAMILIES["seed_1_6"])
    assert plan.interval == 0.9375
    assert plan.spread
    assert not frame_plan(info(300), 1, FAMILIES["seed_1_6"]).spread


def test_a_frame_has_as_many_pixels_as_its_tokens_allow() -> None:
    assert frame_plan(info(60), 1, FAMILIES["seed_1_6"]).pixels_per_frame == 640 * 28 * 28
    assert frame_plan(info(600), 2, FAMILIES["seed_1_8"]).pixels_per_frame == 68 * 42 * 42


def test_small_pictures_stay_as_they_are() -> None:
    plan = frame_plan(info(60, 160, 120), 1, FAMILIES["seed_1_6"])
    assert plan.pixels_per_frame == 160 * 120
    assert plan.tokens_per_frame == 25  # 24.5 tokens of 28 x 28


def test_a_video_of_few_pictures_gives_all_of_them() -> None:
    assert frame_plan(info(2, fps=5), 1, FAMILIES["seed_1_6"]).frames == 10


@given(st.floats(0.04, 20_000), st.floats(0.2, 5), st.sampled_from(sorted(FAMILIES)), st.floats(1, 60))
def test_no_plan_breaks_the_bounds(seconds: float, fps: float, family: str, own: float) -> None:
    known = FAMILIES[family]
    plan = frame_plan(info(seconds, fps=own), fps, known)
    assert 1 <= plan.frames <= known.max_frames
    assert plan.tokens_per_frame <= known.frame_tokens[1]
    assert plan.tokens <= max(known.budget, plan.frames * known.frame_tokens[0])
    assert plan.interval * plan.frames <= seconds + plan.interval + 0.01


@pytest.mark.parametrize(
    ("model", "named", "family"),
    [
        ("doubao-seed-1-6-251015", None, "seed_1_6"),
        ("doubao-seed-1.6-flash", None, "seed_1_6"),
        ("doubao-1-5-vision-pro", None, "seed_1_6"),
        ("doubao-seed-1-8-251228", None, "seed_1_8"),
        ("ep-2026", "seed_1_8", "seed_1_8"),
    ],
)
def test_the_family_is_that_of_the_model_or_the_one_that_is_named(
    model: str, named: str | None, family: str
) -> None:
    assert family_of(model, named).name == family


@pytest.mark.parametrize(("model", "named"), [("ep-2026", None), ("doubao-seed-2-0", None), ("x", "seed_9")])
def test_a_family_that_nothing_tells_is_not_guessed(model: str, named: str | None) -> None:
    with pytest.raises(ConfigurationError, match="seed_1_6"):
        family_of(model, named)


def test_the_price_is_that_of_the_rate_and_unknown_without_one() -> None:
    plan = frame_plan(info(60), 1, FAMILIES["seed_1_6"])
    assert plan.cost(Rate(price_per_million_input=2.0)) == pytest.approx(0.0768)
    assert plan.cost(Rate(price_per_million_output=2.0)) is None
    assert Rate(price_per_million_input=2.0).tokens(1000, 1) is None
    assert Rate(price_per_million_input=2.0, price_per_million_output=8.0).tokens(500_000, 250_000) == 3.0
    with pytest.raises(ConfigurationError, match="price_per_million_output is -1"):
        Rate(price_per_million_output=-1)
