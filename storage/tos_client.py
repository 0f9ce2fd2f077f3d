"""Clients of TOS's own SDK, held so that one call is one request, and its errors told in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from tos import TosClientV2
from tos.credential import EnvCredentialsProvider, StaticCredentialsProvider
from tos.exceptions import TosClientError, TosServerError

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
from ..core.logs import conceal

_CONNECTIONS = 32  # kept open; threads beyond them open and close their own
_NEVER = 1e-9  # KB/s below which the SDK prints of slowness; at 0 it swallows every answer and every error
_KEYS = "check access_key, secret_key and region"
_AGAIN = "it was replaced while it was read: read it again"
_CODES: Mapping[str, tuple[type[PolyreelError], str | None]] = {
    "NoSuchKey": (NotFoundError, None),
    "NoSuchBucket": (NotFoundError, "check its name, or run an ingest, which makes it"),
    "NoSuchUpload": (NotFoundError, None),
    "AccessDenied": (AuthenticationError, "give these keys the right to it, or check the bucket's name"),
    "SignatureDoesNotMatch": (AuthenticationError, _KEYS),
    "InvalidAccessKeyId": (AuthenticationError, _KEYS),
    "ExpiredToken": (AuthenticationError, "the session has expired: get new temporary keys"),
    "InvalidSecurityToken": (AuthenticationError, "the session is not valid: get new temporary keys"),
    "RequestTimeTooSkewed": (AuthenticationError, "this machine's clock is wrong: set it"),
    "InvalidBucketName": (ConfigurationError, "choose another name for the bucket"),
    "BucketAlreadyExists": (ConfigurationError, "somebody else has a bucket of this name: choose another"),
    "BucketAlreadyOwnedByYou": (ConfigurationError, None),
    "InvalidObjectState": (RejectedError, "it lies in an archive: restore it first"),
    "PreconditionFailed": (IntegrityError, _AGAIN),
    "InvalidRange": (IntegrityError, _AGAIN),
    "BadDigest": (UnavailableError, None),
    "RequestTimeout": (UnavailableError, None),
    "SlowDown": (RateLimitedError, None),
    "TooManyRequests": (RateLimitedError, None),
    "ExceedAccountQPSLimit": (RateLimitedError, None),
    "ExceedBucketQPSLimit": (RateLimitedError, None),
}
"""By the code of an answer. Only `NoSuchKey` is cited by the vendor's SDK; the others are not verified."""

_STATUS: Mapping[int, tuple[type[PolyreelError], str | None]] = {
    401: (AuthenticationError, _KEYS),
    403: _CODES["AccessDenied"],
    404: (NotFoundError, None),
    408: (UnavailableError, None),
    412: _CODES["PreconditionFailed"],
    416: _CODES["InvalidRange"],
    429: (RateLimitedError, None),
    503: (RateLimitedError, None),
}

_SAID: Mapping[str, tuple[type[PolyreelError], str | None]] = {
    "Check CRC failed": (UnavailableError, None),  # other bytes arrived than were sent
    "client crc": (IntegrityError, "read it again; if it stays so, it must be stored anew"),
    "IO Content not equal": (UnavailableError, None),
    "unable to do serialization": (UnavailableError, None),
    "ak or sk is empty": (
        ConfigurationError,
        "set access_key and secret_key, or TOS_ACCESS_KEY and TOS_SECRET_KEY",
    ),
}
"""What the SDK says without an answer to blame, by how it begins."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How TOS is reached, and by whom.

    Args:
        endpoint: Scheme and host.
        region: A part of the signature.
        keys: Access key, secret key and session token; where None, the environment has them.
        custom_domain: Whether the endpoint is the bucket's own.
        proxy: Address of an HTTP proxy.
    """

    endpoint: str
    region: str
    keys: tuple[str, str, str | None] | None = None
    custom_domain: bool = False
    proxy: str | None = None

    def client(self, patience: float) -> TosClientV2:
        """A client that tries once, and waits so many seconds for a connection and for each answer."""
        client = TosClientV2(
            endpoint=self.endpoint,
            region=self.region,
            credentials_provider=self._credentials(),
            is_custom_domain=self.custom_domain,
            auto_recognize_content_type=False,  # the base has done so
            max_retry_count=0,
            max_connections=_CONNECTIONS,
            connection_time=patience,
            socket_timeout=patience,
            dns_cache_time=0,  # else it replaces how every user of urllib3 in this process connects
            high_latency_log_threshold=_NEVER,
            user_agent_product_name="polyreel",
        )
        if self.proxy is not None:
            client.proxies = {"http": self.proxy, "https": self.proxy}  # its own setting is for http alone
        client.session.auth = _as_signed
        return client

    def _credentials(self) -> Any:
        if self.keys is None:
            found = EnvCredentialsProvider()
            conceal(found.get_credentials().get_sk())
            return found
        access, secret, token = self.keys
        for hidden in filter(None, (secret, token)):
            conceal(hidden)
        return StaticCredentialsProvider(access, secret, token)


def _as_signed(request: Any) -> Any:
    """Without it, requests puts a login of ~/.netrc in the place of the signature."""
    return request


@contextmanager
def told(what: str) -> Iterator[None]:
    """The driver's errors inside in our words.

    Args:
        what: What the calls are about, such as an object's address.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # the SDK takes every error's body for UTF-8
        raise UnavailableError(f"{what}: an answer that can't be read") from error
    except Exception as error:
        ours = translated(error, what)
        if ours is None:
            raise
        raise ours from error


def translated(error: Exception, what: str) -> PolyreelError | None:
    """The driver's error in our words, without signed addresses; None for one that isn't the driver's."""
    if isinstance(error, TosServerError):
        return _answered(error, what)
    if isinstance(error, TosClientError):
        if isinstance(error.cause, requests.RequestException):
            return _unanswered(error.cause, what)
        kind, hint = next((say for start, say in _SAID.items() if error.message.startswith(start)), _REFUSED)
        return kind(f"{what}: {_short(error.message)}", hint=hint)
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError):
        return _unanswered(error, what)
    return None


_REFUSED: tuple[type[PolyreelError], str | None] = (RejectedError, None)


def _answered(error: TosServerError, what: str) -> PolyreelError:
    status, code, header = int(error.status_code), str(error.code or ""), error.header
    kind, hint = _CODES.get(code) or _STATUS.get(status) or (_by_class(status), None)
    ec = str(error.ec or header.get("x-tos-ec") or "")
    said = " ".join(filter(None, (code or f"status {status}", _short(str(error.message or "")))))
    message = f"{what}: {said}{f' (EC {_short(ec)})' if ec else ''}"
    request = error.request_id or None
    if kind is RateLimitedError:
        wait = retry_after(header.get("retry-after", ""))
        return RateLimitedError(message, retry_after=wait, hint=hint, request_id=request)
    return kind(message, hint=hint, request_id=request)


def _unanswered(cause: Exception, what: str) -> PolyreelError:
    """Without the library's own words, which quote whole addresses."""
    server = _server(cause)
    if isinstance(cause, requests.exceptions.SSLError):
        return ConfigurationError(f"{what}: the certificate of {server} isn't trusted", hint="check endpoint")
    if isinstance(cause, requests.exceptions.InvalidProxyURL):
        return ConfigurationError(f"{what}: the proxy can't be used", hint="write proxy as http://host:port")
    return UnavailableError(f"{what}: no whole answer from {server} ({type(cause).__name__})")


def _by_class(status: int) -> type[PolyreelError]:
    return UnavailableError if status >= 500 else RejectedError


def _server(error: Exception) -> str:
    """Scheme, host and port of the address that the driver tried."""
    request = getattr(error, "request", None)
    tried = urlsplit(str(getattr(request, "url", "")))
    return f"{tried.scheme}://{tried.netloc.rpartition('@')[2]}" if tried.netloc else "the server"


def _short(text: str) -> str:
    return " ".join(text.split())[:200]
