"""Records and their vectors in memory: a dense matrix, exact scores, the order of hits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.records import Record, Vector
from ...core.requests import Group, Patch
from ...core.space import CollectionMeta, Metric
from .log import Entry, patch_from_json, record_from_json, record_to_json
from .words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_BLOCK = 4096  # rows taken in hand at once
_CELLS = 1 << 22  # scores that queries are given at once
_FEW_DEAD = 1000  # a log with fewer dead rows isn't worth writing anew
_BUILT_IN: Mapping[str, Callable[[Record], object]] = {
    "video_id": attrgetter("video_id"),
    "scope": attrgetter("scope"),  # a string, as the channel is
    "start": attrgetter("start_ms"),
    "end": attrgetter("end_ms"),
    "uri": attrgetter("uri"),
    "channel": attrgetter("channel"),
}


@dataclass(frozen=True, slots=True)
class Scores:
    """How alike every row is to a query.

    Args:
        rough: Of all rows.
        slack: By how much they may be wrong, at most.
        exact: Gives the scores of rows as they are, at float32's precision or better.
    """

    rough: NDArray[np.floating[Any]]
    slack: float
    exact: Callable[[NDArray[np.intp]], NDArray[np.floating[Any]]]


class Collection:
    """Records and their vectors, row by row without a gap: the last row fills the place of a deleted one."""

    def __init__(self, meta: CollectionMeta) -> None:
        self.meta = meta
        self.metric = meta.spec.space.metric
        self.records: list[Record] = []
        self.rows: dict[str, int] = {}
        self.written = 0  # rows that a log of all changes has
        self._matrix: Vectors = np.empty((0, meta.spec.space.dimension), np.float32)
        self._words: Words | None = None

    @property
    def words(self) -> Words:
        """The words of all texts."""
        if self._words is None:
            self._words = Words(self.records)
        return self._words

    @property
    def mostly_dead(self) -> bool:
        """Whether more than half of a long log is of records that were replaced or deleted."""
        return self.written > 2 * len(self.records) + _FEW_DEAD

    @property
    def vectors(self) -> Vectors:
        """One row for each record."""
        return self._matrix[: len(self.records)]

    def stored_form(self, vectors: Sequence[Vector]) -> Vectors:
        """The vectors as rows of the matrix; in double precision until they are at unit length."""
        rows = np.array(vectors, np.float64)
        if self.metric is Metric.COSINE:
            rows /= np.abs(rows).max(axis=1, keepdims=True)  # else squares could overflow
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows.astype(np.float32)

    def put(self, records: Sequence[Record], vectors: Vectors) -> None:
        """Write records whole; the vectors are in stored form."""
        self._reserve(len(self.records) + len(records))
        for record, vector in zip(records, vectors, strict=True):
            row = self.rows.setdefault(record.id, len(self.records))
            self.records[row : row + 1] = [lent(record)]
            self._matrix[row] = vector
            if self._words:
                self._words.put(record)
        self.written += len(records)

    def change(self, ids: Sequence[str], patch: Patch) -> None:
        """Replace what the patch gives of records that are here."""
        given = {part.name: getattr(patch, part.name) for part in fields(patch)}
        given = {name: value for name, value in given.items() if value is not None}
        for row in (self.rows[id] for id in ids):
            self.records[row] = lent(replace(self.records[row], **given))
            if self._words and patch.text is not None:
                self._words.put(self.records[row])
        self.written += len(ids)

    def remove(self, ids: Sequence[str]) -> None:
        """Delete records that are here."""
        for id in ids:
            row, last = self.rows.pop(id), self.records.pop()
            if last.id != id:
                self._matrix[row] = self._matrix[len(self.records)]
                self.records[row] = last
                self.rows[last.id] = row
            if self._words:
                self._words.remove(id)
        self.written += len(ids)

    def scores(self, query: Vectors) -> Scores:
        """The likeness of every row to a query, a matrix of one row; equal vectors have equal scores."""
        if self.metric is Metric.COSINE:
            known: NDArray[np.floating[Any]] = self._cosines(query[0], slice(None))
        else:
            known = self._in_double(query[0])
        return Scores(known, 0.0, known.__getitem__)

    def first_scores(self, queries: Sequence[Vectors]) -> Iterator[Scores]:
        """The same for several, where few of the best are wanted: a product of matrices, which may be wrong.

        For cosines that takes half of the time, and less in a batch.
        """
        if self.metric is not Metric.COSINE:
            yield from map(self.scores, queries)
            return
        size = max(1, _CELLS // max(1, len(self.records)))
        slack = self._matrix.shape[1] * float(np.finfo(np.float32).eps)  # of two sums of so many products
        for at in range(0, len(queries), size):
            some = np.concatenate(queries[at : at + size])
            for query, rough in zip(some, some @ self.vectors.T, strict=True):
                yield Scores(rough, slack, partial(self._cosines, query))

    def entries(self) -> Iterator[Entry]:
        """The shortest log that makes this collection."""
        yield {"meta": self.meta.to_json()}, b""
        for at in range(0, len(self.records), _BLOCK):
            records = self.records[at : at + _BLOCK]
            yield self.upserting(records), self.vectors[at : at + _BLOCK].tobytes()

    def upserting(self, records: Sequence[Record]) -> dict[str, Any]:
        """The head of the log's entry that writes them."""
        return {"upsert": [record_to_json(record, self.meta.spec.fields) for record in records]}

    def replay(self, head: Mapping[str, Any], blob: bytes) -> None:
        """Do again what an entry of the log tells."""
        schema = self.meta.spec.fields
        match head:
            case {"meta": meta}:
                self.meta = CollectionMeta.from_json(meta)
            case {"upsert": rows}:
                vectors = np.frombuffer(blob, np.float32).reshape(len(rows), self._matrix.shape[1])
                self.put([record_from_json(row, schema) for row in rows], vectors)
            case {"update": ids, "to": patch}:
                self.change(ids, patch_from_json(patch, schema))
            case {"delete": ids}:
                self.remove(ids)

    def _cosines(self, query: Vectors, rows: NDArray[np.intp] | slice) -> Vectors:
        """Of these rows, by einsum: a BLAS sums a row's products as its place demands."""
        cosines: Vectors = np.einsum("ij,j->i", self.vectors[rows], query)
        return cosines.clip(-1, 1)

    def _in_double(self, query: Vectors) -> NDArray[np.float64]:
        """Products or distances of every row."""
        wide = query.astype(np.float64)
        blocks = (self.vectors[at : at + _BLOCK] for at in range(0, len(self.records), _BLOCK))
        if self.metric is Metric.IP:
            parts = [np.einsum("ij,j->i", block.astype(np.float64), wide) for block in blocks]
        else:
            parts = [-np.linalg.norm(block - wide, axis=1) for block in blocks]
        return np.concatenate(parts) if parts else np.empty(0)

    def _reserve(self, rows: int) -> None:
        """Room for so many rows; it doubles, so that growing costs little a row."""
        if rows > len(self._matrix):
            grown = np.empty((max(rows, 2 * len(self._matrix)), self._matrix.shape[1]), np.float32)
            grown[: len(self.records)] = self.vectors
            self._matrix = grown


def best_first(scores: Scores, records: Sequence[Record], first: int) -> Iterator[tuple[Record, float]]:
    """Records by score, the best first, equal ones by id; sorted piece by piece, as few are asked for."""
    rough, slack = scores.rough, scores.slack
    ceiling, size = np.inf, first
    while len(rough) and ceiling > -np.inf:
        floor = np.partition(rough, -size)[-size] - slack if size < len(rough) else -np.inf
        rows = np.flatnonzero(rough >= floor - slack)
        values = scores.exact(rows)
        within = np.flatnonzero((values >= floor) & (values < ceiling))
        within = within[np.argsort(-values[within])]
        rows, values = rows[within], values[within]
        ranked = list(zip([records[row] for row in rows.tolist()], values.tolist(), strict=True))
        if (values[1:] == values[:-1]).any():
            ranked.sort(key=lambda each: (-each[1], each[0].id))
        yield from ranked
        ceiling, size = floor, size * 4


def page(
    found: Iterator[tuple[Record, float]], limit: int, group: Group | None
) -> Iterator[tuple[Record, float]]:
    """The first of them; grouped, the best `size` of each of the first `limit` videos."""
    return islice(found, limit) if group is None else _grouped(found, limit, group)


def _grouped(
    found: Iterator[tuple[Record, float]], limit: int, group: Group
) -> Iterator[tuple[Record, float]]:
    taken: dict[str, int] = {}
    for record, score in found:
        count = taken.get(record.video_id, 0)
        if count < group.size and (count or len(taken) < limit):
            taken[record.video_id] = count + 1
            yield record, score
            if sum(taken.values()) == limit * group.size:
                return


def reader(name: str) -> Callable[[Record], object]:
    """What reads the value of a field, as a filter compares it, of a record that was checked."""
    return _BUILT_IN.get(name) or (lambda record: record.fields.get(name))


def lent(record: Record, vector: Vector | None = None) -> Record:
    """A copy with this vector, which shares nothing that can be changed."""
    extra = {name: _copied(value) for name, value in record.extra.items()}
    return record.changed(vector, dict(record.fields), extra)


def _copied(value: object) -> object:
    """A copy of a JSON value, of which only lists and objects can be changed."""
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
