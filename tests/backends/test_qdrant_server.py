"""Servers over REST, against an imitation of the transport."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from polyreel.backends.qdrant import QdrantServerStore
from polyreel.core.space import Metric
from polyreel.testing.parity import ParityContract
from polyreel.testing.qdrant import Imitation, imitation
from polyreel.testing.qdrant_grpc import imitation_over_grpc
from polyreel.testing.store import MakeStore, StoreContract, StoreTests


@pytest.fixture
def qdrant() -> Iterator[Imitation]:
    with imitation() as server:
        yield server


class _Rest(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, qdrant: Imitation) -> MakeStore:
        return partial(QdrantServerStore, url=qdrant.url, timeout=10)


class _Grpc(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, qdrant: Imitation) -> Iterator[MakeStore]:
        with imitation_over_grpc(qdrant) as port:
            yield partial(QdrantServerStore, url=qdrant.url, grpc=True, grpc_port=port, timeout=10)


class TestQdrantOverHttp(_Rest, StoreContract):
    pass


class TestQdrantOverHttpAgreesWithMemory(_Rest, ParityContract):
    examples = 6


class TestQdrantOverGrpc(_Grpc, StoreContract):
    pass


class TestQdrantOverGrpcAgreesWithMemory(_Grpc, ParityContract):
    examples = 6
