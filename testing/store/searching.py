"""Searches: order, scores, limits, groups, and what else a request asks for."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ...core.capabilities import Feature
from ...core.checks import SCORE_KIND
from ...core.errors import InvalidQueryError, NotFoundError, UnsupportedError
from ...core.filters import F
from ...core.records import EMPTY, Channel, Record, Scope
from ...core.requests import Group, Lexical, NearMedia, NearRecord, SearchRequest
from ...core.space import Metric
from ...core.store import VectorStore
from .base import MakeStore, StoreTests, require
from .rows import DIMENSION, FULL, axis, likeness, vectors

_QUERY = vectors(1, seed=99)[0]


class SearchingTests(StoreTests):
    """`search`."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run what depends on the metric once with each that the store has."""
        if "metric" in metafunc.fixturenames:
            metafunc.parametrize("metric", self.metrics, ids=str)

    def near_scores(self, count: int, metric: Metric = Metric.COSINE) -> dict[str, float]:
        """What `self.records(count)` must score for the query, best first."""
        scores = {f"r{n}": likeness(metric, vector, _QUERY) for n, vector in enumerate(vectors(count))}
        return dict(sorted(scores.items(), key=lambda item: -item[1]))

    # -- scores -------------------------------------------------------------------------------------------

    def test_scores_are_exact_within_the_tolerance(self, make_store: MakeStore, metric: Metric) -> None:
        with make_store() as store:
            store.open(self.spec(metric=metric), create=True)
            self.write(store, self.records(60))
            hits = self.search(store, _QUERY, limit=60).hits
            expected = self.near_scores(60, metric)
            scale = max(map(abs, expected.values()))
            assert {hit.id: hit.score for hit in hits} == pytest.approx(
                expected, abs=store.can.tolerance * max(scale, 1)
            )
            assert {hit.score_kind for hit in hits} == {SCORE_KIND[metric]}

    def test_hits_come_best_first(self, make_store: MakeStore, metric: Metric) -> None:
        with make_store() as store:
            store.open(self.spec(metric=metric), create=True)
            self.write(store, self.records(40))
            hits = self.search(store, _QUERY, limit=10).hits
            assert [hit.id for hit in hits] == list(self.near_scores(40, metric))[:10]
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_a_cosine_does_not_depend_on_lengths(self, store: VectorStore) -> None:
        long = [1e6 * value for value in _QUERY]
        short = [1e-6 * value for value in _QUERY]
        self.write(store, [self.record("long", long), self.record("short", short)])
        for query in (long, _QUERY, short):
            scores = self.scores(store, query)
            assert scores == pytest.approx({"long": 1, "short": 1}, abs=store.can.tolerance)

    def test_a_cosine_reaches_from_minus_one_to_one(self, store: VectorStore) -> None:
        opposite = [-value for value in _QUERY]
        self.write(store, [self.record("same", _QUERY), self.record("opposite", opposite)])
        first, last = self.search(store, _QUERY).hits
        assert (first.id, last.id) == ("same", "opposite")
        assert 1 - store.can.tolerance <= first.score <= 1
        assert -1 <= last.score <= -1 + store.can.tolerance

    # -- limits -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("limit", [1, 2, 7, 29, 30, 100])
    def test_there_are_as_many_hits_as_the_limit_or_the_data_has(
        self, store: VectorStore, limit: int
    ) -> None:
        self.write(store, self.records(30))
        found = self.found(store, _QUERY, limit=limit)
        assert found == list(self.near_scores(30))[:limit]
        assert len(found) == len(set(found)) == min(limit, 30)

    @pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3", None])
    def test_a_limit_that_is_no_positive_whole_number_is_refused(
        self, store: VectorStore, limit: object
    ) -> None:
        self.write(store, self.records(2))
        assert len(self.found(store, _QUERY, limit=1)) == 1
        with pytest.raises(InvalidQueryError, match="limit"):
            self.search(store, _QUERY, limit=limit)

    def test_a_limit_beyond_what_the_store_gives_is_refused(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        assert len(self.found(store, _QUERY, limit=store.can.max_limit)) == 2
        with pytest.raises(InvalidQueryError, match=str(store.can.max_limit)):
            self.search(store, _QUERY, limit=store.can.max_limit + 1)

    def test_the_threshold_is_inclusive(self, store: VectorStore) -> None:
        self.write(store, self.records(12))
        hits = self.search(store, _QUERY, limit=12).hits
        third = hits[2].score
        assert self.found(store, _QUERY, limit=12, min_score=third) == [hit.id for hit in hits[:3]]
        assert len(self.found(store, _QUERY, limit=12, min_score=math.nextafter(third, 2))) == 2
        assert self.found(store, _QUERY, limit=2, min_score=third) == [hit.id for hit in hits[:2]]

    def test_a_threshold_that_is_no_number_is_refused(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        assert len(self.found(store, _QUERY, min_score=-1)) == 2
        with pytest.raises(InvalidQueryError, match="min_score"):
            self.search(store, _QUERY, min_score=math.nan)

    # -- which records ------------------------------------------------------------------------------------

    def test_only_records_that_match_are_found(self, store: VectorStore) -> None:
        self.write(store, self.records(40))
        odd = [f"r{n}" for n in range(1, 40, 2)]
        where = F.year.is_in(range(1, 40, 2))
        expected = [id for id in self.near_scores(40) if id in odd]
        assert self.found(store, _QUERY, where=where, limit=8) == expected[:8]
        assert self.found(store, _QUERY, where=where, limit=40) == expected

    def test_a_rare_match_far_from_the_query_is_found(self, store: VectorStore) -> None:
        self.write(store, self.records(300))
        last = list(self.near_scores(300))[-1]
        assert self.found(store, _QUERY, where=F.year == int(last[1:]), limit=3) == [last]

    def test_a_scope_is_a_condition_whatever_was_there_when_it_was_first_asked_for(
        self, store: VectorStore
    ) -> None:
        clips, old = F.scope == Scope.CLIP.value, F.year < 3
        self.write(store, self.records(5))
        everything = self.found(store, _QUERY, limit=9)
        assert self.found(store, _QUERY, where=clips, limit=9) == everything
        assert set(self.found(store, _QUERY, where=clips & old, limit=9)) == {"r0", "r1", "r2"}
        self.write(store, [self.record("whole", _QUERY, scope=Scope.VIDEO, fields={"year": 1})])
        assert self.found(store, _QUERY, where=clips, limit=9) == everything
        assert set(self.found(store, _QUERY, where=clips & old, limit=9)) == {"r0", "r1", "r2"}
        assert self.found(store, _QUERY, where=F.scope == Scope.VIDEO.value, limit=9) == ["whole"]
        assert self.found(store, _QUERY, where=~clips, limit=9) == ["whole"]

    def test_a_wrong_filter_is_refused(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        for where in (F.undeclared == 1, F.year == "x", F.tags == "a", F.year.prefix("2")):
            with pytest.raises(InvalidQueryError):
                self.search(store, _QUERY, where=where)

    def test_searching_an_empty_collection_finds_nothing(self, store: VectorStore) -> None:
        assert self.found(store, _QUERY) == []
        self.write(store, [self.record("a")])
        assert self.found(store, _QUERY) == ["a"]

    def test_hits_have_every_part_of_the_record_but_its_vector(self, store: VectorStore) -> None:
        self.write(store, [replace(FULL, content=self.content(axis(0)))])
        (hit,) = self.search(store, axis(0)).hits
        assert hit.record.content is None
        assert replace(hit.record, fields=EMPTY, extra=EMPTY) == replace(FULL, fields=EMPTY, extra=EMPTY)
        assert dict(hit.record.fields) == dict(FULL.fields)
        assert dict(hit.record.extra) == FULL.extra

    def test_a_lean_search_finds_the_same_and_says_where_it_belongs(self, store: VectorStore) -> None:
        whole = replace(FULL, content=self.content(_QUERY))
        self.write(store, [whole, *(replace(each, channel=Channel.AUDIO) for each in self.records(30))])
        requests: tuple[dict[str, object], ...] = ({}, {"where": F.year < 20, "limit": 5}, {"min_score": 0.0})
        for parts in requests:
            asked = {"limit": 40, **parts}
            hits, lean = (self.search(store, _QUERY, **asked, lean=lean).hits for lean in (False, True))
            assert len(hits) >= 5
            assert [_place(hit.record) for hit in lean] == [_place(hit.record) for hit in hits]
            scores = [hit.score for hit in hits]
            assert [hit.score for hit in lean] == pytest.approx(scores, abs=store.can.tolerance)
            assert {hit.score_kind for hit in lean} == {hit.score_kind for hit in hits}

    def test_exact_searches_are_exact_or_refused(self, store: VectorStore) -> None:
        self.write(store, self.records(50))
        if Feature.EXACT in store.can.features:
            assert self.found(store, _QUERY, limit=20, exact=True) == list(self.near_scores(50))[:20]
        else:
            with pytest.raises(UnsupportedError, match="exact"):
                self.search(store, _QUERY, exact=True)

    # -- requests -----------------------------------------------------------------------------------------

    def test_several_requests_are_answered_in_order(self, store: VectorStore) -> None:
        self.write(store, [self.record(f"a{n}", axis(n), fields={"year": n}) for n in range(DIMENSION)])
        requests = [SearchRequest(self.near(axis(n)), limit=n + 1) for n in range(5)]
        requests.append(SearchRequest(self.near(axis(0)), where=F.year == 7))
        answers = store.search(requests)
        assert [answer.hits[0].id for answer in answers] == ["a0", "a1", "a2", "a3", "a4", "a7"]
        assert [len(answer.hits) for answer in answers] == [1, 2, 3, 4, 5, 1]
        assert store.search([]) == []

    @pytest.mark.parametrize("wrong", [axis(0)[1:], [0.0] * DIMENSION, [math.nan] * DIMENSION])
    def test_a_wrong_query_vector_is_refused(self, store: VectorStore, wrong: Sequence[float]) -> None:
        self.write(store, self.records(2))
        assert len(self.found(store, _QUERY)) == 2
        with pytest.raises(InvalidQueryError):
            self.search(store, wrong)

    def test_what_the_form_lacks_is_refused_by_name(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        if Feature.LEXICAL not in store.can.features:
            with pytest.raises(UnsupportedError, match="lexical"):
                store.search([SearchRequest(Lexical("beach"))])
        if not store.can.vectorizes:
            with pytest.raises(InvalidQueryError):
                store.search([SearchRequest(NearMedia(()))])
        assert len(self.found(store, _QUERY)) == 2

    # -- near a record ------------------------------------------------------------------------------------

    def test_a_record_is_not_among_the_hits_near_itself(self, store: VectorStore) -> None:
        self.write(store, [self.record(f"r{n}", vector) for n, vector in enumerate(vectors(20))])
        made = vectors(20)
        expected = {f"r{n}": likeness(Metric.COSINE, made[4], made[n]) for n in range(20) if n != 4}
        for limit in (5, 19, 50):
            hits = store.search([SearchRequest(NearRecord("r4"), limit=limit)])[0].hits
            best = sorted(expected, key=expected.__getitem__, reverse=True)[:limit]
            assert [hit.id for hit in hits] == best
            assert [hit.score for hit in hits] == pytest.approx(
                [expected[id] for id in best], abs=store.can.tolerance
            )

    def test_an_equal_record_is_found_near_a_record(self, store: VectorStore) -> None:
        twins = [self.record(id, _QUERY, video_id="one") for id in ("a", "b", "c")]
        self.write(store, [*twins, self.record("far", [-value for value in _QUERY])])
        hits = store.search([SearchRequest(NearRecord("b"), limit=2)])[0].hits
        assert {hit.id for hit in hits} == {"a", "c"}

    def test_near_a_record_filters_and_thresholds_hold(self, store: VectorStore) -> None:
        self.write(store, self.records(20))
        (answer,) = store.search([SearchRequest(NearRecord("r4"), where=F.year < 8, limit=20)])
        assert {hit.id for hit in answer.hits} == {f"r{n}" for n in range(8) if n != 4}
        floor = answer.hits[2].score
        (fewer,) = store.search(
            [SearchRequest(NearRecord("r4"), where=F.year < 8, limit=20, min_score=floor)]
        )
        assert [hit.id for hit in fewer.hits] == [hit.id for hit in answer.hits[:3]]

    def test_near_an_unknown_record_is_not_found(self, store: VectorStore) -> None:
        self.write(store, self.records(3))
        assert len(store.search([SearchRequest(NearRecord("r0"))])[0].hits) == 2
        with pytest.raises(NotFoundError, match="nobody"):
            store.search([SearchRequest(NearRecord("nobody"))])

    # -- groups -------------------------------------------------------------------------------------------

    def grouped(self, count: int, size: int, limit: int) -> list[str]:
        """What a grouped search of `self.records(count)` must find."""
        scores = self.near_scores(count)
        video = {id: int(id[1:]) // 5 for id in scores}
        page = list(dict.fromkeys(video.values()))[:limit]
        kept = {id for one in page for id in [id for id in scores if video[id] == one][:size]}
        return [id for id in scores if id in kept]

    @pytest.mark.parametrize(("size", "limit"), [(1, 1), (1, 4), (1, 100), (2, 3), (3, 8), (9, 2)])
    def test_groups_hold_the_best_hits_of_the_best_videos(
        self, store: VectorStore, size: int, limit: int
    ) -> None:
        self.write(store, self.records(40))
        if Feature.GROUP not in store.can.features:
            with pytest.raises(UnsupportedError, match="group"):
                self.search(store, _QUERY, group=Group(size), limit=limit)
            return
        assert self.found(store, _QUERY, group=Group(size), limit=limit) == self.grouped(40, size, limit)

    def test_a_video_of_many_clips_does_not_crowd_out_the_others(self, store: VectorStore) -> None:
        require(store, Feature.GROUP)
        crowd = [self.record(f"c{n}", _QUERY, video_id="crowd") for n in range(120)]
        others = self.records(10)
        self.write(store, [*crowd, *others])
        hits = self.search(store, _QUERY, group=Group(1), limit=5).hits
        assert {hit.video_id for hit in hits} == {"crowd", "video 0", "video 1"}

    def test_groups_respect_the_filter_and_the_threshold(self, store: VectorStore) -> None:
        require(store, Feature.GROUP)
        self.write(store, self.records(20))
        found = self.found(store, _QUERY, group=Group(1), where=F.year.between(5, 14), limit=10)
        assert len(found) == 2
        assert all(5 <= int(id[1:]) <= 14 for id in found)
        best = self.search(store, _QUERY, group=Group(1), limit=10).hits[0]
        assert self.found(store, _QUERY, group=Group(1), limit=10, min_score=best.score) == [best.id]

    def test_near_a_record_its_own_video_keeps_its_place_in_the_groups(self, store: VectorStore) -> None:
        require(store, Feature.GROUP)
        near = [_QUERY[0] + 0.01, *_QUERY[1:]]
        rows: list[Record] = [
            self.record("itself", _QUERY, video_id="one"),
            self.record("sibling", near, video_id="one"),
            self.record("far", [-value for value in _QUERY], video_id="two"),
        ]
        self.write(store, rows)
        (answer,) = store.search([SearchRequest(NearRecord("itself"), group=Group(1), limit=5)])
        assert [hit.id for hit in answer.hits] == ["sibling", "far"]

    def test_a_group_of_nothing_is_refused(self, store: VectorStore) -> None:
        self.write(store, self.records(2))
        assert len(self.found(store, _QUERY)) == 2
        with pytest.raises((InvalidQueryError, UnsupportedError)):
            self.search(store, _QUERY, group=Group(0))


def _place(record: Record) -> tuple[object, ...]:
    """What a lean search tells of a record."""
    return record.id, record.video_id, record.scope, record.start_ms, record.end_ms, record.channel
