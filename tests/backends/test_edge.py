"""Qdrant's engine in process: the contract of stores, and what a folder and an embedded engine add to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import qdrant_edge

from polyreel.backends.qdrant import QdrantEdgeStore, filters, folder, points
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    ConfigurationError,
    IntegrityError,
    LockedError,
    NotFoundError,
    PolyreelError,
    UnavailableError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filters import ALL, F, Filter, matches
from polyreel.core.records import Record, Text
from polyreel.core.requests import NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.core.store import VectorStore
from polyreel.testing.store import ParityContract, StoreContract

FIELDS = {
    "year": FieldType.INT,
    "rating": FieldType.FLOAT,
    "place": FieldType.STRING,
    "tags": FieldType.STRINGS,
    "public": FieldType.BOOL,
    "taken": FieldType.DATETIME,
}
FAR = datetime(2500, 1, 1, tzinfo=UTC)  # no float holds each of its microseconds


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[[], VectorStore]:
    return partial(QdrantEdgeStore, path=tmp_path / "stores", lock_wait=0.2)


class TestQdrantEdge(StoreContract):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Callable[[], VectorStore]:
        return partial(QdrantEdgeStore, path=tmp_path / "stores", lock_wait=0.2)


class TestQdrantEdgeAgreesWithMemory(ParityContract):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Callable[[], VectorStore]:
        return partial(QdrantEdgeStore, path=tmp_path / "stores", lock_wait=0.2)


def spec(
    name: str = "clips",
    *,
    fields: dict[str, FieldType] = FIELDS,
    dimension: int = 4,
    metric: Metric = Metric.COSINE,
) -> CollectionSpec:
    return CollectionSpec(name, Space("test", "made-up", "1", dimension, metric), fields)


def record(id: str, **parts: object) -> Record:
    given = {"video_id": "v", "uri": "file:///v.mp4", "content": [1.0, 2.0, 3.0, 4.0], **parts}
    return Record(id=id, **given)  # type: ignore[arg-type]


def various(count: int = 60) -> list[Record]:
    """Records of which every third lacks each field."""
    rng = np.random.default_rng(3)

    def fields(n: int) -> dict[str, object]:
        given = {
            "year": 2000 + n % 7 - (n % 5) * 2**50,
            "rating": [0.0, 1, -1.5, 1e300, 0.1][n % 5],
            "place": ["", "a", "ab", "AB", "a%b", "海"][n % 6],
            "tags": [["x"], ["x", "y"], [], ["", "xy"]][n % 4],
            "public": n % 2 == 0,
            "taken": FAR + timedelta(microseconds=n % 9),
        }
        return {name: value for at, (name, value) in enumerate(given.items()) if (n + at) % 3}

    return [
        record(
            f"r{n}",
            video_id=f"v{n % 4}",
            start_ms=n * 100,
            end_ms=n * 100 + 50,
            content=rng.standard_normal(4),
            fields=fields(n),
        )
        for n in range(count)
    ]


FILTERS: Sequence[Filter] = [
    ALL,
    ~ALL,
    F.year == 2003,
    F.year != 2003,
    F.year > 2002,
    F.year <= -(2**50) + 2001,
    F.year.is_in([2000, 2001, 2004 - 2**50]),
    F.rating == 1,
    F.rating == 0.1,
    F.rating.is_in([0.0, 1e300]),
    F.rating.not_in([0.0, 1e300]),
    F.rating >= 0,
    ~(F.rating > 0),
    F.place == "",
    F.place.prefix("a"),
    ~F.place.prefix("a"),
    F.place.prefix("a%"),
    F.place.is_in(["海", "AB"]),
    F.tags.any("x", "xy"),
    F.tags.none("y"),
    F.tags.all("x", "y"),
    F.tags.any(""),
    F.public == True,  # noqa: E712  # a filter is made of it
    F.public != True,  # noqa: E712
    F.taken.exists(),
    ~F.taken.exists(),
    *(F.taken >= FAR + timedelta(microseconds=n) for n in range(10)),
    *(F.taken > FAR + timedelta(microseconds=n) for n in range(9)),
    *(F.taken < FAR + timedelta(microseconds=n) for n in range(10)),
    *(F.taken <= FAR + timedelta(microseconds=n) for n in range(9)),
    F.taken.between(FAR + timedelta(microseconds=2), FAR + timedelta(microseconds=5)),
    ~(F.taken < FAR + timedelta(microseconds=3)),
    F.taken == FAR + timedelta(microseconds=3),
    F.start == 0.1,
    F.start >= 3,
    F.end.between(1.05, 2.05),
    F.video_id.is_in(["v1", "v3"]),
    F.uri.prefix("file:///v"),
    F.channel == "fused",
    ((F.year > 2000) | (F.place == "ab")) & ~(F.tags.any("x") & (F.public == False)),  # noqa: E712
]


def ids(store: VectorStore, where: Filter = ALL) -> set[str]:
    return {found.id for found in store.scan(where)}


def expected(records: Sequence[Record], where: Filter) -> set[str]:
    def values(of: Record) -> dict[str, object]:
        own = {name: getattr(of, name) for name in ("video_id", "uri", "scope", "channel", "start", "end")}
        return {**of.fields, **own}

    return {each.id for each in records if matches(where, values(each), FIELDS)}


@pytest.fixture
def store(make_store: Callable[[], VectorStore]) -> Iterator[VectorStore]:
    with make_store() as store:
        store.open(spec(), create=True)
        yield store


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own, which speaks by its standard output."""
    start = f"import os, signal, sys, time\nfrom {__spec__.name} import *\n"
    start = start if __name__ == "__main__" else _START
    command = [sys.executable, "-c", start + code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


_START = """
import os, signal, sys
from pathlib import Path
from polyreel.backends.qdrant import QdrantEdgeStore, folder
from polyreel.core.records import Record
from polyreel.core.space import CollectionSpec, Space
spec = CollectionSpec("clips", Space("test", "made-up", "1", 4))
store = QdrantEdgeStore(path=Path(sys.argv[1]), lock_wait=20)
"""
