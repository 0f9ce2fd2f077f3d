"""The ranking behind a page: the best segments, or videos, of all that was asked, to any depth.

What an engine can't do by itself is done here, correctly: grouping excludes the videos already seen until the
page is full or the data ends, and the rows of a segment's channels are folded into one hit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .asking import Asking, Run, asked, together
from .capabilities import Capabilities, Feature
from .filters import ALL, F, Filter
from .fusing import folded, fused, in_order, segment
from .records import Hit, Record
from .requests import Answer, Group, Lexical, Near, SearchRequest
from .store import VectorStore

Way = Callable[[SearchRequest], Asking[tuple[Hit, ...]]]
"""How one list is ranked: by segments, or by videos."""

OVERFETCH = 4
"""Candidates for each hit of a page, where some of them will fall away."""
POOL = 50
"""Candidates of each ranking that is fused, at least."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One ranking: what it is near, how much it counts, and which records it is of."""

    near: Near
    weight: float = 1.0
    where: Filter = ALL
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The hits of one query.

    Args:
        can: What the store can do.
        base: All that the requests have in common.
        lists: What is ranked; several are fused by rank.
        excluded: Ids of records that are no hits.
        run: Hears what was done.
        fuses: Whether scores are those of fused ranks, as with several lists they must be.
        clips: Best clips that are told of a video.
    """

    can: Capabilities
    base: SearchRequest
    lists: Sequence[Listed]
    excluded: frozenset[str]
    run: Run
    fuses: bool = False
    clips: int = 1
    _lean: set[str] = field(default_factory=set, init=False)  # ids of hits of which only the place is known

    def segments(self, limit: int, where: Filter = ALL) -> Asking[tuple[Hit, ...]]:
        """The best `limit` segments, or all there are; only those that match `where`, too."""
        return (yield from self._ranked(limit, where, self._segments, most=limit))

    def pool(self, limit: int) -> Asking[tuple[Hit, ...]]:
        """As `segments`, and what fused rankings found beside them."""
        return (yield from self._ranked(limit, ALL, self._segments))

    def videos(self, limit: int) -> Asking[tuple[Hit, ...]]:
        """The best hit of each of the best `limit` videos, or of all there are."""
        return (yield from self._ranked(limit, ALL, self._videos, most=limit, by_video=True))

    def with_clips(self, hits: Sequence[Hit]) -> Asking[tuple[Hit, ...]]:
        """The hits of videos with the best clips of each; one batch for those that aren't known yet."""
        open_ones = [hit for hit in hits if not hit.members]
        if open_ones:
            self.run.planned.append("clips of videos")
        asks = [self.segments(self.clips, F.video_id == hit.video_id) for hit in open_ones]
        found = dict(zip((hit.video_id for hit in open_ones), (yield from together(asks)), strict=True))
        return tuple(self._with_members(hit, found.get(hit.video_id, hit.members)) for hit in hits)

    def completed(self, hits: Sequence[Hit], store: VectorStore) -> tuple[Hit, ...] | None:
        """The hits with all of their records; None where one of these was deleted since it was found."""
        if not self._lean:
            return tuple(hits)
        ids = dict.fromkeys(each.id for hit in hits for each in (hit, *hit.members) if each.id in self._lean)
        with self.run.timed("fetch"):
            records = store.fetch([*ids])
        return tuple([_whole(hit, records) for hit in hits]) if len(records) == len(ids) else None

    # -- fusing -------------------------------------------------------------------------------------------

    def _ranked(
        self,
        limit: int,
        where: Filter,
        way: Way,
        *,
        most: int | None = None,
        by_video: bool = False,
    ) -> Asking[tuple[Hit, ...]]:
        self.run.native += ["words" for each in self.lists if isinstance(each.near, Lexical)]
        if not self.fuses:
            return (yield from way(self._request(self.lists[0], where, limit)))
        deep = max(limit, min(max(limit * OVERFETCH, POOL), self.can.max_limit))
        lists = yield from together([way(self._request(each, where, deep)) for each in self.lists])
        self.run.planned.append("fused ranks")
        for each, hits in zip(self.lists, lists, strict=True):
            if each.channel:
                before = self.run.channels.get(each.channel, 0)
                self.run.channels[each.channel] = max(before, len(hits))
        weighted = [(each.weight, hits) for each, hits in zip(self.lists, lists, strict=True)]
        return fused(weighted, most, by_video=by_video)

    def _request(self, listed: Listed, where: Filter, limit: int) -> SearchRequest:
        base = self.base
        return SearchRequest(
            listed.near,
            base.where & listed.where & where,
            limit,
            min_score=base.min_score,
            exact=base.exact,
        )

    # -- one ranking --------------------------------------------------------------------------------------

    def _segments(self, request: SearchRequest) -> Asking[tuple[Hit, ...]]:
        """The best row of each segment; more is asked for only where rows of one segment filled the page."""
        wanted, most = request.limit, self.can.max_limit
        limit = min(wanted + len(self.excluded), most)
        while True:
            asking = request if limit == wanted else replace(request, limit=limit)
            answer = yield from asked(asking, self.run)
            rows = self._allowed(answer.hits)
            hits = folded(rows)
            whole = len(answer.hits) < limit or limit == most
            if len(hits) >= wanted or whole or len(hits) == len(answer.hits):
                break
            limit = min(limit * 2, most)
        if len(hits) < len(rows):
            self.run.planned.append("folded channels")
        return hits[:wanted]

    def _videos(self, request: SearchRequest) -> Asking[tuple[Hit, ...]]:
        """The best hit of each video, by the engine's groups; what is no hit may fill places of them."""
        limit, size = request.limit, 1 if self.fuses else self.clips  # of fused ranks clips aren't known yet
        spare = len(self.excluded)
        if Feature.GROUP in self.can.features and limit + spare <= self.can.max_limit:
            self.run.native.append("group by video")
            grouped = replace(request, limit=limit + spare, group=Group(size + spare))
            answer = yield from asked(grouped, self.run)
            groups = _by_video(self._allowed(answer.hits))[:limit]
            return tuple(self._first(rows, whole=len(rows) < size) for rows in groups)
        self.run.planned.append("group by video")
        return (yield from self._first_of_each(request))

    def _first_of_each(self, request: SearchRequest) -> Asking[tuple[Hit, ...]]:
        """The best hit of each video, until there are enough or the data ends.

        Each round asks for videos that weren't seen; where few videos filled the one before, for more. Most
        rows fall away again, so they are lean where the store has such.
        """
        wanted, most = request.limit, self.can.max_limit
        best: dict[str, Hit] = {}
        share = max(OVERFETCH, -(-self.can.lean_rows // wanted))  # rows that it took to find one video
        while len(best) < wanted:
            limit = min((wanted - len(best)) * share + len(self.excluded), most)
            hits = (yield from self._beyond(request, best, limit)).hits
            rows = self._allowed(hits)
            found = self._bests(rows)
            best |= {id: hit for id, hit in found.items() if id not in best}
            if len(hits) < limit or not found:
                break
            share = min(max(share * 2, -(-len(rows) // len(found))), most)
        shown = in_order([*best.values()])[:wanted]
        if self._reads_lean:
            self._lean.update(each.id for hit in shown for each in (hit, *hit.members))
        return tuple(shown)

    def _beyond(self, request: SearchRequest, seen: Mapping[str, Hit], limit: int) -> Asking[Answer]:
        """Hits of other videos than those seen."""
        where = request.where & F.video_id.not_in(list(seen)) if seen else request.where
        return asked(replace(request, where=where, limit=limit, lean=self._reads_lean), self.run)

    @property
    def _reads_lean(self) -> bool:
        return self.can.lean_rows > 0

    def _allowed(self, hits: Sequence[Hit]) -> Sequence[Hit]:
        """The hits without what is none."""
        return [hit for hit in hits if hit.record.id not in self.excluded] if self.excluded else hits

    def _bests(self, rows: Sequence[Hit]) -> dict[str, Hit]:
        """The best hit of each video, in no order."""
        if self.clips == 1 or self.fuses:  # of many rows the last one written is the first one found
            return {hit.record.video_id: hit for hit in reversed(rows)}
        return {each[0].video_id: self._first(each) for each in _by_video(rows)}

    def _first(self, rows: Sequence[Hit], *, whole: bool = False) -> Hit:
        """The best of a video's hits, with its best clips where those are known to be among them."""
        if self.clips == 1 or self.fuses:
            return rows[0]
        clips = folded(rows)
        return replace(rows[0], members=clips[: self.clips]) if whole or len(clips) >= self.clips else rows[0]

    def _with_members(self, hit: Hit, found: Sequence[Hit]) -> Hit:
        """The hit with its clips, itself the first: what fused ranks say of one video alone may differ."""
        itself = replace(hit, members=())
        others = [clip for clip in found if segment(clip.record) != segment(hit.record)]
        return replace(hit, members=(itself, *others)[: self.clips])


def _whole(hit: Hit, records: Mapping[str, Record]) -> Hit:
    """The hit and its members with the records that were fetched."""
    members = tuple([_whole(member, records) for member in hit.members])
    return Hit(records.get(hit.id, hit.record), hit.score, hit.score_kind, members=members)


def _by_video(hits: Iterable[Hit]) -> list[list[Hit]]:
    """The hits of each video, best first; the videos in the order of their best."""
    groups: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        groups[hit.record.video_id].append(hit)
    return list(groups.values())
