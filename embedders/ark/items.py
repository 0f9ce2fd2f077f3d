"""Media as the items of a call: a text, an address, or the file itself as base64."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ... import media
from ...core.contenttypes import picture_type
from ...core.errors import InvalidQueryError, MediaError, UnsupportedError
from ...core.media import Media, Modality
from .models import MAX_FPS, MAX_INLINE_VIDEO, MIN_FPS

_VIDEOS = {".mp4": "video/mp4", ".avi": "video/avi", ".mov": "video/mov"}
"""Content types of files, as a `data:` address has them (Ark, "video understanding")."""


@contextmanager
def whole(part: Media) -> Iterator[Media]:
    """The medium as a whole file of a type that Ark takes; a piece, or another container, is cut to MP4.

    Raises:
        UnsupportedError: A piece of a video that only has an address.
    """
    piece = bool(part.start_ms) or part.end_ms is not None
    if part.modality is not Modality.VIDEO or (part.path is None and not piece):
        yield part
    elif part.path is None:
        raise UnsupportedError("Ark embeds whole files, not a part of one", hint="cut it out first")
    elif not piece and part.path.suffix.lower() in _VIDEOS:
        yield part
    else:
        end = media.probe(part.path).duration_ms if part.end_ms is None else part.end_ms
        with tempfile.TemporaryDirectory(prefix="polyreel-") as folder:
            out = Path(folder) / "piece.mp4"
            media.cut(part.path, out, start_ms=part.start_ms, end_ms=end)
            yield replace(part, path=out, start_ms=0, end_ms=None)


def item(part: Media, *, prefix: str, fps: float | None) -> dict[str, Any]:
    """One item of `input`.

    Args:
        part: As `whole` gives it.
        prefix: Put before a text.
        fps: Frames a second of a video that says nothing of its own.

    Raises:
        MediaError: The file is too large to go along, or no picture that is known.
        InvalidQueryError: The frames a second are out of range.
    """
    if part.modality is Modality.TEXT:
        return {"type": "text", "text": f"{prefix}{part.text or ''}"}
    if part.modality is Modality.IMAGE:
        return {
            "type": "image_url",
            "image_url": {"url": part.uri or _inline(part, picture_type(_path(part)))},
        }
    video: dict[str, Any] = {"url": part.uri or _inline(part, _video_type(part))}
    rate = part.fps if part.fps is not None else fps
    if rate is not None:
        if not MIN_FPS <= rate <= MAX_FPS:
            raise InvalidQueryError(
                f"a video is sampled at {rate:g} frames a second; Ark takes {MIN_FPS:g} to {MAX_FPS:g}",
                hint="set fps in the recipe",
            )
        video["fps"] = rate
    return {"type": "video_url", "video_url": video}


def _inline(part: Media, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(_path(part).read_bytes()).decode()}"


def _video_type(part: Media) -> str:
    path = _path(part)
    size = path.stat().st_size
    if size > MAX_INLINE_VIDEO:
        raise MediaError(
            f"{path.name} has {size:,} bytes; {MAX_INLINE_VIDEO:,} of a video fit into a request",
            hint='hand_over = "url" takes somewhat larger ones; or cut it',
        )
    return _VIDEOS[path.suffix.lower()]


def _path(part: Media) -> Path:
    if part.path is None:
        raise UnsupportedError(f"Ark can't see this {part.modality}: it has neither file nor address")
    return part.path
