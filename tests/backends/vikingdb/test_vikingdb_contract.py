"""VikingDB against the contract, with vectors and with media, over the emulator."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest
from pydantic import SecretStr

from polyreel.backends.memory import MemoryStore
from polyreel.backends.vikingdb.options import IndexOptions, IndexType, Vectorize
from polyreel.core.media import Media, Modality
from polyreel.core.requests import NearMedia
from polyreel.core.space import Metric, Space
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests
from polyreel.testing.store.rows import DIMENSION
from polyreel.testing.store.searching import SearchingTests
from polyreel.testing.vikingdb import Part, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from polyreel.core.store import VectorStore

    StoreOf = Callable[..., MakeStore]


class OwnVectors(StoreTests):
    metrics = (Metric.COSINE, Metric.IP)

    @pytest.fixture
    def make_store(self, store_of: StoreOf) -> Iterator[MakeStore]:
        with emulating() as emulator:
            yield store_of(emulator, api_key=SecretStr("vk-test"))


class TestContract(OwnVectors, StoreContract):
    pass


class TestParity(OwnVectors, ParityContract):
    examples = 15


class TestExactContract(OwnVectors, SearchingTests):
    """A flat index, and one that lags behind what was written."""

    @pytest.fixture
    def make_store(self, store_of: StoreOf) -> Iterator[MakeStore]:
        with emulating(Settings(lag=0.02)) as emulator:
            yield store_of(emulator, index=IndexOptions(IndexType.FLAT))


def spelled(parts: Sequence[Part], query: bool) -> list[float]:
    """A model whose texts spell their vectors."""
    (part,) = parts
    return [float(value) for value in json.loads(part.text)]


_ONE_ROW = "never: the service takes one row a call, so each record is a batch"
_SPELLED = "never: what a text spells wrongly is refused by the model that is played here, not by the base"
_LONGER = "never: the service's models have at least 512 numbers, and the vectors spelled here have 8"


class Vectorizing(StoreTests):
    media = frozenset({Modality.TEXT})

    @pytest.fixture
    def make_store(self, store_of: StoreOf) -> Iterator[MakeStore]:
        with emulating(Settings(vectorize=spelled)) as emulator:
            yield store_of(emulator, vectorize=Vectorize(dimension=1024, content=(Modality.TEXT,)))

    def space(self, metric: Metric = Metric.COSINE) -> Space:
        return replace(Vectorize(dimension=1024, content=(Modality.TEXT,)).space, metric=metric)

    def content(self, vector: Sequence[float]) -> Media:
        return Media(Modality.TEXT, text=json.dumps(list(vector)))

    def near(self, vector: Sequence[float]) -> NearMedia:
        return NearMedia((self.content(vector),))


class TestVectorizingParity(Vectorizing, ParityContract):
    """Each record is a call of its own; vectors are filled up with zeros, which cosines don't mind."""

    examples = 5

    @pytest.fixture
    def pair(self, store: VectorStore) -> Iterator[tuple[VectorStore, VectorStore]]:
        spec = self.spec()
        with MemoryStore() as exact:
            space = replace(spec.space, dimension=DIMENSION)
            exact.open(replace(spec, space=space, media=frozenset()), create=True)
            yield store, exact


class TestVectorizingContract(Vectorizing, StoreContract):
    gaps: ClassVar[Mapping[str, str]] = {
        "test_a_wrong_record_is_refused_and_nothing_of_its_batch_is_written": _ONE_ROW,
        "test_the_receipt_names_every_id_once": _ONE_ROW,
        "test_a_wrong_vector_is_refused_and_nothing_of_its_batch_is_written": _SPELLED,
        "test_a_wrong_query_vector_is_refused": _SPELLED,
        "test_vectors_come_only_when_asked_for": _LONGER,
        "test_a_scan_gives_vectors_when_asked": _LONGER,
    }
