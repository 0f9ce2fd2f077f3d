"""Times `media.frames` against the best plain PyAV loop for the same frames, in one run.

    python -m polyreel.bench.sampling [VIDEO...]

The plain loop decodes through with frame threads and converts the sampled frames alike. Both run in turns, so
that a busy machine slows both; the ratio of the medians should be at most 1.1. A drawn clip of 60 s is timed
first, then the videos given.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import av
import numpy as np

from .. import media
from ..media.pictures import to_rgb
from ..media.render import write_clip

if TYPE_CHECKING:
    from ..core.media import Image

_SIZE = 160  # Pixels on the long side, as the builtin embedder takes them.
_ROUNDS = 3
_CAMERA_LIKE = {"crf": "23", "preset": "superfast", "g": "250", "bf": "3"}


def plain(path: Path, fps: float) -> list[Image]:
    """Decode every frame and convert those at `k / fps`."""
    found: list[Image] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = av.codec.context.ThreadType.AUTO
        base, first = stream.time_base or Fraction(1), stream.start_time or 0
        half = 1 / (2 * (stream.average_rate or Fraction(25)))
        wanted = first + (0 - half) / base
        for frame in container.decode(stream):
            if frame.pts is not None and frame.pts >= wanted:
                found.append(to_rgb(frame, _SIZE, stream.codec_context.sample_aspect_ratio))
                wanted = first + (len(found) / Fraction(fps) - half) / base
    return found


def sampled(path: Path, fps: float) -> list[Image]:
    """The same by `media.frames`."""
    with media.frames(path, fps=fps, size=_SIZE) as stream:
        return [frame.image for frame in stream]


def compare(path: Path, fps: float, rounds: int = _ROUNDS) -> tuple[float, float, bool]:
    """Medians in seconds of `plain` and `sampled`, run in turns, and whether their frames are the same."""
    times: dict[Callable[[Path, float], list[Image]], list[float]] = {plain: [], sampled: []}
    results: list[list[Image]] = []
    for _ in range(rounds):
        results = []
        for way, spent in times.items():
            start = time.perf_counter()
            results.append(way(path, fps))
            spent.append(time.perf_counter() - start)
    same = min(len(result) for result in results) > 0 and all(map(np.array_equal, *results))
    return median(times[plain]), median(times[sampled]), same


def draw_long_clip(path: Path, seconds: int = 60, fps: int = 30) -> None:
    """A 720p clip of moving texture and noise with key frames up to 8 s apart."""
    rng = np.random.default_rng(1)
    texture = rng.integers(0, 255, (90, 160, 3), np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    grain = rng.integers(0, 14, (4, 720, 1280, 1), np.uint8)

    def pictures() -> Iterator[Image]:
        for index in range(seconds * fps):
            left, top = index * 2 % 1200, index % 700
            yield texture[top : top + 720, left : left + 1280] // 2 + grain[index % 4]

    write_clip(path, pictures(), fps=fps, options=_CAMERA_LIKE)


def main(arguments: Sequence[str]) -> None:
    """Print one line per video and rate."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn_60s_720p.mp4"
        draw_long_clip(drawn)
        print(f"{'video':32} {'fps':>4} {'plain':>9} {'frames()':>9} {'ratio':>6}  same frames")
        for path in [drawn, *map(Path, arguments)]:
            for fps in (1, 2):
                baseline, ours, same = compare(path, fps)
                ratio = ours / baseline
                verdict = "yes" if same else "NO"
                print(f"{path.name:32} {fps:4} {baseline:8.3f}s {ours:8.3f}s {ratio:6.2f}  {verdict}")


if __name__ == "__main__":
    main(sys.argv[1:])
