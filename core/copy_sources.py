"""What can be copied: the collection of a stack, or a bundle. Its records are read in a lasting order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from .bundle import Bundle
from .copy_ledger import Ledger
from .errors import UnsupportedError
from .manifest import Manifest, Manifests
from .media import Media
from .objects import ObjectStore
from .records import Record
from .space import CollectionSpec
from .stack import Stack
from .store import VectorStore

BATCH = 500
"""Records in memory at once, and in a row group of a bundle."""

Batch = tuple[int, list[Record]]
"""Records, and the place behind the last of them; going on begins there."""


class Source(ABC):
    """A collection to be read.

    Args:
        what: For messages.
        id: Of the collection or bundle: the same id, the same records.
        spec: Its space and declared fields.
        objects: Where its files are; None where it has none of its own.
    """

    objects: ObjectStore | None = None

    def __init__(self, what: str, id: str, spec: CollectionSpec) -> None:
        self.what = what
        self.id = id
        self.spec = spec

    @abstractmethod
    def begin(self, ledger: Ledger) -> int:
        """Give each record a place; returns how many there are. Nothing happens on a copy that goes on."""

    @abstractmethod
    def batches(self, start: int) -> Iterator[Batch]:
        """The records behind a place, with vectors."""

    @abstractmethod
    def at(self, places: Sequence[int]) -> list[Record]:
        """The records at places that are counted from 0, with vectors; those that are gone are left out."""

    @abstractmethod
    def scan(self) -> Iterator[Record]:
        """Every record, perhaps without its vector."""

    @abstractmethod
    def ids(self) -> Iterator[list[str]]:
        """Every id, in batches."""

    @abstractmethod
    def count(self) -> int:
        """How many records there are now."""

    @abstractmethod
    def manifests(self, problems: list[str]) -> Iterator[Manifest]:
        """Every manifest; one that can't be read is told in `problems`."""

    @abstractmethod
    def of(self, manifest: Manifest) -> list[Record]:
        """The records of a video as they are now, with vectors."""


class StackSource(Source):
    """The collection of a stack, whose store is open."""

    def __init__(self, stack: Stack, store: VectorStore) -> None:
        what = f"the collection {stack.collection!r} of the stack {stack.name!r}"
        super().__init__(what, store.meta.uid, store.meta.spec)
        self.objects = stack.objects
        self._store = store
        self._ledger: Ledger | None = None

    def begin(self, ledger: Ledger) -> int:
        """List the ids, since a store's own order needn't last."""
        self._ledger = ledger
        if ledger.listed is None:
            ledger.list_ids(record.id for record in self._store.scan())
        return ledger.listed or 0

    def batches(self, start: int) -> Iterator[Batch]:
        """By the ids that were listed."""
        for place, ids in self._listed.batches(start, BATCH):
            yield place, self._fetch(ids)

    def at(self, places: Sequence[int]) -> list[Record]:
        """By the ids that were listed."""
        return self._fetch(self._listed.at(places))

    def scan(self) -> Iterator[Record]:
        """As the store does."""
        return self._store.scan()

    def ids(self) -> Iterator[list[str]]:
        """Those that were listed."""
        return (ids for _, ids in self._listed.batches(0, BATCH))

    def count(self) -> int:
        """As the store does."""
        return self._store.count()

    def manifests(self, problems: list[str]) -> Iterator[Manifest]:
        """From the stack's object store."""
        assert self.objects is not None  # a stack has one
        manifests = Manifests(self.objects, self.id)
        return manifests.readable(lambda _, error: problems.append(error.message))

    def of(self, manifest: Manifest) -> list[Record]:
        """By the ids that the manifest names."""
        return self._fetch(manifest.records)

    @property
    def _listed(self) -> Ledger:
        assert self._ledger is not None, "begin comes first"
        return self._ledger

    def _fetch(self, ids: Sequence[str]) -> list[Record]:
        records = list(self._store.fetch(ids, vectors=True).values())
        if any(record.content is None or isinstance(record.content, Media) for record in records):
            raise UnsupportedError(
                f"the store {self._store.kind!r} of {self.what} doesn't give its vectors away",
                hint="ingest the videos into the other stack",
            )
        return records


class BundleSource(Source):
    """A bundle. Its rows are its places, and it never changes."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(f"the bundle {bundle.path}", bundle.id, bundle.spec)
        self._bundle = bundle

    def begin(self, ledger: Ledger) -> int:
        """The rows are numbered already."""
        return self._bundle.records

    def batches(self, start: int) -> Iterator[Batch]:
        """By row group."""
        return self._bundle.batches(start)

    def at(self, places: Sequence[int]) -> list[Record]:
        """By row."""
        return self._bundle.at(places)

    def scan(self) -> Iterator[Record]:
        """With vectors, which are read anyway."""
        return (record for _, records in self._bundle.batches() for record in records)

    def ids(self) -> Iterator[list[str]]:
        """Of all rows."""
        return ([record.id for record in records] for _, records in self._bundle.batches())

    def count(self) -> int:
        """Its rows."""
        return self._bundle.records

    def manifests(self, problems: list[str]) -> Iterator[Manifest]:
        """All of them can be read, since the bundle was checked."""
        return self._bundle.manifests()

    def of(self, manifest: Manifest) -> list[Record]:
        """None that weren't among the rows."""
        return []
