"""Taking videos in: discover, compare with the manifest, make records, commit, tidy up.

Kill it anywhere and run it again: ids derive from content, space and recipe, the manifest is written last,
and what the manifest doesn't name is deleted after it. Two runs end in the same state as one.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from .errors import IntegrityError, NotFoundError, PolyreelError, UnsupportedError
from .fields import Schema, Value, check_fields
from .filters import F
from .making import Job, Maker
from .manifest import Manifest, Manifests
from .records import Record, Scope
from .report import IngestReport, Listener, Outcome, VideoReport
from .requests import Receipt
from .sources import Source, Unreadable
from .space import digest
from .store import VectorStore

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done with one file, and what that was derived from."""

    source: Source
    video_id: str
    uri: str
    outcome: Outcome
    fields: Mapping[str, Value]
    extra: Mapping[str, object]
    hashes: tuple[str, str]
    manifest: Manifest | None
    reason: str | None = None


@dataclass(slots=True)
class Ingest:
    """One run over many videos.

    Args:
        store: Open; None in a dry run over a collection that isn't there yet.
        manifests: Of the collection; None likewise.
        maker: Makes records of videos.
        workers: Videos taken in at once.
    """

    store: VectorStore | None
    manifests: Manifests | None
    maker: Maker
    schema: Schema
    workers: int
    dry_run: bool = False
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def run(self, sources: Iterable[Source | Unreadable], listener: Listener) -> IngestReport:
        """Take in every source; one bad video never stops the others."""
        began, reports = time.monotonic(), []
        for report in self._concurrently(iter(sources)):
            listener(report)
            reports.append(report)
        return IngestReport(tuple(reports), time.monotonic() - began, self.dry_run)

    def _concurrently(self, sources: Iterator[Source | Unreadable]) -> Iterator[VideoReport]:
        """Reports as videos are done; never more than twice the workers are waiting."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix="polyreel-ingest") as pool:
            running: set[Future[VideoReport]] = set()
            try:
                while True:
                    room = 2 * self.workers - len(running)
                    running |= {pool.submit(self._one, source) for source in islice(sources, room)}
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            finally:
                for future in running:
                    future.cancel()

    def _one(self, source: Source | Unreadable) -> VideoReport:
        began = time.monotonic()
        if isinstance(source, Unreadable):
            return VideoReport(str(source.path), Outcome.FAILED, reason=str(source.error))
        try:
            report = self._taken(source)
        except PolyreelError as error:
            report = VideoReport(str(source.path), Outcome.FAILED, reason=str(error))
        return replace(report, seconds=time.monotonic() - began)

    def _taken(self, source: Source) -> VideoReport:
        video_id = self._video_id(source.path)
        with self._alone(video_id):
            plan = self._plan(source, video_id)
            if self.dry_run or plan.outcome in (Outcome.SKIPPED, Outcome.DUPLICATE):
                return self._foretold(plan)
            if plan.outcome in (Outcome.UPDATED, Outcome.MOVED):
                return self._update(plan)
            return self._make(plan)

    # -- planning -----------------------------------------------------------------------------------------

    def _plan(self, source: Source, video_id: str) -> _Plan:
        fields, extra = check_fields(self.schema, source.fields)
        hashes = _text_hash(source), digest([_plain(fields), extra])
        manifest = self._manifest(video_id)
        uri = self._uri(source.path, video_id)
        outcome, reason = self._outcome(manifest, uri, hashes, video_id)
        return _Plan(source, video_id, uri, outcome, fields, extra, hashes, manifest, reason)

    def _manifest(self, video_id: str) -> Manifest | None:
        """The manifest, where it can be read: a broken one is written anew."""
        try:
            return self.manifests.get(video_id) if self.manifests else None
        except IntegrityError:
            return None

    def _outcome(
        self, manifest: Manifest | None, uri: str, hashes: tuple[str, str], video_id: str
    ) -> tuple[Outcome, str | None]:
        if manifest is None:
            return Outcome.INGESTED, None
        if (manifest.space, manifest.recipe) != (self.maker.space.key, self.maker.recipe.key):
            return Outcome.REINGESTED, None
        if manifest.uri != uri and self._still_there(manifest.uri, video_id):
            return Outcome.DUPLICATE, f"the same file as {manifest.uri}"
        if manifest.uri != uri:
            return Outcome.MOVED, None
        if (manifest.text_hash, manifest.fields_hash) != hashes:
            return Outcome.UPDATED, None
        return Outcome.SKIPPED, None

    def _still_there(self, uri: str, video_id: str) -> bool:
        path = self.maker.objects.path(uri)
        return path is not None and path.is_file() and self._video_id(path) == video_id

    def _uri(self, path: Path, video_id: str) -> str:
        objects = self.maker.objects
        return objects.refer(path) or objects.uri(_key(path, video_id))

    def _video_id(self, path: Path) -> str:
        journal = self.maker.journal
        try:
            known = journal.sha256(path)
            if known is None:
                known = _sha256(path)
                journal.remember_sha256(path, known)
        except OSError as error:
            raise NotFoundError(f"{path} can't be read: {error.strerror}") from error
        return known

    def _foretold(self, plan: _Plan) -> VideoReport:
        """The report of a file with which nothing is done, or nothing yet."""
        makes = self.dry_run and plan.outcome in (Outcome.INGESTED, Outcome.REINGESTED)
        duration, spans = 0.0, 0
        if makes:
            info = self.maker.media.probe(plan.source.path)
            duration, spans = info.duration_ms / 1000, len(self.maker.recipe.spans(info.duration_ms))
        return VideoReport(
            str(plan.source.path),
            plan.outcome,
            plan.video_id,
            records=spans,
            duration=duration,
            reason=plan.reason,
        )

    # -- doing --------------------------------------------------------------------------------------------

    def _make(self, plan: _Plan) -> VideoReport:
        store = self._opened()
        info = self.maker.media.probe(plan.source.path)
        self._keep(plan)
        job = Job(plan.source, plan.video_id, plan.uri, info, plan.fields, plan.extra)
        receipt = store.upsert(self.maker.records(job))
        self._commit(
            plan, receipt, duration=info.duration_ms / 1000, width=info.width, height=info.height, job=job
        )
        return VideoReport(
            str(plan.source.path),
            plan.outcome,
            plan.video_id,
            records=len(receipt.upserted),
            embedded=job.embedded,
            duration=info.duration_ms / 1000,
            damage=job.damage,
            usage={**job.usage, **receipt.usage},
            submits=job.submits,
        )

    def _keep(self, plan: _Plan) -> None:
        """Copy the file into the object store, unless that serves files where they lie."""
        objects, path = self.maker.objects, plan.source.path
        key = _key(path, plan.video_id)
        if plan.uri == objects.uri(key) and not objects.exists(key):
            objects.put(key, path)

    def _update(self, plan: _Plan) -> VideoReport:
        """New text, fields or address on the same records."""
        store, manifest = self._opened(), plan.manifest
        assert manifest is not None  # the outcome says so
        self._keep(plan)
        text_changed = manifest.text_hash != plan.hashes[0]
        embedder = self.maker.embedder
        if text_changed and embedder and embedder.reads_text and not embedder.swaps_text:
            return self._make(plan)
        records = list(store.scan(F.video_id == plan.video_id, vectors=text_changed))
        changed = [self._changed(record, plan, text_changed=text_changed) for record in records]
        receipt = self._rewrite(changed, plan) if text_changed else self._repoint(changed, plan)
        self._commit(plan, Receipt(tuple(record.id for record in changed)), manifest=manifest)
        return VideoReport(
            str(plan.source.path), plan.outcome, plan.video_id, records=len(changed), usage=receipt.usage
        )

    def _changed(self, record: Record, plan: _Plan, *, text_changed: bool) -> Record:
        end = record.end_ms if record.scope is Scope.CLIP else max(record.end_ms, 1)
        text = plan.source.text_of(record.start_ms, end) if text_changed else record.text
        content, embedder = record.content, self.maker.embedder
        if text_changed and embedder and embedder.swaps_text:
            content = embedder.swap_text(content, text.joined())  # type: ignore[arg-type]
        return replace(record, uri=plan.uri, text=text, content=content, fields=plan.fields, extra=plan.extra)

    def _rewrite(self, records: list[Record], plan: _Plan) -> Receipt:
        store, embedder = self._opened(), self.maker.embedder
        if embedder and embedder.swaps_text:
            return store.upsert(records)
        receipt = Receipt()
        for text in dict.fromkeys(record.text for record in records):
            ids = [record.id for record in records if record.text == text]
            receipt += store.update_fields(ids, fields={**plan.extra, **plan.fields}, text=text, uri=plan.uri)
        return receipt

    def _repoint(self, records: list[Record], plan: _Plan) -> Receipt:
        ids = [record.id for record in records]
        return self._opened().update_fields(ids, fields={**plan.extra, **plan.fields}, uri=plan.uri)

    def _commit(
        self,
        plan: _Plan,
        receipt: Receipt,
        *,
        manifest: Manifest | None = None,
        duration: float = 0.0,
        width: int = 0,
        height: int = 0,
        job: Job | None = None,
    ) -> None:
        """Write the manifest once every id can be found, then delete what it doesn't name."""
        store, manifests = self._opened(), self.manifests
        assert manifests is not None  # only a dry run has none
        store.wait(receipt)
        store.flush()
        before = manifest or Manifest(
            plan.video_id,
            plan.uri,
            self.maker.space.key,
            self.maker.recipe.key,
            *plan.hashes,
            receipt.upserted,
            duration=duration,
            width=width,
            height=height,
            damage=job.damage if job else None,
            clips=tuple(job.clips) if job else (),
        )
        manifests.put(
            replace(
                before,
                uri=plan.uri,
                text_hash=plan.hashes[0],
                fields_hash=plan.hashes[1],
                records=receipt.upserted,
                text=plan.source.text,
                fields={**_plain(plan.fields), **plan.extra},
                ingested=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )
        named = set(receipt.upserted)
        leftover = [record.id for record in store.scan(F.video_id == plan.video_id) if record.id not in named]
        if leftover:
            store.wait(store.delete(leftover))

    def _opened(self) -> VectorStore:
        if self.store is None:
            raise UnsupportedError("a dry run writes nothing")
        return self.store

    @contextmanager
    def _alone(self, video_id: str) -> Iterator[None]:
        """Two files of the same content are taken in one after the other."""
        with self._guard:
            lock = self._locks.setdefault(video_id, threading.Lock())
        with lock:
            yield


def _text_hash(source: Source) -> str:
    lines = [[line.start_ms, line.end_ms, line.text] for line in source.lines]
    return digest([source.text.to_json(), lines])


def _plain(fields: Mapping[str, Value]) -> dict[str, object]:
    """Values as JSON has them."""

    def plain(value: Value) -> object:
        if isinstance(value, datetime):
            return value.isoformat()
        return list(value) if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in fields.items()}


def _key(path: Path, video_id: str) -> str:
    return f"videos/{video_id}{path.suffix.lower()}"


def _sha256(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()
