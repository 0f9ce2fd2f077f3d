"""Files in a folder: the object store of a machine without one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..core.addresses import local_path
from ..core.deadline import RetryPolicy
from ..core.errors import InvalidQueryError, NotFoundError, PolyreelError
from ..core.locks import disk_error, is_temporary, replacing
from ..core.objects import ObjectInfo, ObjectStore, Progress, checked_key, readable
from ..core.streams import Opened

_BLOCK = 1 << 20  # bytes moved at once


class LocalObjects(ObjectStore):
    """Objects as files below one folder, by their keys. Contract: `ObjectStore`.

    A key can't lead out of the folder, not by a symbolic link either; linked folders are not listed.
    Addresses are `file:` URIs: they serve this machine only, and don't expire.

    Args:
        path: The folder; made when it is missing.
        copy: Whether files that lie elsewhere are to be copied in, in place of being used where they are.
        timeout: Seconds for one call, its retries included.
        retry: How a disk that fails for the moment is tried again.
    """

    kind = "local"
    schemes = frozenset({"file"})

    def __init__(
        self, *, path: Path, copy: bool = False, timeout: float = 30.0, retry: RetryPolicy | None = None
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._root = Path(path).expanduser().absolute()
        self._copy = copy

    def _ensure_bucket(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)

    def _put(
        self, key: str, source: Path | bytes, content_type: str | None, progress: Progress
    ) -> ObjectInfo:
        target = self._place(key)
        with readable(source) as stream:
            try:
                with replacing(target) as out:
                    _copy(stream, out, progress)
                    return _info(key, os.fstat(out.fileno()))
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise InvalidQueryError(self._clash(key)) from error

    def _open_object(self, key: str, start: int, version: str | None) -> Opened:
        path = self._place(key)
        if not path.is_file():
            raise NotFoundError(f"there is no object {key!r} in {self._root}")
        return Opened(path.open("rb"))

    def _stat(self, key: str) -> ObjectInfo | None:
        path = self._place(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            if path.is_file():
                return _info(key, path.stat())
        return None

    def _delete(self, key: str) -> None:
        path = self._place(key)
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
        with suppress(OSError):  # a folder that holds something stays
            for folder in path.parents:
                if folder == self._root:
                    break
                folder.rmdir()

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        try:
            yield from self._below("", prefix)
        except OSError as error:
            raise disk_error(error, f"the files in {self._root}") from error

    def _below(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        """The objects of a folder (`""`, or a key and a slash) in the order of their whole keys."""
        for name in _names(self._root / folder):
            key = folder + name
            if key.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._below(key, prefix)
            elif key.startswith(prefix):
                with suppress(InvalidQueryError):  # a stranger's file, whose name can't be a key
                    if (info := self._stat(checked_key(key))) is not None:
                        yield info

    def _uri(self, key: str) -> str:
        return self._place(key).as_uri()

    def _url(self, key: str, expires: float) -> str:
        return self._uri(key)

    def _key(self, uri: str) -> str | None:
        path = local_path(uri)
        inside = path is not None and path.is_relative_to(self._root)
        return path.relative_to(self._root).as_posix() if path and inside else None

    def _path(self, uri: str) -> Path | None:
        return local_path(uri)

    def _refer(self, path: Path) -> str | None:
        return None if self._copy else path.absolute().as_uri()

    def _translate(self, error: Exception) -> PolyreelError | None:
        return disk_error(error, f"the files in {self._root}") if isinstance(error, OSError) else None

    def _place(self, key: str) -> Path:
        """The file of a key, if it lies in our folder."""
        path = self._root / key
        if is_temporary(path.name):
            raise InvalidQueryError(f"{key!r} can't be a key: files have such names while they are written")
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._root)):
            raise InvalidQueryError(f"the key {key!r} leads out of {self._root} by a symbolic link")
        return path

    def _clash(self, key: str) -> str:
        """Which object is in the way: a file where the key needs a folder, or the other way round."""
        for above in reversed(Path(key).parents):
            if (self._root / above).is_file():
                return f"{key!r} can't be stored beside {above.as_posix()!r}: a file can't be a folder, too"
        below = next(self._list(f"{key}/"), None)
        inside = below.key if below else f"{key}/"
        return f"{key!r} can't be stored beside {inside!r}: a folder can't be a file, too"


def _names(folder: Path) -> list[str]:
    """What a folder holds, folders with a slash at the end, sorted as the keys below them are."""
    try:
        with os.scandir(folder) as entries:
            names = [
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if not is_temporary(entry.name)
            ]
    except (FileNotFoundError, NotADirectoryError):  # deleted meanwhile
        return []
    return sorted(names, key=os.fsencode)


def _copy(source: BinaryIO, target: BinaryIO, progress: Progress) -> None:
    moved = 0
    while block := source.read(_BLOCK):
        target.write(block)
        moved += len(block)
        progress(moved)
    target.flush()


def _info(key: str, stat: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, stat.st_size, stat.st_mtime)
