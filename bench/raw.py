"""The engines without polyreel: the best direct calls that we know of, to measure against.

A `Raw` searches the collection that an open store holds, so that both sides look at the same data, and writes
into collections of its own that are made alike. Both sides are given the same records, and what is stored of
them is the same: making ids, payloads and the vectors of words is work of either side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..core.errors import UnsupportedError
from ..core.records import Record, Vector
from ..core.store import VectorStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

Payload = dict[str, Any]


class Raw(ABC):
    """One engine, called directly. A subclass takes the open store, and a folder for what it writes."""

    @abstractmethod
    def __init__(self, store: VectorStore, folder: Path) -> None:
        """Get hold of the engine."""

    @abstractmethod
    def search(self, vector: list[float], limit: int) -> list[Payload]:
        """What is stored beside the nearest vectors."""

    @abstractmethod
    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """The same for several, in the quickest way that the engine has."""

    @abstractmethod
    def begin(self, name: str) -> None:
        """Make an empty collection to write into, like the store's; not timed."""

    @abstractmethod
    def write(self, records: Sequence[Record]) -> None:
        """Write records by one call."""

    @abstractmethod
    def end(self) -> None:
        """Delete what was written since `begin`; not timed."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what was opened beside the store."""


class RawMatrix(Raw):
    """The floor: numpy over the same vectors, and the records themselves."""

    def __init__(self, store: VectorStore, folder: Path) -> None:
        self._records: list[Record] = []
        self._matrix: NDArray[np.float32] = np.empty(
            (store.count(), store.meta.spec.space.dimension), np.float32
        )
        for at, record in enumerate(store.scan(vectors=True)):
            self._matrix[at] = cast("Vector", record.content)
            self._records.append(
                replace(record, content=None)
            )  # as lists of numbers they are eight times as large

    def search(self, vector: list[float], limit: int) -> list[Payload]:
        """One product of a matrix and a vector."""
        return self._nearest(self._matrix @ np.asarray(vector, np.float32), limit)

    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """One product of two matrices."""
        scores = np.asarray(vectors, np.float32) @ self._matrix.T
        return [self._nearest(each, limit) for each in scores]

    def _nearest(self, scores: NDArray[np.float32], limit: int) -> list[Payload]:
        """The records of the highest scores, the best one first."""
        first = np.argpartition(-scores, limit - 1)[:limit] if limit < len(scores) else np.arange(len(scores))
        best = first[np.argsort(-scores[first])]
        return [{"record": self._records[row], "score": float(scores[row])} for row in best]

    def begin(self, name: str) -> None:
        """Nothing."""

    def write(self, records: Sequence[Record]) -> None:
        """Keep the records, and their vectors in a matrix at unit length."""
        kept = {record.id: record for record in records}
        matrix = np.asarray([cast("Vector", record.content) for record in kept.values()], np.float32)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)

    def end(self) -> None:
        """Nothing was kept."""

    def close(self) -> None:
        """Nothing was opened."""


class RawEdge(Raw):
    """Qdrant's engine in process."""

    def __init__(self, store: VectorStore, folder: Path) -> None:
        import qdrant_edge

        from ..backends.qdrant.edge import QdrantEdgeStore

        assert isinstance(store, QdrantEdgeStore)
        self._edge, self._store, self._folder = qdrant_edge, store, folder
        self._written: QdrantEdgeStore | None = None

    def search(self, vector: list[float], limit: int) -> list[Payload]:
        """`EdgeShard.search`, which takes 0.95 of what `query` takes."""
        edge = self._edge
        request = edge.SearchRequest(limit=limit, query=edge.Query.Nearest(vector), with_payload=True)
        return [point.payload or {} for point in self._store._folder.shard.search(request)]

    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """`EdgeShard.query_batch`."""
        edge = self._edge
        requests = [
            edge.QueryRequest(limit=limit, query=edge.Query.Nearest(vector), with_payload=True)
            for vector in vectors
        ]
        found = self._store._folder.shard.query_batch(edge.QueryBatchRequest(requests))
        return [[point.payload or {} for point in hits] for hits in found]

    def begin(self, name: str) -> None:
        """A collection that polyreel's own code makes, so that its indexes are the same."""
        from ..backends.qdrant.edge import QdrantEdgeStore

        self.close()
        self._written = QdrantEdgeStore(path=self._folder)
        self._written.open(replace(self._store.meta.spec, name=name), create=True)

    def write(self, records: Sequence[Record]) -> None:
        """`EdgeShard.update`."""
        from ..backends.qdrant import points
        from ..core import lexical

        assert self._written is not None
        edge, shard, schema = self._edge, self._written._folder.shard, self._store.schema
        batch = []
        for record in records:
            vectors = {"": record.content}
            if self._store._folder.words:
                vectors[points.WORDS] = edge.SparseVector(*points.sparse(lexical.document(record.text)))
            payload = points.payload(record, schema)
            batch.append(edge.Point(points.point_id(record.id), vectors, payload))
        shard.update(edge.UpdateOperation.upsert_points(batch))

    def end(self) -> None:
        """Drop the collection."""
        if self._written:
            self._written.drop()
            self._written = None

    def close(self) -> None:
        """Close the collection that was written."""
        if self._written:
            self._written.close()
            self._written = None


class RawQdrantClient(Raw):
    """Qdrant's client in local mode; one client for both sides, since a folder takes no second."""

    def __init__(self, store: VectorStore, folder: Path) -> None:
        from ..backends.qdrant.local import QdrantLocalStore

        assert isinstance(store, QdrantLocalStore)
        self._store, self._name = store, ""

    def search(self, vector: list[float], limit: int) -> list[Payload]:
        """`query_points`, in float32: a list of floats takes five times as long."""
        from qdrant_client import models

        name, array = self._store.meta.spec.name, self._store._array(vector)
        nearest = models.NearestQuery.model_construct(nearest=array)
        with self._store._using() as client:
            found = client.query_points(name, query=nearest, using="dense", limit=limit, with_payload=True)
        return [point.payload or {} for point in found.points]

    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """`query_batch_points`."""
        from qdrant_client import models

        nearest = [models.NearestQuery.model_construct(nearest=self._store._array(each)) for each in vectors]
        requests = [
            models.QueryRequest.model_construct(query=query, using="dense", limit=limit, with_payload=True)
            for query in nearest
        ]
        with self._store._using() as client:
            found = client.query_batch_points(self._store.meta.spec.name, requests)
        return [[point.payload or {} for point in each.points] for each in found]

    def begin(self, name: str) -> None:
        """A collection beside the store's."""
        from qdrant_client import models

        self._name = name
        size = self._store.meta.spec.space.dimension
        vectors = models.VectorParams(size=size, distance=models.Distance.DOT)
        with self._store._using() as client:
            client.create_collection(
                name,
                vectors_config={"dense": vectors},
                sparse_vectors_config=self._store._words_config(),
            )

    def write(self, records: Sequence[Record]) -> None:
        """`upsert` of unit vectors in points that pydantic doesn't validate again."""
        from qdrant_client import models

        from ..backends.qdrant import points
        from ..core import lexical

        batch = []
        for record in records:
            vectors = {"dense": self._store._dense(cast("Vector", record.content))}
            if self._store._words:
                indices, values = points.sparse(lexical.document(record.text))
                vectors[points.WORDS] = models.SparseVector.model_construct(indices=indices, values=values)
            payload = points.payload(record, self._store.schema)
            id = points.point_id(record.id)
            batch.append(models.PointStruct.model_construct(id=id, vector=vectors, payload=payload))
        with self._store._using() as client:
            client.upsert(self._name, points=batch, wait=True)

    def end(self) -> None:
        """`delete_collection`."""
        with self._store._using() as client:
            client.delete_collection(self._name)

    def close(self) -> None:
        """The client is the store's."""


class RawMilvus(Raw):
    """`MilvusClient`, on a file of Lite or on a server."""

    def __init__(self, store: VectorStore, folder: Path) -> None:
        from ..backends.milvus import MilvusStore

        assert isinstance(store, MilvusStore)
        self._store, self._name = store, ""

    @property
    def _client(self) -> Any:
        assert self._store._connection is not None
        return self._store._connection.client

    def search(self, vector: list[float], limit: int) -> list[Payload]:
        """`search` with the parameters of the index in force."""
        return self.search_many([vector], limit)[0]

    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """`search` with all vectors in one call."""
        from ..backends.milvus import rows

        spec = self._store.meta.spec
        found = self._client.search(
            spec.name,
            data=vectors,
            anns_field=rows.VECTOR,
            limit=limit,
            output_fields=rows.output_fields(spec.fields),
            search_params={"metric_type": "COSINE", "params": self._store._active.search(limit)},
            timeout=60,
        )
        return [[hit["entity"] for hit in hits] for hits in found]

    def begin(self, name: str) -> None:
        """A collection that polyreel's own code makes, so that its indexes are the same."""
        from ..backends.milvus import collection, filtering, tuning

        self._name = name
        spec = replace(self._store.meta.spec, name=name)
        index = tuning.first_index(self._store._index)
        layout = self._store._layout
        collection.make(self._client, spec, layout, tenant=None, where="benchmark")
        kinds = filtering.kinds(self._store._form, self._store._version)
        collection.make_ready(self._client, spec, index, words=layout.words, filtered=kinds)
        self._client.load_collection(name)

    def write(self, records: Sequence[Record]) -> None:
        """Columns, which pymilvus packs in a fifth of the time that its `upsert` takes."""
        from ..backends.milvus import rows

        spec, layout, columns = self._store.meta.spec, self._store._layout, self._store._columns
        batch = [rows.row(record, spec.fields, layout) for record in records]
        self._client.upsert_columns(self._name, columns, batch, timeout=60)

    def end(self) -> None:
        """`drop_collection`."""
        self._client.drop_collection(self._name)

    def close(self) -> None:
        """The client is the store's."""


_KNOWN: Mapping[str, type[Raw]] = {
    "MemoryStore": RawMatrix,
    "QdrantEdgeStore": RawEdge,
    "QdrantLocalStore": RawQdrantClient,
    "MilvusStore": RawMilvus,
}


def direct(store: VectorStore, folder: Path) -> Raw:
    """The direct calls of the engine behind a store.

    Raises:
        UnsupportedError: None are known.
    """
    kind = _KNOWN.get(type(store).__name__)
    if kind is None:
        raise UnsupportedError(f"no direct calls are known of {store.can.form}")
    folder.mkdir(parents=True, exist_ok=True)
    return kind(store, folder)
