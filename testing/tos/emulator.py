"""The emulator of TOS: who may call, which call it is, and what is answered."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from urllib.parse import parse_qsl, unquote

from ..emulation import Answered, Seen, answering
from ..faults import Fault, Faults
from .listing import listed
from .refusal import Refusal, no_bucket, no_key, no_upload
from .state import Bucket, Sending, Stored, crc64, etag_of, etag_of_parts
from .verify import verify

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SMALLEST_PART = 5 << 20
_MOST_PARTS = 10_000
_LONGEST_KEY = 1024  # bytes (BytePlus, "Common Concepts")
_ACL = ("private", "public-read", "public-read-write", "authenticated-read", "bucket-owner-full-control")
_CLASSES = ("STANDARD", "IA", "INTELLIGENT_TIERING", "ARCHIVE_FR", "ARCHIVE", "COLD_ARCHIVE")
_OF_BUCKETS: Mapping[str, tuple[str, ...]] = {
    "x-tos-acl": _ACL,
    "x-tos-storage-class": _CLASSES,
    "x-tos-az-redundancy": ("single-az", "multi-az"),
    "x-tos-bucket-type": ("fns", "hns"),
}
_PAGED = frozenset({"max-parts", "part-number-marker"})
_KNOWN = frozenset({"uploads", "uploadId", "partNumber"}) | _PAGED


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Settings:
    """How the emulator behaves.

    Args:
        region: A part of signatures.
        access_key: Who may call.
        secret_key: With it.
        session_token: Must come along, if one is set.
        domain: The bucket that is meant where a request names none, as behind a custom domain.
        page: Objects of a page of a listing at most; the service has 1000.
        strangers: Names of buckets that somebody else has.
        now: The clock.
    """

    region: str = "cn-beijing"
    access_key: str = "AKTEST"
    secret_key: str = "SKTEST"  # noqa: S105 - made up
    session_token: str | None = None
    domain: str | None = None
    page: int = 1000
    strangers: frozenset[str] = frozenset()
    now: Callable[[], datetime] = _utc_now


class Emulator:
    """Buckets in memory. `emulating` serves it; `answer` is what it says to one request.

    `url` is its address, to be used as a proxy; `endpoint` is what a client then calls.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = ""
        self.endpoint = f"http://tos-{settings.region}.volces.com"
        self.buckets: dict[str, Bucket] = {}
        self.faults = Faults()
        self.seen: list[Seen] = []
        self._numbers = count(1)
        self._lock = threading.RLock()

    def resolve(self, uri: str) -> bytes:
        """The bytes behind a `tos://` address; `KeyError` where there are none. For other emulators."""
        name, _, key = uri.removeprefix("tos://").partition("/")
        with self._lock:
            return self.buckets[name].objects[key].data

    def damage(self, name: str, key: str) -> None:
        """Change the first byte of an object behind the back of its checksums."""
        with self._lock:
            old = self.buckets[name].objects[key]
            data = bytes([old.data[0] ^ 1]) + old.data[1:]
            self.buckets[name].objects[key] = Stored(data, old.etag, old.crc, old.modified, old.headers)

    def answer(self, seen: Seen) -> Answered:
        """Check and do what is asked."""
        with self._lock:
            self.seen.append(seen)
            try:
                verify(seen, self.settings)
                return self._with_id(self._routed(seen))
            except Refusal as refusal:
                return self.refused(seen, refusal)

    def refused(self, seen: Seen, refusal: Refusal) -> Answered:
        """A refusal; to a HEAD it has no body, and says so."""
        more = {} if refusal.retry_after is None else {"Retry-After": f"{refusal.retry_after:g}"}
        headers = {"Content-Type": "application/json", "x-tos-ec": refusal.ec, **more}
        answered = self._with_id(Answered(refusal.status, b"", headers))
        body = {
            "Code": refusal.code,
            "Message": str(refusal),
            "RequestId": answered.headers["x-tos-request-id"],
            "HostId": "emulated",
            "Resource": seen.path,
            "EC": refusal.ec,
        }
        content = b"" if seen.method == "HEAD" else json.dumps(body).encode()
        return Answered(refusal.status, content, answered.headers)

    # -- inside -------------------------------------------------------------------------------------------

    def _with_id(self, answered: Answered) -> Answered:
        stamps = {
            "Date": format_datetime(self.settings.now(), usegmt=True),
            "x-tos-request-id": f"emulated-{next(self._numbers):06d}",
        }
        return Answered(answered.status, answered.body, {**stamps, **answered.headers})

    def _routed(self, seen: Seen) -> Answered:
        name, key = self._bucket_of(seen.headers["host"]), unquote(seen.path.removeprefix("/"))
        if name in self.settings.strangers:
            if seen.method == "PUT" and not key:
                raise Refusal(409, "BucketAlreadyExists", "somebody else has it")
            raise Refusal(403, "AccessDenied", "it is somebody else's bucket")
        if not key and seen.method == "PUT":
            return self._made(name, seen)
        if (bucket := self.buckets.get(name)) is None:
            raise no_bucket()
        if key:
            return self._about_object(bucket, key, seen)
        if seen.method == "HEAD":
            return Answered(200, b"", {"x-tos-bucket-region": self.settings.region, **bucket.headers})
        if seen.method == "GET":
            return Answered(200, listed(name, bucket, seen.query, self.settings.page), _JSON)
        raise Refusal(405, "MethodNotAllowed", "not of a bucket")

    def _bucket_of(self, host: str) -> str:
        """A bucket is named by the host alone: TOS has no paths for buckets."""
        own = self.endpoint.partition("://")[2]
        if host.endswith(f".{own}"):
            return host.removesuffix(f".{own}")
        if self.settings.domain is not None and host == self.url.partition("://")[2]:
            return self.settings.domain
        raise Refusal(404, "InvalidHost", "no bucket has this host")

    def _made(self, name: str, seen: Seen) -> Answered:
        if not _BUCKET.fullmatch(name):
            raise Refusal(400, "InvalidBucketName", "the name can't be a bucket's")
        if name in self.buckets:
            raise Refusal(409, "BucketAlreadyExists", "it is there already")
        for header, known in _OF_BUCKETS.items():
            if seen.headers.get(header, known[0]) not in known:
                raise Refusal(400, "InvalidArgument", f"{header} has an unknown value")
        self.buckets[name] = Bucket(
            {name: seen.headers[name] for name in _OF_BUCKETS if name in seen.headers}
        )
        return Answered(200, b"", {"Location": f"/{name}"})

    def _about_object(self, bucket: Bucket, key: str, seen: Seen) -> Answered:
        query = dict(parse_qsl(seen.query, keep_blank_values=True))
        signed = {name for name in query if name.startswith("X-Tos-")}
        if query.keys() - _KNOWN - signed:
            raise Refusal(400, "InvalidArgument", "the query has what the emulator doesn't know")
        if len(key.encode()) > _LONGEST_KEY:
            raise Refusal(400, "KeyTooLong", f"a key has at most {_LONGEST_KEY} bytes")
        match seen.method, query.keys() & _KNOWN:
            case "PUT", named if not named:
                return self._put(bucket, key, seen)
            case "POST", named if named == {"uploads"}:
                return self._begun(bucket, key, seen)
            case "PUT", named if named == {"uploadId", "partNumber"}:
                return self._part(_upload(bucket, key, query), query["partNumber"], seen)
            case "POST", named if named == {"uploadId"}:
                return self._completed(bucket, _upload(bucket, key, query), query["uploadId"], seen)
            case "DELETE", named if named == {"uploadId"}:
                _upload(bucket, key, query)
                del bucket.uploads[query["uploadId"]]
                return Answered(204)
            case "DELETE", named if not named:
                bucket.objects.pop(key, None)
                return Answered(204)
            case "GET", named if "uploadId" in named and named <= {"uploadId"} | _PAGED:
                return _parts(_upload(bucket, key, query), query, self.settings.page)
            case "GET" | "HEAD", named if not named:
                return _read(bucket.objects.get(key), seen)
        raise Refusal(405, "MethodNotAllowed", "not of an object")

    def _put(self, bucket: Bucket, key: str, seen: Seen) -> Answered:
        _check_body(seen)
        stored = self._stored(seen.body, etag_of(seen.body), _kept(seen.headers))
        bucket.objects[key] = stored
        return Answered(200, b"", {"ETag": stored.etag, "x-tos-hash-crc64ecma": str(stored.crc)})

    def _begun(self, bucket: Bucket, key: str, seen: Seen) -> Answered:
        id = f"UP{next(self._numbers)}"
        bucket.uploads[id] = Sending(key, _kept(seen.headers))
        return Answered(200, json.dumps({"Bucket": "", "Key": key, "UploadId": id}).encode(), _JSON)

    def _part(self, sending: Sending, number: str, seen: Seen) -> Answered:
        _check_body(seen)
        if not number.isdecimal() or not 1 <= int(number) <= _MOST_PARTS:
            raise Refusal(400, "InvalidArgument", "the number of a part is 1 to 10000")
        sending.parts[int(number)] = seen.body
        headers = {"ETag": etag_of(seen.body), "x-tos-hash-crc64ecma": str(crc64(seen.body))}
        return Answered(200, b"", headers)

    def _completed(self, bucket: Bucket, sending: Sending, id: str, seen: Seen) -> Answered:
        parts = _chosen(sending, seen.body)
        stored = self._stored(b"".join(parts), etag_of_parts(parts), sending.headers)
        bucket.objects[sending.key] = stored
        del bucket.uploads[id]
        body = {"Bucket": "", "Key": sending.key, "ETag": stored.etag, "Location": ""}
        return Answered(200, json.dumps(body).encode(), {**_JSON, "x-tos-hash-crc64ecma": str(stored.crc)})

    def _stored(self, data: bytes, etag: str, headers: Mapping[str, str]) -> Stored:
        return Stored(data, etag, crc64(data), self.settings.now(), headers)


_JSON = {"Content-Type": "application/json"}


@contextmanager
def emulating(settings: Settings | None = None) -> Iterator[Emulator]:
    """An emulator at `emulator.url`, for as long as the context lasts."""
    emulator = Emulator(settings or Settings())

    def refuse(seen: Seen, fault: Fault) -> Answered:
        return emulator.refused(
            seen, Refusal(fault.status, fault.code, "on command", retry_after=fault.retry_after)
        )

    with answering(emulator.answer, refuse, emulator.faults) as url:
        emulator.url = url
        yield emulator


def _upload(bucket: Bucket, key: str, query: Mapping[str, str]) -> Sending:
    sending = bucket.uploads.get(query["uploadId"])
    if sending is None or sending.key != key:
        raise no_upload()
    return sending


def _parts(sending: Sending, query: Mapping[str, str], page: int) -> Answered:
    """A page of the parts that came, by their numbers."""
    after = int(query.get("part-number-marker", 0))
    numbers = [number for number in sorted(sending.parts) if number > after]
    shown = numbers[: min(page, int(query.get("max-parts", 1000)))]
    answer = {
        "Key": sending.key,
        "UploadId": query["uploadId"],
        "IsTruncated": len(shown) < len(numbers),
        "NextPartNumberMarker": shown[-1] if shown else 0,
        "Parts": [
            {"PartNumber": n, "ETag": etag_of(sending.parts[n]), "Size": len(sending.parts[n])} for n in shown
        ],
    }
    return Answered(200, json.dumps(answer).encode(), _JSON)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kind = {"content-type": headers.get("content-type", "binary/octet-stream")}
    return kind | {name: value for name, value in headers.items() if name.startswith("x-tos-meta-")}


def _check_body(seen: Seen) -> None:
    if "content-length" not in seen.headers:
        raise Refusal(411, "MissingContentLength", "how long is the body?")
    digest = hashlib.md5(seen.body, usedforsecurity=False).digest()
    if (
        seen.headers.get("content-md5", base64.b64encode(digest).decode())
        != base64.b64encode(digest).decode()
    ):
        raise Refusal(400, "BadDigest", "the body has another MD5")


def _chosen(sending: Sending, body: bytes) -> list[bytes]:
    """The bytes of the parts that the body names, in their order."""
    try:
        named = {int(one["PartNumber"]): str(one["ETag"]) for one in json.loads(body)["Parts"]}
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(400, "MalformedBody", "the body doesn't name parts") from error
    if not named:
        raise Refusal(400, "InvalidPart", "no part is named")
    for number, etag in named.items():
        if number not in sending.parts or etag_of(sending.parts[number]).strip('"') != etag.strip('"'):
            raise Refusal(400, "InvalidPart", f"part {number} isn't there, or another")
    numbers = sorted(named)
    if any(len(sending.parts[number]) < _SMALLEST_PART for number in numbers[:-1]):
        raise Refusal(400, "EntityTooSmall", "every part but the last has at least 5 MiB")
    return [sending.parts[number] for number in numbers]


def _read(stored: Stored | None, seen: Seen) -> Answered:
    if stored is None:
        raise no_key()
    if seen.headers.get("if-match", stored.etag).strip('"') != stored.etag.strip('"'):
        raise Refusal(412, "PreconditionFailed", "it is another one by now")
    headers = {
        **stored.headers,
        "ETag": stored.etag,
        "Last-Modified": format_datetime(stored.modified, usegmt=True),
        "x-tos-hash-crc64ecma": str(stored.crc),
        "x-tos-storage-class": "STANDARD",
    }
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", seen.headers.get("range", ""))
    if span is None:
        return Answered(200, stored.data, headers)
    start, end, size = int(span[1]), int(span[2] or len(stored.data) - 1), len(stored.data)
    if start >= size:
        raise Refusal(416, "InvalidRange", "it isn't so long")
    said = {"Content-Range": f"bytes {start}-{min(end, size - 1)}/{size}"}
    return Answered(206, stored.data[start : end + 1], {**headers, **said})
