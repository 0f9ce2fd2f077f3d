"""Counting the values of a field, where the store does so by itself."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import pytest

from ...core.capabilities import Feature
from ...core.errors import InvalidQueryError, UnsupportedError
from ...core.filters import F
from ...core.store import VectorStore
from .base import StoreTests, require
from .rows import HOSTILE, NOON


class FacetingTests(StoreTests):
    """`facet`."""

    def test_values_are_counted_with_how_many_records_have_each(self, store: VectorStore) -> None:
        require(store, Feature.FACET)
        places = ["sea", "sea", "city", "", "sea"]
        self.write(store, [self.record(f"r{at}", fields={"place": each}) for at, each in enumerate(places)])
        self.write(store, [self.record("nowhere")])
        assert store.facet("place") == {"sea": 3, "city": 1, "": 1}

    def test_only_records_that_match_are_counted(self, store: VectorStore) -> None:
        require(store, Feature.FACET)
        self.write(store, self.records(10))
        assert store.facet("year", F.year >= 8) == {8: 1, 9: 1}
        assert store.facet("video_id", F.year < 7) == {"video 0": 5, "video 1": 2}

    def test_a_record_counts_once_for_each_value_of_a_list(self, store: VectorStore) -> None:
        require(store, Feature.FACET)
        lists = [("sea", "sun", "sea"), ("sea",), ()]
        self.write(store, [self.record(f"r{at}", fields={"tags": each}) for at, each in enumerate(lists)])
        assert store.facet("tags") == {"sea": 2, "sun": 1}

    def test_values_come_back_in_their_own_type(self, store: VectorStore) -> None:
        require(store, Feature.FACET)
        given = {"outdoors": True, "taken": NOON, "place": "Tōkyō"}
        self.write(store, [self.record("r", fields=given)])
        for name, value in given.items():
            counted = store.facet(name)
            if counted is not None:
                assert [(each, type(each)) for each in counted] == [(value, type(value))]

    def test_hostile_values_are_counted_as_they_are(self, store: VectorStore) -> None:
        require(store, Feature.FACET)
        self.write(store, [self.record(f"r{at}", fields={"place": text}) for at, text in enumerate(HOSTILE)])
        assert store.facet("place") == dict.fromkeys(HOSTILE, 1)

    def test_more_values_than_wanted_are_none(self, store: VectorStore) -> None:
        require(store, Feature.FACET)
        self.write(store, self.records(5))
        assert store.facet("year", most=5) == dict.fromkeys(range(5), 1)
        assert store.facet("year", most=4) is None

    def test_counting_is_refused_where_it_cannot_be(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        with pytest.raises(InvalidQueryError, match="'yeer'"):
            store.facet("yeer")
        if Feature.FACET not in store.can.features:
            with pytest.raises(UnsupportedError, match="count"):
                store.facet("year")
