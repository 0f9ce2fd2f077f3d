"""Opening, re-opening, dropping and closing."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ...core.capabilities import Feature
from ...core.errors import ConfigurationError, NotFoundError, UnsupportedError
from ...core.fields import FieldType
from ...core.filters import ALL, F
from ...core.records import Text
from ...core.requests import SearchRequest
from ...core.space import Metric
from ...core.store import VectorStore
from .base import MakeStore, StoreTests
from .rows import FULL, SCHEMA, axis

_OTHER_SPACES = {
    "kind": "another-kind",
    "model": "another-model",
    "version": "another-version",
    "dimension": 9,
    "metric": Metric.L2,
    "templates": {"query": "look for: "},
}

_CALLS: dict[str, Callable[[LifeTests, VectorStore], Any]] = {
    "upsert": lambda test, store: store.upsert([test.record("a")]),
    "upsert of nothing": lambda _, store: store.upsert([]),
    "update_fields": lambda _, store: store.update_fields(["a"], fields={"year": 1}),
    "update_fields of nothing": lambda _, store: store.update_fields([]),
    "delete": lambda _, store: store.delete(["a"]),
    "delete of nothing": lambda _, store: store.delete([]),
    "delete by filter": lambda _, store: store.delete(where=ALL),
    "wait": lambda _, store: store.wait(),
    "search": lambda test, store: store.search([SearchRequest(test.near(axis(0)))]),
    "search for nothing": lambda _, store: store.search([]),
    "fetch": lambda _, store: store.fetch(["a"]),
    "fetch of nothing": lambda _, store: store.fetch([]),
    "scan": lambda _, store: list(store.scan()),
    "count": lambda _, store: store.count(),
    "flush": lambda _, store: store.flush(),
    "optimize": lambda _, store: store.optimize(),
    "drop": lambda _, store: store.drop(),
    "meta": lambda _, store: store.meta,
    "schema": lambda _, store: store.schema,
}


class LifeTests(StoreTests):
    """`open`, `meta`, `drop`, `close`."""

    def test_a_new_collection_has_the_spec_it_was_made_with(self, store: VectorStore) -> None:
        assert store.meta.spec == self.spec()
        assert store.meta.uid
        assert dict(store.schema) == dict(SCHEMA)

    def test_a_missing_collection_is_not_found_and_nothing_is_made(self, make_store: MakeStore) -> None:
        for _ in range(2):  # the first must not make what the second would find
            with make_store() as store, pytest.raises(NotFoundError, match="contract"):
                store.open(self.spec(), create=False)
        with make_store() as store:
            store.open(self.spec(), create=True)
            self.write(store, [self.record("a")])
            assert store.count() == 1

    def test_an_opened_again_collection_has_its_records_and_its_identity(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        self.write(store, self.records(7))
        uid = store.meta.uid
        store.close()
        with make_store() as again:
            again.open(self.spec(), create=True)
            assert again.meta.uid == uid
            assert again.count() == 7
            assert self.found(again, axis(0), limit=100) == self.found(again, axis(0), limit=7)
            assert self.stored(again) == {f"r{n}" for n in range(7)}

    def test_opening_again_without_create_finds_the_collection(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        self.write(store, self.records(3))
        store.close()
        with make_store() as again:
            again.open(self.spec(), create=False)
            assert again.count() == 3

    def test_writes_changes_and_deletions_are_there_after_opening_again(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        full = replace(FULL, content=self.content(axis(0)))
        self.write(store, [full, replace(full, id="changed"), self.record("gone"), self.record("gone too")])
        change = {"fields": {"place": "there", "note": [1]}, "text": Text("new"), "uri": "s3://b/k"}
        store.wait(store.update_fields(["changed"], **change))  # type: ignore[arg-type]
        self.erase(store, ["gone"])
        self.erase(store, where=F.video_id == "video of gone too")
        before = store.fetch([FULL.id, "changed"])
        store.close()
        with make_store() as again:
            again.open(self.spec(), create=False)
            assert {record.id: record for record in again.scan()} == before
            assert before[FULL.id].recipe == FULL.recipe
            assert before["changed"].text == Text("new")
            assert self.stored(again, F.place == "there") == {"changed"}
            assert self.scores(again, axis(0)) == pytest.approx(
                {FULL.id: 1, "changed": 1}, abs=again.can.tolerance
            )

    @pytest.mark.parametrize("part", _OTHER_SPACES)
    def test_another_space_is_refused_and_the_part_that_differs_is_named(
        self, store: VectorStore, make_store: MakeStore, part: str
    ) -> None:
        self.write(store, self.records(2))
        store.close()
        other = replace(self.spec(), space=replace(self.space(), **{part: _OTHER_SPACES[part]}))  # type: ignore[arg-type]
        with make_store() as again:
            with pytest.raises(ConfigurationError, match=part) as caught:
                again.open(other, create=True)
            for same in _OTHER_SPACES.keys() - {part}:
                assert f"{same} is" not in caught.value.message
            again.open(self.spec(), create=False)
            assert again.count() == 2

    def test_a_field_of_another_type_is_refused_by_name(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        self.write(store, [self.record("a", fields={"year": 3})])
        store.close()
        changed = {**SCHEMA, "year": FieldType.STRING}
        with make_store() as again:
            with pytest.raises(ConfigurationError, match="'year'"):
                again.open(self.spec(fields=changed), create=True)
            again.open(self.spec(), create=True)
            assert self.stored(again, F.year == 3) == {"a"}

    def test_a_new_field_is_added_in_place_or_the_error_says_what_to_do(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        self.write(store, [self.record("old", fields={"year": 3})])
        can = store.can
        store.close()
        widened = self.spec(fields={**SCHEMA, "lens": FieldType.STRING, "shots": FieldType.INT})
        with make_store() as again:
            if Feature.ADD_FIELD not in can.features:
                with pytest.raises(UnsupportedError) as caught:
                    again.open(widened, create=True)
                assert caught.value.hint
                return
            again.open(widened, create=True)
            self.write(again, [self.record("new", fields={"lens": "wide", "shots": 0})])
            assert self.stored(again, F.lens == "wide") == {"new"}
            assert self.stored(again, ~F.shots.exists()) == {"old"}
            assert self.stored(again, F.year == 3) == {"old"}

    def test_an_added_field_is_still_there_at_the_next_opening(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        if Feature.ADD_FIELD not in store.can.features:
            pytest.skip(f"{store.can.form} adds no fields")
        store.close()
        with make_store() as second:
            second.open(self.spec(fields={**SCHEMA, "lens": FieldType.STRING}), create=True)
            self.write(second, [self.record("new", fields={"lens": "wide"})])
        with make_store() as third:
            third.open(self.spec(), create=False)
            assert third.schema["lens"] is FieldType.STRING
            assert third.fetch(["new"])["new"].fields == {"lens": "wide"}

    def test_fields_that_the_spec_leaves_out_stay_declared(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        self.write(store, [self.record("a", fields={"year": 3, "place": "x"}), self.record("b")])
        store.close()
        with make_store() as again:
            again.open(self.spec(fields={"place": FieldType.STRING}), create=True)
            assert dict(again.schema) == dict(SCHEMA)
            assert self.stored(again, F.year == 3) == {"a"}
            assert again.fetch(["a"])["a"].fields == {"year": 3, "place": "x"}

    def test_collections_of_one_place_do_not_mix(self, make_store: MakeStore) -> None:
        for name, count in (("first", 3), ("second", 5)):
            with make_store() as store:
                store.open(self.spec(name), create=True)
                self.write(store, self.records(count, prefix=name))
        with make_store() as store:
            store.open(self.spec("first"), create=False)
            assert store.count() == 3
            assert self.stored(store) == {"first0", "first1", "first2"}
            first = store.meta.uid
            store.drop()
        with make_store() as store:
            store.open(self.spec("second"), create=False)
            assert store.count() == 5
            assert store.meta.uid != first

    def test_a_dropped_collection_is_gone_and_can_be_made_anew(self, make_store: MakeStore) -> None:
        with make_store() as store:
            store.open(self.spec(), create=True)
            self.write(store, self.records(3))
            uid = store.meta.uid
            store.drop()
            with pytest.raises(ConfigurationError):
                store.count()
        with make_store() as store:
            with pytest.raises(NotFoundError):
                store.open(self.spec(), create=False)
            store.open(self.spec(), create=True)
            assert store.meta.uid != uid
            assert store.count() == 0
            self.write(store, self.records(1))
            assert self.stored(store) == {"r0"}

    @pytest.mark.parametrize("call", _CALLS)
    def test_a_closed_store_refuses_every_call(self, store: VectorStore, call: str) -> None:
        self.write(store, [self.record("a")])
        assert store.count() == 1
        store.close()
        with pytest.raises(ConfigurationError, match="not open"):
            _CALLS[call](self, store)

    @pytest.mark.parametrize("call", _CALLS)
    def test_a_store_that_was_never_opened_refuses_every_call(self, make_store: MakeStore, call: str) -> None:
        with make_store() as store, pytest.raises(ConfigurationError, match="not open"):
            _CALLS[call](self, store)

    def test_closing_twice_does_nothing_more(self, store: VectorStore, make_store: MakeStore) -> None:
        self.write(store, [self.record("a")])
        store.close()
        store.close()
        with make_store() as again:
            again.open(self.spec(), create=False)
            assert again.count() == 1

    def test_an_opened_store_says_what_it_can_do(self, store: VectorStore) -> None:
        assert store.can.form in {form.name for form in store.forms}
        assert store.can.version
        assert store.can.vectorizes >= self.media
        assert bool(store.can.vectorizes) == bool(self.media)
        assert 0 < store.can.tolerance <= 1e-2
        assert store.can.max_batch >= 1
        assert store.can.max_limit >= 100

    def test_flushing_and_optimizing_keep_every_record(self, store: VectorStore) -> None:
        self.write(store, self.records(20))
        heard: list[float] = []
        store.flush()
        store.optimize(progress=heard.append)
        assert heard == sorted(heard)
        assert heard[-1] == 1.0
        assert store.count() == 20
        assert len(self.found(store, axis(0), limit=20)) == 20
