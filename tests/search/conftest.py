"""Stacks over the memory store, and clips of plain colours that are written in milliseconds."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import av
import numpy as np
import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.fields import FieldType
from polyreel.core.recipe import Recipe
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from polyreel.core.embedder import Embedder
    from polyreel.core.store import VectorStore

COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 220),
    "white": (240, 240, 240),
    "black": (10, 10, 10),
    "yellow": (230, 220, 20),
}


def write_clip(path: Path, colours: Sequence[str], *, seconds: float = 2.0, fps: int = 10) -> Path:
    """A video that shows each colour for `seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for colour in colours:
            picture = np.full((48, 64, 3), COLOURS[colour], np.uint8)
            for _ in range(round(seconds * fps)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


class OpenSearch(Protocol):
    def __call__(
        self,
        *,
        embedder: Embedder | None = None,
        store: VectorStore | None = None,
        recipe: Recipe | None = None,
        copy: bool = False,
        fields: Mapping[str, FieldType] | None = None,
    ) -> VideoSearch: ...


@pytest.fixture
def open_search(tmp_path: Path) -> Iterator[OpenSearch]:
    """Opens searches over one folder; a second one sees what the first took in, once that is closed."""
    opened: list[VideoSearch] = []

    def make(
        *,
        embedder: Embedder | None = None,
        store: VectorStore | None = None,
        recipe: Recipe | None = None,
        copy: bool = False,
        fields: Mapping[str, FieldType] | None = None,
    ) -> VideoSearch:
        stack = Stack(
            name="test",
            store=store or MemoryStore(path=tmp_path / "store"),
            embedder=embedder or (None if store and store.vectorizes else ColourEmbedder()),
            objects=LocalObjects(path=tmp_path / "objects", copy=copy),
            state=tmp_path / "state",
            fields={"year": FieldType.INT, "place": FieldType.STRING, **(fields or {})},
            recipe=recipe or Recipe(window=2.0),
        )
        opened.append(VideoSearch(stack, media))
        return opened[-1]

    yield make
    for search in opened:
        search.close()


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos: red then green, blue, and white then black then yellow."""
    folder = tmp_path / "videos"
    write_clip(folder / "traffic.mp4", ["red", "green"])
    write_clip(folder / "sea.mp4", ["blue"])
    write_clip(folder / "chess.mp4", ["white", "black", "yellow"])
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> PictureOf:
    """Writes a picture of one colour."""

    def write(colour: str) -> Path:
        clip = write_clip(tmp_path / "pictures" / f"{colour}.mp4", [colour], seconds=0.2)
        media.thumbnail(clip, clip.with_suffix(".jpg"), at_ms=0)
        return clip.with_suffix(".jpg")

    return write


class PictureOf(Protocol):
    def __call__(self, colour: str) -> Path: ...
