"""Reading video: probe, sample frames, cut, thumbnails, shots (PyAV). Implements `core.media.MediaTools`.

Importing this module loads neither PyAV nor numpy: each function imports its room when it is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.media import Cut, FrameStream, VideoInfo

if TYPE_CHECKING:
    from ..core.media import Image

__all__ = ["cut", "frames", "image", "probe", "render_samples", "rendition", "shots", "thumbnail"]


def probe(path: Path) -> VideoInfo:
    """Open a video, read its packets once and decode its first picture.

    Returns:
        Sizes of the upright picture in pixels, times in milliseconds. `rotation` is how many degrees (0,
        90, 180 or 270) the stored picture is turned counterclockwise to stand upright. `duration_ms` is
        what the packets add up to, so it holds where a header lies or a file was cut off.

    Raises:
        NotFoundError: There is no such file.
        MediaError: It is not a readable video; the message names the file and the reason.
    """
    from .probing import probe_video

    return probe_video(path)


def frames(path: Path, *, fps: float, size: int, start_ms: int = 0, end_ms: int | None = None) -> FrameStream:
    """Sample the pictures on screen at `start_ms + k * 1000 / fps`, for k = 0, 1, ... before `end_ms`.

    Time 0 is the video's first picture. The picture on screen at t is the first one within half a frame of t
    (half the mean frame duration, at most 50 ms); where none is that near, the one shown before and still
    standing. So a clip shorter than one interval yields one frame, and a picture that stands for long is
    yielded again.

    Args:
        path: A video file.
        fps: Samples per second, above 0.
        size: Pixels on the long side; smaller pictures are not enlarged.
        start_ms: The first sampling time.
        end_ms: No sample at or after this time; None is the end of the video.

    Returns:
        A context manager and iterable, for one round. `time_ms` is the sampling time. What can't be decoded
        is left out and told by `damage` after the last frame. A file stands open until the last frame, the
        exit or the iterator's end.

    Raises:
        InvalidQueryError: An argument is out of range.
        NotFoundError: There is no such file.
        MediaError: It is not a readable video; while iterating, when nothing at all can be decoded.
    """
    from .sampling import SampledFrames

    return SampledFrames(path, fps=fps, size=size, start_ms=start_ms, end_ms=end_ms)


def image(source: Path | bytes, *, size: int) -> Image:
    """Read a still picture (JPEG, PNG, WebP, GIF, BMP), upright, alpha over white.

    Args:
        source: A file or its content.
        size: Pixels on the long side; smaller pictures are not enlarged.

    Returns:
        Height x width x 3, RGB, uint8. An animation's first picture.

    Raises:
        InvalidQueryError: `size` is below 1.
        NotFoundError: There is no such file.
        MediaError: It is not such a picture, or a broken one.
    """
    from .stills import read_image

    return read_image(source, size=size)


def shots(path: Path) -> Sequence[int]:
    """The milliseconds at which a new shot begins, in order, without 0.

    Raises:
        ConfigurationError: PySceneDetect is not installed.
        NotFoundError: There is no such file.
        MediaError: It is not a readable video.
    """
    from .scenes import find_shots

    return find_shots(path)


def cut(path: Path, out: Path, *, start_ms: int, end_ms: int) -> Cut:
    """Write a span as MP4 (H.264, 4:2:0; AAC if there is sound), exact to a frame.

    The frames are those that `frames` would show from `start_ms` on, up to but not at `end_ms`; neighbouring
    spans share none. Packets are copied where that gives exactly these frames, else re-encoded (x264, crf
    20). `out` is replaced when the whole is written, so no half-written file is ever seen.

    Returns:
        The real span in the source; shorter than asked for where a damaged source can't be read further.

    Raises:
        InvalidQueryError: `start_ms` is negative or not before `end_ms`.
        NotFoundError: There is no such file, or no folder for `out`.
        MediaError: The source can't be read, the span lies outside of it, or `out` can't be written.
    """
    from .cutting import cut_span

    return cut_span(path, out, start_ms=start_ms, end_ms=end_ms)


def rendition(path: Path, out: Path, *, fps: float, max_bytes: int) -> None:
    """Write the whole video as a smaller MP4 without sound: its pictures of `frames`, of 720 pixels or less.

    Args:
        path: A video file.
        out: Replaced when the whole is written, so no half-written file is ever seen.
        fps: Pictures a second, above 0.
        max_bytes: The file is no larger; quality and pixels give way.

    Raises:
        InvalidQueryError: An argument is out of range.
        NotFoundError: There is no such file, or no folder for `out`.
        MediaError: The source can't be read, `out` can't be written, or it is too long to be that small.
    """
    from .renditions import write_rendition

    write_rendition(path, out, fps=fps, max_bytes=max_bytes)


def thumbnail(path: Path, out: Path, *, at_ms: int, size: int = 320) -> None:
    """Write the picture on screen at `at_ms` (see `frames`) as JPEG; beyond the end, the last picture.

    Raises:
        InvalidQueryError: `at_ms` is negative or `size` below 1.
        NotFoundError: There is no such file, or no folder for `out`.
        MediaError: The source can't be read or `out` can't be written.
    """
    from .stills import write_thumbnail

    write_thumbnail(path, out, at_ms=at_ms, size=size)


def render_samples(
    folder: Path, *, seconds: float = 6.0, size: tuple[int, int] = (320, 180), fps: int = 24
) -> list[Path]:
    """Draw the sample clips of the demo, each with a JSON sidecar `<name>.json`.

    Args:
        folder: Where to write; made when missing.
        seconds: Length of each clip.
        size: Width and height in pixels, even numbers.
        fps: Frames per second.

    Returns:
        The eight clips, in the order of their names. The same arguments draw the same pixels.

    Raises:
        MediaError: A file can't be written.
    """
    from .render import render_all

    return render_all(folder, seconds=seconds, size=size, fps=fps)
