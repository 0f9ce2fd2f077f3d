"""One pooled HTTP client for both planes: signing, time limits, and errors by their class.

Retries are the base's alone. A request has one attempt, at most `patience` seconds and never more than the
deadline leaves.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from ...core.deadline import retry_after, time_left
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
from ...core.logs import redacted
from ...core.secret import Secret
from .sign import Keys, signed

VERSION = "2025-06-09"
"""Of the control plane's API, which is version 2 of the data plane's."""

_SUCCESS = ("Success", "success", 0, "0", None)
"""`code` of a data plane's success: documented as text on most pages, as 0 on one."""

_DENIED = ("signature", "accesskey", "unauthorized", "credential", "accessdenied", "authentication")
"""Parts of codes that name a caller who isn't let in. The service's own literals are not known to us."""

_BUSY = ("toomanyrequests", "requestlimitexceeded", "quotaexceeded", "throttl")
_SHORT = 300  # characters of the service's own words in a message


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered.

    Args:
        result: The part of the answer that is the result; empty where there is none.
        request_id: The service's id of the call.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None


def utc_now() -> datetime:
    """The instant that a signature is for."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the two planes are, as `https://host`."""

    control: str
    data: str

    @classmethod
    def of(cls, region: str, control: str | None = None, data: str | None = None) -> Endpoints:
        """Those of a region of Volcengine, where none are given.

        Raises:
            ConfigurationError: One of them is no address of a web server.
        """
        return cls(
            _address(control or f"https://vikingdb.{region}.volcengineapi.com"),
            _address(data or f"https://api-vikingdb.vikingdb.{region}.volces.com"),
        )


class Wire:
    """Sends requests. May be used from several threads.

    Args:
        endpoints: Where to.
        region: A part of the signature.
        keys: Sign the control plane, and the data plane without an API key; None where there is only that.
        api_key: Of the data plane.
        patience: Seconds of silence after which one attempt counts as lost.
        now: The clock of signatures; tests put their own here.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        region: str,
        keys: Keys | None,
        api_key: str | None = None,
        patience: float = 60.0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._endpoints = endpoints
        self._region = region
        self._keys = keys
        self._api_key = api_key
        self._patience = patience
        self._now = now
        self._client = httpx.Client(verify=_tls())  # which retries nothing by itself

    def control(self, action: str, body: Mapping[str, Any]) -> Reply:
        """Call an action of the control plane."""
        query = {"Action": action, "Version": VERSION}
        return self._sent(self._endpoints.control, "/", query, body, api_key=None)

    def data(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Call a path below `/api/vikingdb` of the data plane."""
        return self._sent(self._endpoints.data, f"/api/vikingdb/{path}", {}, body, api_key=self._api_key)

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""
        self._client.close()

    def _sent(
        self, base: str, path: str, query: Mapping[str, str], body: Mapping[str, Any], *, api_key: str | None
    ) -> Reply:
        payload = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        headers = self._headers(base, path, query, payload, api_key)
        seconds = min(self._patience, time_left())
        if seconds <= 0:
            raise UnavailableError("there is no time left for a call to VikingDB", hint="raise the timeout")
        url = f"{base}{path}" + (f"?{urlencode(query)}" if query else "")
        answer = self._client.post(url, content=payload, headers=headers, timeout=seconds)
        return read(answer.status_code, answer.headers, answer.content)

    def _headers(
        self, base: str, path: str, query: Mapping[str, str], payload: bytes, api_key: str | None
    ) -> dict[str, str]:
        common = {"Accept": "application/json", "User-Agent": "polyreel"}
        if api_key is not None:
            own = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
            return {**common, **own}
        if self._keys is None:
            raise UnsupportedError(
                "an API key opens VikingDB's data plane alone: it can't make, change or look at collections",
                hint="set access_key and secret_key",
            )
        host = urlsplit(base).netloc
        own = signed(self._keys, self._region, self._now(), host=host, path=path, query=query, body=payload)
        return {**common, **own}


def read(status: int, headers: Mapping[str, str], content: bytes) -> Reply:
    """The answer of either plane.

    Raises:
        PolyreelError: The service refused, or what it sent can't be read.
    """
    try:
        answer = json.loads(content)
        readable = isinstance(answer, dict)
    except ValueError:
        answer, readable = {}, False
    if not readable:
        answer = {}
    meta = answer.get("ResponseMetadata") or {}
    error = meta.get("Error") or {}
    code = error.get("Code", answer.get("code"))
    request_id = meta.get("RequestId") or answer.get("request_id") or headers.get("x-tt-logid")
    if status != 200 or error or code not in _SUCCESS:
        message = error.get("Message") or answer.get("message") or ""
        raise failure(status, code, message, request_id, retry_after(headers.get("retry-after", "")))
    if not readable:
        raise UnavailableError("VikingDB sent a broken answer", request_id=request_id)
    result = answer.get("Result", answer.get("result"))
    return Reply(result if isinstance(result, dict) else {}, request_id)


def failure(
    status: int, code: object, message: object, request_id: str | None, wait: float | None
) -> PolyreelError:
    """The service's refusal in our words. A 400 is never one that is tried again."""
    said = " ".join(f"{code or ''} {message}".split())
    line = redacted(f"VikingDB answered {status}" + (f": {said[:_SHORT]}" if said else ""))
    known = str(code or "").replace(".", "").replace("_", "").lower()
    if status in (401, 403) or (status < 500 and any(part in known for part in _DENIED)):
        hint = "check access_key, secret_key, api_key and what they may do"
        return AuthenticationError(line, hint=hint, request_id=request_id)
    if status == 404 or (status == 400 and known.startswith("notfound")):
        return NotFoundError(line, request_id=request_id)
    if status == 429 or (status == 200 and any(part in known for part in _BUSY)):
        return RateLimitedError(line, retry_after=wait, request_id=request_id)
    if status == 408 or status >= 500:
        if wait is not None:
            return RateLimitedError(line, retry_after=wait, request_id=request_id)
        return UnavailableError(line, request_id=request_id)
    return RejectedError(line, request_id=request_id)


def translate(error: Exception) -> PolyreelError | None:
    """The HTTP library's error in our words; None for an error that isn't its own."""
    if isinstance(error, httpx.TimeoutException):
        return UnavailableError("VikingDB doesn't answer", hint="try again later")
    if isinstance(error, httpx.HTTPError):
        why = redacted(error) or type(error).__name__
        return UnavailableError(
            f"VikingDB can't be reached: {why}",
            hint="check the network, region and the endpoints, then try again",
        )
    return None


def keys_of(
    access_key: str | None, secret_key: Secret | None, api_key: Secret | None, token: Secret | None = None
) -> Keys | None:
    """The keys that sign; None where an API key is all there is.

    Raises:
        ConfigurationError: One of the two keys is missing, or there is neither them nor an API key.
    """
    if access_key and secret_key:
        return Keys(access_key, secret_key.get_secret_value(), token.get_secret_value() if token else "")
    if access_key or secret_key or api_key is None:
        raise ConfigurationError(
            "VikingDB needs access_key and secret_key, or api_key",
            hint="an API key alone opens a collection that is there",
        )
    return None


@cache
def _tls() -> ssl.SSLContext:
    """Which certificates are trusted: read once, for reading them takes longer than a call."""
    return httpx.create_ssl_context()


def _address(endpoint: str) -> str:
    """The endpoint without a slash at its end."""
    try:
        parts = urlsplit(endpoint)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, known = urlsplit(""), False
    if not known or parts.path.strip("/") or parts.query:
        raise ConfigurationError("an endpoint is written https://host, with a port at most")
    return f"{parts.scheme}://{parts.netloc}"
