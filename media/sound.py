"""The sound of a span as AAC, in step with its pictures to the sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain, groupby, takewhile
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from numpy.typing import NDArray

from .opening import open_media, packets_of

Samples = NDArray[np.float32]  # Channels x samples.

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_DEFAULT_RATE = 48000
_BITS_PER_CHANNEL = 80_000
_LEAD_IN = Fraction(1, 4)  # Seconds decoded before the span, since codecs need a few packets to settle.


def add_sound(path: Path, target: OutputContainer) -> AudioStream | None:
    """Add an AAC stream for the first sound of `path`; None when it has none that can be decoded."""
    with open_media(path) as source:
        stream = _sound_of(source)
        if stream is None:
            return None
        rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    sound = target.add_stream("aac", rate=rate if rate in _AAC_RATES else _DEFAULT_RATE)
    sound.layout = "mono" if channels == 1 else "stereo"
    sound.bit_rate = _BITS_PER_CHANNEL * min(channels, 2)
    return sound


def encoded_sound(
    path: Path, sound: AudioStream, start: Fraction, length: Fraction
) -> Iterator[Packet[AudioStream]]:
    """Encode the sound from `start` (seconds on the file's own clock) for `length` seconds.

    Holes, a late start and what can't be decoded become silence, so that sound and picture stay together.
    """
    written, total = 0, round(length * sound.rate)
    for at, samples in _decoded(path, sound, start, start + length):
        first = round((at - start) * sound.rate)
        if abs(first - written) <= sound.rate // 1000:  # Rounded times of Matroska aren't holes.
            first = written
        wanted = samples[:, max(0, written - first) : max(0, total - first)]
        silence = np.zeros((samples.shape[0], max(0, min(first, total) - written)), np.float32)
        for block in (silence, wanted):
            if block.shape[1]:
                yield from sound.encode(_frame(block, sound, written))
                written += block.shape[1]
    yield from sound.encode(None)


def _decoded(
    path: Path, sound: AudioStream, start: Fraction, end: Fraction
) -> Iterator[tuple[Fraction, Samples]]:
    """Samples from about `start` to about `end`, with the time of the first of each block."""
    with open_media(path) as source:
        stream = _sound_of(source)
        assert stream is not None
        _go_to(source, stream, start - _LEAD_IN)
        frames = takewhile(lambda frame: _time(frame) < end, _frames(source, stream))
        for _, alike in groupby(frames, key=_kind):  # The sound of a broadcast, or a damaged one, may change.
            resampler = AudioResampler(format="fltp", layout=sound.layout.name, rate=sound.rate)
            for block in chain.from_iterable(map(resampler.resample, alike)):
                yield _time(block), cast("Samples", block.to_ndarray())


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    """What a resampler must know of what it takes."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def _frames(source: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decoded frames until the end or the first packet that can't be read; broken ones are left out."""
    packets = packets_of(source, stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from stream.codec_context.decode(packet if packet.size else None)
        except av.FFmpegError:
            continue


def _time(frame: AudioFrame) -> Fraction:
    return (frame.pts or 0) * (frame.time_base or Fraction(0))


def _go_to(source: InputContainer, stream: AudioStream, seconds: Fraction) -> None:
    first = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    if seconds > first and stream.time_base:
        with suppress(av.FFmpegError):  # What can't seek is read from its start.
            source.seek(round(seconds / stream.time_base), stream=stream)


def _sound_of(source: InputContainer) -> AudioStream | None:
    return next((stream for stream in source.streams.audio if stream.codec_context is not None), None)


def _frame(samples: Samples, sound: AudioStream, pts: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=sound.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = sound.rate, pts, Fraction(1, sound.rate)
    return frame
