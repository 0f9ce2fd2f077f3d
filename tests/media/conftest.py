"""Clips for the tests of `polyreel.media`: drawn once a session, and the real ones where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from polyreel import media
from polyreel.media.render import write_clip

Pixels = NDArray[np.uint8]
WriteNumbered = Callable[..., Path]

_REAL = Path(__file__).resolve().parents[2].parent / "shared" / "videos"


class Reference:
    """What PyAV alone says of a clip, to compare with."""

    @staticmethod
    def grey(number: int) -> int:
        """The grey that marks a numbered picture; neighbours differ by far more than coding loses."""
        return 20 + (number * 47) % 210

    @staticmethod
    def open_files() -> int:
        """How many file descriptors this process holds."""
        return len(list(Path("/proc/self/fd").iterdir()))

    @staticmethod
    def all_frames(path: Path) -> list[tuple[Fraction, av.VideoFrame]]:
        """Every frame by PyAV alone, with seconds since the first."""
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = av.codec.context.ThreadType.AUTO
            base, first = stream.time_base or Fraction(1), stream.start_time or 0
            return [(((f.pts or 0) - first) * base, f) for f in container.decode(stream)]

    @staticmethod
    def numbers(path: Path) -> list[int]:
        """The greys of a clip of plain greys, all of its frames."""
        return [
            int(frame.to_ndarray(format="rgb24")[-4:, -4:].mean()) for _, frame in Reference.all_frames(path)
        ]


@pytest.fixture
def reference() -> Reference:
    """The means to check what the tools say."""
    return Reference()


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project's own sample clips, short and small."""
    folder = tmp_path_factory.mktemp("samples")
    media.render_samples(folder, seconds=3.0, size=(160, 90), fps=24)
    return folder


@pytest.fixture(scope="session")
def real_videos() -> Path:
    """The folder of real clips: POLYREEL_TEST_VIDEOS, or `../shared/videos` beside the repository."""
    folder = Path(os.environ.get("POLYREEL_TEST_VIDEOS", _REAL))
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"no real clips: {folder} has no manifest.json (set POLYREEL_TEST_VIDEOS)")
    return folder


@pytest.fixture
def numbered(tmp_path: Path) -> WriteNumbered:
    """Writes a clip whose pictures are plain greys, so that each tells its number."""

    def write(
        name: str = "numbered.mp4", count: int = 48, *, fps: int = 24, gop: int = 12, **more: object
    ) -> Path:
        path = tmp_path / name
        size = more.get("size", (32, 48))
        pictures = (np.full((*size, 3), Reference.grey(n), np.uint8) for n in range(count))  # type: ignore[misc]
        options = {"crf": "4", "preset": "ultrafast", "g": str(gop), "sc_threshold": "0"}
        if "bframes" in more:
            options |= {"bf": str(more["bframes"]), "preset": "fast", "x264-params": "b-adapt=0"}
        hertz = int(str(more.get("hertz", 0)))
        write_clip(path, iter(pictures), fps=fps, hertz=hertz, options=options)
        return path

    return write


@pytest.fixture
def timed(tmp_path: Path) -> Callable[[list[int], int], Path]:
    """Writes a clip of plain greys at given milliseconds, the stored picture turned by some degrees."""

    def write(times_ms: list[int], rotation: int = 0) -> Path:
        path = tmp_path / "timed.mp4"
        with av.open(str(path), "w") as target:
            stream = target.add_stream("libx264", rate=25, options={"crf": "4"})
            stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            if rotation:
                stream.set_display_rotation(rotation)
            for number, at in enumerate(times_ms):
                pixels = np.full((32, 64, 3), Reference.grey(number), np.uint8)
                pixels[:16, :32] = 255 if rotation else Reference.grey(number)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = at, Fraction(1, 1000)
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def sound_only(tmp_path: Path) -> Path:
    """A sound without pictures."""
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as target:
        stream = target.add_stream("aac", rate=44100)
        stream.layout = "mono"
        for index in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, index * 1024, Fraction(1, 44100)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


@pytest.fixture(autouse=True)
def _no_file_left_open() -> Iterator[None]:
    """After each test, as many files are open as before."""
    before = Reference.open_files()
    yield
    assert Reference.open_files() <= before
