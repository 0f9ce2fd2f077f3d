"""The exact store: a matrix in memory, and a log in a folder if it is given one. The oracle of all others."""

from __future__ import annotations

import contextlib
import copy
import logging
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..core.capabilities import Capabilities, Feature, Form
from ..core.checks import SCORE_KIND
from ..core.deadline import RetryPolicy
from ..core.errors import ConfigurationError, IntegrityError, PolyreelError, UnsupportedError
from ..core.fields import FieldType, from_column, to_column
from ..core.filters import ALL, matches
from ..core.locks import FolderLock, disk_error
from ..core.records import Channel, Hit, Record, Scope, Text, Vector
from ..core.requests import (
    Answer,
    CheckedRequest,
    Group,
    NearRecord,
    NearVector,
    Patch,
    Receipt,
    Where,
)
from ..core.space import CollectionMeta, CollectionSpec, Metric
from ..core.store import VectorStore
from ._log import Entry, Log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_FEATURES = frozenset({Feature.GROUP, Feature.NEAR_RECORD, Feature.EXACT, Feature.PREFIX, Feature.ADD_FIELD})
_BLOCK = 4096  # rows taken in hand at once
_PAGE = 256  # records that a scan reads under one lock
_FEW_DEAD = 1000  # a log with fewer dead rows isn't worth writing anew
_LOG = "records.log"
_LOGGER = logging.getLogger(__name__)


class MemoryStore(VectorStore):
    """Exact search by comparing with every vector. Contract: `VectorStore`.

    Without a path the instance keeps its records until it is garbage: it may be closed and opened again, while
    another instance starts empty. With a path they live in a log in `path/<collection>`, which one instance at
    a time may hold; memory still has all of them. Vectors are kept as float32, of cosine spaces at unit length.

    Args:
        path: The folder for collections; None keeps nothing beyond the instance.
        timeout: Seconds for one call.
        retry: How a full or failing disk is tried again.
    """

    kind = "memory"
    forms = (
        Form("memory", "no path", _FEATURES, "itself", "gone when the process ends"),
        Form("memory, in a folder", "path", _FEATURES | {Feature.DURABLE}, "itself", "read whole on opening"),
    )

    def __init__(
        self, *, path: Path | None = None, timeout: float = 30.0, retry: RetryPolicy | None = None
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._path = Path(path) if path is not None else None
        self._lock = RLock()
        self._kept: dict[str, _Collection] = {}
        self._now: _Collection | None = None
        self._log: Log | None = None
        self._folder_lock: FolderLock | None = None

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        with self._lock:
            self._close()
            form = self.forms[self._path is not None]
            self.can = Capabilities(form.name, form.features, version=f"numpy {np.__version__}")
            folder = self._folder(spec)
            if folder is None:
                self._now = self._kept.get(spec.name)
            elif (folder / _LOG).exists():
                self._hold(folder, spec)
                self._now = self._loaded(folder)
            return self._now.meta if self._now else None

    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        with self._lock:
            meta = CollectionMeta(uuid.uuid4().hex, spec)
            folder = self._folder(spec)
            if folder is None:
                self._now = self._kept[spec.name] = _Collection(meta)
            else:
                self._hold(folder, spec)
                if not (folder / _LOG).exists():  # else another process was quicker
                    Log.create(folder / _LOG, [({"meta": meta.to_json()}, b"")]).close()
                self._now = self._loaded(folder)
            return self._now.meta

    def _add_fields(self, meta: CollectionMeta) -> None:
        with self._writing() as collection:
            self._append({"meta": meta.to_json()})
            collection.meta = meta

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        with self._writing() as collection:
            vectors = collection.stored_form([cast("Vector", record.content) for record in records])
            if self._log:
                self._append({"upsert": [_to_json(record) for record in records]}, vectors.tobytes())
            collection.put(records, vectors)
        return Receipt(upserted=tuple(record.id for record in records))

    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        with self._writing() as collection:
            known = [id for id in ids if id in collection.rows]
            self._append({"update": known, "to": _patch_to_json(patch)})
            collection.change(known, patch)
        return Receipt(upserted=tuple(known))

    def _delete(self, ids: Sequence[str]) -> Receipt:
        with self._writing() as collection:
            known = [id for id in ids if id in collection.rows]
            self._append({"delete": known})
            collection.remove(known)
        return Receipt(deleted=tuple(ids))

    def _delete_where(self, where: Where) -> Receipt:
        with self._lock:
            self._delete([record.id for record in self._open_one.records if self._matches(record, where)])
        return Receipt()

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        with self._lock:
            return [self._answer(request, self._open_one) for request in requests]

    def _answer(self, request: CheckedRequest, collection: _Collection) -> Answer:
        near, itself = request.near, ""
        if isinstance(near, NearRecord):
            itself = near.id
            query = collection.vectors[collection.rows[near.id]]
        elif isinstance(near, NearVector):
            query = collection.stored_form([near.vector])[0]
        else:
            raise UnsupportedError(f"{self.can.form} has no search near {type(near).__name__}")
        scores = collection.scores(query)
        found = (
            (record, float(scores[row]))
            for row in _best_first(scores, collection.records, request.limit)
            if (record := collection.records[row]).id != itself and self._matches(record, request.where)
        )
        kind = SCORE_KIND[collection.metric]
        return Answer(
            tuple(Hit(_lent(record), score, kind) for record, score in _page(found, request.limit, request.group))
        )

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001 - the base's hook
        with self._lock:
            rows = self._open_one.rows
            return {id: self._read(rows[id], vectors=vectors) for id in ids if id in rows}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001 - the base's hook
        with self._lock:
            ids = iter(list(self._open_one.rows))
        while page := list(islice(ids, _PAGE)):
            for record in self._fetch(page, vectors).values():
                if self._matches(record, where):
                    yield record

    def _count(self, where: Where) -> int:
        with self._lock:
            return sum(self._matches(record, where) for record in self._open_one.records)

    def _flush(self) -> None:
        with self._lock:
            if self._log:
                self._log.flush()

    def _drop(self) -> None:
        with self._lock:
            spec = self.meta.spec
            self._kept.pop(spec.name, None)
            if folder := self._folder(spec):
                (folder / _LOG).unlink()
                shutil.rmtree(folder)

    def _close(self) -> None:
        with self._lock:
            self._now = None
            if self._log:
                self._log.close()
            if self._folder_lock:
                self._folder_lock.release()
            self._log = self._folder_lock = None

    def _translate(self, error: Exception) -> PolyreelError | None:
        return disk_error(error, f"the {self.kind} store") if isinstance(error, OSError) else None

    # -- inside -------------------------------------------------------------------------------------------

    @property
    def _open_one(self) -> _Collection:
        if self._now is None:
            raise ConfigurationError(f"this {self.kind} store was closed meanwhile")
        return self._now

    @contextlib.contextmanager
    def _writing(self) -> Iterator[_Collection]:
        """The collection, to be changed; afterwards the log is written anew when it is mostly dead."""
        with self._lock:
            yield self._open_one
            if self._log and self._log.rows > 2 * len(self._open_one.records) + _FEW_DEAD:
                self._compact(self._log, self._open_one)

    def _append(self, head: Mapping[str, Any], blob: bytes = b"") -> None:
        if self._log:
            self._log.append((head, blob))

    def _compact(self, old: Log, collection: _Collection) -> None:
        old.close()
        try:
            self._log = Log.create(old.path, collection.entries())
        except OSError as error:  # the write itself is done, and both files hold it
            _LOGGER.warning("%s: could not be compacted: %s", old.path, error)
            self._log = Log(old.path)

    def _folder(self, spec: CollectionSpec) -> Path | None:
        return self._path / spec.name if self._path else None

    def _hold(self, folder: Path, spec: CollectionSpec) -> None:
        self._folder_lock = FolderLock(folder, what=f"the collection {spec.name!r}")
        self._folder_lock.acquire()

    def _loaded(self, folder: Path) -> _Collection:
        self._log = Log(folder / _LOG)
        return _replayed(self._log.read(), folder)

    def _matches(self, record: Record, where: Where) -> bool:
        return where.filter == ALL or matches(where.filter, _values(record), self.schema)

    def _read(self, row: int, *, vectors: bool) -> Record:
        vector = self._open_one.vectors[row].copy() if vectors else None
        return replace(_lent(self._open_one.records[row]), content=cast("Vector | None", vector))


class _Collection:
    """Records and their vectors, row by row without a gap: the last row moves into the place of a deleted one."""

    def __init__(self, meta: CollectionMeta) -> None:
        self.meta = meta
        self.metric = meta.spec.space.metric
        self.records: list[Record] = []
        self.rows: dict[str, int] = {}
        self.written = 0  # rows that a log of all changes has
        self._matrix: Vectors = np.empty((0, meta.spec.space.dimension), np.float32)

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
        self._reserve(len(self.records) + len(records))
        for record, vector in zip(records, vectors, strict=True):
            row = self.rows.setdefault(record.id, len(self.records))
            self.records[row : row + 1] = [_lent(record)]
            self._matrix[row] = vector
        self.written += len(records)

    def change(self, ids: Sequence[str], patch: Patch) -> None:
        given = {part.name: getattr(patch, part.name) for part in fields(patch)}
        given = {name: value for name, value in given.items() if value is not None}
        for row in (self.rows[id] for id in ids):
            self.records[row] = _lent(replace(self.records[row], **given))
        self.written += len(ids)

    def remove(self, ids: Sequence[str]) -> None:
        for id in ids:
            row, last = self.rows.pop(id), self.records.pop()
            if last.id != id:
                self._matrix[row] = self._matrix[len(self.records)]
                self.records[row] = last
                self.rows[last.id] = row
        self.written += len(ids)

    def scores(self, query: Vectors) -> NDArray[np.floating[Any]]:
        """The likeness of every row, at float32's precision; equal vectors have equal scores."""
        if self.metric is Metric.COSINE:  # einsum, since a BLAS sums a row's products as its place demands
            return np.clip(np.einsum("ij,j->i", self.vectors, query), -1, 1)
        wide = query.astype(np.float64)
        blocks = (self.vectors[at : at + _BLOCK] for at in range(0, len(self.records), _BLOCK))
        if self.metric is Metric.IP:
            parts = [np.einsum("ij,j->i", block.astype(np.float64), wide) for block in blocks]
        else:
            parts = [-np.linalg.norm(block - wide, axis=1) for block in blocks]
        return np.concatenate(parts) if parts else np.empty(0)

    def entries(self) -> Iterator[Entry]:
        """The shortest log that makes this collection."""
        yield {"meta": self.meta.to_json()}, b""
        for at in range(0, len(self.records), _BLOCK):
            records = self.records[at : at + _BLOCK]
            head = {"upsert": [record_to_json(record) for record in records]}
            yield head, self.vectors[at : at + _BLOCK].tobytes()

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

    def _reserve(self, rows: int) -> None:
        """Room for so many rows; it doubles, so that growing costs little a row."""
        if rows > len(self._matrix):
            grown = np.empty((max(rows, 2 * len(self._matrix)), self._matrix.shape[1]), np.float32)
            grown[: len(self.records)] = self.vectors
            self._matrix = grown


def _best_first(
    scores: NDArray[np.floating[Any]], records: Sequence[Record], first: int
) -> Iterator[int]:
    """Rows by score, the best first, equal ones by id; sorted piece by piece, as few are asked for."""
    ceiling, size = np.inf, first
    while len(scores) and ceiling > -np.inf:
        floor = np.partition(scores, -size)[-size] if size < len(scores) else -np.inf
        rows = np.flatnonzero((scores >= floor) & (scores < ceiling)).tolist()
        yield from sorted(rows, key=lambda row: (-scores[row], records[row].id))
        ceiling, size = floor, size * 4


def _page(
    found: Iterator[tuple[Record, float]], limit: int, group: Group | None
) -> Iterator[tuple[Record, float]]:
    """The first of them; grouped, the best `size` of each of the first `limit` videos."""
    if group is None:
        yield from islice(found, limit)
        return
    taken: dict[str, int] = {}
    for record, score in found:
        count = taken.get(record.video_id, 0)
        if count < group.size and (count or len(taken) < limit):
            taken[record.video_id] = count + 1
            yield record, score
            if sum(taken.values()) == limit * group.size:
                return


def _values(record: Record) -> dict[str, object]:
    """What a filter sees of a record."""
    return {
        **record.fields,
        "video_id": record.video_id,
        "scope": record.scope.value,
        "start": record.start,
        "end": record.end,
        "uri": record.uri,
        "channel": record.channel.value,
    }


def _lent(record: Record) -> Record:
    """A copy without a vector, which shares nothing that can be changed."""
    return replace(record, content=None, fields=dict(record.fields), extra=copy.deepcopy(dict(record.extra)))
