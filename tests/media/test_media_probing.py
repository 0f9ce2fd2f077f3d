"""The contract of `polyreel.media.probe`, and of what can't be read by any tool."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polyreel import media
from polyreel.core.errors import MediaError, NotFoundError
from polyreel.core.media import MediaTools

TOOLS: MediaTools = media


def test_probe_tells_what_was_encoded(samples: Path) -> None:
    info = media.probe(samples / "ball_a.mp4")
    assert (info.width, info.height, info.rotation) == (160, 90, 0)
    assert (info.duration_ms, info.fps, info.key_interval_ms) == (3000, 24.0, 2000.0)
    assert (info.video_codec, info.audio_codec, info.pixel_format) == ("h264", "aac", "yuv420p")
    assert info.size_bytes == (samples / "ball_a.mp4").stat().st_size


def test_probe_reads_webm(samples: Path) -> None:
    info = media.probe(samples / "snow.webm")
    assert (info.video_codec, info.audio_codec) == ("vp9", "opus")
    assert info.duration_ms == pytest.approx(3000, abs=2)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_probe_gives_the_upright_size(timed: Callable[..., Path], rotation: int) -> None:
    info = media.probe(timed([0, 40], rotation))
    assert info.rotation == rotation
    assert (info.width, info.height) == ((64, 32) if rotation == 180 else (32, 64))


def test_probe_agrees_with_the_manifest_of_real_clips(real_videos: Path) -> None:
    rows = json.loads((real_videos / "manifest.json").read_text("utf-8"))
    assert rows
    for row in rows:
        info = media.probe(real_videos / row["file"])
        assert (info.width, info.height) == (row["width"], row["height"]), row["file"]
        assert info.video_codec == row["video_codec"]
        assert info.rotation == row["rotation"] % 360
        if not row["file"].startswith("truncated"):
            assert info.duration_ms / 1000 == pytest.approx(row["duration_s"], abs=0.07)
            assert info.fps == pytest.approx(row["fps"], abs=0.3)


def test_probe_does_not_believe_a_header_that_promises_more(real_videos: Path) -> None:
    assert 1900 < media.probe(real_videos / "truncated_flower.mp4").duration_ms < 2300


def test_a_clip_of_one_frame_lasts_one_frame(numbered: Callable[..., Path]) -> None:
    info = media.probe(numbered(count=1, fps=25))
    assert info.duration_ms == 40
    assert info.key_interval_ms is None


def _tools(path: Path, out: Path) -> list[Callable[[], object]]:
    return [
        lambda: media.probe(path),
        lambda: media.frames(path, fps=1, size=16),
        lambda: media.shots(path),
        lambda: media.cut(path, out, start_ms=0, end_ms=100),
        lambda: media.thumbnail(path, out, at_ms=0),
        lambda: media.image(path, size=16),
    ]


def _refused(path: Path, out: Path, kind: type[Exception], reason: str) -> None:
    for tool in _tools(path, out):
        with pytest.raises(kind) as caught:
            tool()
        assert path.name in str(caught.value)
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)
        assert getattr(caught.value, "hint", None)
    assert not out.exists()


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    _refused(tmp_path / "gone.mp4", tmp_path / "out", NotFoundError, "there is no file")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    _refused(tmp_path / "empty.mp4", tmp_path / "out", MediaError, "empty")


def test_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    _refused(tmp_path / "folder.mp4", tmp_path / "out", MediaError, "is a folder")


def test_text_called_mp4_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    _refused(tmp_path / "text.mp4", tmp_path / "out", MediaError, "is not a")


def test_a_forbidden_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # Tests may run as root, whom no mode stops.
    _refused(path, tmp_path / "out", MediaError, "may not be read")


def test_a_sound_is_no_video(sound_only: Path) -> None:
    with pytest.raises(MediaError, match="no video stream"):
        media.probe(sound_only)
    with pytest.raises(MediaError, match="no video stream"):
        media.frames(sound_only, fps=1, size=16)


def test_a_playlist_called_mp4_is_not_followed(samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(f"ffconcat version 1.0\nfile '{samples / 'ball_a.mp4'}'\n")
    with pytest.raises(MediaError):
        media.probe(path)


def test_importing_the_tools_loads_neither_pyav_nor_numpy() -> None:
    code = "import sys, polyreel.media; print(sorted({'av', 'numpy', 'scenedetect'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_tool_stays_callable_after_all_were_used(samples: Path, tmp_path: Path) -> None:
    media.thumbnail(samples / "ball_a.mp4", tmp_path / "t.jpg", at_ms=0)
    media.probe(samples / "ball_a.mp4")
    assert all(callable(getattr(media, name)) for name in media.__all__)
