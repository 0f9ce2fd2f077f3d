"""The exact store against the contract, in memory and in a folder."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from polyreel.backends.memory import MemoryStore
from polyreel.core.space import Metric
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract

if TYPE_CHECKING:
    from pathlib import Path


class TestMemory(StoreContract):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self) -> MakeStore:
        store = MemoryStore()
        return lambda: store


class TestFolder(StoreContract):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return partial(MemoryStore, path=tmp_path)


class TestMemoryParity(ParityContract):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        return MemoryStore


class TestFolderParity(ParityContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return partial(MemoryStore, path=tmp_path)
