"""The contract of embedders. Adapters write the underscored hooks; the rules live here.

Every line of a public method's docstring is a test of `polyreel.testing.embedder.EmbedderContract`.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import ClassVar, TypeVar, final

from .adapter import Adapter
from .checks import check_vector
from .errors import InvalidQueryError, UnsupportedError
from .media import Frame, Media, Modality
from .records import Channel, Scope, Vector
from .space import Space

T = TypeVar("T")


class Takes(StrEnum):
    """What an embedder wants of a video."""

    FRAMES = "frames"
    CLIP_FILES = "clip_files"
    WHOLE_VIDEO = "whole_video"


@dataclass(frozen=True, slots=True)
class HandOver:
    """How a medium of one modality may reach the embedder.

    Args:
        schemes: `file` (a local path), `data` (bytes or base64), `https` (public or presigned), or the
            vendor's own.
        max_bytes: Largest file; None is no limit.
        max_seconds: Longest video or sound; None is no limit.
        types: Content types taken; empty takes all.
    """

    schemes: frozenset[str]
    max_bytes: int | None = None
    max_seconds: float | None = None
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A vector and what it cost."""

    vector: Vector
    usage: Mapping[str, float] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ClipInput:
    """Sampled frames of one span, in the order of time, and the text that belongs to it."""

    frames: Sequence[Frame]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A paid task at a provider, by which its result is collected."""

    id: str
    video_id: str
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The task is not done; ask again after `after` seconds."""

    after: float


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One vector of a span that the embedder chose itself."""

    start_ms: int
    end_ms: int
    vector: Vector
    scope: Scope = Scope.CLIP
    channel: Channel = Channel.FUSED


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The result of a task."""

    segments: tuple[Segment, ...]
    usage: Mapping[str, float] = field(default_factory=dict)


class Embedder(Adapter, ABC):
    """Turns media into vectors of one space.

    `takes` says which of the three ways of embedding a video it has: `embed_frames`, `embed_clips`, or
    `submit`, `find` and `collect` for a service that cuts the video itself.
    """

    takes: ClassVar[Takes]
    frame_size: ClassVar[int] = 224
    """Pixels on the long side of the frames that it wants."""
    reads_text: ClassVar[bool] = False
    """Whether a clip's vector depends on its text, so that an edited caption means embedding again."""
    swaps_text: ClassVar[bool] = False
    """Whether the text in a clip's vector can be replaced without seeing the clip again (`swap_text`)."""
    asymmetric: ClassVar[bool] = False
    """Whether a record's own vector must be turned into a query (`query_of`) before it looks for others."""
    joint: ClassVar[bool] = False
    """Whether several parts of a query become one vector in one call."""
    max_batch: ClassVar[int] = 16
    """Clips in one call."""

    space: Space
    accepts: Mapping[Modality, HandOver]

    @final
    def embed_query(self, parts: Sequence[Media]) -> Embedded:
        """One vector for one part, or for several together where `joint`.

        - The vector is finite, not zero, and as long as `space.dimension`.
        - The same parts give the same vector.
        - No parts, or a text without a word in it, is `InvalidQueryError`.
        - A modality that `accepts` lacks is `UnsupportedError`.
        """
        if not parts:
            raise InvalidQueryError("the query has no parts")
        for part in parts:
            if part.modality not in self.accepts:
                raise UnsupportedError(
                    f"{self.kind} can't embed {part.modality}", hint=f"it takes {', '.join(self.accepts)}"
                )
            if part.modality is Modality.TEXT and not (part.text or "").strip():
                raise InvalidQueryError("the query text is empty")
        if len(parts) > 1 and not self.joint:
            raise UnsupportedError(
                f"{self.kind} embeds one part at a time", hint="use fusion='sum' or 'rank'"
            )
        return self._checked(self._attempt(lambda: self._embed_query(parts)))

    @final
    def embed_frames(self, clips: Sequence[ClipInput]) -> list[Embedded]:
        """One vector for each clip, in order.

        - A clip without frames is `InvalidQueryError`.
        - What a clip gets doesn't depend on the clips beside it.
        - An embedder that takes something else refuses with `UnsupportedError`, as in all three ways.
        """
        self._check_takes(Takes.FRAMES)
        for clip in clips:
            if not clip.frames:
                raise InvalidQueryError("a clip without frames can't be embedded")
        return self._batched(clips, self._embed_frames)

    @final
    def embed_clips(self, clips: Sequence[Media]) -> list[Embedded]:
        """One vector for each clip file, in order."""
        self._check_takes(Takes.CLIP_FILES)
        return self._batched(clips, self._embed_clips)

    @final
    def submit(self, video: Media, video_id: str) -> Ticket:
        """Start a task for a whole video. Never retried here: a lost reply may have been paid for."""
        self._check_takes(Takes.WHOLE_VIDEO)
        return self._once(lambda: self._submit(video, video_id))

    @final
    def find(self, video_id: str) -> Ticket | None:
        """The task of a video whose reply was lost, where the service lets us find it."""
        return self._attempt(lambda: self._find(video_id))

    @final
    def collect(self, ticket: Ticket) -> Pending | Segments:
        """The segments of a task, or how long to wait before asking again."""
        result = self._attempt(lambda: self._collect(ticket))
        if isinstance(result, Segments):
            for segment in result.segments:
                check_vector(segment.vector, self.space.dimension, f"a vector of {self.kind}")
        return result

    @final
    def swap_text(self, vector: Vector, text: str) -> Vector:
        """The vector that the same clip would have with another text.

        - Swapping twice is the same as swapping once; only where `swaps_text`.
        """
        return self._translated(lambda: self._swap_text(vector, text))

    def query_of(self, vector: Vector) -> Vector:
        """The query that looks for records like the one with this vector; the same where both are alike."""
        return vector

    # -- hooks --------------------------------------------------------------------------------------------

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        """One vector for checked parts."""
        raise self._lacks("queries")

    def _embed_frames(self, clips: Sequence[ClipInput]) -> list[Embedded]:
        """A vector for each clip of one batch."""
        raise self._lacks("frames")

    def _embed_clips(self, clips: Sequence[Media]) -> list[Embedded]:
        """A vector for each clip file of one batch."""
        raise self._lacks("clip files")

    def _swap_text(self, vector: Vector, text: str) -> Vector:
        """Another text in the same vector."""
        raise self._lacks("a text alone")

    def _submit(self, video: Media, video_id: str) -> Ticket:
        """Start one task."""
        raise self._lacks("whole videos")

    def _find(self, video_id: str) -> Ticket | None:
        """Nothing, where tasks can't be listed."""
        return None

    def _collect(self, ticket: Ticket) -> Pending | Segments:
        """One look at one task."""
        raise self._lacks("whole videos")

    # -- inside -------------------------------------------------------------------------------------------

    def _check_takes(self, wanted: Takes) -> None:
        if self.takes is not wanted:
            raise self._lacks(wanted.value.replace("_", " "))

    def _lacks(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self.kind} doesn't embed {what}", hint=f"it takes {self.takes.value}")

    def _batched(self, clips: Sequence[T], action: Callable[[Sequence[T]], list[Embedded]]) -> list[Embedded]:
        parts = (clips[at : at + self.max_batch] for at in range(0, len(clips), self.max_batch))
        return [
            self._checked(embedded) for part in parts for embedded in self._attempt(partial(action, part))
        ]

    def _checked(self, embedded: Embedded) -> Embedded:
        check_vector(embedded.vector, self.space.dimension, f"a vector of {self.kind}")
        return embedded
