"""Damaged files: 200 mutations of small clips, each through every tool, in processes of their own.

A failure names the seed. `python tests/media/fuzz_child.py CLIPS WORK 10 SEED` repeats it, where CLIPS is a
folder of the clips that `clips` writes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_CHILD = Path(__file__).with_name("fuzz_child.py")
_COUNT = 200
_BATCH = 20  # files for one process
_SECONDS = 10  # for one file
_CODECS = {".webm": ("libvpx-vp9", "libopus"), ".avi": ("mpeg4", "libmp3lame")}
_FEW_KEYS = {"g": "12", "threads": "1"}


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds each: MP4 with its index at the end and in front, WebM, AVI, Matroska."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("end.mp4", "front.mp4", "clip.webm", "clip.avi", "clip.mkv"):
        _write(folder / name, {"movflags": "+faststart"} if name == "front.mp4" else {})
    return folder


def _write(path: Path, options: dict[str, str]) -> None:
    video_codec, audio_codec = _CODECS.get(path.suffix, ("libx264", "aac"))
    fast = {"deadline": "realtime", "cpu-used": "8"} if path.suffix == ".webm" else {}
    with av.open(str(path), "w", options=options) as target:
        video = cast("VideoStream", target.add_stream(video_codec, rate=24, options=_FEW_KEYS | fast))
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = cast("AudioStream", target.add_stream(audio_codec, rate=48_000))
        audio.layout = "mono"
        for number in range(48):
            pixels = np.full((64, 96, 3), 20 + number * 4, np.uint8)
            pixels[number : number + 10, number : number + 20] = (200, 30, 30)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        _write_tone(target, audio)


def _write_tone(target: OutputContainer, audio: AudioStream) -> None:
    for start in range(0, 96_000, 1024):
        times = np.arange(start, start + 1024) / audio.rate
        wave = (0.2 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None, :], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = audio.rate, start, Fraction(1, audio.rate)
        target.mux(audio.encode(frame))
    target.mux(audio.encode(None))


def _wrong(clips: Path, work: Path, seeds: list[int]) -> Iterator[str]:
    """What went wrong with the files of some seeds; a process that dies is named and followed by another."""
    while seeds:
        command = [sys.executable, "-P", str(_CHILD), str(clips), str(work), str(_SECONDS), *map(str, seeds)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, "MALLOC_ARENA_MAX": "2"},
            timeout=_SECONDS * len(seeds) + 30,
            check=False,
        )
        said = [json.loads(line) for line in done.stdout.splitlines()]
        for line in said:
            yield from (f"seed {line['seed']} ({line['what']}): {each}" for each in line.get("problems", ()))
        if not done.returncode:
            assert sum("problems" in line for line in said) == len(seeds)
            return
        assert said, done.stderr
        died = said[-1]
        yield f"seed {died['seed']} ({died['what']}): ended with {done.returncode}:\n{done.stderr}"
        seeds = seeds[seeds.index(died["seed"]) + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, _COUNT, _BATCH))
def test_damaged_files_neither_crash_nor_hang_nor_leak(clips: Path, tmp_path: Path, first: int) -> None:
    wrong = list(_wrong(clips, tmp_path, list(range(first, first + _BATCH))))
    assert not wrong, "\n".join(wrong)


def test_times_beyond_belief_end_a_video_there_and_are_named(clips: Path) -> None:
    from polyreel import media

    data = bytearray((clips / "front.mp4").read_bytes())
    at = data.index(b"stts") + 16  # the duration of each picture (ISO/IEC 14496-12, 8.6.1.2)
    data[at : at + 4] = (0x7FFFFFFF).to_bytes(4, "big")
    path = clips.with_name("years.mp4")
    path.write_bytes(data)
    assert media.probe(path).duration_ms < 1000
    with media.frames(path, fps=8, size=64) as frames:
        assert len(list(frames)) == 1
    assert frames.damage == "unreadable from 0.00 s on: its times jump by 49 hours"


def test_tags_that_are_no_utf8_are_no_reason_to_refuse_a_video(clips: Path) -> None:
    from polyreel import media

    data = (clips / "clip.avi").read_bytes()
    at = data.index(b"Lavf")
    path = clips.with_name("latin.avi")
    path.write_bytes(data[:at] + "Füße".encode("latin-1") + data[at + 4 :])
    assert media.probe(path).duration_ms == pytest.approx(2000, abs=50)
