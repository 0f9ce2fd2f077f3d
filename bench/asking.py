"""Asking a search many questions, one by one or from several callers at once; every failure is counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..core.errors import PolyreelError
from .results import Sample
from .spread import percentile

_LEAST = 3  # questions that a turn asks, unless they take twice the time that it has

Ask = Callable[[int], list[int]]
"""Asks one question, by its number, and gives the rows that were found."""


@dataclass(slots=True)
class Asked:
    """What came of many questions.

    Args:
        seconds: Of each that was answered.
        found: The rows of each; of one that failed None.
        errors: What went wrong, by message.
        span: Seconds from the first to the last.
    """

    seconds: list[float] = field(default_factory=list)
    found: list[list[int] | None] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    span: float = 0.0

    def samples(self, case: str = "", *, percentiles: Sequence[int] = (50, 95, 99)) -> Iterator[Sample]:
        """Percentiles, answers a second, and failures.

        Raises:
            PolyreelError: Nothing was answered.
        """
        if not self.seconds:
            raise PolyreelError(
                self.errors[0] if self.errors else "nothing was answered in the time of a turn"
            )
        for part in percentiles:
            value = percentile(self.seconds, part / 100) * 1e3
            yield Sample(name=f"p{part}", value=value, unit="ms", case=case)
        rate = len(self.seconds) / self.span
        yield Sample(name="queries", value=rate, unit="1/s", better="higher", case=case)
        yield Sample(name="errors", value=len(self.errors), unit="count", case=case)
        yield Sample(
            name="asked", value=len(self.seconds) + len(self.errors), unit="count", better="", case=case
        )


def one_by_one(ask: Ask, count: int, *, seconds: float) -> Asked:
    """Ask so many questions, fewer where the time is over; the first one warms up and is asked again."""
    asked = Asked()
    _one(ask, 0, Asked())
    began = time.perf_counter()
    for at in range(count):
        spent = time.perf_counter() - began
        if spent > seconds and (at >= _LEAST or spent > 2 * seconds):
            break
        _one(ask, at, asked)
    asked.span = time.perf_counter() - began
    return asked


def at_once(ask: Ask, callers: int, *, seconds: float, beside: Callable[[], object] | None = None) -> Asked:
    """Ask from several callers for so long, each its next question as soon as it has an answer.

    Args:
        ask: Asks one.
        callers: How many at once.
        seconds: For which they begin new questions.
        beside: What one more thread does over and over meanwhile.
    """
    together, end = threading.Barrier(callers), time.perf_counter() + seconds

    def caller(number: int) -> Asked:
        asked, at = Asked(), number
        together.wait()
        while not (asked.seconds or asked.errors) or time.perf_counter() < end:
            _one(ask, at, asked)
            at += callers
        return asked

    def helper() -> None:
        while beside and time.perf_counter() < end:
            beside()

    with ThreadPoolExecutor(callers + 1) as pool:
        began = time.perf_counter()
        helping = pool.submit(helper)
        many = list(pool.map(caller, range(callers)))
        span = time.perf_counter() - began
        helping.result()
    return Asked(
        [each for asked in many for each in asked.seconds],
        [],
        [each for asked in many for each in asked.errors],
        span,
    )


def _one(ask: Ask, at: int, asked: Asked) -> None:
    began = time.perf_counter()
    try:
        found = ask(at)
    except PolyreelError as error:
        asked.errors.append(str(error))
        asked.found.append(None)
    else:
        asked.seconds.append(time.perf_counter() - began)
        asked.found.append(found)
