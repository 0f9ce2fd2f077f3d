"""Two caches: vectors of query parts on the disk, and, where it is asked for, whole answers in memory.

**Vectors** lie in one SQLite file of the state folder, which all stacks and processes there share. A key is a
digest of the space (model, version, dimension, templates) and of the exact parts in their order (text, bytes
of a file, its span, frames a second), so another model, another template or a file with other content never
meets it. It is on by default, for it is safe: an embedder gives the same parts the same vector, by contract.
No query can be read out of the file, which holds digests and vectors only. Its size is bounded; what wasn't
used for longest goes first. A broken or locked file costs the cache, never the search.

**Answers** (`cache_results`) are kept by one `VideoSearch`, and forgotten when this process writes through
its store. What another process writes is seen where it changes the number of records, and after `MAX_AGE`
seconds in any case; where one process at a time has the collection open, nobody else can write.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .capabilities import Feature
from .filter_json import to_json
from .filters import Filter
from .logs import LOGGER
from .media import Media, Modality
from .records import Hit, Vector

if TYPE_CHECKING:
    from .embedder import Embedder
    from .planner import Page
    from .query import Query
    from .stack import Stack
    from .store import VectorStore

T = TypeVar("T")

State = tuple[object, int | None]
"""What of a collection changes when somebody writes."""

MAX_AGE = 60.0
"""Seconds after which a kept answer is asked for anew where other processes may write."""
MAX_ANSWERS = 256
"""Answers that are kept; what wasn't used for longest goes first."""

_FILE = "query-vectors.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, used INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS by_use ON vectors (used);
"""
_SHARE = 8  # of what is kept, one part in so many goes when the file is full
_WAIT = 0.2  # seconds for another process that is writing
_BLOCK = 1 << 20


def parts_key(embedder: Embedder, parts: Sequence[Media]) -> bytes | None:
    """The key of what an embedder makes of parts; None where their content isn't known, as of an address."""
    contents = [_content(part) for part in parts]
    if None in contents:
        return None
    return _digest([embedder.space.to_json(), dict(embedder.query_settings), contents])


class QueryCache:
    """Vectors of query parts in one file; safe for several threads and processes.

    Args:
        path: Of the file; made when it is missing.
        max_bytes: What it may hold.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._connection = self._opened()

    def get(self, key: bytes, dimension: int) -> Vector | None:
        """The vector of a key, if it is whole; it counts as used then."""
        vector = self._quietly(lambda connection: self._get(connection, key))
        return vector if vector is not None and len(vector) == dimension else None

    def put(self, key: bytes, vector: Vector) -> None:
        """Keep the vector of a key."""
        kept = array("d", map(float, vector)).tobytes()
        self._quietly(lambda connection: self._put(connection, key, kept))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _get(self, connection: sqlite3.Connection, key: bytes) -> Vector | None:
        with closing(connection.execute("SELECT vector FROM vectors WHERE key=?", (key,))) as found:
            row = found.fetchone()
        if row is None:
            return None
        connection.execute("UPDATE vectors SET used=? WHERE key=?", (time.time_ns(), key)).close()
        return array("d", row[0]).tolist()

    def _put(self, connection: sqlite3.Connection, key: bytes, vector: bytes) -> None:
        row = (key, vector, time.time_ns())
        connection.execute("INSERT OR REPLACE INTO vectors VALUES (?,?,?)", row).close()
        while self._size(connection) > self._max_bytes and self._forget(connection):
            pass

    def _size(self, connection: sqlite3.Connection) -> int:
        """Bytes of the file that are in use."""
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _forget(self, connection: sqlite3.Connection) -> bool:
        """Forget what wasn't used for longest; whether there was anything."""
        sql = (
            "DELETE FROM vectors WHERE key IN (SELECT key FROM vectors ORDER BY used"
            " LIMIT (SELECT (COUNT(*) + ?) / ? FROM vectors))"
        )
        with closing(connection.execute(sql, (_SHARE - 1, _SHARE))) as done:
            return done.rowcount > 0

    def _opened(self) -> sqlite3.Connection | None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=_WAIT, check_same_thread=False, isolation_level=None
            )
        except (OSError, sqlite3.Error) as error:
            LOGGER.warning("no query cache", exc_info=error)
            return None
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            connection.execute("PRAGMA synchronous=OFF").close()  # losing it loses no data
            connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            LOGGER.warning("no query cache", exc_info=error)
            connection.close()
            return None
        return connection

    def _quietly(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """A broken file is removed, to be made anew by the next process; a locked one is passed over."""
        with self._lock:
            if self._connection is None:
                return None
            try:
                return action(self._connection)
            except sqlite3.OperationalError as error:
                LOGGER.info("query cache passed over", exc_info=error)
            except (sqlite3.DatabaseError, ValueError) as error:  # ValueError: half a number
                LOGGER.warning("query cache broken", exc_info=error)
                self._connection.close()
                self._connection = None
                self._path.unlink(missing_ok=True)
        return None


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches of one open stack; None where one is turned off."""

    vectors: QueryCache | None
    answers: ResultCache | None

    @classmethod
    def of(cls, stack: Stack) -> Caches:
        """As the stack's settings want them."""
        size = stack.query_cache_mb << 20
        vectors = QueryCache(stack.state / _FILE, size) if size else None
        return cls(vectors, ResultCache() if stack.cache_results else None)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self.vectors:
            self.vectors.close()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A page, and what the collection was like when it was asked for."""

    page: Page
    state: State
    since: float


class ResultCache:
    """Pages of one open store; safe for several threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def through(
        self,
        store: VectorStore,
        queries: Sequence[Query],
        seen: Sequence[Hit],
        ask: Callable[[Sequence[Query], Sequence[Hit]], list[Page]],
    ) -> list[Page]:
        """A page of each query: a kept one, if the collection is as it was; only the others are asked for."""
        began, state = time.perf_counter(), _state(store)
        keys = [query_key(query, seen) for query in queries]
        kept = {at: page for at, key in enumerate(keys) if key and (page := self._get(key, state))}
        pages = {at: _told(page, time.perf_counter() - began) for at, page in kept.items()}
        missing = [at for at in range(len(queries)) if at not in pages]
        if missing:
            fresh = ask([queries[at] for at in missing], seen)
            pages |= dict(zip(missing, fresh, strict=True))
            for at, page in zip(missing, fresh, strict=True):  # a write since then leaves it unused
                self._put(keys[at], _Kept(_copied(page), state, self._clock()))
        return [pages[at] for at in range(len(queries))]

    def _get(self, key: bytes, state: State) -> Page | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            too_old = state[1] is not None and self._clock() - kept.since > MAX_AGE
            if kept.state != state or too_old:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return kept.page

    def _put(self, key: bytes | None, kept: _Kept) -> None:
        if key is None:
            return
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_ANSWERS:
                self._kept.popitem(last=False)


def _state(store: VectorStore) -> State:
    """What changes when this process writes, or another one changes the number of records."""
    return store.written, store.count() if Feature.SHARED in store.can.features else None


def _told(page: Page, seconds: float) -> Page:
    """A kept page as that of this call, which asked and paid nothing."""
    timing = {**dict.fromkeys(page.timing, 0.0), "cache": seconds, "total": seconds}
    own = _copied(page)
    return replace(own, timing=timing, explain={**own.explain, "answer": "cached"}, usage={}, request_ids=())


def _copied(page: Page) -> Page:
    """A page that shares nothing that can be changed: whoever is given one may write into its mappings."""
    return replace(
        page,
        hits=tuple(map(_copied_hit, page.hits)),
        timing=dict(page.timing),
        explain=deepcopy(dict(page.explain)),
        usage=dict(page.usage),
        notes=deepcopy(page.notes),
    )


def _copied_hit(hit: Hit) -> Hit:
    known = hit.record
    record = replace(known, fields=dict(known.fields), extra=deepcopy(dict(known.extra)))
    members = tuple(map(_copied_hit, hit.members))
    return replace(hit, record=record, similarity=dict(hit.similarity), members=members)


def query_key(query: Query, seen: Sequence[Hit]) -> bytes | None:
    """The key of a query's answer; None where the content of a part isn't known."""
    contents = [_content(part.media) for part in query.parts() if part.media]
    asked = {each.name: _plain(getattr(query, each.name)) for each in fields(query)}
    return (
        None
        if None in contents
        else _digest([asked, contents, sorted((hit.id, *hit.span_ms) for hit in seen)])
    )


def file_digest(path: Path) -> str:
    """The sha256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(part: Media) -> list[object] | None:
    """What a medium is, wherever it lies; None where only an address is known."""
    if part.modality is Modality.TEXT:
        return [part.modality.value, part.text]
    if part.path is None or not part.path.is_file():
        return None
    return [part.modality.value, file_digest(part.path), part.start_ms, part.end_ms, part.fps]


def _plain(value: object) -> object:
    """A value of a query as JSON has it; of what JSON hasn't, an exact text."""
    if isinstance(value, Filter):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(_plain(getattr(value, each.name)) for each in fields(value))]
    listed = getattr(value, "tolist", None)  # an array
    if listed is not None:
        return listed()
    return [*map(_plain, value)] if isinstance(value, Sequence | frozenset | set) else repr(value)


def _digest(value: object) -> bytes:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).digest()
