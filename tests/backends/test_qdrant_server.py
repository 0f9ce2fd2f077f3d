"""Servers over REST and gRPC: the contract against an imitation of the transport, and a real one if named.

`POLYREEL_TEST_QDRANT_URL` names a real server on this machine, with `POLYREEL_TEST_QDRANT_KEY` and
`POLYREEL_TEST_QDRANT_GRPC`, its port for gRPC, where they are needed. The tests make and drop collections of
their own there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import SecretStr

from polyreel.backends.qdrant import QdrantServerStore
from polyreel.core.errors import PolyreelError
from polyreel.core.space import Metric
from polyreel.testing.parity import ParityContract
from polyreel.testing.qdrant import Imitation, imitation
from polyreel.testing.qdrant_grpc import imitation_over_grpc
from polyreel.testing.store import MakeStore, StoreContract, StoreTests

if TYPE_CHECKING:
    from ..conftest import Need


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


@pytest.mark.slow
class TestQdrantOverHttp(_Rest, StoreContract):
    pass


class TestQdrantOverHttpAgreesWithMemory(_Rest, ParityContract):
    examples = 6


@pytest.mark.slow
class TestQdrantOverGrpc(_Grpc, StoreContract):
    pass


@pytest.mark.slow
class TestQdrantOverGrpcAgreesWithMemory(_Grpc, ParityContract):
    examples = 6


# -- a real server ----------------------------------------------------------------------------------------


class _Real(StoreTests):
    metrics = tuple(Metric)
    grpc: ClassVar[bool] = False

    @pytest.fixture
    def make_store(self, need: Need) -> Iterator[MakeStore]:
        url, key = os.environ.get("POLYREEL_TEST_QDRANT_URL"), os.environ.get("POLYREEL_TEST_QDRANT_KEY")
        if not url:
            need("qdrant-server", "POLYREEL_TEST_QDRANT_URL names none")
        parts: dict[str, Any] = {"url": url, "api_key": SecretStr(key) if key else None, "grpc": self.grpc}
        if port := os.environ.get("POLYREEL_TEST_QDRANT_GRPC"):
            parts["grpc_port"] = int(port)
        self.clean(parts)
        yield partial(QdrantServerStore, **parts)
        self.clean(parts)

    def clean(self, parts: Mapping[str, Any]) -> None:
        """Drop what a test has made there, or one that was killed."""
        for name, metric in product(("contract", "first", "second"), self.metrics):
            with suppress(PolyreelError), QdrantServerStore(**parts) as store:
                store.open(self.spec(name, metric=metric), create=False)
                store.drop()


class TestRealQdrantOverRest(_Real, StoreContract):
    pass


class TestRealQdrantOverRestAgreesWithMemory(_Real, ParityContract):
    pass


class TestRealQdrantOverGrpc(_Real, StoreContract):
    grpc = True


class TestRealQdrantOverGrpcAgreesWithMemory(_Real, ParityContract):
    grpc = True
