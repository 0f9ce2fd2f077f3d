"""Finding what nothing needs any more: leases that a crash left, and what no manifest names.

Nothing is deleted that may still be in use:

- Several collections may share an object store, so a file is an orphan only where no manifest of any of them
  names it, and it is deleted only when it is too old to belong to a video that is being taken in.
- A record is an orphan where no manifest of its own collection names it. Records have no age: where only one
  process can open the store, that is this one, and where several can, a record is deleted once an earlier
  look, long enough ago, had seen it so.
- A video whose manifest can't be read keeps all that it has.
- Objects whose keys polyreel doesn't write are not looked at.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from .capabilities import Feature
from .errors import IntegrityError
from .journal import Journal
from .manifest import Manifest, Manifests
from .objects import ObjectInfo, ObjectStore
from .store import VectorStore
from .upload_marks import PREFIX

LEASE_AGE = 86_400.0
"""Seconds after which a lease of a query's medium can't be in use any more."""

_EXAMPLES = 20
_BATCH = 500
_OWN = {
    "lease": re.compile(r"staging/\d{4}-\d\d-\d\d/[0-9a-f]{32}(\.[^/]*)?"),
    "upload": re.compile(r"uploads/[0-9a-f]{64}\.json"),
    "clip": re.compile(r"clips/([0-9a-f]{64})/(\d+-\d+\.mp4|proxy-[\d.]+\.\w+)"),
    "video": re.compile(r"videos/([0-9a-f]{64})(\.[^/]*)?"),
    "manifest": re.compile(r"manifests/([^/]+)/([0-9a-f]{64})\.json"),
}
"""Keys that polyreel writes. Anything else in the bucket is somebody else's, and is passed over."""


class OrphanKind(StrEnum):
    """What is needed no more: leases of queries, unfinished uploads, records, clip files, copied videos."""

    LEASE = "lease"
    UPLOAD = "upload"
    RECORD = "record"
    CLIP = "clip"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Orphans:
    """What was found of one kind.

    Args:
        count: How many.
        size: Bytes; 0 for records, whose size no store tells.
        waiting: How many of them are too young to be deleted.
        examples: The first keys or ids.
    """

    count: int
    size: int
    waiting: int
    examples: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "count": self.count,
            "bytes": self.size,
            "waiting": self.waiting,
            "examples": list(self.examples),
        }


@dataclass(frozen=True, slots=True)
class GcReport:
    """What `gc` found.

    Args:
        orphans: By kind; a kind of which nothing was found is there with a count of 0.
        deleted: How many were deleted.
        collections: How many collections have manifests in the object store; what they name was kept.
        problems: Manifests that can't be read; their videos keep all that they have.
    """

    orphans: Mapping[OrphanKind, Orphans]
    deleted: int
    collections: int
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel gc --json`."""
        found = {kind.value: orphans.to_json() for kind, orphans in self.orphans.items()}
        counts = {"deleted": self.deleted, "collections": self.collections}
        return {"orphans": found, **counts, "problems": list(self.problems)}


@dataclass(frozen=True, slots=True)
class Collector:
    """Looks through one collection and its object store, in bounded memory.

    Args:
        store: Open; None where the collection isn't there.
        older_than: Seconds of age under which nothing that may be in use is deleted.
    """

    objects: ObjectStore
    store: VectorStore | None
    journal: Journal
    older_than: float

    def run(self, *, delete: bool) -> GcReport:
        """Find all orphans, and delete those that are old enough."""
        with _Ledger() as ledger:
            problems: list[str] = []
            collections = self._read_manifests(ledger, problems)
            self._look(ledger)
            report = {kind: ledger.orphans(kind) for kind in OrphanKind}
            return GcReport(report, self._delete(ledger) if delete else 0, collections, tuple(problems))

    def _read_manifests(self, ledger: _Ledger, problems: list[str]) -> int:
        """Note what every manifest of every collection names; returns how many collections there are."""
        own = self.store.meta.uid if self.store else None
        collections = set()
        for found, _ in self._own("manifest", "manifests/"):
            uid, video_id = found.groups()
            collections.add(uid)
            try:
                manifest = Manifests(self.objects, uid).get(video_id)
            except IntegrityError as error:
                ledger.spare(video_id)
                problems.append(str(error))
                continue
            if manifest is not None:  # deleted meanwhile
                ledger.name(manifest.clips)
                ledger.name([manifest.uri])
                ledger.name(manifest.records if uid == own else ())
        return len(collections)

    def _look(self, ledger: _Ledger) -> None:
        now = time.time()
        for _, info in self._own("lease", "staging/"):
            if info.modified < now - LEASE_AGE:
                ledger.add(OrphanKind.LEASE, info.key, "", info.size, ripe=True)
        for _, info in self._own("upload", PREFIX):
            ripe = info.modified <= now - self.older_than
            ledger.add(OrphanKind.UPLOAD, info.key, "", info.size, ripe=ripe)
        for kind in (OrphanKind.CLIP, OrphanKind.VIDEO):
            for found, info in self._own(kind.value, f"{kind.value}s/"):
                if not ledger.named(found[1], info.key, self.objects.uri(info.key)):
                    ripe = info.modified <= now - self.older_than
                    ledger.add(kind, info.key, found[1], info.size, ripe=ripe)
        self._look_at_records(ledger, now)

    def _own(self, what: str, prefix: str) -> Iterator[tuple[re.Match[str], ObjectInfo]]:
        """The objects below a prefix that polyreel wrote, with the parts of their keys."""
        for info in self.objects.list(prefix):
            if found := _OWN[what].fullmatch(info.key):
                yield found, info

    def _look_at_records(self, ledger: _Ledger, now: float) -> None:
        if self.store is None:
            return
        shared = Feature.SHARED in self.store.can.features
        for record in self.store.scan():
            if not ledger.named(record.video_id, record.id):
                seen = self.journal.orphan(record.id, now) if shared else 0.0
                ripe = seen <= now - self.older_than
                ledger.add(OrphanKind.RECORD, record.id, record.video_id, 0, ripe=ripe)
        self.journal.forget_orphans(now)

    def _delete(self, ledger: _Ledger) -> int:
        """Delete what is ripe and still an orphan, since a manifest may have been written meanwhile."""
        deleted = 0
        for kind, rows in ledger.ripe():
            keys = [key for key, video_id in rows if not self._named_now(key, video_id)]
            deleted += len(keys)
            if kind is not OrphanKind.RECORD:
                forget = self.objects.abandon if kind is OrphanKind.UPLOAD else self.objects.delete
                for key in keys:
                    forget(key)
            elif self.store is not None and keys:
                self.store.wait(self.store.delete(keys))
                self.store.flush()
        return deleted

    def _named_now(self, key: str, video_id: str) -> bool:
        if self.store is None or not video_id:
            return False
        manifest = _read(Manifests(self.objects, self.store.meta.uid), video_id)
        if manifest is None:
            return False
        uri = self.objects.uri(key) if _OWN["video"].fullmatch(key) else None
        return key in manifest.records or key in manifest.clips or uri == manifest.uri


def _read(manifests: Manifests, video_id: str) -> Manifest | None:
    try:
        return manifests.get(video_id)
    except IntegrityError:  # such a video was spared before
        return None


class _Ledger:
    """What manifests name and what was found, in a temporary file of SQLite's, not in memory."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.executescript(
            "CREATE TABLE named (key TEXT PRIMARY KEY) WITHOUT ROWID;"
            "CREATE TABLE spared (video_id TEXT PRIMARY KEY) WITHOUT ROWID;"
            "CREATE TABLE orphans (kind TEXT, key TEXT, video_id TEXT, size INTEGER, ripe INTEGER);"
            "BEGIN"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def name(self, keys: Iterator[str] | tuple[str, ...] | list[str]) -> None:
        self._file.executemany("INSERT OR IGNORE INTO named VALUES (?)", ((key,) for key in keys))

    def spare(self, video_id: str) -> None:
        self._file.execute("INSERT OR IGNORE INTO spared VALUES (?)", (video_id,))

    def named(self, video_id: str, key: str, uri: str = "") -> bool:
        sql = "SELECT 1 FROM named WHERE key IN (?,?) UNION ALL SELECT 1 FROM spared WHERE video_id=?"
        return self._file.execute(sql, (key, uri, video_id)).fetchone() is not None

    def add(self, kind: OrphanKind, key: str, video_id: str, size: int, *, ripe: bool) -> None:
        self._file.execute("INSERT INTO orphans VALUES (?,?,?,?,?)", (kind.value, key, video_id, size, ripe))

    def orphans(self, kind: OrphanKind) -> Orphans:
        sql = "SELECT count(*), coalesce(sum(size), 0), count(*) - coalesce(sum(ripe), 0) FROM orphans"
        count, size, waiting = self._file.execute(f"{sql} WHERE kind=?", (kind.value,)).fetchone()
        first = "SELECT key FROM orphans WHERE kind=? ORDER BY rowid LIMIT ?"
        keys = tuple(key for (key,) in self._file.execute(first, (kind.value, _EXAMPLES)))
        return Orphans(count, size, waiting, keys)

    def ripe(self) -> Iterator[tuple[OrphanKind, list[tuple[str, str]]]]:
        """Keys and video ids of what may be deleted, in batches of one kind."""
        for kind in OrphanKind:
            sql = "SELECT key, video_id FROM orphans WHERE kind=? AND ripe ORDER BY rowid"
            cursor = self._file.execute(sql, (kind.value,))
            while rows := cursor.fetchmany(_BATCH):
                yield kind, rows
