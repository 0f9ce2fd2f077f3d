"""Answers that must be JSON: read leniently, checked strictly, repaired once, and never paid for twice."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from .errors import PolyreelError, RetryableError, UnavailableError
from .fields import shown
from .journal import Journal
from .locating import Found
from .questions import PaidError, Reply
from .viewing import Asked, Viewer

T = TypeVar("T")

_LONGEST = 8000  # characters of a faulty answer that are shown to the model again
_CLOCK = re.compile(r"(?:(\d{1,4}):(?=[0-5]?\d:))?(\d{1,4}):([0-5]?\d(?:\.\d+)?)")
_FENCE = re.compile(r"```(?:json)?\s*([{\[])", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s|sec|seconds|秒)?", re.IGNORECASE)


class UnreadableError(ValueError):
    """An answer that isn't what was asked for; the message is for the model, which may mend it."""


class UnusableError(PaidError):
    """The model's answer can't be used, nor its second one; `reply` has what both took."""

    def __init__(self, message: str, reply: Reply) -> None:
        request_id = reply.request_ids[-1] if reply.request_ids else None
        super().__init__(message, reply, hint="ask again, or for less at a time", request_id=request_id)


@dataclass(frozen=True, slots=True)
class Spent:
    """What answers took, those of a repair and of the journal counted in.

    Args:
        asked: Questions that were sent now.
        submits: Requests that may have been paid for now.
        lost: Those whose reply was lost, now or in a run that was cut off.
        usage: What the service counted now.
        cost: By the configured rates; None is unknown.
        cached: Answers that were paid for earlier.
    """

    asked: int = 0
    submits: int = 0
    lost: int = 0
    usage: Counter[str] | None = None
    cost: float | None = 0.0
    cached: int = 0

    def __add__(self, other: Spent) -> Spent:
        """Both together."""
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Spent(
            self.asked + other.asked,
            self.submits + other.submits,
            self.lost + other.lost,
            Counter(self.usage or {}) + Counter(other.usage or {}),
            cost,
            self.cached + other.cached,
        )

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "asked": self.asked,
            "cached": self.cached,
            "submits": self.submits,
            "lost": self.lost,
            "usage": dict(self.usage or {}),
            "cost": self.cost,
        }


def structured(
    viewer: Viewer, found: Sequence[Found], question: str, how: Asked, read: Callable[[object], T]
) -> tuple[T, Reply]:
    """What `read` makes of the JSON in an answer. One that can't be read is repaired once.

    Args:
        viewer: Asks.
        found: The videos that are shown.
        question: That asks for JSON.
        how: Of the question.
        read: Raises `UnreadableError` for what isn't as it should be.

    Returns:
        What was read, and the reply: of both rounds together, where there were two.

    Raises:
        UnusableError: The second answer can't be read either, or doesn't come.
    """
    reply = viewer.ask_about(found, question, (), how)
    try:
        return read(parsed(reply.text)), reply
    except UnreadableError as error:
        again = _mended(viewer, question, reply, str(error), how)
    whole = together(reply, again)
    try:
        return read(parsed(again.text)), whole
    except UnreadableError as error:
        message = f"the model's answer can't be used, nor its second one: {error}"
        raise UnusableError(message, whole) from error


def once(journal: Journal, key: str, ask: Callable[[], tuple[object, Reply]]) -> tuple[object, Spent]:
    """The JSON value of a question that is only asked where the journal hasn't its answer.

    The intent is written down before the question is sent. A run that was killed before the answer arrived
    may have paid for it: the next one asks again, and counts that as lost.

    Args:
        journal: Keeps the answers.
        key: A digest of content, prompt and model.
        ask: Asks; the value must be JSON.
    """
    known = journal.recall("answer", key)
    if known is not None:
        return known["value"], Spent(cached=1)
    open_before = int((journal.recall("asking", key) or {}).get("open", 0))
    journal.keep("asking", key, {"open": open_before + 1})
    try:
        value, reply = ask()
    except PolyreelError as error:
        if isinstance(error, PaidError) or not isinstance(error, UnavailableError):
            journal.keep("asking", key, {"open": open_before})  # refused, never sent, or counted by now
        raise
    journal.keep("answer", key, {"value": value, "model": reply.model})
    journal.let_go("asking", key)
    return value, replace(spent(reply), lost=reply.lost + open_before)


def spent(reply: Reply) -> Spent:
    """What one reply took."""
    return Spent(1, reply.submits, reply.lost, Counter(reply.usage), reply.cost)


def wasted(error: PolyreelError) -> Spent:
    """What a question took that came to nothing."""
    return spent(error.reply) if isinstance(error, PaidError) else Spent()


def together(one: Reply, other: Reply) -> Reply:
    """The second reply, with what both took."""
    usage = Counter(one.usage) + Counter(other.usage)
    return replace(
        other,
        reasoning="\n".join(part for part in (one.reasoning, other.reasoning) if part),
        usage=dict(usage),
        request_ids=(*one.request_ids, *other.request_ids),
        submits=one.submits + other.submits,
        lost=one.lost + other.lost,
        cost=None if one.cost is None or other.cost is None else one.cost + other.cost,
        plans=one.plans,
    )


def parsed(text: str) -> object:
    """The JSON value in an answer, which may stand between words or in a fence.

    Raises:
        UnreadableError: There is none.
    """
    begin = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if begin < 0:
        raise UnreadableError("there is no JSON in it")
    try:
        return _decoded(text, begin)
    except (ValueError, RecursionError) as error:
        fence = _FENCE.search(text)  # words before it may have brackets of their own
        if fence is None or fence.start(1) == begin:
            raise UnreadableError(f"its JSON is broken: {error}") from error
    try:
        return _decoded(text, fence.start(1))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"its JSON is broken: {error}") from error


def _decoded(text: str, begin: int) -> object:
    value, _ = json.JSONDecoder().raw_decode(text, begin)
    return value


def seconds(value: object, what: str, duration: float) -> float:
    """A time in seconds, written as such or as HH:mm:ss or mm:ss.

    Args:
        value: As the model wrote it.
        what: It is, for the message.
        duration: Seconds; a time up to a second after the end counts as the end.

    Raises:
        UnreadableError: It is no time, or not in the video.
    """
    found = _seconds(value)
    if found is None:
        raise UnreadableError(f"{what} is {shown(value)}; write seconds, or HH:mm:ss")
    if not 0 <= found <= duration + 1:
        raise UnreadableError(f"{what} is {found:g} s; the video has {duration:.2f} s")
    return min(found, duration)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(max(-1, min(value, sys.maxsize)))  # outside any video; a longer number is no float
    text = value.strip().strip("[]") if isinstance(value, str) else ""
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, rest = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)
    plain = _SECONDS.fullmatch(text)
    return float(plain[1]) if plain else None


def _mended(viewer: Viewer, question: str, reply: Reply, why: str, how: Asked) -> Reply:
    """The other try; where it doesn't come, the error says what the first answer took, too."""
    try:
        return _repair(viewer, question, reply, why, how)
    except RetryableError as error:
        whole = together(reply, error.reply) if isinstance(error, PaidError) else reply
        message = f"the model's answer can't be used ({why}), and its correction didn't come: {error.message}"
        raise UnusableError(message, whole) from error


def _repair(viewer: Viewer, question: str, reply: Reply, why: str, how: Asked) -> Reply:
    """Another try: as a follow-up where the model remembers the video, else over the faulty answer alone."""
    mend = f"Your answer can't be used: {why}. Answer again with the whole JSON, corrected, and nothing else."
    if reply.id is not None and viewer.model.remembers:
        return viewer.ask_about((), mend, (), replace(how, after=reply.id))
    faulty = f"{question}\n\nYour answer was:\n{reply.text[:_LONGEST]}\n\n{mend}"
    return viewer.ask_about((), faulty, (), how)
