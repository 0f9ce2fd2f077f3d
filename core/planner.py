"""Answering queries on any stack: vectors of the parts, one ranking, whole pages of groups.

What an engine can't do by itself is done here, correctly: grouping excludes the videos already seen until the
page is full or the data ends, and the rows of a segment's channels are folded into one hit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import lexical
from .asking import Asking, Run, answered, asked, together
from .capabilities import Feature
from .embedder import Embedder
from .errors import InvalidQueryError, NotFoundError, UnsupportedError
from .filter_json import to_json
from .filters import F
from .fusing import Shown, folded, fused, likeness, order, shown
from .media import Media, Modality
from .query import Fusion, Part, Query
from .records import Hit, Vector
from .requests import Answer, Group, Lexical, Near, NearMedia, NearRecord, NearVector, SearchRequest
from .staging import Staging
from .store import VectorStore

_OVERFETCH = 4
_POOL = 50  # candidates of each ranking that is fused, at least


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
class _Wanted:
    """A checked query: what each part of the work needs of it."""

    parts: Sequence[Part]
    fusion: Fusion
    base: SearchRequest
    grouped: bool
    excluded: frozenset[str]


@dataclass(frozen=True, slots=True)
class Planner:
    """Answers queries over one open store."""

    store: VectorStore
    embedder: Embedder | None
    staging: Staging

    def answer(self, queries: Sequence[Query], *, seen: frozenset[Shown] = frozenset()) -> list[Page]:
        """A page of each query; what all of them ask at the same time goes to the store in one batch.

        Args:
            queries: What is asked.
            seen: What was shown already: segments, or videos of a grouped list.
        """
        return answered(together([self._page(query, seen) for query in queries]), self.store)

    def _page(self, query: Query, seen: frozenset[Shown]) -> Asking[Page]:
        began, run = time.perf_counter(), Run()
        wanted = self._wanted(query, seen)
        media = [part.media for part in wanted.parts if part.media]
        with self.staging.leased(media, self._schemes(), inline_bytes=self._inline_bytes()) as leased:
            wanted = replace(wanted, parts=_with_media(wanted.parts, leased))
            found = yield from self._ranked(wanted, run)
            unseen = (hit for hit in found if shown(hit, grouped=wanted.grouped) not in seen)
            fresh = sorted(unseen, key=order)
            hits = self._with_similarity(fresh[: query.limit], wanted.parts, run)
        run.timing["total"] = time.perf_counter() - began
        explain = self._explain(wanted, run)
        return Page(hits, run.timing, explain, run.usage, tuple(run.request_ids), tuple(run.notes))

    def _wanted(self, query: Query, seen: frozenset[Shown]) -> _Wanted:
        parts, fusion, grouped = query.parts(), query.chosen_fusion(), query.by_video()
        limit = query.limit
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InvalidQueryError(f"limit is {limit!r}; it must be a whole number of at least 1")
        if len(seen) + limit > self.store.can.max_limit and not grouped:
            message = f"{self.store.can.form} gives at most {self.store.can.max_limit} hits"
            raise InvalidQueryError(message, hint="narrow the search with a condition")
        if any(part.words for part in parts) and Feature.LEXICAL not in self.store.can.features:
            raise UnsupportedError(
                f"{self.store.can.form} has no lexical search", hint="search without lexical and hybrid"
            )
        base = SearchRequest(
            NearVector(()), query.condition(), len(seen) + limit, min_score=query.min_score, exact=query.exact
        )
        likes = frozenset(part.like for part in parts if part.like is not None)
        return _Wanted(parts, fusion or self._default_fusion(parts), base, grouped, likes)

    def _default_fusion(self, parts: Sequence[Part]) -> Fusion:
        dense = [part for part in parts if not part.words]
        plain = all(part.media and part.weight == 1.0 for part in dense)
        modalities = [part.media.modality for part in dense if part.media]
        joint = self.embedder.joins(modalities) if self.embedder else self.store.can.joint
        return Fusion.JOINT if plain and (joint or len(dense) <= 1) else Fusion.SUM

    def _schemes(self) -> frozenset[str]:
        if self.embedder is None:
            return self.store.can.schemes
        return frozenset().union(*(way.schemes for way in self.embedder.accepts.values()))

    def _inline_bytes(self) -> int | None:
        """The size above which a query video goes by an address."""
        way = self.embedder.accepts.get(Modality.VIDEO) if self.embedder else None
        return way.inline_bytes if way else None

    # -- one ranking --------------------------------------------------------------------------------------

    def _ranked(self, wanted: _Wanted, run: Run) -> Asking[tuple[Hit, ...]]:
        nears = self._nears(wanted, run)
        if len(nears) == 1 and nears[0][0] > 0 and wanted.fusion is not Fusion.RANK:
            return (yield from self._found(wanted, wanted.base, nears[0][1], run))
        if wanted.base.min_score is not None:
            raise InvalidQueryError(
                "min_score needs similarities; fused ranks are none", hint="leave one of them out"
            )
        deep = min(max(wanted.base.limit * _OVERFETCH, _POOL), self.store.can.max_limit)
        pool = replace(wanted.base, limit=max(wanted.base.limit, deep))
        lists = yield from together([self._found(wanted, pool, near, run) for _, near in nears])
        run.planned.append("fused ranks")
        weighted = [(weight, hits) for (weight, _), hits in zip(nears, lists, strict=True)]
        return fused(weighted, by_video=wanted.grouped)

    def _nears(self, wanted: _Wanted, run: Run) -> list[tuple[float, Near]]:
        """What is ranked, each with its weight: all that have vectors as one or each by itself, and words."""
        dense = [part for part in wanted.parts if not part.words]
        words = [(part.weight, Lexical(part.words)) for part in wanted.parts if part.words]
        if wanted.fusion is Fusion.RANK:
            return [*((part.weight, self._near(part, run)) for part in dense), *words]
        if not dense:
            return [*words]
        near = self._joint(dense, run) if wanted.fusion is Fusion.JOINT else self._sum(dense, run)
        return [(1.0, near), *words]

    def _joint(self, parts: Sequence[Part], run: Run) -> Near:
        media = tuple(part.media for part in parts if part.media)
        if len(media) < len(parts) or any(part.weight != 1.0 for part in parts):
            raise InvalidQueryError("fusion='joint' takes media without weights", hint="use fusion='sum'")
        if self.embedder is None:
            return NearMedia(media)
        return NearVector(self._embedded(self.embedder, media, run))

    def _sum(self, parts: Sequence[Part], run: Run) -> Near:
        """The weighted sum of the parts' unit vectors; a single plain part needs none."""
        if len(parts) == 1 and parts[0].weight > 0:
            return self._near(parts[0], run)
        total: list[float] = []
        for part in parts:
            vector = self._vector(part, run)
            scale = part.weight / math.hypot(*vector)
            total = [
                before + scale * float(v)
                for before, v in zip(total or [0.0] * len(vector), vector, strict=True)
            ]
        if len(parts) > 1:
            run.planned.append("summed vectors")
        if math.hypot(*total) < 1e-6:
            raise InvalidQueryError("the parts of the query cancel each other out", hint="change the weights")
        return NearVector(total)

    def _near(self, part: Part, run: Run) -> Near:
        if part.like is not None and not (self.embedder and self.embedder.asymmetric):
            (run.native if Feature.NEAR_RECORD in self.store.can.features else run.planned).append(
                "near record"
            )
            return NearRecord(part.like)
        if part.media is not None and self.embedder is None:
            return NearMedia((part.media,))
        return NearVector(self._vector(part, run))

    def _vector(self, part: Part, run: Run) -> Vector:
        """The vector of a part, made once: embedding may be paid for."""
        if part.name not in run.vectors:
            run.vectors[part.name] = self._made(part, run)
        return run.vectors[part.name]

    def _made(self, part: Part, run: Run) -> Vector:
        if part.vector is not None:
            return part.vector
        if part.like is not None:
            found = self.store.fetch([part.like], vectors=True).get(part.like)
            if found is None or found.content is None or isinstance(found.content, Media):
                raise NotFoundError(f"there is no record {part.like!r} with a vector")
            return self.embedder.query_of(found.content) if self.embedder else found.content
        embedder = self.embedder or self.store.query_embedder()
        if embedder is None:
            raise UnsupportedError(
                f"{self.store.can.form} gives no vectors of query parts", hint="use fusion='joint'"
            )
        return self._embedded(embedder, [part.media] if part.media else [], run)

    def _embedded(self, embedder: Embedder, media: Sequence[Media], run: Run) -> Vector:
        with run.timed("embed"):
            embedded = embedder.embed_query(media)
        run.count(embedded.usage, embedded.request_id)
        return embedded.vector

    # -- candidates ---------------------------------------------------------------------------------------

    def _found(
        self, wanted: _Wanted, request: SearchRequest, near: Near, run: Run
    ) -> Asking[tuple[Hit, ...]]:
        """The best hits but the excluded records: of segments, or of videos."""
        ways = (self._by_segment, self._by_video)
        if isinstance(near, Lexical):
            run.native.append("words")
        return (yield from ways[wanted.grouped](replace(request, near=near), wanted.excluded, run))

    def _by_segment(
        self, request: SearchRequest, excluded: frozenset[str], run: Run
    ) -> Asking[tuple[Hit, ...]]:
        """The best row of each segment; more is asked for only where rows of one segment filled the page."""
        wanted, most = request.limit, self.store.can.max_limit
        limit = min(wanted + len(excluded), most)
        while True:
            answer = yield from asked(replace(request, limit=limit), run)
            hits = folded(hit for hit in answer.hits if hit.id not in excluded)
            whole = len(answer.hits) < limit or limit == most
            if len(hits) >= wanted or whole or len(hits) == len(answer.hits):
                break
            limit = min(limit * 2, most)
        if len(hits) < sum(hit.id not in excluded for hit in answer.hits):
            run.planned.append("folded channels")
        return hits[:wanted]

    def _by_video(
        self, request: SearchRequest, excluded: frozenset[str], run: Run
    ) -> Asking[tuple[Hit, ...]]:
        can = self.store.can
        if Feature.GROUP in can.features and not excluded and request.limit <= can.max_limit:
            run.native.append("group by video")
            return (yield from asked(replace(request, group=Group()), run)).hits
        run.planned.append("group by video")
        ask = self._beyond(request, run)
        return (yield from _first_of_each(ask, request.limit, excluded, most=can.max_limit))

    def _beyond(self, request: SearchRequest, run: Run) -> Callable[[int, Sequence[str]], Asking[Answer]]:
        """A function that asks for hits of other videos than the ones seen."""

        def ask(limit: int, seen: Sequence[str]) -> Asking[Answer]:
            where = request.where & F.video_id.not_in(list(seen)) if seen else request.where
            return asked(replace(request, where=where, limit=limit), run)

        return ask

    # -- around the hits ----------------------------------------------------------------------------------

    def _with_similarity(self, hits: Sequence[Hit], parts: Sequence[Part], run: Run) -> tuple[Hit, ...]:
        """Each hit with its likeness to each part; where there is only one, that is its score."""
        if len(parts) == 1:
            name = parts[0].name
            return tuple(_compared(hit, {name: hit.score}) for hit in hits)
        dense = [part for part in parts if not part.words]
        words = {part.name: lexical.query(part.words) for part in parts if part.words}
        found = self._likeness(hits, dense, run)
        for hit, similarity in zip(hits, found, strict=True):
            held = lexical.document(hit.record.text) if words else {}
            similarity |= {name: lexical.score(held, query) for name, query in words.items()}
        return tuple(_compared(hit, like) for hit, like in zip(hits, found, strict=True))

    def _likeness(self, hits: Sequence[Hit], parts: Sequence[Part], run: Run) -> list[dict[str, float]]:
        """The cosines of the hits with the parts that have vectors; none where the store gives no vectors."""
        unmade = any(part.media and part.name not in run.vectors for part in parts)
        if not hits or (self.embedder is None and unmade):  # the store gave none away; each would be paid for
            return [{} for _ in hits]
        vectors = {part.name: self._vector(part, run) for part in parts}
        with run.timed("fetch"):
            stored = self.store.fetch([hit.id for hit in hits], vectors=True)
        found = (stored.get(hit.id) for hit in hits)  # one may have been deleted since
        return likeness([record.content if record else None for record in found], vectors)

    def _explain(self, wanted: _Wanted, run: Run) -> dict[str, object]:
        return {
            "store": self.store.can.form,
            "embedder": self.embedder.kind if self.embedder else None,
            "space": self.store.meta.spec.space.to_json(),
            "fusion": wanted.fusion.value,
            "parts": {part.name: part.weight for part in wanted.parts},
            "where": to_json(wanted.base.where),
            "group_by": "video" if wanted.grouped else None,
            "native": ["filter", *dict.fromkeys(run.native)],
            "planner": list(dict.fromkeys(run.planned)),
        }


def _compared(hit: Hit, similarity: Mapping[str, float]) -> Hit:
    """The hit with its likeness to the parts; made directly, for `replace` takes three times as long."""
    return Hit(hit.record, hit.score, hit.score_kind, similarity)


def _with_media(parts: Sequence[Part], media: Sequence[Media]) -> list[Part]:
    """The parts with their media at the addresses that were staged for them."""
    staged = iter(media)
    return [replace(part, media=next(staged)) if part.media else part for part in parts]


def _first_of_each(
    ask: Callable[[int, Sequence[str]], Asking[Answer]], wanted: int, excluded: frozenset[str], *, most: int
) -> Asking[tuple[Hit, ...]]:
    """The best hit of each video, until there are enough or the data ends; `most` hits come at once."""
    best: dict[str, Hit] = {}
    while len(best) < wanted:
        limit = min((wanted - len(best)) * _OVERFETCH + len(excluded), most)
        hits = (yield from ask(limit, list(best))).hits
        before = len(best)
        for hit in hits:
            if hit.id not in excluded:
                best.setdefault(hit.video_id, hit)
        if len(hits) < limit or len(best) == before:
            break
    return tuple(sorted(best.values(), key=order)[:wanted])
