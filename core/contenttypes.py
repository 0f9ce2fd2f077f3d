"""Content types of pictures and videos, by what is in them and not by their names alone."""

from __future__ import annotations

from pathlib import Path

from .errors import MediaError
from .media import VideoInfo

_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_OF_MP4 = {".mp4": "video/mp4", ".mov": "video/quicktime"}


def picture_type(path: Path) -> str:
    """The content type of a picture.

    Raises:
        MediaError: It is none that is known.
    """
    with path.open("rb") as stream:
        start = stream.read(12)
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        return "image/webp"
    found = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    if found is None:
        raise MediaError(f"{path.name} is no JPEG, PNG, GIF or WebP", hint="convert the picture")
    return found


def video_type(info: VideoInfo, name: str) -> str | None:
    """The content type of a video in MP4, MOV or AVI; None for any other container.

    Args:
        info: Of the file; MP4 and MOV are one family to those who read them.
        name: Of the file, which tells the two apart.
    """
    containers = info.container.split(",")
    if "avi" in containers:
        return "video/avi"
    return _OF_MP4.get(Path(name).suffix.lower()) if "mp4" in containers else None
