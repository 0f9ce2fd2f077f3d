"""boto3 clients for one bucket: their timeouts fit the deadline, and their errors are told in our words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError

from ..core.deadline import retry_after
from ..core.errors import (
    AuthenticationError,
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from .patience import Patient

_CONNECTIONS = 32  # kept open; threads beyond them open and close their own

_KEYS = "check the access key and the secret key"
_OLD = 'set checksums = "when_required" for a store that lacks the newer checksums'
_REGION = "set the region in which the bucket lies"
_AGAIN = "it was replaced while it was read: read it again"
_CODES: Mapping[str, tuple[type[PolyreelError], str | None]] = {
    "NoSuchKey": (NotFoundError, None),
    "NoSuchBucket": (NotFoundError, "check its name, or run an ingest, which makes it"),
    "NoSuchUpload": (NotFoundError, None),
    "InvalidPart": (NotFoundError, None),  # another process has sent it anew
    "InvalidAccessKeyId": (AuthenticationError, _KEYS),
    "SignatureDoesNotMatch": (AuthenticationError, _KEYS),
    "AccessDenied": (AuthenticationError, "give these keys the right to it, or check the bucket's name"),
    "ExpiredToken": (AuthenticationError, "the session has expired: sign in again"),
    "InvalidToken": (AuthenticationError, "the session is not valid: sign in again"),
    "RequestTimeTooSkewed": (AuthenticationError, "this machine's clock is wrong: set it"),
    "AuthorizationHeaderMalformed": (ConfigurationError, _REGION),
    "PermanentRedirect": (ConfigurationError, _REGION),
    "IllegalLocationConstraintException": (ConfigurationError, _REGION),
    "InvalidLocationConstraint": (ConfigurationError, _REGION),
    "400": (RejectedError, "check the bucket's name and the region"),  # to a HEAD, which has no body
    "InvalidBucketName": (ConfigurationError, "choose another name for the bucket"),
    "BucketAlreadyExists": (ConfigurationError, "somebody else has a bucket of this name: choose another"),
    "InvalidStorageClass": (ConfigurationError, "choose a storage class that this store has"),
    "AccessControlListNotSupported": (ConfigurationError, "leave acl out: this bucket has none"),
    "InvalidObjectState": (RejectedError, "it lies in an archive: restore it first"),
    "PreconditionFailed": (IntegrityError, _AGAIN),
    "InvalidRange": (IntegrityError, _AGAIN),  # of a store that doesn't heed `IfMatch`, as rclone
    "MissingContentLength": (RejectedError, _OLD),
    "NotImplemented": (RejectedError, _OLD),
    "BadDigest": (UnavailableError, None),
    "XAmzContentChecksumMismatch": (UnavailableError, None),
    "XAmzContentSHA256Mismatch": (UnavailableError, None),
    "RequestTimeout": (UnavailableError, None),
    "SlowDown": (RateLimitedError, None),
    "Throttling": (RateLimitedError, None),
    "ThrottlingException": (RateLimitedError, None),
    "TooManyRequests": (RateLimitedError, None),
    "RequestLimitExceeded": (RateLimitedError, None),
}
"""By the code of an answer (Amazon S3 API Reference, "Error responses"), which other stores keep to."""

_STATUS: Mapping[int, tuple[type[PolyreelError], str | None]] = {
    301: _CODES["PermanentRedirect"],
    401: (AuthenticationError, _KEYS),
    403: _CODES["AccessDenied"],
    404: (NotFoundError, None),
    408: (UnavailableError, None),
    411: _CODES["MissingContentLength"],
    412: _CODES["PreconditionFailed"],
    429: (RateLimitedError, None),
    501: _CODES["NotImplemented"],
    503: (RateLimitedError, None),
}

_DRIVER: Mapping[tuple[type[Exception], ...], tuple[type[PolyreelError], str | None]] = {
    (boto.NoCredentialsError, boto.PartialCredentialsError): (
        ConfigurationError,
        "set access_key and secret_key, or a profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    (boto.ProfileNotFound, boto.ConfigParseError, boto.ConfigNotFound): (
        ConfigurationError,
        "see ~/.aws/config for the profiles",
    ),
    (boto.NoRegionError, boto.InvalidRegionError): (ConfigurationError, _REGION),
    (boto.CredentialRetrievalError, boto.TokenRetrievalError, boto.SSOError, boto.MetadataRetrievalError): (
        AuthenticationError,
        "sign in again, for example with `aws sso login`",
    ),
    (boto.FlexibleChecksumError,): (IntegrityError, f"read it again, or {_OLD}"),
    (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, ResponseParserError): (
        UnavailableError,
        "see that the server runs and that endpoint is right, then try again",
    ),
}
"""What botocore raises without an answer; anything else that it raises is a mistake of ours."""


class Clients:
    """boto3's clients by the time that the deadline leaves (`Patient`).

    Args:
        patience: Seconds without a sign of the server before it counts as gone.
        session: Arguments of `boto3.Session`.
        client: Arguments of its clients.
        config: Arguments of their `Config`.
    """

    def __init__(
        self,
        *,
        patience: float,
        session: Callable[[], Mapping[str, Any]],
        client: Mapping[str, Any],
        config: Mapping[str, Any],
    ) -> None:
        self._arguments = session
        self._client = dict(client)
        self._config = dict(config)
        self._session: Any = None
        self._made: Patient[Any] = Patient(patience, self._new, lambda client: client.close())

    def get(self) -> Any:
        """The client whose timeouts the deadline allows."""
        return self._made.get()

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""
        self._made.close()
        self._session = None

    def _new(self, patience: float) -> Any:
        if self._session is None:
            self._session = boto3.Session(**self._arguments())
        config = Config(
            signature_version="s3v4",
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=patience,
            read_timeout=patience,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra="polyreel",
            **self._config,
        )
        return self._session.client("s3", config=config, **self._client)


@contextmanager
def told(what: str) -> Iterator[None]:
    """The driver's errors inside in our words.

    Args:
        what: What the calls are about, such as an object's address.
    """
    try:
        yield
    except Exception as error:
        ours = translated(error, what)
        if ours is None:
            raise
        raise ours from error


def translated(error: Exception, what: str) -> PolyreelError | None:
    """The driver's error in our words, without signed addresses; None for one that isn't the driver's."""
    if isinstance(error, boto.ClientError):
        return _answered(error, what)
    if isinstance(error, boto.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        message = f"{what}: the certificate of {_server(error)} isn't trusted"
        return ConfigurationError(message, hint="set ca_file to the authority that signed it")
    for group, (kind, hint) in _DRIVER.items():
        if isinstance(error, group):
            known = _short(str(error)) if kind is ConfigurationError else type(error).__name__
            reason = f"no whole answer from {_server(error)} ({known})" if kind is UnavailableError else known
            return kind(f"{what}: {reason}", hint=hint)
    return None


def code_of(error: boto.ClientError) -> str:
    """The code of an answer; its status where it has no body, as to a HEAD."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _answered(error: boto.ClientError, what: str) -> PolyreelError:
    meta: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    headers: Mapping[str, str] = meta.get("HTTPHeaders", {})
    status, code = int(meta.get("HTTPStatusCode", 0)), code_of(error)
    kind, hint = _CODES.get(code) or _STATUS.get(status) or (_by_class(status), None)
    said = error.response.get("Error", {}).get("Message", "")
    message = f"{what}: {_short(' '.join(filter(None, (code, said))))}"
    request = meta.get("RequestId") or headers.get("x-amz-request-id") or None
    if kind is RateLimitedError:
        wait = retry_after(headers.get("retry-after", ""))
        return RateLimitedError(message, retry_after=wait, hint=hint, request_id=request)
    return kind(message, hint=hint, request_id=request)


def _by_class(status: int) -> type[PolyreelError]:
    """Of answers that no table has; a 2xx that is an error is a broken one."""
    return UnavailableError if status >= 500 or status < 400 else RejectedError


def _server(error: Exception) -> str:
    """Scheme, host and port of the address that the driver tried."""
    tried = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url", "")))
    return f"{tried.scheme}://{tried.netloc.rpartition('@')[2]}" if tried.netloc else "the server"


def _short(text: str) -> str:
    return " ".join(text.split())[:200]
