"""Pictures and pieces of hits as files, also of videos that must be fetched first."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .addresses import file_name, scheme_of
from .errors import MediaError, NotFoundError, PolyreelError
from .locks import disk_error, replacing
from .media import MediaTools
from .records import Hit, Record, Scope
from .remotes import Fetcher
from .sources import Remote, Source

_LONGEST_STEM = 200  # bytes of a file's name; what is added may take 55 more
_ENDING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""What keeps every other hit from being written, too."""
_AGAIN = "ingest it again where it is now"

Missed = Callable[[Hit, PolyreelError], None]
"""Hears of a hit, or a clip of one, that can't be saved, and why."""

Saved = Callable[[int, int], None]
"""Hears how many files are done, and of how many."""

_Marked = tuple[str, Hit]
"""What is written as one file, and what its name begins with."""


@dataclass(frozen=True, slots=True)
class Saver:
    """Writes what hits show.

    Args:
        media: Cuts, and writes pictures.
        fetcher: Brings videos that aren't on this machine, for as long as they are needed.
    """

    media: MediaTools
    fetcher: Fetcher

    def save(
        self, hits: Sequence[Hit], folder: Path, missed: Missed | None, progress: Saved | None
    ) -> list[Path]:
        """As `VideoSearch.save`; a video is fetched once for all of its hits."""
        _made(folder)
        errors: list[PolyreelError] = []
        missed = missed or (lambda _, error: errors.append(error))
        saved: dict[str, Path] = {}
        done, pieces = 0, list(_marked(hits))
        videos: dict[tuple[str, str], list[_Marked]] = {}
        for mark, piece in pieces:
            videos.setdefault((piece.uri, piece.video_id), []).append((mark, piece))
        for own in videos.values():
            for mark, path in self._of_one_video(own, folder, missed):
                saved |= {mark: path} if path else {}
                done += 1
                if progress:
                    progress(done, len(pieces))
        if errors:
            raise errors[0]
        return [saved[mark] for mark, _ in pieces if mark in saved]

    def thumbnail(self, record: Record, out: Path, size: int) -> Path:
        """Write the picture in the middle of a record as JPEG."""
        _made(out.parent)
        with self.local(record.uri, record.video_id) as path:
            self.media.thumbnail(path, out, at_ms=(record.start_ms + record.end_ms) // 2, size=size)
        return out

    @contextmanager
    def local(self, uri: str, video_id: str) -> Iterator[Path]:
        """A local file with a video. One that had to be fetched is gone afterwards.

        Raises:
            NotFoundError: There is no such file any more, or another one.
            PolyreelError: It can't be fetched.
        """
        objects = self.fetcher.objects
        path, key = objects.path(uri), objects.key(uri)
        if path is not None and path.is_file():
            yield path
            return
        if path is not None or (key is None and scheme_of(uri) not in ("http", "https")):
            raise NotFoundError(f"the video {uri} isn't there", hint=_AGAIN)
        remote = Remote(Source(Path(file_name(uri)), uri=uri), key or uri, key=key is not None)
        with self.fetcher.place(remote) as source:
            if self.fetcher.fetch(remote, source.path) != video_id:
                raise NotFoundError(f"the video {uri} is another one now", hint=_AGAIN)
            yield source.path

    def _of_one_video(
        self, pieces: list[_Marked], folder: Path, missed: Missed
    ) -> Iterator[tuple[str, Path | None]]:
        """Marks and files, None for what is missed; a full disk ends it all, a broken video only its own."""
        with ExitStack() as stack:
            try:
                source = stack.enter_context(self.local(pieces[0][1].uri, pieces[0][1].video_id))
            except PolyreelError as error:
                for mark, piece in pieces:
                    missed(piece, error)
                    yield mark, None
                return
            for mark, piece in pieces:
                written = None
                try:
                    written = self._written(source, mark, piece, folder)
                except MediaError as error:
                    if isinstance(error.__cause__, OSError) and error.__cause__.errno in _ENDING:
                        raise
                    message = error.message.replace(str(source), piece.uri)
                    missed(piece, MediaError(message, hint=error.hint))
                yield mark, written

    def _written(self, source: Path, mark: str, hit: Hit, folder: Path) -> Path:
        """A copy of a whole video, or the span of a clip or moment."""
        stem = os.fsdecode(os.fsencode(source.stem)[:_LONGEST_STEM])
        stem = stem.encode(errors="ignore").decode()  # whole characters only
        if hit.record.scope is Scope.VIDEO:
            return _copied(source, _free(folder / f"{mark}_{stem}{source.suffix}"))
        out = _free(folder / f"{mark}_{stem}_{hit.start:.2f}-{hit.end:.2f}.mp4")
        start, end = hit.span_ms
        return self.media.cut(source, out, start_ms=start, end_ms=end).path


def _marked(hits: Sequence[Hit]) -> Iterator[_Marked]:
    """What is written of the hits: `001` marks a hit, `001-01` the first of several clips that one tells."""
    for rank, hit in enumerate(hits, start=1):
        several, digits = len(hit.pieces) > 1, max(2, len(str(len(hit.pieces))))
        for number, piece in enumerate(hit.pieces, start=1):
            yield f"{rank:03d}-{number:0{digits}d}" if several else f"{rank:03d}", piece


def _copied(source: Path, out: Path) -> Path:
    try:
        with source.open("rb") as video, replacing(out) as copy:
            shutil.copyfileobj(video, copy, 1 << 20)
    except OSError as error:
        raise disk_error(error, f"the video can't be copied to {out}") from error
    return out


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, f"the folder {folder} can't be made") from error


def _free(path: Path) -> Path:
    """The path, or the first numbered one that doesn't exist."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}_{number}")
    return free
