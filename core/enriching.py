"""Captions and events that a model sees, written as text of the records, so that words find them.

One question for each video. Its answer goes to the journal as soon as it is there, by content, prompt and
model; then to the records, and last to the manifest. Kill it anywhere and run it again: what was answered is
not asked again. The text stands apart from what people wrote (`Text.generated`, `core.generated`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from .enrich_report import Enriched, EnrichReport, Listener, Outcome
from .errors import AuthenticationError, ConfigurationError, NotFoundError, PolyreelError, UnsupportedError
from .events import Event, read_events
from .filters import F
from .generated import Generated
from .locks import FolderLock
from .logs import LOGGER, redacted
from .manifest import Manifest, Manifests
from .records import Record
from .running import Stop, concurrently
from .space import digest
from .stack import Stack
from .store import VectorStore
from .structured import Spent, UnreadableError, once, structured, wasted
from .subtitles import Line
from .viewing import Asked, Viewer

PROMPT = (
    "Describe this video for a search engine. You see pictures only and hear no sound.{more}\n"
    'Answer with JSON and nothing else: {{"caption": "...", "events": [...]}}. The caption says in one to '
    'three sentences what the video shows. Each event has "start" and "end" (seconds from the beginning, or '
    'HH:mm:ss) and "event" (what happens, in one sentence). The video is {duration:.2f} s long.'
)

_MOST_WORDS = 32_000
"""Bytes of caption and events: a record of the whole video has them all beside what people wrote, and
Milvus keeps 65 535 bytes of text."""


@dataclass(frozen=True, slots=True)
class Enricher:
    """One run over videos of a collection.

    Args:
        store: Open.
        viewer: Asks.
        more: What else the model is told, such as a language.
        how: Of the questions.
    """

    stack: Stack
    store: VectorStore
    manifests: Manifests
    viewer: Viewer
    more: str | None = None
    how: Asked = field(default_factory=Asked)

    def run(
        self, ids: Iterable[str], *, dry_run: bool, stop: Stop | None = None, listener: Listener | None = None
    ) -> EnrichReport:
        """Enrich videos; one that fails never stops the others.

        Raises:
            AuthenticationError: The service doesn't know who we are; nor will it for the next video.
            LockedError: Another process enriches the same collection: a video might be paid for twice.
        """
        stop, done = stop or Stop(), list[Enriched]()
        lock = FolderLock(
            self.stack.state / f"{self.stack.name}-{self.stack.collection}.enriching",
            what=f"the enrichment of {self.stack.collection!r}",
        )
        if not dry_run:
            lock.acquire()
        try:
            one = partial(self._one, dry_run=dry_run)
            workers = 1 if dry_run else self.viewer.model.at_once
            unique = dict.fromkeys(ids)  # twice at once would be paid for twice
            with closing(concurrently(one, unique, workers=workers, stop=stop)) as results:
                for result in results:
                    done.append(result)
                    if listener:
                        listener(result)
        finally:
            lock.remove()
        if not dry_run and any(each.records for each in done):
            self.store.flush()
        total = sum((each.spent for each in done), Spent())
        model, currency = self.viewer.model, self.viewer.rate.currency
        return EnrichReport(tuple(done), total, currency, dry_run, stop.asked, model.hears)

    def _one(self, video_id: str, *, dry_run: bool) -> Enriched:
        uri = ""
        try:
            manifest = self.manifests.get(video_id)
            if manifest is None:
                raise NotFoundError(f"there is no video {video_id!r}", hint="see `polyreel videos`")
            uri, key = manifest.uri, self._key(manifest)
            if manifest.generated is not None and manifest.generated.key == key:
                return Enriched(video_id, uri, Outcome.SKIPPED)
            return self._planned(manifest, key) if dry_run else self._enriched(manifest, key)
        except (AuthenticationError, ConfigurationError, UnsupportedError):
            raise
        except PolyreelError as error:
            LOGGER.warning("not enriched", extra={"video_id": video_id}, exc_info=error)
            return Enriched(video_id, uri, Outcome.FAILED, reason=redacted(error), spent=wasted(error))

    def _planned(self, manifest: Manifest, key: str) -> Enriched:
        would_be = Enriched(manifest.video_id, manifest.uri, Outcome.ENRICHED)
        if self.viewer.journal.recall("answer", key):
            return would_be
        plan = self.viewer.plan(manifest, self.how.fps)
        return replace(would_be, plan=plan, cost=plan.cost(self.viewer.rate))

    def _enriched(self, manifest: Manifest, key: str) -> Enriched:
        with self.viewer.located(manifest) as found:
            duration = self.viewer.planned(found, self.how.fps).duration
            question = PROMPT.format(more=f" {self.more}" if self.more else "", duration=duration)
            read = partial(read_answer, duration=duration)
            value, took = once(
                self.viewer.journal, key, lambda: structured(self.viewer, [found], question, self.how, read)
            )
        assert isinstance(value, dict)
        generated = self._generated(value, key)
        records, events = self._write(manifest, generated), len(generated.events)
        return Enriched(manifest.video_id, manifest.uri, Outcome.ENRICHED, events, records, spent=took)

    def _write(self, manifest: Manifest, generated: Generated) -> int:
        """The text on every record, then the mark in the manifest as it is by now."""
        video_id = manifest.video_id
        embedder = self.stack.embedder
        swaps = embedder is not None and embedder.swaps_text
        records = list(self.store.scan(F.video_id == video_id, vectors=swaps))
        changed = [self._with(record, generated) for record in records]
        if swaps:
            self.store.wait(self.store.upsert(changed))
        else:
            for text in dict.fromkeys(record.text for record in changed):
                ids = [record.id for record in changed if record.text == text]
                self.store.wait(self.store.update_fields(ids, text=text))
        if self.store.can.flush_each:
            self.store.flush()
        self.manifests.put(replace(self.manifests.get(video_id) or manifest, generated=generated))
        return len(changed)

    def _with(self, record: Record, generated: Generated) -> Record:
        said = generated.text_for(record.scope, record.start_ms, record.end_ms)
        text, content, embedder = replace(record.text, generated=said), record.content, self.stack.embedder
        if embedder and embedder.swaps_text:
            content = embedder.swap_text(content, text.joined())  # type: ignore[arg-type]  # it was scanned
        return replace(record, text=text, content=content)

    def _generated(self, value: Mapping[str, object], key: str) -> Generated:
        lines = value["events"]
        assert isinstance(lines, list)
        return Generated(
            caption=str(value["caption"]),
            events=tuple(Line(start, end, text) for start, end, text in lines),
            key=key,
            model=self.viewer.model.model,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _key(self, manifest: Manifest) -> str:
        """Of what the answer depends on: the video's content, the prompt, the sampling and the model."""
        model = self.viewer.model
        fps = model.fps if self.how.fps is None else self.how.fps
        return digest(
            [manifest.video_id, PROMPT, self.more or "", fps, self.how.thinking, model.service, model.model]
        )


def read_answer(value: object, *, duration: float) -> dict[str, object]:
    """Caption and events of an answer, as the journal keeps them: times in milliseconds.

    Raises:
        UnreadableError: Something isn't as it should be.
    """
    if not isinstance(value, dict):
        raise UnreadableError('it is no object with "caption" and "events"')
    caption = value.get("caption")
    if not isinstance(caption, str) or not caption.strip():
        raise UnreadableError("it has no words in 'caption'")
    found: Iterator[Event] = iter(read_events({"events": value.get("events", [])}, duration))
    lines = [[round(each.start * 1000), round(each.end * 1000), _line(each.event)] for each in found]
    size = len(_line(caption).encode()) + sum(len(str(line[2]).encode()) for line in lines)
    if size > _MOST_WORDS:
        raise UnreadableError(f"its words have {size:,} bytes; write {_MOST_WORDS:,} bytes at most")
    return {"caption": _line(caption), "events": lines}


def _line(text: str) -> str:
    """Words on one line, which every store can keep."""
    return " ".join(text.encode(errors="replace").decode().split())
