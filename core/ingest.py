"""Taking videos in: discover, compare with the manifest, make records, commit, tidy up.

Kill it anywhere and run it again: ids derive from content, space and recipe, the manifest is written last,
and what the manifest doesn't name is deleted after it. Two runs end in the same state as one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from .comparing import Comparer, Plan
from .errors import PolyreelError, UnsupportedError
from .filters import F
from .logs import LOGGER, redacted
from .making import Job, Maker
from .manifest import Manifest, Manifests
from .rates import Rate
from .recipe import Segmentation
from .records import Record
from .report import IngestReport, Listener, Outcome, Totals, VideoReport
from .requests import Receipt
from .retrying import remember
from .running import KeyLocks, Stop, concurrently
from .sources import Found, Remote, Source, Unreadable
from .store import VectorStore
from .understanding import VideoUnderstanding


@dataclass(slots=True)
class Ingest:
    """One run over many videos.

    Args:
        store: Open; None in a dry run over a collection that isn't there yet.
        manifests: Of the collection; None likewise.
        maker: Makes records of videos.
        comparer: Says what is to be done with a file.
        workers: Videos taken in at once.
        rate: Of the embedder, for a dry run.
        stop: Ends the run early.
        details: Whether the report holds every video, and not only what failed or is damaged.
        understanding: The stack's model that looks at videos, for a dry run.
    """

    store: VectorStore | None
    manifests: Manifests | None
    maker: Maker
    comparer: Comparer
    workers: int
    rate: Rate = field(default_factory=Rate)
    dry_run: bool = False
    stop: Stop = field(default_factory=Stop)
    details: bool = True
    understanding: VideoUnderstanding | None = None
    _alone: KeyLocks = field(default_factory=KeyLocks)

    def run(self, sources: Iterable[Found], listener: Listener) -> IngestReport:
        """Take in every source; one bad video never stops the others."""
        began, reports, totals = time.monotonic(), [], Totals()
        results = concurrently(self._one, sources, workers=self.workers, stop=self.stop)
        with closing(results):
            for report in results:
                listener(report)
                totals.add(report)
                if self.details or report.damage or report.failed:
                    reports.append(report)
        seconds = time.monotonic() - began
        return IngestReport(tuple(reports), totals, seconds, self.dry_run, self.stop.asked)

    def _one(self, source: Found) -> VideoReport:
        began = time.monotonic()
        try:
            report = self._taken(source)
        except PolyreelError as error:
            report = VideoReport(source.name, Outcome.FAILED, reason=redacted(error))
        if not self.dry_run:
            reason = report.reason or "" if report.failed else None
            remember(source, reason, self.maker.journal)
        report = replace(report, seconds=time.monotonic() - began)
        level = logging.WARNING if report.failed or report.damage else logging.INFO
        LOGGER.log(level, "video", extra=report.to_json())
        return report

    def _taken(self, source: Found) -> VideoReport:
        if isinstance(source, Unreadable):
            raise source.error
        if isinstance(source, Remote):
            return self._fetched(source)
        return self._compared(source, self.comparer.video_id(source.path))

    def _fetched(self, remote: Remote) -> VideoReport:
        """As `_compared`; the file is fetched only where it changed or something is to be made of it."""
        fetcher = self.comparer.fetcher
        with fetcher.place(remote) as source:
            video_id = fetcher.video_id(remote, source.path)
            if not source.path.exists() and self.comparer.plan(source, video_id).embeds:
                video_id = fetcher.fetch(remote, source.path)
            return self._compared(source, video_id)

    def _compared(self, source: Source, video_id: str) -> VideoReport:
        with self._alone.held(video_id):  # two files of the same content go one after the other
            plan = self.comparer.plan(source, video_id)
            if self.dry_run or plan.outcome in (Outcome.SKIPPED, Outcome.DUPLICATE):
                return self._foretold(plan)
            return self._make(plan) if plan.embeds else self._update(plan)

    def _foretold(self, plan: Plan) -> VideoReport:
        """The report of a file with which nothing is done, or nothing yet."""
        report = VideoReport(plan.source.name, plan.outcome, plan.video_id, reason=plan.reason)
        if not plan.embeds:
            return report
        info = self.maker.media.probe(plan.source.path)
        self.maker.check(plan.source, plan.video_id, info)
        clips, seconds = self.maker.load(info)
        estimate = self.rate.estimate(seconds=seconds, clips=clips, requests=self.comparer.requests(clips))
        shots = self.maker.recipe.segmentation is Segmentation.SHOTS
        frames = self.understanding.plan(info) if self.understanding else None
        estimate = replace(estimate, approximate=shots)
        return replace(
            report, records=clips, duration=info.duration_ms / 1000, estimate=estimate, frame_plan=frames
        )

    # -- doing --------------------------------------------------------------------------------------------

    def _make(self, plan: Plan) -> VideoReport:
        info = self.maker.media.probe(plan.source.path)
        self._keep(plan)
        job = Job(plan.source, plan.video_id, plan.uri, info, plan.fields, plan.extra)
        receipt = self._written(job, plan)
        self._commit(
            plan, receipt, duration=info.duration_ms / 1000, width=info.width, height=info.height, job=job
        )
        self.maker.finish(job)
        return VideoReport(
            plan.source.name,
            plan.outcome,
            plan.video_id,
            records=len(receipt.upserted),
            embedded=job.embedded,
            duration=info.duration_ms / 1000,
            damage=job.damage,
            usage={**job.usage, **receipt.usage},
            submits=job.spent.submits,
            lost=job.spent.lost,
            request_ids=job.request_ids,
        )

    def _written(self, job: Job, plan: Plan) -> Receipt:
        store = self._opened()
        return self._vectorized(job, plan) if store.can.vectorizes else store.upsert(self.maker.records(job))

    def _vectorized(self, job: Job, plan: Plan) -> Receipt:
        """Hand the store what it shall vectorize, but for what it has of an earlier run that was cut short.

        Records of one id are of the same content, cut and space, so only their text and fields may differ.
        """
        store, kept = self._opened(), list[Record]()
        found = store.scan(F.video_id == plan.video_id, vectors=True)
        whole = (record for record in found if record.content is not None)  # which searches can find
        there = {record.id: replace(record, content=None) for record in whole}

        def fresh() -> Iterator[Record]:
            for record in self.maker.records(job):
                if record.id in there:
                    kept.append(replace(record, content=None))
                else:
                    yield record

        receipt = store.upsert(fresh())
        job.embedded -= len(kept)
        self._rewrite([record for record in kept if record != there[record.id]], plan)
        return receipt + Receipt(tuple(record.id for record in kept))

    def _keep(self, plan: Plan) -> None:
        """Copy the file into the object store, unless that serves files where they lie."""
        objects, key = self.maker.objects, plan.key
        if plan.uri == objects.uri(key) and not objects.exists(key):
            objects.put(key, plan.source.path)

    def _update(self, plan: Plan) -> VideoReport:
        """New text, fields or address on the same records."""
        store, manifest = self._opened(), plan.manifest
        assert manifest is not None  # the outcome says so
        self._keep(plan)
        text_changed = plan.text_changed
        records = list(store.scan(F.video_id == plan.video_id, vectors=text_changed))
        changed = [self._changed(record, plan, text_changed=text_changed) for record in records]
        receipt = self._rewrite(changed, plan) if text_changed else self._repoint(changed, plan)
        self._commit(plan, Receipt(tuple(record.id for record in changed)), manifest=manifest)
        return VideoReport(
            plan.source.name, plan.outcome, plan.video_id, records=len(changed), usage=receipt.usage
        )

    def _changed(self, record: Record, plan: Plan, *, text_changed: bool) -> Record:
        text = (
            plan.source.text_for(record.scope, record.start_ms, record.end_ms)
            if text_changed
            else record.text
        )
        content, embedder = record.content, self.maker.embedder
        if text_changed and embedder and embedder.swaps_text:
            content = embedder.swap_text(content, text.joined())  # type: ignore[arg-type]
        return replace(record, uri=plan.uri, text=text, content=content, fields=plan.fields, extra=plan.extra)

    def _rewrite(self, records: list[Record], plan: Plan) -> Receipt:
        store, embedder = self._opened(), self.maker.embedder
        if embedder and embedder.swaps_text:
            return store.upsert(records)
        receipt = Receipt()
        for text in dict.fromkeys(record.text for record in records):
            ids = [record.id for record in records if record.text == text]
            receipt += store.update_fields(ids, fields={**plan.extra, **plan.fields}, text=text, uri=plan.uri)
        return receipt

    def _repoint(self, records: list[Record], plan: Plan) -> Receipt:
        ids = [record.id for record in records]
        return self._opened().update_fields(ids, fields={**plan.extra, **plan.fields}, uri=plan.uri)

    def _commit(
        self,
        plan: Plan,
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
        if store.can.flush_each:
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
                fields=plan.values,
                ingested=datetime.now(UTC).isoformat(timespec="seconds"),
                generated=plan.source.generated,
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
