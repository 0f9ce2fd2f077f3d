"""Answering queries on any stack: a plan for each, and its page from the store's answers.

What an engine can't do by itself is done here, correctly: the ranking behind a page (`core.ranking`), moments
(`core.moments`) and hits that are unlike each other (`core.diversity`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from .appraising import Appraiser
from .asking import NO_TIME, Asking, Run, answered, together
from .embedder import Embedder, HandOver
from .errors import InvalidQueryError
from .filter_json import to_json
from .filters import F
from .fusing import Shown, in_order, places, repeats
from .levels import Levels
from .media import MediaTools, Modality
from .part_vectors import PartVectors
from .query import Query
from .query_cache import QueryCache
from .query_media import QueryMedia
from .query_parts import Fusion, Part
from .ranking import Listed, Ranking
from .recipe import Recipe
from .records import Channel, Hit
from .requests import Lexical, Near, NearVector, SearchRequest
from .result_cache import ResultCache
from .staging import Staging
from .store import VectorStore
from .wanted import Listing, Wanted, Wishes


@dataclass(frozen=True, slots=True)
class Page:
    """The hits of one page and how they were found."""

    hits: tuple[Hit, ...]
    timing: Mapping[str, float]
    explain: Mapping[str, object]
    usage: Mapping[str, float] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()
    notes: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Planner:
    """Answers queries over one open store.

    Args:
        staging: Brings the media of queries to where they are embedded.
        media: Cuts query videos.
        recipe: How they are cut where they are too long for the embedder.
        vectors: Keeps what was embedded, for the next time.
        answers: Keeps whole pages.
        levels: The stack's own of confidence.
    """

    store: VectorStore
    embedder: Embedder | None
    staging: Staging
    media: MediaTools
    recipe: Recipe
    vectors: QueryCache | None = None
    answers: ResultCache | None = None
    levels: Mapping[Modality, Levels] = field(default_factory=dict)
    wishes: Wishes = field(init=False)

    def __post_init__(self) -> None:
        """Have its queries checked for the store."""
        object.__setattr__(self, "wishes", Wishes(self.store))

    def answer(self, queries: Sequence[Query], *, seen: Sequence[Hit] = ()) -> list[Page]:
        """A page of each query; what all of them ask at the same time goes to the store in one batch.

        Args:
            queries: What is asked.
            seen: What was shown already.
        """
        if self.answers is None:
            return self._asked(queries, seen)
        return self.answers.through(self.store, queries, seen, self._asked)

    def _asked(self, queries: Sequence[Query], seen: Sequence[Hit]) -> list[Page]:
        if len(queries) == 1 and not seen and (known := self.wishes.known(queries[0])):
            return [self._listed(known, queries[0])]
        plans = [self.wishes.of(query, seen) for query in queries]
        if len(plans) == 1 and plans[0].lists:
            listing = self._listing(plans[0])
            self.wishes.keep(queries[0], listing)
            return [self._listed(listing, queries[0])]
        return answered(together([self._page(wanted) for wanted in plans]), self.store)

    def _listing(self, wanted: Wanted) -> Listing:
        explain = self._explain(wanted, Fusion.SUM, Run())
        return Listing(replace(wanted.base, limit=wanted.shape.limit), explain)

    def _listed(self, listing: Listing, query: Query) -> Page:
        """The page of a vector alone: as `_page` makes it, in a third of the time.

        Libraries ask little else, and of a search of an engine in process planning would be a third.
        """
        began, base = time.perf_counter(), listing.base
        request = SearchRequest(
            NearVector(query.vector),  # type: ignore[arg-type]  # it is what is asked
            base.where,
            base.limit,
            min_score=base.min_score,
            exact=base.exact,
        )
        (answer,) = answers = self.store.search([request])
        searched = time.perf_counter()
        if repeats(answer.hits):  # rows of several channels: there may be more to ask for
            run = Run({**NO_TIME, "search": searched - began}, began=began)
            return answered(self._page(self.wishes.of(query), run), self.store, answers)
        hits = [
            Hit.bare(hit.record, hit.score, hit.score_kind, {"vector": hit.score})
            for hit in in_order(answer.hits)
        ]
        timing = {**NO_TIME, "search": searched - began, "total": time.perf_counter() - began}
        ids = () if answer.request_id is None else (answer.request_id,)
        return Page(
            tuple(hits), timing, {**listing.explain}, {}, ids, (answer.notes,) if answer.notes else ()
        )

    def _page(self, wanted: Wanted, known: Run | None = None) -> Asking[Page]:
        """The page of any query; the run is known where its first request was asked before."""
        run = known or Run()
        with self._ready(wanted.parts, run) as parts:
            vectors = self._part_vectors(run)
            fusion = wanted.fusion or self._default_fusion(parts)
            ranking = self._ranking(wanted, vectors, parts, fusion)
            found = yield from self._found(wanted, ranking)
            hits = Appraiser(self.store, self.embedder, parts, vectors, self.levels).appraised(found)
        return self._made(wanted, fusion, hits, run)

    def _made(self, wanted: Wanted, fusion: Fusion, hits: tuple[Hit, ...], run: Run) -> Page:
        run.timing["total"] = time.perf_counter() - run.began
        explain = self._explain(wanted, fusion, run)
        return Page(hits, run.timing, explain, run.usage, tuple(run.request_ids), tuple(run.notes))

    # -- the plan -----------------------------------------------------------------------------------------

    def _default_fusion(self, parts: Sequence[Part]) -> Fusion:
        dense = [part for part in parts if not part.words]
        if not all(part.media and part.weight == 1.0 and not part.pieces for part in dense):
            return Fusion.SUM
        modalities = [part.media.modality for part in dense if part.media]
        joint = self.embedder.joins(modalities) if self.embedder else self.store.can.joint
        return Fusion.JOINT if joint or len(dense) <= 1 else Fusion.SUM

    def _ready(self, parts: Sequence[Part], run: Run) -> AbstractContextManager[Sequence[Part]]:
        """The parts, with media that whoever embeds them can see."""
        if all(part.media is None for part in parts):
            return nullcontext(parts)
        return self._query_media(run).ready(parts)

    def _query_media(self, run: Run) -> QueryMedia:
        embedder, can = self.embedder, self.store.can
        if embedder is None:
            way = HandOver(can.schemes)
            accepts: Mapping[Modality, HandOver] = dict.fromkeys(sorted(can.vectorizes), way)
            return QueryMedia(can.form, accepts, None, self.staging, self.media, self.recipe, run)
        return QueryMedia(
            embedder.kind, embedder.accepts, embedder.takes, self.staging, self.media, self.recipe, run
        )

    def _part_vectors(self, run: Run) -> PartVectors:
        return PartVectors(self.store, self.embedder, run, self.vectors)

    def _ranking(
        self, wanted: Wanted, vectors: PartVectors, parts: Sequence[Part], fusion: Fusion
    ) -> Ranking:
        nears = list(_nears(parts, fusion, vectors))
        lists = [listed for near, weight in nears for listed in _of_channels(near, weight, wanted.channels)]
        fuses = len(lists) > 1 or lists[0].weight <= 0 or fusion is Fusion.RANK
        if fuses and wanted.base.min_score is not None:
            raise InvalidQueryError(
                "min_score needs similarities; fused ranks are none", hint="leave one of them out"
            )
        if fuses and all(listed.weight < 0 for listed in lists):
            raise InvalidQueryError(
                "ranks are fused only of what hits should be like, and every part has a negative weight",
                hint="give a part with a weight above 0, or leave fusion out",
            )
        likes = frozenset(part.like for part in parts if part.like is not None)
        return Ranking(
            self.store.can, wanted.base, lists, likes, vectors.run, fuses=fuses, clips=wanted.shape.clips
        )

    # -- the page -----------------------------------------------------------------------------------------

    def _found(self, wanted: Wanted, ranking: Ranking) -> Asking[tuple[Hit, ...]]:
        """The hits of the page, in their order."""
        shape, run = wanted.shape, ranking.run
        seen: frozenset[Shown] = frozenset(place for hit in wanted.seen for place in places(hit, shape))
        candidates = self._candidates(wanted, ranking, seen)
        if shape.spreads:
            from .diversity import Spreader  # a few queries need it

            spreader = Spreader(self.store, shape, run)
            hits = yield from spreader.found(candidates, shape.limit, wanted.seen)
        else:
            hits = (yield from candidates(shape.limit))[: shape.limit]
        whole = ranking.completed(hits, self.store)
        if whole is None:  # then once more, and the records with what is found
            can = replace(ranking.can, lean_rows=0)
            return (yield from self._found(wanted, replace(ranking, can=can)))
        if shape.clips > 1:
            return (yield from ranking.with_clips(whole))
        return whole

    def _candidates(
        self, wanted: Wanted, ranking: Ranking, seen: frozenset[Shown]
    ) -> Callable[[int], Asking[tuple[Hit, ...]]]:
        """A function that gives the best that weren't shown, to a depth."""
        shape, most = wanted.shape, self.store.can.max_limit
        if shape.moments:
            from .moments import Joiner  # a few queries need it

            ranking.run.planned.append("moments")
            around = None if ranking.fuses else ranking.segments
            joiner = Joiner(shape.moments, ranking.pool, around, most)
            return lambda depth: joiner.found(depth, seen)
        way = ranking.videos if shape.by_video else ranking.segments

        def fresh(depth: int) -> Asking[tuple[Hit, ...]]:
            limit = depth + len(seen)
            hits = yield from way(limit if shape.by_video else min(limit, most))
            unseen = [hit for hit in hits if seen.isdisjoint(places(hit, shape))] if seen else hits
            return tuple(unseen if ranking.fuses else in_order(unseen))  # fused ones are sorted

        return fresh

    def _explain(self, wanted: Wanted, fusion: Fusion, run: Run) -> dict[str, object]:
        shape = wanted.shape
        return {
            "store": self.store.can.form,
            "embedder": self.embedder.kind if self.embedder else None,
            "space": self.store.meta.spec.space.to_json(),
            "fusion": str(fusion),
            "parts": {part.name: part.weight for part in wanted.parts},
            "where": to_json(wanted.base.where),
            "group_by": "video" if shape.by_video else None,
            "channels": _of_each_channel(wanted.channels, run.channels),
            "native": ["filter", *dict.fromkeys(run.native)],
            "planner": list(dict.fromkeys(run.planned)),
            "cached": run.cached,
        }


def _of_each_channel(
    weights: Mapping[Channel, float], found: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """The weight of each channel, and where rankings were fused how many candidates it gave."""
    return {
        channel.value: {"weight": weight, **({"candidates": found[channel]} if channel in found else {})}
        for channel, weight in weights.items()
    }


def _nears(parts: Sequence[Part], fusion: Fusion, vectors: PartVectors) -> Iterator[tuple[Near, float]]:
    """What is ranked, each with its weight: all that have vectors as one or each by itself, and words."""
    dense = [part for part in parts if not part.words]
    if fusion is Fusion.RANK:
        for part in dense:
            yield vectors.each(part), part.weight
    elif dense:
        yield vectors.near(dense, fusion), 1.0
    for part in parts:
        if part.words:
            yield Lexical(part.words), part.weight


def _of_channels(near: Near, weight: float, channels: Mapping[Channel, float]) -> list[Listed]:
    """A ranking of each channel; words belong to the segment, so they are looked up in all at once."""
    if not channels:
        return [Listed(near, weight)]
    if len(channels) == 1 or isinstance(near, Lexical):
        names = [channel.value for channel in channels]
        return [Listed(near, weight, F.channel.is_in(names))]
    return [
        Listed(near, weight * share, F.channel == channel.value, channel.value)
        for channel, share in channels.items()
    ]
