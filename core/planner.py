"""Answering a query on any stack: vectors of the parts, one ranking, whole pages of groups.

What an engine can't do by itself is done here, correctly: grouping excludes the videos already seen until the
page is full or the data ends; ranks are fused by reciprocal rank (k = 60, Cormack et al., SIGIR 2009).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from .capabilities import Feature
from .embedder import Embedder
from .errors import InvalidQueryError, NotFoundError, UnsupportedError
from .filter_json import to_json
from .filters import F, Filter
from .media import Media
from .query import Fusion, Part, Query
from .records import EMPTY, Hit, ScoreKind, Vector
from .requests import Answer, Group, Near, NearMedia, NearRecord, NearVector, SearchRequest
from .staging import Staging
from .store import VectorStore

_RRF_K = 60
_OVERFETCH = 4


@dataclass(frozen=True, slots=True)
class Page:
    """The hits of one page and how they were found."""

    hits: tuple[Hit, ...]
    timing: Mapping[str, float]
    explain: Mapping[str, object]
    usage: Mapping[str, float] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()
    notes: tuple[Mapping[str, object], ...] = ()


@dataclass(slots=True)
class _Run:
    """What is measured and noted while one query is answered."""

    timing: dict[str, float] = field(default_factory=lambda: {"embed": 0.0, "search": 0.0, "fetch": 0.0})
    usage: dict[str, float] = field(default_factory=dict)
    request_ids: list[str] = field(default_factory=list)
    notes: list[Mapping[str, object]] = field(default_factory=list)
    vectors: dict[str, Vector] = field(default_factory=dict)
    native: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.timing[name] += time.perf_counter() - began

    def heard(self, answer: Answer) -> Answer:
        if answer.request_id:
            self.request_ids.append(answer.request_id)
        if answer.notes:
            self.notes.append(answer.notes)
        return answer


@dataclass(frozen=True, slots=True)
class Planner:
    """Answers queries over one open store."""

    store: VectorStore
    embedder: Embedder | None
    staging: Staging

    def answer(self, query: Query, *, seen: frozenset[str] = frozenset()) -> Page:
        """One page of the list, without what was seen already: records, or videos of a grouped list."""
        began, run = time.perf_counter(), _Run()
        parts, fusion = query.parts(), query.chosen_fusion()
        where, grouped = query.condition(), query.by_video()
        if isinstance(query.limit, bool) or not isinstance(query.limit, int) or query.limit < 1:
            raise InvalidQueryError(f"limit is {query.limit!r}; it must be a whole number of at least 1")
        chosen = fusion or self._default_fusion(parts)
        wanted = len(seen) + query.limit
        base = SearchRequest(NearVector(()), where, wanted, min_score=query.min_score, exact=query.exact)
        with self.staging.leased([part.media for part in parts if part.media], self._schemes()) as media:
            parts = _with_media(parts, media)
            hits = self._ranked(parts, chosen, base, run, grouped=grouped)
        fresh = sorted((hit for hit in hits if _shown(hit, grouped=grouped) not in seen), key=_order)
        hits = self._with_similarity(fresh[: query.limit], parts, run)
        run.timing["total"] = time.perf_counter() - began
        explain = self._explain(parts, chosen, where, run, grouped=grouped)
        return Page(hits, run.timing, explain, run.usage, tuple(run.request_ids), tuple(run.notes))

    def _default_fusion(self, parts: Sequence[Part]) -> Fusion:
        plain = all(part.media and part.weight == 1.0 for part in parts)
        joint = self.embedder.joint if self.embedder else self.store.can.joint
        return Fusion.JOINT if plain and (joint or len(parts) == 1) else Fusion.SUM

    def _schemes(self) -> frozenset[str]:
        if self.embedder is None:
            return self.store.can.schemes
        return frozenset().union(*(way.schemes for way in self.embedder.accepts.values()))

    # -- one ranking --------------------------------------------------------------------------------------

    def _ranked(
        self, parts: Sequence[Part], fusion: Fusion, base: SearchRequest, run: _Run, *, grouped: bool
    ) -> tuple[Hit, ...]:
        if fusion is not Fusion.RANK:
            near = self._joint(parts, run) if fusion is Fusion.JOINT else self._sum(parts, run)
            return self._found(replace(base, near=near), _ids(parts), run, grouped=grouped)
        if base.min_score is not None:
            raise InvalidQueryError("min_score needs similarities; fusion='rank' has none")
        pool = replace(base, limit=max(base.limit * _OVERFETCH, 50))
        lists = [
            (
                part.weight,
                self._found(replace(pool, near=self._near(part, run)), _ids(parts), run, grouped=grouped),
            )
            for part in parts
        ]
        run.planned.append("fused ranks")
        return _fused(lists)

    def _joint(self, parts: Sequence[Part], run: _Run) -> Near:
        media = tuple(part.media for part in parts if part.media)
        if len(media) < len(parts) or any(part.weight != 1.0 for part in parts):
            raise InvalidQueryError("fusion='joint' takes media without weights", hint="use fusion='sum'")
        if self.embedder is None:
            return NearMedia(media)
        return NearVector(self._embedded(self.embedder, media, run))

    def _sum(self, parts: Sequence[Part], run: _Run) -> Near:
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

    def _near(self, part: Part, run: _Run) -> Near:
        if part.like is not None and not (self.embedder and self.embedder.asymmetric):
            (run.native if Feature.NEAR_RECORD in self.store.can.features else run.planned).append(
                "near record"
            )
            return NearRecord(part.like)
        if part.media is not None and self.embedder is None:
            return NearMedia((part.media,))
        return NearVector(self._vector(part, run))

    def _vector(self, part: Part, run: _Run) -> Vector:
        """The vector of a part, made once: embedding may be paid for."""
        if part.name not in run.vectors:
            run.vectors[part.name] = self._made(part, run)
        return run.vectors[part.name]

    def _made(self, part: Part, run: _Run) -> Vector:
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

    def _embedded(self, embedder: Embedder, media: Sequence[Media], run: _Run) -> Vector:
        with run.timed("embed"):
            embedded = embedder.embed_query(media)
        for name, amount in embedded.usage.items():
            run.usage[name] = run.usage.get(name, 0) + amount
        if embedded.request_id:
            run.request_ids.append(embedded.request_id)
        return embedded.vector

    # -- candidates ---------------------------------------------------------------------------------------

    def _found(
        self, request: SearchRequest, excluded: set[str], run: _Run, *, grouped: bool
    ) -> tuple[Hit, ...]:
        """The best hits but the excluded records."""
        wanted = request.limit
        request = replace(request, limit=min(wanted + len(excluded), self.store.can.max_limit))
        if grouped:
            return self._by_video(request, wanted, excluded, run)
        answer = self._asked(request, run)
        return tuple(hit for hit in answer.hits if hit.id not in excluded)[:wanted]

    def _asked(self, request: SearchRequest, run: _Run) -> Answer:
        with run.timed("search"):
            return run.heard(self.store.search([request])[0])

    def _by_video(
        self, request: SearchRequest, wanted: int, excluded: set[str], run: _Run
    ) -> tuple[Hit, ...]:
        if Feature.GROUP in self.store.can.features and not excluded:
            run.native.append("group by video")
            return self._asked(replace(request, group=Group()), run).hits
        run.planned.append("group by video")
        return _first_of_each(lambda limit, seen: self._beyond(request, limit, seen, run), wanted, excluded)

    def _beyond(self, request: SearchRequest, limit: int, seen: Sequence[str], run: _Run) -> Answer:
        limit = min(limit, self.store.can.max_limit)
        where = request.where & F.video_id.not_in(list(seen)) if seen else request.where
        return self._asked(replace(request, where=where, limit=limit), run)

    # -- around the hits ----------------------------------------------------------------------------------

    def _with_similarity(self, hits: Sequence[Hit], parts: Sequence[Part], run: _Run) -> tuple[Hit, ...]:
        """Each hit with its likeness to each part; where there is only one, that is its score."""
        if len(parts) == 1:
            return tuple(replace(hit, similarity={parts[0].name: hit.score}) for hit in hits)
        if self.embedder is None and self.store.query_embedder() is None:
            return tuple(hits)
        vectors = {part.name: self._vector(part, run) for part in parts}
        with run.timed("fetch"):
            stored = self.store.fetch([hit.id for hit in hits], vectors=True) if hits else {}
        return tuple(replace(hit, similarity=_likeness(stored[hit.id].content, vectors)) for hit in hits)

    def _explain(
        self, parts: Sequence[Part], fusion: Fusion, where: Filter, run: _Run, *, grouped: bool
    ) -> dict[str, object]:
        return {
            "store": self.store.can.form,
            "embedder": self.embedder.kind if self.embedder else None,
            "space": self.store.meta.spec.space.to_json(),
            "fusion": fusion.value,
            "parts": {part.name: part.weight for part in parts},
            "where": to_json(where),
            "group_by": "video" if grouped else None,
            "native": ["filter", *dict.fromkeys(run.native)],
            "planner": list(dict.fromkeys(run.planned)),
        }


def _shown(hit: Hit, *, grouped: bool) -> str:
    """What a page must not show again."""
    return hit.video_id if grouped else hit.id


def _order(hit: Hit) -> tuple[float, str, int, str]:
    """Best first; what is equally good in the order of videos and time."""
    return -round(hit.score, 6), hit.video_id, hit.record.start_ms, hit.id


def _with_media(parts: Sequence[Part], media: Sequence[Media]) -> list[Part]:
    """The parts with their media at the addresses that were staged for them."""
    staged = iter(media)
    return [replace(part, media=next(staged)) if part.media else part for part in parts]


def _ids(parts: Sequence[Part]) -> set[str]:
    return {part.like for part in parts if part.like is not None}


def _first_of_each(
    ask: Callable[[int, Sequence[str]], Answer], wanted: int, excluded: set[str]
) -> tuple[Hit, ...]:
    """The best hit of each video, until there are enough or the data ends."""
    best: dict[str, Hit] = {}
    while len(best) < wanted:
        limit = (wanted - len(best)) * _OVERFETCH + len(excluded)
        hits = ask(limit, list(best)).hits
        before = len(best)
        for hit in hits:
            if hit.id not in excluded:
                best.setdefault(hit.video_id, hit)
        if len(hits) < limit or len(best) == before:
            break
    return tuple(sorted(best.values(), key=_order)[:wanted])


def _fused(lists: Sequence[tuple[float, Sequence[Hit]]]) -> tuple[Hit, ...]:
    scores: dict[str, float] = {}
    hits: dict[str, Hit] = {}
    for weight, found in lists:
        for rank, hit in enumerate(found, start=1):
            hits.setdefault(hit.id, hit)
            scores[hit.id] = scores.get(hit.id, 0.0) + weight / (_RRF_K + rank)
    ranked = sorted(hits, key=lambda each: (-scores[each], each))
    return tuple(replace(hits[each], score=scores[each], score_kind=ScoreKind.RRF) for each in ranked)


def _likeness(content: Vector | Media | None, vectors: Mapping[str, Vector]) -> Mapping[str, float]:
    """Cosines of a stored vector with each part's."""
    if content is None or isinstance(content, Media):
        return EMPTY  # type: ignore[return-value]  # an empty mapping of anything
    own = math.hypot(*content)
    return {
        name: sum(a * b for a, b in zip(map(float, content), map(float, vector), strict=True))
        / (own * math.hypot(*vector))
        for name, vector in vectors.items()
    }
