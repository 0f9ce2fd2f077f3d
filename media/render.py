"""Sample clips for demo and tests: drawn, encoded and described by this code, nothing downloaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .opening import replacing, require
from .painting import Scene, aquarium, ball, canvas, city, desert, meadow, snow, sunset

if TYPE_CHECKING:
    from ..core.media import Image

_RATE = 44_100
_BLOCK = 1024
_WORKERS = 2
_LOUDNESS = 0.1
_ONE_THREAD = {"threads": "1"}  # Encoders may code otherwise with another number of threads.
_X264 = {"crf": "22", "preset": "superfast", "g": "48"} | _ONE_THREAD
_VP9 = {"crf": "32", "b": "0", "deadline": "realtime", "cpu-used": "8", "g": "48"} | _ONE_THREAD


@dataclass(frozen=True, slots=True)
class _Sample:
    """A clip: its file, the scenes in turn, its tone, which part of its scene it is, its sidecar."""

    file: str
    scenes: tuple[Scene, ...]
    hertz: int
    part: int
    title: str
    tags: tuple[str, ...]
    caption: tuple[str, str]
    year: int
    indoor: bool = False


_SAMPLES = (
    _Sample(
        "ball_a.mp4",
        (ball,),
        330,
        0,
        "Red ball, first half",
        ("ball", "red", "bouncing", "indoor"),
        ("A red ball bounces on a grey floor, on the left.", "一个红球在灰色地面的左侧弹跳。"),
        2021,
        indoor=True,
    ),
    _Sample(
        "ball_b.mp4",
        (ball,),
        330,
        1,
        "Red ball, second half",
        ("ball", "red", "bouncing", "indoor"),
        ("The red ball keeps bouncing and wanders to the right.", "红球继续弹跳,慢慢移向右侧。"),
        2021,
        indoor=True,
    ),
    _Sample(
        "city_night.mp4",
        (city,),
        262,
        0,
        "City at night",
        ("city", "night", "lights", "cars"),
        (
            "Lit windows of dark towers at night while cars pass below.",
            "夜晚城市高楼亮着窗灯,汽车在下面驶过。",
        ),
        2022,
    ),
    _Sample(
        "desert_then_fish.mp4",
        (desert, aquarium),
        294,
        0,
        "Dunes, then fish",
        ("desert", "fish", "aquarium", "cut"),
        (
            "Wind over yellow sand dunes, then a cut to colourful fish in an aquarium.",
            "风吹过黄色沙丘,随后切换到水族箱里的彩色小鱼。",
        ),
        2023,
    ),
    _Sample(
        "meadow.mp4",
        (meadow,),
        392,
        0,
        "Green meadow",
        ("meadow", "grass", "sky", "green"),
        (
            "A green meadow waves in the wind under a blue sky with white clouds.",
            "蓝天白云下,绿色草地随风起伏。",
        ),
        2020,
    ),
    _Sample(
        "snow.webm",
        (snow,),
        523,
        0,
        "Falling snow",
        ("snow", "winter", "white", "hills"),
        ("Snow falls on white hills in winter.", "冬天,雪花落在白色的山丘上。"),
        2019,
    ),
    _Sample(
        "sunset_a.mp4",
        (sunset,),
        220,
        0,
        "Sunset, first half",
        ("sunset", "sea", "orange", "evening"),
        (
            "An orange sun sinks towards a rippling sea in the evening.",
            "傍晚,橙色的太阳向波光粼粼的大海落下。",
        ),
        2024,
    ),
    _Sample(
        "sunset_b.mp4",
        (sunset,),
        220,
        1,
        "Sunset, second half",
        ("sunset", "sea", "orange", "evening"),
        ("The sun reaches the horizon and glitters on the sea.", "太阳接近海平面,海上金光闪闪。"),
        2024,
    ),
)


def render_all(folder: Path, *, seconds: float, size: tuple[int, int], fps: int) -> list[Path]:
    """Contract: `polyreel.media.render_samples`."""
    require(seconds > 0 and fps >= 1, f"seconds and fps must be above 0, not {seconds} and {fps}")
    require(
        min(size) >= 16 and not any(side % 2 for side in size), f"size must be even, from 16 up, not {size}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(lambda sample: _render(sample, folder, seconds, size, fps), _SAMPLES))


def write_clip(
    path: Path, pictures: Iterator[Image], *, fps: int, hertz: int = 0, options: dict[str, str]
) -> None:
    """Encode pictures of one size, and a tone for as long as they last, by the suffix of `path`.

    Args:
        path: `.mp4` is written as H.264 + AAC, `.webm` as VP9 + Opus.
        pictures: Height x width x 3, RGB, uint8; at least one.
        fps: Frames per second.
        hertz: The tone's pitch; 0 is no sound.
        options: The video encoder's own.

    Raises:
        MediaError: It can't be written.
    """
    webm = path.suffix == ".webm"
    first = next(pictures)
    with replacing(path) as draft, av.open(str(draft.absolute()), "w", format=path.suffix[1:]) as target:
        video = target.add_stream("libvpx-vp9" if webm else "libx264", rate=fps, options=options)
        video.height, video.width, video.pix_fmt = first.shape[0], first.shape[1], "yuv420p"
        audio = (
            target.add_stream("libopus" if webm else "aac", rate=48_000 if webm else _RATE) if hertz else None
        )
        if audio:
            audio.layout = "mono"
        count = _write_pictures(target, video, chain([first], pictures), fps)
        if audio:
            _write_tone(target, audio, hertz, count / fps)


def _render(sample: _Sample, folder: Path, seconds: float, size: tuple[int, int], fps: int) -> Path:
    path = folder / sample.file
    options = _VP9 if path.suffix == ".webm" else _X264
    write_clip(path, _draw(sample, seconds, size, fps), fps=fps, hertz=sample.hertz, options=options)
    sidecar = {
        "title": sample.title,
        "tags": sample.tags,
        "caption": sample.caption,
        "fields": {"year": sample.year, "indoor": sample.indoor},
    }
    path.with_suffix(".json").write_text(json.dumps(sidecar, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return path


def _draw(sample: _Sample, seconds: float, size: tuple[int, int], fps: int) -> Iterator[Image]:
    count, at = max(1, round(seconds * fps)), canvas(*size)
    for index in range(count):
        scene = sample.scenes[index * len(sample.scenes) // count]
        yield scene(at, (sample.part * count + index) / fps)


def _write_pictures(target: OutputContainer, video: VideoStream, pictures: Iterator[Image], fps: int) -> int:
    count = 0
    for count, pixels in enumerate(pictures, 1):
        frame = VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = count - 1, Fraction(1, fps)
        target.mux(video.encode(frame))
    target.mux(video.encode(None))
    return count


def _write_tone(target: OutputContainer, audio: AudioStream, hertz: int, seconds: float) -> None:
    total = round(seconds * audio.rate)
    for start in range(0, total, _BLOCK):
        times = np.arange(start, min(start + _BLOCK, total)) / audio.rate
        wave = (_LOUDNESS * np.sin(2 * np.pi * hertz * times)).astype(np.float32)
        frame = AudioFrame.from_ndarray(wave[None, :], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = audio.rate, start, Fraction(1, audio.rate)
        target.mux(audio.encode(frame))
    target.mux(audio.encode(None))
