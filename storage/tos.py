"""Objects in a bucket of TOS, the object storage of Volcengine, which VikingDB reads by itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from tos import ACLType, HttpMethodType, StorageClassType, TosClientV2
from tos.enum import AzRedundancyType

from ..core.deadline import RetryPolicy
from ..core.errors import ConfigurationError, IntegrityError, InvalidQueryError, NotFoundError, PolyreelError
from ..core.objects import ObjectInfo, ObjectStore, Progress, readable
from ..core.parts import Upload
from ..core.secret import Secret
from ..core.streams import Opened
from .checks import checked_address, checked_prefix, given
from .patience import Patient
from .tos_client import Connection, told, translated
from .tos_upload import OWN_MD5, TosUpload, date_of, info_of

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")  # as the SDK checks it
_REGION = re.compile(r"[a-z0-9-]+")
_MD5 = re.compile(r"[0-9a-f]{32}")
_MIB = 1 << 20
_SMALLEST_PART = 5 * _MIB  # MIN_PART_SIZE of the SDK
_LONGEST = 604_800.0  # seconds that a signature may last, by the SDK's check of older calls
_PAGE = 1000  # keys
_QUOTED = re.compile("[%?#]")


class TosObjects(ObjectStore):
    """Objects in a bucket of TOS. Contract: `ObjectStore`.

    What is sent and what is read in one piece is compared with the CRC64 that TOS keeps; every object of ours
    also carries its MD5 as metadata, which covers a read that went on after a cut.

    Args:
        bucket: Its name; made when it is missing.
        prefix: A folder in the bucket that holds everything.
        region: Such as `cn-beijing`.
        endpoint: Another address than `https://tos-<region>.volces.com`, such as a private one.
        custom_domain: The endpoint is a domain of this one bucket.
        proxy: Address of an HTTP proxy.
        access_key: With `secret_key`; where both are left out, TOS_ACCESS_KEY, TOS_SECRET_KEY and
            TOS_SECURITY_TOKEN hold them.
        secret_key: See `access_key`.
        session_token: Of temporary keys.
        acl: Of the bucket, when it is made; private where TOS isn't told.
        storage_class: Of the bucket, when it is made, and so of its objects.
        az_redundancy: Whether the bucket, when it is made, is kept in several places of the region.
        public_url: Address below which anybody can read the bucket, a CDN's for example; `url` then gives
            addresses there, in place of signed ones.
        part_mib: MiB above which objects are sent in parts of this size.
        patience: Seconds without a sign of the server before it counts as gone.
        timeout: Seconds for one call, or one part, its retries included.
        transfer_timeout: Seconds for a whole `put` or `get`.
        retry: How what may work later is tried again; the SDK's own retries are off.
    """

    kind = "tos"
    schemes = frozenset({"tos"})
    resumes_uploads = True

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        region: str = "cn-beijing",
        endpoint: str | None = None,
        custom_domain: bool = False,
        proxy: str | None = None,
        access_key: str | None = None,
        secret_key: Secret | None = None,
        session_token: Secret | None = None,
        acl: Literal["private", "public-read", "public-read-write", "authenticated-read"] | None = None,
        storage_class: Literal["STANDARD", "IA", "INTELLIGENT_TIERING", "ARCHIVE_FR"] | None = None,
        az_redundancy: Literal["single-az", "multi-az"] | None = None,
        public_url: str | None = None,
        part_mib: int = 8,
        patience: float = 20.0,
        timeout: float = 60.0,
        transfer_timeout: float = 3600.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, transfer_timeout=transfer_timeout, retry=retry)
        if not _BUCKET.fullmatch(bucket):
            raise ConfigurationError(
                f"{bucket[:80]!r} can't be the name of a bucket",
                hint="3 to 63 small letters, digits and hyphens",
            )
        if part_mib * _MIB < _SMALLEST_PART:
            raise ConfigurationError(
                f"part_mib is {part_mib}; a part has at least {_SMALLEST_PART // _MIB} MiB"
            )
        self.part_size = part_mib * _MIB
        self._bucket = bucket
        self._prefix = checked_prefix(prefix)
        self._public = checked_address(public_url, "public_url")
        self._made_with = given(
            acl=acl and ACLType(acl),
            storage_class=storage_class and StorageClassType(storage_class),
            az_redundancy=az_redundancy and AzRedundancyType(az_redundancy),
        )
        connection = Connection(
            _endpoint(region, endpoint, custom_domain=custom_domain),
            region,
            _keys(access_key, secret_key, session_token),
            custom_domain,
            checked_address(proxy, "proxy"),
        )
        self._clients = Patient(patience, connection.client, TosClientV2.close)
        self._found = False  # whether the bucket was seen

    # -- the bucket ---------------------------------------------------------------------------------------

    def _ensure_bucket(self) -> None:
        if self._is_there():
            return
        try:
            with self._told():
                self._clients.get().create_bucket(self._bucket, **self._made_with)
        except ConfigurationError:  # the name is taken: by another process of ours, or by a stranger
            if not self._is_there():
                raise

    def _is_there(self) -> bool:
        try:
            with self._told():
                self._clients.get().head_bucket(self._bucket)
        except NotFoundError:
            return False
        self._found = True
        return True

    # -- objects ------------------------------------------------------------------------------------------

    def _put(
        self, key: str, source: Path | bytes, content_type: str | None, progress: Progress
    ) -> ObjectInfo:
        with readable(source) as stream:
            body = stream.read()
        kept = _kept(content_type, hashlib.md5(body, usedforsecurity=False).hexdigest())
        with self._told(key):
            answer = self._clients.get().put_object(
                **self._at(key), content=body, content_length=len(body), **kept
            )
        progress(len(body))
        return ObjectInfo(key, len(body), date_of(answer), answer.etag)

    def _begin(self, key: str, content_type: str | None, md5: str) -> Upload:
        with self._told(key):
            answer = self._clients.get().create_multipart_upload(**self._at(key), **_kept(content_type, md5))
        at = {**self._at(key), "upload_id": answer.upload_id}
        return TosUpload(self._clients, key, self._uri(key), at, md5)

    def _resume(self, key: str, id: str, md5: str) -> Upload | None:
        at = {**self._at(key), "upload_id": id}
        try:
            return TosUpload(self._clients, key, self._uri(key), at, md5).with_parts()
        except NotFoundError:
            return None

    def _open_object(self, key: str, start: int, version: str | None) -> Opened:
        part = given(range_start=start, if_match=version) if start else {}
        with self._told(key):
            answer = self._clients.get().get_object(**self._at(key), **part)
        body = _Body(answer, self._uri(key))
        if start and not (
            answer.etag == version and str(answer.content_range or "").startswith(f"bytes {start}-")
        ):
            body.close()
            raise IntegrityError(f"{self._uri(key)} can't be read on from byte {start}", hint="read it again")
        md5 = answer.meta.get(OWN_MD5, "")
        return Opened(body, answer.etag, md5 if _MD5.fullmatch(md5) else None)

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        def page(after: str | None) -> tuple[list[ObjectInfo], str | None]:
            with self._told():
                answer = self._clients.get().list_objects_type2(
                    self._bucket,
                    prefix=self._prefix + prefix,
                    max_keys=_PAGE,
                    list_only_once=True,
                    **given(continuation_token=after),
                )
            found = list(map(self._listed, answer.contents))
            return found, answer.next_continuation_token if answer.is_truncated else None

        return self._pages(page)

    def _stat(self, key: str) -> ObjectInfo | None:
        try:
            with self._told(key):
                return info_of(key, self._clients.get().head_object(**self._at(key)))
        except NotFoundError:
            self._check_bucket()
            return None

    def _delete(self, key: str) -> None:
        try:
            with self._told(key):
                self._clients.get().delete_object(**self._at(key))
        except NotFoundError:
            self._check_bucket()

    def _check_bucket(self) -> None:
        """A HEAD tells a missing object as it tells a missing bucket, so that is asked for once.

        Raises:
            NotFoundError: There is no such bucket.
        """
        if not self._found and not self._is_there():
            raise NotFoundError(
                f"there is no bucket {self._bucket!r}", hint="an ingest makes it; or check its name"
            )

    # -- addresses ----------------------------------------------------------------------------------------

    def _uri(self, key: str) -> str:
        """As it is, as VikingDB is told of objects; only what would begin a query or a fragment is quoted."""
        return f"tos://{self._bucket}/{_QUOTED.sub(_quote, self._prefix + key)}"

    def _key(self, uri: str) -> str | None:
        """Also of an address as people type it, with signs that ours have quoted."""
        start = self._uri("_").removesuffix("_")
        typed = uri.removeprefix(start) if uri.startswith(start) else ""
        return super()._key(uri) or typed or None

    def _url(self, key: str, expires: float) -> str:
        if self._public is not None:
            return f"{self._public}/{quote(self._prefix + key)}"
        if not 1 <= expires <= _LONGEST:
            raise InvalidQueryError(f"a signature lasts 1 to {_LONGEST:.0f} seconds, not {expires:g}")
        with self._told(key):
            signed = self._clients.get().pre_signed_url(
                HttpMethodType.Http_Method_Get, **self._at(key), expires=int(expires)
            )
        url: str = signed.signed_url
        return url

    # -- inside -------------------------------------------------------------------------------------------

    def _close(self) -> None:
        self._clients.close()

    def _translate(self, error: Exception) -> PolyreelError | None:
        return translated(error, f"the bucket {self._bucket!r}")

    def _told(self, key: str | None = None) -> AbstractContextManager[None]:
        return told(f"the bucket {self._bucket!r}" if key is None else self._uri(key))

    def _at(self, key: str) -> dict[str, str]:
        return {"bucket": self._bucket, "key": self._prefix + key}

    def _listed(self, entry: Any) -> ObjectInfo:
        key = entry.key.removeprefix(self._prefix)
        return ObjectInfo(key, entry.size, entry.last_modified.timestamp(), entry.etag)


class _Body:
    """The bytes of an answer, which the SDK has no way to close."""

    def __init__(self, answer: Any, uri: str) -> None:
        self._answer = answer
        self._uri = uri

    def read(self, size: int, /) -> bytes:
        with told(self._uri):
            data: bytes = self._answer.read(size)
        return data

    def close(self) -> None:
        self._answer.resp.resp.close()  # the SDK's answer, its response, and that of requests


def _quote(sign: re.Match[str]) -> str:
    return quote(sign[0])


def _kept(content_type: str | None, md5: str) -> dict[str, Any]:
    """What is stored with an object."""
    return {**given(content_type=content_type), "meta": {OWN_MD5: md5}}


def _keys(
    access_key: str | None, secret_key: Secret | None, session_token: Secret | None
) -> tuple[str, str, str | None] | None:
    if access_key is None and secret_key is None:
        return None
    if not access_key or secret_key is None:
        raise ConfigurationError("access_key and secret_key belong together: give both or neither")
    return (
        access_key,
        secret_key.get_secret_value(),
        session_token.get_secret_value() if session_token else None,
    )


def _endpoint(region: str, endpoint: str | None, *, custom_domain: bool) -> str:
    if not _REGION.fullmatch(region):
        raise ConfigurationError(f"region is {region[:80]!r}; it is written as cn-beijing")
    if custom_domain and endpoint is None:
        raise ConfigurationError("custom_domain needs an endpoint, the bucket's own domain")
    address = checked_address(endpoint, "endpoint") or f"https://tos-{region}.volces.com"
    host = str(urlsplit(address).hostname)
    if host.startswith("tos-s3-"):
        raise ConfigurationError(
            f"{host} speaks S3, and not TOS's own language",
            hint=f"write {host.replace('tos-s3-', 'tos-', 1)}, or use kind = 's3'",
        )
    return address
