"""Making the records of a video in the way that its embedder or store wants: frames, clips, whole video."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .embedder import ClipInput, Embedded, Embedder, Takes
from .errors import MediaError
from .fields import Value
from .journal import Journal
from .media import Frame, Media, MediaTools, Modality, VideoInfo
from .objects import ObjectStore
from .orders import Order, Segment
from .proxies import Proxies, makes_clips, makes_proxy
from .recipe import Recipe, Segmentation, record_id
from .records import Channel, Record, Scope, Vector
from .sources import Source
from .space import Space
from .staging import Staging
from .tasks import Pace, Spent, Tasks

_GLANCE = 16  # Pixels on the long side of frames that only show whether a span can be read.

T = TypeVar("T")
Span = tuple[int, int]


@dataclass(slots=True)
class Job:
    """One video on its way into the collection, and what was seen on the way."""

    source: Source
    video_id: str
    uri: str
    info: VideoInfo
    fields: Mapping[str, Value]
    extra: Mapping[str, object]
    damage: str | None = None
    clips: list[str] = field(default_factory=list)
    usage: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    embedded: int = 0
    spent: Spent = field(default_factory=Spent)
    request_ids: tuple[str, ...] = ()

    def count(self, usage: Mapping[str, float]) -> None:
        """Add what a provider counted."""
        for name, amount in usage.items():
            self.usage[name] += amount


@dataclass(frozen=True, slots=True)
class Maker:
    """Turns videos into records.

    Args:
        embedder: None where the store vectorizes.
        proxies: Makes the media of whole videos, where a store vectorizes; it knows what that takes.
        task_timeout: Seconds to wait for a whole-video task.
        pace: When to ask for such a task; it learns from one video to the next.
    """

    media: MediaTools
    embedder: Embedder | None
    space: Space
    recipe: Recipe
    objects: ObjectStore
    journal: Journal
    proxies: Proxies
    task_timeout: float = 3600.0
    pace: Pace = field(default_factory=Pace)

    def records(self, job: Job) -> Iterator[Record]:
        """The records of one video, as they are made; the whole video's comes last."""
        if self.embedder is None:
            return self._with_media(job)
        ways: dict[Takes, Callable[[Job, Embedder], Iterator[Segment]]] = {
            Takes.FRAMES: self._from_frames,
            Takes.CLIP_FILES: self._from_clip_files,
            Takes.WHOLE_VIDEO: self._from_whole_video,
        }
        return self._records_of(job, ways[self.embedder.takes](job, self.embedder))

    def check(self, source: Source, video_id: str, info: VideoInfo) -> None:
        """Refuse a video that whoever embeds it would refuse, before anything is sent or paid for."""
        if self.embedder and self.embedder.takes is Takes.WHOLE_VIDEO:
            medium = Media(Modality.VIDEO, path=source.path)
            self.embedder.check(Order(video_id, medium, info, self.recipe))

    def load(self, info: VideoInfo) -> tuple[int, float]:
        """How many media would be embedded of a video, and their seconds; a proxy counts beside the clips."""
        clips, seconds = len(self.recipe.spans(info.duration_ms)), info.duration_ms / 1000
        if self.embedder is not None:
            return clips, seconds
        cut, whole = makes_clips(self.recipe), makes_proxy(self.recipe)
        return clips * cut + whole, seconds * (cut + whole)

    def finish(self, job: Job) -> None:
        """Forget what was paid for, once the records are stored for good."""
        if self.embedder and self.embedder.takes is Takes.WHOLE_VIDEO:
            self._tasks(self.embedder).finish(self._order(job, Media(Modality.VIDEO, path=job.source.path)))

    # -- three ways to segments ---------------------------------------------------------------------------

    def _from_frames(self, job: Job, embedder: Embedder) -> Iterator[Segment]:
        for batch in _batches(self._clips(job, embedder.frame_size, self._spans(job)), embedder.max_batch):
            inputs = [ClipInput(frames, self._text(job, span)) for span, frames in batch]
            yield from self._segments(job, [span for span, _ in batch], embedder.embed_frames(inputs))

    def _from_clip_files(self, job: Job, embedder: Embedder) -> Iterator[Segment]:
        way, staging = embedder.accepts[Modality.VIDEO], Staging(self.objects)
        for batch in _batches(self._readable_spans(job), embedder.max_batch * embedder.at_once):
            with tempfile.TemporaryDirectory(prefix="polyreel-") as folder, ExitStack() as leases:
                cut = [self._cut(job, span, Path(folder)) for span in batch]
                there = staging.leased(cut, way.schemes, inline_bytes=way.inline_bytes)
                handed = leases.enter_context(there)
                yield from self._segments(job, batch, embedder.embed_clips(handed))

    def _from_whole_video(self, job: Job, embedder: Embedder) -> Iterator[Segment]:
        address = None if job.source.signed else job.uri
        video = Media(Modality.VIDEO, path=job.source.path, uri=address)
        order = self._order(job, Staging(self.objects).reachable(video, embedder.whole_video))
        result = self._tasks(embedder).result(order, job.spent)
        job.count(result.usage)
        job.request_ids += result.request_ids
        job.embedded += len(result.segments)
        yield from result.segments

    def _tasks(self, embedder: Embedder) -> Tasks:
        return Tasks(embedder, self.journal, self.task_timeout, pace=self.pace)

    def _order(self, job: Job, video: Media) -> Order:
        return Order(job.video_id, video, job.info, self.recipe)

    # -- clips --------------------------------------------------------------------------------------------

    def _spans(self, job: Job) -> list[Span]:
        shots: Sequence[int] = ()
        if self.recipe.segmentation is Segmentation.SHOTS:
            shots = self.media.shots(job.source.path)
        return self.recipe.spans(job.info.duration_ms, shots)

    def _clips(self, job: Job, size: int, cut: Sequence[Span]) -> Iterator[tuple[Span, list[Frame]]]:
        """Each span with its frames; what has no frame, since the file is damaged there, is left out."""
        gathered: list[Frame] = []
        spans = iter(cut)
        span = next(spans)
        with self.media.frames(job.source.path, fps=self.recipe.fps, size=size) as frames:
            for frame in frames:
                while frame.time_ms >= span[1] and (following := next(spans, None)):
                    if gathered:
                        yield span, gathered
                    span, gathered = following, []
                gathered.append(frame)
            job.damage = frames.damage
        if gathered:
            yield self._readable(span, gathered, job), gathered

    def _readable_spans(self, job: Job) -> list[Span]:
        """The spans to cut: what is damaged is found, told and left out as where frames are embedded."""
        spans = self._spans(job)
        seen = [span for span, _ in self._clips(job, _GLANCE, spans)]
        return seen if job.damage else spans

    def _readable(self, span: Span, frames: list[Frame], job: Job) -> Span:
        """The last span of a damaged file ends where its pictures end."""
        if job.damage is None:
            return span
        return span[0], min(span[1], frames[-1].time_ms + round(1000 / self.recipe.fps))

    def _cut(self, job: Job, span: Span, folder: Path) -> Media:
        out = folder / f"{span[0]}-{span[1]}.mp4"
        self.media.cut(job.source.path, out, start_ms=span[0], end_ms=span[1])
        return Media(Modality.VIDEO, path=out, fps=self.recipe.fps)

    def _with_media(self, job: Job) -> Iterator[Record]:
        """Records that carry a medium: each clip, cut and kept as an object of its own, then the whole."""
        staging = Staging(self.objects)
        for span in self._readable_spans(job):
            if makes_clips(self.recipe):
                yield self._with_clip(job, span, staging)
        if makes_proxy(self.recipe):
            yield self._with_proxy(job)

    def _with_clip(self, job: Job, span: Span, staging: Staging) -> Record:
        key = f"clips/{job.video_id}/{span[0]}-{span[1]}.mp4"
        if not self.objects.exists(key):
            with tempfile.TemporaryDirectory(prefix="polyreel-") as folder:
                clip = self._cut(job, span, Path(folder))
                self.proxies.check_size(clip, span)
                self.objects.put(key, clip.path or b"", content_type="video/mp4")
        job.clips.append(key)
        job.embedded += 1
        medium = staging.offer(key, Media(Modality.VIDEO, fps=self.recipe.fps), self.proxies.schemes)
        return self._record(job, Segment(span[0], span[1], ()), medium)

    def _with_proxy(self, job: Job) -> Record:
        medium, key = self.proxies.proxy(job.source, job.video_id, job.uri, fps=self.recipe.fps)
        job.clips += [key] if key else []
        job.embedded += 1
        whole = Segment(0, job.info.duration_ms, (), Scope.VIDEO, Channel.PROXY)
        return self._record(job, whole, medium)

    # -- records ------------------------------------------------------------------------------------------

    def _segments(self, job: Job, spans: Sequence[Span], embedded: Sequence[Embedded]) -> Iterator[Segment]:
        for span, each in zip(spans, embedded, strict=True):
            job.count(each.usage)
            job.embedded += 1
            yield Segment(span[0], span[1], each.vector)

    def _records_of(self, job: Job, segments: Iterable[Segment]) -> Iterator[Record]:
        """A record for each segment, and the mean of the clips where the embedder gave none for the whole."""
        means: dict[Channel, _Mean] = defaultdict(_Mean)
        whole: set[Channel] = set()
        for segment in segments:
            if segment.channel not in self.recipe.channels:
                continue
            if segment.scope is Scope.VIDEO:
                whole.add(segment.channel)
            else:
                means[segment.channel].add(segment.vector, segment.end_ms - segment.start_ms)
            if segment.scope in self.recipe.scopes:
                yield self._record(job, segment, segment.vector)
        if not means and not whole:
            raise MediaError(f"no picture of {job.source.path.name} could be read")
        if Scope.VIDEO in self.recipe.scopes:
            for channel in means.keys() - whole:
                vector = self._whole(means[channel].vector(), job)
                yield self._record(
                    job, Segment(0, job.info.duration_ms, vector, Scope.VIDEO, channel), vector
                )

    def _whole(self, vector: Vector, job: Job) -> Vector:
        if self.embedder is None or not self.embedder.swaps_text:
            return vector
        text = job.source.text_for(Scope.VIDEO, 0, job.info.duration_ms)
        return self.embedder.swap_text(vector, text.joined())

    def _record(self, job: Job, segment: Segment, content: Vector | Media) -> Record:
        start, end = segment.start_ms, segment.end_ms
        return Record(
            id=record_id(
                job.video_id,
                (start, end),
                segment.scope,
                segment.channel,
                space=self.space,
                recipe=self.recipe,
            ),
            video_id=job.video_id,
            uri=job.uri,
            scope=segment.scope,
            start_ms=start,
            end_ms=end,
            channel=segment.channel,
            recipe=self.recipe.key,
            content=content,
            text=job.source.text_for(segment.scope, start, end),
            fields=job.fields,
            extra=job.extra,
        )

    def _text(self, job: Job, span: Span) -> str:
        return job.source.text_of(*span).joined()


@dataclass(slots=True)
class _Mean:
    """The mean of unit vectors, weighted."""

    total: list[float] = field(default_factory=list)

    def add(self, vector: Vector, weight: float) -> None:
        scale = max(weight, 1) / math.hypot(*vector)
        self.total = [
            before + scale * float(value)
            for before, value in zip(self.total or [0.0] * len(vector), vector, strict=True)
        ]

    def vector(self) -> list[float]:
        length = math.hypot(*self.total)
        return [value / length for value in self.total]


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
