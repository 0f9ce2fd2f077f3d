"""Whole videos on the Volcengine stack: what the service is handed, and what finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import polyreel
from polyreel import media
from polyreel.core.errors import ConfigurationError
from polyreel.core.filters import F

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel import VideoSearch

    from .conftest import Cloud

BUCKET = "video-demo1"


@pytest.fixture(scope="module")
def search(cloud: Cloud, videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoSearch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("proxies"))
        for name, value in cloud.variables().items():
            patch.setenv(name, value)
        patch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__COLLECTION", "proxies")
        patch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__RECIPE__CHANNELS", '["fused", "proxy"]')
        with polyreel.open("vikingdb_tos") as search:
            assert search.ingest(videos).ok
            yield search


def test_the_service_is_handed_the_video_itself_or_an_mp4_of_it(search: VideoSearch, cloud: Cloud) -> None:
    rows = [row for body in cloud.vikingdb.bodies("data/upsert") for row in body["data"]]
    handed = {row["uri"]: row["polyreel_video"] for row in rows if row["channel"] == "proxy"}
    assert len(handed) == len(search.videos())
    for uri, video in handed.items():
        assert video["fps"] == 2.0
        assert (video["value"] == uri) == uri.endswith((".mp4", ".mov", ".avi"))
    (webm,) = (video["value"] for uri, video in handed.items() if uri.endswith(".webm"))
    assert webm.startswith(f"tos://{BUCKET}/clips/")
    assert webm.endswith("/proxy-2.mp4")
    manifest = next(each for each in search.videos() if each.uri.endswith(".webm"))
    assert webm.removeprefix(f"tos://{BUCKET}/") in manifest.clips


def test_pictures_and_videos_find_the_whole_video(search: VideoSearch, videos: Path, tmp_path: Path) -> None:
    assert search.stack.store.can.proxies
    assert search.count(F.scope == "video") == len(search.videos())
    for name in ("snow.webm", "meadow.mp4"):
        media.thumbnail(videos / name, tmp_path / "picture.jpg", at_ms=1000)
        asks = ({"video": videos / name}, {"image": tmp_path / "picture.jpg"})
        found = [search.search(**ask, scope="video", limit=1).hits[0] for ask in asks]  # type: ignore[arg-type]
        assert [hit.record.text.title for hit in found] == [name.partition(".")[0]] * 2
        assert {hit.record.channel for hit in found} == {"proxy"}


def test_similar_and_recommended_videos_are_whole_ones(search: VideoSearch) -> None:
    ball = next(each.video_id for each in search.videos() if each.title == "ball a")
    for found in (search.similar(ball), search.recommend(ball)):
        assert found.hits[0].record.text.title == "ball b"
        assert {hit.record.scope for hit in found} == {"video"}


def test_frames_a_second_that_the_service_refuses_are_named_before_anything_is_cut(
    search: VideoSearch, cloud: Cloud, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cloud.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__COLLECTION", "proxies")
    monkeypatch.setenv("POLYREEL_STACKS__VIKINGDB_TOS__RECIPE__FPS", "10")
    before = set(cloud.tos.buckets[BUCKET].objects)
    with polyreel.open("vikingdb_tos") as other:
        for dry_run in (True, False):
            with pytest.raises(ConfigurationError, match=r"recipe\.fps is 10; .* 0\.2 to 5 frames a second"):
                other.ingest(videos, dry_run=dry_run)
    assert set(cloud.tos.buckets[BUCKET].objects) == before
    assert search.count()
