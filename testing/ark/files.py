"""The Files API: uploads as multipart forms, their processing, and what a question finds of them."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from ..emulation import Seen
from .items import Refusal, invalid

_MOST = 512 << 20  # bytes of a file
_DAY = 86_400
_KEPT = 7 * _DAY
_NAMES = frozenset({"purpose", "expire_at", "preprocess_configs[video][fps]"})
_TYPES = frozenset({"video/mp4", "video/avi", "video/quicktime", "video/mov", "image/jpeg", "image/png"})
_DISPOSITION = re.compile(rb'name="([^"]*)"(?:; filename="([^"]*)")?')
_SUFFIX = re.compile(r"\.(mp4|avi|mov|jpg|jpeg|png)")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was uploaded.

    Args:
        looks: How often it was looked at since.
        data: Its bytes.
    """

    id: str
    filename: str
    kind: str
    created: int
    expires: int
    fps: float
    looks: int = 0
    data: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Files:
    """The files of an account.

    Args:
        processing: Looks that find a file still being processed.
    """

    processing: int = 1
    stored: dict[str, StoredFile] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, seen: Seen, id: str) -> dict[str, Any]:
        """What is said to a request for `/files` (`id` is empty) or one file.

        Raises:
            Refusal: It isn't as documented.
        """
        match seen.method, bool(id):
            case "POST", False:
                return self._described(self._created(seen))
            case "GET", False:
                listed = [self._described(file) for file in self.stored.values()]
                ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]} if listed else {}
                return {"object": "list", "data": listed, "has_more": False, **ends}
            case "GET", True:
                return self._described(self._looked_at(id))
            case "DELETE", True:
                self._found(id)
                del self.stored[id]
                self.deleted.append(id)
                return {"id": id, "object": "file", "deleted": True}
        raise Refusal(405, "MethodNotAllowed", "there is no such call")

    def usable(self, id: str) -> StoredFile:
        """A file that a question names.

        Raises:
            Refusal: It isn't there, or not ready.
        """
        file = self._found(id)
        if self._status(file) != "active":
            raise invalid(f"the file {id} is not active", "input")
        return file

    def _created(self, seen: Seen) -> StoredFile:
        parts = _parts(seen)
        purpose, now = parts.pop("purpose", (b"",))[0].decode(), int(time.time())
        if purpose not in ("user_data", "agent"):
            raise invalid("purpose must be user_data or agent", "purpose")
        if "file" not in parts:
            raise Refusal(400, "MissingParameter", "there is no file", param="file")
        data, filename, kind = parts.pop("file")
        if parts.keys() - _NAMES:
            raise invalid(f"unknown parts {sorted(parts.keys() - _NAMES)}", "")
        fps = _number(parts, "preprocess_configs[video][fps]", 1.0)
        expires = int(_number(parts, "expire_at", now + _KEPT))
        if not 0.2 <= fps <= 5:
            raise invalid("fps must be from 0.2 to 5", "preprocess_configs.video.fps")
        if not now + _DAY - 60 <= expires <= now + 30 * _DAY + 60:
            raise invalid("a file is kept for 1 to 30 days", "expire_at")
        if len(data) > _MOST:
            raise invalid("a file has 512 MB at most", "file")
        if kind not in _TYPES or not _SUFFIX.fullmatch(filename[filename.rfind(".") :]):
            raise invalid(f"{kind!r}, {filename!r}: no such type is taken", "file")
        with self._lock:
            id = f"file-{now}-{next(self._numbers):05d}"
            self.stored[id] = StoredFile(id, filename, kind, now, expires, fps, data=data)
        return self.stored[id]

    def _looked_at(self, id: str) -> StoredFile:
        with self._lock:
            file = self._found(id)
            self.stored[id] = replace(file, looks=file.looks + 1)
        return self.stored[id]

    def _found(self, id: str) -> StoredFile:
        file = self.stored.get(id)
        if file is None or file.expires <= time.time():
            raise Refusal(404, "NotFound", f"the file {id} does not exist", param="file_id")
        return file

    def _status(self, file: StoredFile) -> str:
        if file.looks <= self.processing:
            return "processing"
        return "active" if container(file.data) or file.kind.startswith("image/") else "failed"

    def _described(self, file: StoredFile) -> dict[str, Any]:
        status = self._status(file)
        error = {"code": "InvalidVideo", "message": "the video can't be read", "param": "", "type": ""}
        return {
            "id": file.id,
            "object": "file",
            "purpose": "user_data",
            "filename": file.filename,
            "bytes": len(file.data),
            "mime_type": file.kind,
            "created_at": file.created,
            "expire_at": file.expires,
            "status": status,
            "preprocess_configs": {"video": {"fps": file.fps}},
            **({"error": error} if status == "failed" else {}),
        }


def container(data: bytes) -> str | None:
    """Whether it begins as MP4 or MOV (`mp4`) or AVI (`avi`); None for anything else."""
    if data[4:8] == b"ftyp":
        return "mp4"
    return "avi" if data[:4] == b"RIFF" and data[8:12] == b"AVI " else None


def _parts(seen: Seen) -> dict[str, tuple[bytes, str, str]]:
    """Content, file name and content type of each part of a multipart form."""
    kind, _, boundary = seen.headers.get("content-type", "").partition("boundary=")
    if not kind.startswith("multipart/form-data") or not boundary:
        raise invalid("the content type is not multipart/form-data", "")
    made = {}
    for part in seen.body.split(b"--" + boundary.strip('"').encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        named = _DISPOSITION.search(head)
        if named is None:
            raise invalid("a part has no name", "")
        types = re.search(rb"(?i)content-type: *([^\r\n]+)", head)
        name, filename = named[1].decode(), (named[2] or b"").decode()
        made[name] = (content.removesuffix(b"\r\n"), filename, types[1].decode() if types else "")
    return made


def _number(parts: dict[str, tuple[bytes, str, str]], name: str, default: float) -> float:
    try:
        return float(parts[name][0]) if name in parts else default
    except ValueError as error:
        raise invalid(f"{name} is no number", name) from error
