"""What the three bases share: a deadline, retries and the translation of a driver's errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from .deadline import RetryPolicy, begun, over, within
from .errors import PolyreelError, RetryableError

T = TypeVar("T")


class Adapter:
    """Base of the bases.

    Args:
        timeout: Seconds for one public call, its retries included.
        retry: How retryable errors are tried again; a driver's own retries are off.
    """

    kind: ClassVar[str]

    def __init__(self, *, timeout: float = 30.0, retry: RetryPolicy | None = None) -> None:
        self._timeout = timeout
        self._retry = retry or RetryPolicy()

    def close(self) -> None:
        """Let go of files and connections; a second call does nothing."""
        self._close()

    def __enter__(self) -> Self:
        """The adapter itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _close(self) -> None:
        """Nothing to let go of."""

    def _translate(self, error: Exception) -> PolyreelError | None:
        """The driver's error in our words; None for an error that isn't the driver's."""
        return None

    def _attempt(
        self,
        action: Callable[[], T],
        *,
        seconds: float | None = None,
        on: type[RetryableError] = RetryableError,
    ) -> T:
        """One public call's work: under the deadline, errors translated, retryable ones retried.

        Args:
            action: The work.
            seconds: Of the deadline; the adapter's own when left out.
            on: Which errors are tried again.
        """
        outer = begun(self._timeout if seconds is None else seconds)
        try:  # a search in process takes less than a millisecond: what is usual goes through no other call
            return action()
        except Exception as error:  # noqa: BLE001  # raised again there, or what came of it
            return self._retry.after(self._ours(error), partial(self._translated, action), on)
        finally:
            over(outer)

    def _once(self, action: Callable[[], T], *, seconds: float | None = None) -> T:
        """As `_attempt`, but never tried again."""
        with within(self._timeout if seconds is None else seconds):
            return self._translated(action)

    def _translated(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except Exception as error:
            ours = self._ours(error)
            if ours is error:
                raise
            raise ours from error

    def _ours(self, error: Exception) -> Exception:
        """The error in our words; itself, where it is ours already, or not the driver's."""
        if isinstance(error, PolyreelError):
            return error
        ours = self._translate(error)
        if ours is None:
            return error
        ours.__cause__ = error
        return ours
