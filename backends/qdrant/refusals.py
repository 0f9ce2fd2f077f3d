"""The errors of Qdrant's client, over REST and gRPC, in our words."""

from __future__ import annotations

import json
import ssl

import grpc
import httpx
from pydantic import ValidationError
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from ...core.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

ERRORS = (ApiException, QdrantException, grpc.RpcError)
"""What the client raises."""

_KEY = "set the right api_key in the stack's store, or ask who runs the server for one"
_TRUST = "name the file of the certificate's authority as ca_file"
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # as OpenSSL and BoringSSL call it
_DOWN = "see that the server runs and that url is right, then try again"
_BY_STATUS: dict[int, type[PolyreelError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    408: UnavailableError,
    425: UnavailableError,
    429: RateLimitedError,
    501: UnsupportedError,
}
_BY_CODE: dict[grpc.StatusCode, type[PolyreelError]] = {
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: AuthenticationError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: RateLimitedError,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedError,
    grpc.StatusCode.INVALID_ARGUMENT: RejectedError,
    grpc.StatusCode.ALREADY_EXISTS: RejectedError,
    grpc.StatusCode.FAILED_PRECONDITION: RejectedError,
    grpc.StatusCode.OUT_OF_RANGE: RejectedError,
}
_HINTS: dict[type[PolyreelError], str] = {AuthenticationError: _KEY, UnavailableError: _DOWN}


def translate(error: Exception, what: str) -> PolyreelError | None:
    """What the client's error means; None for an error that isn't the client's."""
    if isinstance(error, ResourceExhaustedResponse):
        return RateLimitedError(_line(what, str(error)), retry_after=float(error.retry_after_s))
    if isinstance(error, QdrantException):  # a Retry-After that is no number of seconds
        return RateLimitedError(_line(what, "too many requests"))
    if isinstance(error, UnexpectedResponse):
        return _refused(error, what)
    if isinstance(error, ResponseHandlingException):
        return _unanswered(error.source, what)
    if isinstance(error, json.JSONDecodeError):  # as the client leaves it
        return _unreadable(what)
    if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
        words = _line(what, f"{error.code().name}: {error.details()}")
        if _UNTRUSTED in words:
            return ConfigurationError(words, hint=_TRUST)
        kind = _BY_CODE.get(error.code(), UnavailableError)
        return kind(words, hint=_HINTS.get(kind))
    return None


def is_conflict(error: Exception) -> bool:
    """Whether the server says that something is there already."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code == 409
    return isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.ALREADY_EXISTS


def _refused(error: UnexpectedResponse, what: str) -> PolyreelError:
    status = error.status_code or 0
    kind = _BY_STATUS.get(status, UnavailableError if status >= 500 else RejectedError)
    message = _line(what, f"{status}: {_reason(error.content) or error.reason_phrase}")
    return kind(message, hint=_HINTS.get(kind), request_id=error.headers.get("x-request-id"))


def _unanswered(source: Exception, what: str) -> PolyreelError | None:
    """No answer at all, or none that can be read."""
    if isinstance(source, httpx.RequestError):
        if _UNTRUSTED in str(source) or isinstance(source.__cause__, ssl.SSLError):
            return ConfigurationError(_line(what, str(source)), hint=_TRUST)
        words = str(source) or type(source).__name__
        return UnavailableError(_line(what, words), hint=_DOWN)
    return _unreadable(what) if isinstance(source, ValidationError) else None


def _unreadable(what: str) -> PolyreelError:
    return UnavailableError(_line(what, "the answer can't be read: it is cut, or not Qdrant's"), hint=_DOWN)


def _reason(content: bytes) -> str:
    """What the server says of itself; nothing of a page that isn't its own."""
    try:
        return str(json.loads(content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return ""


def _line(what: str, words: str) -> str:
    return f"{what}: {' '.join(words.split())[:300]}"
