"""Pages of a listing (`list-type=2`), in the order of keys' bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from .refusal import Refusal
from .state import Bucket, Stored

_PARAMETERS = frozenset(
    {"list-type", "fetch-owner", "max-keys", "prefix", "delimiter", "start-after", "continuation-token"}
)


def listed(name: str, bucket: Bucket, raw: str, page: int) -> bytes:
    """One page as JSON."""
    query = dict(parse_qsl(raw, keep_blank_values=True))
    if query.get("list-type") != "2" or query.keys() - _PARAMETERS:
        raise Refusal(400, "InvalidArgument", "the emulator lists by list-type=2 alone")
    asked = query.get("max-keys", "1000")
    if not asked.isdecimal() or not 1 <= int(asked) <= 1000:
        raise Refusal(400, "InvalidArgument", "max-keys is 1 to 1000")
    rows, prefixes = _entries(bucket, query)
    most = min(int(asked), page)
    more = len(rows) > most
    contents = [_content(key, stored) for key, stored in rows[:most]]
    answer = {
        "Name": name,
        "Prefix": query.get("prefix", ""),
        "MaxKeys": int(asked),
        "IsTruncated": more,
        "KeyCount": len(contents),
        "NextContinuationToken": _token(rows[most - 1][0]) if more else "",
        "Contents": contents,
        "CommonPrefixes": [{"Prefix": prefix} for prefix in prefixes],
    }
    return json.dumps(answer).encode()


def _entries(bucket: Bucket, query: Mapping[str, str]) -> tuple[list[tuple[str, Stored]], list[str]]:
    """The objects that are meant, and the folders in the place of those that lie deeper."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token")
    after = _key(token) if token else query.get("start-after", "")
    rows, folders = [], set()
    for key, stored in sorted(bucket.objects.items(), key=lambda pair: pair[0].encode()):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        head, found, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else (key, "", "")
        if found:
            folders.add(prefix + head + delimiter)
        else:
            rows.append((key, stored))
    return rows, sorted(folders)


def _content(key: str, stored: Stored) -> dict[str, object]:
    moment = stored.modified
    return {
        "Key": key,
        "LastModified": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        "ETag": stored.etag,
        "Size": len(stored.data),
        "HashCrc64ecma": str(stored.crc),
        "StorageClass": "STANDARD",
        "Owner": {"ID": "1", "DisplayName": ""},
    }


def _token(key: str) -> str:
    """Opaque, so that no client takes it for a key."""
    return key.encode().hex()


def _key(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError as error:
        raise Refusal(400, "InvalidArgument", "the token is none of ours") from error
