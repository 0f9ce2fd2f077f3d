"""Every error that polyreel raises on purpose.

PolyreelError
├── ConfigurationError      a setting, file or name is wrong; nothing was tried
├── InvalidQueryError       an argument, filter or part of a query is wrong; nothing was tried
├── UnsupportedError        this stack can't do that; nothing was tried
├── AuthenticationError     the service refused who we are
├── NotFoundError           a file, object, record or collection isn't there
├── MediaError              a video, image or sound can't be read, cut or accepted
├── RejectedError           the service refused the request itself; the same call fails again
├── IntegrityError          stored data contradicts itself or this configuration
├── LockedError             another process holds the store or folder
└── RetryableError          the same call may work later
    ├── RateLimitedError    too many requests; `retry_after` seconds where the service said so
    └── UnavailableError    no answer, a broken answer, or a failing service
"""

from __future__ import annotations


class PolyreelError(Exception):
    """Base of the tree.

    A message is one line: what failed and what is known. `hint` is what to do next.
    The driver's own error, if any, is `__cause__`.

    Args:
        message: What failed, in one line, without secrets, signed URLs or media bytes.
        hint: What to type or change next.
        request_id: The provider's id of the failed request.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.request_id = request_id

    def __str__(self) -> str:
        """The whole line: message, request id, hint."""
        request = f" (request {self.request_id})" if self.request_id else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.message}{request}{hint}"


class ConfigurationError(PolyreelError):
    """A setting, file or name is wrong; nothing was tried."""

    exit_code = 2


class InvalidQueryError(PolyreelError):
    """An argument, filter or part of a query is wrong; nothing was tried."""

    exit_code = 2


class UnsupportedError(PolyreelError):
    """This stack can't do that; nothing was tried."""

    exit_code = 2


class AuthenticationError(PolyreelError):
    """The service refused who we are."""


class NotFoundError(PolyreelError):
    """A file, object, record or collection isn't there."""


class MediaError(PolyreelError):
    """A video, image or sound can't be read, cut or accepted."""


class RejectedError(PolyreelError):
    """The service refused the request itself; the same call fails again."""


class IntegrityError(PolyreelError):
    """Stored data contradicts itself or this configuration."""


class LockedError(PolyreelError):
    """Another process holds the store or folder."""


class RetryableError(PolyreelError):
    """The same call may work later."""


class RateLimitedError(RetryableError):
    """Too many requests.

    Args:
        retry_after: Seconds to wait, where the service said so.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        hint: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, request_id=request_id)
        self.retry_after = retry_after


class UnavailableError(RetryableError):
    """No answer, a broken answer, or a failing service."""
