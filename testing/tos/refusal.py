"""What the emulator of TOS refuses with. Of the codes only `NoSuchKey` is known; the others are inferred."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer of the service, no failure of ours
    """An answer that isn't a success.

    Args:
        status: Of HTTP.
        code: The service's.
        message: For a person.
        ec: The finer code, by which the SDK tells a missing bucket from a missing object.
        retry_after: Seconds in the header `Retry-After`.
    """

    def __init__(
        self, status: int, code: str, message: str, *, ec: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.ec = ec
        self.retry_after = retry_after


def no_bucket() -> Refusal:
    """There is no such bucket."""
    return Refusal(404, "NoSuchBucket", "The specified bucket does not exist.", ec="0006-00000001")


def no_key() -> Refusal:
    """There is no such object."""
    return Refusal(404, "NoSuchKey", "The specified key does not exist.", ec="0017-00000003")


def no_upload() -> Refusal:
    """There is no such upload, or none any more."""
    return Refusal(404, "NoSuchUpload", "The specified upload does not exist.")
