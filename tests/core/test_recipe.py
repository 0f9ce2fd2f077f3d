from __future__ import annotations

import pytest

from polyreel.core.errors import ConfigurationError
from polyreel.core.recipe import Recipe, Segmentation, record_id
from polyreel.core.records import Channel, Scope
from polyreel.core.space import Space

SPACE = Space("builtin", "descriptors", "1", 768)


def test_windows_cover_the_video_without_gap_or_overlap() -> None:
    spans = Recipe(window=5.0).spans(12_000)
    assert spans == [(0, 5000), (5000, 10_000), (10_000, 12_000)]


def test_a_last_piece_that_is_too_short_joins_the_one_before() -> None:
    assert Recipe(window=5.0, shortest=1.0).spans(10_900) == [(0, 5000), (5000, 10_900)]


def test_a_video_shorter_than_the_shortest_piece_is_one_clip() -> None:
    assert Recipe(window=5.0, shortest=1.0).spans(40) == [(0, 40)]


def test_a_video_without_duration_is_one_clip_of_a_millisecond() -> None:
    assert Recipe().spans(0) == [(0, 1)]


def test_shots_are_clips_and_long_shots_are_cut_into_windows() -> None:
    recipe = Recipe(segmentation=Segmentation.SHOTS, window=5.0)
    assert recipe.spans(14_000, shots=[3900]) == [(0, 3900), (3900, 8900), (8900, 14_000)]


def test_a_shot_that_is_too_short_joins_the_one_before() -> None:
    recipe = Recipe(segmentation=Segmentation.SHOTS, window=5.0, shortest=1.0)
    assert recipe.spans(6000, shots=[3000, 3400]) == [(0, 3400), (3400, 6000)]


def test_shots_outside_the_video_are_left_out() -> None:
    assert Recipe(segmentation=Segmentation.SHOTS).spans(4000, shots=[0, 2000, 9000]) == [
        (0, 2000),
        (2000, 4000),
    ]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"window": 0.0}, "window"),
        ({"fps": 0.0}, "fps"),
        ({"fps": 100.0}, "fps"),
        ({"shortest": 9.0}, "shortest"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"recipe\.{named} is"):
        Recipe(**settings)  # type: ignore[arg-type]


def test_equal_recipes_have_equal_keys_and_others_not() -> None:
    assert Recipe().key == Recipe().key
    assert len({Recipe().key, Recipe(window=4.0).key, Recipe(fps=1.0).key}) == 3


def test_a_record_id_changes_with_every_part_that_makes_it() -> None:
    def make(**changed: object) -> str:
        parts: dict[str, object] = {
            "video_id": "v",
            "span": (0, 5000),
            "scope": Scope.CLIP,
            "channel": Channel.FUSED,
            "space": SPACE,
            "recipe": Recipe(),
        }
        return record_id(**(parts | changed))  # type: ignore[arg-type]

    others = [
        make(video_id="w"),
        make(span=(0, 5001)),
        make(scope=Scope.VIDEO),
        make(channel=Channel.AUDIO),
        make(space=Space("builtin", "descriptors", "2", 768)),
        make(recipe=Recipe(fps=1.0)),
    ]
    assert len({make(), *others}) == 7
    assert make() == make()
