"""What a person asks for: parts with weights, conditions, and the shape of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from .errors import InvalidQueryError
from .fields import shown
from .filter_json import from_json
from .filters import ALL, F, Filter
from .media import Modality
from .query_parts import (
    Fusion,
    Part,
    Sources,
    checked_weight,
    named,
    of_media,
    of_records,
    of_text,
    of_words,
)
from .records import Channel, Scope, Vector
from .registry import nearest
from .shape import Moments, Shape, check_count, check_number

__all__ = ["Fusion", "Part", "Query", "Sources"]

Choice = TypeVar("Choice", bound=StrEnum)
_KINDS = (  # what is usual comes first: an abstract class is slow to ask
    ("weights", dict | Mapping, "a mapping of parts and numbers"),
    ("without", None | str | Mapping, "a text, or a mapping of parts"),
    ("hybrid", bool, "True or False"),
    ("exact", bool, "True or False"),
)
_OF_SCOPE = {scope: F.scope == scope.value for scope in Scope}


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One search, as `VideoSearch.search` takes it; that method's arguments are these fields.

    Args:
        text: What to look for, in words.
        image: Pictures like it.
        video: Videos like it; `clip.mp4#t=3,8` is only that span of one, in seconds or as `m:ss`.
        audio: Sounds like it.
        vector: A vector of the collection's space.
        like: Ids of records like it; they are not among the hits.
        lexical: Words that title, tags, captions or transcript should hold. Their ranking (BM25,
            `core.lexical`) is fused by rank with that of the other parts.
        hybrid: The text is also looked up as words.
        weights: By part name (`text`, `image`, `image_2`, …); 1 where none is given.
        without: Parts of which the hits should be unlike: a text, or `{"image": path}` and so on.
        where: A condition, as a filter or its JSON form.
        scope: `clip`, `video`, or None for both.
        within: Only this video, by its id or, as long as no other video's starts so, the start of it.
        group_by: `video` gives the best hit of each video.
        limit: Hits on a page.
        min_score: Only hits of at least this similarity.
        fusion: How parts are joined; None chooses `joint` where it exists and weights are plain, else
            `sum`.
        exact: Brute force instead of an index.
        rerank: How many candidates the stack's reranker puts into another order, at least `limit`; pages are
            slices of that list, which ends with them. Diversity then chooses the candidates, not their order.
        start: Seconds; only what goes on after this time of its video.
        end: Seconds; only what begins before this time of its video.
        moments: Neighbouring clip hits become one hit: True, or `Moments` with bounds of its own.
        clips: With `group_by`, how many best clips of each video are told (`Hit.members`).
        diversity: From 0 to 1, how much a hit's unlikeness to those before it counts beside its score
            (maximal marginal relevance).
        distinct: From 0 to 1; a hit whose vector has at least this cosine with an earlier one's is left out.
        channels: Only records of these channels: a name, several, or a mapping of names and weights, of
            which the rankings are fused by rank.
    """

    text: str | None = None
    image: Sources = ()
    video: Sources = ()
    audio: Sources = ()
    vector: Vector | None = None
    like: str | Sequence[str] = ()
    lexical: str | None = None
    hybrid: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    without: str | Mapping[str, object] | None = None
    where: Filter | Mapping[str, object] | None = None
    scope: Scope | str | None = Scope.CLIP
    within: str | None = None
    group_by: str | None = None
    limit: int = 10
    min_score: float | None = None
    fusion: Fusion | str | None = None
    exact: bool = False
    rerank: int | None = None
    start: float | None = None
    end: float | None = None
    moments: bool | Moments = False
    clips: int = 1
    diversity: float = 0.0
    distinct: float | None = None
    channels: str | Sequence[str] | Mapping[str, float] | None = None

    def parts(self) -> list[Part]:
        """Every part with its weight.

        Raises:
            InvalidQueryError: There is none, or a part or weight is wrong.
            NotFoundError: A file isn't there.
        """
        self._check_types()
        parts = named(self.wanted())
        if self.weights:
            parts = self._weighted(parts)
        unwanted = [] if self.without is None else self._unwanted(self.without)
        if not parts:
            raise InvalidQueryError(
                "the query is empty", hint="give a text, an image, a video, words, a vector or a record's id"
            )
        return parts + unwanted

    def condition(self) -> Filter:
        """All conditions in one, but for the channels.

        Raises:
            InvalidQueryError: One of them can't be read.
        """
        given = ALL if self.where is None else self.where
        where = given if isinstance(given, Filter) else from_json(given)
        if self.scope is not None:
            where = where & _OF_SCOPE[_chosen(Scope, self.scope, "scope")]
        if self.within is not None:
            where = where & (F.video_id == _id_of(self.within))
        return where & self._window()

    def chosen_fusion(self) -> Fusion | None:
        """The fusion asked for."""
        return None if self.fusion is None else _chosen(Fusion, self.fusion, "fusion")

    def shape(self) -> Shape:
        """What a page shall hold.

        Raises:
            InvalidQueryError: A number is wrong, or two of the wishes exclude each other.
        """
        by_video, moments = self._by_video(), self._moments()
        check_count("limit", self.limit)
        check_count("clips", self.clips)
        check_number("diversity", self.diversity, low=0.0, high=1.0)
        if self.distinct is not None:
            check_number("distinct", self.distinct, low=0.0, high=1.0)
        if self.clips > 1 and not by_video:
            raise InvalidQueryError("clips says how many of each video", hint='use it with group_by="video"')
        if moments and by_video:
            raise InvalidQueryError("hits are grouped by video or joined to moments", hint="leave one out")
        if moments and (self.scope is None or _chosen(Scope, self.scope, "scope") is not Scope.CLIP):
            raise InvalidQueryError("moments are made of clips", hint="leave scope out")
        return Shape(self.limit, by_video, self.clips, moments, self.diversity, self.distinct)

    def chosen_channels(self) -> dict[Channel, float]:
        """The channels asked for, with their weights; none where all may be found.

        Raises:
            InvalidQueryError: There is no such channel, or a weight is wrong.
        """
        given = self.channels
        if given is None:
            return {}
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, Sequence | Mapping) or not names:
            raise InvalidQueryError(f"channels takes names, or names with weights, not {shown(given)}")
        weights = given if isinstance(given, Mapping) else {}
        chosen = {
            _chosen(Channel, name, "channel"): checked_weight(name, weights.get(name, 1.0)) for name in names
        }
        if min(chosen.values()) < 0:
            raise InvalidQueryError("the weight of a channel must be more than 0", hint="leave it out")
        return chosen

    def wanted(self) -> list[Part]:
        """The parts that the hits should be like, without names and weights of their own."""
        parts = [] if self.text is None else [of_text(self.text)]
        for modality, sources in (
            (Modality.IMAGE, self.image),
            (Modality.VIDEO, self.video),
            (Modality.AUDIO, self.audio),
        ):
            if sources != ():
                parts += of_media(modality, sources)
        if self.vector is not None:
            parts.append(Part("vector", vector=self.vector))
        if self.like != ():
            parts += of_records(self.like)
        return parts + ([] if (words := self._words()) is None else [of_words(words)])

    def _weighted(self, parts: Sequence[Part]) -> list[Part]:
        names = [part.name for part in parts]
        if unknown := self.weights.keys() - names:
            name = min(map(str, unknown))
            raise InvalidQueryError(
                f"weights name the part {name!r}, which the query hasn't", hint=nearest(name, names)
            )
        return [
            replace(part, weight=checked_weight(part.name, self.weights.get(part.name, 1.0)))
            for part in parts
        ]

    def _check_types(self) -> None:
        """Refuse what Python would stumble over later."""
        for name, kind, what in _KINDS:
            if not isinstance(value := getattr(self, name), kind):
                raise InvalidQueryError(f"{name} takes {what}, not {shown(value)}")

    def _by_video(self) -> bool:
        if self.group_by not in (None, "video"):
            raise InvalidQueryError(f"group_by is {self.group_by!r}", hint="the only grouping is 'video'")
        return self.group_by == "video"

    def _moments(self) -> Moments | None:
        if not isinstance(self.moments, bool | Moments):
            raise InvalidQueryError(f"moments takes True, or Moments(…), not {shown(self.moments)}")
        return self.moments if isinstance(self.moments, Moments) else Moments() if self.moments else None

    def _window(self) -> Filter:
        """What overlaps the time from `start` to `end` by more than an edge."""
        where: Filter = ALL
        if self.start is not None:
            where = where & (F.end > _seconds("start", self.start))
        if self.end is not None:
            where = where & (F.start < _seconds("end", self.end))
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise InvalidQueryError(f"the time from {self.start:g} to {self.end:g} s is empty")
        return where

    def _words(self) -> str | None:
        """What is looked up as words."""
        if not self.hybrid:
            return self.lexical
        if self.lexical is not None or self.text is None:
            raise InvalidQueryError("hybrid looks the text up as words: give a text, and lexical not as well")
        return self.text

    def _unwanted(self, without: str | Mapping[str, object]) -> list[Part]:
        parts = [of_text(without)] if isinstance(without, str) else _parts_of(without)
        return [replace(part, name=f"without_{part.name}", weight=-part.weight) for part in named(parts)]


def _parts_of(without: Mapping[str, object]) -> list[Part]:
    known = {"text", "image", "video", "audio", "vector", "like"}
    for name in without.keys() - known:
        raise InvalidQueryError(f"without has an unknown part {name!r}", hint=nearest(str(name), known))
    return Query(**without).wanted()  # type: ignore[arg-type]  # each part checks its own value


def _id_of(within: object) -> str:
    """The id of a video; an empty one would drop the condition, or find nothing."""
    if not isinstance(within, str) or not within:
        raise InvalidQueryError(f"within takes the id of a video, not {shown(within)}")
    return within


def _seconds(name: str, value: float) -> float:
    check_number(name, value, low=0.0, high=1e9)
    return float(value)


def _chosen(kind: type[Choice], value: str, what: str) -> Choice:
    try:
        return kind(value)
    except ValueError as error:
        names = [str(each) for each in kind]
        raise InvalidQueryError(f"{what} is {value!r}", hint=nearest(str(value), names)) from error
