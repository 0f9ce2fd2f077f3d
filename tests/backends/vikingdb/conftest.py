"""Stores over an emulator, made for tests: nothing is paced unless a test says so."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from pydantic import SecretStr

from polyreel.backends.vikingdb import VikingDBStore
from polyreel.backends.vikingdb.limits import Rates
from polyreel.core.fields import FieldType
from polyreel.core.space import CollectionSpec, Space
from polyreel.testing.vikingdb import Emulator, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNPACED = Rates(rows=1e9, fetches=1e9, control=1e9, videos=1e9, images=1e9)


class StoreOf(Protocol):
    """What makes stores of one emulator; `pickle` takes it to another process."""

    def __call__(self, emulator: Emulator, **keys: Any) -> partial[VikingDBStore]: ...


@pytest.fixture(scope="session")
def store_of() -> StoreOf:
    """`store_of(emulator, index=...)()` is a store that isn't open."""

    def make(emulator: Emulator, **keys: Any) -> partial[VikingDBStore]:
        given = {
            "access_key": emulator.access_key,
            "secret_key": SecretStr(emulator.secret_key),
            "control_endpoint": emulator.url,
            "data_endpoint": emulator.url,
            "poll": 0.01,
            "timeout": 30.0,
            "rates": _UNPACED,
        }
        return partial(VikingDBStore, **{**given, **keys})

    return make


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with its usual settings."""
    with emulating() as emulator:
        yield emulator


@pytest.fixture
def plain() -> CollectionSpec:
    """A collection that is handed vectors of four numbers."""
    return CollectionSpec(
        "clips", Space("k", "m", "1", 4), {"year": FieldType.INT, "rating": FieldType.FLOAT}
    )
