"""Files brought to TwelveLabs: in one request up to 200 MB, in chunks beyond that.

The SDK's own `upload_file` writes every chunk beside the source file first; here they go from the file.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from ...core.errors import MediaError, UnavailableError
from ...core.media import Modality
from .service import Service, checked_id

T = TypeVar("T")
DIRECT = 200_000_000
"""Bytes up to which a file goes in one request (SDK 1.3.6, `assets.create`)."""
_SCHEME = "twelvelabs://assets/"
_URLS = 50  # presigned addresses of one request


class Attempt(Protocol):
    """Calls, with the retries of the base."""

    def __call__(self, action: Callable[[], T]) -> T: ...


class Assets:
    """Uploads of one account.

    Args:
        service: The account.
        direct: Bytes up to which a file goes in one request.
    """

    def __init__(self, service: Service, direct: int = DIRECT) -> None:
        self._service = service
        self._direct = direct

    def upload(self, path: Path, name: str, modality: Modality, attempt: Attempt) -> str:
        """Bring a file there; returns its address. It can't be used before `ready` says so."""
        size = path.stat().st_size
        if size <= self._direct:
            return _address(attempt(lambda: self._in_one(path, name)))
        return _address(self._in_chunks(path, name, modality, size, attempt))

    def ready(self, address: str) -> bool:
        """Whether it can be used.

        Raises:
            MediaError: The service can't read the file.
        """
        asset = self._service.client.assets.retrieve(asset_id(address), request_options=self._options())
        if asset.status == "failed":
            reason = getattr(asset.error, "message", None) or "no reason is given"
            raise MediaError(f"TwelveLabs can't read the file: {reason}")
        return asset.status == "ready"

    def delete(self, address: str) -> None:
        """Delete it there."""
        self._service.client.assets.delete(asset_id(address), request_options=self._options())

    def _in_one(self, path: Path, name: str) -> str | None:
        with path.open("rb") as stream:
            made = self._service.client.assets.create(
                method="direct",
                file=(name, stream, content_type(path)),
                filename=name,
                enable_hls=False,
                enable_thumbnail=False,
                request_options=self._options(),
            )
        return made.id

    def _in_chunks(self, path: Path, name: str, modality: Modality, size: int, attempt: Attempt) -> str | None:
        uploads = self._service.client.multipart_upload
        session = attempt(
            lambda: uploads.create(
                filename=name, type=modality.value, total_size=size, request_options=self._options()
            )
        )
        id, chunk = checked_id(session.upload_id, "an upload"), session.chunk_size
        if not chunk or not session.total_chunks or not (session.total_chunks - 1) * chunk < size <= session.total_chunks * chunk:
            raise UnavailableError("TwelveLabs began an upload of another size", hint="try again later")
        urls = {each.chunk_index: each.url for each in session.upload_urls or ()}
        with path.open("rb") as stream:
            for index in range(1, session.total_chunks + 1):
                send = _Chunk(self._service, id, index, stream, chunk, urls, session.upload_headers or {})
                done = attempt(send)
                attempt(
                    lambda done=done: uploads.report_chunk_batch(  # type: ignore[misc]  # bound at once
                        id, completed_chunks=[done], request_options=self._options()
                    )
                )
        return session.asset_id

    def _options(self) -> Any:
        return self._service.options()


class _Chunk:
    """Sends one chunk; every try has a presigned address of its own, since one serves once only."""

    def __init__(
        self,
        service: Service,
        upload: str,
        index: int,
        stream: BinaryIO,
        size: int,
        urls: dict[int | None, str | None],
        headers: dict[str, str],
    ) -> None:
        self._service, self._upload, self._index = service, upload, index
        self._stream, self._size, self._urls, self._headers = stream, size, urls, headers

    def __call__(self) -> dict[str, Any]:
        self._stream.seek((self._index - 1) * self._size)
        content = self._stream.read(self._size)
        proof = self._service.put(self._url(), content, self._headers)
        return {
            "chunk_index": self._index,
            "proof": proof,
            "proof_type": "etag",
            "chunk_size": len(content),
        }

    def _url(self) -> str:
        if self._index not in self._urls:
            more = self._service.client.multipart_upload.get_additional_presigned_urls(
                self._upload, start=self._index, count=_URLS, request_options=self._service.options()
            )
            self._urls |= {each.chunk_index: each.url for each in more.upload_urls or ()}
        url = self._urls.pop(self._index, None)
        if not url:
            raise UnavailableError(f"TwelveLabs gave no address for chunk {self._index}")
        return url


def is_asset(uri: str | None) -> bool:
    """Whether an address is that of an upload."""
    return uri is not None and uri.startswith(_SCHEME)


def asset_id(address: str) -> str:
    """The id in an upload's address."""
    return checked_id(address.removeprefix(_SCHEME), "an upload")


def content_type(path: Path) -> str:
    """By the file's name."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _address(id: str | None) -> str:
    return _SCHEME + checked_id(id, "an upload")
