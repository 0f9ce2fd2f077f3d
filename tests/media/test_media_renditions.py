"""The contract of `polyreel.media.rendition`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polyreel import media
from polyreel.core.errors import InvalidQueryError, MediaError, NotFoundError
from polyreel.media.render import render_all


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    render_all(folder, seconds=4.0, size=(960, 540), fps=12)
    return folder


def test_a_rendition_shows_what_the_video_shows_in_fewer_pixels(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.mp4"
    media.rendition(clips / "snow.webm", out, fps=4, max_bytes=10_000_000)
    info = media.probe(out)
    assert (info.width, info.height, info.video_codec, info.audio_codec) == (720, 404, "h264", None)
    assert info.fps == pytest.approx(4)
    assert info.duration_ms == pytest.approx(4000, abs=250)
    with (
        media.frames(clips / "snow.webm", fps=4, size=96) as before,
        media.frames(out, fps=4, size=96) as after,
    ):
        pairs = [
            (one.image.astype(int), two.image.astype(int)) for one, two in zip(before, after, strict=True)
        ]
    assert len(pairs) == 16
    for was, now in pairs:
        rows = min(was.shape[0], now.shape[0])
        assert np.abs(was[:rows] - now[:rows]).mean() < 6


@pytest.mark.parametrize("most", [200_000, 40_000])
def test_a_rendition_has_no_more_bytes_than_are_allowed(clips: Path, tmp_path: Path, most: int) -> None:
    out = tmp_path / "small.mp4"
    media.rendition(clips / "snow.webm", out, fps=10, max_bytes=most)
    assert 0 < out.stat().st_size <= most
    assert media.probe(out).duration_ms == pytest.approx(4000, abs=250)


def test_what_can_not_be_so_small_is_refused_and_leaves_no_file(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="too long for a rendition of 1000 bytes"):
        media.rendition(clips / "snow.webm", tmp_path / "small.mp4", fps=10, max_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments_are_refused(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.mp4"
    with pytest.raises(InvalidQueryError, match="max_bytes"):
        media.rendition(clips / "snow.webm", out, fps=1, max_bytes=0)
    with pytest.raises(InvalidQueryError, match="fps"):
        media.rendition(clips / "snow.webm", out, fps=0, max_bytes=1000)
    with pytest.raises(NotFoundError):
        media.rendition(clips / "missing.mp4", out, fps=1, max_bytes=1000)
