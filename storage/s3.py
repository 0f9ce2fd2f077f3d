"""Objects in a bucket of any store that speaks S3: AWS, MinIO, Swift, R2 and others."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from ..core.deadline import RetryPolicy
from ..core.errors import ConfigurationError, IntegrityError, InvalidQueryError, NotFoundError, PolyreelError
from ..core.objects import ObjectInfo, ObjectStore, Progress, readable
from ..core.parts import Upload
from ..core.secret import Secret
from ..core.space import digest
from ..core.streams import Opened
from .checks import checked_address, checked_prefix, given
from .s3_client import Clients, told, translated
from .s3_upload import OWN_MD5, S3Upload, date_of, etag_of, guard, info_of, own_md5

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_MD5 = re.compile(r"[0-9a-f]{32}")
_MIB = 1 << 20
_SMALLEST_PART = 5 * _MIB  # Amazon S3 User Guide, "Amazon S3 multipart upload limits"
_LONGEST = 604_800.0  # seconds that a signature may last (Signature Version 4, "X-Amz-Expires")
_NO_PLACE = ("us-east-1", "aws-global", "auto")  # regions that a new bucket doesn't name
_PAGE = 1000  # keys
_PLAIN = "!$&'()*+,;=:@/ "  # stands unquoted in addresses, as people type them; % ? and # don't


class S3Objects(ObjectStore):
    """Objects in a bucket of AWS, MinIO, Swift, R2 or any store that speaks S3. Contract: `ObjectStore`.

    Buckets and objects are private unless `acl` or the bucket itself says otherwise. Every object carries its
    MD5 as metadata, and what is read is compared with it. An upload in parts whose process was killed is gone
    on with by the next `put` of the same file, as far as its parts can be recognised by their MD5.

    Args:
        bucket: Its name; made when it is missing.
        prefix: A folder in the bucket that holds everything.
        endpoint: Address of the store; AWS when left out.
        region: That of the profile or of AWS_REGION when left out, else us-east-1.
        addressing: `path` (https://host/bucket/key), `virtual` (https://bucket.host/key), or what fits the
            endpoint.
        profile: A section of ~/.aws/config.
        access_key: With `secret_key`; where both are left out, boto3 looks for credentials (environment,
            profile, container, instance).
        secret_key: See `access_key`.
        session_token: Of temporary keys.
        checksums: `when_required` for older stores, which don't know CRC32: objects are sent with their MD5.
        encryption: On the server: `AES256` or `aws:kms`; what the bucket says when left out.
        kms_key_id: For `aws:kms`.
        storage_class: Such as `STANDARD_IA`.
        acl: A canned one, such as `public-read`.
        public_url: Address below which anybody can read the bucket, a CDN's for example; `url` then gives
            addresses there, in place of signed ones.
        ca_file: The authority (PEM) that signed the server's certificate, if it isn't a public one.
        part_mib: MiB above which objects are sent in parts of this size.
        patience: Seconds without a sign of the server before it counts as gone.
        timeout: Seconds for one call, or one part, its retries included.
        transfer_timeout: Seconds for a whole `put` or `get`.
        retry: How what may work later is tried again; boto3's own retries are off.
    """

    kind = "s3"
    schemes = frozenset({"s3"})
    resumes_uploads = True

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        endpoint: str | None = None,
        region: str | None = None,
        addressing: Literal["auto", "path", "virtual"] = "auto",
        profile: str | None = None,
        access_key: Secret | None = None,
        secret_key: Secret | None = None,
        session_token: Secret | None = None,
        checksums: Literal["when_supported", "when_required"] = "when_supported",
        encryption: Literal["AES256", "aws:kms"] | None = None,
        kms_key_id: str | None = None,
        storage_class: str | None = None,
        acl: str | None = None,
        public_url: str | None = None,
        ca_file: Path | None = None,
        part_mib: int = 8,
        patience: float = 20.0,
        timeout: float = 60.0,
        transfer_timeout: float = 3600.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, transfer_timeout=transfer_timeout, retry=retry)
        if not _BUCKET.fullmatch(bucket):
            raise ConfigurationError(f"{bucket[:80]!r} can't be the name of a bucket")
        if (access_key is None) != (secret_key is None):
            raise ConfigurationError("access_key and secret_key belong together: give both or neither")
        if kms_key_id is not None and encryption != "aws:kms":
            raise ConfigurationError('kms_key_id needs encryption = "aws:kms"')
        if part_mib * _MIB < _SMALLEST_PART:
            raise ConfigurationError(
                f"part_mib is {part_mib}; a part has at least {_SMALLEST_PART // _MIB} MiB"
            )
        self.part_size = part_mib * _MIB
        self._bucket = bucket
        self._prefix = checked_prefix(prefix)
        self._public = checked_address(public_url, "public_url")
        self._with_md5 = checksums == "when_required"
        self._options = given(
            ServerSideEncryption=encryption, SSEKMSKeyId=kms_key_id, StorageClass=storage_class, ACL=acl
        )
        self._found = False  # whether the bucket was seen

        def session() -> Mapping[str, Any]:
            return given(
                profile_name=profile,
                region_name=region,
                aws_access_key_id=access_key and access_key.get_secret_value(),
                aws_secret_access_key=secret_key and secret_key.get_secret_value(),
                aws_session_token=session_token and session_token.get_secret_value(),
            )

        self._clients = Clients(
            patience=patience,
            session=session,
            client=given(endpoint_url=checked_address(endpoint, "endpoint"), verify=_checked_ca(ca_file)),
            config={
                "s3": {"addressing_style": addressing},
                "request_checksum_calculation": checksums,
                "response_checksum_validation": checksums,
            },
        )

    # -- the bucket ---------------------------------------------------------------------------------------

    def _ensure_bucket(self) -> None:
        if not self._is_there():
            with self._told():
                client = self._clients.get()
                region = client.meta.region_name
                place = None if region in _NO_PLACE else {"LocationConstraint": region}
                with suppress(client.exceptions.BucketAlreadyOwnedByYou):  # another process was quicker
                    client.create_bucket(Bucket=self._bucket, **given(CreateBucketConfiguration=place))

    def _is_there(self) -> bool:
        try:
            with self._told():
                self._clients.get().head_bucket(Bucket=self._bucket)
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
        kept = self._kept(content_type, hashlib.md5(body, usedforsecurity=False).hexdigest())
        with self._told(key):
            answer = self._clients.get().put_object(
                **self._at(key), Body=body, **kept, **guard(body, wanted=self._with_md5)
            )
        progress(len(body))
        return ObjectInfo(key, len(body), date_of(answer), etag_of(answer))

    def _begin(self, key: str, content_type: str | None, md5: str) -> Upload:
        with self._told(key):
            answer = self._clients.get().create_multipart_upload(
                **self._at(key), **self._kept(content_type, md5)
            )

        return self._upload(key, answer["UploadId"], md5)

    def _resume(self, key: str, id: str, md5: str) -> Upload | None:
        terms, _, own = id.partition(":")
        return self._upload(key, own, md5).taken_up(terms) if own else None

    def _upload(self, key: str, id: str, md5: str) -> S3Upload:
        at = {**self._at(key), "UploadId": id}
        terms = digest([self._options, self.part_size, self._with_md5])
        return S3Upload(self._clients, key, self._uri(key), at, md5, self._with_md5, terms)

    def _open_object(self, key: str, start: int, version: str | None) -> Opened:
        part = {"Range": f"bytes={start}-", "IfMatch": version} if start else {}
        with self._told(key):
            answer = self._clients.get().get_object(**self._at(key), **part)
        if start and not (answer.get("ETag") == version and _starts_at(answer, start)):
            answer["Body"].close()
            raise IntegrityError(f"{self._uri(key)} can't be read on from byte {start}", hint="read it again")
        return Opened(answer["Body"], answer.get("ETag"), self._md5_of(answer))

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        def page(after: str | None) -> tuple[list[ObjectInfo], str | None]:
            more = given(ContinuationToken=after)
            with self._told():
                answer = self._clients.get().list_objects_v2(
                    Bucket=self._bucket, Prefix=self._prefix + prefix, MaxKeys=_PAGE, **more
                )
            found = list(map(self._listed, answer.get("Contents", ())))
            return found, answer.get("NextContinuationToken")

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
        except NotFoundError:  # AWS answers well, others say that it isn't there
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
        return f"s3://{self._bucket}/{quote(self._prefix + key, safe=_PLAIN)}"

    def _key(self, uri: str) -> str | None:
        """Also of an address as people type it, with signs that ours have quoted."""
        start = f"s3://{self._bucket}/{quote(self._prefix, safe=_PLAIN)}"
        typed = uri.removeprefix(start) if uri.startswith(start) else ""
        return super()._key(uri) or typed or None

    def _url(self, key: str, expires: float) -> str:
        if self._public is not None:
            return f"{self._public}/{quote(self._prefix + key)}"
        if not 1 <= expires <= _LONGEST:
            raise InvalidQueryError(f"a signature lasts 1 to {_LONGEST:.0f} seconds, not {expires:g}")
        with self._told(key):
            url: str = self._clients.get().generate_presigned_url(
                "get_object", Params=self._at(key), ExpiresIn=int(expires)
            )
        return url

    # -- inside -------------------------------------------------------------------------------------------

    def _close(self) -> None:
        self._clients.close()

    def _translate(self, error: Exception) -> PolyreelError | None:
        return translated(error, f"the bucket {self._bucket!r}")

    def _told(self, key: str | None = None) -> AbstractContextManager[None]:
        return told(f"the bucket {self._bucket!r}" if key is None else self._uri(key))

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _kept(self, content_type: str | None, md5: str) -> dict[str, Any]:
        """What is stored with an object."""
        return {**self._options, **given(ContentType=content_type), "Metadata": {OWN_MD5: md5}}

    def _listed(self, entry: Mapping[str, Any]) -> ObjectInfo:
        key = entry["Key"].removeprefix(self._prefix)
        return ObjectInfo(key, entry["Size"], entry["LastModified"].timestamp(), etag_of(entry))

    def _md5_of(self, answer: Mapping[str, Any]) -> str | None:
        """The digest of the whole: what we stored with it, else its ETag where that is an MD5."""
        traditional = self._with_md5 and "kms" not in answer.get("ServerSideEncryption", "")
        found = own_md5(answer) or (etag_of(answer) if traditional else "")
        return found if _MD5.fullmatch(found) else None


def _checked_ca(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # of the disk, or of the library, for a file that is no PEM
        reason = error.strerror or "it holds no certificate"
        raise ConfigurationError(
            f"ca_file: {file} can't be used: {reason}", hint="give a PEM file"
        ) from error
    return str(file)


def _starts_at(answer: Mapping[str, Any], start: int) -> bool:
    """By the header, since rclone answers a range with 200."""
    return str(answer.get("ContentRange", "")).startswith(f"bytes {start}-")
