"""A multipart upload to TOS, and what its answers say of objects."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

from tos import TosClientV2
from tos.models2 import PartInfo, UploadedPart
from tos.utils import cal_crc_from_upload_parts

from ..core.errors import IntegrityError, NotFoundError
from ..core.objects import ObjectInfo
from ..core.parts import Upload, came
from .patience import Patient
from .tos_client import told

OWN_MD5 = "polyreel-md5"
"""Metadata of every object that polyreel puts: the digest of the whole."""


@dataclass(frozen=True, slots=True)
class TosUpload(Upload):
    """One multipart upload; the SDK compares the CRC64 of each part.

    Args:
        clients: Of the bucket.
        key: Of the object, without the store's prefix.
        uri: The object's address.
        at: Bucket, key and upload id, as the SDK names them.
        md5: The digest of the whole.
    """

    clients: Patient[TosClientV2]
    key: str
    uri: str
    at: Mapping[str, str]
    md5: str
    _parts: dict[int, PartInfo] = field(default_factory=dict)
    came: Mapping[int, UploadedPart] = field(default_factory=dict)
    """What an earlier process had sent, by number."""

    @property
    def id(self) -> str:
        """TOS's own."""
        return self.at["upload_id"]

    def arrived(self, number: int, body: bytes) -> bool:
        """By the MD5 that TOS gives as a part's ETag; where it gives another, the part is sent again."""
        part = self.came.get(number)
        if part is None or not came(body, getattr(part, "size", None), part.etag):
            return False
        self._parts[number] = PartInfo(number, len(body), None, part.etag, None, is_completed=True)
        return True

    def part(self, number: int, body: bytes) -> None:
        """Send a part; each has a place of its own, so threads don't meet."""
        with told(self.uri):
            answer = self.clients.get().upload_part(
                **self.at, part_number=number, content=body, content_length=len(body)
            )
        crc = answer.hash_crc64_ecma
        self._parts[number] = PartInfo(number, len(body), None, answer.etag, crc, is_completed=True)

    def finish(self) -> ObjectInfo:
        """Make the object; an upload that is gone may have been finished by a call whose answer was lost.

        Raises:
            IntegrityError: TOS made another object than the parts are.
        """
        parts = [self._parts[number] for number in sorted(self._parts)]
        try:
            with told(self.uri):
                answer = self.clients.get().complete_multipart_upload(**self.at, parts=parts)
        except NotFoundError:
            if (info := self._finished()) is None:
                raise
            return info
        self._compare(parts, answer.hash_crc64_ecma)
        return ObjectInfo(self.key, sum(part.part_size for part in parts), date_of(answer), answer.etag)

    def abort(self) -> None:
        """Delete what was sent."""
        with told(self.uri):
            self.clients.get().abort_multipart_upload(**self.at)

    def with_parts(self) -> TosUpload:
        """The same with what came already.

        Raises:
            NotFoundError: TOS doesn't know the upload any more.
        """
        listed: dict[int, UploadedPart] = {}
        marker, more = 0, True
        while more:
            with told(self.uri):
                page = self.clients.get().list_parts(**self.at, part_number_marker=marker)
            listed |= {part.part_number: part for part in page.parts}
            marker, more = page.next_part_number_marker or 0, bool(page.is_truncated and page.parts)
        return replace(self, came=listed)

    def _compare(self, parts: list[PartInfo], crc: int | None) -> None:
        """The SDK doesn't, of a whole that is made by hand; of parts that came earlier no CRC64 is told."""
        known = all(part.hash_crc64_ecma is not None for part in parts)
        if crc is not None and known and crc != cal_crc_from_upload_parts(parts):
            raise IntegrityError(f"{self.uri} isn't what was sent, by its CRC64", hint="store it again")

    def _finished(self) -> ObjectInfo | None:
        with told(self.uri):
            answer = self.clients.get().head_object(self.at["bucket"], self.at["key"])
        return info_of(self.key, answer) if answer.meta.get(OWN_MD5) == self.md5 else None


def info_of(key: str, answer: Any) -> ObjectInfo:
    """What an answer to a HEAD says."""
    return ObjectInfo(key, answer.content_length, answer.last_modified.timestamp(), answer.etag)


def date_of(answer: Any) -> float:
    """The server's time, in seconds since 1970; this machine's where it doesn't say."""
    try:
        return parsedate_to_datetime(answer.header.get("date", "")).timestamp()
    except ValueError:
        return time.time()
