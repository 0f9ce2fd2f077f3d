"""Reading records by id, all that match, and counting them."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ...core.errors import InvalidQueryError
from ...core.filters import ALL, F
from ...core.requests import Receipt
from ...core.store import VectorStore
from .base import StoreTests, direction
from .rows import vectors


class ReadingTests(StoreTests):
    """`fetch`, `scan`, `count`, `wait`."""

    def test_fetching_gives_the_records_asked_for_by_id(self, store: VectorStore) -> None:
        self.write(store, self.records(10))
        found = store.fetch(["r7", "r2", "r7"])
        assert {id: record.fields["year"] for id, record in found.items()} == {"r7": 7, "r2": 2}
        assert {record.id for record in found.values()} == {"r7", "r2"}

    def test_unknown_ids_are_left_out(self, store: VectorStore) -> None:
        self.write(store, self.records(3))
        assert set(store.fetch(["r1", "nobody", "R1", "r1 "])) == {"r1"}
        assert store.fetch([]) == {}

    def test_more_ids_than_one_batch_are_all_fetched(self, store: VectorStore) -> None:
        count = store.can.max_batch + 2
        self.write(store, self.records(count))
        assert len(store.fetch([f"r{n}" for n in range(count)])) == count

    def test_vectors_come_only_when_asked_for(self, store: VectorStore) -> None:
        self.write(store, self.records(4))
        made = vectors(4)
        with_vectors = store.fetch(["r0", "r3"], vectors=True)
        for id, vector in (("r0", made[0]), ("r3", made[3])):
            expected = np.asarray(vector) / np.linalg.norm(vector)
            assert direction(with_vectors[id]) == pytest.approx(expected.tolist(), abs=1e-5)
        without = store.fetch(["r0", "r3"])
        assert [record.content for record in without.values()] == [None, None]
        assert {id: replace(record, content=None) for id, record in with_vectors.items()} == without

    def test_wrong_ids_are_refused(self, store: VectorStore) -> None:
        self.write(store, [self.record("r")])
        assert set(store.fetch(["r"])) == {"r"}
        for ids in ("r", [""], ["n" * 257], ["\ud800"], [None]):
            with pytest.raises(InvalidQueryError):
                store.fetch(ids)  # type: ignore[arg-type]

    def test_a_scan_gives_every_record_once(self, store: VectorStore) -> None:
        count = 2 * store.can.max_batch + 1
        self.write(store, self.records(count))
        assert self.stored(store) == {f"r{n}" for n in range(count)}

    def test_a_scan_gives_whole_records(self, store: VectorStore) -> None:
        self.write(store, self.records(7))
        scanned = {record.id: record for record in store.scan()}
        assert scanned == store.fetch([f"r{n}" for n in range(7)])
        assert scanned["r3"].fields == {"year": 3}

    def test_a_scan_gives_only_what_matches(self, store: VectorStore) -> None:
        self.write(store, self.records(9))
        assert self.stored(store, F.year > 6) == {"r7", "r8"}
        assert self.stored(store, F.video_id == "video 1") == {"r5", "r6", "r7", "r8"}

    def test_a_scan_gives_vectors_when_asked(self, store: VectorStore) -> None:
        self.write(store, self.records(5))
        made = vectors(5)
        scanned = {record.id: direction(record) for record in store.scan(F.year >= 3, vectors=True)}
        assert set(scanned) == {"r3", "r4"}
        for id, found in scanned.items():
            vector = np.asarray(made[int(id[1:])])
            assert found == pytest.approx((vector / np.linalg.norm(vector)).tolist(), abs=1e-5)
        assert [record.content for record in store.scan(F.year >= 3)] == [None, None]

    def test_an_abandoned_scan_leaves_the_store_usable(self, store: VectorStore) -> None:
        self.write(store, self.records(30))
        scan = store.scan()
        assert next(scan).id in {f"r{n}" for n in range(30)}
        del scan
        assert store.count() == 30
        assert len(self.stored(store)) == 30

    def test_a_scan_of_nothing_ends(self, store: VectorStore) -> None:
        assert list(store.scan()) == []
        self.write(store, self.records(2))
        assert list(store.scan(F.year > 100)) == []
        assert len(list(store.scan())) == 2

    def test_counting_is_exact(self, store: VectorStore) -> None:
        assert store.count() == 0
        self.write(store, self.records(25))
        assert store.count() == store.count(ALL) == 25
        assert store.count(F.year < 10) == 10
        assert store.count(~(F.year < 10)) == 15
        self.erase(store, ["r0", "r24"])
        assert store.count() == 23
        assert store.count(F.year < 10) == 9

    def test_a_wrong_filter_is_refused_before_anything_is_read(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        assert store.count(F.year == 1) == 1
        with pytest.raises(InvalidQueryError, match="undeclared"):
            store.scan(F.undeclared == 1)
        with pytest.raises(InvalidQueryError, match="undeclared"):
            store.count(F.undeclared == 1)

    def test_waiting_for_receipts_makes_writes_searchable_and_deletions_gone(
        self, store: VectorStore
    ) -> None:
        first = store.upsert(self.records(4))
        second = store.upsert([self.record("late")])
        store.wait(first, second, timeout=30)
        assert store.count() == 5
        store.wait(store.delete(["late"]), Receipt(), timeout=30)
        assert self.stored(store) == {"r0", "r1", "r2", "r3"}
