"""A vector alone, as a library asks it in a loop, means the same as among others: its way is only shorter."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.core.errors import InvalidQueryError
from polyreel.core.filters import F
from polyreel.core.query import Query
from polyreel.core.records import Scope

from .conftest import World, pages, vector_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyreel.core.result import Result
    from polyreel.core.store import VectorStore

ASKED = vector_of("sunset").tolist()
WISHES: Sequence[dict[str, Any]] = (
    {},
    {"limit": 3},
    {"limit": 200},
    {"exact": True},
    {"scope": None},
    {"scope": "clip"},
    {"scope": Scope.VIDEO},
    {"within": "v1"},
    {"min_score": 0.2},
    {"start": 5, "end": 30.0},
    {"where": F.start >= 20},
    {"where": {"field": "start", "op": ">=", "value": 20}},
    {"weights": {"vector": 0.5}},
    {"channels": "visual"},
    {"group_by": "video", "clips": 2},
    {"moments": True},
    {"diversity": 0.5},
    {"distinct": 0.9},
    {"fusion": "rank"},
    {"without": "city"},
    {"text": "city"},
    {"like": "1-1-fused"},
)


def told(result: Result) -> list[object]:
    """All that a result says but how long it took, and which vectors were kept since the last time."""
    hits = [
        (replace(hit, score=round(hit.score, 5), similarity={}, members=()), len(hit.members))
        for hit in result
    ]
    likeness = [{name: round(value, 5) for name, value in hit.similarity.items()} for hit in result]
    return [hits, likeness, {**result.explain, "cached": 0}, result.usage, result.request_ids, result.notes]


@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_it_means_the_same_as_in_a_batch(world: World, wishes: dict[str, Any]) -> None:
    query = Query(vector=ASKED, **wishes)
    alone = world.search.search(vector=ASKED, **wishes)
    assert told(alone) == told(world.search.search_many([query, Query(vector=ASKED, limit=1)])[0])
    (again,) = world.search.search_many([query])
    assert [*alone] == [*again]
    assert told(alone) == told(again)


def test_what_a_caller_does_to_one_page_is_no_other_ones(world: World) -> None:
    first = world.search.search(vector=ASKED)
    kept = {**first.explain}
    first.explain.clear()  # type: ignore[attr-defined]  # a mapping to read, but nothing hinders him
    assert world.search.search(vector=ASKED).explain == kept


@pytest.mark.parametrize(
    "wishes", [{"limit": 60}, {"limit": 40, "where": F.start >= 5}, {"limit": 50, "min_score": -0.5}], ids=str
)
def test_of_two_channels_it_is_the_same_without_another_request(
    heard: World, wishes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(heard.search.stack.store, monkeypatch)
    query = Query(vector=ASKED, **wishes)
    alone = heard.search.search(vector=ASKED, **wishes)
    requests = asked.copy()
    asked.clear()
    assert told(alone) == told(heard.search.search_many([query, Query(vector=ASKED, limit=1)])[0])
    assert requests == [limit for limit in asked if limit > 1]  # the other query asks for one alone
    assert 0 < alone.timing["search"] <= alone.timing["total"]


def counted(store: VectorStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The limits of all requests to come."""
    limits: list[int] = []
    search = store._search

    def count(requests: Any) -> Any:
        limits.extend(request.limit for request in requests)
        return search(requests)

    monkeypatch.setattr(store, "_search", count)
    return limits


def test_its_pages_are_those_of_the_whole_list(world: World, heard: World) -> None:
    for each in (world, heard):
        whole = each.search.search(vector=ASKED, limit=500)
        assert [hit.id for hit in pages(each.search.search(vector=ASKED, limit=11))] == [
            hit.id for hit in whole
        ]


def test_what_differs_from_the_query_before_is_seen(world: World) -> None:
    search = world.search

    def found(**wishes: Any) -> list[str]:
        return [hit.id for hit in search.search(vector=ASKED, **wishes)]

    first = found()
    assert len(found(limit=3)) == 3
    assert found() == first
    assert found(start=20) != first
    assert found() == first
    assert [hit.id for hit in search.search(vector=[-value for value in ASKED])] != first
    assert found() == first
    where = {"field": "start", "op": ">=", "value": 20}
    late = found(where=where)
    assert late != first
    where["value"] = 0  # nobody keeps what a caller may change
    assert found(where=where) == first
    like: list[str] = []
    assert found(like=like, fusion="sum") == first
    like.append(first[0])
    assert found(like=like, fusion="sum") != first


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": True},
        {"limit": 10.0},
        {"limit": 10**6},
        {"clips": 2},
        {"exact": 1},
        {"hybrid": 0},
        {"min_score": "0.5"},
        {"scope": "scene"},
        {"within": ""},
        {"start": 9, "end": 8},
        {"diversity": 2},
        {"group_by": "day"},
        {"where": "start >= 3"},
        {"weights": {"text": 1.0}},
        {"weights": []},
        {"fusion": "joint"},
        {"vector": [1.0]},
        {"vector": [0.0] * len(ASKED)},
        {"vector": [float("nan")] * len(ASKED)},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_after_a_query_that_was_right(world: World, wrong: dict[str, Any]) -> None:
    for _ in range(2):
        world.search.search_many([Query(vector=ASKED)])
        with pytest.raises(InvalidQueryError):
            world.search.search_many([Query(**{"vector": ASKED, **wrong})])


def test_nothing_is_asked_where_one_of_several_queries_is_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(world.search.stack.store, monkeypatch)
    with pytest.raises(InvalidQueryError):
        world.search.search_many([Query(vector=ASKED), Query(vector=ASKED, limit=0)])
    assert asked == []


def test_threads_that_ask_for_different_things_get_their_own(world: World) -> None:
    limits = [1 + at % 5 for at in range(200)]
    pace = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = [*pool.map(lambda limit: len(world.search.search(vector=ASKED, limit=limit)), limits)]
    finally:
        sys.setswitchinterval(pace)
    assert found == limits
