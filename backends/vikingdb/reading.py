"""Reading rows of the open collection: by id, page by page, and what a search found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...core.checks import SCORE_KIND
from ...core.errors import IntegrityError
from ...core.fields import Schema
from ...core.lowering import Never, Node, Range, all_of
from ...core.records import Hit
from ...core.requests import Answer
from ...core.space import Metric
from . import filters, rows
from .data import Asked, Data
from .found import Found, similarity
from .limits import MAX_IDS, Pace
from .wire import Reply

Attempt = Callable[[Callable[[], Reply]], Reply]
Page = list[tuple[str, Mapping[str, Any]]]

_PAGE = 1000  # rows of one read while scanning
_NOTES = ("real_text_query", "token_usage", "filter_matched_count", "total_return_count")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads of one collection.

    Args:
        data: The calls.
        metric: Of the collection's space.
        pace: Spaces what is fetched by id.
        partition: Part of the index to read.
    """

    data: Data
    metric: Metric
    pace: Pace
    partition: str | None = None

    # -- by id --------------------------------------------------------------------------------------------

    def kept(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The columns of rows as they were written last, by id."""
        self.pace.turn(len(ids))
        return {one["id"]: one.get("fields") or {} for one in _items(self.data.fetch(ids))}

    def vectors(self, ids: Sequence[str]) -> dict[str, list[float]]:
        """Vectors by id, as the index has them."""
        found = self._indexed(ids, [])
        return {one["id"]: one["dense_vector"] for one in found if one.get("dense_vector")}

    def late(self, ids: Sequence[str]) -> set[str]:
        """The rows of which the index shows an older state than the collection.

        What a write changed is told by `REVISION`; where the index doesn't show it, the row must do.
        """
        kept = {id: columns.get(rows.REVISION) for id, columns in self.kept(ids).items()}
        shown = self._indexed(ids, [rows.REVISION])
        found = {one["id"]: (one.get("fields") or {}).get(rows.REVISION) for one in shown}
        behind = {id for id in kept.keys() & found.keys() if found[id] not in (None, kept[id])}
        return behind | (kept.keys() ^ found.keys())

    def _indexed(self, ids: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
        self.pace.turn(len(ids))
        return _items(self.data.fetch_in_index(ids, output_fields=columns, partition=self.partition))

    # -- all that match -----------------------------------------------------------------------------------

    def pages(self, node: Node, columns: Sequence[str], attempt: Attempt) -> Iterator[Page]:
        """Every row that matches, in the order of `place`; the service has no scan of its own.

        A page begins at the last place of the page before, since several rows may share it.
        """
        last, at_last, more = 0, set[str](), not isinstance(node, Never)
        while more:
            asked = self.asked(all_of([node, Range(rows.PLACE, gte=last)]), [rows.PLACE, *columns], _PAGE)
            found = _found(attempt(partial(self.data.search_scalar, rows.PLACE, asked, order="asc")))
            page = [(one.id, one.fields) for one in found if one.id not in at_last]
            more = len(found) == _PAGE
            if more and not page:
                raise IntegrityError(f"{_PAGE} rows of {self.data.collection!r} share one place of the scan")
            if page:
                yield page
                end = int(found[-1].fields[rows.PLACE])
                ends = {one.id for one in found if int(one.fields[rows.PLACE]) == end}
                last, at_last = end, ends | (at_last if end == last else set())

    def count(self, node: Node) -> int:
        """How many rows match."""
        if isinstance(node, Never):
            return 0
        reply = self.data.aggregate(filter=filters.condition(node), partition=self.partition)
        return int((reply.result.get("agg") or {}).get("__TOTAL__", 0))

    # -- searches -----------------------------------------------------------------------------------------

    def asked(self, node: Node, columns: Sequence[str], limit: int) -> Asked:
        """What every search takes."""
        return Asked(filters.condition(node), columns, limit, partition=self.partition)

    def answer(self, reply: Reply, schema: Schema, more: Mapping[str, object] | None = None) -> Answer:
        """The hits of a search, and what the service says beside them."""
        kind = SCORE_KIND[self.metric]
        found = _found(reply)
        hits = [
            Hit(rows.record(one.id, one.fields, schema), similarity(one.score, kind), kind) for one in found
        ]
        notes = {**(more or {}), **{name: reply.result[name] for name in _NOTES if reply.result.get(name)}}
        if raw := {one.id: one.raw for one in found if one.raw is not None}:
            notes["ann_score"] = raw
        return Answer(tuple(sorted(hits, key=lambda hit: (-hit.score, hit.id))), notes, reply.request_id)


def parts(ids: Sequence[str], size: int = MAX_IDS) -> Iterator[Sequence[str]]:
    """The ids in calls of at most so many."""
    return (ids[at : at + size] for at in range(0, len(ids), size))


def _items(reply: Reply) -> list[dict[str, Any]]:
    return [one for one in reply.result.get("fetch") or () if isinstance(one, dict) and "id" in one]


def _found(reply: Reply) -> list[Found]:
    return [Found.of(one, reply.request_id) for one in reply.result.get("data") or ()]
