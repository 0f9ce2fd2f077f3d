"""Cutting a span out of a video as MP4: packets copied where that is exact, else encoded anew."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..core.errors import MediaError
from ..core.media import Cut
from .clock import Clock, clock_of, frame_rate
from .opening import open_video, replacing, require
from .packets import Decoder, PacketReader, starts_fresh
from .sound import add_sound, encoded_sound

_X264 = {"crf": "20", "preset": "veryfast"}
_COPIED_FORMATS = {"yuv420p", "yuvj420p"}  # What every player takes.
_AVCC = b"\x01"  # First byte of H.264 set-up data as MP4 stores it (ISO/IEC 14496-15, 5.3.3.1).
_REORDER_DEPTH = 16  # Frames; the most that H.264 allows (ITU-T H.264, A.3.1).


@dataclass(frozen=True, slots=True)
class _Span:
    """The piece wanted: from the first tick that may start it to the first that is no longer in it."""

    clock: Clock
    start: Fraction
    end: Fraction

    @property
    def low(self) -> int:
        return self.clock.window(self.start)[0]

    @property
    def stop(self) -> int:
        return self.clock.window(self.end)[0]


def cut_span(path: Path, out: Path, *, start_ms: int, end_ms: int) -> Cut:
    """Contract: `polyreel.media.cut`."""
    require(start_ms >= 0, f"start_ms must not be negative, not {start_ms}")
    require(end_ms > start_ms, f"end_ms must be after start_ms={start_ms}, not {end_ms}")
    container, stream = open_video(path)
    with container:
        span = _Span(clock_of(stream), Fraction(start_ms, 1000), Fraction(end_ms, 1000))
        copied = _copyable(container, stream, span)
    with replacing(out) as draft:
        job = _CopyJob(path, span, copied) if copied else _EncodeJob(path, span)
        with av.open(str(draft), "w", format="mp4", options={"movflags": "+faststart"}) as target:
            job.run(target)
        _check_end(path, span, job)
    return Cut(out, span.clock.ms(job.first), span.clock.ms(job.last), reencoded=copied == 0)


def _copyable(container: InputContainer, stream: VideoStream, span: _Span) -> int:
    """How many packets, from the one at the start on, are exactly the span; 0 when copying isn't exact."""
    codec = stream.codec_context
    if codec.name != "h264" or codec.pix_fmt not in _COPIED_FORMATS or (codec.extradata or b"")[:1] != _AVCC:
        return 0
    packets = PacketReader(container, stream).seek(span.clock.window(span.start)[1])
    head, following = next(packets, None), next(packets, None)
    if head is None or not starts_fresh(head, following) or not _starts(span, head.pts):
        return 0
    kept = 0
    for packet in chain([head], [following] if following else [], packets):
        if packet.pts is None or packet.is_corrupt or packet.duration is None:
            return 0
        if packet.pts >= span.stop:
            later = islice(packets, _REORDER_DEPTH)
            return kept if all(p.pts is not None and p.pts >= span.stop for p in later) else 0
        kept += 1
    return kept


def _starts(span: _Span, pts: int | None) -> bool:
    low, high = span.clock.window(span.start)
    return pts is not None and low <= pts <= high


class _Job:
    """Writes one span: pictures and sound, in the order of time."""

    def __init__(self, path: Path, span: _Span) -> None:
        self.path = path
        self.span = span
        self.first = span.clock.origin
        """The tick at which the piece starts."""
        self.last = span.clock.origin
        """The tick at which it ends, known when all is written."""
        self.damaged = False

    def run(self, target: OutputContainer) -> None:
        """Write to an opened container."""
        container, stream = open_video(self.path)
        with container:
            pictures = self.pictures(container, stream, target)
            head = next(pictures, None)
            if head is None:
                raise MediaError(f"{self.path} has no pictures in {_words(self.span)}", hint="check the span")
            start = self.first * self.span.clock.base
            length = self.span.end - self.span.clock.seconds(self.first)
            sound = add_sound(self.path, target)
            sounds = encoded_sound(self.path, sound, start, length) if sound else iter(())
            with closing(pictures):
                for packet in heapq.merge(chain([head], pictures), sounds, key=_when):
                    target.mux(packet)

    def pictures(
        self, container: InputContainer, stream: VideoStream, target: OutputContainer
    ) -> Iterator[Packet[VideoStream]]:
        """Add a video stream to `target` and make its packets; sets `first` before the first one."""
        raise NotImplementedError


class _CopyJob(_Job):
    """Copies packets."""

    def __init__(self, path: Path, span: _Span, packets: int) -> None:
        super().__init__(path, span)
        self._packets = packets
