"""Cutting a span out of a video as MP4: packets copied where that is exact, else encoded anew."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from ..core.errors import MediaError
from ..core.media import Cut
from .clock import Clock, clock_of, frame_rate, stated_end
from .opening import open_video, replacing, require
from .packets import Decoder, PacketReader, starts_fresh
from .pictures import turns
from .sound import add_sound, encoded_sound

_X264 = {"crf": "20", "preset": "veryfast"}
_COPIED_FORMATS = {"yuv420p", "yuvj420p"}  # What every player takes.
_AVCC = b"\x01"  # First byte of H.264 set-up data as MP4 stores it (ISO/IEC 14496-15, 5.3.3.1).
_ROUNDING = Fraction(1, 100)  # Seconds.
_LARGEST = 16_384  # Pixels; what x264 takes.
_REORDER_DEPTH = 16  # Frames; the most that H.264 allows (ITU-T H.264, A.3.1).


@dataclass(frozen=True, slots=True)
class _Span:
    """The piece wanted: from the first tick that may start it to the first that is no longer in it."""

    clock: Clock
    start: Fraction
    end: Fraction

    def __str__(self) -> str:
        """For messages, in seconds."""
        return f"{float(self.start):g} s to {float(self.end):g} s"

    @property
    def low(self) -> int:
        """The first tick within half a frame of the start."""
        return self.clock.window(self.start)[0]

    @property
    def stop(self) -> int:
        """The first tick that belongs to what follows."""
        return self.clock.window(self.end)[0]


@dataclass(slots=True)
class _Piece:
    """What was written: its first tick and the one after it, and whether the source was damaged there."""

    first: int
    last: int
    damaged: bool = False


def cut_span(path: Path, out: Path, *, start_ms: int, end_ms: int) -> Cut:
    """Contract: `polyreel.media.cut`."""
    require(start_ms >= 0, f"start_ms must not be negative, not {start_ms}")
    require(end_ms > start_ms, f"end_ms must be after start_ms={start_ms}, not {end_ms}")
    container, stream = open_video(path)
    with container:
        span = _Span(clock_of(stream), Fraction(start_ms, 1000), Fraction(end_ms, 1000))
        stated, _ = stated_end(container, stream)
        copied = _copyable(container, stream, span)
    piece = _Piece(span.clock.origin, span.clock.origin)
    with replacing(out, path) as draft:
        with av.open(str(draft.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as target:
            _write(path, target, span, piece, copied)
        missing = span.end - span.clock.seconds(piece.last) > max(span.clock.slack * 2, _ROUNDING)
        if missing and not piece.damaged and (stated is None or stated < span.end - span.clock.slack):
            end = float(span.clock.seconds(piece.last))
            raise MediaError(
                f"{path} ends at {end:.2f} s, before the span {span}", hint="end the span earlier"
            )
    return Cut(out, span.clock.ms(piece.first), span.clock.ms(piece.last), reencoded=copied == 0)


def _write(path: Path, target: OutputContainer, span: _Span, piece: _Piece, copied: int) -> None:
    """Write pictures and sound in the order of time."""
    container, stream = open_video(path)
    with container:
        if copied:
            packets = islice(PacketReader(container, stream).seek(span.clock.window(span.start)[1]), copied)
            pictures = _copied(packets, target.add_stream_from_template(stream), piece)
        else:
            pictures = _encoded(container, stream, target, span, piece)
        head = next(pictures, None)
        if head is None:
            raise MediaError(
                f"{path} has no readable pictures in the span {span}", hint="choose another span"
            )
        sound = add_sound(path, target)
        length = span.end - span.clock.seconds(piece.first)
        sounds = encoded_sound(path, sound, piece.first * span.clock.base, length) if sound else iter(())
        everything: Iterator[Packet[Any]] = heapq.merge(chain([head], pictures), sounds, key=_when)
        for packet in everything:
            target.mux(packet)


def _when(packet: Packet[Any]) -> Fraction:
    """The time of decoding in seconds: what a file is interleaved by."""
    return (packet.dts or 0) * packet.time_base


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
        if packet.pts is None or packet.dts is None or packet.is_corrupt or not packet.duration:
            return 0
        if packet.pts >= span.stop:
            later = islice(packets, _REORDER_DEPTH)
            return kept if all(p.pts is not None and p.pts >= span.stop for p in later) else 0
        kept += 1
    return kept


def _starts(span: _Span, pts: int | None) -> bool:
    low, high = span.clock.window(span.start)
    return pts is not None and low <= pts <= high


def _copied(
    packets: Iterable[Packet[VideoStream]], copy: VideoStream, piece: _Piece
) -> Iterator[Packet[VideoStream]]:
    """Packets moved to time 0; the stream made from a template keeps the rotation."""
    for index, packet in enumerate(packets):
        pts = packet.pts or 0
        piece.first = piece.first if index else pts
        piece.last = max(piece.last, pts + (packet.duration or 0))
        packet.pts, packet.dts = pts - piece.first, (packet.dts or 0) - piece.first
        packet.stream = copy
        yield packet


def _encoded(
    container: InputContainer, stream: VideoStream, target: OutputContainer, span: _Span, piece: _Piece
) -> Iterator[Packet[VideoStream]]:
    """The span as H.264; the rotation is kept as a display matrix, as phones do."""
    encoder: VideoStream | None = None
    durations: dict[int, int] = {}
    for pts, duration, frame in _timed(container, stream, span, piece):
        if encoder is None:
            if max(frame.width, frame.height) > _LARGEST:
                raise MediaError(
                    f"{container.name} has pictures of {frame.width}x{frame.height}, too large for H.264",
                    hint=f"scale it to {_LARGEST} pixels a side first",
                )
            piece.first = pts
            encoder = _add_encoder(target, stream, frame, span.clock.base)
        piece.last = pts + duration
        durations[pts - piece.first] = duration
        picture = frame.reformat(encoder.width, encoder.height, "yuv420p", dst_color_range="MPEG")
        picture.pts, picture.time_base, picture.pict_type = (
            pts - piece.first,
            span.clock.base,
            PictureType.NONE,
        )
        yield from _stamped(encoder.encode(picture), durations)
    if encoder:
        yield from _stamped(encoder.encode(None), durations)


def _stamped(packets: list[Packet[VideoStream]], durations: dict[int, int]) -> Iterator[Packet[VideoStream]]:
    """Give encoded packets their real durations, which the encoder guesses from the frame rate."""
    for packet in packets:
        packet.duration = durations.pop(packet.pts or 0, packet.duration)
        yield packet


def _add_encoder(
    target: OutputContainer, source: VideoStream, frame: VideoFrame, base: Fraction
) -> VideoStream:
    encoder = target.add_stream("libx264", rate=frame_rate(source), options=_X264)
    encoder.width, encoder.height = max(2, frame.width & ~1), max(2, frame.height & ~1)
    encoder.pix_fmt = "yuv420p"
    encoder.codec_context.time_base = base
    for tag in ("colorspace", "color_primaries", "color_trc"):
        setattr(encoder.codec_context, tag, getattr(frame, tag))
    encoder.codec_context.color_range = ColorRange.MPEG
    if aspect := source.codec_context.sample_aspect_ratio:
        encoder.codec_context.sample_aspect_ratio = aspect
    if quarter_turns := turns(frame):
        encoder.set_display_rotation(quarter_turns * 90)
    return encoder


def _timed(
    container: InputContainer, stream: VideoStream, span: _Span, piece: _Piece
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Tick, duration in ticks and frame of each picture of the span."""
    last: tuple[int, VideoFrame] | None = None
    ending: int | None = None
    for pts, frame in _shown(container, stream, span, piece):
        if frame is None:
            ending = pts
            break
        if last and pts <= last[0]:  # Out of order, as only a damaged stream's are; no file can hold it.
            continue
        if last:
            yield last[0], pts - last[0], last[1]
        last = pts, frame
    if last:
        natural = ending if ending is not None else last[0] + span.clock.span(last[1])
        end = span.clock.tick_before(span.end)
        if natural <= span.clock.window(span.end)[1] or end <= last[0] + span.clock.frame // 2:
            end = natural
        yield last[0], max(1, end - last[0]), last[1]


def _shown(
    container: InputContainer, stream: VideoStream, span: _Span, piece: _Piece
) -> Iterator[tuple[int, VideoFrame | None]]:
    """The pictures of the span, then the tick of the next one with None, if there is one.

    A picture that was shown before the start and still stands comes first, at the start's tick.
    """
    low, high = span.clock.window(span.start)
    held: VideoFrame | None = None
    begun = False
    for frame in _decoded(container, stream, span, piece):
        pts = frame.pts if frame.pts is not None else frame.dts or 0
        if pts < low:
            held = frame
            continue
        if not begun and pts > high and held is not None:
            begun = True
            yield span.clock.tick_before(span.start), held
        if pts >= span.stop and (begun or pts > high):
            yield pts, None
            return
        begun = True
        yield pts, frame
    start = span.clock.tick_before(span.start)
    if not begun and held is not None and (held.pts or 0) + span.clock.span(held) > start:
        yield start, held


def _decoded(
    container: InputContainer, stream: VideoStream, span: _Span, piece: _Piece
) -> Iterator[VideoFrame]:
    """Every frame from the key frame before the span on."""
    reader, decoder = PacketReader(container, stream), Decoder(stream)
    decoder.prime(iter(reader))
    for packet in reader.seek(span.low):
        yield from decoder.feed(packet)
        piece.damaged = piece.damaged or decoder.failure is not None or packet.is_corrupt
    yield from decoder.drain()
    piece.damaged = piece.damaged or decoder.failure is not None or reader.failure is not None
