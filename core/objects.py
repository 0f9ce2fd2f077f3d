"""The contract of object stores. Adapters write the underscored hooks; the rules live here.

Every line of a public method's docstring is a test of `polyreel.testing.objects.ObjectContract`.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar, final
from urllib.parse import unquote

from .adapter import Adapter
from .contenttypes import content_type_of
from .deadline import RetryPolicy, anew, check_time, within
from .errors import (
    IntegrityError,
    InvalidQueryError,
    NotFoundError,
    PolyreelError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from .locks import writing
from .parts import Upload, md5_of, send
from .streams import ObjectStream, Opened
from .upload_marks import Mark

_BLOCK = 1 << 20  # bytes moved at once
_ABORT = 30.0  # seconds for deleting the parts of a failed upload, whatever became of its own deadline
_MAX_PARTS = 10_000  # of one upload, in S3 and in TOS

Progress = Callable[[int], None]
"""Hears the bytes moved so far."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store says of an object: bytes, seconds since 1970, and a checksum where it has one."""

    key: str
    size: int
    modified: float
    checksum: str | None = None


class ObjectStore(Adapter, ABC):
    """Files by key, in one bucket or folder.

    A key is a relative path: parts joined by `/`, none of them empty, `.` or `..`; 900 bytes at most.
    May be used from several threads.

    Args:
        timeout: Seconds for one call, or one piece of a transfer, its retries included.
        transfer_timeout: Seconds for one `put` or `get` as a whole.
        retry: How what may work later is tried again.
    """

    schemes: ClassVar[frozenset[str]]
    """Schemes of its own addresses, such as `file` or `s3`."""

    part_size: int | None = None
    """Bytes above which `put` sends an object in parts of this size; None puts it in one piece."""

    resumes_uploads: ClassVar[bool] = False
    """Whether the next `put` goes on with what a killed process had sent of the same object."""

    parts_at_once: int = 4
    """Parts of one object that are on their way at once, each held in memory."""

    def __init__(
        self, *, timeout: float = 30.0, transfer_timeout: float = 3600.0, retry: RetryPolicy | None = None
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._transfer_timeout = transfer_timeout

    @final
    def ensure_bucket(self) -> None:
        """Make the bucket or folder when it is missing; a second call changes nothing."""
        self._attempt(self._ensure_bucket)

    @final
    def put(
        self,
        key: str,
        source: Path | bytes,
        *,
        content_type: str | None = None,
        progress: Progress | None = None,
    ) -> ObjectInfo:
        """Store bytes or a file; an existing object is replaced.

        - Readers see the old object or the new one, never a part.
        - A source that can't be read is `NotFoundError`, and the object stays as it was.
        - The content type is told by the key's ending where none is given.
        """
        checked, listen = checked_key(key), progress or _ignore
        kind = content_type or content_type_of(checked)
        with within(self._transfer_timeout), readable(source) as stream:
            size = stream.seek(0, io.SEEK_END)
            if self.part_size is not None and size > self.part_size:
                return self._put_in_parts(checked, stream, size, kind, listen)
            return self._attempt(lambda: self._put(checked, source, kind, listen))

    @final
    def get(self, key: str, target: Path, *, progress: Progress | None = None) -> Path:
        """Write an object to a local file; a file half written is never left.

        A connection that is cut is opened again where it ended.

        Raises:
            NotFoundError: There is no such object.
            IntegrityError: Its bytes are not those that were stored.
            UnavailableError: The store failed again and again, or it took longer than `transfer_timeout`.
        """
        with within(self._transfer_timeout), self._stream(key) as stream, writing(target) as out:
            moved = 0
            while block := stream.read(_BLOCK):
                check_time()
                out.write(block)
                moved += len(block)
                if progress is not None:
                    progress(moved)
        return target

    @final
    def read(self, key: str) -> bytes:
        """All bytes of a small object; `NotFoundError` where there is none."""
        with self._stream(key) as stream:
            return stream.read()

    @final
    def abandon(self, mark: str) -> None:
        """Delete what was sent of an upload that nobody goes on with, by the key of its mark, and the mark.

        - One that is gone is fine.
        """
        with suppress(NotFoundError, IntegrityError):
            left = Mark.from_bytes(self.read(mark))
            if upload := self._taken_up(left):
                self._attempt(upload.abort)
        self._attempt(lambda: self._delete(mark))

    @final
    def open(self, key: str) -> BinaryIO:
        """A stream of the object's bytes, which the caller closes; `NotFoundError` where there is none.

        Reading it raises what `get` raises.
        """
        return self._stream(key)

    @final
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key starts with the prefix, in the order of keys' UTF-8 bytes.

        Objects of others whose keys can't be keys, such as `folder/`, are left out.
        """
        return self._list(prefix) if _may_begin_a_key(prefix) else iter(())

    @final
    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return self.stat(key) is not None

    @final
    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object; None where there is none."""
        checked = checked_key(key)
        return self._attempt(lambda: self._stat(checked))

    @final
    def delete(self, key: str) -> None:
        """Delete an object; a missing one is fine."""
        checked = checked_key(key)
        self._attempt(lambda: self._delete(checked))

    @final
    def uri(self, key: str) -> str:
        """The lasting address of a key (`file:`, `s3:`, `tos:`), without credentials."""
        return self._uri(checked_key(key))

    @final
    def key(self, uri: str) -> str | None:
        """The key behind one of this store's own addresses; None for any other address."""
        key = self._key(uri)
        try:
            return None if key is None else checked_key(key)
        except InvalidQueryError:
            return None

    @final
    def url(self, key: str, *, expires: float = 3600.0) -> str:
        """An address that anybody can fetch for `expires` seconds; a secret, never logged."""
        checked = checked_key(key)
        return self._attempt(lambda: self._url(checked, expires))

    @final
    def path(self, uri: str) -> Path | None:
        """The local file behind an address, where it is one."""
        return self._path(uri)

    @final
    def refer(self, path: Path) -> str | None:
        """The address of a local file that this store serves where it lies; None when it wants a copy."""
        return self._refer(path)

    # -- hooks --------------------------------------------------------------------------------------------

    @abstractmethod
    def _ensure_bucket(self) -> None: ...

    @abstractmethod
    def _put(
        self, key: str, source: Path | bytes, content_type: str | None, progress: Progress
    ) -> ObjectInfo: ...

    def _begin(self, key: str, content_type: str | None, md5: str) -> Upload:
        """Begin an upload in parts, where `part_size` is set.

        Args:
            key: As for `_put`.
            content_type: As for `_put`.
            md5: The digest of the whole object in hexadecimal.
        """
        raise UnsupportedError(f"{self.kind} objects can't be put in parts")

    def _resume(self, key: str, id: str, md5: str) -> Upload | None:
        """The upload that another process began, with the parts that came; None where it is gone.

        Args:
            key: As for `_begin`.
            id: `Upload.id`.
            md5: As for `_begin`; the same as then.
        """
        raise UnsupportedError(f"{self.kind} objects can't be resumed")

    @abstractmethod
    def _open_object(self, key: str, start: int, version: str | None) -> Opened:
        """Open an object from a byte on.

        Args:
            key: Of the object.
            start: 0 unless a connection was cut.
            version: Of the object as it was first opened; `IntegrityError` where it is another by now.
        """

    @abstractmethod
    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        """`_pages` makes it of pages, for a store that lists so."""

    @abstractmethod
    def _stat(self, key: str) -> ObjectInfo | None: ...

    @abstractmethod
    def _delete(self, key: str) -> None: ...

    @abstractmethod
    def _uri(self, key: str) -> str: ...

    @abstractmethod
    def _url(self, key: str, expires: float) -> str: ...

    def _key(self, uri: str) -> str | None:
        """The rest of an address that begins as all of ours do, when that key really has this address."""
        start = self._uri("_").removesuffix("_")
        rest = uri.removeprefix(start)
        found = (key for key in (rest, unquote(rest)) if key and self._uri(key) == uri)
        return next(found, None) if rest != uri else None

    def _pages(
        self, page: Callable[[str | None], tuple[Sequence[ObjectInfo], str | None]]
    ) -> Iterator[ObjectInfo]:
        """A listing page by page, each tried again by itself.

        Args:
            page: One attempt at a page; hears what the page before it returned beside its objects, None for
                the first. None beside the objects ends the listing.
        """
        after: str | None = None
        while True:
            before, (infos, after) = after, self._attempt(partial(page, after))
            if after is not None and after == before:
                raise UnavailableError(f"the {self.kind} store lists the same page again and again")
            for info in infos:
                with suppress(InvalidQueryError):  # a stranger's object
                    checked_key(info.key)
                    yield info
            if after is None:
                return

    def _path(self, uri: str) -> Path | None:
        """No local file."""
        return None

    def _refer(self, path: Path) -> str | None:
        """Wants a copy."""
        return None

    # -- inside -------------------------------------------------------------------------------------------

    def _stream(self, key: str) -> io.BufferedReader:
        checked = checked_key(key)
        raw = ObjectStream(
            self._uri(checked),
            lambda start, version: self._open_object(checked, start, version),
            self._attempt,
        )
        return io.BufferedReader(raw, _BLOCK)

    def _put_in_parts(
        self, key: str, stream: BinaryIO, size: int, content_type: str | None, progress: Progress
    ) -> ObjectInfo:
        """Nothing is left of an upload that fails; one whose process is killed can be resumed."""
        assert self.part_size is not None  # that is why it goes in parts
        mark = Mark(key, md5_of(stream))

        def begun() -> Upload:
            return self._attempt(lambda: self._begin(key, content_type, mark.md5))

        resumed = self._resumed(mark)
        try:
            return self._sent(mark, resumed or begun(), stream, size, progress)
        except NotFoundError:  # another process, which shares the upload, has finished it or given it up
            if not self.resumes_uploads:
                raise
        except RejectedError:  # as of a part that came otherwise, which the store lets nobody send again
            if not resumed:
                raise
        stream.seek(0)
        return self._sent(mark, begun(), stream, size, progress)

    def _sent(
        self, mark: Mark, upload: Upload, stream: BinaryIO, size: int, progress: Progress
    ) -> ObjectInfo:
        assert self.part_size is not None
        try:
            self._mark(mark, upload)
            info = send(
                upload,
                stream,
                md5=mark.md5,
                part_size=max(self.part_size, -(-size // _MAX_PARTS)),
                at_once=self.parts_at_once,
                attempt=self._attempt,
                progress=progress,
            )
        except BaseException:
            with suppress(PolyreelError), anew(_ABORT):  # the first error is the one to tell
                self._attempt(upload.abort)
                self._unmark(mark)
            raise
        with suppress(PolyreelError):  # the object is there; `gc` finds a mark that is left
            self._unmark(mark)
        return info

    def _resumed(self, mark: Mark) -> Upload | None:
        """The same upload as far as a killed process had come, if there is one."""
        if not self.resumes_uploads:
            return None
        try:
            left = Mark.from_bytes(self.read(mark.place))
        except (NotFoundError, IntegrityError):
            return None
        return self._taken_up(left)

    def _taken_up(self, left: Mark) -> Upload | None:
        if not self.resumes_uploads:
            return None
        return self._attempt(lambda: self._resume(left.key, left.upload, left.md5))

    def _mark(self, mark: Mark, upload: Upload) -> None:
        """Say that it is under way; of one that is gone on with, that it is so since now."""
        if self.resumes_uploads:
            body = replace(mark, upload=upload.id).to_bytes()
            self._attempt(lambda: self._put(mark.place, body, "application/json", _ignore))

    def _unmark(self, mark: Mark) -> None:
        if self.resumes_uploads:
            self._attempt(lambda: self._delete(mark.place))


def checked_key(key: str) -> str:
    """The key, or `InvalidQueryError` when it could mean another place than it says."""
    parts = key.split("/")
    try:
        short = len(key.encode()) <= 900 and all(len(part.encode()) <= 255 for part in parts)
    except UnicodeEncodeError:
        short = False
    if not short or not key.isprintable() or "\\" in key or any(part in ("", ".", "..") for part in parts):
        raise InvalidQueryError(f"{key[:80]!a} can't be the key of an object")
    return key


def _may_begin_a_key(prefix: str) -> bool:
    """Whether any key can start so; stores disagree about the others."""
    return not any(part in ("", ".", "..") for part in prefix.split("/")[:-1])


def readable(source: Path | bytes) -> BinaryIO:
    """What is to be put, from its start on; `NotFoundError` where it can't be read."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise NotFoundError(f"{source} can't be read: {error.strerror}") from error


def _ignore(_: int) -> None:
    """Nobody listens."""
