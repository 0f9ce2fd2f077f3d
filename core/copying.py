"""Copying a collection: between the stores of two stacks, or to and from a bundle. Nothing is embedded again.

1. The two must fit: the same space, fields that can be kept, a target without records of others.
2. The ids of the source are listed, and the records copied in that order, piece by piece. A ledger
   (`core.copy_ledger`) or the unfinished bundle knows how far the copy is, so that it goes on after a crash.
3. The manifests follow, under the target's own identity, each after the files that belong to its video.
4. The numbers of records are compared, and a sample of them with vectors, fields and texts.

Run once more after it was done, it copies the videos whose manifests are new or changed since.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

from .bundle import Bundle
from .bundle_writer import LEDGER, BundleWriter, refuse_existing
from .capabilities import Feature
from .copy_checks import check_space, check_unused, survey
from .copy_ledger import Ledger
from .copy_sources import Batch, BundleSource, Source, StackSource
from .copy_targets import BundleTarget, Files, StackTarget, Target, Written
from .copy_verifying import verify
from .errors import IntegrityError, InvalidQueryError, NotFoundError, PolyreelError
from .logs import LOGGER, redacted
from .manifest import Manifest
from .reshaping import Reshaper
from .space import digest
from .stack import Stack
from .store import VectorStore

Progress = Callable[[str, int, int | None], None]
"""Hears what is done (`records`, `videos`, `% of the indexes`), how many, and of how many."""

_INDEXES = "% of the indexes"
_CHUNK = 40  # batches between two marks of the progress; a crash costs at most one chunk


@dataclass(frozen=True, slots=True)
class StackEnd:
    """A stack to copy from or into.

    Args:
        there: Opens its collection; None where there is none.
        made: Opens it, and makes it where there is none.
    """

    stack: Stack
    there: Callable[[], VectorStore | None]
    made: Callable[[], VectorStore]


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy did, or in a dry run would do.

    Args:
        total: Records in the source.
        records: Written by this run; fewer where it went on, or had nothing to do.
        videos: Manifests written by this run.
        files: Files carried to the other object store by this run.
        compared: Records of the sample that were compared with the source's.
        notes: What a user should know of the result.
        problems: Files and manifests of the source that couldn't be read; the rest was copied.
        seconds: Spent.
    """

    total: int
    records: int = 0
    videos: int = 0
    files: int = 0
    compared: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything was copied."""
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel copy --json`."""
        return {
            "dry_run": self.dry_run,
            "total": self.total,
            "records": self.records,
            "videos": self.videos,
            "files": self.files,
            "compared": self.compared,
            "notes": list(self.notes),
            "problems": list(self.problems),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How to copy.

    Args:
        merge: Also into a collection that holds other records: those of the same ids are replaced.
        dry_run: Only check whether it can be done, and count.
        optimize: Afterwards build the target's search indexes, where that pays.
        progress: Hears how far it is.
    """

    merge: bool = False
    dry_run: bool = False
    optimize: bool = True
    progress: Progress | None = None


def copy(source: StackEnd | Path, target: StackEnd | Path, options: CopyOptions) -> CopyReport:
    """Copy a collection; a path is a bundle's.

    Args:
        source: Not to be written to meanwhile.
        target: A collection that is missing, empty, or holds only what this copy brought; a new bundle.
        options: How.

    Raises:
        ConfigurationError: The two don't fit; nothing was written.
        UnsupportedError: The target takes no vectors, or the source gives none.
        NotFoundError: There is nothing to copy.
        IntegrityError: The bundle is damaged, or what was copied isn't what is there now.
    """
    began = time.monotonic()
    run = _Run(_opened(source), options)
    if isinstance(target, StackEnd):
        run.into_stack(target)
    elif isinstance(source, Path):
        raise InvalidQueryError("both are bundles", hint="copy the folder with the system's own tools")
    else:
        run.into_bundle(target)
    return run.report(time.monotonic() - began)


def _opened(source: StackEnd | Path) -> Source:
    if isinstance(source, Path):
        return BundleSource(Bundle(source))
    store = source.there()
    if store is None:
        raise NotFoundError(f"there is no collection to copy in the stack {source.stack.name!r}")
    return StackSource(source.stack, store)


@dataclass(slots=True)
class _Run:
    """One copy."""

    source: Source
    options: CopyOptions
    written: Written = field(default_factory=Written)
    notes: list[str] = field(default_factory=list)
    recipes: Counter[str] = field(default_factory=Counter)
    total: int = 0
    compared: int = 0

    def report(self, seconds: float) -> CopyReport:
        written = self.written
        return CopyReport(
            self.total,
            written.records,
            written.videos,
            written.files,
            self.compared,
            tuple(self.notes),
            tuple(written.problems),
            seconds,
            self.options.dry_run,
        )

    def into_bundle(self, path: Path) -> None:
        """Write a bundle."""
        refuse_existing(path)
        if self.options.dry_run:
            self._foretell(None)
            return
        with closing(BundleWriter(path, self.source.id, self.source.spec)) as writer:
            with Ledger(writer.folder / LEDGER) as ledger:
                self._move(BundleTarget(writer, self.written), ledger)
            writer.finish()

    def into_stack(self, end: StackEnd) -> None:
        """Write into a stack's collection."""
        stack = end.stack
        check_space(self.source, stack)
        store = end.there()
        if store is not None and store.meta.uid == self.source.id:
            raise InvalidQueryError("both are the same collection", hint="name another stack")
        reshaper = Reshaper(self.source.spec.fields, store.schema if store else stack.fields)
        known = _ledger_path(stack, self.source.id, store) if store else None
        with ExitStack() as opened:
            ledger = opened.enter_context(Ledger(known)) if known and known.exists() else None
            if not self.options.merge:
                check_unused(self.source, stack, store.count() if store else 0, ledger)
            if ledger is None or ledger.state("surveyed") is None:
                self.notes += survey(self.source, reshaper).notes()
            if self.options.dry_run:
                self._foretell(Files(self.source.objects, stack.objects, ledger, self.written), ledger)
                return
            store = store or end.made()
            stack.objects.ensure_bucket()
            ledger = ledger or opened.enter_context(Ledger(_ledger_path(stack, self.source.id, store)))
            if self.options.merge and ledger.state("finished"):
                ledger.reset()
            ledger.remember("surveyed", "yes")
            files = Files(self.source.objects, stack.objects, ledger, self.written)
            self._move(StackTarget(self.source, store, ledger, reshaper, files), ledger)
            ledger.remember("finished", "yes")
            self._compare_recipes(stack)
            self._settle(store)
            if Feature.DURABLE not in store.can.features:
                self.notes.append(f"the stack {stack.name!r} keeps its records until this process ends")

    def _foretell(self, files: Files | None, ledger: Ledger | None = None) -> None:
        """Count what would be done, or is left to do."""
        written, finished = self.written, ledger is not None and ledger.state("finished") is not None
        self.total = self.source.count()
        if not finished:
            written.records = self.total - (ledger.place if ledger else 0)
        for manifest in self.source.manifests(written.problems):
            if ledger is None or ledger.committed(manifest.video_id) != digest(manifest.to_json()):
                written.videos += 1
                written.records += len(manifest.records) if finished else 0
                written.files += len(files.of(manifest)) if files else 0

    def _move(self, target: Target, ledger: Ledger) -> None:
        finished = ledger.state("finished") is not None
        if ledger.state("began") is None:
            ledger.remember("began", datetime.now(UTC).isoformat(timespec="seconds"))
        listed = self.source.begin(ledger)
        for chunk in _chunks(self.source.batches(target.place)):
            target.write(chunk)
            self.tell("records", target.place, listed)
        target.commit(self._told(self.source.manifests(self.written.problems)))
        self.total = self.source.count()
        sample = 0 if finished else listed  # what was written to the target since is the user's
        try:
            self.compared = verify(
                self.source, target, total=self.total, listed=sample, merge=self.options.merge
            )
        except IntegrityError:
            target.restart()
            raise

    def _told(self, manifests: Iterator[Manifest]) -> Iterator[Manifest]:
        for done, manifest in enumerate(manifests, start=1):
            self.recipes[manifest.recipe] += 1
            yield manifest
            self.tell("videos", done, None)

    def _settle(self, store: VectorStore) -> None:
        """Build what makes searches fast; where that fails, the copy is whole all the same."""
        if not self.options.optimize:
            return
        try:
            store.optimize(progress=lambda part: self.tell(_INDEXES, round(part * 100), 100))
        except PolyreelError as error:
            LOGGER.warning("unsettled", exc_info=error)
            self.notes.append(f"the search indexes could not be built: {redacted(error)}")

    def tell(self, what: str, done: int, total: int | None) -> None:
        """Say how far it is, where anybody listens."""
        if self.options.progress:
            self.options.progress(what, done, total)

    def _compare_recipes(self, stack: Stack) -> None:
        others = self.recipes.total() - self.recipes[stack.recipe.key]
        if others:
            self.notes.append(
                f"{others} videos were cut by another recipe than the stack {stack.name!r} has: an ingest of "
                "them there embeds them anew"
            )


def _ledger_path(stack: Stack, source: str, store: VectorStore) -> Path:
    """A file for each pair of source and target."""
    return stack.state / f"copy-{source[:32]}-{store.meta.uid[:32]}.sqlite"


def _chunks(batches: Iterator[Batch]) -> Iterator[Iterator[Batch]]:
    """The batches in pieces; each piece is used up before the next one is asked for."""
    for first in batches:
        yield chain([first], islice(batches, _CHUNK - 1))
