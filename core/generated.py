"""What a model said of a video, kept in its manifest apart from what people wrote.

It is no part of the text that an ingest compares, so an ingest neither overwrites it nor takes it for a
change of the sidecar; whoever writes a record's text adds it (`Source.text_for`). It goes with the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .records import Scope
from .subtitles import Line


@dataclass(frozen=True, slots=True)
class Generated:
    """A caption and events with times, and what made them.

    Args:
        caption: Of the whole video.
        events: By their beginnings.
        key: A digest of content, prompt and model: another one is asked for anew.
        model: That was asked.
        made: When, ISO 8601.
    """

    caption: str
    events: tuple[Line, ...] = ()
    key: str = ""
    model: str = ""
    made: str = ""

    def text_for(self, scope: Scope, start_ms: int, end_ms: int) -> str:
        """What a record has of it: the caption, and the events of its own time; all of a whole video."""
        own = [
            event.text
            for event in self.events
            if scope is Scope.VIDEO
            or (event.start_ms < end_ms and max(event.end_ms, event.start_ms + 1) > start_ms)
        ]
        return "\n".join(part for part in (self.caption, *dict.fromkeys(own)) if part)

    def to_json(self) -> dict[str, object]:
        """A JSON object; times are milliseconds."""
        return {
            "caption": self.caption,
            "events": [[event.start_ms, event.end_ms, event.text] for event in self.events],
            "key": self.key,
            "model": self.model,
            "made": self.made,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Generated:
        """The opposite of `to_json`; what is none of its making is a `TypeError` or `ValueError`."""
        events = value.get("events", [])
        if not isinstance(events, list):
            raise TypeError("events are a list")
        return cls(
            caption=str(value.get("caption", "")),
            events=tuple(Line(int(start), int(end), str(text)) for start, end, text in events),
            key=str(value.get("key", "")),
            model=str(value.get("model", "")),
            made=str(value.get("made", "")),
        )
