"""Vectors with a meaning: the builtin embedder's pictures, colour words of texts, the pitch of sounds.

512 numbers: 16 of named colours, 32 of sound, 80 of words, 343 of look, and zeros. What comes first survives
a shorter vector. A text finds pictures by colour and light words only, as the builtin embedder's does.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from numpy.typing import NDArray

from ... import media
from ...core.errors import MediaError
from ...core.media import VideoInfo
from ...embedders.builtin.blocks import COLOURS, COLOURS_WEIGHT, LOOK, LOOK_WEIGHT, Picture
from ...embedders.builtin.colours import colour_query
from ...embedders.builtin.picture import FrameDescription, describe_frame, pool
from ...embedders.builtin.words import text_block

Floats = NDArray[np.float64]

DIMENSION = 512
SOUND, WORDS = 32, 80
OPTIONS: Mapping[str, float] = {"visual": 1.0, "audio": 0.3, "transcription": 0.1}
"""What each option weighs in a fused vector."""
_RATE = 8_000
_SIZE = 160


class Seen:
    """What the emulator has seen of files, each by its digest; safe for several threads."""

    def __init__(self) -> None:
        self._files: dict[str, Clip] = {}
        self._guard = threading.Lock()

    def clip(self, content: bytes) -> Clip:
        """The file, read once."""
        digest = hashlib.sha256(content).hexdigest()
        with self._guard:
            known = self._files.get(digest)
        if known is None:
            known = Clip(content, digest)
            with self._guard:
                self._files[digest] = known
        return known


class Clip:
    """A video or sound: what was probed, and its vectors.

    Raises:
        MediaError: It can't be read.
    """

    def __init__(self, content: bytes, digest: str) -> None:
        self._content, self._digest = content, digest
        self._frames: list[tuple[int, FrameDescription]] = []
        self._guard = threading.Lock()
        with TemporaryDirectory(prefix="polyreel-") as folder:
            self._sound, self.seconds = _sound(self._file(folder))
            self.info: VideoInfo | None = None
            try:
                self.info = media.probe(self._file(folder))
                self.seconds = self.info.duration_ms / 1000
            except MediaError:
                if not self.heard:
                    raise

    @property
    def heard(self) -> bool:
        """Whether it has sound."""
        return len(self._sound) > 0

    def vector(self, option: str, start: float, end: float) -> Floats | None:
        """Of a span; None where it has nothing of that kind."""
        if option == "fused":
            parts = {each: self.vector(each, start, end) for each in OPTIONS}
            there = [OPTIONS[each] * vector for each, vector in parts.items() if vector is not None]
            return _unit(np.sum(there, axis=0)) if there else None
        if option.startswith("visual"):
            return self._look(start, end) if self.info else None
        if not self.heard:
            return None
        if option == "transcription":
            return of_words(f"{self._digest[:16]} {round(start)}")
        return _laid_out(sound=_pitch(self._sound[int(start * _RATE) : max(int(end * _RATE), 1)]))

    def _look(self, start: float, end: float) -> Floats:
        with self._guard:
            if not self._frames:
                self._frames = self._described()
        inside = [each for at, each in self._frames if start * 1000 <= at < end * 1000]
        return of_picture(pool(inside or [self._frames[-1][1]]))

    def _described(self) -> list[tuple[int, FrameDescription]]:
        """Two frames a second; one that stands still is described once."""
        described: list[tuple[int, FrameDescription]] = []
        image = None
        with (
            TemporaryDirectory(prefix="polyreel-") as folder,
            media.frames(self._file(folder), fps=2.0, size=_SIZE) as frames,
        ):
            for frame in frames:
                known = described[-1][1] if frame.image is image else describe_frame(frame.image)
                described.append((frame.time_ms, known))
                image = frame.image
        return described

    def _file(self, folder: str) -> Path:
        path = Path(folder) / "medium"
        if not path.exists():
            path.write_bytes(self._content)
        return path


def of_image(content: bytes) -> Floats:
    """Of a still picture."""
    return of_picture(pool([describe_frame(media.image(content, size=_SIZE))]))


def of_picture(picture: Picture) -> Floats:
    """Of what the builtin embedder sees."""
    return _laid_out(
        colours=[COLOURS_WEIGHT * each for each in picture.colours],
        look=[LOOK_WEIGHT * each for each in picture.look],
    )


def of_words(text: str) -> Floats:
    """Of a text: the colours that it names, and its words."""
    folded = np.zeros(WORDS)
    np.add.at(folded, np.arange(len(block := text_block(text))) % WORDS, block)
    vector = _laid_out(colours=colour_query(text), words=[0.3 * each for each in folded])
    return vector if vector.any() else _laid_out(words=[1.0] + [0.0] * (WORDS - 1))


def joined(vectors: Sequence[Floats]) -> Floats:
    """Several with an equal say."""
    return _unit(np.sum(vectors, axis=0))


def shaped(vector: Floats, dimension: int) -> list[float]:
    """As long as a model gives it: the first numbers of it, or zeros behind it."""
    cut = vector[:dimension]
    return [*map(float, cut), *[0.0] * (dimension - len(cut))]


def _laid_out(
    *,
    colours: Sequence[float] = (),
    sound: Sequence[float] = (),
    words: Sequence[float] = (),
    look: Sequence[float] = (),
) -> Floats:
    vector, at = np.zeros(DIMENSION), 0
    for width, values in ((COLOURS, colours), (SOUND, sound), (WORDS, words), (LOOK, look)):
        vector[at : at + len(values)] = values
        at += width
    return _unit(vector)


def _sound(path: Path) -> tuple[Floats, float]:
    """The samples of the first sound, one channel, and its seconds; none where there is no sound."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return np.zeros(0), 0.0
            resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE)
            blocks = [
                part.to_ndarray().reshape(-1)
                for frame in container.decode(audio=0)
                for part in resampler.resample(frame)
            ]
    except av.FFmpegError as error:
        raise MediaError(f"the sound can't be read: {type(error).__name__}") from error
    samples = np.concatenate(blocks).astype(np.float64) if blocks else np.zeros(0)
    return samples, len(samples) / _RATE


def _pitch(samples: Floats) -> list[float]:
    """How loud each of 32 bands of frequency is, from 50 Hz to half the rate."""
    power = np.abs(np.fft.rfft(samples, n=_RATE)) if len(samples) else np.ones(_RATE // 2 + 1)
    edges = np.geomspace(50, _RATE // 2, SOUND + 1).astype(int)
    bands = [math.sqrt(power[low : max(high, low + 1)].mean()) for low, high in pairwise(edges)]
    return [each + 1e-6 for each in bands]


def _unit(vector: Floats) -> Floats:
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm else vector
