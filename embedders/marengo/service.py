"""The TwelveLabs SDK, held so that one call is one request: no retry, no redirect, no variable of its own.

Of the SDK's client only the generated part is used. The wrapper round it lets `TWELVELABS_BASE_URL` win over
what is configured, and retries without the body of a form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx
from twelvelabs.base_client import BaseClient
from twelvelabs.core.request_options import RequestOptions

from ...core.deadline import time_left
from ...core.errors import NotFoundError, UnavailableError
from ...core.silence import silence

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Service:
    """One account of TwelveLabs. May be used from several threads.

    Args:
        api_key: Of the account.
        base_url: With the version of the API.
        patience: Seconds without a sign of the service before it counts as gone.
    """

    def __init__(self, *, api_key: str, base_url: str, patience: float) -> None:
        self._patience = patience
        self._http = httpx.Client(timeout=patience, follow_redirects=False)
        self.client = BaseClient(base_url=base_url.rstrip("/"), api_key=api_key, httpx_client=self._http)

    def options(self) -> RequestOptions:
        """The options of one call, within the deadline in force; retries are the base's."""
        seconds = max(0.001, min(self._patience, time_left()))
        # The SDK's type says whole seconds; it hands the number to httpx as it is.
        return RequestOptions(timeout_in_seconds=seconds, max_retries=0)  # type: ignore[typeddict-item]

    def put(self, url: str, content: bytes, headers: Mapping[str, str]) -> str:
        """Send one chunk to a presigned address, without the key; returns the proof of it."""
        with silence():
            answer = self._http.put(url, content=content, headers=dict(headers), timeout=self._patience)
        if not answer.is_success:  # the library's own error would quote the address
            raise UnavailableError(f"the upload of a chunk was answered with {answer.status_code}")
        return str(answer.headers.get("etag", "")).strip('"')

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""
        self._http.close()


def checked_id(id: str | None, what: str) -> str:
    """An id as it may stand in a path: the SDK doesn't quote it.

    Raises:
        NotFoundError: It is none that the service gives.
    """
    if id is None or not _ID.fullmatch(id):
        raise NotFoundError(f"{str(id)[:40]!r} is no id of {what}")
    return id
