"""Milvus Lite: a file that one process has open, by a server in that process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pymilvus.exceptions import ConnectionConfigException

from ...core.deadline import time_left
from ...core.errors import ConfigurationError, IntegrityError, LockedError, UnavailableError
from ...core.locks import FolderLock, sync_folder
from ...core.registry import missing
from .client import Client
from .connection import GRPC, limit


def database(path: Path) -> Path:
    """The file that a path names.

    Raises:
        ConfigurationError: Milvus Lite would not take it, or isn't installed: pymilvus alone brings none.
    """
    if find_spec("milvus_lite") is None:
        raise missing(ModuleNotFoundError(name="milvus_lite"), "Milvus Lite")
    if path.suffix != ".db":
        raise ConfigurationError(f"the path of Milvus Lite is {path}; it must end in .db")
    return path.expanduser().absolute()


class LiteConnection:
    """A file of Milvus Lite, of which one store of this process has one collection.

    Milvus Lite bears many readers, but one writer, and while it writes its memory to disk readers miss rows;
    so callers take turns. Most of it is Python, so little is lost.

    Args:
        path: The `.db`, which is a folder.
        collection: The collection that nobody else opens meanwhile.
        lock_wait: Seconds to wait for another process that holds the file.
    """

    def __init__(self, path: Path, collection: str, *, lock_wait: float) -> None:
        self.where = f"Milvus Lite at {path}"
        self._path = path
        self._collection = collection
        self._turn = threading.Lock()
        _FILES.open(path, collection, lock_wait)
        try:
            self.client = self._connected()
            self.version = str(self.client.get_server_version(timeout=limit()))
        except BaseException:
            _FILES.close(path, collection)
            raise

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for a turn.

        Raises:
            UnavailableError: Another call took all the time.
        """
        if not self._turn.acquire(timeout=min(time_left(), threading.TIMEOUT_MAX)):
            raise UnavailableError(f"{self.where} is busy", hint="raise the store's timeout")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close the connection, and the file when no other collection of it is open."""
        self.client.close()
        _FILES.close(self._path, self._collection)

    def _connected(self) -> Client:
        try:
            return Client(str(self._path), dedicated=True, timeout=limit(), grpc_options=GRPC)
        except ConnectionConfigException as error:
            if _is_locked(self._path / "LOCK"):
                raise LockedError(
                    f"{self.where} is in use by another program", hint="close it there, then try again"
                ) from error
            raise IntegrityError(
                f"{self.where} can't be opened", hint="look at the rights and the room on the disk"
            ) from error


@dataclass
class _OpenFile:
    lock: FolderLock
    collections: set[str] = field(default_factory=set)


class _Files:
    """The files that this process has open.

    Milvus Lite has one server for each file in a process and doesn't count its users; so we do.
    """

    def __init__(self) -> None:
        self._files: dict[Path, _OpenFile] = {}
        self._guard = threading.Lock()

    def open(self, path: Path, collection: str, lock_wait: float) -> None:
        """Note that a collection is open.

        Raises:
            LockedError: This process has opened it already, or another process holds the file.
        """
        with self._guard:
            if path not in self._files:
                lock = FolderLock(path / "polyreel", what="the file of Milvus Lite", wait=lock_wait)
                lock.acquire()
                self._files[path] = _OpenFile(lock)
            file = self._files[path]
            if collection in file.collections:
                raise LockedError(
                    f"the collection {collection!r} in {path} is open in this process",
                    hint="close the other store first",
                )
            file.collections.add(collection)

    def close(self, path: Path, collection: str) -> None:
        """Note that it is closed; the last one frees the file for other processes."""
        with self._guard:
            file = self._files.get(path)
            if file is None or collection not in file.collections:
                return
            file.collections.discard(collection)
            if file.collections:
                return
            del self._files[path]
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(str(path))
            file.lock.release()


_FILES = _Files()  # for the process, as Milvus Lite's own servers are


def _is_locked(file: Path) -> bool:
    """Whether another program holds the lock of Milvus Lite itself."""
    try:
        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def heal(path: Path, collection: str) -> bool:
    """Delete a collection's index files, which Lite trusts even when cut short; whether there were any.

    It makes them anew from the data when it loads the collection.
    """
    found = [
        file
        for kind in ("idx", "sidx")
        for file in (path / "collections" / collection).rglob(f"indexes/*.{kind}")
    ]
    for file in found:
        file.unlink(missing_ok=True)
    return bool(found)


def sync(path: Path, collection: str) -> None:
    """Make what Milvus Lite has written to files survive a loss of power: by itself it syncs no data."""
    folder = path / "collections" / collection
    for file in (*folder.rglob("*.parquet"), *folder.rglob("manifest.json")):
        with contextlib.suppress(FileNotFoundError), file.open("rb") as stream:  # files are merged meanwhile
            os.fsync(stream.fileno())
    for inner in (folder, *(each for each in folder.rglob("*") if each.is_dir())):
        sync_folder(inner)
