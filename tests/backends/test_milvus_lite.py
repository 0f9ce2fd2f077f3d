"""Milvus Lite: the contract of stores, and the traps of an engine that runs a server in our process."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from polyreel.backends.milvus import MilvusStore
from polyreel.core.space import Metric
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests


class _Lite(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return partial(MilvusStore, path=tmp_path / "clips.db", lock_wait=0.2)


class TestMilvusLite(_Lite, StoreContract):
    pass


class TestMilvusLiteAgreesWithMemory(_Lite, ParityContract):
    examples = 25
