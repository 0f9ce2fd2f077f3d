"""What the builtin descriptors promise, over made-up pictures and texts."""

from __future__ import annotations

import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import product
from math import fsum, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from polyreel.core import lexical
from polyreel.embedders.builtin import blocks, words
from polyreel.embedders.builtin.blocks import Picture, query_vector, record_vector
from polyreel.embedders.builtin.colours import AXES, colour_query
from polyreel.embedders.builtin.picture import FrameDescription, describe_frame, picture_block, pool
from polyreel.embedders.builtin.stem import stem

Image = NDArray[np.uint8]

CAPTION = "A man in a blue shirt juggles a white football on grass. 穿蓝衬衫的男子在草地上颠足球。"


def noise(seed: int, height: int = 90, width: int = 160) -> Image:
    """A picture with structure: random 8 x 8 patches, the same for the same seed."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return patches[rows][:, columns]


def plain(*rgb: int, height: int = 90, width: int = 160) -> Image:
    return np.full((height, width, 3), rgb, dtype=np.uint8)


def norm(values: Sequence[float]) -> float:
    return sqrt(fsum(value * value for value in values))


def cosine(first: list[float] | None, second: list[float] | None) -> float:
    assert first is not None
    assert second is not None
    return fsum(a * b for a, b in zip(first, second, strict=True)) / norm(first) / norm(second)


def named(picture: Picture) -> dict[str, float]:
    return dict(zip(AXES, picture.colours, strict=True))


def strongest(picture: Picture) -> str:
    return max(AXES[:12], key=named(picture).__getitem__)


class TestWords:
    def test_a_text_is_408_numbers_of_unit_norm(self) -> None:
        vector = words.text_block(CAPTION)
        assert len(vector) == words.DIMENSIONS == 408
        assert norm(vector) == pytest.approx(1.0)

    @pytest.mark.parametrize("text", ["", "   ", "???", "…—!", "🐶🎬", "\ud800\udfff", "___"])
    def test_a_text_without_letters_and_digits_is_zeros(self, text: str) -> None:
        assert not any(words.text_block(text))

    def test_a_hash_is_the_same_on_every_machine(self) -> None:
        vector = words.text_block("red flower")
        places = {place: round(value, 4) for place, value in enumerate(vector) if abs(value) > 0.3}
        assert places == {74: 0.4781, 104: 0.4781, 304: 0.4781, 362: -0.4781}

    def test_lone_surrogates_separate_words(self) -> None:
        assert words.text_block("red\ud800flower") == words.text_block("red flower")

    def test_how_often_and_where_a_word_stands_counts_nothing(self) -> None:
        once, often = words.text_block("red flower"), words.text_block("flower red red")
        assert cosine(once, often) == pytest.approx(1.0)

    def test_width_and_case_count_nothing(self) -> None:
        assert words.text_block("ＲＥＤ Ｆlower") == words.text_block("red flower")

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            ("flowers", "a flower bud"),
            ("running dogs", "the dog runs"),
            ("woman's hat", "women in hats"),
            ("足球", "颠白色足球"),
            ("さくら", "きれいなさくらのはな"),
            ("강아지", "귀여운 강아지가"),
        ],
    )
    def test_a_text_is_nearer_to_its_own_words_than_to_others(self, query: str, text: str) -> None:
        asked = words.text_block(query)
        assert cosine(asked, words.text_block(text)) > 0.2
        assert abs(cosine(asked, words.text_block("pouring coffee 倒咖啡"))) < 0.15

    def test_a_word_finds_its_derivations_by_their_letters(self) -> None:
        assert cosine(words.text_block("football"), words.text_block("footballer")) > 0.15

    def test_stop_words_weigh_little(self) -> None:
        assert cosine(words.text_block("the dog of the"), words.text_block("dog")) > 0.95

    def test_a_megabyte_is_read_quickly_and_only_at_its_beginning(self) -> None:
        text = " ".join(f"word{number}" for number in range(100_000))
        assert _seconds(lambda: words.text_block(text)) < 2.0
        assert words.text_block(text) == words.text_block(text[: lexical.MAX_CHARACTERS])

    def test_a_megabyte_that_grows_when_folded_is_read_quickly(self) -> None:
        assert _seconds(lambda: words.text_block("\ufdfa" * 1_000_000)) < 2.0

    @pytest.mark.parametrize(
        "forms",
        [
            "run runs running",
            "dance dances danced dancing",
            "carry carries carried carrying",
            "fall falls falling",
            "box boxes boxed boxing",
            "woman women",
            "car cars",
        ],
    )
    def test_inflected_forms_share_a_stem(self, forms: str) -> None:
        assert len({stem(form) for form in forms.split()}) == 1

    @pytest.mark.parametrize(("one", "other"), [("bus", "bu"), ("sing", "s"), ("red", "r"), ("king", "k")])
    def test_short_words_keep_their_ends(self, one: str, other: str) -> None:
        assert stem(one) != other


class TestColourWords:
    @pytest.mark.parametrize(
        ("text", "axes"),
        [
            ("a RED flower", {"red"}),
            ("红色的花", {"red"}),
            ("紅花綠葉", {"red", "green"}),
            ("grey and gray", {"grey"}),
            ("dark blue", {"dark", "blue"}),
            ("black and white film", {"black-and-white"}),
            ("a black-and-white dog", {"black-and-white"}),
            ("B&W photo", {"black-and-white"}),
            ("黑白老电影", {"black-and-white"}),
            ("黑暗", {"dark"}),
            ("彩色", {"vivid"}),
            ("black cat, white dog", {"black", "white"}),
            ("粉红", {"pink"}),
        ],
    )
    def test_names_ask_for_their_axes(self, text: str, axes: set[str]) -> None:
        vector = colour_query(text)
        assert {axis for axis, value in zip(AXES, vector, strict=True) if value} == axes
        assert norm(vector) == pytest.approx(1.0)

    @pytest.mark.parametrize("text", ["", "hundred", "黄河", "明白", "网红", "darkness5", "\ud800", "🟥"])
    def test_other_words_ask_for_nothing(self, text: str) -> None:
        assert not any(colour_query(text))


class TestPictures:
    def test_a_picture_is_343_and_16_numbers(self) -> None:
        picture = picture_block([noise(1), noise(2)])
        assert len(picture.look) == blocks.LOOK == 343
        assert len(picture.colours) == blocks.COLOURS == 16
        assert norm(picture.look) == pytest.approx(1.0)
        assert norm(picture.colours) == pytest.approx(1.0)

    def test_the_same_picture_gives_the_same_numbers(self) -> None:
        assert picture_block([noise(1)]) == picture_block([noise(1).copy()])

    def test_memory_order_counts_nothing(self) -> None:
        image = noise(1)
        assert picture_block([np.asfortranarray(image)]) == picture_block([image])

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 160), (160, 1), (2, 3), (97, 155), (500, 7)])
    @pytest.mark.parametrize("level", [0, 1, 128, 255])
    def test_even_pictures_of_any_size_have_finite_numbers(self, height: int, width: int, level: int) -> None:
        picture = picture_block([plain(level, level, level, height=height, width=width)])
        assert np.isfinite(picture.look).all()
        assert 0.5 < norm(picture.look) <= 1.0 + 1e-9
        assert norm(record_vector(picture, "")) == pytest.approx(1.0, abs=1e-6)

    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((9, 9), dtype=np.uint8),
            np.zeros((9, 9, 4), dtype=np.uint8),
            np.zeros((0, 9, 3), dtype=np.uint8),
            np.zeros((9, 9, 3), dtype=np.float32),
        ],
    )
    def test_what_is_no_rgb_picture_is_refused(self, image: Image) -> None:
        with pytest.raises(ValueError, match="height x width x 3"):
            describe_frame(image)

    def test_a_clip_without_frames_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one frame"):
            pool([])

    def test_black_bars_count_nothing(self) -> None:
        image = noise(3)
        framed = np.zeros((120, 180, 3), dtype=np.uint8)
        framed[15:105, 10:170] = image
        assert picture_block([framed]) == picture_block([image])

    def test_a_lamp_in_the_night_is_no_picture_in_bars(self) -> None:
        night = plain(5, 5, 5)
        night[40:50, 70:90] = 250
        assert named(picture_block([night]))["dark"] > 0.3

    def test_size_counts_little_and_content_much(self) -> None:
        query = query_vector(picture_block([noise(1)]), None)
        same, other = (query_vector(picture_block([noise(n, 120, 214)]), None) for n in (1, 2))
        assert cosine(query, same) > 0.95
        assert cosine(query, other) < 0.8

    def test_a_still_picture_has_no_motion_and_a_clip_has(self) -> None:
        assert not any(picture_block([noise(1)]).look[-10:])
        still, moving = picture_block([noise(1)] * 2), picture_block([noise(1), noise(2)])
        assert norm(still.look[-10:]) == pytest.approx(norm(moving.look[-10:]))
        assert still.look[-1] > moving.look[-1]

    def test_the_order_of_frames_counts_only_for_motion(self) -> None:
        frames = [describe_frame(noise(seed)) for seed in (1, 1, 2)]
        there, mixed = pool(frames), pool([frames[0], frames[2], frames[1]])
        assert there.look[:-10] == pytest.approx(mixed.look[:-10])
        assert there.look[-10:] != pytest.approx(mixed.look[-10:])

    @pytest.mark.parametrize(
        ("rgb", "name"),
        [
            ((0, 0, 0), "black"),
            ((128, 128, 128), "grey"),
            ((255, 255, 255), "white"),
            ((220, 20, 20), "red"),
            ((255, 140, 0), "orange"),
            ((250, 230, 20), "yellow"),
            ((30, 150, 40), "green"),
            ((0, 200, 200), "cyan"),
            ((20, 40, 210), "blue"),
            ((130, 20, 150), "purple"),
            ((255, 110, 180), "pink"),
            ((110, 65, 30), "brown"),
        ],
    )
    def test_colours_have_their_names(self, rgb: tuple[int, int, int], name: str) -> None:
        assert strongest(picture_block([plain(*rgb)])) == name

    def test_moods_are_told_apart(self) -> None:
        grey = np.repeat(noise(1)[:, :, :1], 3, axis=2)
        assert named(picture_block([grey]))["black-and-white"] > 0.3
        assert named(picture_block([noise(1)]))["black-and-white"] == 0.0
        assert named(picture_block([plain(20, 20, 20)]))["dark"] > 0.3
        assert named(picture_block([plain(240, 240, 240)]))["bright"] > 0.3
        assert named(picture_block([plain(255, 0, 0)]))["vivid"] > 0.3

    def test_one_red_car_on_a_grey_road_is_not_black_and_white(self) -> None:
        road = plain(90, 90, 90)
        road[40:50, 70:90] = (200, 20, 20)
        assert named(picture_block([road]))["black-and-white"] == 0.0

    def test_describing_a_frame_takes_milliseconds(self) -> None:
        image = noise(1)
        describe_frame(image)
        assert min(_seconds(lambda: describe_frame(image)) for _ in range(20)) < 0.02

    def test_a_description_is_small(self) -> None:
        one: FrameDescription = describe_frame(noise(1))
        assert one.features.nbytes + one.thumb.nbytes < 6000


class TestVectors:
    PICTURES = (
        None,
        picture_block([noise(1)]),
        picture_block([noise(1), noise(2)]),
        picture_block([plain(0, 0, 0)]),
    )

    @pytest.mark.parametrize(("picture", "text"), [*product(PICTURES, ["", "???", "red flower", CAPTION])])
    def test_a_record_is_768_float32_numbers_of_unit_norm(self, picture: Picture | None, text: str) -> None:
        vector = record_vector(picture, text)
        assert len(vector) == blocks.DIMENSIONS == 768
        assert norm(vector) == pytest.approx(1.0, abs=1e-6)
        assert array("f", vector).tolist() == vector

    @pytest.mark.parametrize(("picture", "text"), [*product(PICTURES, [None, "red flower"])])
    def test_a_query_is_768_float32_numbers_of_unit_norm_without_slack(
        self, picture: Picture | None, text: str | None
    ) -> None:
        vector = query_vector(picture, text)
        if picture is None and text is None:
            assert vector is None
            return
        assert vector is not None
        assert len(vector) == 768
        assert norm(vector) == pytest.approx(1.0, abs=1e-6)
        assert array("f", vector).tolist() == vector
        assert vector[-1] == 0.0

    @pytest.mark.parametrize("text", [None, "", "???", "🐶", "\ud800"])
    def test_a_query_without_features_is_none(self, text: str | None) -> None:
        assert query_vector(None, text) is None

    def test_a_record_without_features_is_like_no_query(self) -> None:
        empty = record_vector(None, "???")
        assert empty[-1] == 1.0
        assert cosine(empty, query_vector(self.PICTURES[1], CAPTION)) == 0.0

    @pytest.mark.parametrize("picture", PICTURES[1:])
    def test_text_does_not_change_the_likeness_to_a_picture(self, picture: Picture) -> None:
        for asked in (noise(1), noise(5), plain(200, 30, 30)):
            query = query_vector(picture_block([asked]), None)
            bare, told = record_vector(picture, ""), record_vector(picture, CAPTION)
            assert cosine(query, bare) == pytest.approx(cosine(query, told), abs=1e-6)
            assert 0.01 < cosine(query, bare) <= blocks.VISUAL_MAXIMUM + 1e-6

    def test_pictures_do_not_change_the_likeness_to_words(self) -> None:
        query = query_vector(None, "juggles football")
        seen, unseen = (record_vector(picture, CAPTION) for picture in (self.PICTURES[1], None))
        assert cosine(query, seen) == pytest.approx(cosine(query, unseen), abs=1e-6)
        assert 0.15 < cosine(query, seen) <= blocks.TEXT_MAXIMUM

    def test_the_text_of_a_record_can_be_swapped(self) -> None:
        picture = self.PICTURES[2]
        swapped = blocks.with_text(record_vector(picture, CAPTION), "red flower")
        assert swapped == pytest.approx(record_vector(picture, "red flower"), abs=1e-4)

    def test_the_maxima_are_reached_by_a_records_own_picture_and_text(self) -> None:
        picture, text = self.PICTURES[2], "football juggles"
        record = record_vector(picture, text)
        assert cosine(record, query_vector(picture, None)) == pytest.approx(blocks.VISUAL_MAXIMUM)
        assert cosine(record, query_vector(None, text)) == pytest.approx(blocks.TEXT_MAXIMUM)
        assert pytest.approx(0.670, abs=1e-3) == blocks.VISUAL_MAXIMUM
        assert pytest.approx(0.742, abs=1e-3) == blocks.TEXT_MAXIMUM

    def test_picture_and_text_together_find_what_matches_both(self) -> None:
        right, other = self.PICTURES[1], picture_block([noise(7)])
        query = query_vector(right, "football")
        both = cosine(query, record_vector(right, CAPTION))
        assert both > cosine(query, record_vector(right, "pouring coffee"))
        assert both > cosine(query, record_vector(other, CAPTION))

    @pytest.mark.parametrize("text", ["red", "红色", "a red flower"])
    def test_a_colour_word_finds_a_picture_without_text(self, text: str) -> None:
        query = query_vector(None, text)
        red = record_vector(picture_block([plain(210, 20, 25)]), "")
        blue = record_vector(picture_block([plain(20, 40, 210)]), "")
        assert cosine(query, red) > cosine(query, blue) + 0.03

    def test_a_text_query_needs_no_numpy(self) -> None:
        code = (
            "import sys; sys.modules['numpy'] = None\n"
            "from polyreel.embedders.builtin.blocks import query_vector\n"
            "assert len(query_vector(None, 'red flower 红花')) == 768"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _seconds(work: Callable[[], object]) -> float:
    """Of this thread's processor time, so that a busy machine doesn't count."""
    start = time.thread_time()
    work()
    return time.thread_time() - start
