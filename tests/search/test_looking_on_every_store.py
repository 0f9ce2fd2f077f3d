"""One collection in every store that runs here: the same recommendations and facets everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.backends.qdrant import QdrantEdgeStore, qdrant_store
from polyreel.core.errors import NotFoundError
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.query import Query
from polyreel.core.records import Record, Scope
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder

if TYPE_CHECKING:
    from polyreel.core.store import VectorStore

FIELDS = {"category": FieldType.STRING, "year": FieldType.INT}


def rows() -> list[Record]:
    made = []
    for number, vector in enumerate(np.random.default_rng(4).normal(size=(40, 13))):
        fields = {"category": ("sport", "nature", "city")[number % 3], "year": 2000 + number % 7}
        parts = {"content": vector.tolist(), "fields": fields}
        whole = Record(f"w{number}", f"v{number}", f"file:///{number}.mp4", Scope.VIDEO, 0, 9, **parts)
        clip = Record(f"c{number}", f"v{number}", f"file:///{number}.mp4", Scope.CLIP, 0, 9, **parts)
        made += [whole, clip]
    return made


def milvus_lite(path: Path) -> VectorStore:
    pytest.importorskip("milvus_lite")
    from polyreel.backends.milvus import MilvusStore

    return MilvusStore(path=path / "one.db")


def qdrant_local(path: Path) -> VectorStore:
    pytest.importorskip("qdrant_client")
    return qdrant_store(client_path=path)


STORES: dict[str, Callable[[Path], VectorStore]] = {
    "edge": lambda path: QdrantEdgeStore(path=path),
    "qdrant client": qdrant_local,
    "milvus lite": milvus_lite,
}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str, VectorStore], VideoSearch]]:
    searches: list[VideoSearch] = []

    def make(name: str, store: VectorStore) -> VideoSearch:
        folder = tmp_path / name
        objects = LocalObjects(path=folder / "objects")
        stack = Stack(
            name="test", store=store, embedder=ColourEmbedder(), objects=objects, state=folder, fields=FIELDS
        )
        searches.append(VideoSearch(stack, media))
        store = searches[-1]._opened(create=True)
        store.wait(store.upsert(rows()))
        return searches[-1]

    yield make
    for search in searches:
        search.close()


WISHES: dict[str, dict[str, Any]] = {
    "one": {"like": "w1"},
    "several": {"like": ["w1", "c2", "w3"]},
    "and against": {"like": ["w1", "w2"], "unlike": ["w3", "w4", "c5"]},
    "in a category": {"like": ["w1"], "unlike": ["w2"], "category": ["nature", "city"]},
    "of clips": {"like": ["c1", "c2"], "unlike": ["c3"], "scope": "clip"},
}


@pytest.mark.parametrize("name", STORES)
def test_recommendations_and_facets_are_those_of_the_exact_store(
    name: str, opened: Callable[[str, VectorStore], VideoSearch], tmp_path: Path
) -> None:
    exact = opened("exact", MemoryStore())
    other = opened("other", STORES[name](tmp_path / "store"))
    for what, wish in WISHES.items():
        expected, found = exact.recommend(**wish), other.recommend(**wish)
        assert [hit.id for hit in found] == [hit.id for hit in expected], what
        assert len(found) == 10, what
        scores = [hit.score for hit in expected]
        assert [hit.score for hit in found] == pytest.approx(scores, abs=1e-4), what
    assert other.facets(scope=None) == exact.facets(scope=None)
    assert other.facets(
        "video_id", "start", where={"field": "year", "op": ">", "value": 2003}
    ) == exact.facets("video_id", "start", where={"field": "year", "op": ">", "value": 2003})


@pytest.mark.parametrize("name", STORES)
def test_a_search_stays_within_what_another_tool_wrote_and_refuses_what_isnt_there(
    name: str, opened: Callable[[str, VectorStore], VideoSearch], tmp_path: Path
) -> None:
    search = opened("other", STORES[name](tmp_path / "store"))
    near = [1.0] * 13
    assert list(search._manifests().ids()) == []
    whole = "0123456789abcdef" * 4
    content = Record("own", whole, "file:///own.mp4", Scope.CLIP, 0, 9, content=near)
    search._opened().wait(search._opened().upsert([content]))
    for video_id, id in (("v7", "c7"), (whole, "own")):
        assert [hit.id for hit in search.search(vector=near, within=video_id)] == [id]
        assert len(search.search(vector=near, within=video_id, where=F.start > 5)) == 0
        search.explain(Query(vector=near, within=video_id))
    for none in ("v77", "7", whole[:32], whole[::-1]):
        for ask in (lambda query: search.search_many([query]), search.explain):
            with pytest.raises(NotFoundError, match=f"there is no video '{none}' in the collection"):
                ask(Query(vector=near, within=none))


def test_qdrants_own_recommendation_has_the_same_order(
    opened: Callable[[str, VectorStore], VideoSearch], tmp_path: Path
) -> None:
    """Why it isn't called: see `core.recommending`."""
    pytest.importorskip("qdrant_client")
    from qdrant_client import QdrantClient, models

    ours = opened("exact", MemoryStore())
    wanted = [hit.id for hit in ours.recommend(["w1", "w2"], unlike=["w3", "w4", "w5"], limit=20)]
    client = QdrantClient(":memory:")
    client.create_collection("c", models.VectorParams(size=13, distance=models.Distance.COSINE))
    whole = [row for row in rows() if row.scope is Scope.VIDEO]
    points = [models.PointStruct(id=at, vector=list(row.content)) for at, row in enumerate(whole)]  # type: ignore[arg-type]
    client.upsert("c", points)
    query = models.RecommendQuery(
        recommend=models.RecommendInput(
            positive=[1, 2], negative=[3, 4, 5], strategy=models.RecommendStrategy.AVERAGE_VECTOR
        )
    )
    found = client.query_points("c", query=query, limit=20).points
    client.close()
    assert [f"w{point.id}" for point in found] == wanted
