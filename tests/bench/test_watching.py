"""The clock at the adapters: what is nested is counted once, and where it belongs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from polyreel.bench.watching import Clock, Watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Store:
    kind = "store"

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def upsert(self, records: Iterable[int]) -> int:
        time.sleep(0.02)
        return sum(records)

    def scan(self) -> Iterator[int]:
        for at in range(2):
            time.sleep(0.02)
            yield at


class Embedder:
    def embed(self) -> int:
        time.sleep(0.05)
        return 1


def test_what_is_called_inside_counts_for_itself_and_not_for_the_caller() -> None:
    clock = Clock()
    embedder = Watched(Embedder(), clock, {"embed": "embed"})
    store = Watched(Store(embedder), clock, {"upsert": "store", "scan": "store"})  # type: ignore[arg-type]

    def records() -> Iterator[int]:
        time.sleep(0.03)
        yield embedder.embed()

    began = time.perf_counter()
    assert store.upsert(records()) == 1
    spent = time.perf_counter() - began
    assert clock.seconds["embed"] == pytest.approx(0.05, abs=0.04)
    assert clock.seconds["store"] == pytest.approx(0.02, abs=0.019)
    assert clock.seconds["other"] == pytest.approx(0.03, abs=0.028)
    assert sum(clock.seconds.values()) == pytest.approx(spent, abs=0.01)


def test_what_is_given_piece_by_piece_is_counted_as_it_is_made() -> None:
    clock = Clock()
    store = Watched(Store(Embedder()), clock, {"scan": "store"})
    assert store.kind == "store"
    found = store.scan()
    assert clock.seconds["store"] < 0.01
    assert list(found) == [0, 1]
    assert clock.seconds["store"] >= 0.04


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
