"""Events of a video as data: asked for as JSON, with times that are checked against the video."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import InvalidQueryError
from .fields import shown
from .locating import Subject
from .questions import Reply
from .structured import UnreadableError, seconds, structured
from .viewing import Asked, Viewer

_ASK = (
    "Find the events in this video, in the order of time. You see pictures only and hear no sound.{more}\n"
    'Answer with JSON and nothing else: {{"events": [...]}}. Each event is {form}. '
    "Times are seconds from the beginning of this video as numbers, or HH:mm:ss. "
    "The video is {duration:.2f} s long. Where nothing happens, the list is empty."
)
_FORM = (
    'an object with "start" and "end" (its times), "event" (what happens, in one sentence), '
    'and "danger" (true where somebody or something is in danger)'
)


class Schema(Protocol):
    """A form of events: a pydantic model, or whatever has these two methods. It has `start` and `end`."""

    def model_json_schema(self) -> dict[str, Any]:
        """The JSON schema."""

    def model_validate(self, obj: Any) -> Any:
        """An instance; `ValueError` for what doesn't fit."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens.

    Args:
        start: Seconds from the beginning of the video.
        end: Seconds.
        event: What happens, in words.
        danger: Whether somebody or something is in danger.
    """

    start: float
    end: float
    event: str
    danger: bool = False

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {"start": self.start, "end": self.end, "event": self.event, "danger": self.danger}


@dataclass(frozen=True, slots=True)
class Events:
    """Events in the order of time, and the reply that they were read from. Iterating gives the events.

    Args:
        events: `Event`, or instances of the schema that was given.
        reply: What it took; its text is the model's own.
    """

    events: tuple[Any, ...]
    reply: Reply

    def __iter__(self) -> Iterator[Any]:
        """The events, by time."""
        return iter(self.events)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.events)


def events(viewer: Viewer, video: Subject, look_for: str | None, schema: Schema | None, how: Asked) -> Events:
    """The events of a video, or of a piece of it; times are those of the whole video.

    Args:
        viewer: Asks.
        video: That is looked at.
        look_for: What counts as an event, in words; anything when left out.
        schema: Their form; `Event` when left out.
        how: Of the question.

    Raises:
        InvalidQueryError: The schema has no `start` and `end`.
        UnavailableError: The model's answer can't be read, nor the repaired one.
    """
    form = _FORM if schema is None else _form(schema)
    with viewer.located(video) as found:
        duration = viewer.planned(found, how.fps).duration
        more = f" Look for: {look_for}." if look_for else ""
        question = _ASK.format(more=more, form=form, duration=duration)
        offset = found.span[0] / 1000 if found.span else 0.0
        read, reply = structured(
            viewer, [found], question, how, lambda value: read_events(value, duration, offset, schema)
        )
    return Events(tuple(read), reply)


def read_events(
    value: object, duration: float, offset: float = 0.0, schema: Schema | None = None
) -> list[Any]:
    """The events of an answer, by time.

    Args:
        value: `{"events": [...]}`, or the list itself.
        duration: Seconds of the video that was shown.
        offset: Seconds that are added to each time.
        schema: Their form.

    Raises:
        UnreadableError: Something isn't as it should be; the message names it.
    """
    listed = value.get("events") if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        raise UnreadableError('it is no object with a list "events"')
    read = [_event(each, f"event {at}", duration, offset, schema) for at, each in enumerate(listed, start=1)]
    return [event for _, event in sorted(read, key=lambda pair: pair[0])]


def _event(
    value: object, what: str, duration: float, offset: float, schema: Schema | None
) -> tuple[tuple[float, float], Any]:
    if not isinstance(value, Mapping):
        raise UnreadableError(f"{what} is {shown(value)}, no object")
    for name in ("start", "end"):
        if name not in value:
            raise UnreadableError(f"{what} lacks {name!r}")
    start, end = (seconds(value[name], f"{name!r} of {what}", duration) for name in ("start", "end"))
    if start > end:
        raise UnreadableError(f"{what} begins at {start:g} s, after its end at {end:g} s")
    span = round(start + offset, 3), round(end + offset, 3)
    if schema is not None:
        return span, _validated({**value, "start": span[0], "end": span[1]}, what, schema)
    said, danger = value.get("event"), value.get("danger", False)
    if not isinstance(said, str) or not said.strip():
        raise UnreadableError(f"{what} has no words in 'event'")
    if not isinstance(danger, bool):
        raise UnreadableError(f"'danger' of {what} is {shown(danger)}; write true or false")
    return span, Event(*span, said.strip(), danger)


def _validated(value: Mapping[str, object], what: str, schema: Schema) -> Any:
    try:
        return schema.model_validate(value)
    except ValueError as error:
        raise UnreadableError(
            f"{what} doesn't fit the schema: {' '.join(str(error).split())[:400]}"
        ) from error


def _form(schema: Schema) -> str:
    written = schema.model_json_schema()
    missing = {"start", "end"} - set(written.get("properties", {}))
    if missing:
        raise InvalidQueryError(
            f"the schema of events has no {' and no '.join(map(repr, sorted(missing)))}",
            hint="declare `start: float` and `end: float`",
        )
    return f"an object of this JSON schema: {json.dumps(written, ensure_ascii=False)}"
