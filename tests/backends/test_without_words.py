"""Stores that are told to keep no words of texts: none are made, and a search for them is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from polyreel.backends.milvus import MilvusStore
from polyreel.backends.qdrant import QdrantEdgeStore, QdrantLocalStore, QdrantServerStore
from polyreel.core import lexical
from polyreel.core.capabilities import Feature
from polyreel.core.errors import ConfigurationError, UnsupportedError
from polyreel.core.records import Channel, Record, Scope, Text
from polyreel.core.requests import Lexical, NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Space
from polyreel.core.store import VectorStore
from polyreel.testing.qdrant import imitation

SPEC = CollectionSpec("clips", Space("test", "made-up", "1", 4))
WORD = SearchRequest(Lexical("harbour"))
Make = Callable[..., VectorStore]


@pytest.fixture(params=["edge", "folder", "server", "lite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """What makes stores over the same records, which outlive each."""
    if request.param == "server":
        with imitation() as server:
            yield partial(QdrantServerStore, url=server.url, timeout=10)
        return
    makes: dict[str, Make] = {
        "edge": partial(QdrantEdgeStore, path=tmp_path / "edge"),
        "folder": partial(QdrantLocalStore, path=tmp_path / "folder"),
        "lite": partial(MilvusStore, path=tmp_path / "lite.db"),
    }
    yield makes[request.param]


def record(id: str, text: str) -> Record:
    vector = [1.0, float(len(id)), 0.0, 0.0]
    return Record(id, "v", "file:///v.mp4", Scope.CLIP, 0, 1000, Channel.VISUAL, "r", vector, Text(text))


def found(store: VectorStore, request: SearchRequest) -> list[str]:
    return [hit.id for hit in store.search([request])[0].hits]


def test_no_words_are_made_or_found(make_store: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "document", None)
    with make_store(lexical=False) as store:
        store.open(SPEC, create=True)
        store.upsert([record("a", "the harbour"), record("bb", "")])
        store.update_fields(["bb"], text=Text("an old harbour"))
        store.flush()
        store.optimize()
        assert Feature.LEXICAL not in store.can.features
        with pytest.raises(UnsupportedError, match="lexical"):
            store.search([WORD])
        assert found(store, SearchRequest(NearVector([1.0, 2.0, 0.0, 0.0]))) == ["bb", "a"]
        assert store.fetch(["bb"])["bb"].text == Text("an old harbour")


def test_a_collection_stays_as_it_was_made(make_store: Make) -> None:
    with make_store(lexical=False) as store:
        store.open(SPEC, create=True)
        store.upsert([record("a", "the harbour")])
    for lexical_ in (None, False):
        with make_store(lexical=lexical_) as store:
            store.open(SPEC, create=False)
            store.upsert([record("bb", "another harbour")])
            assert Feature.LEXICAL not in store.can.features
            assert store.count() == 2
    with (
        make_store(lexical=True) as store,
        pytest.raises(ConfigurationError, match=r"lexical is True.*False"),
    ):
        store.open(SPEC, create=False)


def test_one_with_words_is_not_taken_for_one_without(make_store: Make) -> None:
    with make_store() as store:
        store.open(SPEC, create=True)
        store.upsert([record("a", "the harbour")])
    with (
        make_store(lexical=False) as store,
        pytest.raises(ConfigurationError, match=r"lexical is False.*leave"),
    ):
        store.open(SPEC, create=False)
    with make_store(lexical=True) as store:
        store.open(SPEC, create=False)
        assert found(store, WORD) == ["a"]
