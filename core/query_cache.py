"""Vectors of query parts in one SQLite file, so that no part is embedded twice (`core.caching`)."""

from __future__ import annotations

import sqlite3
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from .logs import LOGGER
from .records import Vector

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, used INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS by_use ON vectors (used);
"""
_SHARE = 8  # of what is kept, one part in so many goes when the file is full
_WAIT = 0.2  # seconds for another process that is writing


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
