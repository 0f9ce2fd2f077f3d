"""A plan says what a search then does, and doing it is left out: nothing is embedded, searched, uploaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.errors import InvalidQueryError, NotFoundError, UnsupportedError
from polyreel.core.filters import F
from polyreel.core.query import Query
from polyreel.core.rates import Rate
from polyreel.core.search import VideoSearch
from polyreel.testing.embedders import ColourEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OpenSearch, PictureOf

SAME = ("store", "embedder", "space", "fusion", "parts", "where", "group_by", "native", "planner")


class Silent(ColourEmbedder):
    """Refuses to work once it is told to be silent."""

    silent = False

    def _embed_query(self, parts: Any) -> Any:
        assert not self.silent, "the query was embedded"
        return super()._embed_query(parts)


class SilentStore(MemoryStore):
    silent = False

    def _search(self, requests: Any) -> Any:
        assert not self.silent, "the store was searched"
        return super()._search(requests)

    def _fetch(self, ids: Any, vectors: Any) -> Any:
        assert not self.silent, "the store was read"
        return super()._fetch(ids, vectors)


@pytest.fixture
def search(open_search: OpenSearch, videos: Path, tmp_path: Path) -> VideoSearch:
    opened = open_search(embedder=Silent(), store=SilentStore(path=tmp_path / "store"))
    opened.ingest(videos)
    return opened


def planned(search: VideoSearch, query: Query, rate: Rate | None = None) -> Any:
    """The plan, made while nothing may be asked."""
    with VideoSearch(replace(search.stack, rate=rate or Rate()), media) as asked:
        asked.count()
        Silent.silent = SilentStore.silent = True
        try:
            return asked.explain(query)
        finally:
            Silent.silent = SilentStore.silent = False


def queries(picture: PictureOf, like: str) -> list[Query]:
    red, blue = picture("red"), picture("blue")
    return [
        Query(image=red),
        Query(image=[red, blue], weights={"image": 0.5}),
        Query(image=red, without={"image": red}, weights={"image": 2}),
        Query(image=[red, blue], fusion="rank", where=F.start >= 2),
        Query(image=red, group_by="video"),
        Query(like=like),
        Query(like=like, image=red, group_by="video"),
        Query(vector=[1.0] * 13, scope=None, limit=3),
        Query(lexical="sea"),
        Query(image=red, lexical="sea"),
    ]


def test_a_plan_says_what_the_search_does(search: VideoSearch, picture: PictureOf) -> None:
    hit = search.search(vector=[1.0] * 13, limit=1).hits[0]
    for query in queries(picture, hit.id):
        plan = planned(search, query)
        with VideoSearch(search.stack, media) as asked:
            done = asked.search_many([query])[0].explain
        assert {name: plan.explain[name] for name in SAME} == {name: done[name] for name in SAME}


def test_a_plan_counts_what_would_be_embedded(search: VideoSearch, picture: PictureOf, videos: Path) -> None:
    rate = Rate(price_per_minute=6.0, price_per_request=0.01, currency="USD")
    query = Query(image=picture("red"), video=videos / "traffic.mp4")
    plan = planned(search, query, rate)
    assert [(each.by, each.parts, each.cached) for each in plan.embeds] == [
        ("colour", ("image",), False),
        ("colour", ("video",), False),
    ]
    assert plan.embeds[1].seconds == pytest.approx(4.0, abs=0.1)
    assert plan.cost.cost == pytest.approx(0.1 * plan.embeds[1].seconds + 0.02)
    assert plan.cost.requests == 2


def test_what_is_kept_costs_nothing(search: VideoSearch, picture: PictureOf) -> None:
    rate = Rate(price_per_request=0.5)
    query = Query(image=picture("red"))
    assert planned(search, query, rate).cost.cost == 0.5
    with VideoSearch(search.stack, media) as asked:
        asked.search_many([query])
    again = planned(search, query, rate)
    assert (again.embeds[0].cached, again.cost.cost) == (True, 0)


def test_what_no_rate_says_is_unknown(search: VideoSearch, picture: PictureOf) -> None:
    assert planned(search, Query(image=picture("red"))).cost.cost is None
    document = planned(search, Query(image=picture("red"))).to_json()
    assert document["cost"]["cost"] is None
    assert document["searches"] == [{"near": "vector", "limit": 10}]


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        (Query(), InvalidQueryError, "the query is empty"),
        (Query("words"), UnsupportedError, "colour can't embed text"),
        (Query(vector=[1.0] * 13, where=F.yeer == 1), InvalidQueryError, "yeer"),
        (Query(vector=[1.0]), InvalidQueryError, "1 dimensions"),
        (Query(vector=[1.0] * 13, rerank=5, limit=9), InvalidQueryError, "fewer candidates"),
        (Query(vector=[1.0] * 13, rerank=20), UnsupportedError, "no reranker"),
        (Query(image="nothing.jpg"), NotFoundError, "no image file"),
    ],
)
def test_a_plan_refuses_what_the_search_would_refuse(
    search: VideoSearch, query: Query, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        planned(search, query)
