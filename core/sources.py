"""What can be taken in: a local file, a file elsewhere, and what is known of them.

`core.discovery` finds them; `core.sidecars` and `core.rows` read what people wrote about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .errors import PolyreelError
from .generated import Generated
from .records import Scope, Text
from .subtitles import Line

SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv".split()
)
"""What counts as a video when a folder is searched; a file that is named itself may end in anything."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to take in and what is known of it.

    Args:
        path: The file.
        text: Of the whole video.
        fields: Declared and other values, unchecked.
        lines: Captions and subtitles with times.
        uri: Its lasting address, where that is another than the file's.
        signed: Whether nobody can fetch that address as it stands, since a signature was left out of it.
        given: What the call itself said of it, in a row or by the file's name; kept for another try.
        generated: What a model said of it in an earlier run; no part of what is compared.
    """

    path: Path
    text: Text = field(default_factory=Text)
    fields: Mapping[str, object] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    uri: str | None = None
    signed: bool = False
    given: Mapping[str, object] = field(default_factory=dict, repr=False)
    generated: Generated | None = None

    @property
    def name(self) -> str:
        """What to call it in a report."""
        return self.uri or str(self.path)

    def text_for(self, scope: Scope, start_ms: int, end_ms: int) -> Text:
        """The text of a record: all lines for the whole video, those of its own time for a clip."""
        text = self._with(self.lines) if scope is Scope.VIDEO else self._text_of(start_ms, end_ms)
        if self.generated is None:
            return text
        return replace(text, generated=self.generated.text_for(scope, start_ms, end_ms))

    def text_of(self, start_ms: int, end_ms: int) -> Text:
        """The text of a clip: that of the video, and the lines of its own time."""
        return self.text_for(Scope.CLIP, start_ms, end_ms)

    def _text_of(self, start_ms: int, end_ms: int) -> Text:
        return self._with(
            tuple(
                line
                for line in self.lines
                if line.start_ms < end_ms and max(line.end_ms, line.start_ms + 1) > start_ms
            )
        )

    def _with(self, lines: tuple[Line, ...]) -> Text:
        if not lines:
            return self.text
        transcript = "\n".join(
            part for part in (self.text.transcript, *(line.text for line in lines)) if part
        )
        return replace(self.text, transcript=transcript)


@dataclass(frozen=True, slots=True)
class Remote:
    """A file that must be fetched first, and what is known of it.

    Args:
        source: What it becomes; its path is only a file's name.
        address: Where to fetch it: an object's key, or a URL that may be signed and is never shown.
        key: Whether the address is a key of the stack's object store.
    """

    source: Source
    address: str = field(repr=False)
    key: bool = False

    @property
    def name(self) -> str:
        """What to call it in a report: its address without secrets."""
        return self.source.name

    @property
    def path(self) -> Path:
        """The name of its file."""
        return self.source.path

    @property
    def fields(self) -> Mapping[str, object]:
        """Declared and other values, unchecked."""
        return self.source.fields

    @property
    def signed(self) -> bool:
        """Whether its lasting address lacks a signature."""
        return self.source.signed

    @property
    def given(self) -> Mapping[str, object]:
        """What the call itself said of it."""
        return self.source.given

    def inside(self, folder: Path) -> Source:
        """The source that it is once its file lies in the folder."""
        return replace(self.source, path=folder / self.source.path)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What was asked for and can't be taken in.

    Args:
        name: As it was given, without secrets.
        error: Why.
        place: Its path or lasting address, where that is another than the name.
        given: What the call itself said of it.
        signed: Whether its signature is gone, so that only its whole address, given again, helps.
    """

    name: str
    error: PolyreelError
    place: str | None = None
    given: Mapping[str, object] = field(default_factory=dict, repr=False)
    signed: bool = False

    @property
    def path(self) -> Path:
        """The same as a path."""
        return Path(self.name)


Found = Source | Remote | Unreadable
"""What a search for videos brings."""
