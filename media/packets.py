"""Packets of one video stream, read until they end or fail, in groups that decode on their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .opening import packets_of, why

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]

_MOST_BYTES = 8_000_000  # Of one group; a longer one is handed on in parts that all get decoded.
_BACK_OFF_SECONDS = 10
_LONGEST_STILL = 6 * 3600  # Seconds that a picture may stand; a still screen was recorded that long.
_CRASHES_BY_FRAMES = frozenset({"vp9"})


class PacketReader:
    """The packets of one stream. A read error ends them and stays in `failure`.

    Attributes:
        failure: Why reading stopped before the end.
        broken_at: Where the first incomplete packet was (pts).
        ends_broken: Whether the last packet read was incomplete.
        last_pts: When the last complete picture read is shown.
        end_pts: Where it ends, as far as it says so.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self.failure: str | None = None
        self.broken_at: int | None = None
        self.ends_broken = False
        self.end_pts: int | None = None
        self.last_pts: int | None = None
        self._before: int | None = stream.start_time or 0

    def __iter__(self) -> Iterator[VideoPacket]:
        """Read on from where the last seek went."""
        try:
            for packet in packets_of(self._container, self._stream):
                if packet.size:
                    if (jump := self._jump(packet)) > _LONGEST_STILL:
                        self.failure = f"its times jump by {float(jump / 3600):.0f} hours"
                        return
                    self._note(packet)
                    yield packet
        except av.FFmpegError as error:
            self.failure = why(error)

    def _note(self, packet: VideoPacket) -> None:
        self.ends_broken = packet.is_corrupt
        pts = packet.pts if packet.pts is not None else packet.dts
        if packet.is_corrupt:
            self.broken_at = pts if self.broken_at is None else self.broken_at
        elif pts is not None:
            self.last_pts = pts if self.last_pts is None else max(self.last_pts, pts)
            end = pts + (packet.duration or 0)
            self.end_pts = end if self.end_pts is None else max(self.end_pts, end)

    def _jump(self, packet: VideoPacket) -> Fraction:
        """How many seconds after the one before it a packet is shown; a duration beyond belief is taken off.

        A picture that stands for years would be sampled as often: damaged times must not keep us busy.
        """
        base = self._stream.time_base or Fraction(1, 1000)
        if (packet.duration or 0) * base > _LONGEST_STILL:
            packet.duration = 0
        if packet.pts is None:
            return Fraction(0)
        before, self._before = self._before, packet.pts
        return (packet.pts - before) * base if before is not None else Fraction(0)

    def seek(self, pts: int) -> Iterator[VideoPacket]:
        """The packets from the last key frame at or before `pts` on, or from further back.

        Some containers land behind the target, so a second and a third try aim lower.
        """
        first = self._stream.start_time or 0
        back_off = round(_BACK_OFF_SECONDS / (self._stream.time_base or 1))
        for target in (pts, pts - back_off, first):
            packets = self._from(max(first, target))
            head = next(packets, None)
            if head is not None and (target <= first or (head.pts is not None and head.pts <= pts)):
                return chain([head], packets)
        return iter(())

    def _from(self, pts: int) -> Iterator[VideoPacket]:
        self.failure = self._before = None
        with suppress(av.FFmpegError):  # What can't seek is read on from where it stands.
            self._container.seek(pts, stream=self._stream)
        return iter(self)


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive packets, in the order of decoding.

    Args:
        packets: At least one.
        fresh: The first is a key frame that needs nothing before it, nor does anything after it.
        closed: What follows is fresh, so the rest of this group may be left undecoded.
        next_pts: Where the following group begins, if it is fresh.
    """

    packets: list[VideoPacket]
    fresh: bool
    closed: bool
    next_pts: int | None = None

    @property
    def shown(self) -> list[int] | None:
        """The presentation times in order, None when a packet doesn't know its own."""
        times = [packet.pts for packet in self.packets if packet.pts is not None]
        return sorted(times) if len(times) == len(self.packets) else None


def groups(packets: Iterable[VideoPacket]) -> Iterator[Group]:
    """Group packets by key frames. Holds one group, or 8 MB of it, in memory."""
    group: list[VideoPacket] = []
    fresh, size = False, 0
    for packet, following in pairwise(chain(packets, [None])):
        assert packet is not None
        if starts_fresh(packet, following):
            if group:
                yield Group(group, fresh, closed=True, next_pts=packet.pts)
            group, fresh, size = [], True, 0
        group.append(packet)
        size += packet.size
        if size > _MOST_BYTES:
            yield Group(group, fresh, closed=False)
            group, fresh, size = [], False, 0
    if group:
        yield Group(group, fresh, closed=True)


def starts_fresh(packet: VideoPacket, following: VideoPacket | None) -> bool:
    """Whether decoding can start here: a key frame not followed by pictures shown before it (open GOP).

    Such leading pictures follow their key frame at once (ITU-T H.265, 3.78 and 8.3.1), so one packet tells.
    """
    if not packet.is_keyframe or packet.pts is None:
        return False
    return following is None or (following.pts is not None and following.pts > packet.pts)


class Decoder:
    """Decodes packets one by one; an error costs its packet alone and stays in `failure`."""

    def __init__(self, stream: VideoStream) -> None:
        stream.thread_type = _threads(stream)
        self._codec = stream.codec_context
        self.failure: str | None = None
        self.failed_at: int | None = None
        self.failed_now = False
        self._drained = False

    def feed(self, packet: VideoPacket) -> list[VideoFrame]:
        """The frames that come out when a packet goes in."""
        if self._drained:
            self._codec.flush_buffers()
            self._drained = False
        return self._decode(packet)

    def prime(self, packets: Iterable[VideoPacket]) -> None:
        """Show the decoder the first packet of the file before a seek passes it by, and forget its picture.

        The version of x264 stands there alone, and libavcodec needs it to decode 4:4:4 pictures of old ones.
        """
        for packet in packets:
            self.feed(packet)
            break
        self.drain()
        self.failure = self.failed_at = None

    def drain(self) -> list[VideoFrame]:
        """The frames still inside. The next packet must be the first of a fresh group."""
        if self._drained:
            return []
        self._drained = True
        return self._decode(None)

    def _decode(self, packet: VideoPacket | None) -> list[VideoFrame]:
        self.failed_now = False
        try:
            return self._codec.decode(packet)
        except av.FFmpegError as error:
            self.failed_now = True
            self.failure = why(error)
            self.failed_at = packet.pts if packet else self.failed_at
            return []


def _threads(stream: VideoStream) -> ThreadType:
    """How to share decoding among cores: not where every frame is a key frame; it costs more than it gives.

    Not by frames where the decoder crashes when a damaged stream goes on after `drain` (libavcodec 62, VP9).
    """
    if stream.codec_context.codec.intra_only:
        return ThreadType.NONE
    return ThreadType.SLICE if stream.codec_context.name in _CRASHES_BY_FRAMES else ThreadType.AUTO
