"""Files from web servers: `https:` and `http:` addresses, signed ones, too."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.addresses import lasting
from ..core.deadline import RetryPolicy, retry_after, time_left, within
from ..core.errors import (
    AuthenticationError,
    InvalidQueryError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from ..core.locks import writing
from ..core.silence import silence

if TYPE_CHECKING:
    import httpx

_REDIRECTS = 5
_MARKS = ("etag", "last-modified", "content-length")


class HttpsDownloads:
    """Downloads with retries. Implements `core.remotes.Downloads`.

    No message and no log line says more of an address than scheme, host and path; the HTTP library, which
    would log whole addresses, is silent meanwhile. May be used from several threads.

    Args:
        timeout: Seconds for one file, retries included.
        patience: Seconds without a sign of the server before it counts as gone.
        retry: How what may work later is tried again; `Retry-After` is honoured.
    """

    def __init__(
        self, *, timeout: float = 3600.0, patience: float = 30.0, retry: RetryPolicy | None = None
    ) -> None:
        self._timeout = timeout
        self._patience = patience
        self._retry = retry or RetryPolicy()
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def get(self, url: str, target: Path, *, known: str | None = None) -> str | None:
        """Write the file behind an address to `target`; see `Downloads.get`."""
        with within(self._timeout), silence():
            return self._retry.call(lambda: self._once(url, target, known))

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _once(self, url: str, target: Path, known: str | None) -> str | None:
        shown = lasting(url)
        with _translated(shown):
            client = self._opened()
            with client.stream("GET", url, headers=_conditions(known)) as answer:
                if answer.status_code == 304 and known is not None:
                    return known
                if not answer.is_success:
                    raise _status_error(answer, shown)
                mark = _mark(answer.headers)
                if mark is None or mark != known:
                    with writing(target) as out:
                        for block in answer.iter_bytes():
                            out.write(block)
                            if time_left() <= 0:
                                raise UnavailableError(f"{shown} took longer than {self._timeout:g} s")
                return mark

    def _opened(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(
                    follow_redirects=True,
                    max_redirects=_REDIRECTS,
                    timeout=self._patience,
                    headers={"Accept-Encoding": "identity", "User-Agent": "polyreel"},
                )
            return self._client


@contextmanager
def _translated(shown: str) -> Iterator[None]:
    """The library's errors in our words, without the address that it was given."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        # without its cause, which quotes the address
        raise InvalidQueryError(f"{shown} is no address that can be fetched") from None
    except httpx.TooManyRedirects as error:
        raise RejectedError(f"{shown} redirects more than {_REDIRECTS} times") from error
    except httpx.TimeoutException as error:
        raise UnavailableError(f"{shown} doesn't answer", hint="try again later") from error
    except httpx.HTTPError as error:
        raise UnavailableError(f"{shown} can't be read: {str(error) or type(error).__name__}") from error


def _status_error(answer: httpx.Response, shown: str) -> PolyreelError:
    status = answer.status_code
    said = f"{shown} answered {status} {answer.reason_phrase}".rstrip()
    if status in (404, 410):
        return NotFoundError(said)
    if status in (401, 403):
        return AuthenticationError(said, hint="give an address that is open, or signed anew")
    after = retry_after(answer.headers.get("retry-after", ""))
    if status == 429 or (status == 503 and after is not None):
        return RateLimitedError(said, retry_after=after)
    if status == 408 or status >= 500:
        return UnavailableError(said)
    return RejectedError(said)


def _mark(headers: Mapping[str, str]) -> str | None:
    """What changes when the file does; None where only its size is known."""
    known = {name: headers[name] for name in _MARKS if name in headers}
    return json.dumps(known) if known.keys() & {"etag", "last-modified"} else None


def _conditions(known: str | None) -> dict[str, str]:
    """Headers that ask for the file only if it changed (RFC 9110, section 13.1)."""
    mark: dict[str, str] = json.loads(known) if known else {}
    if "etag" in mark:
        return {"If-None-Match": mark["etag"]}
    return {"If-Modified-Since": mark["last-modified"]} if mark else {}
