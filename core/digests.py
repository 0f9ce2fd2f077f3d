"""Digests of files, by which videos and the media of queries are told apart."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import MediaError, NotFoundError

if TYPE_CHECKING:
    from .journal import Journal


def sha256_of(path: Path) -> str:
    """The sha256 of a file in hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path, journal: Journal) -> str:
    """As `sha256_of`, of a file that is read only where the journal doesn't know it.

    Raises:
        MediaError: It is a device, a pipe or a socket, which may never end.
        NotFoundError: It can't be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise MediaError(f"{path} is no regular file", hint="name a video file")
        known = journal.sha256(path)
        if known is None:
            known = sha256_of(path)
            journal.remember_sha256(path, known)
    except OSError as error:
        raise NotFoundError(f"{path} can't be read: {error.strerror}") from error
    return known
