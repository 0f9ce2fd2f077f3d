"""What the engine knows of media: a medium, a frame, and the tools that read video.

The engine imports no video library. `polyreel.media` implements `MediaTools` with PyAV and is handed in by
`polyreel.open`; a test may hand in its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]


class Modality(StrEnum):
    """What a medium is."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class Media:
    """A text, image, video or sound, by one of three addresses.

    Args:
        modality: What it is.
        text: The text itself, for `Modality.TEXT`.
        path: A local file.
        uri: An address that a service can fetch (`https://`, `s3://`, `tos://`).
        start_ms: First millisecond used of a video or sound.
        end_ms: Millisecond after the last one used; None is the end.
        fps: Frames a second at which whoever vectorizes a video samples it; None leaves it to them.
    """

    modality: Modality
    text: str | None = None
    path: Path | None = None
    uri: str | None = None
    start_ms: int = 0
    end_ms: int | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a container and its streams say, checked against what can be opened.

    Widths and heights are those of the upright picture, after rotation. `duration_ms` is that of the video
    stream. `key_interval_ms` is the mean distance of key frames, None when there are fewer than two.
    """

    duration_ms: int
    width: int
    height: int
    fps: float
    video_codec: str
    pixel_format: str
    rotation: int
    container: str
    size_bytes: int
    audio_codec: str | None = None
    key_interval_ms: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One sampled picture: its time in the video and its pixels (height x width x 3, RGB, uint8, upright)."""

    time_ms: int
    image: Image


class FrameStream(Protocol):
    """Frames in the order of time; a context manager, since a file stands open behind it."""

    damage: str | None
    """After the last frame: what couldn't be read and why, in one line; None when all was well."""

    def __iter__(self) -> Iterator[Frame]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece that was cut: where it really starts and ends, and whether pictures were re-encoded."""

    path: Path
    start_ms: int
    end_ms: int
    reencoded: bool


class MediaTools(Protocol):
    """The functions of `polyreel.media`. All raise `MediaError` for a file that can't be read."""

    def probe(self, path: Path) -> VideoInfo:
        """Open a file and read its streams."""

    def frames(
        self,
        path: Path,
        *,
        fps: float,
        size: int,
        start_ms: int = 0,
        end_ms: int | None = None,
    ) -> FrameStream:
        """Sample `fps` frames a second, scaled to `size` pixels on the long side."""

    def image(self, source: Path | bytes, *, size: int) -> Image:
        """Read a still picture, scaled to at most `size` pixels on the long side."""

    def shots(self, path: Path) -> Sequence[int]:
        """The milliseconds at which a new shot begins, without 0."""

    def cut(self, path: Path, out: Path, *, start_ms: int, end_ms: int) -> Cut:
        """Write the span to `out` (MP4), exact to a frame."""

    def rendition(self, path: Path, out: Path, *, fps: float, max_bytes: int) -> None:
        """Write the whole video to `out` (MP4), without sound, in at most `max_bytes`."""

    def thumbnail(self, path: Path, out: Path, *, at_ms: int, size: int = 320) -> None:
        """Write the picture at `at_ms` to `out` (JPEG)."""
