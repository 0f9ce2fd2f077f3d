"""The client's local mode, in a folder and in memory: the contract, and what a folder and a lock add."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from polyreel.backends.qdrant import QdrantLocalStore
from polyreel.core.space import Metric
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests


class _Folder(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, quick_folder: Path) -> MakeStore:
        return partial(QdrantLocalStore, path=quick_folder / "stores", lock_wait=0.2)


class _Memory(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self) -> MakeStore:
        store = QdrantLocalStore()
        return lambda: store


class TestQdrantFolder(_Folder, StoreContract):
    pass


class TestQdrantMemory(_Memory, StoreContract):
    pass


class TestQdrantFolderAgreesWithMemory(_Folder, ParityContract):
    examples = 8


class TestQdrantMemoryAgreesWithMemory(_Memory, ParityContract):
    examples = 25


@pytest.fixture
def quick_folder(tmp_path: Path) -> Path:
    return tmp_path
