"""Ways that are measured in turns: whoever comes first pays for what both of them need."""

from __future__ import annotations

import gc
import time

import pytest

from polyreel.bench.timing import Compared, compare

FETCHING = 4.0  # seconds that the first of a round takes longer


class Clock:
    """Time that passes only where a way takes it."""

    def __init__(self) -> None:
        self.now, self._fetched = 0.0, -99

    def __call__(self) -> float:
        return self.now

    def take(self, at: int, seconds: float) -> None:
        self.now += seconds + (0.0 if at == self._fetched else FETCHING)
        self._fetched = at


def measured(rounds: int, **seconds: float) -> Compared:
    clock = Clock()
    ways = {name: lambda at, each=each: clock.take(at, each) for name, each in seconds.items()}
    return compare(ways, rounds=rounds, warm=0, clock=clock)


@pytest.mark.parametrize("rounds", [2, 5, 9, 10])
def test_ways_that_take_as_long_are_found_equal_however_many_rounds_there_are(rounds: int) -> None:
    both = measured(rounds, mine=10.0, other=10.0)
    assert both.ratio("mine", "other") == pytest.approx(1.0)
    assert both.added("mine", "other") == pytest.approx(0.0)


def test_what_one_takes_longer_is_found() -> None:
    both = measured(9, mine=13.0, other=10.0)
    assert both.added("mine", "other") == pytest.approx(3.0)
    assert both.ratio("mine", "other") == pytest.approx((17 / 10 * 13 / 14) ** 0.5)


def test_each_of_three_is_compared_in_every_order() -> None:
    three = measured(6, one=10.0, two=10.0, three=20.0)
    assert three.ratio("three", "one") > three.ratio("two", "one") == pytest.approx(1.0)
    assert three.added("two", "one") == pytest.approx(0.0)


def test_a_single_round_tells_what_it_can() -> None:
    assert measured(1, mine=10.0, other=10.0).ratio("mine", "other") == pytest.approx(1.4)


def test_a_pause_of_one_call_counts_for_nothing() -> None:
    both = Compared({"mine": (1.0, 1.0, 99.0, 1.0, 1.0, 1.0), "other": (1.0,) * 6})
    assert both.ratio("mine", "other") == pytest.approx(1.0)
    assert both.added("mine", "other") == pytest.approx(0.0)


def test_the_garbage_collector_rests_meanwhile_and_not_afterwards() -> None:
    seen = list[bool]()
    compare({"mine": lambda _: seen.append(gc.isenabled())}, rounds=2, warm=1)
    assert seen == [False] * 3
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        compare({"mine": lambda _: 1 // 0}, rounds=1)
    assert gc.isenabled()


def test_a_collection_beforehand_takes_no_time_from_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "collect", lambda: time.sleep(0.3))
    found = compare({"mine": lambda _: None}, rounds=20, seconds=0.2)
    assert len(found.seconds["mine"]) == 20
