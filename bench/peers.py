"""Measures polyreel against tutorials, LangChain and Haystack on the same engines: `make bench-stores`.

    python -m polyreel.bench.peers [--records 10000]

The same vectors, the same text beside them, ten hits with what is stored, one process; searches in turns,
writing once, one after the other, so that only large factors of it say something. Each library is used as its
own documentation shows, with its own batch sizes; none embeds anything. polyreel is timed from
`VideoSearch` on, with flush and indexes included in its writing, since an ingest does both.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import uuid
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..core.search import VideoSearch
from . import vectors
from .conditions import Fields
from .stacks import chosen, opened
from .timing import Way, compare
from .vectors import Data

_LIMIT = 10


class Peer(ABC):
    """One way of keeping and searching vectors."""

    name: str
    engine: str
    """Which of polyreel's engines it is compared with."""

    @abstractmethod
    def write(self, vectors: list[list[float]], texts: list[str]) -> None:
        """Keep all vectors with their texts."""

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

    def write(self, vectors: list[list[float]], texts: list[str]) -> None:
        """In one call a thousand, as a single one would pass a server's limit."""
        rows = [
            {"id": at, "vector": vector, "text": text}
            for at, (vector, text) in enumerate(zip(vectors, texts, strict=True))
        ]
        for at in range(0, len(rows), 1000):
            self._client.insert("demo", rows[at : at + 1000])

    def search(self, vector: list[float]) -> Sequence[object]:
        """As the quick start does."""
        found: Any = self._client.search("demo", data=[vector], limit=_LIMIT, output_fields=["text"])
        return list(found[0])


class QdrantTutorial(Peer):
    """The quick start of Qdrant's client in local mode: `create_collection`, `upsert`, `query_points`."""

    name, engine = "Qdrant's quick start, in memory", "qdrant_local"

    def __init__(self, folder: Path, dimension: int) -> None:
        from qdrant_client import QdrantClient, models

        self._models = models
        self._client = QdrantClient(":memory:")
        parameters = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
        self._client.create_collection("demo", vectors_config=parameters)

    def write(self, vectors: list[list[float]], texts: list[str]) -> None:
        """Points in batches of a thousand."""
        points = [
            self._models.PointStruct(id=at, vector=vector, payload={"text": text})
            for at, (vector, text) in enumerate(zip(vectors, texts, strict=True))
        ]
        for at in range(0, len(points), 1000):
            self._client.upsert("demo", points=points[at : at + 1000], wait=True)

    def search(self, vector: list[float]) -> Sequence[object]:
        """As the quick start does."""
        return self._client.query_points("demo", query=vector, limit=_LIMIT, with_payload=True).points


class LangChainQdrant(QdrantTutorial):
    """`langchain-qdrant` over a client in local mode."""

    name = "langchain-qdrant, in memory"

    def __init__(self, folder: Path, dimension: int) -> None:
        from langchain_qdrant import QdrantVectorStore

        super().__init__(folder, dimension)
        self._vectors: list[list[float]] = []
        self._store = QdrantVectorStore(self._client, "demo", given(dimension, self._vectors))

    def write(self, vectors: list[list[float]], texts: list[str]) -> None:
        """`add_texts`."""
        self._vectors.extend(vectors)
        self._store.add_texts(texts)

    def search(self, vector: list[float]) -> Sequence[object]:
        """`similarity_search_with_score_by_vector`."""
        found: Sequence[object] = self._store.similarity_search_with_score_by_vector(vector, k=_LIMIT)
        return found


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

    def write(self, vectors: list[list[float]], texts: list[str]) -> None:
        """`add_texts`."""
        self._vectors.extend(vectors)
        self._store.add_texts(texts)

    def search(self, vector: list[float]) -> Sequence[object]:
        """`similarity_search_with_score_by_vector`."""
        found: Sequence[object] = self._store.similarity_search_with_score_by_vector(vector, k=_LIMIT)
        return found


class _Haystack(Peer):
    """A document store of Haystack."""

    _store: Any

    def write(self, vectors: list[list[float]], texts: list[str]) -> None:
        """`write_documents`."""
        from haystack import Document

        documents = [
            Document(id=uuid.uuid4().hex, content=text, embedding=vector)
            for vector, text in zip(vectors, texts, strict=True)
        ]
        self._store.write_documents(documents)


class HaystackQdrant(_Haystack):
    """`qdrant-haystack` in memory."""

    name, engine = "qdrant-haystack, in memory", "qdrant_local"

    def __init__(self, folder: Path, dimension: int) -> None:
        from haystack_integrations.components.retrievers.qdrant import QdrantEmbeddingRetriever
        from haystack_integrations.document_stores.qdrant import QdrantDocumentStore

        self._store = QdrantDocumentStore(":memory:", embedding_dim=dimension, progress_bar=False)
        self._retriever = QdrantEmbeddingRetriever(self._store, top_k=_LIMIT)

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
        self._retriever = MilvusEmbeddingRetriever(self._store, top_k=_LIMIT)

    def search(self, vector: list[float]) -> Sequence[object]:
        """`MilvusEmbeddingRetriever.run`."""
        found: Sequence[object] = self._retriever.run(query_embedding=vector)["documents"]
        return found


PEERS: tuple[type[Any], ...] = (
    QdrantTutorial,
    LangChainQdrant,
    HaystackQdrant,
    MilvusTutorial,
    LangChainMilvus,
    HaystackMilvus,
)


def run(records: int, rounds: int) -> list[str]:
    """Lines of a table: each peer, and polyreel on its engine and on its default stack."""
    data = Data.clustered(records, 512)
    queries = data.queries.tolist()
    lines = [
        "peer | writes/s | polyreel, same engine | polyreel, `local` | search ms | same engine | `local`"
    ]
    lines.append(" | ".join("---" for _ in range(7)))
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        searches: dict[str, VideoSearch] = {}
        speeds: dict[str, float] = {}
        data.save(Path(folder))
        rows = list(vectors.records(Path(folder), 0, records, Fields(records, (0.1,), 1), payload=True))
        texts = [row.text.title for row in rows]
        for one in chosen(("edge", "qdrant_local", "milvus_lite"), None, Path(folder)):
            search, store = stack.enter_context(opened(one, 512))
            began = time.perf_counter()
            store.wait(store.upsert(rows))
            store.flush()
            store.optimize()
            speeds[one.name] = records / (time.perf_counter() - began)
            searches[one.name] = search
        for kind in PEERS:
            place = Path(folder) / kind.__name__
            place.mkdir()
            peer: Peer = kind(place, 512)
            began = time.perf_counter()
            peer.write(data.stored.tolist(), texts)
            speed = records / (time.perf_counter() - began)

            times = compare(
                {
                    "peer": _asking(queries, peer.search),
                    "same": _asking(queries, _finder(searches[peer.engine])),
                    "local": _asking(queries, _finder(searches["edge"])),
                },
                rounds=rounds,
            )
            same, local = speeds[peer.engine] / speed, speeds["edge"] / speed
            lines.append(
                f"{peer.name} | {speed:.0f} | x{same:.1f} | x{local:.1f}"
                f" | {times.median('peer') * 1e3:.2f} | x{times.ratio('peer', 'same'):.2f}"
                f" | x{times.ratio('peer', 'local'):.1f}"
            )
            print(lines[-1], file=sys.stderr)
    return [f"| {line} |" for line in lines]


def _asking(queries: Sequence[list[float]], search: Callable[[list[float]], Sequence[object]]) -> Way:
    def one(at: int) -> object:
        found = search(queries[at % len(queries)])
        assert len(found) == _LIMIT
        return found

    return one


def _finder(search: VideoSearch) -> Callable[[list[float]], Sequence[object]]:
    return lambda vector: search.search(vector=vector, scope=None, limit=_LIMIT).hits


def main(arguments: Sequence[str]) -> None:
    """Print the table; `x2.0` says that polyreel is twice as fast as the peer."""
    parser = argparse.ArgumentParser(prog="python -m polyreel.bench.peers")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of the peers
    logging.disable(logging.ERROR)
    print("\n".join(run(given.records, given.rounds)))


if __name__ == "__main__":
    main(sys.argv[1:])
