"""VikingDB against the contract, with vectors and with media, over the emulator."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pytest
from pydantic import SecretStr

from polyreel.backends.vikingdb import VikingDBStore
from polyreel.backends.vikingdb.limits import Rates
from polyreel.backends.vikingdb.options import IndexOptions, IndexType, Vectorize
from polyreel.core.media import Media, Modality
from polyreel.core.requests import NearMedia
from polyreel.core.space import Metric, Space
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests
from polyreel.testing.vikingdb import Emulator, Part, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FAST = Rates(rows=1e9, fetches=1e9, control=1e9, videos=1e9, images=1e9)


def store_of(emulator: Emulator, **keys: object) -> partial[VikingDBStore]:
    return partial(
        VikingDBStore,
        access_key=emulator.access_key,
        secret_key=SecretStr(emulator.secret_key),
        control_endpoint=emulator.url,
        data_endpoint=emulator.url,
        poll=0.01,
        timeout=30,
        rates=FAST,
        **keys,  # type: ignore[arg-type]
    )


class OwnVectors(StoreTests):
    metrics = (Metric.COSINE, Metric.IP)

    @pytest.fixture
    def make_store(self) -> Iterator[MakeStore]:
        with emulating() as emulator:
            yield store_of(emulator, api_key=SecretStr("vk-test"))


class TestContract(OwnVectors, StoreContract):
    pass


class TestParity(OwnVectors, ParityContract):
    examples = 15


class TestExactContract(OwnVectors, StoreContract):
    @pytest.fixture
    def make_store(self) -> Iterator[MakeStore]:
        with emulating(Settings(lag=0.02)) as emulator:
            yield store_of(emulator, index=IndexOptions(IndexType.FLAT))


def spelled(parts: Sequence[Part], query: bool) -> list[float]:
    """A model whose texts spell their vectors."""
    (part,) = parts
    return [float(value) for value in json.loads(part.text)]


class Vectorizing(StoreTests):
    media = frozenset({Modality.TEXT})
    gaps: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def make_store(self) -> Iterator[MakeStore]:
        with emulating(Settings(vectorize=spelled)) as emulator:
            yield store_of(emulator, vectorize=Vectorize(dimension=1024, content=(Modality.TEXT,)))

    def space(self, metric: Metric = Metric.COSINE) -> Space:
        return replace(Vectorize(dimension=1024, content=(Modality.TEXT,)).space, metric=metric)

    def content(self, vector: Sequence[float]) -> Media:
        return Media(Modality.TEXT, text=json.dumps(list(vector)))

    def near(self, vector: Sequence[float]) -> NearMedia:
        return NearMedia((self.content(vector),))


class TestVectorizingContract(Vectorizing, StoreContract):
    pass


class TestVectorizingParity(Vectorizing, ParityContract):
    examples = 10
