"""Collections with known clusters, made of vectors and not of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("sklearn")

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.embedder import Embedder
from polyreel.core.fields import FieldType
from polyreel.core.records import Record, Text
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder

if TYPE_CHECKING:
    from polyreel.core.store import VectorStore

START = datetime(2024, 1, 1, tzinfo=UTC)
SCENES = {
    "beach": ("Waves at the beach", ("sea", "sand")),
    "city": ("Lights of the city", ("night", "cars")),
    "forest": ("Walk in the forest", ("trees",)),
}

Fill = Callable[[Sequence[Record]], VideoSearch]


@pytest.fixture
def open_stack(tmp_path: Path) -> Iterator[Callable[..., VideoSearch]]:
    """Opens an empty collection."""
    opened: list[VideoSearch] = []

    def make(
        *,
        store: VectorStore | None = None,
        embedder: Embedder | None = None,
        fields: Mapping[str, FieldType] | None = None,
    ) -> VideoSearch:
        stack = Stack(
            name="test",
            store=store or MemoryStore(path=tmp_path / "store"),
            embedder=embedder or ColourEmbedder(),
            objects=LocalObjects(path=tmp_path / "objects"),
            state=tmp_path / "state",
            fields={"taken": FieldType.DATETIME} if fields is None else fields,
        )
        opened.append(VideoSearch(stack, media))
        opened[-1]._opened(create=True)
        return opened[-1]

    yield make
    for search in opened:
        search.close()


@pytest.fixture
def fill(open_stack: Callable[..., VideoSearch]) -> Fill:
    """A collection that holds these records."""

    def make(records: Sequence[Record]) -> VideoSearch:
        search = open_stack()
        search.stack.store.upsert(records)
        return search

    return make


def scenes(each: int = 12, *, seed: int = 3) -> list[Record]:
    """Records of three scenes, each round a direction of its own; later ones are of the forest."""
    rng = np.random.default_rng(seed)
    made = []
    for place, (scene, (title, tags)) in enumerate(SCENES.items()):
        middle = np.eye(13)[place * 4]
        for number in range(each):
            vector = middle + 0.08 * rng.normal(size=13)
            month = number % 2 + (6 if scene == "forest" else 0)
            made.append(
                Record(
                    f"{scene}-{number}",
                    f"video {scene} {number // 3}",
                    f"file:///videos/{scene}_{number // 3}.mp4",
                    start_ms=number % 3 * 5000,
                    end_ms=number % 3 * 5000 + 5000,
                    content=vector.tolist(),
                    text=Text(title, tags),
                    fields={"taken": START + timedelta(days=31 * month)},
                )
            )
    return made


def copied(record: Record, id: str, video_id: str) -> Record:
    """The same moment in another video."""
    return replace(record, id=id, video_id=video_id)
