"""A smaller rendition of a whole video, for those who only look at a few of its pictures a second."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.video.frame import VideoFrame

from ..core.errors import MediaError
from ..core.media import Frame
from .opening import replacing, require
from .probing import probe_video
from .sampling import SampledFrames

_SIZES = (720, 480, 320)  # Pixels on the long side; the next one is tried where the file is still too large.
_X264 = {"crf": "23", "preset": "veryfast"}
_SHARE = (
    0.85  # Of the bytes, for the pictures at their highest rate; the rest is the buffer and the container.
)
_BUFFER = 0.05


def write_rendition(path: Path, out: Path, *, fps: float, max_bytes: int) -> None:
    """Contract: `polyreel.media.rendition`."""
    require(max_bytes >= 1, f"max_bytes must be at least 1, not {max_bytes}")
    seconds = max(probe_video(path).duration_ms / 1000, 1 / fps) if fps > 0 else 1.0
    with replacing(out, path) as draft:
        for size in _SIZES:
            _write(path, draft, fps=fps, size=size, bits=max_bytes * 8, seconds=seconds)
            if draft.stat().st_size <= max_bytes:
                return
        raise MediaError(
            f"{path} is {seconds:.0f} s long, too long for a rendition of {max_bytes} bytes",
            hint="sample fewer frames (recipe.fps), or cut the video",
        )


def _write(path: Path, draft: Path, *, fps: float, size: int, bits: int, seconds: float) -> None:
    rate = Fraction(fps).limit_denominator(1000)
    options = _X264 | {
        "maxrate": str(int(bits * _SHARE / seconds) or 1),
        "bufsize": str(int(bits * _BUFFER) or 1),
    }
    with SampledFrames(path, fps=fps, size=size) as frames:
        pictures = iter(frames)
        head = next(pictures, None)
        if head is None:
            raise MediaError(
                f"{path} has no readable pictures", hint="check with a video player that it plays"
            )
        with av.open(str(draft.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as target:
            video = target.add_stream("libx264", rate=rate, options=options)
            video.width, video.height = (max(2, side & ~1) for side in reversed(head.image.shape[:2]))
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = 1 / rate
            for frame in chain([head], pictures):
                target.mux(video.encode(_picture(frame, video.width, video.height, rate)))
            target.mux(video.encode(None))


def _picture(frame: Frame, width: int, height: int, rate: Fraction) -> VideoFrame:
    picture = VideoFrame.from_ndarray(frame.image, format="rgb24").reformat(width, height, "yuv420p")
    picture.pts, picture.time_base = round(frame.time_ms * rate / 1000), 1 / rate
    return picture
