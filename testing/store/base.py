"""What every part of the contract uses: fixtures and the author's hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, cast
from zlib import crc32

import numpy as np
import pytest

from ...core.capabilities import Feature
from ...core.fields import FieldType
from ...core.filters import ALL, Filter
from ...core.media import Media, Modality
from ...core.records import Record, Vector
from ...core.requests import Answer, Near, NearVector, SearchRequest
from ...core.space import CollectionSpec, Metric, Space
from ...core.store import VectorStore
from ..gaps import Gaps
from .rows import DIMENSION, SCHEMA, vectors

MakeStore = Callable[[], VectorStore]


class StoreTests(Gaps):
    """Fixtures and hooks. An author writes `make_store`, and the rest where a store differs.

    `make_store` gives a function that makes a store which isn't open. Called twice it reaches the same place,
    so that what the first wrote is there for the second after a close; a form that keeps nothing may return
    the same instance again. Where a form is durable the function must be one that `pickle` takes to another
    process, such as `functools.partial(MyStore, path=tmp_path)`.
    """

    metrics: ClassVar[Sequence[Metric]] = (Metric.COSINE,)
    """The metrics that the store has."""

    media: ClassVar[frozenset[Modality]] = frozenset()
    """What the collection is handed; nothing for vectors."""

    # -- the author's hooks -------------------------------------------------------------------------------

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """A function that makes stores of one place; every author writes it."""
        raise NotImplementedError("write the fixture make_store, which returns a function that makes a store")

    def space(self, metric: Metric = Metric.COSINE) -> Space:
        """The space of the collection; a store that vectorizes has its own."""
        return Space("contract", "made-up", "1", DIMENSION, metric, {"query": "find: "})

    def content(self, vector: Sequence[float]) -> Vector | Media:
        """What a record carries so that its vector is this one."""
        return vector

    def near(self, vector: Sequence[float]) -> Near:
        """A query whose vector is this one."""
        return NearVector(vector)

    # -- what the tests use -------------------------------------------------------------------------------

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Iterator[VectorStore]:
        """An open store with an empty collection."""
        with make_store() as store:
            store.open(self.spec(), create=True)
            yield store

    def spec(
        self,
        name: str = "contract",
        *,
        metric: Metric = Metric.COSINE,
        fields: Mapping[str, FieldType] = SCHEMA,
    ) -> CollectionSpec:
        """The collection that the tests use."""
        return CollectionSpec(name, self.space(metric), fields, self.media)

    def record(self, id: str, vector: Sequence[float] | None = None, **parts: object) -> Record:
        """A record of a video of its own, with a vector that belongs to its id when none is given."""
        content = self.content(vectors(1, seed=crc32(id.encode()))[0] if vector is None else vector)
        given = {"video_id": f"video of {id}", "uri": "file:///video.mp4", **parts}
        return Record(id=id, content=content, **given)  # type: ignore[arg-type]

    def records(self, count: int, *, seed: int = 7, prefix: str = "r") -> list[Record]:
        """Records `r0`, `r1`, … with random vectors; `r0` to `r4` share a video, and so on."""
        return [
            self.record(f"{prefix}{n}", vector, video_id=f"video {n // 5}", fields={"year": n})
            for n, vector in enumerate(vectors(count, seed=seed))
        ]

    def write(self, store: VectorStore, records: Iterable[Record]) -> None:
        """Write, and wait until it can be found."""
        store.wait(store.upsert(records))

    def erase(
        self, store: VectorStore, ids: Sequence[str] | None = None, *, where: Filter | None = None
    ) -> None:
        """Delete, and wait until it is gone."""
        store.wait(store.delete(ids, where=where))

    def search(self, store: VectorStore, vector: Sequence[float], **parts: object) -> Answer:
        """The answer to one request."""
        (answer,) = store.search([SearchRequest(self.near(vector), **parts)])  # type: ignore[arg-type]
        return answer

    def found(self, store: VectorStore, vector: Sequence[float], **parts: object) -> list[str]:
        """The ids that one request finds, best first."""
        return [hit.id for hit in self.search(store, vector, **parts).hits]

    def scores(self, store: VectorStore, vector: Sequence[float], **parts: object) -> dict[str, float]:
        """The score of every record that is found, by id."""
        return {hit.id: hit.score for hit in self.search(store, vector, limit=100, **parts).hits}

    def stored(self, store: VectorStore, where: Filter = ALL) -> set[str]:
        """The ids that a scan gives, each of which it must give once."""
        ids = [record.id for record in store.scan(where)]
        assert len(ids) == len(set(ids)), "a scan gave a record twice"
        return set(ids)


def require(store: VectorStore, feature: Feature) -> None:
    """Skip a test of something that this form doesn't have."""
    if feature not in store.can.features:
        pytest.skip(f"{store.can.form} doesn't have the feature {feature}")


def direction(record: Record) -> list[float]:
    """A fetched record's vector at unit length, in which cosine stores may give it back."""
    values = np.asarray(cast("Vector", record.content), np.float64)
    return [float(value) for value in values / np.linalg.norm(values)]
