"""The journal: one SQLite file for each stack and collection. Losing it costs money and time, never data.

It remembers what would be paid for twice (tasks submitted to providers), what is slow to find out again
(digests of files), which files failed and what was said of them, which records `gc` saw without a manifest,
and what a model that looks at videos answered, with the files that its service holds.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import ConfigurationError, IntegrityError
from .orders import Ticket

_SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER, sha256 TEXT);
CREATE TABLE IF NOT EXISTS paid (
    video_id TEXT, work TEXT, ticket TEXT, expires REAL, submits INTEGER NOT NULL, open INTEGER NOT NULL,
    since REAL NOT NULL, PRIMARY KEY (video_id, work));
CREATE TABLE IF NOT EXISTS handed (
    video_id TEXT, work TEXT, address TEXT NOT NULL, PRIMARY KEY (video_id, work));
CREATE TABLE IF NOT EXISTS remotes (address TEXT PRIMARY KEY, mark TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures (path TEXT PRIMARY KEY, reason TEXT NOT NULL, failed REAL NOT NULL);
CREATE TABLE IF NOT EXISTS given (path TEXT PRIMARY KEY, known TEXT NOT NULL, signed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS said (
    kind TEXT, key TEXT, value TEXT NOT NULL, expires REAL, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS orphans (record TEXT PRIMARY KEY, seen REAL NOT NULL, looked REAL NOT NULL);
"""

_LONGEST = 500  # characters of a reason


@dataclass(frozen=True, slots=True)
class Task:
    """A paid task of a video.

    Args:
        ticket: Once the reply to a submit arrived.
        submits: How often it was submitted, and may have been paid for.
        open: Submits whose reply is missing: each may have made a task.
        since: Seconds since 1970, before the first of those.
    """

    ticket: Ticket | None
    submits: int
    open: int
    since: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A source whose last try failed.

    Args:
        path: Its path or lasting address.
        reason: Why it failed.
        failed: When, in seconds since 1970.
        given: What the call said of it: title, tags, captions, fields.
        signed: Whether it was given with a signature, which is never stored.
    """

    path: str
    reason: str
    failed: float
    given: Mapping[str, object] = field(default_factory=dict, repr=False)
    signed: bool = False


class Journal:
    """The journal in one file; safe for several threads and processes.

    Raises:
        ConfigurationError: Its folder can't be written.
        IntegrityError: The file is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=30, check_same_thread=False, isolation_level=None
            )
        except (OSError, sqlite3.OperationalError) as error:
            raise ConfigurationError(
                f"the state folder {path.parent} can't be written: {error}",
                hint="set `state` of the stack to a folder that can",
            ) from error
        try:
            with self._errors():
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.executescript(_SCHEMA)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def sha256(self, path: Path) -> str | None:
        """The digest of a file that hasn't changed since it was remembered."""
        row = self._one(
            "SELECT sha256 FROM digests WHERE path=? AND size=? AND mtime_ns=? AND ctime_ns=? AND inode=?",
            _identity(path),
        )
        return row[0] if row else None

    def remember_sha256(self, path: Path, sha256: str) -> None:
        """Remember the digest of a file as it is now."""
        self._run("INSERT OR REPLACE INTO digests VALUES (?,?,?,?,?,?)", (*_identity(path), sha256))

    def remote(self, address: str) -> tuple[str, str] | None:
        """The mark and the digest of a remote file when it was last fetched, by `addresses.same_file`."""
        row = self._one("SELECT mark, sha256 FROM remotes WHERE address=?", (address,))
        return (row[0], row[1]) if row else None

    def remember_remote(self, address: str, mark: str, sha256: str) -> None:
        """Remember the digest of a remote file, and the mark that changes when the file does."""
        self._run("INSERT OR REPLACE INTO remotes VALUES (?,?,?)", (address, mark, sha256))

    def task(self, video_id: str, work: str) -> Task | None:
        """The task of a video for a piece of work (space and recipe); None where none was ever intended."""
        row = self._one(
            "SELECT ticket, expires, submits, open, since FROM paid WHERE video_id=? AND work=?",
            (video_id, work),
        )
        return Task(Ticket(row[0], video_id, row[1]) if row[0] else None, *row[2:]) if row else None

    def intend(self, video_id: str, work: str) -> Task:
        """Write down, before a submit, that it will be tried; returns what is known of the task then."""
        now = time.time()
        self._run(
            "INSERT INTO paid (video_id, work, submits, open, since) VALUES (?,?,1,1,?) ON CONFLICT DO UPDATE"
            " SET submits = submits + 1, open = open + 1, ticket = NULL,"
            " since = CASE WHEN open = 0 THEN excluded.since ELSE since END",
            (video_id, work, now),
        )
        return self.task(video_id, work) or Task(None, 1, 1, now)

    def withdraw(self, video_id: str, work: str) -> None:
        """Take an intent back: the service refused the submit, and did nothing."""
        key = (video_id, work)
        self._run("UPDATE paid SET submits = submits - 1, open = open - 1 WHERE video_id=? AND work=?", key)
        self._run("DELETE FROM paid WHERE video_id=? AND work=? AND submits < 1", key)

    def issued(self, work: str, ticket: Ticket) -> None:
        """Write down the ticket that a submit brought."""
        self._run(
            "UPDATE paid SET ticket=?, expires=?, open=0 WHERE video_id=? AND work=?",
            (ticket.id, ticket.expires, ticket.video_id, work),
        )

    def drop(self, video_id: str, work: str) -> None:
        """Forget a ticket that leads nowhere; how often the task was submitted is kept."""
        self._run("UPDATE paid SET ticket=NULL, open=0 WHERE video_id=? AND work=?", (video_id, work))

    def done(self, video_id: str, work: str) -> None:
        """Forget a task whose result is stored, and what was handed over for it."""
        self._run("DELETE FROM paid WHERE video_id=? AND work=?", (video_id, work))
        self.forget_handed(video_id, work)

    def handed(self, video_id: str, work: str) -> str | None:
        """Where a service has a video that was handed over to it."""
        row = self._one("SELECT address FROM handed WHERE video_id=? AND work=?", (video_id, work))
        return row[0] if row else None

    def hand(self, video_id: str, work: str, address: str) -> None:
        """Write down where a service has a video now."""
        self._run("INSERT OR REPLACE INTO handed VALUES (?,?,?)", (video_id, work, address))

    def forget_handed(self, video_id: str, work: str) -> None:
        """Forget where a service had a video."""
        self._run("DELETE FROM handed WHERE video_id=? AND work=?", (video_id, work))

    def failed(
        self, path: str, reason: str, given: Mapping[str, object] | None = None, *, signed: bool = False
    ) -> None:
        """Remember that a source failed, the start of the reason, and what the call said of the source."""
        known = json.dumps(dict(given or {}), default=_plain)
        self._run("INSERT OR REPLACE INTO given VALUES (?,?,?)", (path, known, signed))
        row = (path, reason[:_LONGEST], time.time())
        self._run("INSERT OR REPLACE INTO failures VALUES (?,?,?)", row)

    def succeeded(self, path: str) -> None:
        """Forget that a source failed; nothing happens where it didn't."""
        self._run("DELETE FROM failures WHERE path=?", (path,))
        self._run("DELETE FROM given WHERE path=?", (path,))

    def failures(self) -> list[Failure]:
        """The sources whose last try failed, by their paths."""
        sql = (
            "SELECT path, reason, failed, known, signed FROM failures LEFT JOIN given USING (path)"
            " ORDER BY path"
        )
        with self._errors(), self._lock, closing(self._connection.execute(sql)) as cursor:
            return [
                Failure(
                    os.fsdecode(path), os.fsdecode(reason), failed, json.loads(known or "{}"), bool(signed)
                )
                for path, reason, failed, known, signed in cursor
            ]

    def recall(self, kind: str, key: str) -> dict[str, Any] | None:
        """What `keep` wrote down, unless that has expired."""
        row = self._one(
            "SELECT value FROM said WHERE kind=? AND key=? AND (expires IS NULL OR expires>?)",
            (kind, key, time.time()),
        )
        return dict(json.loads(row[0])) if row else None

    def keep(self, kind: str, key: str, value: Mapping[str, object], *, expires: float | None = None) -> None:
        """Write down what a model, or the service behind it, said; `expires` in seconds since 1970."""
        row = (kind, key, json.dumps(dict(value), ensure_ascii=False), expires)
        self._run("INSERT OR REPLACE INTO said VALUES (?,?,?,?)", row)

    def let_go(self, kind: str, key: str) -> None:
        """Forget what `keep` wrote down."""
        self._run("DELETE FROM said WHERE kind=? AND key=?", (kind, key))

    def kept(self, kind: str, start: str = "") -> dict[str, dict[str, Any]]:
        """All of a kind whose keys begin like this, expired or not, by key."""
        sql = "SELECT key, value FROM said WHERE kind=? AND substr(key, 1, ?)=? ORDER BY key"
        values = (kind, len(start), start)
        with self._errors(), self._lock, closing(self._connection.execute(sql, values)) as cursor:
            return {key: dict(json.loads(value)) for key, value in cursor}

    def orphan(self, record: str, now: float) -> float:
        """Remember that no manifest names a record; returns since when that is known, seconds since 1970."""
        self._run(
            "INSERT INTO orphans VALUES (?,?,?) ON CONFLICT DO UPDATE SET looked=excluded.looked",
            (record, now, now),
        )
        found = self._one("SELECT record, seen, 0 FROM orphans WHERE record=?", (record,))
        return found[1] if found else now

    def forget_orphans(self, looked_before: float) -> None:
        """Forget orphans that a later look didn't find any more."""
        self._run("DELETE FROM orphans WHERE looked<?", (looked_before,))

    def _one(self, sql: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        with self._errors(), self._lock, closing(self._connection.execute(sql, _storable(values))) as cursor:
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row

    def _run(self, sql: str, values: tuple[object, ...]) -> None:
        with self._errors(), self._lock:
            self._connection.execute(sql, _storable(values)).close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise ConfigurationError(
                f"the journal {self._path} can't be used: {error}",
                hint="check its folder's permissions and space",
            ) from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(
                f"the journal {self._path} is broken: {error}",
                hint="delete the file; it only saves time and repeated payment",
            ) from error


def _plain(value: object) -> str:
    """An instant or a path as text, which a field takes as well."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _storable(values: tuple[object, ...]) -> list[object]:
    """The values, a text as bytes where it holds a file's name in another encoding than UTF-8."""
    return [os.fsencode(each) if isinstance(each, str) and not _is_utf8(each) else each for each in values]


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identity(path: Path) -> tuple[object, ...]:
    """What changes when a file's content does."""
    stat = path.stat()
    return (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
