"""The contract of embedders. Adapters write the underscored hooks; the rules live here.

Every line of a public method's docstring is a test of `polyreel.testing.embedder.EmbedderContract`.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import ClassVar, TypeVar, final

from .adapter import Adapter
from .checks import check_vector
from .deadline import poll
from .errors import InvalidQueryError, MediaError, RateLimitedError, UnavailableError, UnsupportedError
from .levels import Levels
from .media import Frame, Media, Modality
from .orders import Failed, Order, Pending, Segments, Ticket
from .records import Vector
from .running import side_by_side
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
        public_only: Whether an `https` address must be one of the public network, since the other side
            fetches from outside; a file is handed over otherwise.
        inline_bytes: Largest file that goes along as it is; a larger one, of `max_bytes` at most, goes by an
            address. None is no limit.
    """

    schemes: frozenset[str]
    max_bytes: int | None = None
    max_seconds: float | None = None
    types: frozenset[str] = frozenset()
    public_only: bool = False
    inline_bytes: int | None = None


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


class Embedder(Adapter, ABC):
    """Turns media into vectors of one space.

    `takes` says which of the three ways of embedding a video it has: `embed_frames`, `embed_clips`, or, for
    a service that cuts the video itself, `check`, `hand_over`, `submit`, `find`, `collect` and `release`.
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
    free: ClassVar[bool] = False
    """Whether embedding costs nothing but time. Else the parts of a joint query aren't embedded again, each
    by itself, only to say how like each of them a hit is."""
    max_batch: ClassVar[int] = 16
    """Clips in one call."""
    at_once: int = 1
    """Calls with clips that are on their way at once."""

    space: Space
    query_settings: Mapping[str, object] = MappingProxyType({})
    """What decides, beside the space and its parts, what a query becomes: `core.caching` keeps them apart."""
    accepts: Mapping[Modality, HandOver]
    """Of queries, and of clips where those are taken."""
    levels: ClassVar[Mapping[Modality, Levels]] = MappingProxyType({})
    """How surely a hit of a query by one medium is right, by its cosine; only what was measured. A stack may
    have levels of its own (`Stack.levels`)."""
    whole_video: HandOver = HandOver(frozenset({"file"}))
    """Of the videos that `submit` takes."""
    upload_timeout: float = 3600.0
    """Seconds for handing one video over."""
    retired: str = ""
    """Why no new collection can be made with it; nothing where one can."""

    @final
    def embed_query(self, parts: Sequence[Media]) -> Embedded:
        """One vector for one part, or for several together where `joint`.

        - The vector is finite, not zero, and as long as `space.dimension`.
        - The same parts give the same vector.
        - No parts, or a text without a word in it, is `InvalidQueryError`.
        - A modality that `accepts` lacks is `UnsupportedError`, and so are parts that can't be joined.
        - A file that is larger than `accepts` allows is `MediaError`, and nothing is sent.
        """
        self.check_query(parts)
        return self._checked(self._attempt(lambda: self._embed_query(parts)))

    @final
    def check_query(self, parts: Sequence[Media]) -> None:
        """Refuse, before anything is sent, what `embed_query` refuses."""
        if not parts:
            raise InvalidQueryError("the query has no parts")
        for part in parts:
            if part.modality not in self.accepts:
                raise UnsupportedError(
                    f"{self.kind} can't embed {part.modality}", hint=f"it takes {', '.join(self.accepts)}"
                )
            if part.modality is Modality.TEXT and not (part.text or "").strip():
                raise InvalidQueryError("the query text is empty")
            _check_size(self.kind, part, self.accepts[part.modality])
        if len(parts) > 1 and not self.joins([part.modality for part in parts]):
            what = " and ".join(part.modality.value for part in parts)
            raise UnsupportedError(
                f"{self.kind} doesn't join {what} in one vector", hint="use fusion='sum' or 'rank'"
            )

    def joins(self, modalities: Sequence[Modality]) -> bool:
        """Whether parts of these modalities become one vector in one call."""
        return self.joint or len(modalities) == 1

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
    def check(self, order: Order) -> None:
        """Refuse, before anything is sent or paid for, what the service would refuse.

        - A video beyond the limits of `whole_video` is `MediaError`.
        - An embedder that takes something else refuses with `UnsupportedError`, as in all that follow.
        """
        self._check_takes(Takes.WHOLE_VIDEO)
        way, info = self.whole_video, order.info
        _check_size(self.kind, order.video, way)
        if way.max_seconds is not None and info.duration_ms > way.max_seconds * 1000:
            raise MediaError(
                f"the video is {info.duration_ms / 1000:.1f} s long; {self.kind} takes {way.max_seconds:g} s"
            )
        self._check(order)

    @final
    def hand_over(self, order: Order) -> str | None:
        """Bring the video to where the service can read it; returns its address there.

        - None where `submit` takes the video as it is.
        - The address serves as long as the service keeps it, in other processes, too; it is no secret.
        """
        self._check_takes(Takes.WHOLE_VIDEO)
        return self._once(lambda: self._hand_over(order), seconds=self.upload_timeout)

    @final
    def await_handed(self, address: str) -> None:
        """Return once the service can use what was handed over.

        Raises:
            MediaError: The service can't read it.
            UnavailableError: It isn't ready within `upload_timeout`.
        """
        self._check_takes(Takes.WHOLE_VIDEO)
        poll(
            lambda: self._attempt(lambda: self._handed(address)),
            what=f"what was handed to {self.kind}",
            timeout=self.upload_timeout,
        )

    @final
    def submit(self, order: Order) -> Ticket:
        """Start a task for a whole video.

        - Tried again only where the service said that it did nothing, `RateLimitedError`: after a lost
          reply the task may be there, and paid for.
        """
        self._check_takes(Takes.WHOLE_VIDEO)
        return self._attempt(lambda: self._submit(order), on=RateLimitedError)

    @final
    def find(self, order: Order, since: float) -> Ticket | None:
        """The task of an order whose reply was lost, where the service lets us find it.

        Args:
            order: As it was submitted.
            since: Seconds since 1970; the task is not older.
        """
        self._check_takes(Takes.WHOLE_VIDEO)
        return self._attempt(lambda: self._find(order, since))

    @final
    def collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        """The segments of a task, why there are none, or that it isn't done.

        - Vectors are finite, not zero, and as long as `space.dimension`; spans lie in the video.
        - Collecting twice gives the same.
        - A task that is gone is `NotFoundError`.
        """
        self._check_takes(Takes.WHOLE_VIDEO)
        result = self._attempt(lambda: self._collect(ticket, order))
        for segment in result.segments if isinstance(result, Segments) else ():
            check_vector(segment.vector, self.space.dimension, f"a vector of {self.kind}")
            if not 0 <= segment.start_ms < segment.end_ms:
                raise UnavailableError(
                    f"{self.kind} gave a segment from {segment.start_ms} to {segment.end_ms} ms",
                    hint="try again later",
                )
        return result

    @final
    def release(self, address: str) -> None:
        """Let the service forget what was handed over; it is fine where that is gone already."""
        self._check_takes(Takes.WHOLE_VIDEO)
        self._attempt(lambda: self._release(address))

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

    def _check(self, order: Order) -> None:
        """Nothing but the limits of `whole_video`."""

    def _hand_over(self, order: Order) -> str | None:
        """Nothing to bring anywhere. May take several calls; each goes through `_attempt`, and is retried."""
        return None

    def _handed(self, address: str) -> bool:
        """One look at what was handed over: whether it can be used."""
        return True

    def _submit(self, order: Order) -> Ticket:
        """Start one task."""
        raise self._lacks("whole videos")

    def _find(self, order: Order, since: float) -> Ticket | None:
        """Nothing, where tasks can't be listed."""
        return None

    def _collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        """One look at one task."""
        raise self._lacks("whole videos")

    def _release(self, address: str) -> None:
        """Nothing, where nothing was handed over."""

    # -- inside -------------------------------------------------------------------------------------------

    def _check_takes(self, wanted: Takes) -> None:
        if self.takes is not wanted:
            raise self._lacks(wanted.value.replace("_", " "))

    def _lacks(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self.kind} doesn't embed {what}", hint=f"it takes {self.takes.value}")

    def _batched(self, clips: Sequence[T], action: Callable[[Sequence[T]], list[Embedded]]) -> list[Embedded]:
        calls = [
            partial(self._attempt, partial(action, clips[at : at + self.max_batch]))
            for at in range(0, len(clips), self.max_batch)
        ]
        return [self._checked(embedded) for batch in side_by_side(calls, self.at_once) for embedded in batch]

    def _checked(self, embedded: Embedded) -> Embedded:
        check_vector(embedded.vector, self.space.dimension, f"a vector of {self.kind}")
        return embedded


def _check_size(kind: str, medium: Media, way: HandOver) -> None:
    if way.max_bytes is None or medium.path is None or not medium.path.is_file():
        return
    size = medium.path.stat().st_size
    if size > way.max_bytes:
        raise MediaError(
            f"{medium.path.name} has {size:,} bytes; {kind} takes {way.max_bytes:,} of a {medium.modality}"
        )
