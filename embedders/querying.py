"""What embedders of frames share: the pictures of a query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..core.errors import MediaError
from ..core.media import Media, Modality

if TYPE_CHECKING:
    from ..core.media import Image


def pictures(part: Media, *, kind: str, size: int, fps: float, most: int) -> Iterator[Image]:
    """The picture of an image query, or the sampled frames of a video query.

    Args:
        part: An image or a video.
        kind: The embedder's, for messages.
        size: Pixels on the long side.
        fps: Frames a second.
        most: Frames of one video, however long it is: a longer one is sampled more sparsely.

    Raises:
        MediaError: The part is no local file, or can't be read.
    """
    from .. import media  # here, since a text query does without

    if part.path is None:
        raise MediaError(f"the {kind} embedder reads local files, not {part.uri}", hint="download it first")
    if part.modality is Modality.IMAGE:
        yield media.image(part.path, size=size)
        return
    end = part.end_ms if part.end_ms is not None else media.probe(part.path).duration_ms
    fps = min(fps, most * 1000 / max(end - part.start_ms, 1))
    with media.frames(part.path, fps=fps, size=size, start_ms=part.start_ms, end_ms=part.end_ms) as frames:
        for frame in frames:
            yield frame.image
