"""Tutorials and other libraries on polyreel's engines, each used as its own documentation shows.

None embeds anything: they are handed vectors, a text of each, and what else is known of it.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

LIMIT = 10
"""Hits of a search."""

Metadata = dict[str, str | int]


class Peer(ABC):
    """One way of keeping and searching vectors. A subclass takes a folder of its own, and the dimension."""

    name: str
    engine: str
    """Which of polyreel's engines it is compared with."""

    @abstractmethod
    def write(self, vectors: list[list[float]], texts: list[str], metadata: list[Metadata]) -> None:
        """Keep more vectors with their texts, and with what else is known of them."""

    @abstractmethod
    def search(self, vector: list[float]) -> Sequence[object]:
        """The ten nearest, with what is stored beside them."""


def given(dimension: int, vectors: list[list[float]]) -> Any:
    """LangChain's embedding functions, over vectors that are there already: each is given out once."""
    from langchain_core.embeddings import Embeddings

    class Given(Embeddings):  # type: ignore[misc]  # typed where the package is installed
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            taken = vectors[: len(texts)]
            del vectors[: len(texts)]
            return taken or [self.embed_query(text) for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return [1.0] * dimension  # some libraries ask for one to learn its length

    return Given()


class MilvusTutorial(Peer):
    """The quick start of Milvus Lite: `create_collection`, `insert`, `search`."""

    name, engine = "Milvus Lite's quick start", "milvus_lite"

    def __init__(self, folder: Path, dimension: int) -> None:
        from pymilvus import MilvusClient

        self._client = MilvusClient(str(folder / "tutorial.db"))
        self._client.create_collection("demo", dimension=dimension)
        self._next = count()

    def write(self, vectors: list[list[float]], texts: list[str], metadata: list[Metadata]) -> None:
        """`insert`, what is known of a vector as dynamic fields."""
        rows = [
            {"id": next(self._next), "vector": vector, "text": text, **known}
            for vector, text, known in zip(vectors, texts, metadata, strict=True)
        ]
        self._client.insert("demo", rows)

    def search(self, vector: list[float]) -> Sequence[object]:
        """As the quick start does, with all but the vector."""
        found: Any = self._client.search("demo", data=[vector], limit=LIMIT, output_fields=["*"])
        return list(found[0])


class QdrantTutorial(Peer):
    """The quick start of Qdrant's client in local mode: `create_collection`, `upsert`, `query_points`."""

    name, engine = "Qdrant's quick start, in memory", "qdrant_local"
    in_memory = True

    def __init__(self, folder: Path, dimension: int) -> None:
        from qdrant_client import QdrantClient, models

        self._models = models
        self._client = (
            QdrantClient(":memory:") if self.in_memory else QdrantClient(path=str(folder / "qdrant"))
        )
        parameters = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
        self._client.create_collection("demo", vectors_config=parameters)
        self._next = count()

    def write(self, vectors: list[list[float]], texts: list[str], metadata: list[Metadata]) -> None:
        """`upsert` of points."""
        points = [
            self._models.PointStruct(id=next(self._next), vector=vector, payload={"text": text, **known})
            for vector, text, known in zip(vectors, texts, metadata, strict=True)
        ]
        self._client.upsert("demo", points=points, wait=True)

    def search(self, vector: list[float]) -> Sequence[object]:
        """As the quick start does."""
        return self._client.query_points("demo", query=vector, limit=LIMIT, with_payload=True).points


class LangChainQdrant(QdrantTutorial):
    """`langchain-qdrant` over a client in local mode."""

    name = "langchain-qdrant, in memory"

    def __init__(self, folder: Path, dimension: int) -> None:
        from langchain_qdrant import QdrantVectorStore

        super().__init__(folder, dimension)
        self._vectors: list[list[float]] = []
        self._store = QdrantVectorStore(self._client, "demo", given(dimension, self._vectors))

    def write(self, vectors: list[list[float]], texts: list[str], metadata: list[Metadata]) -> None:
        """`add_texts`."""
        self._vectors.extend(vectors)
        self._store.add_texts(texts, metadatas=metadata)

    def search(self, vector: list[float]) -> Sequence[object]:
        """`similarity_search_with_score_by_vector`."""
        found: Sequence[object] = self._store.similarity_search_with_score_by_vector(vector, k=LIMIT)
        return found


class QdrantTutorialInFolder(QdrantTutorial):
    """The same with `path`, which outlives the process, as polyreel's default engine does."""

    name, engine = "Qdrant's quick start, in a folder", "qdrant_folder"
    in_memory = False


class LangChainQdrantInFolder(LangChainQdrant):
    """The same with `path`."""

    name, engine = "langchain-qdrant, in a folder", "qdrant_folder"
    in_memory = False


class LangChainMilvus(Peer):
    """`langchain-milvus` over a file of Milvus Lite."""

    name, engine = "langchain-milvus", "milvus_lite"

    def __init__(self, folder: Path, dimension: int) -> None:
        from langchain_milvus import Milvus

        self._vectors: list[list[float]] = []
        where = {"uri": str(folder / "langchain.db")}
        index = {"index_type": "FLAT", "metric_type": "COSINE"}
        self._store = Milvus(
            given(dimension, self._vectors), connection_args=where, index_params=index, auto_id=True
        )

    def write(self, vectors: list[list[float]], texts: list[str], metadata: list[Metadata]) -> None:
        """`add_texts`."""
        self._vectors.extend(vectors)
        self._store.add_texts(texts, metadatas=metadata)

    def search(self, vector: list[float]) -> Sequence[object]:
        """`similarity_search_with_score_by_vector`."""
        found: Sequence[object] = self._store.similarity_search_with_score_by_vector(vector, k=LIMIT)
        return found


class _Haystack(Peer):
    """A document store of Haystack."""

    _store: Any

    def write(self, vectors: list[list[float]], texts: list[str], metadata: list[Metadata]) -> None:
        """`write_documents`."""
        from haystack import Document

        documents = [
            Document(id=uuid.uuid4().hex, content=text, embedding=vector, meta=dict(known))
            for vector, text, known in zip(vectors, texts, metadata, strict=True)
        ]
        self._store.write_documents(documents)


class HaystackQdrant(_Haystack):
    """`qdrant-haystack` in memory."""

    name, engine = "qdrant-haystack, in memory", "qdrant_local"

    def __init__(self, folder: Path, dimension: int) -> None:
        from haystack_integrations.components.retrievers.qdrant import QdrantEmbeddingRetriever
        from haystack_integrations.document_stores.qdrant import QdrantDocumentStore

        self._store = QdrantDocumentStore(":memory:", embedding_dim=dimension, progress_bar=False)
        self._retriever = QdrantEmbeddingRetriever(self._store, top_k=LIMIT)

    def search(self, vector: list[float]) -> Sequence[object]:
        """`QdrantEmbeddingRetriever.run`."""
        found: Sequence[object] = self._retriever.run(query_embedding=vector)["documents"]
        return found


class HaystackMilvus(_Haystack):
    """`milvus-haystack` over a file of Milvus Lite."""

    name, engine = "milvus-haystack", "milvus_lite"

    def __init__(self, folder: Path, dimension: int) -> None:
        from milvus_haystack import MilvusDocumentStore, MilvusEmbeddingRetriever

        where = {"uri": str(folder / "haystack.db")}
        index = {"index_type": "FLAT", "metric_type": "COSINE"}
        self._store = MilvusDocumentStore(connection_args=where, index_params=index, drop_old=True)
        self._retriever = MilvusEmbeddingRetriever(self._store, top_k=LIMIT)

    def search(self, vector: list[float]) -> Sequence[object]:
        """`MilvusEmbeddingRetriever.run`."""
        found: Sequence[object] = self._retriever.run(query_embedding=vector)["documents"]
        return found


PEERS: tuple[type[Any], ...] = (
    QdrantTutorial,
    LangChainQdrant,
    HaystackQdrant,
    QdrantTutorialInFolder,
    LangChainQdrantInFolder,
    MilvusTutorial,
    LangChainMilvus,
    HaystackMilvus,
)
