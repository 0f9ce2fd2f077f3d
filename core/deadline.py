"""One deadline for all that a call does, and the retries inside it.

A caller sets it once; everything below reads what is left:

    with within(30):
        store.search([...])     # retries, waits and driver timeouts all fit into the 30 seconds
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from .errors import RateLimitedError, RetryableError, UnavailableError
from .logs import LOGGER

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")
_END: ContextVar[float | None] = ContextVar("polyreel_deadline", default=None)


class _Until:
    """A deadline, in force while the block runs; every call of an adapter has one, so it is no generator."""

    __slots__ = ("_end", "_outer")
    _outer: Token[float | None]

    def __init__(self, end: float) -> None:
        self._end = end

    def __enter__(self) -> None:
        self._outer = _END.set(self._end)

    def __exit__(self, *_: object) -> None:
        _END.reset(self._outer)


def within(seconds: float) -> AbstractContextManager[None]:
    """Give everything inside at most this long; an outer, earlier deadline stays in force."""
    return _Until(_end(seconds))


def begun(seconds: float) -> Token[float | None]:
    """As entering `within`; `over` ends it. For the calls of an adapter: a block costs four times as much."""
    return _END.set(_end(seconds))


over = _END.reset
"""Ends what `begun` began, with what that gave."""


def _end(seconds: float) -> float:
    end, outer = time.monotonic() + seconds, _END.get()
    return end if outer is None else min(end, outer)


def anew(seconds: float) -> AbstractContextManager[None]:
    """Give everything inside this long, even after an outer deadline: for tidying up behind a call."""
    return _Until(time.monotonic() + seconds)


def time_left(default: float = float("inf")) -> float:
    """Seconds until the deadline, never below 0; `default` where none is set."""
    end = _END.get()
    return default if end is None else max(0.0, end - time.monotonic())


def check_time() -> None:
    """Stop a long work whose deadline is over.

    Raises:
        UnavailableError: No time is left.
    """
    if time_left() <= 0:
        raise UnavailableError("it took longer than it may", hint="raise the timeout or try again later")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how patiently, a retryable error is tried again.

    Args:
        attempts: Calls in all; 1 never retries.
        base: Seconds of the first wait; each further wait doubles, with full jitter.
        cap: Longest wait in seconds. A longer `retry_after` is honoured while the deadline allows it.
        sleep: Tests put their own clock here.
    """

    attempts: int = 5
    base: float = 0.5
    cap: float = 20.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, action: Callable[[], T], on: type[RetryableError] = RetryableError) -> T:
        """Call until it succeeds, fails for good, or attempts or time run out; the last error is raised.

        Args:
            action: What is called.
            on: Which errors are tried again.
        """
        try:
            return action()
        except on as error:
            return self.after(error, action, on)

    def after(self, first: Exception, action: Callable[[], T], on: type[RetryableError]) -> T:
        """As `call`, after a first call that failed."""
        if self.attempts == 1 or not isinstance(first, on):
            raise first
        import tenacity  # here, since most calls never need it and it is slow to import

        failed = [first]

        def replay() -> T:
            if failed:
                raise failed.pop()
            return action()

        backoff = tenacity.wait_random_exponential(multiplier=self.base, max=self.cap)

        def wait(state: tenacity.RetryCallState) -> float:
            return max(_asked_wait(state), backoff(state))

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(on),
            stop=lambda state: state.attempt_number >= self.attempts or state.upcoming_sleep >= time_left(),
            wait=wait,
            sleep=self.sleep,
            before_sleep=_told,
            reraise=True,
        )
        return retrying(replay)


def _told(state: tenacity.RetryCallState) -> None:
    """Log that the call is tried again, and why."""
    extra = {"attempt": state.attempt_number, "wait": round(state.upcoming_sleep, 3)}
    error = state.outcome.exception() if state.outcome else None
    LOGGER.warning("retry", extra=extra, exc_info=error)


def _asked_wait(state: object) -> float:
    """The seconds that the service asked us to wait."""
    error = state.outcome.exception()  # type: ignore[attr-defined]
    return (error.retry_after or 0.0) if isinstance(error, RateLimitedError) else 0.0


def retry_after(value: str) -> float | None:
    """Seconds that a header `Retry-After` asks for, by number or date (RFC 9110, 10.2.3); else None."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    from email.utils import parsedate_to_datetime  # here, since it is slow to import

    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def poll(
    ready: Callable[[], bool], *, what: str, timeout: float, first: float = 0.05, cap: float = 5.0
) -> None:
    """Ask until it is so, at growing distances.

    Raises:
        UnavailableError: It was not so within `timeout` seconds.
    """
    with within(timeout):
        pause = first
        while not ready():
            if time_left() <= 0:
                raise UnavailableError(
                    f"{what} is not ready after {timeout:g} s", hint="raise the timeout or try again later"
                )
            time.sleep(min(pause, time_left()))
            pause = min(pause * 2, cap)
