"""The shape of an answer: clips, moments or videos, how many, and how unlike each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import InvalidQueryError


@dataclass(frozen=True, slots=True)
class Moments:
    """How neighbouring clip hits of a video become one hit.

    The best clip that is left begins a moment. It takes in the clips that touch it, the better one first,
    and goes on from there: never across a gap, never to more than `longest`.

    Args:
        longest: Seconds of a moment at most; a single clip that is longer stays whole.
        share: A clip joins whose score is at least this share of that of the moment's best one, from 0 to 1.
            1 joins only what is as good.
    """

    longest: float = 30.0
    share: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            InvalidQueryError: A value is out of its range.
        """
        check_number("longest", self.longest, low=0.0, high=1e6)
        check_number("share", self.share, low=0.0, high=1.0)
        if self.longest == 0 or self.share == 0:
            raise InvalidQueryError("longest and share of moments must be more than 0")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a page holds; made and checked by `Query.shape`.

    Args:
        limit: Hits.
        by_video: Whether each stands for a video.
        clips: Best clips that are told of each video.
        moments: How clips are joined; None where they aren't.
        diversity: From 0, the best hits, to 1, the most different ones.
        distinct: Likeness to an earlier hit from which on a hit is left out.
    """

    limit: int
    by_video: bool = False
    clips: int = 1
    moments: Moments | None = None
    diversity: float = 0.0
    distinct: float | None = None

    @property
    def spreads(self) -> bool:
        """Whether hits are compared with each other."""
        return self.diversity > 0 or self.distinct is not None

    @property
    def lists_segments(self) -> bool:
        """Whether it is the best segments as they are."""
        return not (self.by_video or self.moments or self.spreads)


def check_count(name: str, value: object) -> None:
    """Refuse what is no whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidQueryError(f"{name} is {value!r}; it must be a whole number of at least 1")


def check_number(name: str, value: object, *, low: float, high: float) -> None:
    """Refuse what is no number within these bounds."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or math.isnan(value):  # type: ignore[operator, arg-type]
        raise InvalidQueryError(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}")
