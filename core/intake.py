"""What `VideoSearch` does to take videos in and to tidy up; loaded when that is first asked for.

An intake joins a stack's parts into runs of `ingest`, `inference` and `gc`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .comparing import Comparer
from .discovery import discover
from .errors import InvalidQueryError, PolyreelError
from .fields import shown
from .gc import Collector, GcReport
from .inference import Inferred, Undeclared, infer
from .ingest import Ingest
from .journal import Journal
from .logs import LOGGER, redacted
from .making import Maker
from .manifest import Manifests
from .media import MediaTools
from .proxies import Proxies, check_store
from .remotes import Downloads, Fetcher
from .report import IngestReport, Listener, VideoReport
from .retrying import retried
from .running import Stop
from .stack import Stack
from .store import VectorStore

Paths = str | Path | Iterable[str | Path]
Described = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Options:
    """What one ingest was asked for, as `VideoSearch.ingest` takes it."""

    workers: int | None = None
    dry_run: bool = False
    retry_failed: bool = False
    optimize: bool = True
    details: bool = True
    listener: Listener | None = None
    optimizing: Callable[[float], None] | None = None
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """The parts of one open stack that take videos in.

    Args:
        store: Open; None in a dry run over a collection that isn't there yet.
        downloads: Fetches `https:` addresses; None where none can be fetched.
    """

    stack: Stack
    store: VectorStore | None
    journal: Journal
    media: MediaTools
    downloads: Downloads | None

    def ingest(
        self, paths: tuple[str | Path, ...], rows: Paths, described: Described | None, options: Options
    ) -> IngestReport:
        """Take in videos; the arguments are those of `VideoSearch.ingest`."""
        stack, store, files = self.stack, self.store, _listed(rows)
        if not paths and not files and not options.retry_failed:
            raise InvalidQueryError("there is nothing to ingest", hint="name files or folders")
        workers = stack.workers if options.workers is None else options.workers
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise InvalidQueryError(f"workers is {workers!r}; it must be a whole number of at least 1")
        _check_described(described)
        if not options.dry_run:
            stack.objects.ensure_bucket()
        manifests = Manifests(stack.objects, store.meta.uid) if store else None
        maker, schema = self._maker(), store.schema if store else stack.fields
        run = Ingest(
            store=store,
            manifests=manifests,
            maker=maker,
            comparer=Comparer(manifests, maker, schema, self._fetcher()),
            workers=workers,
            rate=stack.rate,
            dry_run=options.dry_run,
            stop=options.stop or Stop(),
            details=options.details,
            understanding=stack.understanding if options.dry_run else None,
        )
        if options.retry_failed:
            sources = retried(self.journal.failures(), paths, files, described, stack.objects)
        else:
            sources = discover(paths, described, rows=files, objects=stack.objects)
        first = manifests is None or next(manifests.ids(), None) is None
        undeclared = Undeclared(schema)
        report = run.run(undeclared.watch(sources), options.listener or _ignore)
        return replace(
            report,
            undeclared=tuple(sorted(undeclared.names)) if first else (),
            unsettled=_settled(store, options) if store and not options.dry_run else None,
        )

    def infer_fields(
        self, paths: tuple[str | Path, ...], rows: Paths, described: Described | None
    ) -> Inferred:
        """Types for values that the stack doesn't declare; as `VideoSearch.infer_fields`."""
        _check_described(described)
        sources = discover(paths, described, rows=_listed(rows), objects=self.stack.objects)
        return infer(sources, self.stack.fields)

    def gc(self, *, delete: bool, older_than: float) -> GcReport:
        """Find, and maybe delete, what nothing needs any more; as `VideoSearch.gc`."""
        return Collector(self.stack.objects, self.store, self.journal, older_than).run(delete=delete)

    def _maker(self) -> Maker:
        stack = self.stack
        can = self.store.can if self.store else None
        if can is None:  # a dry run, which hands nothing over
            proxies = Proxies(self.media, stack.objects, frozenset())
        else:
            check_store(stack.recipe, can)
            proxies = Proxies(self.media, stack.objects, can.schemes, can.max_video_bytes, can.video_endings)
        return Maker(
            self.media, stack.embedder, stack.space, stack.recipe, stack.objects, self.journal, proxies
        )

    def _fetcher(self) -> Fetcher:
        return Fetcher(self.stack.objects, self.journal, self.downloads)


def _settled(store: VectorStore, options: Options) -> str | None:
    """Make what was written safe from a loss of power, and searches as quick as they can be.

    Returns:
        Why that failed; the videos are in all the same.
    """
    try:
        store.flush()
        if options.optimize and not (options.stop and options.stop.asked):
            store.optimize(progress=options.optimizing)
    except PolyreelError as error:
        LOGGER.warning("unsettled", exc_info=error)
        return redacted(error)
    return None


def _check_described(described: Described | None) -> None:
    for name, known in (described or {}).items():
        if not isinstance(known, Mapping):
            raise InvalidQueryError(
                f"described[{name!r}] must be an object of titles, tags, captions, fields, not {shown(known)}"
            )


def _listed(paths: Paths) -> tuple[str | Path, ...]:
    return (paths,) if isinstance(paths, str | Path) else tuple(paths)


def _ignore(_: VideoReport) -> None:
    """Nobody listens."""
