"""The same random collection in three stores, and plain numpy over the same rows to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.embedder import Embedded, Embedder, HandOver, Takes
from polyreel.core.levels import Levels
from polyreel.core.media import Media, Modality
from polyreel.core.records import Channel, Record, Text
from polyreel.core.search import VideoSearch
from polyreel.core.space import Space
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from polyreel.core.records import Hit
    from polyreel.core.result import Result
    from polyreel.core.store import VectorStore

    Row = NDArray[np.float64]

DIMENSION = 12
VIDEOS = 14
CLIPS = 9
"""Of each video, 5 s long; after the third and the sixth there is a gap of a second."""


class NamesEmbedder(Embedder):
    """A random vector for each text, and for the content of each file; several are joined to another one."""

    kind: ClassVar[str] = "names"
    takes = Takes.FRAMES
    joint = True
    levels: ClassVar[Mapping[Modality, Levels]] = {Modality.TEXT: Levels(medium=0.3, high=0.6)}

    def __init__(self) -> None:
        super().__init__()
        self.space = Space(self.kind, "sha256", "1", DIMENSION)
        file = HandOver(frozenset({"file"}))
        self.accepts = {Modality.TEXT: file, Modality.IMAGE: file}

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        return Embedded(list(vector_of(*(part.text or _content(part) for part in parts))))


def vector_of(*names: str) -> Row:
    """What the embedder makes of these together; not of length 1."""
    seed = int.from_bytes(sha256("|".join(names).encode()).digest()[:8])
    return np.random.default_rng(seed).normal(size=DIMENSION)


def _content(part: Media) -> str:
    return (part.path or Path()).read_text()


@dataclass(frozen=True)
class World:
    """An open search, and the rows that it holds, with vectors of length 1."""

    search: VideoSearch
    records: Sequence[Record]
    rows: Row

    def cosines(self, query: Row) -> dict[str, float]:
        """Of every record with a query."""
        found = self.rows @ (query / np.linalg.norm(query))
        return {record.id: float(score) for record, score in zip(self.records, found, strict=True)}

    def of(self, id: str) -> Record:
        return next(record for record in self.records if record.id == id)

    def row(self, id: str) -> Row:
        row: Row = self.rows[[record.id for record in self.records].index(id)]
        return row

    def only(self, channel: Channel) -> list[Record]:
        return [record for record in self.records if record.channel is channel]


def unit(vector: Row) -> Row:
    made: Row = vector / np.linalg.norm(vector)
    return made


def ranks(scores: Mapping[str, float]) -> dict[str, int]:
    """From 1 on; equally good ones share a rank."""
    return {key: 1 + sum(other > score + 1e-5 for other in scores.values()) for key, score in scores.items()}


def pages(result: Result) -> list[Hit]:
    """The hits of this page and of all after it."""
    found: list[Hit] = []
    while result.hits:
        found += result.hits
        result = result.more()
    return found


def make_records(channels: Sequence[Channel]) -> tuple[list[Record], Row]:
    """Clips whose vectors lie near their video's, so that neighbours are alike."""
    rng = np.random.default_rng(7)
    records, rows = [], []
    for video in range(VIDEOS):
        centre = rng.normal(size=DIMENSION)
        for clip in range(CLIPS):
            start = clip * 5000 + clip // 3 * 1000
            for channel in channels:
                row = unit(centre + 0.8 * rng.normal(size=DIMENSION)).astype(np.float32).astype(np.float64)
                rows.append(row)
                records.append(
                    Record(
                        f"{video}-{clip}-{channel}", f"v{video}", f"file:///v{video}.mp4", start_ms=start,
                        end_ms=start + 5000, channel=channel, content=row.tolist(),
                        text=Text(title="beach" if video % 3 else "city", caption=f"clip {clip}"),
                    )
                )  # fmt: skip
    return records, np.stack(rows)


def store_of(kind: str, folder: Path) -> VectorStore:
    if kind == "edge":
        from polyreel.backends.qdrant import QdrantEdgeStore

        return QdrantEdgeStore(path=folder / "edge")
    if kind == "milvus_lite":
        from polyreel.backends.milvus import MilvusStore

        return MilvusStore(path=folder / "lite.db")
    return MemoryStore()


STORES = ("memory", "edge", "milvus_lite")


def opened(kind: str, folder: Path, channels: Sequence[Channel]) -> Iterator[World]:
    records, rows = make_records(channels)
    stack = Stack(
        "test",
        store_of(kind, folder),
        NamesEmbedder(),
        LocalObjects(path=folder / "objects"),
        folder / "state",
    )
    with VideoSearch(stack, media) as search:
        store = search._opened(create=True)
        store.wait(store.upsert(records))
        yield World(search, records, rows)


@pytest.fixture(scope="module", params=STORES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Clips of one channel; not to be changed."""
    yield from opened(request.param, tmp_path_factory.mktemp(request.param), [Channel.FUSED])


@pytest.fixture(scope="module", params=STORES)
def heard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same with two channels; not to be changed."""
    channels = [Channel.VISUAL, Channel.AUDIO]
    yield from opened(request.param, tmp_path_factory.mktemp(request.param), channels)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file that the embedder takes for a picture."""
    path = tmp_path / "sea.jpg"
    path.write_text("a picture of the sea")
    return path
