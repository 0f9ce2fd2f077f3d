"""What a person asks for: parts with weights, conditions, and the shape of the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from .errors import InvalidQueryError, NotFoundError
from .fields import shown
from .filter_json import from_json
from .filters import F, Filter
from .lexical import query as lexical_query
from .media import Media, Modality
from .records import Scope, Vector
from .registry import nearest

Choice = TypeVar("Choice", bound=StrEnum)
Sources = str | Path | Sequence[str | Path]
"""One address or several: a local path, or a URI that the stack can fetch."""


class Fusion(StrEnum):
    """How several parts become one ranking."""

    JOINT = "joint"
    SUM = "sum"
    RANK = "rank"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One ingredient of a query: a medium, a vector, a record's id, or words to be looked up.

    Args:
        name: `text`, `image`, `video`, `audio`, `vector`, `like` or `lexical`; then `image_2` and so on.
        weight: Negative for what the hits should not be like.
    """

    name: str
    media: Media | None = None
    vector: Vector | None = None
    like: str | None = None
    words: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One search, as `VideoSearch.search` takes it; that method's arguments are these fields.

    Args:
        text: What to look for, in words.
        image: Pictures like it.
        video: Videos like it.
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
        within: Only this video.
        group_by: `video` gives the best hit of each video.
        limit: Hits on a page.
        min_score: Only hits of at least this similarity.
        fusion: How parts are joined; None chooses `joint` where it exists and weights are plain, else
            `sum`.
        exact: Brute force instead of an index.
        rerank: How many candidates the stack's reranker puts into another order, at least `limit`; pages are
            slices of that list, which ends with them.
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

    def parts(self) -> list[Part]:
        """Every part with its weight.

        Raises:
            InvalidQueryError: There is none, or a part or weight is wrong.
            NotFoundError: A file isn't there.
        """
        self._check_types()
        parts = _named(self.wanted())
        unknown = self.weights.keys() - {part.name for part in parts}
        if unknown:
            name = min(unknown)
            raise InvalidQueryError(
                f"weights name the part {name!r}, which the query hasn't",
                hint=nearest(name, [p.name for p in parts]),
            )
        weighted = [
            replace(part, weight=_weight(part.name, self.weights.get(part.name, 1.0))) for part in parts
        ]
        unwanted = [
            replace(part, name=f"without_{part.name}", weight=-part.weight)
            for part in _named(self._unwanted())
        ]
        if not weighted:
            raise InvalidQueryError(
                "the query is empty", hint="give a text, an image, a video, words, a vector or a record's id"
            )
        return weighted + unwanted

    def condition(self) -> Filter:
        """All conditions in one.

        Raises:
            InvalidQueryError: One of them can't be read.
        """
        where = self.where if isinstance(self.where, Filter) else from_json(self.where)
        if self.scope is not None:
            where = where & (F.scope == _chosen(Scope, self.scope, "scope").value)
        return where & (F.video_id == self.within) if self.within else where

    def chosen_fusion(self) -> Fusion | None:
        """The fusion asked for."""
        return None if self.fusion is None else _chosen(Fusion, self.fusion, "fusion")

    def by_video(self) -> bool:
        """Whether only the best hit of each video is wanted."""
        if self.group_by not in (None, "video"):
            raise InvalidQueryError(f"group_by is {self.group_by!r}", hint="the only grouping is 'video'")
        return self.group_by == "video"

    def wanted(self) -> list[Part]:
        """The parts that the hits should be like, without names and weights of their own."""
        parts = [] if self.text is None else [_text(self.text)]
        for modality, sources in (
            (Modality.IMAGE, self.image),
            (Modality.VIDEO, self.video),
            (Modality.AUDIO, self.audio),
        ):
            parts += [
                Part(modality.value, media=_medium(modality, each))
                for each in _several(modality.value, sources)
            ]
        if self.vector is not None:
            parts.append(Part("vector", vector=self.vector))
        parts += [Part("like", like=str(each)) for each in _several("like", self.like)]
        return parts + ([] if (words := self._words()) is None else [_lexical(words)])

    def _check_types(self) -> None:
        """Refuse what Python would stumble over later."""
        for name, kind, what in (
            ("weights", Mapping, "a mapping of parts and numbers"),
            ("without", str | Mapping | None, "a text, or a mapping of parts"),
            ("hybrid", bool, "True or False"),
            ("exact", bool, "True or False"),
        ):
            if not isinstance(value := getattr(self, name), kind):
                raise InvalidQueryError(f"{name} takes {what}, not {shown(value)}")

    def _words(self) -> str | None:
        """What is looked up as words."""
        if not self.hybrid:
            return self.lexical
        if self.lexical is not None or self.text is None:
            raise InvalidQueryError("hybrid looks the text up as words: give a text, and lexical not as well")
        return self.text

    def _unwanted(self) -> list[Part]:
        if self.without is None:
            return []
        if isinstance(self.without, str):
            return [_text(self.without)]
        known = {"text", "image", "video", "audio", "vector", "like"}
        for name in self.without.keys() - known:
            raise InvalidQueryError(f"without has an unknown part {name!r}", hint=nearest(name, known))
        return Query(**self.without).wanted()  # type: ignore[arg-type]  # each part checks its own value


def _text(text: str) -> Part:
    if not isinstance(text, str) or not text.strip():
        raise InvalidQueryError("the query text is empty")
    return Part("text", media=Media(Modality.TEXT, text=text))


def _lexical(words: str) -> Part:
    if not isinstance(words, str) or not lexical_query(words):
        raise InvalidQueryError("there is no word to look up", hint="give at least one word")
    return Part("lexical", words=words)


def _medium(modality: Modality, source: str | Path) -> Media:
    if isinstance(source, str) and "://" in source:
        return Media(modality, uri=source)
    path = Path(source).expanduser()
    try:
        there = path.is_file()
    except OSError as error:
        raise NotFoundError(
            f"the {modality.value} file {path} can't be read: {error.strerror}",
            hint="check the path and its permissions",
        ) from error
    if not there:
        raise NotFoundError(f"there is no {modality.value} file {path}")
    return Media(modality, path=path)


def _several(name: str, sources: Sources) -> Sequence[str | Path]:
    """The addresses or ids of one argument, none of which is empty."""
    given = [sources] if isinstance(sources, str | Path) else sources
    if isinstance(given, Sequence) and all(isinstance(each, str | Path) and str(each) for each in given):
        return given
    what = "an id, or several" if name == "like" else "a path or an address, or several"
    raise InvalidQueryError(f"{name} takes {what}, not {shown(sources)}")


def _named(parts: Sequence[Part]) -> list[Part]:
    """Parts with a number behind the name from the second of a kind on."""
    seen: dict[str, int] = {}
    named = []
    for part in parts:
        seen[part.name] = seen.get(part.name, 0) + 1
        count = seen[part.name]
        named.append(part if count == 1 else replace(part, name=f"{part.name}_{count}"))
    return named


def _weight(name: str, weight: float) -> float:
    if (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not math.isfinite(weight)
        or weight == 0
    ):
        raise InvalidQueryError(f"the weight of {name!r} is {weight!r}; it must be a number other than 0")
    return float(weight)


def _chosen(kind: type[Choice], value: str, what: str) -> Choice:
    try:
        return kind(value)
    except ValueError as error:
        names = [str(each) for each in kind]
        raise InvalidQueryError(f"{what} is {value!r}", hint=nearest(str(value), names)) from error
