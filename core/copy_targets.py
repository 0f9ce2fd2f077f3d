"""Where a collection can be copied to: a stack's collection, or a bundle."""

from __future__ import annotations

import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .bundle import Bundle
from .bundle_writer import BundleWriter
from .copy_ledger import Ledger
from .copy_sources import Batch, Source
from .errors import NotFoundError
from .manifest import Manifest, Manifests
from .objects import ObjectStore
from .records import Record
from .requests import Receipt
from .reshaping import Reshaper
from .space import digest
from .store import VectorStore

_VIDEO = re.compile(r"videos/[0-9a-f]{64}(\.[^/]*)?")
"""The key of a video that an ingest copied. Any other file lies where somebody put it, and stays there."""


@dataclass(slots=True)
class Written:
    """What a run wrote.

    Args:
        problems: Files and manifests of the source that couldn't be read.
    """

    records: int = 0
    videos: int = 0
    files: int = 0
    problems: list[str] = field(default_factory=list)


class Target(ABC):
    """A place that takes records and manifests.

    Args:
        written: Counts what this run writes.
    """

    def __init__(self, written: Written) -> None:
        self.written = written

    @property
    @abstractmethod
    def place(self) -> int:
        """The source's place up to which its records are here."""

    @abstractmethod
    def write(self, batches: Iterable[Batch]) -> None:
        """Take records; once it returns they are safe, and so is the place behind them."""

    @abstractmethod
    def commit(self, manifests: Iterable[Manifest]) -> None:
        """Take the manifests, after all records. What is here can be compared then."""

    @abstractmethod
    def restart(self) -> None:
        """Forget how far the copy is, since it went wrong: the next run takes everything anew."""

    @abstractmethod
    def expected(self, record: Record) -> Record:
        """A record of the source as it must be here."""

    @abstractmethod
    def fetch(self, ids: Sequence[str], *, vectors: bool = True) -> Mapping[str, Record]:
        """What is here, by id."""

    @abstractmethod
    def count(self) -> int:
        """How many records are here."""


class Files:
    """The files that belong to the records: carried over where the target has another object store.

    Args:
        source: None where the source has no files of its own.
        ledger: None in a dry run, which carries nothing.
        written: Counts them, and has the missing ones as problems.
    """

    def __init__(
        self, source: ObjectStore | None, target: ObjectStore, ledger: Ledger | None, written: Written
    ) -> None:
        same = source is None or source.uri("_") == target.uri("_")
        self._source = None if same else source
        self.target = target
        self.written = written
        self._ledger = ledger
        self._missing: set[str] = set()

    def moved(self, uri: str) -> str:
        """The address in the target of a video that will be carried over; any other stays as it is."""
        key = self.key(uri)
        return uri if key is None else self.target.uri(key)

    def key(self, uri: str) -> str | None:
        """The key of a video that must be carried over."""
        key = self._source.key(uri) if self._source else None
        return key if key and _VIDEO.fullmatch(key) else None

    def of(self, manifest: Manifest) -> list[str]:
        """The keys of a video's own files that must be carried over."""
        if self._source is None:
            return []
        key = self.key(manifest.uri)
        return [*manifest.clips, *([key] if key else [])]

    def carry(self, keys: Iterable[str]) -> None:
        """Bring files over that aren't there yet; one that is missing is told as a problem."""
        assert self._ledger is not None, "a dry run carries nothing"
        for key in keys:
            if key in self._missing or self._ledger.carried(key):
                continue
            try:
                self.written.files += self._copied(key)
                self._ledger.carry(key)
            except NotFoundError as error:
                self._missing.add(key)
                self.written.problems.append(error.message)

    def _copied(self, key: str) -> bool:
        """Copy a file, unless it is there already."""
        assert self._source is not None  # else there are no keys
        info, there = self._source.stat(key), self.target.stat(key)
        if info and there and info.size == there.size:  # its name is its content's digest
            return False
        with tempfile.TemporaryDirectory(prefix="polyreel-") as folder:
            self.target.put(key, self._source.get(key, Path(folder) / "file"))
        return True


class StackTarget(Target):
    """The collection of a stack, whose store is open."""

    def __init__(
        self, source: Source, store: VectorStore, ledger: Ledger, reshaper: Reshaper, files: Files
    ) -> None:
        super().__init__(files.written)
        self._source = source
        self._store = store
        self._ledger = ledger
        self._reshaper = reshaper
        self._files = files
        self._manifests = Manifests(files.target, store.meta.uid)

    @property
    def place(self) -> int:
        """As the ledger knows."""
        return self._ledger.place

    def write(self, batches: Iterable[Batch]) -> None:
        """Upsert, which does no harm when it is repeated, and then remember the place."""
        receipt, last = Receipt(), self.place
        for place, records in batches:
            receipt += self._upsert(records)
            last = place
        self._safe(receipt)
        self._ledger.remember("place", last)

    def commit(self, manifests: Iterable[Manifest]) -> None:
        """Those that changed in the source since they were copied, if ever."""
        for manifest in manifests:
            mark = digest(manifest.to_json())
            if self._ledger.committed(manifest.video_id) != mark:
                self._commit(manifest)
                self._ledger.commit(manifest.video_id, mark)
                self.written.videos += 1

    def restart(self) -> None:
        """The records stay; each is replaced then."""
        self._ledger.reset()

    def expected(self, record: Record) -> Record:
        """With the target's fields and address."""
        uri = self._files.moved(record.uri)
        return self._reshaper.record(record if uri == record.uri else replace(record, uri=uri))

    def fetch(self, ids: Sequence[str], *, vectors: bool = True) -> Mapping[str, Record]:
        """As the store does."""
        return self._store.fetch(ids, vectors=vectors)

    def count(self) -> int:
        """Of the whole collection."""
        return self._store.count()

    def _commit(self, manifest: Manifest) -> None:
        if self._is_late(manifest):
            self._safe(self._upsert(self._source.of(manifest)))
        self._files.carry(self._files.of(manifest))
        moved = replace(manifest, uri=self._files.moved(manifest.uri))
        self._manifests.put(self._reshaper.manifest(moved))

    def _is_late(self, manifest: Manifest) -> bool:
        """Whether the video was taken in or changed after the ids were listed."""
        began = self._ledger.state("began") or ""
        return self._ledger.state("finished") is not None or manifest.ingested > began

    def _upsert(self, records: list[Record]) -> Receipt:
        keys = {self._files.key(record.uri) for record in records}
        self._files.carry(sorted(key for key in keys if key))
        self.written.records += len(records)
        return self._store.upsert(map(self.expected, records))

    def _safe(self, receipt: Receipt) -> None:
        self._store.wait(receipt)
        self._store.flush()


class BundleTarget(Target):
    """A bundle, being written."""

    def __init__(self, writer: BundleWriter, written: Written) -> None:
        super().__init__(written)
        self._writer = writer
        self._bundle: Bundle | None = None

    @property
    def place(self) -> int:
        """As the unfinished bundle knows."""
        return self._writer.place

    def write(self, batches: Iterable[Batch]) -> None:
        """One file."""
        self.written.records += self._writer.write(batches)

    def commit(self, manifests: Iterable[Manifest]) -> None:
        """All of them; a bundle that goes on gets them anew."""
        self.written.videos += self._writer.write_manifests(manifests)
        self._bundle = self._writer.complete()

    def restart(self) -> None:
        """The files stay; each is replaced then."""
        self._writer.restart()

    def expected(self, record: Record) -> Record:
        """Just as it is."""
        return record

    def fetch(self, ids: Sequence[str], *, vectors: bool = True) -> Mapping[str, Record]:
        """With vectors in any case."""
        return self._complete.fetch(ids)

    def count(self) -> int:
        """Its rows."""
        return self._complete.records

    @property
    def _complete(self) -> Bundle:
        assert self._bundle is not None, "commit comes first"
        return self._bundle
