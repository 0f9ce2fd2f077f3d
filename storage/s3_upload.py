"""A multipart upload to S3, and what its answers say of objects."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from hashlib import md5
from typing import Any

from ..core.errors import NotFoundError
from ..core.objects import ObjectInfo
from ..core.parts import Upload
from .s3_client import Clients, told

OWN_MD5 = "polyreel-md5"
"""Metadata of every object that polyreel puts: the digest of the whole."""


@dataclass(frozen=True, slots=True)
class S3Upload(Upload):
    """One multipart upload.

    Args:
        uri: The object's address.
        at: Bucket, key and upload id.
        md5: The digest of the whole.
        with_md5: Whether each part is sent with its MD5, because boto3 sends no other checksum.
    """

    clients: Clients
    key: str
    uri: str
    at: Mapping[str, str]
    md5: str
    with_md5: bool
    _parts: dict[int, dict[str, Any]] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)

    def part(self, number: int, body: bytes) -> None:
        """Send a part; each has a place of its own, so threads don't meet."""
        with told(self.uri):
            answer = self.clients.get().upload_part(
                **self.at, PartNumber=number, Body=body, **guard(body, wanted=self.with_md5)
            )
        sums = {name: value for name, value in answer.items() if name in _CHECKSUMS}
        self._parts[number] = {"PartNumber": number, "ETag": answer["ETag"], **sums}
        self._sizes[number] = len(body)

    def finish(self) -> ObjectInfo:
        """Make the object; an upload that is gone may have been finished by a call whose answer was lost."""
        parts = [self._parts[number] for number in sorted(self._parts)]
        try:
            with told(self.uri):
                answer = self.clients.get().complete_multipart_upload(
                    **self.at, MultipartUpload={"Parts": parts}
                )
        except NotFoundError:
            if (info := self._finished()) is None:
                raise
            return info
        return ObjectInfo(self.key, sum(self._sizes.values()), date_of(answer), etag_of(answer))

    def abort(self) -> None:
        """Delete what was sent."""
        with told(self.uri):
            self.clients.get().abort_multipart_upload(**self.at)

    def _finished(self) -> ObjectInfo | None:
        with told(self.uri):
            answer = self.clients.get().head_object(Bucket=self.at["Bucket"], Key=self.at["Key"])
        return info_of(self.key, answer) if own_md5(answer) == self.md5 else None


_CHECKSUMS = ("ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256")


def guard(body: bytes, *, wanted: bool) -> dict[str, str]:
    """What the store compares with the bytes that arrive."""
    return {"ContentMD5": b64encode(md5(body, usedforsecurity=False).digest()).decode()} if wanted else {}


def info_of(key: str, answer: Mapping[str, Any]) -> ObjectInfo:
    """What an answer to a HEAD says."""
    return ObjectInfo(key, answer["ContentLength"], answer["LastModified"].timestamp(), etag_of(answer))


def own_md5(answer: Mapping[str, Any]) -> str | None:
    """The digest that we stored with an object; some stores change the case of its name."""
    stored = {name.lower(): value for name, value in answer.get("Metadata", {}).items()}
    return stored.get(OWN_MD5)


def etag_of(answer: Mapping[str, Any]) -> str:
    """The mark that changes when the object does."""
    return str(answer.get("ETag", "")).strip('"')


def date_of(answer: Mapping[str, Any]) -> float:
    """The server's time, in seconds since 1970; this machine's where it doesn't say."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return time.time()
