"""Calls side by side: in order, no more than are allowed, under the deadline, ended by an error."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from polyreel.core.deadline import time_left, within
from polyreel.core.running import side_by_side


def test_results_come_in_the_order_of_the_calls() -> None:
    def call(number: int) -> int:
        time.sleep(0.02 * (5 - number))
        return number

    calls = [partial(call, number) for number in range(5)]
    for at_once in (1, 2, 5):
        assert side_by_side(calls, at_once) == [0, 1, 2, 3, 4]
    assert side_by_side([], 3) == []


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_run_at_once_than_are_allowed(at_once: int) -> None:
    running, most, guard = 0, 0, threading.Lock()
    together = threading.Barrier(at_once)  # each waits for as many others as may run beside it

    def call() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        together.wait(30)
        time.sleep(0.02)
        with guard:
            running -= 1

    side_by_side([call] * 9, at_once)
    assert most == at_once


def test_the_deadline_goes_with_the_calls() -> None:
    with within(5):
        assert all(0 < left <= 5 for left in side_by_side([time_left] * 3, 3))


def test_an_error_drops_what_has_not_begun() -> None:
    begun: list[int] = []

    def call(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("the first")
        time.sleep(0.5)

    with pytest.raises(ValueError, match="the first"):
        side_by_side([partial(call, number) for number in range(50)], 2)
    assert len(begun) < 10
