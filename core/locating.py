"""Finding what a model shall look at: files, addresses, hits, and records or videos of the collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .addresses import file_name, is_uri, lasting, local_path
from .digests import known_sha256
from .errors import NotFoundError
from .fields import shown
from .journal import Journal
from .manifest import Manifest
from .media import VideoInfo
from .records import Hit, Record, Scope
from .saving import Saver
from .sources import Remote, Source

Subject = str | Path | Hit | Record | Manifest
"""What is looked at: a file, an address, a hit, or the id of a record or video of the collection."""


@dataclass(frozen=True, slots=True)
class Found:
    """A subject whose file lies on this machine.

    Args:
        path: Its file.
        content: The digest of the file.
        span: Milliseconds of the piece; None is all of it.
        uri: Where the object store, or somebody else, has the same file; None where nobody does.
    """

    path: Path
    content: str
    span: tuple[int, int] | None = None
    uri: str | None = None

    @property
    def key(self) -> str:
        """The same for the same pictures."""
        start, end = self.span or (0, 0)
        return f"{self.content}/{start}-{end or ''}"

    def piece(self, info: VideoInfo) -> VideoInfo:
        """What is known of the piece, from what is known of the file."""
        if self.span is None:
            return info
        start, end = self.span
        return replace(info, duration_ms=max(1, min(end, info.duration_ms) - start))


@dataclass(frozen=True, slots=True)
class Locator:
    """Brings the file of a subject.

    Args:
        journal: Remembers digests of files.
        saver: Brings videos that aren't on this machine.
        find: The record or manifest of an id in the collection.
    """

    journal: Journal
    saver: Saver
    find: Callable[[str], Record | Manifest]

    @contextmanager
    def located(self, video: Subject) -> Iterator[Found]:
        """A subject with its file, which is gone afterwards where it had to be fetched.

        Raises:
            NotFoundError: There is nothing of that name.
            MediaError: It is a device, a pipe or a socket.
        """
        if isinstance(video, str) and is_uri(video) and local_path(video) is None:
            with self._fetched(video) as found:
                yield found
            return
        if isinstance(video, str):
            video = _file(video) or self._in_collection(video)
        if isinstance(video, Path):
            yield Found(video, known_sha256(video, self.journal))
            return
        with self.saver.local(video.uri, video.video_id) as local:
            yield Found(local, video.video_id, _span(video), video.uri)

    def _in_collection(self, id: str) -> Record | Manifest:
        try:
            return self.find(id)
        except NotFoundError as error:
            raise NotFoundError(
                f"there is no file, record or video {shown(id)}",
                hint="name a file, an address, or an id as `polyreel videos` and `search` print it",
            ) from error

    @contextmanager
    def _fetched(self, address: str) -> Iterator[Found]:
        fetcher = self.saver.fetcher
        key = fetcher.objects.key(address)
        source = Source(Path(file_name(address)), uri=lasting(address))
        remote = Remote(source, key or address, key=key is not None)
        with fetcher.place(remote) as place:
            content = fetcher.fetch(remote, place.path)
            yield Found(place.path, content, uri=address)


def several(videos: Subject | Sequence[Subject]) -> Sequence[Subject]:
    """One subject or several, as several."""
    return [videos] if isinstance(videos, str | Path | Hit | Record | Manifest) else videos


def _file(given: str) -> Path | None:
    """The local file of a text; None where it is no file, so that it may be an id."""
    path = local_path(given) or Path(given).expanduser()
    try:
        return path if path.is_file() else None
    except OSError:  # no file's name
        return None


def _span(known: Hit | Record | Manifest) -> tuple[int, int] | None:
    record = known.record if isinstance(known, Hit) else known
    if isinstance(record, Manifest) or record.scope is Scope.VIDEO:
        return None
    return known.span_ms if isinstance(known, Hit) else (record.start_ms, record.end_ms)
