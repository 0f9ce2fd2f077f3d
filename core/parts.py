"""Uploads in parts: each is tried again by itself, several go at once, and a failure leaves nothing."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, BinaryIO

from .deadline import check_time
from .errors import IntegrityError

if TYPE_CHECKING:
    from .objects import ObjectInfo
    from .streams import Attempt

_BLOCK = 1 << 20  # bytes read at once


class Upload(ABC):
    """A large object on its way into a store. Each method is one attempt, and may be called again."""

    @property
    def id(self) -> str:
        """By which the store knows it in another process, where it `resumes_uploads`."""
        return ""

    def arrived(self, number: int, body: bytes) -> bool:
        """Whether the very part came already from an earlier process; nothing is asked for that."""
        return False

    @abstractmethod
    def part(self, number: int, body: bytes) -> None:
        """Send a part, numbered from 1 on; several threads send different ones at once."""

    @abstractmethod
    def finish(self) -> ObjectInfo:
        """Make the object of its parts; until then readers see the old one, or none."""

    @abstractmethod
    def abort(self) -> None:
        """Delete the parts that were sent."""


def send(
    upload: Upload,
    stream: BinaryIO,
    *,
    md5: str,
    part_size: int,
    at_once: int,
    attempt: Attempt,
    progress: Callable[[int], None],
) -> ObjectInfo:
    """Send a stream part by part and make the object of it.

    Args:
        upload: Has begun.
        stream: At its start.
        md5: The digest that the whole stream must have; the object is not made of another.
        part_size: Bytes of each part but the last.
        at_once: Parts that are on their way, and in memory, at once.
        attempt: How the store calls its driver.
        progress: Hears the bytes of the parts that arrived, in order.

    Raises:
        IntegrityError: The file changed while it was read.
        UnavailableError: It took longer than it may, or a part failed for good.
    """
    digest = hashlib.md5(usedforsecurity=False)
    sent = 0
    with ThreadPoolExecutor(at_once, thread_name_prefix="polyreel-upload") as pool:
        running: deque[tuple[int, Future[None]]] = deque()
        try:
            for number, body in enumerate(_pieces(stream, part_size), start=1):
                check_time()
                if len(running) == at_once:
                    sent += _arrived(running)
                    progress(sent)
                digest.update(body)
                running.append((len(body), _sending(pool, upload, number, body, attempt)))
            while running:
                sent += _arrived(running)
                progress(sent)
        except BaseException:
            for _, future in running:
                future.cancel()
            raise
    if digest.hexdigest() != md5:
        raise IntegrityError("the file changed while it was stored", hint="store it again once it is whole")
    return attempt(upload.finish)


def came(body: bytes, size: object, etag: str) -> bool:
    """Whether a part that a store tells of is these bytes, by the MD5 that most ETags of parts are.

    An ETag that is none, as of a part that was encrypted by a key service, is no MD5 of anything: it says no.
    """
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return size == len(body) and etag.strip('"').lower() == md5


def md5_of(stream: BinaryIO) -> str:
    """The digest of a whole stream in hexadecimal, which is then at its start again."""
    stream.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    for piece in _pieces(stream, _BLOCK):
        digest.update(piece)
    stream.seek(0)
    return digest.hexdigest()


def _sending(
    pool: ThreadPoolExecutor, upload: Upload, number: int, body: bytes, attempt: Attempt
) -> Future[None]:
    """The deadline goes with the part to its thread."""

    def sent() -> None:
        if not upload.arrived(number, body):
            attempt(lambda: upload.part(number, body))

    return pool.submit(copy_context().run, sent)


def _arrived(running: deque[tuple[int, Future[None]]]) -> int:
    """The size of the oldest part, once it has arrived."""
    size, future = running.popleft()
    future.result()
    return size


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while piece := stream.read(size):
        yield piece
