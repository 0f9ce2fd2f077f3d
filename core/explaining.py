"""What a query would do, told without doing it: nothing is embedded, searched, staged or paid for.

The planner itself runs, over a store that answers nothing and an embedder that isn't asked, so that a plan
can't say anything else than what a search does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from .asking import Run
from .checks import checked_request, checked_where
from .embedder import Embedder, Takes
from .media import Media, MediaTools, Modality
from .part_vectors import PartVectors
from .planner import Planner
from .query import Query
from .query_media import QueryMedia
from .records import Vector
from .requests import Answer, Lexical, Near, NearMedia, NearRecord, NearVector, SearchRequest
from .staging import Staging

if TYPE_CHECKING:
    from .rates import Estimate, Rate
    from .reranked import RerankingPlanner

Seconds = Callable[[Media], float | None]
"""How many seconds of a query's video or sound are embedded; None where nobody knows before it is fetched."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """One call that would embed parts of the query.

    Args:
        by: The embedder's kind, or the store's form where that vectorizes.
        parts: The modalities that go into it.
        seconds: Of video and sound; None is unknown.
        cached: Whether its vector is kept, so that there would be no call.
    """

    by: str
    parts: tuple[str, ...]
    seconds: float | None
    cached: bool

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {"by": self.by, "parts": list(self.parts), "seconds": self.seconds, "cached": self.cached}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search would do.

    Args:
        explain: As that of a `Result`: fusion, parts, condition, what runs natively and what polyreel does.
        embeds: The calls that would embed.
        searches: What the store would be asked first; how often it is asked again depends on what it finds.
        cost: Of the calls that aren't cached, by the configured rates; what no rate says is None.
    """

    explain: dict[str, object]
    embeds: tuple[Embedding, ...]
    searches: tuple[dict[str, object], ...]
    cost: Estimate

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel explain --json`."""
        return {
            **{name: value for name, value in self.explain.items() if name != "cached"},
            "embeds": [each.to_json() for each in self.embeds],
            "searches": list(self.searches),
            "cost": self.cost.to_json(),
        }


def plan(planner: RerankingPlanner, query: Query, rate: Rate, tools: MediaTools) -> Plan:
    """The plan of a query; as `VideoSearch.explain`."""
    staging, length = _NoStaging(planner.staging), partial(_seconds, tools)
    dry = _DryPlanner(
        planner.store,
        planner.embedder,
        staging,
        planner.media,
        planner.recipe,
        planner.vectors,
        seconds=length,
    )
    if query.rerank is not None:
        planner.check(query)
    explain = dry.run(query if query.rerank is None else replace(query, limit=query.rerank, rerank=None))
    if query.rerank is not None:
        explain["rerank"] = {"candidates": query.rerank}
    return Plan(explain, tuple(dry.embeds), tuple(dry.searches), _cost(rate, dry.embeds))


def _cost(rate: Rate, embeds: Sequence[Embedding]) -> Estimate:
    paid = [each for each in embeds if not each.cached]
    known = sum(each.seconds or 0.0 for each in paid)
    cost = rate.estimate(seconds=known, clips=0, requests=len(paid))
    unknown = any(each.seconds is None for each in paid)
    return replace(cost, cost=None, seconds=None) if unknown else cost


def _seconds(tools: MediaTools, medium: Media) -> float | None:
    if medium.end_ms is not None:
        return (medium.end_ms - medium.start_ms) / 1000
    if medium.path is None or medium.modality is not Modality.VIDEO:
        return None
    return (tools.probe(medium.path).duration_ms - medium.start_ms) / 1000


class _NoStaging(Staging):
    """Hands media on as they are."""

    def __init__(self, real: Staging) -> None:
        super().__init__(real._objects)  # noqa: SLF001  # ours

    @contextmanager
    def leased(
        self,
        parts: list[Media],
        schemes: frozenset[str],
        *,
        inline_bytes: int | None = None,
        expires: float = 3600.0,
    ) -> Iterator[list[Media]]:
        """Nothing is uploaded."""
        yield parts


@dataclass(frozen=True, slots=True)
class _DryPlanner(Planner):
    """A planner that stops before each call and notes it."""

    seconds: Seconds = lambda _: None
    embeds: list[Embedding] = field(default_factory=list)
    searches: list[dict[str, object]] = field(default_factory=list)

    def run(self, query: Query) -> dict[str, object]:
        """The plan as `explain` has it, with every request answered by nothing."""
        asking = self._page(self.wishes.of(query))
        try:
            asks = next(asking)
            while True:
                for ask in asks:
                    self._note(ask.request)
                asks = asking.send([Answer(()) for _ in asks])
        except StopIteration as end:
            explain: dict[str, object] = dict(end.value.explain)
            return explain

    def _note(self, request: SearchRequest) -> None:
        """Check the request as the store would, and remember it."""
        spec, can = self.store.meta.spec, self.store.can
        checked_request(request, checked_where(request.where, spec.fields, can), spec, can)
        asked = {"near": _NAMES[type(request.near)], "limit": request.limit}
        if asked not in self.searches:
            self.searches.append(asked)
        if isinstance(request.near, NearMedia):
            self._embeds(self.store.can.form, request.near.parts, cached=False)

    def _query_media(self, run: Run) -> QueryMedia:
        """As for an embedder of frames, for which nothing is cut out."""
        return replace(super(_DryPlanner, self)._query_media(run), takes=Takes.FRAMES)

    def _part_vectors(self, run: Run) -> PartVectors:
        return _DryVectors(self.store, self.embedder, run, self.vectors, note=self._embeds)

    def _embeds(self, by: str, media: Sequence[Media], *, cached: bool) -> None:
        lengths = [self.seconds(each) for each in media if each.modality in _TIMED]
        known = [each for each in lengths if each is not None]
        seconds = sum(known) if len(known) == len(lengths) else None
        parts = tuple(each.modality.value for each in media)
        self.embeds.append(Embedding(by, parts, seconds, cached=cached))


class _Note(Protocol):
    def __call__(self, by: str, media: Sequence[Media], *, cached: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _DryVectors(PartVectors):
    """Vectors that stand for those of the parts; a record's isn't read."""

    note: _Note

    def _of_record(self, id: str) -> Vector:
        return self._axis(0)

    def _embedded(self, embedder: Embedder, several: Sequence[Sequence[Media]]) -> list[Vector]:
        return [self._one(embedder, media, at) for at, media in enumerate(several)]

    def _one(self, embedder: Embedder, media: Sequence[Media], at: int) -> Vector:
        embedder.check_query(media)
        kept = self._known(embedder, self._key(embedder, media))
        self.note(embedder.kind, media, cached=kept is not None)
        return kept if kept is not None else self._axis(at)

    def _axis(self, at: int) -> Vector:
        """A unit vector of its own for each, so that no sum of them vanishes."""
        dimension = self.store.meta.spec.space.dimension
        vector = [0.0] * dimension
        vector[(len(self.run.vectors) + at) % dimension] = 1.0
        return vector


_TIMED = frozenset({Modality.VIDEO, Modality.AUDIO})
_NAMES: dict[type[Near], str] = {
    NearVector: "vector",
    NearMedia: "media",
    NearRecord: "record",
    Lexical: "words",
}
