"""The times of a video stream: from its own ticks (pts) to milliseconds since its first picture, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_SANE_FPS = (Fraction(1, 100), Fraction(500))
_DEFAULT_FPS = Fraction(25)
_MOST_SLACK = Fraction(1, 20)  # Seconds; a slide show's half frame would be minutes.
_MICROSECONDS = 1_000_000  # The unit of libavformat's container times.


@dataclass(frozen=True, slots=True)
class Clock:
    """The ticks of one stream.

    Args:
        origin: The tick of the first picture, time 0.
        base: Seconds per tick.
        fps: Mean frames per second.
        slack: Half a mean frame in seconds, at most 50 ms: how far from a time its picture may be.
    """

    origin: int
    base: Fraction
    fps: Fraction
    slack: Fraction

    @property
    def frame(self) -> int:
        """The mean duration of a picture in ticks, at least 1."""
        return max(1, round(1 / self.fps / self.base))

    def seconds(self, pts: int) -> Fraction:
        """Seconds since the first picture."""
        return (pts - self.origin) * self.base

    def ms(self, pts: int) -> int:
        """Milliseconds since the first picture, rounded."""
        return round(self.seconds(pts) * 1000)

    def tick_before(self, seconds: Fraction) -> int:
        """The last tick at or before a time."""
        return self.origin + math.floor(seconds / self.base)

    def window(self, seconds: Fraction) -> tuple[int, int]:
        """The first and last tick within half a frame of a time."""
        low = math.ceil((seconds - self.slack) / self.base)
        high = math.floor((seconds + self.slack) / self.base)
        return self.origin + low, self.origin + high

    def span(self, frame: VideoFrame) -> int:
        """How many ticks a picture stands, by its own word, else the mean."""
        return frame.duration or self.frame


def clock_of(stream: VideoStream) -> Clock:
    """The clock of an opened stream."""
    base = stream.time_base or Fraction(1, 1000)
    fps = frame_rate(stream)
    return Clock(stream.start_time or 0, base, fps, min(1 / fps / 2, _MOST_SLACK))


def frame_rate(stream: VideoStream) -> Fraction:
    """The mean frame rate that the container states, where it is believable, else 25."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and _SANE_FPS[0] <= rate <= _SANE_FPS[1]:
            return Fraction(rate)
    return _DEFAULT_FPS


def stated_end(container: InputContainer, stream: VideoStream) -> tuple[Fraction | None, bool]:
    """The end in seconds that the file states for its video, and whether it is stated for the video itself.

    A container's duration may be that of a longer sound.
    """
    start = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base, True
    if tag := _seconds(stream.metadata.get("DURATION", "")):  # Matroska: a time of day, counted from 0.
        return tag - start, True
    if container.duration:
        return Fraction(container.duration, _MICROSECONDS) - start, len(container.streams) == 1
    return None, False


def _seconds(clock_time: str) -> Fraction | None:
    try:
        hours, minutes, seconds = (Fraction(part) for part in clock_time.strip("\0 ").split(":"))
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds
