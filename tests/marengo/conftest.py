"""An emulated TwelveLabs, embedders of it, and clips that it takes (360 pixels and 4 seconds at least)."""

from __future__ import annotations

import math
import struct
import wave
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import av
import numpy as np
import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.deadline import RetryPolicy
from polyreel.core.recipe import Recipe
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects

pytest.importorskip("twelvelabs")

from polyreel.embedders.marengo.embedder import MarengoEmbedder
from polyreel.testing.twelvelabs import Emulator, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from polyreel.core.embedder import Embedder
    from polyreel.core.objects import ObjectStore

RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 200, 20), (20, 20, 220), (240, 240, 240)
QUICK = RetryPolicy(base=0.01, cap=0.05)
_RATE = 16_000


def write_clip(
    path: Path,
    colours: Sequence[tuple[int, int, int]] = (RED,),
    *,
    seconds: float = 4.4,
    hertz: int | None = 440,
    size: tuple[int, int] = (480, 360),
    fps: int = 5,
) -> Path:
    """A video that shows each colour for an equal time, with a tone or without sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = Fraction(1, fps)
        sound = container.add_stream("aac", rate=_RATE, layout="mono") if hertz else None
        count = round(seconds * fps)
        for index in range(count):
            colour = colours[index * len(colours) // count]
            picture = np.full((size[1], size[0], 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        if sound is not None and hertz is not None:
            for at in range(0, round(seconds * _RATE), 1024):
                samples = 0.3 * np.sin(2 * math.pi * hertz * np.arange(at, at + 1024) / _RATE)
                frame = av.AudioFrame.from_ndarray(
                    samples[None].astype(np.float32), format="fltp", layout="mono"
                )
                frame.sample_rate, frame.pts, frame.time_base = _RATE, at, Fraction(1, _RATE)
                container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def write_tone(path: Path, hertz: int, *, seconds: float = 4.5) -> Path:
    """A WAV file of one tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        samples = (
            round(9000 * math.sin(2 * math.pi * hertz * at / _RATE)) for at in range(round(seconds * _RATE))
        )
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


def varied(clip: Path, target: Path, number: int) -> Path:
    """The same pictures in a file of another content: a box that readers of MP4 skip is added."""
    target.write_bytes(clip.read_bytes() + struct.pack(">I4sQ", 16, b"free", number))
    return target


def write_picture(path: Path, colour: tuple[int, int, int] = RED) -> Path:
    """A JPEG of one colour."""
    clip = write_clip(path.with_suffix(".mp4"), [colour], seconds=0.4, hertz=None)
    media.thumbnail(clip, path, at_ms=0)
    clip.unlink()
    return path


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own key or address changes a test."""
    for name in ("TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY", "TWELVELABS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> Iterator[Emulator]:
    with emulating() as emulator:
        yield emulator


class MakeEmbedder(Protocol):
    def __call__(self, service: Emulator | None = None, **settings: Any) -> MarengoEmbedder: ...


@pytest.fixture
def make_embedder(service: Emulator) -> Iterator[MakeEmbedder]:
    """Embedders of the emulated account, or of another emulator; closed at the end."""
    made: list[MarengoEmbedder] = []
    emulated = service

    def make(service: Emulator | None = None, **settings: Any) -> MarengoEmbedder:
        account = service or emulated
        known = {"base_url": account.base_url, "api_key": account.secret, "retry": QUICK}
        made.append(MarengoEmbedder(**{**known, **settings}))
        return made[-1]

    yield make
    for each in made:
        each.close()


class OpenSearch(Protocol):
    def __call__(
        self, embedder: Embedder, *, recipe: Recipe | None = None, objects: ObjectStore | None = None
    ) -> VideoSearch: ...


@pytest.fixture
def open_search(tmp_path: Path) -> Iterator[OpenSearch]:
    """Searches over one folder; a second one sees what the first took in, once that is closed."""
    opened: list[VideoSearch] = []

    def make(
        embedder: Embedder, *, recipe: Recipe | None = None, objects: ObjectStore | None = None
    ) -> VideoSearch:
        stack = Stack(
            name="test",
            store=MemoryStore(path=tmp_path / "store"),
            embedder=embedder,
            objects=objects or LocalObjects(path=tmp_path / "objects"),
            state=tmp_path / "state",
            recipe=recipe or Recipe(window=2.0),
        )
        opened.append(VideoSearch(stack, media))
        return opened[-1]

    yield make
    for search in opened:
        search.close()
