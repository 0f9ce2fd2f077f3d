"""The contract of models that look at videos and answer. Adapters write the underscored hooks.

Every line of a public method's docstring is a test of `polyreel.testing.understanding.UnderstandingContract`.
Answers are paid for: what a call may have cost is counted in its reply.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

from .adapter import Adapter
from .deadline import poll
from .embedder import HandOver
from .errors import (
    InvalidQueryError,
    MediaError,
    PolyreelError,
    RetryableError,
    UnavailableError,
    UnsupportedError,
)
from .frameplan import Family, FramePlan, frame_plan
from .media import Modality, VideoInfo
from .questions import Handed, Listener, PaidError, Piece, Question, Reply, Shown, Way


@dataclass(slots=True)
class _Tally:
    """What one call may have cost so far, and whether anybody heard a piece of the answer."""

    submits: int = 0
    lost: int = 0
    heard: bool = False


class VideoUnderstanding(Adapter, ABC):
    """Looks at videos and pictures and answers questions in words."""

    hears: ClassVar[bool] = False
    """Whether it hears the sound of a video."""

    model: str
    family: Family
    service: str
    """Whose files and replies these are: an id of another service means nothing here."""
    ways: Mapping[Modality, Mapping[Way, HandOver]]
    """How pictures and videos may reach it, with the limits of each way."""
    inline_first: int = 8 << 20
    """Bytes up to which a file goes along as base64 even where other ways are open."""
    max_inline: int
    """Bytes of files that fit into one request as base64."""
    fps_range: tuple[float, float]
    """Frames a second that can be asked for."""
    fps: float = 1.0
    """Those that are asked for where nobody says."""
    remembers: bool = False
    """Whether a question may follow up a reply by its id."""
    at_once: int = 2
    """Questions that are on their way at once."""
    upload_timeout: float = 1800.0
    """Seconds for bringing one file to the service, and until the service can use it."""

    @final
    def plan(self, info: VideoInfo, fps: float | None = None) -> FramePlan:
        """How a video would be sampled. Nothing is sent.

        - Frames a second out of `fps_range` are `InvalidQueryError`.
        """
        return frame_plan(info, self._rate(fps), self.family)

    @final
    def way(self, modality: Modality, size: int, *, address: bool, inline: int = 0) -> Way:
        """By which way a file goes. Nothing is sent.

        - Small files go along, larger ones by their address where they have one, the largest are uploaded.
        - A file that no way can take is `MediaError`, and a modality that isn't seen `UnsupportedError`.

        Args:
            modality: Of the file.
            size: Its bytes.
            address: Whether the service can fetch it.
            inline: Bytes of other files that go along in the same request.
        """
        ways = self._ways(modality)
        fits = {
            way: (hand.max_bytes is None or size <= hand.max_bytes)
            and (way is not Way.BASE64 or size + inline <= self.max_inline)
            and (way is not Way.URL or address)
            for way, hand in ways.items()
        }
        if fits.get(Way.BASE64) and size <= self.inline_first:
            return Way.BASE64
        for way in (Way.URL, Way.FILE, Way.BASE64):
            if fits.get(way):
                return way
        limits = ", ".join(f"{way.value} {hand.max_bytes or 0:,}" for way, hand in ways.items())
        known = "" if address else " and no address to be fetched from"
        known += f", beside {inline:,} bytes of others in one request," if inline else ""
        raise MediaError(
            f"a {modality.value} of {size:,} bytes{known} can't reach {self.kind}, "
            f"whose ways take bytes: {limits}",
            hint="cut a piece out of it first" if modality is Modality.VIDEO else "scale it down first",
        )

    @final
    def check(self, question: Question) -> None:
        """Refuse, before anything is sent or paid for, what the service would refuse.

        - A question without words, or with room for no token of an answer, is `InvalidQueryError`.
        - A way, or a follow-up, that this one doesn't have is `UnsupportedError`.
        - A file beyond the limits of its way, or of another type, is `MediaError`, and so are files that
          don't fit into one request together.
        """
        if not question.text.strip():
            raise InvalidQueryError("the question is empty")
        if question.max_tokens is not None and question.max_tokens < 1:
            raise InvalidQueryError(f"max_tokens is {question.max_tokens}; it must be at least 1")
        if question.after is not None and not self.remembers:
            raise UnsupportedError(
                f"{self.kind} keeps no conversation in this form", hint="ask anew, with the video"
            )
        inline = 0
        for shown in question.shown:
            self._check_shown(shown)
            inline += shown.size if shown.way is Way.BASE64 else 0
        if inline > self.max_inline:
            raise MediaError(
                f"files of {inline:,} bytes don't fit into one request; {self.max_inline:,} bytes do",
                hint="show fewer or smaller ones",
            )

    @final
    def ask(self, question: Question, listener: Listener | None = None) -> Reply:
        """The answer to a question.

        - What `check` refuses is refused, and nothing is sent.
        - The listener hears the whole answer, piece by piece, and nothing twice.
        - A request that the service refused, or had no place for, isn't counted as paid.
        - One whose reply was lost is asked again, and counted: `submits`, `lost`. Once the listener has heard
          a piece it isn't asked again, since what was heard can't be taken back.
        """
        self.check(question)
        tally, broken = _Tally(), list[PolyreelError]()

        def hear(piece: Piece) -> None:
            if listener and piece.text:
                tally.heard = True
                listener(piece)

        def once() -> Reply | None:
            try:
                return self._counted(question, hear, tally)
            except RetryableError as error:
                if not tally.heard:
                    raise
                broken.append(error)
                return None

        try:
            reply = self._attempt(once)
        except RetryableError as error:
            if not tally.lost:
                raise
            raise _paid(error, tally) from error
        if reply is None:
            raise PaidError(
                f"the answer broke off: {broken[0].message}",
                _took(tally),
                hint="ask again; the part heard may be paid for",
            ) from broken[0]
        return replace(reply, submits=tally.submits, lost=tally.lost, hears=self.hears)

    @final
    def hand_over(self, shown: Shown) -> Handed:
        """Bring a file to the service; `await_handed` says when it can be used there."""
        self._check_shown(shown)
        return self._attempt(lambda: self._hand_over(shown), seconds=self.upload_timeout)

    @final
    def await_handed(self, id: str) -> None:
        """Return once the service can use a file.

        - What the service can't read is `MediaError`, and a file that it doesn't have `NotFoundError`.
        - One that isn't ready within `upload_timeout` is `UnavailableError`.
        """
        poll(
            lambda: self._attempt(lambda: self._handed(id)),
            what=f"what was handed to {self.kind}",
            timeout=self.upload_timeout,
            first=0.2,
        )

    @final
    def release(self, id: str) -> None:
        """Let the service forget a file.

        Raises:
            NotFoundError: It is gone already.
        """
        self._attempt(lambda: self._release(id))

    @final
    def load(self) -> None:
        """Load what a first question would load, such as the vendor's package. Nothing is sent.

        Raises:
            ConfigurationError: A package is missing.
        """
        self._load()

    # -- hooks --------------------------------------------------------------------------------------------

    @abstractmethod
    def _ask(self, question: Question, hear: Listener) -> Reply:
        """One attempt at one checked question; `hear` gets the pieces as they come."""

    def _hand_over(self, shown: Shown) -> Handed:
        """One upload."""
        raise UnsupportedError(f"{self.kind} takes no files")

    def _handed(self, id: str) -> bool:
        """One look at what was handed over: whether it can be used; `MediaError` where it never will."""
        return True

    def _release(self, id: str) -> None:
        """Nothing, where nothing was handed over."""

    def _load(self) -> None:
        """Nothing."""

    # -- inside -------------------------------------------------------------------------------------------

    def _counted(self, question: Question, hear: Listener, tally: _Tally) -> Reply:
        tally.submits += 1
        try:
            return self._translated(lambda: self._ask(question, hear))
        except UnavailableError:
            tally.lost += 1
            raise
        except PolyreelError:  # refused, or no place for it: nothing was done
            tally.submits -= 1
            raise

    def _rate(self, fps: float | None) -> float:
        low, high = self.fps_range
        rate = self.fps if fps is None else fps
        if not low <= rate <= high:
            raise InvalidQueryError(
                f"fps is {rate:g}; {self.kind} takes {low:g} to {high:g} frames a second",
                hint="a longer video is looked at more evenly in pieces",
            )
        return rate

    def _ways(self, modality: Modality) -> Mapping[Way, HandOver]:
        if modality not in self.ways:
            raise UnsupportedError(
                f"{self.kind} doesn't take {modality.value}", hint=f"it takes {', '.join(self.ways)}"
            )
        return self.ways[modality]

    def _check_shown(self, shown: Shown) -> None:
        modality = shown.media.modality
        hand = self._ways(modality).get(shown.way)
        if hand is None:
            raise UnsupportedError(f"{self.kind} doesn't take a {modality.value} by {shown.way.value}")
        if modality is Modality.VIDEO:
            self._rate(shown.media.fps)
        if hand.types and shown.kind not in hand.types:
            raise MediaError(
                f"{self.kind} doesn't take {shown.kind}; it takes {', '.join(sorted(hand.types))}"
            )
        if hand.max_bytes is not None and shown.size > hand.max_bytes:
            raise MediaError(
                f"a {modality.value} of {shown.size:,} bytes is too large to go by {shown.way.value}; "
                f"{hand.max_bytes:,} bytes may",
                hint="cut a piece out of it first",
            )


def _paid(error: RetryableError, tally: _Tally) -> PaidError:
    """The error, with how often the question may have been paid for."""
    times = "once" if tally.lost == 1 else f"{tally.lost} times"
    counted = f"{error.message}; asked {times}, which may be paid for"
    return PaidError(counted, _took(tally), hint=error.hint, request_id=error.request_id)


def _took(tally: _Tally) -> Reply:
    return Reply("", submits=tally.submits, lost=tally.lost, complete=False, cost=0.0)
