"""Asking a model about videos and pictures: cut, handed over by size, asked about, and what that cost.

A question names files, addresses, videos or records of the collection (`core.locating`). What is uploaded is
used again by the next question (`core.remembered`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from .contenttypes import picture_type, video_type
from .errors import InvalidQueryError, NotFoundError, UnsupportedError
from .frameplan import FramePlan
from .journal import Journal
from .locating import Found, Locator, Subject
from .logs import LOGGER
from .manifest import Manifest
from .media import Media, MediaTools, Modality
from .questions import Listener, Question, Reply, Shown, Way
from .rates import Rate
from .records import Record
from .remembered import Remembered
from .saving import Saver
from .staging import Staging
from .understanding import VideoUnderstanding

DESCRIBE = (
    "Describe what happens in this video, in the order of time, with the time of each event as mm:ss. "
    "You see pictures only and hear no sound: say nothing about sound."
)
"""What is asked where nobody asks anything else."""

_WHOLE = 50  # milliseconds by which a span may differ from the whole video


@dataclass(frozen=True, slots=True)
class Asked:
    """How one question is asked.

    Args:
        fps: Frames a second; the model's setting when left out.
        thinking: Whether the model reasons first; None leaves that to the model.
        max_tokens: Of the answer; None leaves that to the model.
        after: The id of the reply that this follows up.
        listener: Hears the answer as it comes.
    """

    fps: float | None = None
    thinking: bool | None = None
    max_tokens: int | None = None
    after: str | None = None
    listener: Listener | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """The parts of one open stack that ask about videos.

    Args:
        model: That looks.
        rate: What its tokens cost.
        saver: Brings videos that aren't on this machine.
        find: The record or manifest of an id in the collection.
    """

    model: VideoUnderstanding
    rate: Rate
    media: MediaTools
    journal: Journal
    saver: Saver
    find: Callable[[str], Record | Manifest]

    def ask(
        self, question: str, videos: Sequence[Subject], pictures: Sequence[str | Path] = (), *, how: Asked
    ) -> Reply:
        """The answer to a question about videos and pictures, which the model sees in this order."""
        with ExitStack() as stack:
            found = [stack.enter_context(self.located(video)) for video in videos]
            return self.ask_about(found, question, pictures, how)

    def ask_about(
        self, found: Sequence[Found], question: str, pictures: Sequence[str | Path], how: Asked
    ) -> Reply:
        """As `ask`, of videos that were located."""
        plans = [self.planned(each, how.fps) for each in found]
        try:
            reply = self._asked(found, question, pictures, how)
        except NotFoundError:  # the service forgot a file before its time
            if not self._remembered.forgotten(found, how.fps):
                raise
            reply = self._asked(found, question, pictures, how)
        if len(found) == 1:
            self._remembered.answered(found[0], reply)
        given, made = reply.usage.get("input_tokens", 0), reply.usage.get("output_tokens", 0)
        cost = self.rate.tokens(given, made) if given else None  # what wasn't counted is unknown, not free
        counted = {"submits": reply.submits, "lost": reply.lost, "usage": dict(reply.usage)}
        LOGGER.info("asked", extra={"model": reply.model, **counted, "requests": list(reply.request_ids)})
        return replace(reply, plans=tuple(plans), cost=cost, currency=self.rate.currency)

    def plan(self, video: Subject, fps: float | None) -> FramePlan:
        """How a video, or a piece of it, would be sampled. Nothing is sent."""
        with self.located(video) as found:
            return self.planned(found, fps)

    def planned(self, found: Found, fps: float | None) -> FramePlan:
        """As `plan`, of a video that was located."""
        return self.model.plan(found.piece(self.media.probe(found.path)), fps)

    def located(self, video: Subject) -> AbstractContextManager[Found]:
        """A subject with its file, which is gone afterwards where it had to be fetched.

        Raises:
            NotFoundError: There is nothing of that name.
        """
        return Locator(self.journal, self.saver, self.find).located(video)

    def last(self, video: Subject) -> str:
        """The id of the last reply about a video.

        Raises:
            NotFoundError: There is none, or it has expired.
        """
        with self.located(video) as found:
            return self._remembered.last(found)

    def forget(self, video: Subject | None) -> int:
        """Delete at the service what was uploaded of a video, or of all; returns how many files that were."""
        if video is None:
            return self._remembered.release(None)
        with self.located(video) as found:
            return self._remembered.release(found)

    @property
    def _remembered(self) -> Remembered:
        return Remembered(self.model, self.journal)

    # -- asking -------------------------------------------------------------------------------------------

    def _asked(
        self, found: Sequence[Found], question: str, pictures: Sequence[str | Path], how: Asked
    ) -> Reply:
        with ExitStack() as stack:
            media: list[Shown] = []
            for video in found:
                media.append(stack.enter_context(self._shown(video, how.fps, _inline(media))))
            for picture in pictures:
                media.append(self._picture(Path(picture), _inline(media)))
            asked = Question(question, tuple(media), how.after, how.thinking, how.max_tokens)
            self.model.check(asked)  # before anything is uploaded
            handed = tuple(
                self._remembered.handed(found[at], each) if each.way is Way.FILE else each
                for at, each in enumerate(media)
            )
            return self.model.ask(replace(asked, shown=handed), how.listener)

    @contextmanager
    def _shown(self, found: Found, fps: float | None, inline: int) -> Iterator[Shown]:
        """A video as a whole file of a type that the model takes, and the way that it goes."""
        info = self.media.probe(found.path)
        kind = video_type(info, found.path.name)
        whole = found.span is None or found.piece(info).duration_ms >= info.duration_ms - _WHOLE
        with TemporaryDirectory(prefix="polyreel-") as folder:
            path = found.path
            if kind is None or not whole:
                start, end = found.span or (0, info.duration_ms)
                path, kind = Path(folder) / "piece.mp4", "video/mp4"
                self.media.cut(found.path, path, start_ms=start, end_ms=min(end, info.duration_ms))
            address = self._address(found, kind) if path == found.path else None
            size = path.stat().st_size
            way = self.model.way(Modality.VIDEO, size, address=address is not None, inline=inline)
            media = Media(Modality.VIDEO, path=path, fps=self.model.fps if fps is None else fps)
            yield Shown(replace(media, uri=address) if way is Way.URL else media, way, kind, size)

    def _address(self, found: Found, kind: str) -> str | None:
        """Where the service can fetch a file from: a presigned address, or the one that was given."""
        hand = self.model.ways[Modality.VIDEO].get(Way.URL)
        if hand is None or found.uri is None or kind not in hand.types:
            return None
        medium = Media(Modality.VIDEO, path=found.path, uri=found.uri)
        address = Staging(self.saver.fetcher.objects).reachable(medium, hand).uri
        suffix = Path(urlsplit(address or "").path).suffix
        return address if suffix in (".mp4", ".mov") else None  # the service reads small letters only

    def _picture(self, path: Path, inline: int) -> Shown:
        if not path.is_file():
            raise NotFoundError(f"there is no picture {path}")
        size, kind = path.stat().st_size, picture_type(path)
        way = self.model.way(Modality.IMAGE, size, address=False, inline=inline)
        return Shown(Media(Modality.IMAGE, path=path), way, kind, size)


def after_id(reply: Reply | str | None) -> str | None:
    """The id of a reply that shall be followed up.

    Raises:
        UnsupportedError: It has none.
        InvalidQueryError: The service has forgotten it by now.
    """
    if not isinstance(reply, Reply):
        return reply
    if reply.id is None:
        raise UnsupportedError("this answer can't be followed up", hint="ask anew, with the video")
    if reply.expires is not None and reply.expires <= time.time():
        raise InvalidQueryError("this answer has expired at the service", hint="ask anew, with the video")
    return reply.id


def _inline(media: Sequence[Shown]) -> int:
    return sum(each.size for each in media if each.way is Way.BASE64)
