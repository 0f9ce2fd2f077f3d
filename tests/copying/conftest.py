"""Stacks of their own to copy between, each with everything it keeps in a folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.backends.qdrant import QdrantEdgeStore
from polyreel.core.recipe import Recipe
from polyreel.core.records import Record
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder
from polyreel.testing.store.rows import DIMENSION, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from polyreel.core.fields import FieldType
    from polyreel.core.store import VectorStore


class Small(ColourEmbedder):
    """Never asked; has the space of the rows that the conformance tests write."""

    def __init__(self, version: str = "1", dimension: int = DIMENSION) -> None:
        super().__init__()
        self.space = replace(self.space, version=version, dimension=dimension)


class OpenStack(Protocol):
    def __call__(
        self,
        name: str,
        kind: str = "memory",
        *,
        fields: Mapping[str, FieldType] | None = None,
        embedder: ColourEmbedder | None = None,
        store: VectorStore | None = None,
        objects: str | None = None,
        copy: bool = False,
    ) -> VideoSearch: ...


@pytest.fixture
def open_stack(tmp_path: Path) -> Iterator[OpenStack]:
    """Opens the stack of a name; after it was closed, a second one sees what the first one kept."""
    opened: list[VideoSearch] = []

    def make(
        name: str,
        kind: str = "memory",
        *,
        fields: Mapping[str, FieldType] | None = None,
        embedder: ColourEmbedder | None = None,
        store: VectorStore | None = None,
        objects: str | None = None,
        copy: bool = False,
    ) -> VideoSearch:
        folder = tmp_path / name
        kinds = {"memory": MemoryStore, "edge": QdrantEdgeStore}
        stack = Stack(
            name=name,
            store=store or kinds[kind](path=folder / "store"),
            embedder=None if store and store.vectorizes else embedder or Small(),
            objects=LocalObjects(path=tmp_path / objects if objects else folder / "objects", copy=copy),
            state=folder / "state",
            fields=SCHEMA if fields is None else fields,
            recipe=Recipe(window=2.0),
        )
        opened.append(VideoSearch(stack, media))
        return opened[-1]

    yield make
    for search in opened:
        search.close()


def put(search: VideoSearch, records: Iterable[Record]) -> None:
    """Write records past the ingest."""
    search._opened(create=True).upsert(records)


def contents(search: VideoSearch) -> dict[str, tuple[Record, list[float]]]:
    """All that a store has, by id; vectors at unit length and rounded, as engines keep them differently."""
    return {
        record.id: (replace(record, content=None), unit(record))
        for record in search._opened().scan(vectors=True)
    }


def unit(record: Record) -> list[float]:
    values = [float(value) for value in record.content]  # type: ignore[union-attr]
    length = sum(value * value for value in values) ** 0.5
    return [round(value / length, 5) + 0.0 for value in values]


def many(count: int) -> list[Record]:
    """Records of videos that have ten each."""
    return [
        Record(
            id=f"record {number}",
            video_id=f"video {number // 10}",
            uri=f"file:///videos/{number // 10}.mp4",
            start_ms=number % 10 * 1000,
            end_ms=number % 10 * 1000 + 1000,
            content=[float(1 + number % 7), *[float((number >> bit) % 2) for bit in range(DIMENSION - 1)]],
            fields={"year": number},
        )
        for number in range(count)
    ]
