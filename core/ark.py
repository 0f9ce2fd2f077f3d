"""Ark, the model service of Volcengine: the key for it, and its errors in our words, by status and code.

Sources: Ark, documents 1299023 and 1099476 (error codes).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .deadline import retry_after
from .errors import (
    AuthenticationError,
    ConfigurationError,
    MediaError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from .logs import conceal, redacted
from .secret import Secret

_VARIABLE = "ARK_API_KEY"
_SHORT = 300  # characters of the service's own words in a message: it may echo what it was sent
_KEY = "check `api_key`, and what the account may do"
_FULL = "let it forget uploads: `polyreel describe VIDEO --forget`, or `vs.forget_uploads()` for all"
_MODEL = "check `version` or `model`, and open the model in the console"
_OF_MEDIA = ("invalidimage", "invalidvideo", "riskdetection", "sensitivecontent")
_OF_MODELS = ("model", "endpoint")
_SPENT = ("quotaexceeded", "setlimitexceeded")
"""Codes of a 429 that no waiting mends."""
_BUSY = ("ratelimit", "serveroverloaded", "requestbursttoofast", "inflightbatchsize")
"""Codes of a 429, where they come without a status, inside a stream."""


def api_key(given: Secret | None, section: str) -> str:
    """The key that was given, or that of the environment; no message shows it from then on.

    Args:
        given: As configured.
        section: Of the stack's configuration, for the message.

    Raises:
        ConfigurationError: There is none.
    """
    key = (given.get_secret_value() if given else os.environ.get(_VARIABLE, "")).strip()
    if not key:
        raise ConfigurationError(
            "Ark needs a key", hint=f"set `api_key` of {section}, or the variable {_VARIABLE}"
        )
    conceal(key)
    return key


def refusal(
    status: int | None,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> PolyreelError:
    """The error of an answer that isn't a success.

    Args:
        status: Of HTTP; None inside a stream, where only the code tells.
        code: The service's.
        message: The service's; it is shortened and masked.
        headers: Of the answer, for `Retry-After`.
        request_id: The service's.
    """
    words = " ".join(f"{code} {message}".split())
    line = redacted(f"Ark answered{'' if status is None else f' {status}'}" + (f": {words}" if words else ""))
    line = line[:_SHORT]
    known = code.replace(".", "").replace("_", "").lower()
    if status is None:
        status = _status(known)
    if status == 429 and not any(part in known for part in _SPENT):
        wait = retry_after((headers or {}).get("retry-after", ""))
        return RateLimitedError(line, retry_after=wait, request_id=request_id)
    if status in (408, 409) or status >= 500:
        return UnavailableError(line, request_id=request_id)
    if status == 403 and "filequota" in known:
        return RejectedError(line, hint=_FULL, request_id=request_id)
    if status in (401, 403):
        return AuthenticationError(line, hint=_KEY, request_id=request_id)
    if status == 404:
        return _not_there(line, known, message, request_id)
    if status == 413 or any(part in known for part in _OF_MEDIA):
        return MediaError(line, request_id=request_id)
    return RejectedError(line, request_id=request_id)


def _status(known: str) -> int:
    """The status that a code would come with."""
    if any(part in known for part in (*_BUSY, *_SPENT)):
        return 429
    return 500 if "internal" in known or not known else 400


def _not_there(line: str, known: str, message: str, request_id: str | None) -> PolyreelError:
    """A file or reply that is gone, or a model that isn't open. Which code a file has is not documented."""
    named = any(part in message.lower() for part in ("file", "response"))
    if named and not any(part in known for part in _OF_MODELS):
        return NotFoundError(line, request_id=request_id)
    return ConfigurationError(line, hint=_MODEL, request_id=request_id)
