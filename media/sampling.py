"""Sampling frames at exact times, decoding no more than they need.

Packets are read in order and grouped by key frames. Of each group only what comes before its last wanted
picture is decoded; the rest, and groups without a wanted picture, are dropped undecoded. Dense samples thus
decode through (frame threads), sparse ones only the beginnings of the groups they fall into; over long
distances the container is asked to seek. Measured rules: facts/builtin.md section 2.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.video.frame import VideoFrame

from ..core.errors import MediaError
from ..core.media import Frame
from .clock import clock_of, stated_end
from .matching import Matcher, Planner, Targets
from .opening import open_media, open_video, require
from .packets import Decoder, Group, PacketReader, groups
from .pictures import to_rgb

if TYPE_CHECKING:
    from .packets import VideoPacket

_WORTH_SKIPPING = 6  # Frames; emptying the decoder's pipeline costs about as much.
_WORTH_SEEKING = Fraction(10)  # Seconds; reading past packets costs 0.4 ms per second of video.
_INVALID = "Invalid data found when processing input"  # libavformat's own words for it.

Sample = tuple[int, VideoFrame]


class SampledFrames:
    """The frames of a video at regular times. Contract: `polyreel.media.frames`."""

    def __init__(
        self, path: Path, *, fps: float, size: int, start_ms: int = 0, end_ms: int | None = None
    ) -> None:
        require(0 < fps < float("inf"), f"fps must be above 0, not {fps}")
        require(size >= 1, f"size must be at least 1 pixel, not {size}")
        require(start_ms >= 0, f"start_ms must not be negative, not {start_ms}")
        require(
            end_ms is None or end_ms > start_ms, f"end_ms must be after start_ms={start_ms}, not {end_ms}"
        )
        self.damage: str | None = None
        self._spent = False
        self._size = size
        self._container, stream = open_video(path)
        weakref.finalize(self, self._container.close)  # For one that is dropped without being read.
        self._aspect = stream.codec_context.sample_aspect_ratio
        clock = clock_of(stream)
        self._run = _Run(
            path, self._container, stream, Targets(clock, fps, start_ms, end_ms), float(clock.fps) / fps
        )

    def __iter__(self) -> Iterator[Frame]:
        """Decode and convert, frame by frame; a second round yields nothing."""
        if self._spent:
            return
        self._spent = True
        last, pixels = None, None
        try:
            for time_ms, frame in self._run.samples():
                if pixels is None or frame is not last:
                    last, pixels = frame, to_rgb(frame, self._size, self._aspect)
                yield Frame(time_ms, pixels)
            self.damage = self._run.damage()
        finally:
            self._container.close()

    def __enter__(self) -> Self:
        """The stream itself; the file is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._spent = True
        self._container.close()


class _Run:
    """One way through a file: reads, decodes what is needed, and remembers what failed."""

    def __init__(
        self,
        path: Path,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        targets: Targets,
        step: float,
    ) -> None:
        self._path = path
        self._stated = stated_end(container, stream)
        self._targets = targets
        self._clock = clock_of(stream)
        self._reader = PacketReader(container, stream)
        self._decoder = Decoder(stream)
        self._planner = Planner(self._clock, targets)
        self._matcher = Matcher(self._clock, targets)
        self._skips = step >= _WORTH_SKIPPING
        self._seeks = True
        self._leapt: int | None = None
        self._at_end = False
        self._tail_unread = False

    def samples(self) -> Iterator[Sample]:
        """The times and their frames, undamaged ones; `damage` tells of the others."""
        first = self._targets.at(0)
        assert first is not None
        packets = iter(self._reader)
        if first.low > self._clock.origin:
            self._decoder.prime(packets)
            packets = self._reader.seek(first.low)
        answered = False
        for sample in self._decoded(packets):
            answered = True
            yield sample
        if not answered and self._planner.claimed:
            reason = self._decoder.failure or self._reader.failure or _INVALID
            raise MediaError(f"{self._path}: no picture could be decoded: {reason}", hint="replace the file")
        if not answered and self._reader.end_pts is None:
            raise MediaError(f"{self._path} holds no pictures", hint="replace the file")

    def _decoded(self, packets: Iterator[VideoPacket]) -> Iterator[Sample]:
        following: Iterator[VideoPacket] | None = packets
        while following is not None:
            packets, following = following, None
            for group in groups(packets):
                yield from self._group(group)
                if self._matcher.done:
                    return
                following = self._leap(group)
                if following is not None:
                    yield from self._match(self._decoder.drain())
                    break
        self._at_end = True
        yield from self._match(self._decoder.drain())
        if self._tail_damage() is None:
            yield from self._matcher.rest()

    def _group(self, group: Group) -> Iterator[Sample]:
        needed = self._planner.needed(group)
        spare = len(group.packets) - needed
        free = self._skips and group.fresh and group.closed
        self._tail_unread = free and spare >= _WORTH_SKIPPING
        if not self._tail_unread:
            yield from self._feed(group.packets)
            return
        if needed:
            yield from self._feed(group.packets[:needed])
        yield from self._match(self._decoder.drain())
        if self._matcher.answered < self._planner.hits:  # A packet that shows nothing (VP8's hidden frames).
            self._tail_unread = False
            yield from self._feed(group.packets)

    def _feed(self, packets: Iterable[VideoPacket]) -> Iterator[Sample]:
        for packet in packets:
            yield from self._match(self._decoder.feed(packet))
            if self._matcher.done:
                return

    def _match(self, frames: Iterable[VideoFrame]) -> Iterator[Sample]:
        for frame in frames:
            yield from self._matcher.take(frame)
        if self._decoder.failed_now:
            self._matcher.lost()

    def _leap(self, group: Group) -> Iterator[VideoPacket] | None:
        """Seek when the next wanted picture is far behind this group."""
        target = self._targets.at(self._planner.claimed)
        here = group.next_pts
        if not self._seeks or here is None or target is None:
            return None
        if (target.low - here) * self._clock.base < _WORTH_SEEKING:
            return None
        if self._leapt is not None and here <= self._leapt:  # Times that run back would lead us in a circle.
            return None
        self._leapt = here
        packets = self._reader.seek(target.low)
        head = next(packets, None)
        if head is None:
            return packets
        self._seeks = head.pts is not None and head.pts >= here
        return chain([head], packets)

    def damage(self) -> str | None:
        """What couldn't be read of the part asked for, in one line."""
        reason = self._tail_damage() if self._at_end else None
        if reason:
            where = self._reader.end_pts if self._tail_unread else self._matcher.held_pts
            return f"unreadable from {float(self._clock.seconds(where or 0)):.2f} s on: {reason}"
        if self._at_end and not self._matcher.answered and self._reader.end_pts is not None:
            end, start = self._clock.seconds(self._reader.end_pts), self._targets.at(0)
            return (
                f"the video ends at {float(end):.2f} s, before {start.time_ms / 1000 if start else 0:.2f} s"
            )
        near = self._decoder.failed_at if self._decoder.failure else self._reader.broken_at
        if near is None or (near > self._matcher.held_pts and not self._at_end):
            return None
        reason = self._decoder.failure or _INVALID
        return f"unreadable near {float(self._clock.seconds(near)):.2f} s: {reason}"

    def _tail_damage(self) -> str | None:
        if self._reader.failure:
            return self._reader.failure
        if self._matcher.ends_in_hole or self._reader.ends_broken:
            return self._decoder.failure or _INVALID
        end = self._clock.seconds(self._reader.end_pts or self._clock.origin)
        stated, for_video = self._stated
        if stated is None or stated - end < Fraction(1, 2) + stated / 20:
            return None
        if not for_video and stated - last_time(self._path) < Fraction(1, 2):
            return None
        return f"the file ends at {float(end):.2f} s but states {float(stated):.2f} s"


def last_time(path: Path) -> Fraction:
    """The end in seconds of the last packet of any stream of a file."""
    end = Fraction(0)
    with open_media(path) as container:
        try:
            for packet in container.demux():
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            return end
    return end
