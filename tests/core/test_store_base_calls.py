"""What the base of the stores hands to hooks and makes of their answers: batches, patches, hits."""

from __future__ import annotations

import pytest

from polyreel.core.capabilities import Feature
from polyreel.core.errors import InvalidQueryError, NotFoundError, PolyreelError, UnsupportedError
from polyreel.core.filters import ALL, F, Filter
from polyreel.core.records import Hit, Scope, Text
from polyreel.core.requests import Group, Lexical, NearRecord, NearVector, Patch, Receipt, SearchRequest
from polyreel.testing.scripted import SPEC, ScriptedStore, row

NEAR = NearVector([1.0, 0.0])


def opened(*features: Feature) -> ScriptedStore:
    store = ScriptedStore(features=frozenset(features))
    store.open(SPEC, create=False)
    store.calls.clear()
    return store


@pytest.fixture
def store() -> ScriptedStore:
    return opened()


def hit(id: str, score: float, video: str = "v") -> Hit:
    return Hit(row(id, video_id=video, content=None), score)


# -- batches ----------------------------------------------------------------------------------------------


def test_records_are_written_in_batches_and_each_id_once_in_a_batch(store: ScriptedStore) -> None:
    receipt = store.upsert(row(id) for id in ("a", "b", "a", "c", "a", "d", "e"))
    assert store.calls == [("upsert", "a", "b"), ("upsert", "c", "a", "d"), ("upsert", "e")]
    assert receipt.usage == {"calls": 3}


def test_batches_before_a_wrong_record_are_written_and_its_own_is_not(store: ScriptedStore) -> None:
    with pytest.raises(InvalidQueryError, match="'bad'"):
        store.upsert([row("a"), row("b"), row("c"), row("d"), row("bad", content=[1.0])])
    assert store.calls == [("upsert", "a", "b", "c")]


def test_ids_are_handed_over_in_batches_without_repetition(store: ScriptedStore) -> None:
    ids = ["a", "b", "a", "c", "d"]
    assert store.delete(ids).deleted == ("a", "b", "c", "d")
    store.fetch(ids)
    store.update_fields(ids, text=Text("t"))
    assert [call[:2] for call in store.calls if call[0] != "delete"] == [
        ("fetch", ("a", "b", "c")),
        ("fetch", ("d",)),
        ("update", ("a", "b", "c")),
        ("update", ("d",)),
    ]
    assert store.calls[:2] == [("delete", "a", "b", "c"), ("delete", "d")]


def test_nothing_to_do_calls_no_hook(store: ScriptedStore) -> None:
    store.upsert([])
    store.delete([])
    store.fetch([])
    store.search([])
    store.update_fields([], uri="x")
    store.update_fields(["a"])
    assert store.calls == []


def test_a_patch_says_what_was_given(store: ScriptedStore) -> None:
    store.update_fields(["a"], fields={"year": 3, "note": [1]})
    store.update_fields(["a"], text=Text(), uri="u")
    patches = [call[2] for call in store.calls]
    assert patches == [Patch({"year": 3}, {"note": [1]}), Patch(text=Text(), uri="u")]


def test_waiting_is_under_its_own_timeout(store: ScriptedStore) -> None:
    store.wait(Receipt(), Receipt(), timeout=7)
    assert store.calls == [("wait", 2, pytest.approx(7, abs=1))]


# -- searching --------------------------------------------------------------------------------------------


CLIPS = F.scope == "clip"


def asked_where(store: ScriptedStore, where: Filter) -> list[object]:
    """The hooks that a search calls, and the condition that reaches the engine."""
    store.calls.clear()
    store.search([SearchRequest(NEAR, where=where)])
    return [call[0] if call[0] == "count" else call[1].where.filter for call in store.calls]


def test_a_scope_that_every_record_has_is_counted_once_and_left_out(store: ScriptedStore) -> None:
    assert asked_where(store, CLIPS) == ["count", ALL]
    assert asked_where(store, CLIPS & (F.year > 3)) == [F.year > 3]
    store.upsert([row("a")])
    assert asked_where(store, (F.year > 3) & CLIPS & (F.year < 9)) == [(F.year > 3) & (F.year < 9)]


def test_a_scope_that_not_every_record_has_stays_a_condition(store: ScriptedStore) -> None:
    store.script = [1]  # one is no clip
    assert asked_where(store, CLIPS) == ["count", CLIPS]
    assert asked_where(store, CLIPS) == [CLIPS]
    assert asked_where(store, ~CLIPS | (F.year > 3)) == [~CLIPS | (F.year > 3)]


def test_a_record_of_another_scope_makes_it_a_condition_again(store: ScriptedStore) -> None:
    assert asked_where(store, CLIPS) == ["count", ALL]
    store.upsert([row("whole", scope=Scope.VIDEO)])
    assert asked_where(store, CLIPS) == [CLIPS]


def test_where_others_write_too_a_scope_is_always_a_condition() -> None:
    assert asked_where(opened(Feature.SHARED), CLIPS) == [CLIPS]


def test_a_search_near_a_record_becomes_one_by_its_vector(store: ScriptedStore) -> None:
    store.script = [None, [hit("r1", 1.0), hit("a", 0.5), hit("b", 0.4)]]
    (answer,) = store.search([SearchRequest(NearRecord("r1"), where=F.year > 3, limit=2)])
    assert [found.id for found in answer.hits] == ["a", "b"]
    fetched, (_, request) = store.calls
    assert fetched == ("fetch", ("r1",), True)
    assert request.near.vector == [1.0, 0.5]
    assert request.limit == 3
    assert request.where.filter == (F.year > 3)


def test_near_a_record_one_more_of_each_group_is_asked_for() -> None:
    store = opened(Feature.GROUP)
    found = [
        hit("r1", 1.0, "v"),
        hit("a", 0.9, "v"),
        hit("b", 0.8, "v"),
        hit("c", 0.7, "w"),
        hit("d", 0.6, "x"),
    ]
    store.script = [None, found]
    (answer,) = store.search([SearchRequest(NearRecord("r1"), limit=2, group=Group(1))])
    assert [found.id for found in answer.hits] == ["a", "c"]
    request = store.calls[1][1]
    assert (request.limit, request.group) == (3, Group(2))


def test_near_a_record_never_asks_for_more_than_the_engine_gives(store: ScriptedStore) -> None:
    store.search([SearchRequest(NearRecord("r1"), limit=100)])
    assert store.calls[1][1].limit == 100


def test_an_engine_that_searches_by_id_is_asked_by_id() -> None:
    store = opened(Feature.NEAR_RECORD)
    store.script = [None, [hit("r1", 1.0), hit("a", 0.5)]]
    (answer,) = store.search([SearchRequest(NearRecord("r1"), limit=2)])
    assert [found.id for found in answer.hits] == ["a"]
    assert store.calls[1][1].near == NearRecord("r1")


def test_an_unknown_record_is_not_searched_for(store: ScriptedStore) -> None:
    with pytest.raises(NotFoundError, match="'nobody'"):
        store.search([SearchRequest(NearRecord("nobody"))])
    assert [call[0] for call in store.calls] == ["fetch"]


def test_hits_under_the_threshold_are_left_out_and_one_at_it_is_kept(store: ScriptedStore) -> None:
    store.script = [[hit("a", 0.75), hit("b", 0.5), hit("c", 0.49999)]]
    (answer,) = store.search([SearchRequest(NEAR, min_score=0.5)])
    assert [found.id for found in answer.hits] == ["a", "b"]


def test_more_hits_than_asked_for_are_cut_off(store: ScriptedStore) -> None:
    store.script = [[hit(id, 0.5) for id in "abcde"]]
    (answer,) = store.search([SearchRequest(NEAR, limit=3)])
    assert [found.id for found in answer.hits] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (SearchRequest(NEAR, group=Group()), UnsupportedError),
        (SearchRequest(NEAR, exact=True), UnsupportedError),
        (SearchRequest(Lexical("word")), UnsupportedError),
        (SearchRequest(NEAR, where=F.uri.prefix("a")), UnsupportedError),
        (SearchRequest(NEAR, limit=101), InvalidQueryError),
        (SearchRequest(NEAR, where=F.nothing == 1), InvalidQueryError),
        (SearchRequest(NearVector([1.0])), InvalidQueryError),
    ],
)
def test_what_is_wrong_or_lacking_is_refused_before_any_hook(
    store: ScriptedStore, request_: SearchRequest, error: type[PolyreelError]
) -> None:
    with pytest.raises(error):
        store.search([request_])
    assert store.calls == []
