"""Captions and events that a model sees, written as text of the records, so that words find them.

One question for each video. Its answer goes to the journal as soon as it is there, by content, prompt and
model; then to the records, and last to the manifest. Kill it anywhere and run it again: what was answered is
not asked again. The text stands apart from what people wrote (`Text.generated`, `core.generated`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from .errors import AuthenticationError, ConfigurationError, NotFoundError, PolyreelError, UnsupportedError
from .events import Event, read_events
from .filters import F
from .frameplan import FramePlan
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


class Outcome(StrEnum):
    """What became of one video."""

    ENRICHED = "enriched"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Enriched:
    """What became of one video.

    Args:
        video_id: Its id.
        uri: Where it is.
        outcome: In a dry run, what would become of it.
        events: How many were written.
        records: How many records have the text now.
        reason: Why it failed.
        spent: What its answer took.
        plan: In a dry run, how the video would be sampled.
        cost: In a dry run, what its frames would cost; the answer comes on top. None is unknown.
    """

    video_id: str
    uri: str
    outcome: Outcome
    events: int = 0
    records: int = 0
    reason: str | None = None
    spent: Spent = field(default_factory=Spent)
    plan: FramePlan | None = None
    cost: float | None = None

    def to_json(self) -> dict[str, object]:
        """A JSON object without the parts that say nothing."""
        values: dict[str, object] = {
            "video_id": self.video_id,
            "uri": self.uri,
            "outcome": self.outcome.value,
            "events": self.events,
            "records": self.records,
            "reason": self.reason,
            **(self.spent.to_json() if self.spent.asked or self.spent.cached else {}),
            **({"plan": self.plan.to_json(), "cost": self.cost} if self.plan else {}),
        }
        return {name: value for name, value in values.items() if value not in (None, {})}


@dataclass(frozen=True, slots=True)
class EnrichReport:
    """What an enrichment did, or would do (`dry_run`).

    Args:
        videos: In the order in which they were done.
        spent: By all of them.
        currency: Of costs.
        dry_run: Whether nothing was sent.
        stopped: Whether it was asked to stop, so that videos may be missing.
        hears: Whether the model heard the sound, too.
    """

    videos: tuple[Enriched, ...]
    spent: Spent
    currency: str = ""
    dry_run: bool = False
    stopped: bool = False
    hears: bool = False

    @property
    def ok(self) -> bool:
        """Whether no video failed."""
        return all(video.outcome is not Outcome.FAILED for video in self.videos)

    @property
    def counts(self) -> dict[str, int]:
        """How many videos had each outcome."""
        outcomes = [video.outcome for video in self.videos]
        return {each.value: outcomes.count(each) for each in Outcome if each in outcomes}

    @property
    def planned_tokens(self) -> int:
        """In a dry run, the tokens of all frames."""
        return sum(video.plan.tokens for video in self.videos if video.plan)

    @property
    def planned_cost(self) -> float | None:
        """In a dry run, what all frames would cost; None is unknown."""
        costs = [video.cost for video in self.videos if video.plan]
        return None if None in costs else sum(cost or 0.0 for cost in costs)

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel enrich --json`."""
        planned = {"planned_tokens": self.planned_tokens, "planned_cost": self.planned_cost}
        return {
            "dry_run": self.dry_run,
            "stopped": self.stopped,
            "counts": self.counts,
            **self.spent.to_json(),
            **(planned if self.dry_run else {}),
            "currency": self.currency,
            "sound_heard": self.hears,
            "videos": [video.to_json() for video in self.videos],
        }


Listener = Callable[[Enriched], None]
"""Hears of each video as it is done."""


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
            uri = manifest.uri
            return self._planned(manifest) if dry_run else self._enriched(manifest)
        except (AuthenticationError, ConfigurationError, UnsupportedError):
            raise
        except PolyreelError as error:
            LOGGER.warning("not enriched", extra={"video_id": video_id}, exc_info=error)
            return Enriched(video_id, uri, Outcome.FAILED, reason=redacted(error), spent=wasted(error))

    def _planned(self, manifest: Manifest) -> Enriched:
        key = self._key(manifest)
        if self._is_done(manifest, key):
            return self._report(manifest, Outcome.SKIPPED)
        if self.viewer.journal.recall("answer", key):
            return self._report(manifest, Outcome.ENRICHED)
        plan = self.viewer.plan(manifest, self.how.fps)
        cost = plan.cost(self.viewer.rate)
        return replace(self._report(manifest, Outcome.ENRICHED), plan=plan, cost=cost)

    def _enriched(self, manifest: Manifest) -> Enriched:
        key = self._key(manifest)
        if self._is_done(manifest, key):
            return self._report(manifest, Outcome.SKIPPED)
        with self.viewer.located(manifest) as found:
            duration = self.viewer.planned(found, self.how.fps).duration
            question = PROMPT.format(more=f" {self.more}" if self.more else "", duration=duration)
            read = partial(read_answer, duration=duration)
            value, took = once(
                self.viewer.journal, key, lambda: structured(self.viewer, [found], question, self.how, read)
            )
        assert isinstance(value, dict)
        generated = self._generated(value, key)
        records = self._write(manifest, generated)
        done = self._report(manifest, Outcome.ENRICHED)
        return replace(done, events=len(generated.events), records=records, spent=took)

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

    def _is_done(self, manifest: Manifest, key: str) -> bool:
        return manifest.generated is not None and manifest.generated.key == key

    def _report(self, manifest: Manifest, outcome: Outcome) -> Enriched:
        return Enriched(manifest.video_id, manifest.uri, outcome)


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
