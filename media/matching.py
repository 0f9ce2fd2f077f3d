"""Which picture is on screen at each sampling time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from av.video.frame import VideoFrame

from .clock import Clock
from .packets import Group


@dataclass(frozen=True, slots=True)
class Target:
    """A sampling time: in milliseconds, in ticks, and the first and last tick within half a frame of it."""

    time_ms: int
    pts: int
    low: int
    high: int


class Targets:
    """The sampling times `start + k / fps` before `end`."""

    def __init__(self, clock: Clock, fps: float, start_ms: int, end_ms: int | None) -> None:
        self._clock = clock
        self._start = Fraction(start_ms, 1000)
        self._end = None if end_ms is None else Fraction(end_ms, 1000)
        self._fps = Fraction(repr(float(fps)))  # 0.05 is a twentieth, not the nearest binary fraction.

    def at(self, k: int) -> Target | None:
        """The k-th, None when it lies at or after the end."""
        seconds = self._start + k / self._fps
        if self._end is not None and seconds >= self._end:
            return None
        return Target(round(seconds * 1000), self._clock.tick_before(seconds), *self._clock.window(seconds))

    def since(self, k: int) -> Iterator[Target]:
        """The k-th and those after it."""
        for index in count(k):
            target = self.at(index)
            if target is None:
                return
            yield target


class Planner:
    """Says how much of each group of packets must be decoded for the pictures wanted."""

    def __init__(self, clock: Clock, targets: Targets) -> None:
        self._clock = clock
        self._targets = targets
        self.claimed = 0
        """How many targets are answered by the groups seen so far."""
        self.hits = 0
        """How many of them, at least, are answered by a picture within half a frame."""

    def needed(self, group: Group) -> int:
        """How many packets to decode, from the first on; all of them when a time is missing."""
        shown = group.shown
        if shown is None:
            return len(group.packets)
        last = None
        for target in self._targets.since(self.claimed):
            index = bisect_left(shown, target.low)
            if index == len(shown) and not self._stands(target, shown[-1], group):
                break
            hit = index < len(shown) and (shown[index] <= target.high or index == 0)
            last = shown[index] if hit else shown[index - 1]
            self.claimed += 1
            self.hits = self.claimed if hit else self.hits
        return 0 if last is None else 1 + [packet.pts for packet in group.packets].index(last)

    def _stands(self, target: Target, last_pts: int, group: Group) -> bool:
        """Whether a group's last picture is still on screen at a time after it."""
        if group.next_pts is not None:
            return group.next_pts > target.high
        return target.pts < last_pts + max(self._clock.frame, *(p.duration or 0 for p in group.packets))


class Matcher:
    """Takes decoded frames in order and hands back those that are on screen at the targets."""

    def __init__(self, clock: Clock, targets: Targets) -> None:
        self._clock = clock
        self._targets = targets
        self._target = targets.at(0)
        self._hole = False
        self.answered = 0
        self.held: VideoFrame | None = None
        self.held_pts = clock.origin

    @property
    def done(self) -> bool:
        """Whether no target is left."""
        return self._target is None

    @property
    def ends_in_hole(self) -> bool:
        """Whether nothing was decoded since the last failure."""
        return self._hole

    def lost(self) -> None:
        """Say that pictures after the last one taken could not be decoded."""
        self._hole = True

    def take(self, frame: VideoFrame) -> Iterator[tuple[int, VideoFrame]]:
        """The times (milliseconds) that are answered now, with their frames."""
        pts = self._time_of(frame)
        if self.held is not None and pts <= self.held_pts:
            return
        while self._target and self._target.low <= pts:
            if pts <= self._target.high or self.held is None:
                yield self._target.time_ms, frame
            elif not self._hole:
                yield self._target.time_ms, self.held
            self._next()
        self.held, self.held_pts, self._hole = frame, pts, False

    def rest(self) -> Iterator[tuple[int, VideoFrame]]:
        """After the last frame: the times at which it still stands."""
        while self.held and self._target and self._target.pts < self.end_pts:
            yield self._target.time_ms, self.held
            self._next()

    @property
    def end_pts(self) -> int:
        """Where the last frame taken ends."""
        return self.held_pts + (self._clock.span(self.held) if self.held else 0)

    def _next(self) -> None:
        self.answered += 1
        self._target = self._targets.at(self.answered)

    def _time_of(self, frame: VideoFrame) -> int:
        if frame.pts is not None:
            return frame.pts
        if frame.dts is not None:
            return frame.dts
        return self.end_pts
