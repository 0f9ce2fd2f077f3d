"""Searches whose best candidates a reranker puts into another order (`Query.rerank`).

The list of such a search is the candidates asked for, reranked once; its pages are slices of that list.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from urllib.parse import urlsplit

from .errors import InvalidQueryError, UnsupportedError
from .media import Media, Modality
from .planner import Page, Planner
from .query import Part, Query
from .records import Hit, Scope, ScoreKind
from .reranking import Document, Reranker
from .stack import Stack

_RERANK = attrgetter("rerank")


@dataclass(frozen=True)
class RerankingPlanner(Planner):
    """A planner that also answers queries with `rerank`.

    Args:
        stack: Has the reranker, if there is one.
    """

    stack: Stack = field(kw_only=True)
    _lists: dict[Query, Page] = field(default_factory=dict, kw_only=True)

    def answer(self, queries: Sequence[Query], *, seen: Sequence[Hit] = ()) -> list[Page]:
        """As the planner's; the candidates of all queries come in one batch, and are reranked after that."""
        if not _reranks(queries):
            return super().answer(queries, seen=seen)
        for query in queries:
            self.check(query)
        asked = [query for query in dict.fromkeys(queries) if query not in self._lists]
        pages = dict(zip(asked, super().answer(list(map(_candidates, asked)), seen=seen), strict=True))
        return [self._page_of(query, seen, pages.get(query)) for query in queries]

    def of_search(self, queries: Sequence[Query]) -> RerankingPlanner:
        """The planner of one search and its later pages, which are slices of lists of its own."""
        return replace(self, _lists={}) if _reranks(queries) else self

    def check(self, query: Query) -> None:
        """Refuse what can't be reranked, before anything is asked or paid for."""
        if query.rerank is None:
            return
        count, limit = _whole("rerank", query.rerank), _whole("limit", query.limit)
        if count < limit:
            raise InvalidQueryError(
                f"rerank is {count}, fewer candidates than the limit of {limit}",
                hint="ask for more candidates, or for fewer hits",
            )
        self._parts(query, self._reranker())

    def _reranker(self) -> Reranker:
        if self.stack.reranker is None:
            raise UnsupportedError(
                f"the stack {self.stack.name!r} has no reranker",
                hint=f"add a section [stacks.{self.stack.name}.reranker], or search without rerank",
            )
        return self.stack.reranker

    @staticmethod
    def _parts(query: Query, reranker: Reranker) -> list[Part]:
        """The parts that say what is looked for in a way that the reranker understands."""
        parts = [part for part in query.parts() if part.weight > 0 and (part.media or part.words)]
        known = [part for part in parts if _medium(part).modality in reranker.queries]
        if not known:
            raise UnsupportedError(
                f"{reranker.kind} reranks by {', '.join(reranker.queries)}, of which the query has none",
                hint="search without rerank",
            )
        return known

    def _page_of(self, query: Query, seen: Sequence[Hit], page: Page | None) -> Page:
        """The page of a query, whose candidates may have been reranked for an earlier page."""
        if query.rerank is None:
            assert page is not None
            return page
        if page is not None and query not in self._lists:  # it is, where the batch has the query twice
            whole = self._lists[query] = self._reranked(query, page)
        else:
            earlier = self._lists[query]
            whole = replace(earlier, timing=dict.fromkeys(earlier.timing, 0.0), usage={}, request_ids=())
        return replace(whole, hits=whole.hits[len(seen) : len(seen) + query.limit])

    def _reranked(self, query: Query, page: Page) -> Page:
        """All candidates in the reranker's order; those of which it sees nothing keep theirs, at the end."""
        began, reranker = time.perf_counter(), self._reranker()
        parts = self._parts(query, reranker)
        documents = {hit.id: document for hit in page.hits if (document := self._document(hit, reranker))}
        schemes = frozenset().union(*(way.schemes for way in reranker.queries.values()))
        with self.staging.leased([_medium(part) for part in parts], schemes) as media:
            found = reranker.rerank(media, list(documents.values()))
        scores = dict(zip(documents, found.scores, strict=True))
        judged = [_scored(hit, scores[hit.id]) for hit in page.hits if hit.id in scores]
        rest = [hit for hit in page.hits if hit.id not in scores]
        said = {
            "kind": reranker.kind,
            "candidates": len(page.hits),
            "reranked": len(judged),
            "parts": [part.name for part in parts],
        }
        seconds = time.perf_counter() - began
        return replace(
            page,
            hits=(*sorted(judged, key=lambda hit: -hit.score), *rest),
            timing={**page.timing, "rerank": seconds, "total": page.timing["total"] + seconds},
            explain={**page.explain, "rerank": said},
            usage={**page.usage, **{f"rerank.{name}": amount for name, amount in found.usage.items()}},
            request_ids=(*page.request_ids, *found.request_ids),
        )

    def _document(self, hit: Hit, reranker: Reranker) -> Document:
        return tuple(self._seen_of(hit, reranker))

    def _seen_of(self, hit: Hit, reranker: Reranker) -> Iterator[Media]:
        """The hit's text, and its clip where that lies at an address that the reranker can fetch."""
        text = hit.record.text.joined()
        if Modality.TEXT in reranker.documents and any(map(str.isalnum, text)):
            yield Media(Modality.TEXT, text=text)
        way = reranker.documents.get(Modality.VIDEO)
        if way is not None and (clip := self._clip(hit, way.schemes)):
            yield clip

    def _clip(self, hit: Hit, schemes: frozenset[str]) -> Media | None:
        record = hit.record
        if record.scope is Scope.VIDEO:
            there = urlsplit(record.uri).scheme in schemes
            return Media(Modality.VIDEO, uri=record.uri) if there else None
        key = f"clips/{record.video_id}/{record.start_ms}-{record.end_ms}.mp4"
        if not self.stack.objects.exists(key):
            return None
        return self.staging.offer(key, Media(Modality.VIDEO), schemes)


def _reranks(queries: Sequence[Query]) -> bool:
    return [*map(_RERANK, queries)].count(None) < len(queries)


def _candidates(query: Query) -> Query:
    """The query for the list that is reranked."""
    return query if query.rerank is None else replace(query, limit=query.rerank, rerank=None)


def _medium(part: Part) -> Media:
    return part.media or Media(Modality.TEXT, text=part.words)


def _scored(hit: Hit, score: float) -> Hit:
    return replace(hit, score=score, score_kind=ScoreKind.RERANK, retrieval=(hit.score, hit.score_kind))


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidQueryError(f"{name} is {value!r}; it must be a whole number of at least 1")
    return value
