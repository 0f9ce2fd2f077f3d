"""A store that vectorizes media by itself, against the contract, with an embedder of a few lines."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from polyreel.core.embedder import Embedded, Embedder, HandOver, Takes
from polyreel.core.errors import InvalidQueryError, UnsupportedError
from polyreel.core.media import Media, Modality
from polyreel.core.records import Record
from polyreel.core.requests import NearMedia, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests
from polyreel.testing.store.rows import DIMENSION
from polyreel.testing.vectorizing import VectorizingStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FILE = HandOver(schemes=frozenset({"file"}))


class ToyEmbedder(Embedder):
    """A text that is a JSON list is its own vector; everything else gets one from a hash."""

    kind = "toy"
    takes = Takes.CLIP_FILES

    def __init__(self) -> None:
        super().__init__()
        self.space = Space("toy", "hash", "1", DIMENSION)
        self.accepts = {Modality.TEXT: _FILE, Modality.IMAGE: _FILE, Modality.VIDEO: _FILE}

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        vectors = [_vector(part) for part in parts]
        vector = vectors[0] if len(vectors) == 1 else np.sum(vectors, axis=0).tolist()
        return Embedded(vector, {"tokens": len(parts)})


class JointToyEmbedder(ToyEmbedder):
    joint = True


def _vector(part: Media) -> list[float]:
    if part.text is not None and part.text.startswith("["):
        return [float(value) for value in json.loads(part.text)]
    data = part.text.encode() if part.text is not None else part.path.read_bytes() if part.path else b""
    seed = int.from_bytes(hashlib.sha256(data).digest()[:8])
    return [float(value) for value in np.random.default_rng(seed).standard_normal(DIMENSION)]


class Vectorizing(StoreTests):
    """The hooks: content and queries are texts that spell their vector."""

    media = frozenset({Modality.TEXT, Modality.IMAGE, Modality.VIDEO})

    @pytest.fixture
    def make_store(self) -> MakeStore:
        store = VectorizingStore(ToyEmbedder())
        return lambda: store

    def space(self, metric: Metric = Metric.COSINE) -> Space:
        return replace(ToyEmbedder().space, metric=metric)

    def content(self, vector: Sequence[float]) -> Media:
        return Media(Modality.TEXT, text=json.dumps(list(vector)))

    def near(self, vector: Sequence[float]) -> NearMedia:
        return NearMedia((self.content(vector),))


class TestContract(Vectorizing, StoreContract):
    pass


class TestParity(Vectorizing, ParityContract):
    examples = 15


@pytest.fixture
def store() -> VectorizingStore:
    return opened(ToyEmbedder())


def opened(embedder: Embedder) -> VectorizingStore:
    store = VectorizingStore(embedder)
    store.open(CollectionSpec("media", embedder.space, {}, store.vectorizes), create=True)
    return store


def text(words: str) -> Media:
    return Media(Modality.TEXT, text=words)


def row(id: str, medium: Media) -> Record:
    return Record(id, f"video of {id}", "file:///v.mp4", content=medium)


def search(store: VectorizingStore, *parts: Media) -> list[str]:
    return [hit.id for hit in store.search([SearchRequest(NearMedia(parts), limit=5)])[0].hits]


def test_a_medium_is_the_same_by_its_path_and_by_its_file_address(
    store: VectorizingStore, tmp_path: Path
) -> None:
    for name in ("a b.jpg", "c%41.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    by_path = [Media(Modality.IMAGE, path=tmp_path / name) for name in ("a b.jpg", "c%41.jpg")]
    by_uri = [Media(Modality.IMAGE, uri=(tmp_path / name).as_uri()) for name in ("a b.jpg", "c%41.jpg")]
    store.upsert([row("a", by_path[0]), row("c", by_uri[1]), row("t", text("words"))])
    assert [search(store, query)[0] for query in (*by_path, *by_uri, text("words"))] == list("acact")


def test_the_receipt_has_what_embedding_cost(store: VectorizingStore) -> None:
    receipt = store.upsert([row("a", text("one")), row("b", text("two"))])
    assert receipt.upserted == ("a", "b")
    assert receipt.usage == {"tokens": 2}


def test_it_offers_its_embedder_for_queries(store: VectorizingStore) -> None:
    assert store.query_embedder().space == store.space == store.meta.spec.space


def test_vectors_and_other_modalities_are_refused(store: VectorizingStore) -> None:
    for content in ([1.0] * DIMENSION, Media(Modality.AUDIO, uri="file:///a.wav")):
        with pytest.raises(UnsupportedError):
            store.upsert([Record("a", "v", "u", content=content)])
    with pytest.raises(UnsupportedError, match="audio"):
        search(store, Media(Modality.AUDIO, uri="file:///a.wav"))
    assert store.count() == 0


def test_several_media_of_a_query_need_a_joint_embedder(store: VectorizingStore) -> None:
    store.upsert([row("a", text("one"))])
    with pytest.raises(UnsupportedError, match="one medium"):
        search(store, text("one"), text("two"))
    with pytest.raises(InvalidQueryError):
        search(store)
    joint = opened(JointToyEmbedder())
    joint.upsert([row(words, text(words)) for words in ("one", "two", "three")])
    assert joint.can.joint
    assert set(search(joint, text("one"), text("two"))[:2]) == {"one", "two"}
