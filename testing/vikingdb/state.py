"""What the emulator keeps: collections with their rows, and indexes that see them after a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .columns import MEDIA, Column, kept
from .refusal import Refusal, invalid, missing, unknown

AUTO_ID = "__AUTO_ID__"


@dataclass(slots=True)
class Row:
    """A row: its values with defaults filled in, and its vector."""

    values: dict[str, Any]
    vector: list[float] | None = None


@dataclass(slots=True)
class Index:
    """An index of a collection. `polls` counts how often it was looked at."""

    name: str
    body: dict[str, Any]
    scalars: list[str]
    polls: int = 0
    enabled: bool = True

    @property
    def distance(self) -> str:
        """How vectors are compared."""
        return str(self.body.get("VectorIndex", {}).get("Distance", "ip"))

    def score(self, query: list[float], vectors: list[list[float]]) -> list[float]:
        """The likeness of each vector, as the index keeps them."""
        if not vectors:
            return []
        rows = np.asarray(vectors, np.float64)
        one = np.asarray(query, np.float64)
        if self.distance == "cosine":
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            one = one / np.linalg.norm(one)
        if self.body["VectorIndex"].get("Quant", "int8") == "int8":
            steps = np.abs(rows).max(axis=1, keepdims=True) / 127
            rows = np.rint(rows / steps) * steps
        return [float(value) for value in rows.astype(np.float32) @ one.astype(np.float32)]


@dataclass(slots=True)
class Collection:
    """A collection. `rows` is what was written; `seen` is what its indexes show."""

    name: str
    body: dict[str, Any]
    columns: dict[str, Column]
    key: Column
    indexes: dict[str, Index] = field(default_factory=dict)
    rows: dict[Any, Row] = field(default_factory=dict)
    seen: dict[Any, Row] = field(default_factory=dict)
    late: deque[tuple[float, Any, Row | None]] = field(default_factory=deque)
    made: int = 0

    @property
    def dense(self) -> Mapping[str, Any] | None:
        """The dense model of a collection that vectorizes."""
        vectorize = self.body.get("Vectorize")
        return vectorize["Dense"] if vectorize else None

    @property
    def media(self) -> dict[str, str]:
        """The columns that are vectorized, by what they are."""
        dense = self.dense or {}
        keys = {"TextField": "text", "ImageField": "image", "VideoField": "video"}
        return {dense[key]: kind for key, kind in keys.items() if key in dense}

    def write(self, id: Any, row: Row | None, visible: float | None) -> None:
        """Keep or forget a row now; its indexes see it at the time given, or never."""
        if row is None:
            self.rows.pop(id, None)
        else:
            self.rows[id] = row
        if visible is not None:
            self.late.append((visible, id, row))

    def settle(self, now: float) -> None:
        """Let the indexes see what is due."""
        while self.late and self.late[0][0] <= now:
            _, id, row = self.late.popleft()
            if row is None:
                self.seen.pop(id, None)
            else:
                self.seen[id] = row

    def read(self, given: Any, *, ignore_unknown: bool, old: Row | None = None) -> dict[str, Any]:
        """The values of a row as they are kept, over those of an older one.

        Raises:
            Refusal: A field is unknown, missing or of another type.
        """
        if not isinstance(given, dict):
            raise invalid("a row is no object")
        values = dict(old.values) if old else {}
        for name, value in given.items():
            if name in self.columns:
                values[name] = kept(self.columns[name], value)
            elif not ignore_unknown:
                raise invalid(f"the field {name} is unknown")
        for name, column in self.columns.items():
            if name not in values:
                values[name] = self._default(column)
        return values

    def _default(self, column: Column) -> Any:
        if column.name == AUTO_ID:
            self.made += 1
            return self.made
        needed = column.primary or column.type == "vector" or column.name in self.media
        if needed:
            raise missing(column.name)
        return None if column.type in MEDIA else column.missing()


def ids_of(collection: Collection, ids: list[Any]) -> list[Any]:
    """Ids of the key's type.

    Raises:
        Refusal: One is of another type.
    """
    return [kept(collection.key, id) for id in ids]


def index_of(collection: Collection, name: str) -> Index:
    """An index by its name.

    Raises:
        Refusal: There is none.
    """
    if name not in collection.indexes:
        raise unknown("Index", name)
    return collection.indexes[name]


def serving(index: Index, polls: int) -> Index:
    """The index, if it serves.

    Raises:
        Refusal: It is still being built, or was stopped.
    """
    if not index.enabled or index.polls < polls:
        raise Refusal(400, "InvalidStatus.VikingdbIndex", f"the index {index.name} is not ready")
    return index


def shown(
    values: Mapping[str, Any], wanted: list[str] | None, columns: Mapping[str, Column]
) -> dict[str, Any]:
    """The fields of a row that are asked for: every one but vectors when nothing is said.

    Raises:
        Refusal: One of them doesn't exist.
    """
    if wanted is None:
        return {name: value for name, value in _scalars(values, columns) if value is not None}
    for name in wanted:
        if name not in columns:
            raise invalid(f"the output field {name} is unknown")
    return {name: values[name] for name in wanted if values.get(name) is not None}


def _scalars(values: Mapping[str, Any], columns: Mapping[str, Column]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in values.items() if columns[name].type not in _VECTORS)


_VECTORS = ("vector", "sparse_vector")
Clock = Callable[[], float]
