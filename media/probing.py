"""What a video is: container, streams, upright size, and a duration that its packets bear out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..core.errors import MediaError
from ..core.media import VideoInfo
from .clock import Clock, clock_of
from .opening import open_video, readable_file
from .packets import Decoder, PacketReader
from .pictures import display_size, turns


def probe_video(path: Path) -> VideoInfo:
    """Contract: `polyreel.media.probe`."""
    size_bytes = readable_file(path)
    container, stream = open_video(path)
    with container:
        scan = _Scan(container, stream)
        if scan.frame is None:
            reason = scan.reason or "it holds no pictures"
            raise MediaError(f"{path}: no picture could be decoded: {reason}", hint="replace the file")
        return _info(container, stream, scan, scan.frame, size_bytes)


class _Scan:
    """One pass over the packets, decoding until the first frame comes out."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.clock = clock_of(stream)
        self.frame: VideoFrame | None = None
        self.packets = 0
        self._keys: list[int] = []
        reader, decoder = PacketReader(container, stream), Decoder(stream)
        for packet in reader:
            self.packets += 1
            if packet.is_keyframe and packet.pts is not None:
                self._keys.append(packet.pts)
            if self.frame is None:
                self.frame = next(iter(decoder.feed(packet)), None)
        if self.frame is None:
            self.frame = next(iter(decoder.drain()), None)
        self.reason = decoder.failure or reader.failure
        self.end_pts = reader.end_pts
        self.last_pts = reader.last_pts

    def duration_ms(self) -> int:
        """The end of the last complete picture; one that states no duration stands a mean frame."""
        if self.end_pts is None or self.last_pts is None:
            return round(self.packets / self.clock.fps * 1000)
        end = self.end_pts if self.end_pts > self.last_pts else self.last_pts + self.clock.frame
        return max(1, self.clock.ms(end))

    def key_interval_ms(self) -> float | None:
        """The mean distance of key frames."""
        if len(self._keys) < 2:
            return None
        return float((self._keys[-1] - self._keys[0]) * self.clock.base * 1000 / (len(self._keys) - 1))


def _info(
    container: InputContainer, stream: VideoStream, scan: _Scan, frame: VideoFrame, size_bytes: int
) -> VideoInfo:
    quarter_turns = turns(frame)
    sizes = display_size(frame, stream.codec_context.sample_aspect_ratio)
    width, height = sizes[::-1] if quarter_turns % 2 else sizes
    audio = next(iter(container.streams.audio), None)
    return VideoInfo(
        duration_ms=scan.duration_ms(),
        width=width,
        height=height,
        fps=float(_fps(scan.clock, scan)),
        video_codec=stream.codec_context.codec.canonical_name,
        pixel_format=frame.format.name,
        rotation=quarter_turns * 90,
        container=container.format.name,
        size_bytes=size_bytes,
        audio_codec=audio.codec_context.codec.canonical_name
        if audio is not None and audio.codec_context is not None
        else None,
        key_interval_ms=scan.key_interval_ms(),
    )


def _fps(clock: Clock, scan: _Scan) -> Fraction:
    """The stated mean rate, or the counted one where they differ by more than a tenth."""
    counted = Fraction(scan.packets * 1000, scan.duration_ms())
    return clock.fps if abs(counted - clock.fps) <= clock.fps / 10 else counted
