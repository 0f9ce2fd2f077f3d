"""Content types: of pictures and videos by what is in them, of objects by the endings of their keys."""

from __future__ import annotations

from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath

from .errors import MediaError
from .media import VideoInfo

_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_OF_MP4 = {".mp4": "video/mp4", ".mov": "video/quicktime"}
_TYPES = MimeTypes(filenames=())  # Python's own table, the same on every machine
_OTHER_TYPES = {
    ".flv": "video/x-flv",
    ".m2ts": "video/mp2t",
    ".m4a": "audio/mp4",
    ".m4v": "video/x-m4v",
    ".mkv": "video/x-matroska",
    ".mts": "video/mp2t",
    ".mxf": "application/mxf",
    ".ogv": "video/ogg",
    ".ts": "video/mp2t",
    ".webp": "image/webp",
    ".wmv": "video/x-ms-wmv",
}


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


def content_type_of(key: str) -> str | None:
    """The media type of an object by the ending of its key, such as `video/mp4`."""
    suffix = PurePosixPath(key).suffix.lower()
    return _OTHER_TYPES.get(suffix) or _TYPES.types_map[True].get(suffix)
