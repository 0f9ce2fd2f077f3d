"""How far a copy is: one SQLite file, so that it goes on after a crash and needs little memory.

It lists the ids of the source's records once, which gives each a *place*, and remembers the place up to which
they are in the target, the files that were carried over, and a digest of each manifest that was written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .errors import ConfigurationError, IntegrityError, LockedError, UnavailableError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ids (place INTEGER PRIMARY KEY, id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS videos (video_id TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
"""
_FORGET = "BEGIN; DELETE FROM state; DELETE FROM ids; DELETE FROM files; DELETE FROM videos; COMMIT"


class Ledger:
    """The progress of one copy, held by one process at a time.

    Args:
        path: The file; made when it is missing.

    Raises:
        LockedError: Another process is at the same copy.
        ConfigurationError: The file can't be written.
        IntegrityError: It is no ledger.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=1, isolation_level=None)
        except (OSError, sqlite3.OperationalError) as error:
            raise ConfigurationError(
                f"the progress of the copy can't be kept in {path.parent}: {error}",
                hint="set `state` of the stack to a folder that can be written",
            ) from error
        try:
            with self._errors():
                self._file.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._file.execute("PRAGMA journal_mode=WAL")
                self._file.execute("PRAGMA synchronous=NORMAL")  # kill -9 loses nothing
                self._file.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT")
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def state(self, name: str) -> str | None:
        """What was remembered under a name."""
        row = self._one("SELECT value FROM state WHERE name=?", (name,))
        return row[0] if row else None

    def remember(self, name: str, value: object) -> None:
        """Remember a value as text."""
        with self._errors():
            self._file.execute("INSERT OR REPLACE INTO state VALUES (?,?)", (name, str(value))).close()

    def reset(self) -> None:
        """Forget everything."""
        with self._errors():
            self._file.executescript(_FORGET)

    # -- records ------------------------------------------------------------------------------------------

    def list_ids(self, ids: Iterable[str]) -> None:
        """List all ids, in one transaction: a list cut short is begun anew."""
        with self._errors():
            self._file.execute("BEGIN")
            try:
                self._file.execute("DELETE FROM ids")
                self._file.executemany("INSERT INTO ids (id) VALUES (?)", ((id,) for id in ids))
                self._file.execute("INSERT OR REPLACE INTO state SELECT 'listed', count(*) FROM ids")
            except BaseException:
                self._file.rollback()
                raise
            self._file.execute("COMMIT")
            self._file.execute(
                "PRAGMA wal_checkpoint(FULL)"
            )  # nor does a loss of power; places hang on the list

    @property
    def listed(self) -> int | None:
        """How many ids there are; None before the list is whole."""
        count = self.state("listed")
        return None if count is None else int(count)

    @property
    def place(self) -> int:
        """The place up to which the records are in the target."""
        return int(self.state("place") or 0)

    def batches(self, start: int, size: int) -> Iterator[tuple[int, list[str]]]:
        """The ids behind a place, in batches, each with its last place."""
        sql = "SELECT place, id FROM ids WHERE place>? ORDER BY place LIMIT ?"
        while rows := self._all(sql, (start, size)):
            start = rows[-1][0]
            yield start, [id for _, id in rows]

    def at(self, places: Sequence[int]) -> list[str]:
        """The ids at places, which are counted from 0."""
        found = [self._one("SELECT id FROM ids WHERE place=?", (place + 1,)) for place in places]
        return [row[0] for row in found if row]

    # -- files and videos ---------------------------------------------------------------------------------

    def carried(self, key: str) -> bool:
        """Whether a file is in the target."""
        return self._one("SELECT 1 FROM files WHERE key=?", (key,)) is not None

    def carry(self, key: str) -> None:
        """Remember that a file is in the target."""
        with self._errors():
            self._file.execute("INSERT OR IGNORE INTO files VALUES (?)", (key,)).close()

    def committed(self, video_id: str) -> str | None:
        """The digest of the source's manifest as it was copied; None where it wasn't."""
        row = self._one("SELECT digest FROM videos WHERE video_id=?", (video_id,))
        return row[0] if row else None

    def commit(self, video_id: str, digest: str) -> None:
        """Remember that a manifest is in the target."""
        with self._errors():
            self._file.execute("INSERT OR REPLACE INTO videos VALUES (?,?)", (video_id, digest)).close()

    # -- inside -------------------------------------------------------------------------------------------

    def _one(self, sql: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        return next(iter(self._all(sql, values)), None)

    def _all(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._errors(), closing(self._file.execute(sql, values)) as cursor:
            return cursor.fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise LockedError(
                    "another process is at the same copy", hint="wait for it, or stop it, then try again"
                ) from error
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise UnavailableError(
                    f"the progress of the copy can't be kept in {self._path}: no space left",
                    hint="free some space, then run the same copy again",
                ) from error
            raise ConfigurationError(
                f"the progress of the copy can't be kept in {self._path}: {error}",
                hint="check its folder's permissions and space",
            ) from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(
                f"the progress of the copy in {self._path} is broken: {error}",
                hint="delete the file, and copy again with --merge",
            ) from error
