"""The contract of `polyreel.media.frames`."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from polyreel import media
from polyreel.core.errors import InvalidQueryError, MediaError
from polyreel.media.pictures import to_rgb

if TYPE_CHECKING:
    from .conftest import Reference


WriteNumbered = Callable[..., Path]
WriteTimed = Callable[..., Path]

_REAL = ["coffee_pour.mp4", "cars_from_above_b.mkv", "flower_bloom.webm", "football_juggle.avi"]
_REAL += ["dog_basket_rot180.mp4", "sign_language_again.mkv", "dog_fetch_b_hevc.mov", "cockatoo_yuv444.mp4"]


def _expected(
    reference: Reference, path: Path, fps: float, size: int, start_ms: int = 0
) -> list[tuple[int, NDArray[np.uint8]]]:
    """The definition in `media.frames`, over a full decode."""
    frames = reference.all_frames(path)
    mean = (frames[-1][0] - frames[0][0]) / max(1, len(frames) - 1) if len(frames) > 1 else Fraction(1, 25)
    slack, end = min(mean / 2, Fraction(1, 20)), frames[-1][0] + mean
    found = []
    for k in range(10_000):
        at = Fraction(start_ms, 1000) + k / Fraction(fps)
        if at >= end - Fraction(1, 1000):
            break
        near = [frame for time, frame in frames if at - slack <= time <= at + slack]
        standing = [frame for time, frame in frames if time < at - slack]
        found.append((round(at * 1000), to_rgb((near or standing[-1:])[0], size)))
    return found


def _assert_same(reference: Reference, path: Path, fps: float, start_ms: int = 0) -> None:
    expected = _expected(reference, path, fps, 64, start_ms)
    stream = media.frames(path, fps=fps, size=64, start_ms=start_ms)
    found = [(frame.time_ms, frame.image) for frame in stream]
    assert [time for time, _ in found] == [time for time, _ in expected]
    assert found
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))
    assert stream.damage is None


@pytest.mark.parametrize("fps", [0.5, 1, 2, 5, 24])
@pytest.mark.parametrize("gop", [1, 12, 250])
def test_samples_are_the_frames_of_a_full_decode(
    reference: Reference, numbered: WriteNumbered, fps: float, gop: int
) -> None:
    _assert_same(reference, numbered(count=75, gop=gop, bframes=0 if gop == 1 else 2), fps)


@pytest.mark.parametrize("name", ["snow.webm", "ball_a.mp4"])
def test_samples_of_the_drawn_clips_are_exact(reference: Reference, samples: Path, name: str) -> None:
    _assert_same(reference, samples / name, 3)


@pytest.mark.parametrize("name", _REAL)
def test_samples_of_real_clips_are_exact(reference: Reference, real_videos: Path, name: str) -> None:
    _assert_same(reference, real_videos / name, 1)


@pytest.mark.parametrize("start_ms", [1, 700, 1500])
def test_samples_may_start_anywhere(reference: Reference, numbered: WriteNumbered, start_ms: int) -> None:
    _assert_same(reference, numbered(count=60, gop=12, bframes=2), 4, start_ms)


def test_sampling_far_apart_seeks_and_stays_exact(reference: Reference, numbered: WriteNumbered) -> None:
    path = numbered(count=60, fps=1, gop=5)
    found = [(f.time_ms, round(f.image.mean())) for f in media.frames(path, fps=1 / 20, size=16)]
    assert [time for time, _ in found] == [0, 20_000, 40_000]
    assert [value for _, value in found] == pytest.approx(
        [reference.grey(0), reference.grey(20), reference.grey(40)], abs=3
    )


def test_no_sample_lies_at_or_after_the_end(numbered: WriteNumbered) -> None:
    path = numbered(count=48)
    assert [f.time_ms for f in media.frames(path, fps=2, size=16, start_ms=500, end_ms=1500)] == [500, 1000]


@pytest.mark.parametrize("count", [1, 3])
def test_a_clip_shorter_than_an_interval_yields_one_frame(numbered: WriteNumbered, count: int) -> None:
    assert [f.time_ms for f in media.frames(numbered(count=count), fps=1, size=16)] == [0]


def test_a_picture_that_stands_is_yielded_for_each_of_its_times(
    reference: Reference, timed: WriteTimed
) -> None:
    path = timed([0, 100, 200, 1700, 1800])
    with media.frames(path, fps=4, size=16) as stream:
        values = [round(frame.image.mean()) for frame in stream]
    assert values == pytest.approx([reference.grey(n) for n in (0, 2, 2, 2, 2, 2, 2, 3)], abs=3)


@pytest.mark.parametrize(("rotation", "corner"), [(90, (-1, 0)), (180, (-1, -1)), (270, (0, -1))])
def test_frames_stand_upright(timed: WriteTimed, rotation: int, corner: tuple[int, int]) -> None:
    frame = next(iter(media.frames(timed([0, 40], rotation), fps=1, size=64)))
    assert frame.image.shape == ((32, 64, 3) if rotation == 180 else (64, 32, 3))
    assert frame.image[corner].mean() > 230
    assert frame.image.flags.c_contiguous


def test_a_real_rotated_clip_stands_upright(reference: Reference, real_videos: Path) -> None:
    path = real_videos / "dog_basket_rot180.mp4"
    frame = next(iter(media.frames(path, fps=1, size=128)))
    stored = reference.all_frames(path)[0][1].to_ndarray(
        format="rgb24", width=128, height=72, interpolation="AREA"
    )
    assert np.array_equal(frame.image, stored[::-1, ::-1])


@pytest.mark.parametrize(("size", "shape"), [(16, (11, 16, 3)), (48, (32, 48, 3)), (4000, (32, 48, 3))])
def test_frames_fit_the_size_and_are_never_enlarged(
    numbered: WriteNumbered, size: int, shape: tuple[int, int, int]
) -> None:
    assert next(iter(media.frames(numbered(count=2), fps=1, size=size))).image.shape == shape


def test_what_decodes_of_a_truncated_file_is_yielded_and_the_damage_told(real_videos: Path) -> None:
    with media.frames(real_videos / "truncated_flower.mp4", fps=10, size=32) as stream:
        times = [frame.time_ms for frame in stream]
    assert times == list(range(0, 2000, 100))
    assert stream.damage is not None
    assert stream.damage.startswith("unreadable from 1.97 s on: Invalid data")


@pytest.mark.parametrize("name", ["snow.webm", "meadow.mp4"])
def test_half_a_file_yields_its_first_half(samples: Path, tmp_path: Path, name: str) -> None:
    path = _halved(samples / name, tmp_path)
    with media.frames(path, fps=4, size=32) as stream:
        times = [frame.time_ms for frame in stream]
    assert 2 <= len(times) <= 10
    assert times == [250 * k for k in range(len(times))]
    assert stream.damage is not None
    assert "unreadable from" in stream.damage
    assert "\n" not in stream.damage


def _halved(source: Path, folder: Path) -> Path:
    """The first half, with an MP4's index moved to the front first, as files for the web have it."""
    whole = folder / f"whole{source.suffix}"
    if source.suffix == ".mp4":
        media.cut(source, whole, start_ms=0, end_ms=media.probe(source).duration_ms)
    data = (whole if whole.exists() else source).read_bytes()
    half = folder / f"half{source.suffix}"
    half.write_bytes(data[: len(data) // 2])
    return half


def test_broken_bytes_inside_cost_only_what_they_hold(real_videos: Path, tmp_path: Path) -> None:
    data = bytearray((real_videos / "coffee_pour.mp4").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = b"\x55" * 3000
    path = tmp_path / "hole.mp4"
    path.write_bytes(data)
    with media.frames(path, fps=2, size=32) as stream:
        times = [frame.time_ms for frame in stream]
    assert len(times) >= 18
    assert times[-1] == 9500
    assert stream.damage is not None
    assert stream.damage.startswith("unreadable near ")


def test_nothing_decodable_is_an_error(numbered: WriteNumbered, tmp_path: Path) -> None:
    data = bytearray(numbered(count=30, size=(64, 64)).read_bytes())
    at = data.index(b"mdat")
    data[at + 4 : at + 2000] = b"\x55" * 1996
    path = tmp_path / "noise.mp4"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"noise\.mp4"):
        list(media.frames(path, fps=1, size=16))


def test_a_start_beyond_the_end_yields_nothing_and_says_why(numbered: WriteNumbered) -> None:
    stream = media.frames(numbered(count=24), fps=1, size=16, start_ms=5000)
    assert list(stream) == []
    assert stream.damage == "the video ends at 1.00 s, before 5.00 s"


@pytest.mark.parametrize(
    ("argument", "value"),
    [("fps", 0), ("fps", math.inf), ("fps", math.nan), ("size", 0), ("start_ms", -1), ("end_ms", 0)],
)
def test_arguments_out_of_range_are_refused(numbered: WriteNumbered, argument: str, value: float) -> None:
    arguments = {"fps": 1, "size": 16, argument: value}
    with pytest.raises(InvalidQueryError, match=argument):
        media.frames(numbered(count=2), **arguments)  # type: ignore[arg-type]


def test_the_file_is_closed_on_every_way_out(reference: Reference, samples: Path) -> None:
    before = reference.open_files()
    path = samples / "ball_a.mp4"
    with media.frames(path, fps=2, size=16) as stream:
        assert reference.open_files() > before
        next(iter(stream))
    assert reference.open_files() == before
    list(media.frames(path, fps=2, size=16))
    assert reference.open_files() == before
    next(iter(media.frames(path, fps=2, size=16)))
    assert reference.open_files() == before
    media.frames(path, fps=2, size=16)
    assert reference.open_files() == before


def test_pictures_of_an_old_coder_are_right_from_the_middle_on(real_videos: Path, tmp_path: Path) -> None:
    """Its decoder reads the coder's version in the file's first packet, which a seek passes by."""
    clip = real_videos / "cockatoo_yuv444.mp4"
    with media.frames(clip, fps=2, size=160) as whole:
        wanted = next(frame.image for frame in whole if frame.time_ms == 8000)
    with media.frames(clip, fps=2, size=160, start_ms=8000, end_ms=8100) as middle:
        (seen,) = [frame.image for frame in middle]
    piece = media.cut(clip, tmp_path / "piece.mp4", start_ms=8000, end_ms=9000)
    with media.frames(piece.path, fps=2, size=160) as cut:
        first = next(iter(cut)).image
    assert np.abs(seen.astype(int) - wanted).max() == 0
    assert np.abs(first.astype(int) - wanted).mean() < 4
