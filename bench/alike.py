"""How alike the answers of two stacks to the same query are."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.measures import temporal_iou
from ..core.records import Hit

_SAME = 0.5  # of the time of two moments that they share to be the same


def same_videos(one: Sequence[Hit], other: Sequence[Hit]) -> float:
    """The part of the videos that either found which both found."""
    mine, theirs = {hit.video_id for hit in one}, {hit.video_id for hit in other}
    return len(mine & theirs) / max(1, len(mine | theirs))


def same_moments(one: Sequence[Hit], other: Sequence[Hit]) -> float:
    """The part of the first one's hits beside which the other has one of nearly the same time."""
    found = [
        any(
            hit.video_id == each.video_id
            and temporal_iou((hit.start, hit.end), (each.start, each.end)) >= _SAME
            for each in other
        )
        for hit in one
    ]
    return sum(found) / max(1, len(found))
