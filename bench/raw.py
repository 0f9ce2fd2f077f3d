"""The engines without polyreel: the best direct calls that we know of, to measure against.

A `Raw` searches the collection that an open store holds, so that both sides look at the same data, and writes
into collections of its own that are made alike. What it is given to write was prepared outside of the timed
calls: ids, vectors and payloads as the driver takes them, with all that polyreel keeps of a record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..core.records import Record, Vector
from ..core.store import VectorStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

Payload = dict[str, Any]
BATCH = 500
"""Records in one call, as the base of the stores sends them."""


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
    def prepare(self, records: Sequence[Record]) -> list[Any]:
        """Records as the driver takes them; not timed."""

    @abstractmethod
    def begin(self, name: str) -> None:
        """Make an empty collection to write into, like the store's; not timed."""

    @abstractmethod
    def write(self, rows: list[Any]) -> None:
        """Write what was prepared."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what was opened beside the store."""


class RawMatrix(Raw):
    """The floor: numpy over the same vectors, and the records themselves."""

    def __init__(self, store: VectorStore, folder: Path) -> None:
        self._records = list(store.scan(vectors=True))
        vectors = [cast("Vector", record.content) for record in self._records]
        self._matrix: NDArray[np.float32] = np.asarray(vectors, np.float32)

    def search(self, vector: list[float], limit: int) -> list[Payload]:
        """One product of a matrix and a vector."""
        scores = self._matrix @ np.asarray(vector, np.float32)
        first = np.argpartition(-scores, limit)[:limit]
        best = first[np.argsort(-scores[first])]
        return [{"record": self._records[row], "score": float(scores[row])} for row in best]

    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """One product of two matrices."""
        scores = self._matrix @ np.asarray(vectors, np.float32).T
        first = np.argpartition(-scores, limit, axis=0)[:limit]
        return [
            [{"record": self._records[row], "score": float(scores[row, at])} for row in first[:, at]]
            for at in range(len(vectors))
        ]

    def prepare(self, records: Sequence[Record]) -> list[Any]:
        """As they are."""
        return list(records)

    def begin(self, name: str) -> None:
        """Nothing."""

    def write(self, rows: list[Any]) -> None:
        """Keep the rows, and their vectors in a matrix at unit length."""
        kept = {row.id: row for row in rows}
        matrix = np.asarray([row.content for row in kept.values()], np.float32)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)

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
        """`EdgeShard.query`."""
        edge = self._edge
        request = edge.QueryRequest(limit=limit, query=edge.Query.Nearest(vector), with_payload=True)
        return [point.payload or {} for point in self._store._folder.shard.query(request)]

    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """`EdgeShard.query_batch`."""
        edge = self._edge
        requests = [
            edge.QueryRequest(limit=limit, query=edge.Query.Nearest(vector), with_payload=True)
            for vector in vectors
        ]
        found = self._store._folder.shard.query_batch(edge.QueryBatchRequest(requests))
        return [[point.payload or {} for point in hits] for hits in found]

    def prepare(self, records: Sequence[Record]) -> list[Any]:
        """Ids, vectors (those of words, too) and payloads."""
        from ..backends.qdrant import points
        from ..core import lexical

        schema = self._store.schema
        rows = []
        for record in records:
            words = points.sparse(lexical.document(record.text))
            payload = points.payload(record, schema)
            rows.append((points.point_id(record.id), record.content, words, payload))
        return rows

    def begin(self, name: str) -> None:
        """A collection that polyreel's own code makes, so that its indexes are the same."""
        from dataclasses import replace

        from ..backends.qdrant.edge import QdrantEdgeStore

        self.close()
        self._written = QdrantEdgeStore(path=self._folder)
        self._written.open(replace(self._store.meta.spec, name=name), create=True)

    def write(self, rows: list[Any]) -> None:
        """`EdgeShard.update` in batches."""
        assert self._written is not None
        edge, shard = self._edge, self._written._folder.shard
        for at in range(0, len(rows), BATCH):
            points = [
                edge.Point(id, {"": vector, "words": edge.SparseVector(*words)}, payload)
                for id, vector, words, payload in rows[at : at + BATCH]
            ]
            shard.update(edge.UpdateOperation.upsert_points(points))

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
        """`query_points`."""
        name = self._store.meta.spec.name
        with self._store._using() as client:
            found = client.query_points(name, query=vector, using="dense", limit=limit, with_payload=True)
        return [point.payload or {} for point in found.points]

    def search_many(self, vectors: list[list[float]], limit: int) -> list[list[Payload]]:
        """`query_batch_points`."""
        from qdrant_client import models

        requests = [
            models.QueryRequest.model_construct(query=vector, using="dense", limit=limit, with_payload=True)
            for vector in vectors
        ]
        with self._store._using() as client:
            found = client.query_batch_points(self._store.meta.spec.name, requests)
        return [[point.payload or {} for point in each.points] for each in found]

    def prepare(self, records: Sequence[Record]) -> list[Any]:
        """Ids, vectors (those of words, too) and payloads."""
        from qdrant_client import models

        from ..backends.qdrant import points
        from ..core import lexical

        rows = []
        for record in records:
            indices, values = points.sparse(lexical.document(record.text))
            words = models.SparseVector.model_construct(indices=indices, values=values)
            vectors = {"dense": record.content, "words": words}
            rows.append((points.point_id(record.id), vectors, points.payload(record, self._store.schema)))
        return rows

    def begin(self, name: str) -> None:
        """A collection beside the store's."""
        from qdrant_client import models

        self._name = name
        vectors = models.VectorParams(
            size=self._store.meta.spec.space.dimension, distance=models.Distance.COSINE
        )
        with self._store._using() as client:
            client.create_collection(
                name,
                vectors_config={"dense": vectors},
                sparse_vectors_config={"words": models.SparseVectorParams()},
            )

    def write(self, rows: list[Any]) -> None:
        """`upsert` in batches, of points that pydantic doesn't validate again."""
        from qdrant_client import models

        with self._store._using() as client:
            for at in range(0, len(rows), BATCH):
                points = [
                    models.PointStruct.model_construct(id=id, vector=vectors, payload=payload)
                    for id, vectors, payload in rows[at : at + BATCH]
                ]
                client.upsert(self._name, points=points, wait=True)

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

    def prepare(self, records: Sequence[Record]) -> list[Any]:
        """Rows."""
        from ..backends.milvus import rows

        spec, words = self._store.meta.spec, self._store._words
        return [rows.row(record, spec.fields, spec.space.metric, words=words) for record in records]

    def begin(self, name: str) -> None:
        """A collection that polyreel's own code makes, so that its indexes are the same."""
        from dataclasses import replace

        from ..backends.milvus import collection, tuning

        self._name = name
        spec = replace(self._store.meta.spec, name=name)
        index = tuning.first_index(self._store._index)
        collection.make(self._client, spec, tenant=None, words=self._store._words, where="benchmark")
        collection.make_ready(self._client, spec, index, words=self._store._words)
        self._client.load_collection(name)

    def write(self, rows: list[Any]) -> None:
        """`upsert` in batches."""
        for at in range(0, len(rows), BATCH):
            self._client.upsert(self._name, rows[at : at + BATCH], timeout=60)

    def close(self) -> None:
        """The client is the store's."""
