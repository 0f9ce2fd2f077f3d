"""Folders on the local disk: a lock, files that are replaced whole, and the system's errors in our words."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .deadline import time_left
from .errors import ConfigurationError, LockedError, NotFoundError, PolyreelError, UnavailableError
from .logs import redacted

_FILE = "lock"
_PAUSE = 0.02  # seconds between two tries
_TEMPORARY = ".polyreel-"  # begins the name of a file that is still being written
_TRIES = 10  # at a folder that another thread keeps removing

_PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY}
)
_HINTS = {
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "free some space, or choose another folder",
    errno.EACCES: "give this user the right to it, or choose another folder",
    errno.EPERM: "give this user the right to it, or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class FolderLock:
    """An exclusive lock on a folder: the kernel's lock on its file `lock`, which names the holder.

    The kernel frees it when the process ends, however it ends. A second lock in the same process waits as
    another process would.

    Args:
        path: The folder; `acquire` makes it when it is missing.
        what: What the folder holds, for the message, such as "the collection 'clips'".
        wait: Seconds to wait for the holder; fewer when the deadline of the call is nearer.
    """

    def __init__(self, path: Path, *, what: str, wait: float = 0.0) -> None:
        self._path = path
        self._what = what
        self._wait = wait
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock; nothing happens when it is already ours.

        Raises:
            LockedError: Another holder kept it all the time; the message has its process id and command.
        """
        end = time.monotonic() + min(self._wait, time_left())
        while self._file is None:
            self._file = self._taken()
            if self._file is None:
                self._pause(end)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def remove(self) -> None:
        """Give the lock back and delete its file, and the folder where nothing else is in it."""
        if self._file is not None:
            (self._path / _FILE).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._path.rmdir()
        self.release()

    def _taken(self) -> int | None:
        """The locked file; None while somebody else holds it or has just removed the folder."""
        self._path.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as undo, contextlib.suppress(BlockingIOError, FileNotFoundError):
            file = os.open(self._path / _FILE, os.O_RDWR | os.O_CREAT, 0o666)
            undo.callback(os.close, file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file), (self._path / _FILE).stat()):
                os.ftruncate(file, 0)
                command = redacted(" ".join(sys.orig_argv))[:200]  # it may hold a signed address
                os.write(file, f"{os.getpid()}\n{command}\n".encode(errors="replace"))
                undo.pop_all()
                return file
        return None

    def _pause(self, end: float) -> None:
        if time.monotonic() >= end:
            raise LockedError(
                f"{self._what} in {self._path} is in use by {self._holder()}",
                hint="one process at a time can open it: stop the other one or wait for it, then try again",
            )
        time.sleep(_PAUSE)

    def _holder(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            pid, _, command = (self._path / _FILE).read_text(errors="replace").partition("\n")
            own = " (this one)" if int(pid) == os.getpid() else ""
            return f"process {int(pid)}{own}: {' '.join(command.split())}"
        return "another process"


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes replace the file, whole and safe from a loss of power, once the block ends well.

    They go to a file beside the target first, which an error removes.
    """
    temporary, stream = _temporary(target.parent)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


@contextlib.contextmanager
def writing(target: Path) -> Iterator[BinaryIO]:
    """As `replacing`, with the disk's errors in our words; no other file may be used inside."""
    try:
        with replacing(target) as out:
            yield out
    except OSError as error:
        raise disk_error(error, f"the folder {target.parent}") from error


def is_temporary(name: str) -> bool:
    """Whether a file of this name is being written by `replacing`, or was when its process was killed."""
    return name.startswith(_TEMPORARY)


def sync_folder(path: Path) -> None:
    """Make the folder's list of files survive a loss of power."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def disk_error(error: OSError, what: str) -> PolyreelError:
    """The system's error in one line: `UnavailableError` where it may pass, else what is wrong."""
    where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
    message = f"{what}: {error.strerror or error}{where}"
    hint = _HINTS.get(error.errno or 0)
    if error.errno in _PASSING:
        return UnavailableError(message, hint=hint)
    return (NotFoundError if error.errno == errno.ENOENT else ConfigurationError)(message, hint=hint)


def _temporary(folder: Path) -> tuple[Path, BinaryIO]:
    for left in reversed(range(_TRIES)):
        path = folder / f"{_TEMPORARY}{os.urandom(8).hex()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return path, path.open("xb")
        except (FileExistsError, FileNotFoundError):  # another thread removes the folder, empty as it is
            if not left:
                raise
    raise AssertionError("the last try returns or raises")
