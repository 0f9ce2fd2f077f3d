"""The contract of `polyreel.media.cut`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from polyreel import media
from polyreel.core.errors import InvalidQueryError, MediaError, NotFoundError

if TYPE_CHECKING:
    from .conftest import Reference


WriteNumbered = Callable[..., Path]


def _cut_numbers(
    reference: Reference, source: Path, start_ms: int, end_ms: int, reencoded: bool
) -> list[int]:
    out = source.with_name("cut.mp4")
    piece = media.cut(source, out, start_ms=start_ms, end_ms=end_ms)
    assert piece.path == out
    assert piece.reencoded is reencoded
    assert abs(piece.start_ms - start_ms) <= 21
    assert abs(piece.end_ms - end_ms) <= 21
    assert media.probe(out).duration_ms == pytest.approx(piece.end_ms - piece.start_ms, abs=2)
    return reference.numbers(out)


@pytest.mark.parametrize(
    ("span_ms", "kept", "bframes", "reencoded"),
    [
        ((0, 1000), (0, 24), 0, False),  # From a key frame to a boundary: copied.
        ((500, 1000), (12, 24), 0, False),
        ((500, 1000), (12, 24), 2, False),  # To the next key frame: B-frames are complete.
        ((0, 2000), (0, 48), 2, False),
        ((500, 875), (12, 21), 2, True),  # Inside B-frames: a later frame would be needed.
        ((417, 1000), (10, 24), 0, True),  # Not on a key frame.
        ((1042, 1083), (25, 26), 2, True),  # One frame.
    ],
)
def test_a_cut_holds_exactly_the_frames_of_its_span(
    reference: Reference,
    numbered: WriteNumbered,
    span_ms: tuple[int, int],
    kept: tuple[int, int],
    *,
    bframes: int,
    reencoded: bool,
) -> None:
    source = numbered(count=48, gop=12, bframes=bframes)
    expected = [reference.grey(number) for number in range(*kept)]
    assert _cut_numbers(reference, source, *span_ms, reencoded) == pytest.approx(expected, abs=4)


def test_neighbouring_cuts_share_no_frame_and_lose_none(
    reference: Reference, numbered: WriteNumbered
) -> None:
    source = numbered(count=48, gop=48, bframes=2)
    edges = [0, 333, 790, 1401, 2000]
    found: list[int] = []
    for start_ms, end_ms in itertools.pairwise(edges):
        media.cut(source, source.with_name("part.mp4"), start_ms=start_ms, end_ms=end_ms)
        found += reference.numbers(source.with_name("part.mp4"))
    assert found == pytest.approx([reference.grey(number) for number in range(48)], abs=4)


def test_a_picture_that_stands_at_the_start_opens_the_cut(
    reference: Reference, timed: Callable[..., Path]
) -> None:
    source = timed([0, 100, 200, 1700, 1900])
    out = source.with_name("cut.mp4")
    piece = media.cut(source, out, start_ms=1000, end_ms=1800)
    times = [round(float(time) * 1000) for time, _ in reference.all_frames(out)]
    assert times == [0, 700]
    assert reference.numbers(out) == pytest.approx([reference.grey(2), reference.grey(3)], abs=4)
    assert (piece.start_ms, piece.end_ms) == (1000, 1800)


@pytest.mark.parametrize("rotation", [90, 180])
def test_rotation_survives(timed: Callable[..., Path], rotation: int) -> None:
    source = timed([40 * k for k in range(25)], rotation)
    for start_ms in (0, 400):
        out = source.with_name("cut.mp4")
        piece = media.cut(source, out, start_ms=start_ms, end_ms=1000)
        assert piece.reencoded is (start_ms > 0)
        assert media.probe(out).rotation == rotation


@pytest.mark.parametrize("name", ["ball_a.mp4", "snow.webm"])
@pytest.mark.parametrize("start_ms", [0, 1250])
def test_sound_lasts_as_long_as_the_pictures(samples: Path, tmp_path: Path, name: str, start_ms: int) -> None:
    out = tmp_path / "cut.mp4"
    media.cut(samples / name, out, start_ms=start_ms, end_ms=start_ms + 1500)
    with av.open(str(out)) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        rate = container.streams.audio[0].rate
        assert container.streams.audio[0].codec_context.name == "aac"
    assert len(sound) / rate == pytest.approx(1.5, abs=0.05)
    assert np.abs(sound[rate // 2 : rate]).max() > 0.05


def test_sound_is_in_step_with_the_pictures(tmp_path: Path) -> None:
    source, out = tmp_path / "beep.mp4", tmp_path / "cut.mp4"
    _write_beep(source, at_seconds=1.5)
    media.cut(source, out, start_ms=1125, end_ms=2000)
    with av.open(str(out)) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    begins = int(np.argmax(np.abs(sound) > 0.2)) / 44100
    assert begins == pytest.approx(1.5 - 1.125, abs=0.01)


def _write_beep(path: Path, at_seconds: float) -> None:
    """Two seconds of grey; silence, then a loud tone from `at_seconds` on."""
    from fractions import Fraction

    with av.open(str(path), "w") as target:
        video = target.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = target.add_stream("aac", rate=44100)
        audio.layout = "mono"
        for number in range(48):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        times = np.arange(2 * 44100) / 44100
        wave = np.where(times >= at_seconds, 0.8 * np.sin(2 * np.pi * 440 * times), 0).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(wave[None, :], "fltp", "mono")
        sound.sample_rate, sound.pts, sound.time_base = 44100, 0, Fraction(1, 44100)
        target.mux(audio.encode(sound))
        target.mux(audio.encode(None))


def test_odd_sizes_become_even(reference: Reference, samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "odd.avi"
    with av.open(str(source), "w") as target:
        video = target.add_stream("mjpeg", rate=24)
        video.width, video.height, video.pix_fmt = 33, 27, "yuvj420p"
        for _ in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((27, 33, 3), 90, np.uint8), format="rgb24")
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
    out = tmp_path / "cut.mp4"
    assert media.cut(source, out, start_ms=0, end_ms=200).reencoded
    info = media.probe(out)
    assert (info.width, info.height, info.video_codec) == (32, 26, "h264")
    assert reference.numbers(out)[0] == pytest.approx(90, abs=4)


@pytest.mark.parametrize("name", ["dog_fetch_b_hevc.mov", "flower_bloom.webm", "sign_language_again.mkv"])
def test_cuts_of_real_clips_are_exact(
    reference: Reference, real_videos: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "cut.mp4"
    piece = media.cut(real_videos / name, out, start_ms=1000, end_ms=1700)
    source = [f for t, f in reference.all_frames(real_videos / name) if 0.984 <= t < 1.684]
    found = [frame for _, frame in reference.all_frames(out)]
    assert len(found) == len(source)
    for ours, theirs in zip(found, source, strict=True):
        a, b = (np.asarray(f.to_ndarray(format="rgb24", width=64, height=36), int) for f in (ours, theirs))
        assert np.abs(a - b).mean() < 3
    assert piece.reencoded
    assert media.probe(out).duration_ms == pytest.approx(700, abs=34)


def test_a_damaged_source_gives_what_it_has(real_videos: Path, tmp_path: Path) -> None:
    piece = media.cut(real_videos / "truncated_flower.mp4", tmp_path / "c.mp4", start_ms=1000, end_ms=4000)
    assert piece.end_ms == 2002
    assert media.probe(tmp_path / "c.mp4").duration_ms == pytest.approx(1001, abs=34)


@pytest.mark.parametrize(("start_ms", "end_ms"), [(-1, 5), (5, 5), (9, 5)])
def test_a_senseless_span_is_refused(numbered: WriteNumbered, start_ms: int, end_ms: int) -> None:
    source = numbered(count=24)
    with pytest.raises(InvalidQueryError, match="ms"):
        media.cut(source, source.with_name("cut.mp4"), start_ms=start_ms, end_ms=end_ms)


@pytest.mark.parametrize(("start_ms", "end_ms"), [(500, 3000), (2000, 3000), (0, 1200)])
def test_a_span_outside_of_the_video_is_an_error_and_leaves_nothing(
    numbered: WriteNumbered, start_ms: int, end_ms: int
) -> None:
    source = numbered(count=24)
    with pytest.raises(MediaError, match=r"numbered\.mp4 .*span"):
        media.cut(source, source.with_name("cut.mp4"), start_ms=start_ms, end_ms=end_ms)
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def test_a_failure_while_writing_leaves_nothing_and_spares_the_old_file(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cut.mp4"
    out.write_bytes(b"old")

    def break_off(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("polyreel.media.cutting.add_sound", break_off)
    with pytest.raises(MediaError, match="No space left"):
        media.cut(samples / "ball_a.mp4", out, start_ms=0, end_ms=500)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_missing_folder_is_named(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no folder"):
        media.cut(samples / "ball_a.mp4", tmp_path / "no" / "cut.mp4", start_ms=0, end_ms=500)
