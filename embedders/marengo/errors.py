"""The errors of TwelveLabs, its SDK and its transport in our words."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pydantic
from twelvelabs.core.api_error import ApiError

from ...core.errors import (
    AuthenticationError,
    MediaError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from ...core.logs import redacted

_RESET = re.compile(r"x-ratelimit-(?:[a-z]+-)*reset", re.IGNORECASE)
_OF_MEDIA = re.compile(r"(video|image|audio|media|asset)_")
_LONGEST = 300  # characters of a reason: a service may echo what it was sent
_EPOCH = 1_000_000_000  # a larger number of seconds is a time, a smaller one a distance


def translate(error: Exception) -> PolyreelError | None:
    """An error of the SDK or of HTTP; None for any other."""
    if isinstance(error, ApiError):
        return _of_status(error)
    if isinstance(error, pydantic.ValidationError):
        if error.title == "ErrorResponse":  # the SDK expects another body of a 413
            return MediaError("TwelveLabs says that the request is too large")
        # without its cause's text, which quotes the answer
        return UnavailableError(f"TwelveLabs sent an answer that can't be read ({error.title})")
    if isinstance(error, httpx.TimeoutException):
        return UnavailableError("TwelveLabs doesn't answer", hint="try again later")
    if isinstance(error, httpx.HTTPError):
        why = redacted(error) or type(error).__name__
        return UnavailableError(
            f"TwelveLabs can't be reached: {why}", hint="check the network and base_url, then try again"
        )
    return None


def _of_status(error: ApiError) -> PolyreelError:
    status, headers = error.status_code or 0, _small(error.headers)
    code, message, details = said(error.body)
    what = f"TwelveLabs answered {status}{f' {code}' if code else ''}: {message}".removesuffix(": ")
    request = request_id(headers) or details.get("requestId")
    about: dict[str, Any] = {"request_id": str(request) if request else None}
    if status == 429:
        return RateLimitedError(what, retry_after=retry_after(headers, details), **about)
    if status in (401, 403):
        return AuthenticationError(what, hint="check `api_key` and the plan of the account", **about)
    if status in (404, 410):
        return NotFoundError(what, **about)
    if status == 408 or status >= 500 or status < 300:  # a success that is no JSON is a broken answer
        return UnavailableError(what, **about)
    if status == 413 or _OF_MEDIA.match(code):
        return MediaError(what, **about)
    return RejectedError(what, **about)


def said(body: object) -> tuple[str, str, Mapping[str, Any]]:
    """Code, message and details of an error's body: flat, nested, an object of the SDK, or any text."""
    inner = body.get("error", body) if isinstance(body, Mapping) else getattr(body, "error", body)
    if isinstance(inner, pydantic.BaseModel):
        inner = inner.model_dump()
    if not isinstance(inner, Mapping):
        return "", _short(inner), {}
    details = inner.get("details")
    return (
        _short(inner.get("code")),
        _short(inner.get("message")),
        details if isinstance(details, Mapping) else {},
    )


def retry_after(headers: Mapping[str, str], details: Mapping[str, Any]) -> float | None:
    """Seconds to wait, by `Retry-After`, the body, or the reset of the limit that is used up."""
    for value in (headers.get("retry-after"), details.get("retryAfter")):
        seconds = _seconds(str(value)) if value is not None else None
        if seconds is not None:
            return seconds
    resets = [_until(headers[name]) for name in headers if _RESET.fullmatch(name) and _used_up(name, headers)]
    return min((seconds for seconds in resets if seconds is not None and seconds > 0), default=None)


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's id of a request, where the answer has one."""
    return headers.get("x-request-id") or headers.get("request-id")


def _seconds(value: str) -> float | None:
    """Seconds, or the distance of a date (RFC 9110, section 10.2.3)."""
    with suppress(ValueError):
        return min(max(0.0, float(value)), 1e9) if value.strip() else None
    with suppress(ValueError):
        when = parsedate_to_datetime(value)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    return None


def _until(value: str) -> float | None:
    with suppress(ValueError):
        number = float(value)
        return number - time.time() if number > _EPOCH else number
    return None


def _used_up(reset: str, headers: Mapping[str, str]) -> bool:
    return headers.get(re.sub("reset$", "remaining", reset), "0").strip() in ("", "0")


def _small(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _short(text: object) -> str:
    """A piece of an answer as it may be shown: one line, without signed addresses."""
    return " ".join(redacted("" if text is None else text)[:_LONGEST].split())
