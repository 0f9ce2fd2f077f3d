"""The contracts of `polyreel.media.image`, `thumbnail`, `shots` and `render_samples`."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from polyreel import media
from polyreel.core.errors import ConfigurationError, InvalidQueryError, MediaError
from polyreel.media.stills import encode_jpeg

if TYPE_CHECKING:
    from .conftest import Reference


RED, WHITE = (220, 30, 30), (255, 255, 255)


def _picture() -> NDArray[np.uint8]:
    """40 x 60, dark, with a red upper left quarter."""
    pixels = np.full((40, 60, 3), 30, np.uint8)
    pixels[:20, :30] = RED
    return pixels


def _encoded(codec_name: str, pixels: NDArray[np.uint8], form: str, pixel_format: str) -> bytes:
    codec = av.CodecContext.create(codec_name, "w")
    codec.width, codec.height, codec.pix_fmt = pixels.shape[1], pixels.shape[0], pixel_format  # type: ignore[attr-defined]
    codec.time_base = 1  # type: ignore[assignment]
    frame = av.VideoFrame.from_ndarray(pixels, format=form).reformat(format=pixel_format)
    packets = [*codec.encode(frame), *codec.encode(None)]  # type: ignore[attr-defined]
    return b"".join(bytes(packet) for packet in packets)


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [("png", "rgb24"), ("bmp", "bgr24"), ("libwebp", "yuv420p"), ("mjpeg", "yuvj420p")],
)
def test_pictures_are_read_from_bytes_and_files(tmp_path: Path, codec: str, pixel_format: str) -> None:
    data = _encoded(codec, _picture(), "rgb24", pixel_format)
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (data, path):
        pixels = media.image(source, size=4000)
        assert pixels.shape == (40, 60, 3)
        assert pixels.dtype == np.uint8
        assert pixels[5, 5].astype(int) == pytest.approx(RED, abs=30)
        assert pixels[35, 55].astype(int) == pytest.approx((30, 30, 30), abs=30)


def test_the_first_picture_of_a_gif_is_read(tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 60, 40, "rgb8"
        for _ in range(3):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(_picture(), format="rgb24")))
        target.mux(stream.encode(None))
    assert media.image(path, size=60)[5, 5].astype(int) == pytest.approx(RED, abs=60)


def test_pictures_fit_the_size() -> None:
    assert media.image(_encoded("png", _picture(), "rgb24", "rgb24"), size=30).shape == (20, 30, 3)


def test_what_is_transparent_is_white() -> None:
    pixels = np.dstack([_picture(), np.full((40, 60), 255, np.uint8)])
    pixels[20:, 30:, 3] = 0
    found = media.image(_encoded("png", pixels, "rgba", "rgba"), size=60)
    assert tuple(found[35, 55]) == WHITE
    assert tuple(found[5, 5]) == RED


@pytest.mark.parametrize(
    ("orientation", "row", "column"),
    [(1, 5, 5), (2, 5, -5), (3, -5, -5), (4, -5, 5), (5, 5, 5), (6, 5, -5), (7, -5, -5), (8, -5, 5)],
)
def test_jpegs_stand_as_exif_says(orientation: int, row: int, column: int) -> None:
    data = encode_jpeg(_picture())
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    found = media.image(data, size=60)
    assert found.shape == ((40, 60, 3) if orientation < 5 else (60, 40, 3))
    assert found[row, column].astype(int) == pytest.approx(RED, abs=30)


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(50), b"GIF89a"])
def test_what_is_no_picture_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(MediaError, match="picture") as caught:
        media.image(data, size=10)
    assert "\n" not in str(caught.value)


def test_a_video_is_no_picture(samples: Path) -> None:
    with pytest.raises(MediaError, match=r"ball_a\.mp4 is not a picture"):
        media.image(samples / "ball_a.mp4", size=10)


@pytest.mark.parametrize(("at_ms", "number"), [(0, 0), (500, 12), (980, 23), (99_000, 23)])
def test_a_thumbnail_shows_the_frame_of_its_time(
    reference: Reference, numbered: Callable[..., Path], at_ms: int, number: int
) -> None:
    source = numbered(count=24, gop=6, bframes=2)
    out = source.with_name("thumb.jpg")
    media.thumbnail(source, out, at_ms=at_ms, size=24)
    assert out.read_bytes()[:3] == b"\xff\xd8\xff"
    found = media.image(out, size=100)
    assert found.shape == (16, 24, 3)
    assert found.mean() == pytest.approx(reference.grey(number), abs=4)


def test_a_thumbnail_keeps_colours(tmp_path: Path, samples: Path) -> None:
    media.thumbnail(samples / "meadow.mp4", tmp_path / "t.jpg", at_ms=1000)
    frame = next(iter(media.frames(samples / "meadow.mp4", fps=1, size=320, start_ms=1000)))
    found = media.image(tmp_path / "t.jpg", size=320).astype(int)
    assert np.abs(found - frame.image).mean() < 5


def test_a_thumbnail_beyond_what_can_be_read_is_the_last_picture(real_videos: Path, tmp_path: Path) -> None:
    source = real_videos / "truncated_flower.mp4"
    media.thumbnail(source, tmp_path / "late.jpg", at_ms=4000)
    media.thumbnail(source, tmp_path / "last.jpg", at_ms=1969)
    assert (tmp_path / "late.jpg").read_bytes() == (tmp_path / "last.jpg").read_bytes()


def test_a_thumbnail_refuses_negative_times(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidQueryError, match="at_ms"):
        media.thumbnail(samples / "ball_a.mp4", tmp_path / "t.jpg", at_ms=-1)


def test_shots_finds_the_hard_cut_and_no_other(samples: Path) -> None:
    pytest.importorskip("scenedetect")
    assert media.shots(samples / "desert_then_fish.mp4") == [1500]
    assert media.shots(samples / "meadow.mp4") == []


def test_shots_finds_the_cut_of_a_real_clip(real_videos: Path) -> None:
    pytest.importorskip("scenedetect")
    assert media.shots(real_videos / "cartoon_bird_two_shots.webm") == pytest.approx([3870], abs=50)


def test_shots_names_the_missing_extra(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scenedetect", None)
    with pytest.raises(ConfigurationError, match=r'pip install "polyreel\[shots\]"'):
        media.shots(samples / "ball_a.mp4")


def test_every_sample_has_a_sidecar_in_two_languages(samples: Path) -> None:
    clips = sorted(path for path in samples.iterdir() if path.suffix != ".json")
    assert len(clips) == 8
    assert {"sunset_a.mp4", "sunset_b.mp4", "ball_a.mp4", "ball_b.mp4", "snow.webm"} <= {
        c.name for c in clips
    }
    for clip in clips:
        sidecar = json.loads(clip.with_suffix(".json").read_text("utf-8"))
        english, chinese = sidecar["caption"]
        assert english.isascii()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        assert sidecar["title"]
        assert sidecar["tags"]
        assert isinstance(sidecar["fields"]["year"], int)
        assert isinstance(sidecar["fields"]["indoor"], bool)


def test_rendering_again_gives_the_same_pixels(tmp_path: Path) -> None:
    first = media.render_samples(tmp_path / "first", seconds=0.5, size=(160, 90), fps=24)
    again = media.render_samples(tmp_path / "again", seconds=0.5, size=(160, 90), fps=24)
    assert [clip.name for clip in first] == [clip.name for clip in again]
    for one, other in zip(first, again, strict=True):
        pairs = zip(_sampled(one), _sampled(other), strict=True)
        assert [np.array_equal(a, b) for a, b in pairs] == [True] * 12


def _sampled(clip: Path) -> list[NDArray[np.uint8]]:
    return [frame.image for frame in media.frames(clip, fps=24, size=160)]


def test_the_second_halves_continue_the_first(samples: Path) -> None:
    for scene in ("ball", "sunset"):
        last = list(media.frames(samples / f"{scene}_a.mp4", fps=24, size=160))[-1].image.astype(int)
        first = next(iter(media.frames(samples / f"{scene}_b.mp4", fps=24, size=160))).image.astype(int)
        other = next(iter(media.frames(samples / "city_night.mp4", fps=24, size=160))).image.astype(int)
        assert np.abs(last - first).mean() < 8 < np.abs(last - other).mean()


def test_render_refuses_odd_sizes(tmp_path: Path) -> None:
    with pytest.raises(InvalidQueryError, match="size"):
        media.render_samples(tmp_path, size=(161, 90))
