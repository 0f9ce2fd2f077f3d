"""Moments: neighbouring clip hits of one video joined into one hit of bounded length.

The list of moments is the same however it is cut into pages: the best clip that is left begins one and takes
in its neighbours (`shape.Moments`), so what the next page holds follows from what was shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .asking import Asking
from .filters import F, Filter, Or
from .fusing import Segment, Shown, order, segment
from .ranking import OVERFETCH
from .records import Hit, Moment
from .shape import Moments

_TOUCH = 50  # ms by which clips may lie apart and still touch: a frame, as cutting rounds to them
_AROUND = 64  # rows that are asked for around a clip at first; more than fit into most moments
_AT_ONCE = 256  # clips that one condition is about: a filter is bounded (`filters.MAX_NODES`)

Clips = Callable[[int], Asking[tuple[Hit, ...]]]
Around = Callable[[int, Filter], Asking[tuple[Hit, ...]]]


@dataclass(slots=True)
class Joiner:
    """Finds the moments of one query.

    Args:
        rules: What joins.
        clips: Gives the best clips, to a depth.
        around: Gives those that match a condition; None where scores can't be compared with those of `clips`,
            since they are ranks, and so only what is found anyway joins.
        most: The greatest depth.
    """

    rules: Moments
    clips: Clips
    around: Around | None
    most: int
    _near: dict[Segment, Hit] = field(default_factory=dict)
    _looked: set[Segment] = field(default_factory=set)

    def found(self, wanted: int, taken: frozenset[Shown]) -> Asking[tuple[Moment, ...]]:
        """The best moments, of clips that aren't taken yet; fewer than `wanted` where the data ends."""
        depth = min(wanted * OVERFETCH + len(taken), self.most)
        while True:
            hits = yield from self.clips(depth)
            ended = len(hits) < depth or depth >= self.most
            moments = yield from self._settled(hits, wanted, taken)
            if len(moments) >= wanted or ended:
                return moments
            depth = min(depth * 2, self.most)

    def _settled(
        self, hits: Sequence[Hit], wanted: int, taken: frozenset[Shown]
    ) -> Asking[tuple[Moment, ...]]:
        """The moments that begin with these hits, once all that may join them is known."""
        while True:
            moments = self._joined(hits, wanted, taken)
            unseen = [moment.best for moment in moments if segment(moment.record) not in self._looked]
            if self.around is None or not unseen:
                return moments
            for at in range(0, len(unseen), _AT_ONCE):
                some = unseen[at : at + _AT_ONCE]
                found = yield from self._joining(some, self.around)
                self._near |= {segment(hit.record): hit for hit in found}
            self._looked |= {segment(hit.record) for hit in unseen}

    def _joining(self, bests: Sequence[Hit], around: Around) -> Asking[tuple[Hit, ...]]:
        """All that is good enough and near enough to join one of these; more than that, too."""
        where, limit = self._vicinity(bests), min(len(bests) * _AROUND, self.most)
        floor = min(map(self._floor, bests))
        while True:
            found = yield from around(limit, where)
            if len(found) < limit or limit == self.most or found[-1].score < floor:
                return found
            limit = min(limit * 2, self.most)

    def _vicinity(self, clips: Iterable[Hit]) -> Filter:
        """What lies near enough to one of the clips to be in a moment with it."""
        far = self.rules.longest
        spans = ((clip.video_id, max(clip.start - far, 0.0), clip.end + far) for clip in clips)
        return Or(
            tuple((F.video_id == id) & (F.start < after) & (F.end > before) for id, before, after in spans)
        )

    def _joined(self, hits: Sequence[Hit], wanted: int, taken: frozenset[Shown]) -> tuple[Moment, ...]:
        known = self._near | {segment(hit.record): hit for hit in hits}
        of_video: dict[str, dict[Segment, Hit]] = defaultdict(dict)
        for key, hit in known.items():
            if key not in taken:
                of_video[hit.video_id][key] = hit
        moments: list[Moment] = []
        for hit in sorted(hits, key=order):
            free = of_video[hit.video_id]
            if len(moments) < wanted and segment(hit.record) in free:
                members = self._grown(hit, free)
                for member in members:
                    del free[segment(member.record)]
                moments.append(_moment(hit, members))
        return tuple(moments)

    def _grown(self, best: Hit, free: Mapping[Segment, Hit]) -> list[Hit]:
        """The clip and all that joins it, one after the other."""
        floor = self._floor(best)
        good = sorted((hit for hit in free.values() if hit.score >= floor and hit.id != best.id), key=order)
        members, span = [best], best.span_ms
        while (joining := next((hit for hit in good if self._fits(hit, span)), None)) is not None:
            good.remove(joining)
            members.append(joining)
            span = min(span[0], joining.span_ms[0]), max(span[1], joining.span_ms[1])
        return members

    def _floor(self, best: Hit) -> float:
        """The least score of what joins it."""
        return best.score * self.rules.share if best.score > 0 else best.score / self.rules.share

    def _fits(self, hit: Hit, span: tuple[int, int]) -> bool:
        start, end = hit.span_ms
        touches = start <= span[1] + _TOUCH and end >= span[0] - _TOUCH
        return touches and max(end, span[1]) - min(start, span[0]) <= self.rules.longest * 1000


def _moment(best: Hit, members: Iterable[Hit]) -> Moment:
    in_time = sorted(members, key=lambda hit: hit.span_ms)
    return Moment(best.record, best.score, best.score_kind, members=tuple(in_time))
