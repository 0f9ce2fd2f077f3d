"""Asking a model about videos and pictures: files found, cut, handed over by size, remembered, asked about.

A question names files, addresses, videos or records of the collection. What is uploaded is remembered in the
journal by content, span and frames a second, so that the next question uses it again until it expires.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from .addresses import file_name, is_uri, lasting, local_path
from .contenttypes import picture_type, video_type
from .errors import InvalidQueryError, MediaError, NotFoundError, UnsupportedError
from .fields import shown
from .frameplan import FramePlan
from .journal import Journal
from .logs import LOGGER
from .manifest import Manifest
from .media import Media, MediaTools, Modality, VideoInfo
from .questions import Listener, Question, Reply, Shown, Way
from .rates import Rate
from .records import Hit, Record, Scope
from .remotes import sha256_of
from .saving import Saver
from .sources import Remote, Source
from .staging import Staging
from .understanding import VideoUnderstanding

DESCRIBE = (
    "Describe what happens in this video, in the order of time, with the time of each event as mm:ss. "
    "You see pictures only and hear no sound: say nothing about sound."
)
"""What is asked where nobody asks anything else."""

_SOON = 300.0  # seconds before its end at which a remembered file isn't used any more
_WHOLE = 50  # milliseconds by which a span may differ from the whole video

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
            if not self._forgotten(found, how):
                raise
            reply = self._asked(found, question, pictures, how)
        if len(found) == 1 and reply.id:
            self.journal.keep(
                "reply", self._of_service(found[0].key), {"id": reply.id}, expires=reply.expires
            )
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
        return self.model.plan(_piece(self.media.probe(found.path), found.span), fps)

    def last(self, video: Subject) -> str:
        """The id of the last reply about a video.

        Raises:
            NotFoundError: There is none, or it has expired.
        """
        with self.located(video) as found:
            known = self.journal.recall("reply", self._of_service(found.key))
        if known is None:
            raise NotFoundError(
                "there is no answer to follow up, or it has expired", hint="ask about the video first"
            )
        return str(known["id"])

    def forget(self, video: Subject | None) -> int:
        """Delete at the service what was uploaded of a video, or of all; returns how many files that were."""
        if video is None:
            return self._release(self._of_service(""))
        with self.located(video) as found:
            return self._release(self._of_service(f"{found.content}/"))

    # -- finding ------------------------------------------------------------------------------------------

    @contextmanager
    def located(self, video: Subject) -> Iterator[Found]:
        """A subject with its file, which is gone afterwards where it had to be fetched.

        Raises:
            NotFoundError: There is nothing of that name.
        """
        if isinstance(video, str) and is_uri(video) and local_path(video) is None:
            with self._fetched(video) as found:
                yield found
            return
        if isinstance(video, str):
            video = _file(video) or self._in_collection(video)
        if isinstance(video, Path):
            yield Found(video, self._content(video))
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

    def _content(self, path: Path) -> str:
        try:
            known = self.journal.sha256(path)
            if known is None:
                known = sha256_of(path)
                self.journal.remember_sha256(path, known)
        except OSError as error:
            raise NotFoundError(f"{path} can't be read: {error.strerror}") from error
        return known

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
                self._handed(found[at], each) if each.way is Way.FILE else each
                for at, each in enumerate(media)
            )
            return self.model.ask(replace(asked, shown=handed), how.listener)

    @contextmanager
    def _shown(self, found: Found, fps: float | None, inline: int) -> Iterator[Shown]:
        """A video as a whole file of a type that the model takes, and the way that it goes."""
        info = self.media.probe(found.path)
        kind = video_type(info, found.path.name)
        whole = found.span is None or _piece(info, found.span).duration_ms >= info.duration_ms - _WHOLE
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

    # -- uploads ------------------------------------------------------------------------------------------

    def _handed(self, found: Found, medium: Shown) -> Shown:
        """The same file at the service: found there, or uploaded now."""
        key = self._file_key(found, medium.media.fps)
        known = self.journal.recall("file", key)
        id = str(known["id"]) if known else self._uploaded(key, medium)
        try:
            self._await(key, id)
        except NotFoundError:  # the service forgot it before its time
            if known is None:
                raise
            id = self._uploaded(key, medium)
            self._await(key, id)
        return replace(medium, media=replace(medium.media, uri=id))

    def _uploaded(self, key: str, medium: Shown) -> str:
        handed = self.model.hand_over(medium)
        known = {"id": handed.id, "fps": medium.media.fps}
        self.journal.keep("file", key, known, expires=handed.expires - _SOON)
        return handed.id

    def _await(self, key: str, id: str) -> None:
        try:
            self.model.await_handed(id)
        except (MediaError, NotFoundError):
            self.journal.let_go("file", key)
            raise

    def _forgotten(self, found: Sequence[Found], how: Asked) -> bool:
        """Whether there were remembered files, which are not any more."""
        keys = [self._file_key(each, self.model.fps if how.fps is None else how.fps) for each in found]
        known = [key for key in keys if self.journal.recall("file", key)]
        for key in known:
            self.journal.let_go("file", key)
        return bool(known)

    def _release(self, start: str) -> int:
        files = self.journal.kept("file", start)
        for key, known in files.items():
            try:
                self.model.release(str(known["id"]))
            except NotFoundError:
                LOGGER.info("gone already", extra={"file": known["id"]})
            self.journal.let_go("file", key)
        return len(files)

    def _file_key(self, found: Found, fps: float | None) -> str:
        return self._of_service(f"{found.key}/{fps:g}")

    def _of_service(self, key: str) -> str:
        return f"{self.model.service}/{key}"


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


def _piece(info: VideoInfo, span: tuple[int, int] | None) -> VideoInfo:
    """What is known of a piece of a video."""
    if span is None:
        return info
    return replace(info, duration_ms=max(1, min(span[1], info.duration_ms) - span[0]))


def _inline(media: Sequence[Shown]) -> int:
    return sum(each.size for each in media if each.way is Way.BASE64)
