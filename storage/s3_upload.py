"""A multipart upload to S3, and what its answers say of objects."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from hashlib import md5
from typing import Any

from ..core.errors import AuthenticationError, NotFoundError, PolyreelError, RejectedError
from ..core.objects import ObjectInfo
from ..core.parts import Upload, came
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
        terms: A digest of the settings with which it was begun.
    """

    clients: Clients
    key: str
    uri: str
    at: Mapping[str, str]
    md5: str
    with_md5: bool
    terms: str
    listed: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """What an earlier process had sent, by number."""
    _parts: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The store's own, after the settings: with others it would become another object."""
        return f"{self.terms}:{self.at['UploadId']}"

    def arrived(self, number: int, body: bytes) -> bool:
        """By the MD5 that the ETag of a part is, unless a key service encrypts it; then it is sent again."""
        part = self.listed.get(number)
        if part is None or not came(body, part.get("Size"), etag_of(part)):
            return False
        self._keep(number, part, len(body))
        return True

    def part(self, number: int, body: bytes) -> None:
        """Send a part; each has a place of its own, so threads don't meet."""
        with told(self.uri):
            answer = self.clients.get().upload_part(
                **self.at, PartNumber=number, Body=body, **guard(body, wanted=self.with_md5)
            )
        self._keep(number, answer, len(body))

    def finish(self) -> ObjectInfo:
        """Make the object; an upload that is gone may have been finished by a call whose answer was lost."""
        # A store may list the parts that came without the sums that it gave when they did.
        names = ("ETag", *_CHECKSUMS.intersection(*self._parts.values()))
        parts = [
            {"PartNumber": number, **{name: part[name] for name in names}}
            for number, part in sorted(self._parts.items())
        ]
        try:
            with told(self.uri):
                answer = self.clients.get().complete_multipart_upload(
                    **self.at, MultipartUpload={"Parts": parts}
                )
        except NotFoundError:
            with suppress(NotFoundError):
                if info := self._finished():
                    return info
            raise
        return ObjectInfo(self.key, sum(self._sizes.values()), date_of(answer), etag_of(answer))

    def abort(self) -> None:
        """Delete what was sent."""
        with told(self.uri):
            self.clients.get().abort_multipart_upload(**self.at)

    def taken_up(self, terms: str) -> S3Upload | None:
        """The same with what came already.

        Args:
            terms: The settings with which it was begun.

        Returns:
            None where it can't be gone on with: it is gone, was begun with other settings, or its parts can't
            be listed. Nothing is left of it then, as far as that can be had.
        """
        # To list parts takes a right of its own, and not every store can.
        with suppress(AuthenticationError, NotFoundError, RejectedError):
            if terms == self.terms:
                return self._with_parts()
        with suppress(PolyreelError):
            self.abort()
        return None

    def _with_parts(self) -> S3Upload:
        listed: dict[int, Mapping[str, Any]] = {}
        after: dict[str, Any] = {}
        while True:
            with told(self.uri):
                page = self.clients.get().list_parts(**self.at, **after)
            listed |= {part["PartNumber"]: part for part in page.get("Parts", ())}
            marker = page.get("NextPartNumberMarker")
            if not page.get("IsTruncated") or after.get("PartNumberMarker") == marker:
                return replace(self, listed=listed)
            after = {"PartNumberMarker": marker}

    def _keep(self, number: int, part: Mapping[str, Any], size: int) -> None:
        self._parts[number], self._sizes[number] = part, size

    def _finished(self) -> ObjectInfo | None:
        with told(self.uri):
            answer = self.clients.get().head_object(Bucket=self.at["Bucket"], Key=self.at["Key"])
        return info_of(self.key, answer) if own_md5(answer) == self.md5 else None


_CHECKSUMS = frozenset(
    ("ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256")
)


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
