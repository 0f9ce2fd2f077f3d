"""The contract of object stores. Adapters write the underscored hooks; the rules live here.

Every line of a public method's docstring is a test of `polyreel.testing.objects.ObjectContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, final
from urllib.parse import unquote

from .adapter import Adapter
from .errors import InvalidQueryError

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
    """

    schemes: ClassVar[frozenset[str]]
    """Schemes of its own addresses, such as `file` or `s3`."""

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
        """
        checked = checked_key(key)
        return self._attempt(lambda: self._put(checked, source, content_type, progress or _ignore))

    @final
    def get(self, key: str, target: Path, *, progress: Progress | None = None) -> Path:
        """Write an object to a local file; a file half written is never left.

        Raises:
            NotFoundError: There is no such object.
        """
        checked = checked_key(key)
        return self._attempt(lambda: self._get(checked, target, progress or _ignore))

    @final
    def read(self, key: str) -> bytes:
        """All bytes of a small object; `NotFoundError` where there is none."""
        checked = checked_key(key)

        def whole() -> bytes:
            with self._open_object(checked) as stream:
                return stream.read()

        return self._attempt(whole)

    @final
    def open(self, key: str) -> BinaryIO:
        """A stream of the object's bytes, which the caller closes; `NotFoundError` where there is none."""
        checked = checked_key(key)
        return self._attempt(lambda: self._open_object(checked))

    @final
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key starts with the prefix, in the order of keys' UTF-8 bytes."""
        return self._list(prefix)

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

    @abstractmethod
    def _get(self, key: str, target: Path, progress: Progress) -> Path: ...

    @abstractmethod
    def _open_object(self, key: str) -> BinaryIO: ...

    @abstractmethod
    def _list(self, prefix: str) -> Iterator[ObjectInfo]: ...

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

    def _path(self, uri: str) -> Path | None:
        """No local file."""
        return None

    def _refer(self, path: Path) -> str | None:
        """Wants a copy."""
        return None


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


def _ignore(_: int) -> None:
    """Nobody listens."""
