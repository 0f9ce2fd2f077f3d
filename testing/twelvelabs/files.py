"""Assets, uploads in chunks, and where media come from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from .wire import File, RefusedError, Reply, Request, choice, known, mapping, single

_DIRECT = 200_000_000
_LARGEST = 10_000_000_000
_INLINE = 36_000_000


@dataclass(slots=True)
class Asset:
    """An uploaded file."""

    id: str
    filename: str
    method: str
    content: bytes = b""
    ready_at: float = math.inf
    error: str | None = None

    def status(self) -> str:
        """As the service says it."""
        if time.monotonic() < self.ready_at:
            return "processing"
        return "failed" if self.error else "ready"

    def json(self) -> dict[str, Any]:
        """As the service shows it."""
        kind = "image" if self.content[:3] in (b"\xff\xd8\xff", b"\x89PN") else "video"
        shown: dict[str, Any] = {
            "_id": self.id,
            "method": self.method,
            "status": self.status(),
            "filename": self.filename,
            "file_type": f"{kind}/*",
            "created_at": stamp(time.time()),
        }
        if shown["status"] == "failed":
            shown["error"] = {"message": self.error}
        return shown


@dataclass(slots=True)
class Upload:
    """A file on its way, in chunks."""

    asset: Asset
    size: int
    chunk: int
    chunks: dict[int, bytes] = field(default_factory=dict)
    signatures: dict[int, str] = field(default_factory=dict)
    reported: set[int] = field(default_factory=set)

    @property
    def total(self) -> int:
        """Chunks in all."""
        return -(-self.size // self.chunk)


@dataclass(frozen=True, slots=True)
class Medium:
    """The bytes of a medium and how the service shows where it came from."""

    content: bytes
    shown: dict[str, str]


class Files:
    """What was uploaded.

    Args:
        asset_seconds: Until an asset can be used.
        chunk_size: Bytes of a chunk.
        first_urls: Addresses that the beginning of an upload gives.
    """

    def __init__(
        self, *, asset_seconds: float = 0.0, chunk_size: int = 1_000_000, first_urls: int = 2
    ) -> None:
        self.asset_seconds, self.chunk_size, self.first_urls = asset_seconds, chunk_size, first_urls
        self.assets: dict[str, Asset] = {}
        self.failing: list[str] = []
        self.address = ""
        self._uploads: dict[str, Upload] = {}
        self._guard = threading.Lock()

    # -- assets -------------------------------------------------------------------------------------------

    def create(self, request: Request) -> Reply:
        """POST /assets."""
        form = request.form()
        known(form, "method file url filename enable_hls enable_thumbnail user_metadata".split(), ["method"])
        method = choice(single(form, "method"), ("direct", "url"), "method")
        for flag in ("enable_hls", "enable_thumbnail"):
            if flag in form:
                choice(single(form, flag), ("true", "false"), flag)
        if ("file" in form) != (method == "direct") or ("url" in form) != (method == "url"):
            raise RefusedError("parameter_not_provided", f"The method {method} needs its file or url, only.")
        if method == "url":
            medium = self.medium({"url": single(form, "url")})
            asset = Asset(new_id(), single(form, "filename") or "url", method, medium.content)
        else:
            (file,) = form["file"]
            if not isinstance(file, File) or not file.content:
                raise RefusedError("parameter_invalid", "file must be a file.")
            if len(file.content) > _DIRECT:
                raise RefusedError("video_file_too_large", "Files over 200 MB need a multipart upload.")
            asset = Asset(new_id(), single(form, "filename") or file.name, method, file.content)
        self._begin(asset)
        return Reply(201, asset.json())

    def retrieve(self, id: str) -> Reply:
        """GET /assets/{id}."""
        return Reply(200, self._asset(id).json())

    def delete(self, id: str) -> Reply:
        """DELETE /assets/{id}."""
        self._asset(id)
        with self._guard:
            del self.assets[id]
        return Reply(204)

    def _begin(self, asset: Asset) -> None:
        with self._guard:
            asset.error = self.failing.pop(0) if self.failing else None
            asset.ready_at = time.monotonic() + self.asset_seconds
            self.assets[asset.id] = asset

    def _asset(self, id: str) -> Asset:
        with self._guard:
            if id not in self.assets:
                raise RefusedError("resource_not_exists", f"The asset {id} does not exist.", 404)
            return self.assets[id]

    # -- chunks -------------------------------------------------------------------------------------------

    def begin_upload(self, request: Request) -> Reply:
        """POST /assets/multipart-uploads."""
        body = request.json()
        names = "filename type total_size enable_hls enable_thumbnail user_metadata".split()
        known(body, names, ["filename", "type", "total_size"])
        choice(body["type"], ("video", "audio", "image"), "type")
        size = body["total_size"]
        if not isinstance(size, int) or not 0 < size <= _LARGEST:
            raise RefusedError("parameter_invalid", "total_size must be from 1 to 10 GB.")
        asset = Asset(new_id(), str(body["filename"]), "multipart")
        upload, id = Upload(asset, size, self.chunk_size), new_id()
        with self._guard:
            self._uploads[id] = upload
        return Reply(
            201,
            {
                "upload_id": id,
                "asset_id": asset.id,
                "upload_urls": self._urls(id, upload, 1, min(self.first_urls, upload.total)),
                "upload_headers": {"Content-Type": "application/octet-stream"},
                "chunk_size": upload.chunk,
                "total_chunks": upload.total,
                "expires_at": stamp(time.time() + 86_400),
            },
        )

    def more_urls(self, id: str, request: Request) -> Reply:
        """POST /assets/multipart-uploads/{id}/presigned-urls."""
        body, upload = request.json(), self._upload(id)
        known(body, ("start", "count"), ("start", "count"))
        start, count = body["start"], body["count"]
        if not (isinstance(start, int) and isinstance(count, int) and 1 <= start <= upload.total):
            raise RefusedError("parameter_invalid", "start must be the number of a chunk.")
        if not 1 <= count <= 50:
            raise RefusedError("parameter_invalid", "count must be from 1 to 50.")
        urls = self._urls(id, upload, start, min(count, upload.total - start + 1))
        return Reply(200, {"upload_id": id, "start_index": start, "count": len(urls), "upload_urls": urls})

    def put(self, id: str, index: int, request: Request) -> Reply:
        """PUT of a chunk to its presigned address, which serves once."""
        upload = self._upload(id)
        if "x-api-key" in request.headers:
            raise RefusedError("AccessDenied", "A key was sent to the object store.", 403)
        with self._guard:
            if request.query.get("X-Amz-Signature") != [upload.signatures.pop(index, "")]:
                raise RefusedError("AccessDenied", "The signature is wrong or was used.", 403)
            upload.chunks[index] = request.body
        return Reply(200, None, {"ETag": f'"{hashlib.md5(request.body, usedforsecurity=False).hexdigest()}"'})

    def report(self, id: str, request: Request) -> Reply:
        """POST /assets/multipart-uploads/{id}."""
        body, upload = request.json(), self._upload(id)
        known(body, ("completed_chunks",), ("completed_chunks",))
        for each in body["completed_chunks"]:
            fields = ("chunk_index", "proof", "proof_type", "chunk_size")
            known(mapping(each, "a chunk"), fields, fields)
            choice(each["proof_type"], ("etag",), "proof_type")
            content = upload.chunks.get(each["chunk_index"], b"")
            proof = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if (each["proof"], each["chunk_size"]) != (proof, len(content)) or not content:
                raise RefusedError("parameter_invalid", f"Chunk {each['chunk_index']} is not what was sent.")
            upload.reported.add(each["chunk_index"])
        if len(upload.reported) == upload.total:
            upload.asset.content = b"".join(upload.chunks[index] for index in sorted(upload.chunks))
            if len(upload.asset.content) != upload.size:
                raise RefusedError("parameter_invalid", "The chunks are not total_size bytes.")
            self._begin(upload.asset)
        done = {"processed_chunks": len(body["completed_chunks"]), "duplicate_chunks": 0}
        return Reply(200, {"asset_id": upload.asset.id, **done, "total_completed": len(upload.reported)})

    def _urls(self, id: str, upload: Upload, start: int, count: int) -> list[dict[str, object]]:
        urls: list[dict[str, object]] = []
        for index in range(start, start + count):
            signature = upload.signatures[index] = secrets.token_hex(16)
            url = f"{self.address}/s3/{id}/{index}?X-Amz-Signature={signature}"
            urls.append({"chunk_index": index, "url": url, "expires_at": stamp(time.time() + 3600)})
        return urls

    def _upload(self, id: str) -> Upload:
        with self._guard:
            if id not in self._uploads:
                raise RefusedError("resource_not_exists", f"The upload {id} does not exist.", 404)
            return self._uploads[id]

    # -- sources ------------------------------------------------------------------------------------------

    def medium(self, source: object, *, inline: bool = True) -> Medium:
        """What a `media_source` names: exactly one of an address, base64, and an asset that is ready."""
        where = mapping(source, "media_source")
        known(where, ("url", "base64_string", "asset_id"))
        if len(where) != 1:
            raise RefusedError("parameter_invalid", "media_source must hold exactly one source.")
        ((kind, value),) = where.items()
        if not isinstance(value, str) or not value:
            raise RefusedError("parameter_invalid", f"{kind} must be a text.")
        if kind == "url":
            return Medium(_fetched(value), {"input_url": value})
        if kind == "asset_id":
            asset = self._asset(value)
            if asset.status() != "ready":
                raise RefusedError("asset_not_ready", f"The asset {value} is {asset.status()}.")
            return Medium(asset.content, {"input_filename": asset.filename})
        if not inline:
            raise RefusedError("parameter_invalid", "A task takes an address or an asset.")
        return Medium(_decoded(value), {})


def stamp(seconds: float) -> str:
    """A time as the service writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def new_id() -> str:
    """As those of the service."""
    return secrets.token_hex(12)


def _decoded(value: str) -> bytes:
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError("parameter_invalid", "base64_string is no base64 (without a prefix).") from error
    if len(content) > _INLINE:
        raise RefusedError("parameter_invalid", "base64_string is over 36 MB.", 413)
    return content


def _fetched(url: str) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise RefusedError("parameter_invalid", "url must be one of the web.")
    try:
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - its scheme was just checked
            content: bytes = answer.read()
    except (URLError, OSError) as error:
        raise RefusedError("media_not_fetched", "failed to fetch or materialize source media") from error
    return content
