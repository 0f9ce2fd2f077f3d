"""Calls of the vendor's runtime package: one attempt each, our time limits, errors by their class.

The package calls its client unsafe for threads, so each call has a client of its own, over connections that
all of them share. Its own retries are off: it can't see our deadline, and repeats what is paid for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import volcenginesdkarkruntime as runtime
from volcenginesdkarkruntime import _exceptions as errors

from ...core.ark import refusal
from ...core.deadline import time_left
from ...core.errors import NotFoundError, PolyreelError, UnavailableError
from ...core.logs import redacted
from ...core.silence import silence
from .shape import broken, decoded

_SUFFIXES = {"video/mp4": ".mp4", "video/quicktime": ".mov", "video/avi": ".avi"}
"""The end of an uploaded file's name, by its type: its own may say another, and tells nothing to anybody."""

Said = Mapping[str, Any]
Streamed = tuple[Iterator[Said], str | None]
"""What comes, piece by piece, and the service's id of the request."""


class Client:
    """Sends requests. May be used from several threads.

    Args:
        api_key: Of Ark.
        base_url: With the version of the API.
        patience: Seconds without a sign of the service before it counts as gone.
    """

    def __init__(self, *, api_key: str, base_url: str, patience: float) -> None:
        self._key, self._url, self._patience = api_key, base_url.rstrip("/"), patience
        self._connections = httpx.Client(follow_redirects=False)

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""
        self._connections.close()

    @contextmanager
    def responses(self, body: Said) -> Iterator[Streamed]:
        """The events of an answer of the Responses API."""
        with silence(), self._ark().responses.create(**body) as stream:
            yield _pieces(stream), _request_id(stream)

    @contextmanager
    def chat(self, body: Said) -> Iterator[Streamed]:
        """The chunks of an answer of the Chat API."""
        with silence(), self._ark().chat.completions.create(**body) as stream:
            yield _pieces(stream), _request_id(stream)

    def upload(self, path: Path, kind: str, *, fps: float, expires: float) -> Said:
        """The description of a file that is uploaded; its own name stays here.

        Args:
            path: The file.
            kind: Its content type.
            fps: Frames a second at which the service samples it.
            expires: When the service shall forget it, in seconds since 1970.
        """
        with silence(), decoded(), path.open("rb") as stream:
            made = self._ark().files.create(
                file=(f"video{_SUFFIXES[kind]}", stream, kind),
                purpose="user_data",
                preprocess_configs={"video": {"fps": fps}},
                expire_at=int(expires),
            )
        return _plain(made)

    def file(self, id: str) -> Said:
        """The description of a file."""
        with silence(), decoded():
            return _plain(self._ark().files.retrieve(id))

    def delete(self, id: str) -> None:
        """Delete a file."""
        with silence(), decoded():
            self._ark().files.delete(id)

    def translate(self, error: Exception) -> PolyreelError | None:
        """The package's or the HTTP library's error in our words; None for an error that isn't theirs."""
        if isinstance(error, errors.ArkAPIStatusError):
            request_id = error.response.headers.get("x-request-id") or error.request_id
            if error.status_code == 404 and "/files/" in error.request.url.path:
                return NotFoundError("Ark has no such file, or no longer", request_id=request_id)
            return refusal(
                error.status_code,
                _code(error),
                _message(error),
                headers=error.response.headers,
                request_id=request_id,
            )
        if isinstance(error, errors.ArkAPITimeoutError | httpx.TimeoutException):
            return UnavailableError("Ark doesn't answer", hint="try again later")
        if isinstance(error, errors.ArkAPIConnectionError | httpx.HTTPError):
            why = redacted(error.__cause__ or error) or type(error).__name__
            return UnavailableError(
                f"Ark can't be reached: {why[:200]}", hint="check the network and base_url, then try again"
            )
        if isinstance(error, errors.ArkAPIError):  # told inside a stream
            return refusal(None, _code(error), _message(error), request_id=error.request_id)
        return None

    def _ark(self) -> Any:
        seconds = min(self._patience, time_left())
        if seconds <= 0:
            raise UnavailableError("there is no time left for a call to Ark", hint="raise the timeout")
        return runtime.Ark(
            api_key=self._key,
            base_url=self._url,
            timeout=httpx.Timeout(seconds),
            max_retries=0,
            http_client=self._connections,
        )


def _pieces(stream: Any) -> Iterator[Said]:
    """The events as plain values; one that is cut short is a lost answer."""
    pieces = iter(stream)
    while True:
        if time_left() <= 0:  # a stream that never falls silent has no other end
            raise UnavailableError("the answer took longer than it may", hint="raise the timeout")
        try:
            with decoded():
                piece = next(pieces)
        except StopIteration:
            return
        yield _plain(piece)


def _plain(made: Any) -> Said:
    if not isinstance(made, runtime._models.BaseModel):  # noqa: SLF001 - what every answer of the package is
        raise broken()
    values: dict[str, Any] = made.model_dump(warnings=False)
    return values


def _request_id(stream: Any) -> str | None:
    id: str | None = stream.response.headers.get("x-request-id")
    return id


def _code(error: errors.ArkAPIError) -> str:
    return str(error.code or error.type or "")


def _message(error: errors.ArkAPIError) -> str:
    """The service's own words, without what the package puts around them."""
    body = error.body
    return str(body.get("message") or "") if isinstance(body, dict) else error.message
