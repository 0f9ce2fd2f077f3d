"""Objects read as streams: opened again where a connection was cut, and compared with their checksums."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .errors import IntegrityError

T = TypeVar("T")


class Bytes(Protocol):
    """What a driver gives to read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""

    def close(self) -> None:
        """Let go of the connection or file."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An object that stands open.

    Args:
        stream: Its bytes, from where they were asked for.
        version: What changes when the object does; None where its bytes can't be asked for in pieces.
        md5: The digest of the whole object in hexadecimal, where the store knows it.
    """

    stream: Bytes
    version: str | None = None
    md5: str | None = None


class Attempt(Protocol):
    """One call's work: under a deadline, errors translated, retryable ones retried."""

    def __call__(self, action: Callable[[], T], /) -> T:
        """What the action returns."""


class ObjectStream(io.RawIOBase):
    """The bytes of one object.

    Args:
        name: What to call it in messages.
        reopen: One attempt at opening it from a byte on; hears the version that it must still have, once one
            is known. Raises `IntegrityError` where it has another.
        attempt: How the store calls its driver.

    Raises:
        NotFoundError: There is no such object.
    """

    def __init__(self, name: str, reopen: Callable[[int, str | None], Opened], attempt: Attempt) -> None:
        super().__init__()
        self._name = name
        self._reopen = reopen
        self._attempt = attempt
        self._position = 0
        self._stream: Bytes | None = None  # `close` looks for it, also where it could not be opened
        first = attempt(lambda: reopen(0, None))
        self._version = first.version
        self._md5 = first.md5
        self._digest = hashlib.md5(usedforsecurity=False)
        self._stream = first.stream

    def readable(self) -> bool:
        """Always, until it is closed."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as one read goes; 0 at the end.

        Raises:
            IntegrityError: The object is another by now, or not the one that was stored.
        """
        view = memoryview(buffer).cast("B")
        data = self._attempt(lambda: self._read(len(view)))
        view[: len(data)] = data
        self._position += len(data)
        if self._md5 is not None:
            self._digest.update(data)
            if not data and len(view) and self._digest.hexdigest() != self._md5:
                raise IntegrityError(
                    f"{self._name} came back with other bytes than were stored",
                    hint="read it again; if it stays so, it is damaged and must be stored anew",
                )
        return len(data)

    def close(self) -> None:
        """Let go of the connection or file; a second call does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        super().close()

    def _read(self, size: int) -> bytes:
        if self.closed:
            raise ValueError("the stream of an object was read after it was closed")
        if self._stream is None:
            self._stream = self._reopen(self._position, self._version).stream
        try:
            return self._stream.read(size)
        except BaseException:
            if self._version is not None:
                broken, self._stream = self._stream, None
                broken.close()
            raise
