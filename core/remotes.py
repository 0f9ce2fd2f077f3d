"""Fetching files that lie elsewhere, and not fetching them again while they stay the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from .addresses import same_file
from .digests import sha256_of
from .errors import MediaError, NotFoundError, PolyreelError, UnsupportedError
from .journal import Journal
from .objects import ObjectStore
from .sources import Remote, Source


class Downloads(Protocol):
    """Fetches `https:` and `http:` addresses, as `storage.https` does; a test may hand in its own."""

    def get(self, url: str, target: Path, *, known: str | None = None) -> str | None:
        """Write the file behind an address to `target`, in bounded memory.

        Args:
            url: May be signed; no error says more of it than `addresses.lasting` does.
            target: Written whole or not at all; not touched where the mark is still `known`.
            known: The mark that an earlier call returned.

        Returns:
            A mark that changes when the file does; None where the server has none.

        Raises:
            NotFoundError: There is no such file.
            AuthenticationError: The server wants another or a newer signature.
            RejectedError: The server refused the request.
            RetryableError: It may work later.
        """

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches remote files into folders that last as long as they are worked on.

    Args:
        downloads: None where only objects of the stack's own store can be fetched.
    """

    objects: ObjectStore
    journal: Journal
    downloads: Downloads | None = None

    @contextmanager
    def place(self, remote: Remote) -> Iterator[Source]:
        """The source that it becomes, in a folder of its own; its file isn't there yet.

        What goes wrong with the file inside is told by its address, since the folder is gone afterwards.
        """
        with TemporaryDirectory(prefix="polyreel-") as folder:
            source = remote.inside(Path(folder))
            try:
                yield source
            except MediaError as error:
                message = error.message.replace(str(source.path), source.name)
                raise MediaError(message, hint=error.hint) from error

    def video_id(self, remote: Remote, path: Path) -> str:
        """The digest of a remote file, which is fetched to `path` only if it changed since the last time."""
        mark, sha256 = self.journal.remote(_identity(remote)) or (None, "")
        return self._fetched(remote, path, mark) or sha256

    def fetch(self, remote: Remote, path: Path) -> str:
        """Fetch a remote file; returns its digest."""
        digest = self._fetched(remote, path, None)
        assert digest is not None  # no mark was known
        return digest

    def holds(self, uri: str, video_id: str) -> bool:
        """Whether there is still the same video at an address; False where that can't be found out."""
        key = self.objects.key(uri)
        if key is not None and key.startswith(f"videos/{video_id}."):
            return self.objects.exists(key)  # the copy that an ingest made
        remote = Remote(Source(Path("video"), uri=uri), key or uri, key=key is not None)
        mark, sha256 = self.journal.remote(_identity(remote)) or (None, "")
        if sha256 != video_id or mark is None:
            return False
        try:
            with self.place(remote) as source:
                return self._fetched(remote, source.path, mark) in (None, video_id)
        except PolyreelError:
            return False

    def _fetched(self, remote: Remote, path: Path, mark: str | None) -> str | None:
        """The digest; None where the mark is still the same, so that nothing was fetched."""
        now = self._object(remote, path, mark) if remote.key else self._url(remote, path, mark)
        if now is not None and now == mark:
            return None
        digest = sha256_of(path)
        if now is not None:
            self.journal.remember_remote(_identity(remote), now, digest)
        return digest

    def _object(self, remote: Remote, path: Path, mark: str | None) -> str:
        info = self.objects.stat(remote.address)
        if info is None:
            raise NotFoundError(f"there is no object {remote.name} any more")
        now = json.dumps([info.size, info.modified, info.checksum])
        if now != mark:
            self.objects.get(remote.address, path)
        return now

    def _url(self, remote: Remote, path: Path, mark: str | None) -> str | None:
        if self.downloads is None:
            raise UnsupportedError(
                f"{remote.name} can't be fetched here", hint="open the stack with polyreel.open"
            )
        return self.downloads.get(remote.address, path, known=mark)


def _identity(remote: Remote) -> str:
    return same_file(remote.name if remote.key else remote.address)
