"""Files brought to TwelveLabs: in one request up to 200 MB, in chunks beyond that.

The SDK's own `upload_file` writes every chunk beside the source file first; here they go from the file.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from twelvelabs.types.completed_chunk import CompletedChunk

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

    def __call__(self, action: Callable[[], T]) -> T:
        """What the action returns."""


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

    def _in_chunks(
        self, path: Path, name: str, modality: Modality, size: int, attempt: Attempt
    ) -> str | None:
        uploads = self._service.client.multipart_upload
        session = attempt(
            lambda: uploads.create(
                filename=name, type=modality.value, total_size=size, request_options=self._options()
            )
        )
        chunk, total = session.chunk_size or 0, session.total_chunks or 0
        if not (total - 1) * chunk < size <= total * chunk:
            raise UnavailableError("TwelveLabs began an upload of another size", hint="try again later")
        urls = {each.chunk_index: each.url for each in session.upload_urls or ()}
        with path.open("rb") as stream:
            id = checked_id(session.upload_id, "an upload")
            chunks = _Chunks(self._service, id, stream, chunk, urls, session.upload_headers or {})
            for index in range(1, total + 1):
                done = attempt(partial(chunks.send, index))
                attempt(partial(chunks.report, done))
        return session.asset_id

    def _options(self) -> Any:
        return self._service.options()


@dataclass(frozen=True, slots=True)
class _Chunks:
    """The chunks of one upload; every try has a presigned address of its own, since one serves once only."""

    service: Service
    upload: str
    stream: BinaryIO
    size: int
    urls: dict[int | None, str | None]
    headers: dict[str, str]

    def send(self, index: int) -> dict[str, Any]:
        """Send one; returns what is to be reported of it."""
        self.stream.seek((index - 1) * self.size)
        content = self.stream.read(self.size)
        proof = self.service.put(self._url(index), content, self.headers)
        return {"chunk_index": index, "proof": proof, "proof_type": "etag", "chunk_size": len(content)}

    def report(self, done: dict[str, Any]) -> None:
        """Report one; with the last, the service makes a file of them."""
        self.service.client.multipart_upload.report_chunk_batch(
            self.upload, completed_chunks=[CompletedChunk(**done)], request_options=self.service.options()
        )

    def _url(self, index: int) -> str:
        if index not in self.urls:
            more = self.service.client.multipart_upload.get_additional_presigned_urls(
                self.upload, start=index, count=_URLS, request_options=self.service.options()
            )
            self.urls.update({each.chunk_index: each.url for each in more.upload_urls or ()})
        url = self.urls.pop(index, None)
        if not url:
            raise UnavailableError(f"TwelveLabs gave no address for chunk {index}")
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
