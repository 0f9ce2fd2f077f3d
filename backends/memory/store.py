"""The exact store: a matrix in memory, and a log in a folder if it is given one. The oracle of all others."""

from __future__ import annotations

import contextlib
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...core import lexical
from ...core.capabilities import Capabilities, Feature, Form
from ...core.checks import SCORE_KIND
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError, IntegrityError, PolyreelError, UnsupportedError
from ...core.filter_check import tester
from ...core.filters import ALL
from ...core.locks import FolderLock, disk_error
from ...core.records import Hit, Record, ScoreKind, Vector
from ...core.requests import (
    Answer,
    CheckedRequest,
    Lexical,
    Near,
    NearRecord,
    NearVector,
    Patch,
    Receipt,
    Where,
)
from ...core.space import CollectionMeta, CollectionSpec
from ...core.store import VectorStore
from .collection import Collection, Scores, best_first, lent, page, reader
from .log import Log, patch_to_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEATURES = frozenset(
    {
        Feature.GROUP,
        Feature.NEAR_RECORD,
        Feature.LEXICAL,
        Feature.EXACT,
        Feature.PREFIX,
        Feature.ADD_FIELD,
    }
)
_LEAN = 400  # rows that are handed out while 10 000 vectors are compared
_PAGE = 256  # records that a scan reads under one lock
_LOG = "records.log"
_LOGGER = logging.getLogger(__name__)


class MemoryStore(VectorStore):
    """Exact search by comparing with every vector. Contract: `VectorStore`.

    Without a path the instance itself keeps the records: it may be closed and opened again, while another
    instance starts empty. With a path they live in a log in `path/<collection>`, which one instance at a time
    may hold; memory has all of them, too. Vectors are kept as float32, those of cosine spaces at unit length.

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
        self._kept: dict[str, Collection] = {}
        self._now: Collection | None = None
        self._log: Log | None = None
        self._folder_lock: FolderLock | None = None

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        with self._lock:
            self._close()
            form = self.forms[self._path is not None]
            self.can = Capabilities(
                form.name, form.features, version=f"numpy {np.__version__}", lean_rows=_LEAN
            )
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
                self._now = self._kept[spec.name] = Collection(meta)
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
                self._append(collection.upserting(records), vectors.tobytes())
            collection.put(records, vectors)
        return Receipt(upserted=tuple(record.id for record in records))

    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        with self._writing() as collection:
            known = [id for id in ids if id in collection.rows]
            if known:
                self._append({"update": known, "to": patch_to_json(patch, self.schema)})
                collection.change(known, patch)
        return Receipt(upserted=tuple(known))

    def _delete(self, ids: Sequence[str]) -> Receipt:
        with self._writing() as collection:
            known = [id for id in ids if id in collection.rows]
            if known:
                self._append({"delete": known})
                collection.remove(known)
        return Receipt(deleted=tuple(known))

    def _delete_where(self, where: Where) -> Receipt:
        with self._lock:
            self._delete([record.id for record in filter(self._test(where), self._open_one.records)])
        return Receipt()

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        with self._lock:
            collection = self._open_one
            plain = [self._query(each.near, collection) for each in requests if _is_plain(each)]
            first = collection.first_scores(plain)
            return [self._answer(each, *self._ranked(each, collection, first)) for each in requests]

    def _ranked(
        self, request: CheckedRequest, collection: Collection, first: Iterator[Scores]
    ) -> tuple[ScoreKind, Iterator[tuple[Record, float]]]:
        """Records with their scores, best first; `first` has those of plain requests, in order."""
        near = request.near
        if isinstance(near, Lexical):
            return ScoreKind.WEIGHTED, self._by_words(near, collection)
        scores = next(first) if _is_plain(request) else collection.scores(self._query(near, collection))
        return SCORE_KIND[collection.metric], best_first(scores, collection.records, request.limit)

    def _query(self, near: Near, collection: Collection) -> NDArray[np.float32]:
        """The vector that is asked for, in a matrix of one row."""
        if isinstance(near, NearRecord):
            return collection.vectors[[collection.rows[near.id]]]
        if isinstance(near, NearVector):
            return collection.stored_form([near.vector])
        raise UnsupportedError(f"{self.can.form} has no search near {type(near).__name__}")

    def _by_words(self, near: Lexical, collection: Collection) -> Iterator[tuple[Record, float]]:
        """Records with their scores, best first."""
        by_id = collection.words.scores(lexical.query(near.text))
        best = sorted(by_id, key=lambda id: (-by_id[id], id))
        return ((collection.records[collection.rows[id]], by_id[id]) for id in best)

    def _answer(
        self, request: CheckedRequest, kind: ScoreKind, ranked: Iterator[tuple[Record, float]]
    ) -> Answer:
        """The page of what matches, out of all records, best first."""
        itself = request.near.id if isinstance(request.near, NearRecord) else ""
        if itself or request.where.filter != ALL:
            matches = self._test(request.where)
            ranked = (each for each in ranked if each[0].id != itself and matches(each[0]))
        hits = page(ranked, request.limit, request.group)
        if request.lean:  # who asks so shows no record of the answer, so none is copied
            return Answer(tuple([Hit.bare(record, score, kind) for record, score in hits]))
        return Answer(tuple(Hit(lent(record), score, kind) for record, score in hits))

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001 - the base's hook
        with self._lock:
            rows = self._open_one.rows
            return {id: self._read(rows[id], vectors=vectors) for id in ids if id in rows}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001 - the base's hook
        with self._lock:
            ids, matches = iter(list(self._open_one.rows)), self._test(where)
        while some := list(islice(ids, _PAGE)):
            for record in self._fetch(some, vectors).values():
                if matches(record):
                    yield record

    def _count(self, where: Where) -> int:
        with self._lock:
            return sum(map(self._test(where), self._open_one.records))

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
    def _open_one(self) -> Collection:
        if self._now is None:
            raise ConfigurationError(f"this {self.kind} store was closed meanwhile")
        return self._now

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Collection]:
        """The collection, to be changed; afterwards the log is written anew when it is mostly dead."""
        with self._lock:
            yield self._open_one
            if self._log and self._now and self._now.mostly_dead:
                self._compact(self._log, self._now)

    def _append(self, head: Mapping[str, Any], blob: bytes = b"") -> None:
        if self._log:
            self._log.append((head, blob))

    def _compact(self, old: Log, collection: Collection) -> None:
        old.close()
        try:
            self._log = Log.create(old.path, collection.entries())
            collection.written = len(collection.records)
        except OSError as error:  # the write itself is done, and both files hold it
            _LOGGER.warning("%s: could not be compacted: %s", old.path, error)
            self._log = Log(old.path)

    def _folder(self, spec: CollectionSpec) -> Path | None:
        return self._path / spec.name if self._path else None

    def _hold(self, folder: Path, spec: CollectionSpec) -> None:
        self._folder_lock = FolderLock(folder, what=f"the collection {spec.name!r}")
        self._folder_lock.acquire()

    def _loaded(self, folder: Path) -> Collection:
        self._log = Log(folder / _LOG)
        collection: Collection | None = None
        for head, blob in self._log.read():
            collection = collection or Collection(CollectionMeta.from_json(head.get("meta") or {}))
            collection.replay(head, blob)
        if collection is None:
            raise IntegrityError(
                f"{folder / _LOG} is empty", hint=f"delete the folder {folder}, or put a backup there"
            )
        return collection

    def _test(self, where: Where) -> Callable[[Record], bool]:
        """A function that says whether a record matches."""
        if where.filter == ALL:
            return lambda _: True
        return tester(where.filter, self.schema, reader)

    def _read(self, row: int, *, vectors: bool) -> Record:
        vector = self._open_one.vectors[row].copy() if vectors else None
        return lent(self._open_one.records[row], cast("Vector | None", vector))


def _is_plain(request: CheckedRequest) -> bool:
    """Whether the hits are the nearest records, with none passed over in between."""
    return not isinstance(request.near, Lexical) and request.where.filter == ALL and request.group is None
