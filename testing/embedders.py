"""Small embedders for tests, one for each way of taking a video. They see colours and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .. import media
from ..core.embedder import ClipInput, Embedded, Embedder, HandOver, Takes
from ..core.errors import NotFoundError, UnavailableError
from ..core.media import Frame, Media, Modality
from ..core.orders import Failed, Order, Pending, Segment, Segments, Ticket
from ..core.records import Channel, Scope
from ..core.space import Space

if TYPE_CHECKING:
    from ..core.media import Image

_SIZE = 64
_FILE = HandOver(schemes=frozenset({"file"}))


class ColourEmbedder(Embedder):
    """Takes frames and doesn't read text: mean colours of a 2 x 2 grid, and a constant."""

    kind: ClassVar[str] = "colour"
    takes: ClassVar[Takes] = Takes.FRAMES
    frame_size = _SIZE

    def __init__(self) -> None:
        super().__init__()
        self.space = Space(self.kind, "grid", "1", 13)
        self.accepts = {Modality.IMAGE: _FILE, Modality.VIDEO: _FILE}
        self.frames_seen = 0

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        (part,) = parts
        path = part.path or Path()
        if part.modality is Modality.IMAGE:
            return Embedded(_colours([media.image(path, size=_SIZE)]))
        frames = _frames(path, start_ms=part.start_ms, end_ms=part.end_ms)
        return Embedded(_colours([frame.image for frame in frames]))

    def _embed_frames(self, clips: Sequence[ClipInput]) -> list[Embedded]:
        self.frames_seen += sum(len(clip.frames) for clip in clips)
        return [Embedded(_colours([frame.image for frame in clip.frames]), {"clips": 1}) for clip in clips]


class ClipColourEmbedder(ColourEmbedder):
    """The same, but takes clip files."""

    kind = "clip_colour"
    takes = Takes.CLIP_FILES

    def _embed_clips(self, clips: Sequence[Media]) -> list[Embedded]:
        return [self._embed_query([clip]) for clip in clips]


class TaskColourEmbedder(ColourEmbedder):
    """The same, but takes whole videos as paid tasks and cuts them itself.

    Args:
        polls: How often a task answers that it is pending.
        lost: How many replies to submits are lost; the task exists all the same.
        findable: Whether a lost task can be found again.
        failures: What the first tasks end with, in place of a result; None is a task that vanishes.
        uploads: Whether a video must be handed over before it can be submitted.
    """

    kind = "task_colour"
    takes = Takes.WHOLE_VIDEO
    whole_video = HandOver(frozenset({"file"}), max_seconds=60.0)

    def __init__(
        self,
        *,
        polls: int = 1,
        lost: int = 0,
        findable: bool = True,
        failures: Sequence[Failed | None] = (),
        uploads: bool = False,
    ) -> None:
        super().__init__()
        self.submitted: list[str] = []
        self.uploaded: dict[str, Path] = {}
        self.uploads = 0
        self._tasks: dict[str, Path] = {}
        self._pending: dict[str, int] = {}
        self._polls, self._lost, self._findable, self._uploads = polls, lost, findable, uploads
        self._failures = list(failures)
        self._guard = threading.Lock()

    def _hand_over(self, order: Order) -> str | None:
        if not self._uploads:
            return None
        self.uploads += 1
        address = f"colour://{self.uploads}"
        self.uploaded[address] = order.video.path or Path()
        return address

    def _handed(self, address: str) -> bool:
        if address not in self.uploaded:
            raise NotFoundError(f"there is no upload {address}")
        return True

    def _release(self, address: str) -> None:
        self.uploaded.pop(address, None)

    def _submit(self, order: Order) -> Ticket:
        with self._guard:
            self.submitted.append(order.video_id)
            id = f"task-{len(self.submitted)}"
            handed = self.uploaded[str(order.video.uri)] if self._uploads else order.video.path
            self._tasks[id] = handed or Path()
            self._pending[id] = self._polls
            if self._lost:
                self._lost -= 1
                raise UnavailableError("the reply to the submit was lost")
        return Ticket(id, order.video_id)

    def _find(self, order: Order, since: float) -> Ticket | None:
        made = [id for id, path in self._tasks.items() if path == order.video.path]
        return Ticket(made[-1], order.video_id) if self._findable and made else None

    def _collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        with self._guard:
            if ticket.id not in self._tasks:
                raise NotFoundError(f"there is no task {ticket.id}")
            self._pending[ticket.id] -= 1
            if self._pending[ticket.id] >= 0:
                return Pending(0.01)
            if self._failures:
                failure = self._failures.pop(0)
                del self._tasks[ticket.id]
                if failure is None:
                    raise NotFoundError(f"the task {ticket.id} is gone")
                return failure
        frames = _frames(self._tasks[ticket.id])
        halves = [frames[: len(frames) // 2 or 1], frames[len(frames) // 2 :]]
        end = frames[-1].time_ms + 500
        middle = end // 2
        spans = [(0, middle), (middle, end)]
        clips = [
            Segment(start, stop, _colours([frame.image for frame in half]), channel=channel)
            for (start, stop), half in zip(spans, halves, strict=True)
            for channel in (Channel.VISUAL, Channel.FUSED)
        ]
        whole = Segment(0, end, _colours([frame.image for frame in frames]), Scope.VIDEO)
        return Segments((*clips, whole), {"seconds": end / 1000}, (ticket.id,))


def _frames(path: Path, *, start_ms: int = 0, end_ms: int | None = None) -> list[Frame]:
    with media.frames(path, fps=2.0, size=_SIZE, start_ms=start_ms, end_ms=end_ms) as frames:
        return list(frames)


def _colours(images: Sequence[Image]) -> list[float]:
    cells = [
        block.reshape(-1, 3).mean(axis=0) / 255
        for image in images
        for half in np.array_split(image, 2, axis=0)
        for block in np.array_split(half, 2, axis=1)
    ]
    mean = np.asarray(cells).reshape(len(images), 12).mean(axis=0)
    return [*mean.tolist(), 0.1]
