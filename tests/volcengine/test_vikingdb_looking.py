"""Recommending, facets, plans, caches and exploring where the service makes the vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import polyreel
from polyreel import Query, exploring, media
from polyreel.core.errors import NotFoundError, UnsupportedError
from polyreel.core.filters import F
from polyreel.core.media import Modality
from polyreel.core.records import Confidence, ScoreKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel import VideoSearch

    from .conftest import Cloud

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def search(cloud: Cloud, videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoSearch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("looking"))
        for name, value in cloud.variables().items():
            patch.setenv(name, value)
        patch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__COLLECTION", "looking")
        patch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__FIELDS__CATEGORY", "string")
        patch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__LEVELS__TEXT__MEDIUM", "0.005")
        patch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__LEVELS__TEXT__HIGH", "0.015")
        with polyreel.open("vikingdb_tos") as search:
            shelves = {"ball_a.mp4": {"category": "sport"}, "ball_b.mp4": {"category": "sport"}}
            assert search.ingest(videos, described=shelves).ok
            yield search


def video(search: VideoSearch, name: str) -> str:
    return next(each.video_id for each in search.videos() if each.title == name)


def test_examples_and_words_recommend_and_examples_never_come_back(search: VideoSearch) -> None:
    ball, sunset = video(search, "ball a"), video(search, "sunset a")
    found = search.recommend(ball, unlike=sunset, mood="red", limit=20)
    assert len(found) == len(search.videos()) - 2
    assert {ball, sunset}.isdisjoint(hit.video_id for hit in found)
    only = search.recommend(ball, category="sport")
    assert [hit.video_id for hit in only] == [video(search, "ball b")]


def test_a_video_that_isnt_there_is_refused_to_look_within(search: VideoSearch) -> None:
    ball = video(search, "ball a")
    assert {hit.video_id for hit in search.search("red", within=ball)} == {ball}
    assert len(search.search("red", within=ball, where=F.start > 99)) == 0
    for none in ("f" * 64, "f" * 63):
        with pytest.raises(NotFoundError, match=f"there is no video '{none}' in the collection"):
            search.search("red", within=none)


def test_whole_videos_without_proxies_are_refused_before_the_service_is_asked_for_them(
    search: VideoSearch, cloud: Cloud
) -> None:
    searched = len(cloud.vikingdb.bodies("search/"))
    with pytest.raises(UnsupportedError, match=r'no records of whole videos.*group_by="video".*"proxy"'):
        search.search("red", scope="video")
    assert len(cloud.vikingdb.bodies("search/")) == searched
    assert len(search.search("red", group_by="video", limit=20)) == len(search.videos())
    assert len(cloud.vikingdb.bodies("search/")) > searched


def test_hits_have_labels_by_levels_of_the_stack(search: VideoSearch) -> None:
    levels = search.stack.levels[Modality.TEXT]
    found = search.search("a red ball", limit=20).hits
    assert {hit.score_kind for hit in found} == {ScoreKind.COSINE}
    assert [hit.confidence for hit in found] == [levels.confidence(hit.score) for hit in found]
    assert {hit.confidence for hit in found} == set(Confidence)


def test_values_are_counted_by_a_scan(search: VideoSearch) -> None:
    facet = search.facets("category", scope=None)["category"]
    assert facet.values == (("sport", search.count(F.category == "sport")),)
    assert facet.values[0][1] > 0
    assert facet.missing == search.count(~F.category.exists())


def test_its_vectors_are_explored(search: VideoSearch) -> None:
    found = exploring.explore(search, scope=None)
    assert found.sampled == found.total == search.count()
    assert len(found.clusters) > 1


def test_a_plan_counts_the_calls_and_makes_none(search: VideoSearch, cloud: Cloud, videos: Path) -> None:
    asked, kept = len(cloud.vikingdb.seen), len(cloud.tos.buckets["video-demo1"].objects)
    plan = search.explain(Query("red", video=videos / "ball_a.mp4"))
    assert [(each.by, each.parts) for each in plan.embeds] == [
        ("service, vectorizes media", ("text", "video"))
    ]
    assert plan.cost.cost is None  # nobody knows the vendor's price
    assert len(cloud.vikingdb.seen) == asked
    assert len(cloud.tos.buckets["video-demo1"].objects) == kept


def test_an_uploaded_picture_is_embedded_once(search: VideoSearch, videos: Path, tmp_path: Path) -> None:
    media.thumbnail(videos / "ball_a.mp4", tmp_path / "ball.jpg", at_ms=500)
    query = {"image": tmp_path / "ball.jpg", "weights": {"image": 2.0, "text": 1.0}}
    first = search.search("a blue sea", **query)  # type: ignore[arg-type]
    again = search.search("a blue sea", **query)  # type: ignore[arg-type]
    assert (first.explain["cached"], again.explain["cached"]) == (0, 2)
    assert [hit.id for hit in again] == [hit.id for hit in first]
