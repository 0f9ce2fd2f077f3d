"""The clock at the adapters: what is nested is counted once, and where it belongs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from polyreel.bench import watching
from polyreel.bench.watching import Clock, Watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Time:
    """Passes while somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Time:
    """What the clock goes by."""
    made = Time()
    monkeypatch.setattr(watching, "time", made)
    return made


class Store:
    kind = "store"

    def __init__(self, passing: Time) -> None:
        self._time = passing

    def upsert(self, records: Iterable[int]) -> int:
        self._time.sleep(2)
        return sum(records)

    def scan(self) -> Iterator[int]:
        for at in range(2):
            self._time.sleep(2)
            yield at


class Embedder:
    def __init__(self, passing: Time) -> None:
        self._time = passing

    def embed(self) -> int:
        self._time.sleep(5)
        return 1


def test_what_is_called_inside_counts_for_itself_and_not_for_the_caller(passing: Time) -> None:
    clock = Clock()
    embedder = Watched(Embedder(passing), clock, {"embed": "embed"})
    store = Watched(Store(passing), clock, {"upsert": "store", "scan": "store"})

    def records() -> Iterator[int]:
        passing.sleep(3)
        yield embedder.embed()

    assert store.upsert(records()) == 1
    assert clock.seconds == {"embed": 5, "store": 2, "other": 3}


def test_what_is_given_piece_by_piece_is_counted_as_it_is_made(passing: Time) -> None:
    clock = Clock()
    store = Watched(Store(passing), clock, {"scan": "store"})
    assert store.kind == "store"
    found = store.scan()
    assert clock.seconds["store"] == 0
    assert list(found) == [0, 1]
    assert clock.seconds["store"] == 4


def test_threads_are_added_up() -> None:
    clock = Clock()

    def work() -> None:
        with clock.part("store"):
            time.sleep(0.05)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert clock.seconds["store"] >= 0.15
