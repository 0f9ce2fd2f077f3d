"""Timing several ways of doing the same in turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import geometric_mean, mean, median

Way = Callable[[int], object]
"""One call; the number is that of the round, by which it may choose its input."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How long each way took, round by round, in seconds a call."""

    seconds: Mapping[str, tuple[float, ...]]

    def median(self, way: str) -> float:
        """Seconds of a usual call."""
        return median(self.seconds[way])

    def ratio(self, way: str, to: str) -> float:
        """How many times longer one way takes: the mean over the orders of the medians of their rounds."""
        return geometric_mean(median(one / other for one, other in each) for each in self._orders(way, to))

    def added(self, way: str, to: str) -> float:
        """Seconds that one way takes more: the mean over the orders of the medians of their rounds."""
        return mean(median(one - other for one, other in each) for each in self._orders(way, to))

    def spread(self, way: str) -> tuple[float, float]:
        """Seconds of the tenth and the ninetieth of a hundred calls."""
        ordered = sorted(self.seconds[way])
        last = len(ordered) - 1
        return ordered[round(last * 0.1)], ordered[round(last * 0.9)]

    def _orders(self, way: str, to: str) -> Iterator[Iterator[tuple[float, float]]]:
        """The seconds of both ways in the rounds that the first way began, in those that the second did, ...

        Whoever comes first fetches from memory what the others find in the caches.
        """
        size = len(self.seconds)
        for order in range(min(size, len(self.seconds[way]))):
            turns = slice(order, None, size)
            yield zip(self.seconds[way][turns], self.seconds[to][turns], strict=True)


def compare(
    ways: Mapping[str, Way],
    *,
    rounds: int,
    warm: int = 2,
    seconds: float = math.inf,
    clock: Callable[[], float] = time.perf_counter,
) -> Compared:
    """Run the ways in turns, the first one another in each round; what warms up isn't counted.

    Meanwhile Python's garbage collector rests, as in `timeit`: what all ways have left it, it would look
    through in the midst of whichever comes to its threshold, for a fifth of a second beside 10 000 records.

    Args:
        ways: By name.
        rounds: In each of which every way runs once.
        warm: Rounds before them.
        seconds: After which no further round begins; one at least is run.
        clock: What a call is measured with.
    """
    names = list(ways)
    spent: dict[str, list[float]] = {name: [] for name in names}
    with _no_collection():
        end = time.monotonic() + seconds  # not before: beside many records a collection takes some of them
        for at in range(-warm, rounds):
            if at > 0 and time.monotonic() > end:
                break
            shift = at % len(names)
            for name in names[shift:] + names[:shift]:
                began = clock()
                ways[name](at)
                if at >= 0:
                    spent[name].append(clock() - began)
    return Compared({name: tuple(each) for name, each in spent.items()})


@contextmanager
def _no_collection() -> Iterator[None]:
    usual = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if usual:
            gc.enable()
