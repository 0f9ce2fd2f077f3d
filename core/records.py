"""The words of polyreel: records, their text, hits and moments' spans.

Times are whole milliseconds inside and seconds at the API's edge (`start`, `end`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .media import Media

Vector = Sequence[float]
"""A list, an `array`, or a one-dimensional numpy array of floats."""

EMPTY: Mapping[str, object] = MappingProxyType({})


def floats(vector: Vector) -> list[float]:
    """A vector as a list of Python's floats: drivers read numpy's one by one, which is slow."""
    return vector if isinstance(vector, list) else getattr(vector, "tolist", lambda: list(vector))()


class Scope(StrEnum):
    """A piece of a video, or the whole of it."""

    CLIP = "clip"
    VIDEO = "video"


class Channel(StrEnum):
    """What a vector was made from."""

    FUSED = "fused"
    VISUAL = "visual"
    AUDIO = "audio"
    TRANSCRIPTION = "transcription"
    PROXY = "proxy"


class ScoreKind(StrEnum):
    """What a score is. Higher is better for all; the last three order a page and promise nothing more."""

    COSINE = "cosine"
    IP = "ip"
    NEG_L2 = "neg_l2"
    RRF = "rrf"
    WEIGHTED = "weighted"
    RERANK = "rerank"

    @property
    def is_similarity(self) -> bool:
        """Whether the score measures likeness, so that a threshold on it has a meaning."""
        return self not in (ScoreKind.RRF, ScoreKind.WEIGHTED, ScoreKind.RERANK)


@dataclass(frozen=True, slots=True)
class Text:
    """What people wrote or said about a record; `generated` is what a model said of it."""

    title: str = ""
    tags: tuple[str, ...] = ()
    caption: str = ""
    transcript: str = ""
    generated: str = ""

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self.title or self.tags or self.caption or self.transcript or self.generated)

    def joined(self) -> str:
        """All of it, one part a line."""
        parts = (self.title, ", ".join(self.tags), self.caption, self.transcript, self.generated)
        return "\n".join(part for part in parts if part)

    def to_json(self) -> dict[str, object]:
        """Only the parts that are there."""
        parts = {
            "title": self.title,
            "tags": list(self.tags),
            "caption": self.caption,
            "transcript": self.transcript,
            "generated": self.generated,
        }
        return {name: part for name, part in parts.items() if part}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Text:
        """The opposite of `to_json`."""
        given, tags = value.get, value.get("tags")
        return cls(
            str(given("title", "")),
            tuple(map(str, tags)) if isinstance(tags, list | tuple) else (),
            str(given("caption", "")),
            str(given("transcript", "")),
            str(given("generated", "")),
        )


Known = tuple[str, str, str, Scope, int, int, Channel, str]
"""A record's parts from `id` to `recipe`."""
Rest = tuple[Text, Mapping[str, object], Mapping[str, object]]
"""A record's text, fields and extra."""


class _ReadLater:
    """Reads text, fields and extra of a stored record when one of them is first looked at.

    Most hits of a search are only ranked, or shown by their spans; reading took half of a record's time.
    """

    __slots__ = ("_read",)
    _read: Callable[[], Rest]

    if not TYPE_CHECKING:  # to a type checker any name would be an attribute

        def __getattr__(self, name: str) -> object:
            if name not in ("text", "fields", "extra"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            for part, value in zip(("text", "fields", "extra"), self._read(), strict=True):
                object.__setattr__(self, part, value)
            return object.__getattribute__(self, name)


@dataclass(frozen=True, slots=True)
class Record(_ReadLater):
    """One row of a store.

    Args:
        id: Any UTF-8 string of 1 to 256 bytes.
        video_id: The video that it is a piece of; derives from the file's content.
        uri: Where the video is now.
        scope: A clip of the video, or all of it.
        start_ms: First millisecond of the span.
        end_ms: The millisecond after its last.
        channel: What the vector was made from.
        recipe: How the video was cut and sampled (`Recipe.key`).
        content: A vector, or a medium for the store to vectorize; None when it was fetched without.
        text: Title, tags, caption and transcript of this span.
        fields: Values of declared fields; a missing key is null.
        extra: Everything else of the user's: returned, not filterable.
    """

    id: str
    video_id: str
    uri: str
    scope: Scope = Scope.CLIP
    start_ms: int = 0
    end_ms: int = 0
    channel: Channel = Channel.FUSED
    recipe: str = ""
    content: Vector | Media | None = None
    text: Text = field(default_factory=Text)
    fields: Mapping[str, object] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def read_later(cls, known: Known, read: Callable[[], Rest]) -> Record:
        """A record without its vector, whose text, fields and extra are read when they are looked at.

        Args:
            known: All before them, in order.
            read: Reads them: once, or once in each of several threads.
        """
        draft: Any = _RecordDraft()
        (
            draft.id,
            draft.video_id,
            draft.uri,
            draft.scope,
            draft.start_ms,
            draft.end_ms,
            draft.channel,
            draft.recipe,
        ) = known
        draft.content, draft._read = None, read  # noqa: SLF001  # its own
        draft.__class__ = cls
        record: Record = draft
        return record

    def changed(
        self, content: Vector | Media | None, fields: Mapping[str, object], extra: Mapping[str, object]
    ) -> Record:
        """The record with these parts: what `dataclasses.replace` makes, in a quarter of its time."""
        draft: Any = _RecordDraft()
        draft.id = self.id
        draft.video_id = self.video_id
        draft.uri = self.uri
        draft.scope = self.scope
        draft.start_ms = self.start_ms
        draft.end_ms = self.end_ms
        draft.channel = self.channel
        draft.recipe = self.recipe
        draft.content = content
        draft.text = self.text
        draft.fields = fields
        draft.extra = extra
        draft.__class__ = Record
        record: Record = draft
        return record

    @property
    def start(self) -> float:
        """Seconds."""
        return self.start_ms / 1000

    @property
    def end(self) -> float:
        """Seconds."""
        return self.end_ms / 1000


class _RecordDraft(_ReadLater):
    """A record while it is made: a frozen class writes its attributes in three times as long."""

    __slots__ = Record.__match_args__


class Confidence(StrEnum):
    """How surely a hit is what was asked for, by what is known of cosines (`core.levels`)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model that looked at a hit's moment says of one criterion.

    Args:
        criterion: In words, as it was asked.
        outcome: `confirmed`, `rejected` or `unsure`.
        time: Seconds in the video at which that is seen; None where no time was told.
        reason: In one sentence.
    """

    criterion: str
    outcome: str
    time: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "criterion": self.criterion,
            "outcome": self.outcome,
            "time": self.time,
            "reason": self.reason,
        }


Verdicts = tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that was found.

    Args:
        record: What was found, without its vector.
        score: How well it fits; comparable within one answer only.
        score_kind: What the score is.
        similarity: The similarity to each part of the query, by the part's name. Parts that the model joined
            in one call have one only where their own vectors cost nothing (`Embedder.free`), or are kept.
        retrieval: The score that it was found with, and its kind, where a reranker gave it another one.
        confidence: By its cosine, where the query asks by one medium alone and levels of that medium were
            measured: the stack's own (`Stack.levels`), else its embedder's (`Embedder.levels`). Else None.
        members: Of a video, its best clips, the best first, where more than one was asked for.
        verdicts: On each criterion of `verify`; empty where the hit wasn't looked at.
    """

    record: Record
    score: float
    score_kind: ScoreKind = ScoreKind.COSINE
    similarity: Mapping[str, float] = field(default_factory=dict)
    retrieval: tuple[float, ScoreKind] | None = None
    confidence: Confidence | None = None
    members: tuple[Hit, ...] = ()
    verdicts: Verdicts = ()

    @classmethod
    def bare(
        cls,
        record: Record,
        score: float,
        score_kind: ScoreKind,
        similarity: Mapping[str, float] | None = None,
        confidence: Confidence | None = None,
    ) -> Hit:
        """A hit without members and what a model says, made in a third of the time: there may be many."""
        draft: Any = _HitDraft()
        draft.record = record
        draft.score = score
        draft.score_kind = score_kind
        draft.similarity = {} if similarity is None else similarity
        draft.retrieval = None
        draft.confidence = confidence
        draft.members = draft.verdicts = ()
        draft.__class__ = cls
        hit: Hit = draft
        return hit

    @property
    def id(self) -> str:
        """The record's id."""
        return self.record.id

    @property
    def video_id(self) -> str:
        """The id of the video that the record is a piece of."""
        return self.record.video_id

    @property
    def uri(self) -> str:
        """Where the video is."""
        return self.record.uri

    @property
    def span_ms(self) -> tuple[int, int]:
        """The first millisecond shown, and the one after the last."""
        return self.record.start_ms, self.record.end_ms

    @property
    def start(self) -> float:
        """Seconds."""
        return self.span_ms[0] / 1000

    @property
    def end(self) -> float:
        """Seconds."""
        return self.span_ms[1] / 1000

    @property
    def pieces(self) -> tuple[Hit, ...]:
        """The spans that it tells of: the best clips of a video, else itself."""
        return self.members or (self,)

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel search --json`; times in seconds."""
        record = self.record
        members = {"members": [member.to_json() for member in self.members]} if self.members else {}
        return {
            "id": record.id,
            "video_id": record.video_id,
            "uri": record.uri,
            "scope": record.scope.value,
            "start": self.start,
            "end": self.end,
            "channel": record.channel.value,
            "score": self.score,
            "score_kind": self.score_kind.value,
            "similarity": dict(self.similarity),
            **({"retrieval": _retrieval(*self.retrieval)} if self.retrieval else {}),
            "confidence": self.confidence.value if self.confidence else None,
            "fields": {name: _plain(value) for name, value in record.fields.items()},
            "text": record.text.to_json(),
            "extra": dict(record.extra),
            **members,
            **({"verdicts": [each.to_json() for each in self.verdicts]} if self.verdicts else {}),
        }


class _HitDraft:
    """A hit while it is made."""

    __slots__ = Hit.__match_args__


@dataclass(frozen=True, slots=True)
class Moment(Hit):
    """Neighbouring clip hits of one video as one hit, from the start of the first to the end of the last.

    Record, score, similarity and confidence are those of its best clip; `members` are all of them, in the
    order of time.
    """

    @property
    def span_ms(self) -> tuple[int, int]:
        """The first millisecond shown, and the one after the last."""
        spans = [member.span_ms for member in self.members]
        return min(start for start, _ in spans), max(end for _, end in spans)

    @property
    def pieces(self) -> tuple[Hit, ...]:
        """Itself: its members are one span."""
        return (self,)

    @property
    def best(self) -> Hit:
        """The member that fits best."""
        return next(member for member in self.members if member.id == self.id)

    def to_json(self) -> dict[str, object]:
        """As of any hit; `best` is the id of the best of its members."""
        return {**Hit.to_json(self), "best": self.id}


def _retrieval(score: float, kind: ScoreKind) -> dict[str, object]:
    return {"score": score, "score_kind": kind.value}


def _plain(value: object) -> object:
    """A field's value as JSON has it."""
    isoformat = getattr(value, "isoformat", None)
    if isoformat is not None:
        return isoformat()
    return list(value) if isinstance(value, tuple) else value
