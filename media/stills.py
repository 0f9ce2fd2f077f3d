"""Still pictures: read one from a file or bytes, write one out of a video."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.video.frame import VideoFrame

from ..core.errors import MediaError
from ..core.media import Frame
from .opening import open_video, readable_file, replacing, require, why
from .packets import Decoder, PacketReader
from .pictures import fit, to_rgb, turns, upright
from .sampling import SampledFrames

if TYPE_CHECKING:
    from ..core.media import Image

_DEMUXERS = {b"\xff\xd8\xff": "jpeg_pipe", b"\x89PNG": "png_pipe", b"GIF8": "gif", b"BM": "bmp_pipe"}
_KNOWN = "JPEG, PNG, WebP, GIF and BMP can be read"
_JPEG_QUALITY = "3"  # libavcodec's quantizer scale: 1 best, 31 worst.
_ORIENTATION = 0x0112  # Exif 2.32, table 4.

# Exif orientation -> mirrored left to right first, then quarter turns counterclockwise (Exif 2.32, 4.6.4).
_EXIF = {2: (1, 0), 3: (0, 2), 4: (1, 2), 5: (1, 1), 6: (0, 3), 7: (1, 3), 8: (0, 1)}


def read_image(source: Path | bytes, *, size: int) -> Image:
    """Contract: `polyreel.media.image`."""
    require(size >= 1, f"size must be at least 1 pixel, not {size}")
    name = "the picture" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _content(source)
    demuxer = _demuxer(data)
    if demuxer is None:
        raise MediaError(f"{name} is not a picture", hint=_KNOWN)
    try:
        frame = _first_frame(data, demuxer)
    except (av.FFmpegError, StopIteration) as error:
        raise MediaError(f"{name} is a broken picture: {why(error)}", hint="replace the file") from error
    pixels = to_rgb_over_white(frame, size)
    if demuxer != "jpeg_pipe":
        return upright(pixels, turns(frame))
    mirrored, quarter_turns = _EXIF.get(exif_orientation(data), (0, 0))
    return upright(np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels, quarter_turns)


def write_thumbnail(path: Path, out: Path, *, at_ms: int, size: int) -> None:
    """Contract: `polyreel.media.thumbnail`."""
    require(at_ms >= 0, f"at_ms must not be negative, not {at_ms}")
    with SampledFrames(path, fps=1, size=size, start_ms=at_ms, end_ms=at_ms + 1) as sampled:
        frame: Frame | None = next(iter(sampled), None)
    pixels = frame.image if frame else _last_picture(path, size)
    with replacing(out, path) as draft:
        draft.write_bytes(encode_jpeg(pixels))


def encode_jpeg(pixels: Image) -> bytes:
    """A JPEG file of height x width x 3, RGB, uint8."""
    frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuvj420p", dst_colorspace="itu601", dst_color_range="JPEG"
    )
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
    codec.time_base = Fraction(1, 25)
    codec.options = {"qmin": _JPEG_QUALITY, "qmax": _JPEG_QUALITY}
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


def to_rgb_over_white(frame: VideoFrame, size: int) -> Image:
    """Scale a still as stored (not turned) to at most `size` on the long side, alpha over white."""
    if any(part.is_alpha for part in frame.format.components) or frame.format.name == "pal8":
        rgba = frame.to_ndarray(format="rgba").astype(np.uint16)
        alpha = rgba[..., 3:]
        flat = (rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        frame = VideoFrame.from_ndarray(flat.astype(np.uint8), format="rgb24")
    width, height = fit(frame.width, frame.height, size)
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
    return cast("Image", pixels)


def exif_orientation(jpeg: bytes) -> int:
    """The orientation (1 to 8) that a JPEG states, else 1. Read here since PyAV drops the mirroring."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and len(jpeg) >= at + 4:
        marker, length = struct.unpack_from(">BH", jpeg, at + 1)
        if marker == 0xE1 and jpeg[at + 4 : at + 10] == b"Exif\0\0":
            return _tiff_orientation(jpeg[at + 10 : at + 2 + length])
        if marker == 0xDA:  # The picture itself begins.
            break
        at += 2 + length
    return 1


def _tiff_orientation(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:
        return 1
    return 1


def _content(path: Path) -> bytes:
    readable_file(path)
    return path.read_bytes()


def _demuxer(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp_pipe"
    return next((name for magic, name in _DEMUXERS.items() if data.startswith(magic)), None)


def _first_frame(data: bytes, demuxer: str) -> VideoFrame:
    with av.open(io.BytesIO(data), "r", format=demuxer) as container:
        return next(container.decode(video=0))


def _last_picture(path: Path, size: int) -> Image:
    """The last picture that decodes: of the last seconds, else of the whole file."""
    for from_end in (True, False):
        container, stream = open_video(path)
        with container:
            reader, decoder = PacketReader(container, stream), Decoder(stream)
            packets = iter(reader)
            if from_end:
                decoder.prime(packets)
                packets = reader.seek((stream.start_time or 0) + (stream.duration or 0))
            last: VideoFrame | None = None
            for packet in packets:
                last = next(reversed(decoder.feed(packet)), last)
            last = next(reversed(decoder.drain()), last)
            if last is not None:
                return to_rgb(last, size, stream.codec_context.sample_aspect_ratio)
    raise MediaError(f"{path}: no picture could be decoded", hint="replace the file")
