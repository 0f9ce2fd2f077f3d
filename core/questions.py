"""What a model that looks at videos is shown and asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .errors import UnavailableError
from .frameplan import FramePlan
from .media import Media


class Way(StrEnum):
    """How a medium reaches the model."""

    BASE64 = "base64"
    URL = "url"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture or video on its way to the model, as a whole file of a type that is taken.

    Args:
        media: Its local file; by `Way.URL` its address, by `Way.FILE` the id under which the service has it.
        way: How it goes there.
        kind: Its content type, such as `video/mp4`.
        size: Bytes.
    """

    media: Media
    way: Way
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Args:
        text: In words.
        shown: Pictures and videos, in the order in which the words speak of them.
        after: The id of the reply that this follows up; what was shown then is still seen.
        thinking: Whether the model reasons first; None leaves that to the model.
        max_tokens: Of the answer; None leaves that to the model.
    """

    text: str
    shown: tuple[Shown, ...] = ()
    after: str | None = None
    thinking: bool | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer as it comes; `reasoning` is what the model says to itself before it."""

    text: str
    reasoning: bool = False


Listener = Callable[[Piece], None]
"""Hears an answer as it comes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and what it took.

    Args:
        text: The answer.
        reasoning: What the model said to itself before, as far as the service tells it.
        id: By which another question can follow this one up; None where that can't be done.
        expires: Seconds since 1970 after which it can't any more; None where that isn't told.
        model: That answered.
        usage: What the service counted: `input_tokens`, `output_tokens`, `reasoning_tokens`, `cached_tokens`.
        request_ids: By which the service can be asked about it.
        submits: Requests that may have been paid for; more than one where a reply was lost.
        lost: Those whose reply was lost.
        complete: Whether the answer is whole; it isn't where it met a limit of tokens.
        cost: By the configured rates; None is unknown.
        currency: Of the cost.
        plans: How each video was sampled.
        hears: Whether the sound was heard, too.
    """

    text: str
    reasoning: str = ""
    id: str | None = None
    expires: float | None = None
    model: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()
    submits: int = 1
    lost: int = 0
    complete: bool = True
    cost: float | None = None
    currency: str = ""
    plans: tuple[FramePlan, ...] = ()
    hears: bool = False

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel describe --json`."""
        return {
            "answer": self.text,
            "reasoning": self.reasoning,
            "complete": self.complete,
            "sound_heard": self.hears,
            "id": self.id,
            "model": self.model,
            "usage": dict(self.usage),
            "submits": self.submits,
            "lost": self.lost,
            "cost": self.cost,
            "currency": self.currency,
            "plans": [plan.to_json() for plan in self.plans],
            "request_ids": list(self.request_ids),
        }


class PaidError(UnavailableError):
    """There is no answer that can be used, though it may have been paid for; `reply` has what it took."""

    def __init__(
        self, message: str, reply: Reply, *, hint: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, request_id=request_id)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Handed:
    """What the service has now: the id of the file, and when it forgets it (seconds since 1970)."""

    id: str
    expires: float
