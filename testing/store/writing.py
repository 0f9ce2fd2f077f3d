"""Upserts, changes and deletions."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from ...core.errors import InvalidQueryError
from ...core.filters import ALL, F
from ...core.records import EMPTY, Record, Text
from ...core.store import VectorStore
from .base import StoreTests, direction
from .rows import DIMENSION, FULL, axis, vectors

_WRONG_VECTORS = {
    "a NaN": [math.nan, *axis(0)[1:]],
    "an infinity": [*axis(0)[1:], math.inf],
    "zeros": [0.0] * DIMENSION,
    "one dimension less": axis(0)[1:],
    "one dimension more": [*axis(0), 1.0],
    "nothing": [],
}

_WRONG_PARTS: dict[str, Callable[[Record], Record]] = {
    "no content": lambda record: replace(record, content=None),
    "an empty id": lambda record: replace(record, id=""),
    "an id of 257 bytes": lambda record: replace(record, id="n" * 257),
    "an id of 86 characters in 258 bytes": lambda record: replace(record, id="海" * 86),
    "an id that UTF-8 can't encode": lambda record: replace(record, id="\ud800"),
    "an id that is no text": lambda record: replace(record, id=7),  # type: ignore[arg-type]
    "no video": lambda record: replace(record, video_id=""),
    "an address that UTF-8 can't encode": lambda record: replace(record, uri="\udfff"),
    "a title that UTF-8 can't encode": lambda record: replace(record, text=Text(title="\ud800")),
    "a span that begins before 0": lambda record: replace(record, start_ms=-1, end_ms=5),
    "a span that ends before it begins": lambda record: replace(record, start_ms=5, end_ms=4),
    "a span of fractions": lambda record: replace(record, start_ms=1.5, end_ms=2.5),  # type: ignore[arg-type]
    "text for an int": lambda record: replace(record, fields={"year": "2020"}),
    "a bool for an int": lambda record: replace(record, fields={"year": True}),
    "an int beyond 2^53": lambda record: replace(record, fields={"year": 2**53 + 1}),
    "a NaN for a float": lambda record: replace(record, fields={"rating": math.nan}),
    "an int for a bool": lambda record: replace(record, fields={"outdoors": 1}),
    "an instant without a time zone": lambda record: replace(record, fields={"taken": "2024-01-01T00:00:00"}),
    "text for a list": lambda record: replace(record, fields={"tags": "sea"}),
    "an undeclared value that isn't JSON": lambda record: replace(record, fields={"thing": object()}),
    "an extra value that isn't JSON": lambda record: replace(record, extra={"thing": math.nan}),
}


class WritingTests(StoreTests):
    """`upsert`, `update_fields`, `delete`, `wait`."""

    # -- upsert -------------------------------------------------------------------------------------------

    def test_every_part_of_a_record_comes_back(self, store: VectorStore) -> None:
        vector = vectors(1)[0]
        self.write(store, [replace(FULL, content=self.content(vector))])
        found = store.fetch([FULL.id])[FULL.id]
        taken = FULL.fields["taken"]
        expected = {**FULL.fields, "tags": ("sea", "sea", ""), "taken": taken}
        assert replace(found, fields=EMPTY, extra=EMPTY) == replace(FULL, fields=EMPTY, extra=EMPTY)
        assert dict(found.fields) == expected
        assert dict(found.extra) == FULL.extra
        assert {name: type(value) for name, value in found.fields.items()} == {
            name: type(value) for name, value in expected.items()
        }

    def test_undeclared_fields_come_back_as_extra(self, store: VectorStore) -> None:
        self.write(store, [self.record("a", fields={"year": 1, "lens": ["wide"]}, extra={"note": None})])
        found = store.fetch(["a"])["a"]
        assert dict(found.fields) == {"year": 1}
        assert dict(found.extra) == {"lens": ["wide"], "note": None}

    def test_a_missing_field_stays_missing_and_a_given_default_stays_given(self, store: VectorStore) -> None:
        given = {
            "year": 0,
            "rating": 0.0,
            "place": "",
            "outdoors": False,
            "taken": "1970-01-01T00:00:00Z",
            "tags": [],
        }
        self.write(store, [self.record("given", fields=given), self.record("missing", fields={"year": None})])
        found = store.fetch(["given", "missing"])
        assert set(found["given"].fields) == set(given)
        assert dict(found["missing"].fields) == {}

    def test_the_receipt_names_every_id_once(self, store: VectorStore) -> None:
        receipt = store.upsert([*self.records(3), self.record("r1")])
        assert sorted(receipt.upserted) == ["r0", "r1", "r2"]

    def test_the_same_upsert_again_changes_nothing(self, store: VectorStore) -> None:
        records = self.records(12)
        self.write(store, records)
        before, scores = store.fetch(["r3"]), self.scores(store, axis(1))
        self.write(store, records)
        assert store.count() == len(scores) == 12
        assert store.fetch(["r3"]) == before
        assert self.scores(store, axis(1)) == pytest.approx(scores, abs=store.can.tolerance)

    def test_an_upsert_replaces_the_record_whole(self, store: VectorStore) -> None:
        self.write(store, [replace(FULL, id="a", content=self.content(axis(0)))])
        self.write(store, [self.record("a", axis(1), fields={"place": "here"})])
        found = store.fetch(["a"])["a"]
        assert dict(found.fields) == {"place": "here"}
        assert dict(found.extra) == {}
        assert found.text == Text()
        assert found.start_ms == 0
        (hit,) = self.search(store, axis(1)).hits
        assert hit.score == pytest.approx(1, abs=store.can.tolerance)
        assert store.count() == 1

    def test_the_last_of_several_records_with_one_id_wins(self, store: VectorStore) -> None:
        twice = [self.record("a", axis(n), fields={"year": n}) for n in range(4)]
        self.write(store, [twice[0], self.record("b"), *twice[1:]])
        assert store.count() == 2
        assert store.fetch(["a"])["a"].fields == {"year": 3}
        assert self.search(store, axis(3)).hits[0].id == "a"

    def test_the_last_wins_across_batches_too(self, store: VectorStore) -> None:
        many = self.records(store.can.max_batch + 1)
        self.write(store, [*many, self.record("r0", axis(0), fields={"year": -1})])
        assert store.count() == len(many)
        assert store.fetch(["r0"])["r0"].fields == {"year": -1}

    def test_more_records_than_one_batch_takes_are_all_written(self, store: VectorStore) -> None:
        count = 2 * store.can.max_batch + 3
        receipt = store.upsert(iter(self.records(count)))
        store.wait(receipt)
        assert len(receipt.upserted) == count
        assert store.count() == count
        assert self.stored(store) == {f"r{n}" for n in range(count)}

    @pytest.mark.parametrize("wrong", _WRONG_PARTS)
    def test_a_wrong_record_is_refused_and_nothing_of_its_batch_is_written(
        self, store: VectorStore, wrong: str
    ) -> None:
        self.write(store, [self.record("before")])
        batch = [self.record("a"), _WRONG_PARTS[wrong](self.record("wrong")), self.record("b")]
        with pytest.raises(InvalidQueryError):
            store.upsert(batch)
        assert self.stored(store) == {"before"}

    @pytest.mark.parametrize("wrong", _WRONG_VECTORS)
    def test_a_wrong_vector_is_refused_and_nothing_of_its_batch_is_written(
        self, store: VectorStore, wrong: str
    ) -> None:
        self.write(store, [self.record("before")])
        with pytest.raises(InvalidQueryError):
            store.upsert([self.record("a"), self.record("wrong", _WRONG_VECTORS[wrong]), self.record("b")])
        assert self.stored(store) == {"before"}

    # -- update_fields ------------------------------------------------------------------------------------

    def test_new_fields_replace_the_old_ones_whole_and_nothing_else(self, store: VectorStore) -> None:
        self.write(store, [replace(FULL, id="a", content=self.content(axis(0))), self.record("b")])
        store.wait(store.update_fields(["a"], fields={"place": "there", "note": [1]}))
        found = store.fetch(["a"])["a"]
        assert dict(found.fields) == {"place": "there"}
        assert dict(found.extra) == {"note": [1]}
        assert (found.text, found.uri, found.end_ms) == (FULL.text, FULL.uri, FULL.end_ms)
        assert self.stored(store, F.place == "there") == {"a"}
        assert self.stored(store, ~F.year.exists()) == {"a", "b"}

    def test_empty_fields_clear_all_of_them(self, store: VectorStore) -> None:
        self.write(store, [replace(FULL, id="a", content=self.content(axis(0)))])
        store.wait(store.update_fields(["a"], fields={}))
        found = store.fetch(["a"])["a"]
        assert (dict(found.fields), dict(found.extra)) == ({}, {})
        assert found.text == FULL.text

    def test_a_new_text_replaces_the_old_one_whole_and_nothing_else(self, store: VectorStore) -> None:
        self.write(store, [replace(FULL, id="a", content=self.content(axis(0)))])
        store.wait(store.update_fields(["a"], text=Text(caption="new")))
        found = store.fetch(["a"])["a"]
        assert found.text == Text(caption="new")
        assert set(found.fields) == set(FULL.fields)
        assert dict(found.extra) == FULL.extra
        assert found.uri == FULL.uri

    def test_an_empty_text_clears_it(self, store: VectorStore) -> None:
        self.write(store, [replace(FULL, id="a", content=self.content(axis(0)))])
        store.wait(store.update_fields(["a"], text=Text()))
        assert store.fetch(["a"])["a"].text == Text()
        assert store.fetch(["a"])["a"].uri == FULL.uri

    def test_a_new_address_replaces_the_old_one_and_nothing_else(self, store: VectorStore) -> None:
        self.write(store, [replace(FULL, id="a", content=self.content(axis(0)))])
        store.wait(store.update_fields(["a"], uri="s3://bucket/new.mp4"))
        found = store.fetch(["a"])["a"]
        assert found.uri == "s3://bucket/new.mp4"
        assert found.text == FULL.text
        assert set(found.fields) == set(FULL.fields)
        assert self.stored(store, F.uri == "s3://bucket/new.mp4") == {"a"}

    def test_a_change_keeps_vectors(self, store: VectorStore) -> None:
        self.write(store, self.records(6))
        before = self.scores(store, axis(2))
        vector = direction(store.fetch(["r2"], vectors=True)["r2"])
        store.wait(store.update_fields(["r2", "r3"], fields={"year": 5}, text=Text("t"), uri="file:///n"))
        assert self.scores(store, axis(2)) == pytest.approx(before, abs=store.can.tolerance)
        assert direction(store.fetch(["r2"], vectors=True)["r2"]) == pytest.approx(vector, abs=1e-6)
        assert len(before) == 6

    def test_a_change_ignores_unknown_ids_and_makes_no_record(self, store: VectorStore) -> None:
        self.write(store, [self.record("a")])
        store.wait(store.update_fields(["nobody", "a"], fields={"year": 5}))
        assert self.stored(store) == {"a"}
        assert self.stored(store, F.year == 5) == {"a"}

    def test_a_change_of_more_ids_than_one_batch_reaches_all(self, store: VectorStore) -> None:
        records = self.records(store.can.max_batch + 2)
        self.write(store, records)
        store.wait(store.update_fields([record.id for record in records], fields={"place": "all"}))
        assert store.count(F.place == "all") == len(records)

    def test_a_change_without_anything_changes_nothing(self, store: VectorStore) -> None:
        self.write(store, [self.record("a", fields={"year": 1})])
        store.update_fields(["a"])
        store.update_fields([], fields={"year": 2})
        assert store.fetch(["a"])["a"].fields == {"year": 1}

    def test_a_wrong_change_is_refused_and_changes_nothing(self, store: VectorStore) -> None:
        self.write(store, [self.record("a", fields={"year": 1})])
        for change in ({"fields": {"year": "x"}}, {"uri": "\ud800"}, {"text": Text(title="\ud800")}):
            with pytest.raises(InvalidQueryError):
                store.update_fields(["a"], **change)
        assert store.fetch(["a"])["a"].fields == {"year": 1}

    # -- delete -------------------------------------------------------------------------------------------

    def test_deleting_by_id_deletes_these_and_no_others(self, store: VectorStore) -> None:
        self.write(store, self.records(6))
        self.erase(store, ["r1", "r4"])
        assert self.stored(store) == {"r0", "r2", "r3", "r5"}
        assert store.count() == 4
        assert set(self.found(store, axis(0))) == {"r0", "r2", "r3", "r5"}
        assert set(store.fetch(["r0", "r1"])) == {"r0"}

    def test_the_others_keep_their_vectors_when_some_are_deleted_or_replaced(
        self, store: VectorStore
    ) -> None:
        self.write(store, self.records(9))
        scores = self.scores(store, axis(3))
        self.erase(store, ["r0", "r4"])
        self.write(store, [self.record("new"), self.record("r6")])
        left = {f"r{n}": scores[f"r{n}"] for n in (1, 2, 3, 5, 7, 8)}
        again = {id: score for id, score in self.scores(store, axis(3)).items() if id in left}
        assert again == pytest.approx(left, abs=store.can.tolerance)

    def test_deleting_unknown_ids_is_fine(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        self.erase(store, ["nobody", "r1", "r1"])
        self.erase(store, ["r1"])
        self.erase(store, [])
        assert self.stored(store) == {"r0"}

    def test_deleting_by_filter_deletes_what_matches_and_nothing_else(self, store: VectorStore) -> None:
        self.write(store, self.records(8))
        self.erase(store, where=(F.year >= 2) & (F.year < 6))
        assert self.stored(store) == {"r0", "r1", "r6", "r7"}
        assert set(self.found(store, axis(0))) == {"r0", "r1", "r6", "r7"}

    def test_deleting_everything_leaves_an_empty_collection_that_takes_records(
        self, store: VectorStore
    ) -> None:
        self.write(store, self.records(8))
        self.erase(store, where=ALL)
        assert store.count() == 0
        assert self.found(store, axis(0)) == []
        self.write(store, self.records(2))
        assert self.stored(store) == {"r0", "r1"}

    def test_more_ids_than_one_batch_are_all_deleted(self, store: VectorStore) -> None:
        records = self.records(store.can.max_batch + 3)
        self.write(store, records)
        self.erase(store, [record.id for record in records[1:]])
        assert self.stored(store) == {"r0"}

    def test_a_deleted_id_can_be_written_again(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        self.erase(store, ["r0"])
        self.write(store, [self.record("r0", axis(5), fields={"year": 77})])
        assert store.fetch(["r0"])["r0"].fields == {"year": 77}
        assert self.found(store, axis(5))[0] == "r0"

    def test_delete_takes_either_ids_or_a_filter(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        for ids, where in ((None, None), (["r0"], ALL), ("r0", None)):
            with pytest.raises(InvalidQueryError):
                store.delete(ids, where=where)
        with pytest.raises(InvalidQueryError):
            store.delete(where=F.undeclared == 1)
        assert self.stored(store) == {"r0", "r1"}
