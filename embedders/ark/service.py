"""One HTTP client for Ark: time limits, and errors by their class.

The vendor's runtime package isn't used: for this one call it would bring four more packages, retries that
can't see our deadline, a client that its own text calls unsafe for threads, and a null for everything that
isn't said. It drives the emulator in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from ...core.ark import refusal
from ...core.deadline import time_left
from ...core.errors import PolyreelError, UnavailableError
from ...core.logs import redacted
from ...core.silence import silence


class Service:
    """Sends requests, one attempt each. May be used from several threads.

    Args:
        api_key: Of Ark.
        base_url: With the version of the API.
        patience: Seconds without a sign of the service before it counts as gone.
    """

    def __init__(self, *, api_key: str, base_url: str, patience: float) -> None:
        self._patience = patience
        self._url = base_url.rstrip("/")
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {api_key}", "User-Agent": "polyreel"}, follow_redirects=False
        )

    def call(self, path: str, body: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
        """The JSON of an answer, and the service's id of the request.

        Raises:
            PolyreelError: The service refused, or what it sent can't be read.
        """
        seconds = min(self._patience, time_left())
        if seconds <= 0:
            raise UnavailableError("there is no time left for a call to Ark", hint="raise the timeout")
        with silence():  # addresses that are handed over may be signed
            answer = self._client.post(f"{self._url}{path}", json=dict(body), timeout=seconds)
        request_id = answer.headers.get("x-request-id")
        said = _json(answer.content)
        if not answer.is_success:
            raise _refused(answer.status_code, said, answer.headers, request_id)
        if said is None:
            raise UnavailableError("Ark sent a broken answer", request_id=request_id)
        return said, request_id

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""
        self._client.close()


def translate(error: Exception) -> PolyreelError | None:
    """The HTTP library's error in our words; None for an error that isn't its own."""
    if isinstance(error, httpx.TimeoutException):
        return UnavailableError("Ark doesn't answer", hint="try again later")
    if isinstance(error, httpx.HTTPError):
        why = redacted(error) or type(error).__name__
        return UnavailableError(
            f"Ark can't be reached: {why}", hint="check the network and base_url, then try again"
        )
    return None


def _refused(
    status: int, body: Mapping[str, Any] | None, headers: Mapping[str, str], request_id: str | None
) -> PolyreelError:
    error = (body or {}).get("error")
    said: Mapping[str, Any] = error if isinstance(error, dict) else {}
    code = str(said.get("code") or said.get("type") or "")
    return refusal(status, code, str(said.get("message") or ""), headers=headers, request_id=request_id)


def _json(content: bytes) -> Mapping[str, Any] | None:
    try:
        said = json.loads(content)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
