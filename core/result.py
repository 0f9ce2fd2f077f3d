"""What a search gives back: hits, how they were found, and the pages after this one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .planner import Planner
from .query import Query
from .records import Hit


@dataclass(frozen=True, slots=True)
class Result:
    """Hits, best first, and how they were found. Iterating gives the hits.

    Args:
        hits: Of this page.
        timing: Seconds spent to embed, search and fetch, and in total.
        explain: The plan: fusion, parts, condition, what ran natively and what the planner did.
        usage: What providers counted.
        request_ids: Their ids of the calls.
        notes: What the store said beside the hits.
    """

    hits: tuple[Hit, ...]
    timing: Mapping[str, float]
    explain: Mapping[str, object]
    usage: Mapping[str, float]
    request_ids: tuple[str, ...]
    notes: tuple[Mapping[str, object], ...]
    _query: Query = field(repr=False)
    _planner: Planner = field(repr=False)
    _seen: tuple[Hit, ...] = field(default=(), repr=False)

    def __iter__(self) -> Iterator[Hit]:
        """The hits, best first."""
        return iter(self.hits)

    def __len__(self) -> int:
        """How many hits are on this page."""
        return len(self.hits)

    def more(self) -> Result:
        """The next page of the same list; empty at its end."""
        return results_of([self._query], self._planner, self._seen + self.hits)[0]

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel search --json`."""
        return {
            "hits": [hit.to_json() for hit in self.hits],
            "timing": dict(self.timing),
            "explain": dict(self.explain),
            "usage": dict(self.usage),
        }


def results_of(queries: Sequence[Query], planner: Planner, seen: tuple[Hit, ...] = ()) -> list[Result]:
    """A page of each query, without what was `seen` on the pages before it."""
    pages = planner.answer(queries, seen=seen)
    return [
        Result(p.hits, p.timing, p.explain, p.usage, p.request_ids, p.notes, query, planner, seen)
        for query, p in zip(queries, pages, strict=True)
    ]
