"""Folders that one process at a time may hold: the lock, files replaced whole, and the disk's errors in our words."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .deadline import time_left
from .errors import ConfigurationError, LockedError, NotFoundError, PolyreelError, UnavailableError

_FILE = "lock"
_PAUSE = 0.02  # seconds between two tries
_TEMPORARY = ".polyreel-"  # begins the name of a file that is still being written

_HINTS = {
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "free some space, or choose another folder",
    errno.EACCES: "give this user the right to it, or choose another folder",
    errno.EPERM: "give this user the right to it, or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOTDIR: "choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_LATER = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY})


class FolderLock:
    """An exclusive lock on a folder: the kernel's lock on its file `lock`, which names the holder.

    The kernel frees it when the process ends, however it ends. A second lock in the same process waits as
    another process would.

    Args:
        path: The folder; `acquire` makes it when it is missing.
        what: What the folder holds, for the message, such as "the collection 'clips'".
        wait: Seconds to wait for the holder; less when the deadline of the call is nearer.
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

    def _taken(self) -> int | None:
        """The locked file; None while somebody else holds it."""
        self._path.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path / _FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file(file, self._path / _FILE):  # else the last holder dropped the folder
                os.ftruncate(file, 0)
                os.write(file, f"{os.getpid()}\n{_command()}\n".encode(errors="replace"))
                return file
        except BlockingIOError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        return None

    def _pause(self, end: float) -> None:
        if time.monotonic() >= end:
            raise LockedError(
                f"{self._what} in {self._path} is in use by {self._holder()}",
                hint="one process at a time can open it: stop the other one or wait, then try again",
            )
        time.sleep(_PAUSE)

    def _holder(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            pid, _, command = (self._path / _FILE).read_text(errors="replace").partition("\n")
            own = " (this very process)" if int(pid) == os.getpid() else ""
            return f"process {int(pid)}{own}: {command.strip()}"
        return "another process"


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes replace the file, whole and safe from a loss of power, once the block ends well.

    The bytes go to a file beside the target, which an error removes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
    try:
        with os.fdopen(number, "wb") as stream:
            yield stream
            os.fchmod(stream.fileno(), 0o666 & ~_umask())
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def is_temporary(name: str) -> bool:
    """Whether `replacing` gave a file this name: one that is being written, or that a killed process left."""
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
    reason = f"{what}: {error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
    hint = _HINTS.get(error.errno or 0)
    if isinstance(error, FileNotFoundError):
        return NotFoundError(reason)
    if error.errno in _LATER:
        return UnavailableError(reason, hint=hint)
    return ConfigurationError(reason, hint=hint)


def _is_file(file: int, path: Path) -> bool:
    try:
        return os.path.sameopenfile(file, file) and os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _command() -> str:
    return " ".join(sys.orig_argv)[:200]


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
