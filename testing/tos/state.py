"""What the emulator of TOS keeps: buckets, objects, uploads, and their checksums."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_FOOTER = 12  # bytes at the end of an xz stream; 4 to 8 of them are the size of the index before it
_QUICK = [{"id": lzma.FILTER_LZMA2, "dict_size": 4096, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3, "depth": 1}]


def crc64(data: bytes) -> int:
    """The checksum that TOS keeps of an object: CRC-64/XZ, which xz writes behind the data that it packs."""
    if not data:
        return 0
    packed = lzma.compress(data, check=lzma.CHECK_CRC64, filters=_QUICK)
    index = 4 * (int.from_bytes(packed[4 - _FOOTER : 8 - _FOOTER], "little") + 1)
    end = len(packed) - _FOOTER - index
    return int.from_bytes(packed[end - 8 : end], "little")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object.

    Args:
        data: Its bytes.
        etag: With its quotes.
        crc: Of the bytes as they came.
        modified: When it came.
        headers: Its content type and metadata.
    """

    data: bytes
    etag: str
    crc: int
    modified: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Sending:
    """A multipart upload: what is kept with its object, and the parts that came."""

    key: str
    headers: Mapping[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """A bucket: how it was made, its objects by key and its uploads by id."""

    headers: Mapping[str, str]
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Sending] = field(default_factory=dict)


def etag_of(data: bytes) -> str:
    """As a single put has it."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def etag_of_parts(parts: list[bytes]) -> str:
    """As an object of parts has it."""
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'
