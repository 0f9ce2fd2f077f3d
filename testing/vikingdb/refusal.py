"""What the emulator refuses with: a status, a code and a message."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer of the service, no failure of ours
    """An answer that isn't a success.

    Args:
        status: Of HTTP.
        code: The service's, such as `InvalidParameter`; the literals that no document names are our own.
        message: For a person.
        retry_after: Seconds in the header `Retry-After`.
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


def invalid(message: str) -> Refusal:
    """A wrong parameter."""
    return Refusal(400, "InvalidParameter", message)


def missing(name: str) -> Refusal:
    """A parameter that must be given."""
    return Refusal(400, "MissingParameter", f"the parameter {name} is missing")


def unknown(what: str, name: str) -> Refusal:
    """A collection, index or task that isn't there."""
    return Refusal(
        404, f"NotFound.Vikingdb{what}", f"The specified {what} '{name}' of VikingDB does not exist."
    )


def exists(what: str, name: str) -> Refusal:
    """A name that is taken."""
    return Refusal(409, f"AlreadyExists.Vikingdb{what}", f"The {what} '{name}' of VikingDB already exists.")
