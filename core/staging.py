"""Handing a medium to whoever must see it: by path, by the store's own address, or by a presigned URL.

A query's media are leases under `staging/<day>/<uuid>`: removed when the query is done, and swept by age
after a crash. What is taken in keeps durable keys.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from .addresses import is_public
from .embedder import HandOver
from .errors import MediaError, UnsupportedError
from .media import Media, Modality
from .objects import ObjectStore

_PREFIX = "staging/"


class Staging:
    """Leases of one object store."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    @contextmanager
    def leased(
        self,
        parts: list[Media],
        schemes: frozenset[str],
        *,
        inline_bytes: int | None = None,
        expires: float = 3600.0,
    ) -> Iterator[list[Media]]:
        """The same media at addresses of the given schemes, for as long as the context lasts.

        Args:
            parts: Texts stay as they are.
            schemes: Where `file` or `data` is among them, files stay where they are.
            inline_bytes: A larger file doesn't, where there is another scheme.
            expires: Seconds that a presigned address serves.

        Raises:
            UnsupportedError: No address of this object store can be seen from there.
        """
        with ExitStack() as leases:
            yield [
                self._reachable(part, _of_size(part, schemes, inline_bytes), expires, leases)
                for part in parts
            ]

    def offer(self, key: str, medium: Media, schemes: frozenset[str], *, expires: float = 3600.0) -> Media:
        """The stored object of `key` as a medium at an address of the given schemes."""
        path = self._objects.path(self._objects.uri(key))
        if "file" in schemes and path is not None:
            return replace(medium, path=path, uri=None)
        if self._objects.schemes & schemes - {"file"}:
            return replace(medium, path=None, uri=self._objects.uri(key))
        if "https" in schemes:
            url = self._objects.url(key, expires=expires)
            if urlsplit(url).scheme in ("https", "http"):
                return replace(medium, path=None, uri=url)
        raise UnsupportedError(
            f"{self._objects.kind} objects can't be reached by {', '.join(sorted(schemes))}",
            hint="choose an object store that the other side can fetch from",
        )

    def reachable(self, video: Media, way: HandOver, *, expires: float = 6 * 3600.0) -> Media:
        """A video with the best address that the other side can fetch it from, beside its file.

        Fetching spares an upload, so an address comes first: the video's own, that of the object store, or
        a presigned one of a public host. Where there is none, the file is all that is handed on.

        Args:
            video: With its file, and its lasting address if it has one.
            way: How the other side takes it.
            expires: Seconds that a presigned address shall serve; a task may wait that long for its turn.
        """
        if video.uri and urlsplit(video.uri).scheme in way.schemes - {"file", "https"}:
            return video
        urls = (url for url in self._urls(video.uri, expires) if is_public(url) or not way.public_only)
        return replace(video, uri=next(urls, None) if "https" in way.schemes else None)

    def _urls(self, uri: str | None, expires: float) -> Iterator[str]:
        if uri is None:
            return
        if urlsplit(uri).scheme in ("https", "http"):
            yield uri
        elif (key := self._objects.key(uri)) is not None and self._objects.exists(key):
            url = self._objects.url(key, expires=expires)
            if urlsplit(url).scheme in ("https", "http"):
                yield url

    def _reachable(self, part: Media, schemes: frozenset[str], expires: float, leases: ExitStack) -> Media:
        if part.modality is Modality.TEXT or (part.uri and urlsplit(part.uri).scheme in schemes):
            return part
        if part.path is None:
            raise MediaError(
                f"the {part.modality} of the query can't be seen by this stack", hint="give a local file"
            )
        if "file" in schemes or "data" in schemes:
            return part
        key = f"{_PREFIX}{datetime.now(UTC):%Y-%m-%d}/{uuid.uuid4().hex}{part.path.suffix.lower()}"
        self._objects.put(key, part.path)
        leases.callback(self._objects.delete, key)
        return self.offer(key, part, schemes, expires=expires)


def _of_size(part: Media, schemes: frozenset[str], inline_bytes: int | None) -> frozenset[str]:
    """The schemes that take a file of this size."""
    elsewhere = schemes - {"file", "data"}
    if not elsewhere or inline_bytes is None or part.path is None or not part.path.is_file():
        return schemes
    return schemes if part.path.stat().st_size <= inline_bytes else elsewhere
