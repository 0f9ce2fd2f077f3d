"""What is asked of a service that takes whole videos, and what comes back: orders, tickets, segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .media import Media, VideoInfo
from .recipe import Recipe
from .records import Channel, Scope, Vector


@dataclass(frozen=True, slots=True)
class Order:
    """A whole video to embed.

    Args:
        video_id: Its id.
        video: The file and, where the service can fetch it from somewhere, that address.
        info: What was probed of it; limits are checked against it before anything is sent.
        recipe: How it shall be cut, and which scopes and channels are wanted.
    """

    video_id: str
    video: Media
    info: VideoInfo
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Ticket:
    """A paid task at a provider, by which its result is collected.

    Args:
        id: The provider's.
        video_id: Of its video.
        expires: Seconds since 1970 after which its result is gone; None where it stays.
    """

    id: str
    video_id: str
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The task is not done.

    Args:
        after: Seconds after which to ask again; None leaves that to the engine, which asks the more seldom
            the longer it has waited.
    """

    after: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The task came to an end without a result.

    Args:
        reason: As the provider says it, in one line.
        again: Whether the same order may work later.
    """

    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One vector of a span that the embedder chose itself; a span has one for each channel."""

    start_ms: int
    end_ms: int
    vector: Vector
    scope: Scope = Scope.CLIP
    channel: Channel = Channel.FUSED


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The result of a task.

    Args:
        segments: In the order of scope, channel and time.
        usage: What the provider counted.
        request_ids: By which the provider can be asked about it.
    """

    segments: tuple[Segment, ...]
    usage: Mapping[str, float] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()
