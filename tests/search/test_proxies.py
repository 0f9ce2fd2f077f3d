"""Records of whole videos where the store vectorizes: the channel `proxy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.errors import ConfigurationError, UnsupportedError
from polyreel.core.filters import F
from polyreel.core.gc import OrphanKind
from polyreel.core.recipe import Recipe
from polyreel.core.records import Channel, Scope
from polyreel.testing.embedders import ClipColourEmbedder, ColourEmbedder
from polyreel.testing.vectorizing import VectorizingStore

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.manifest import Manifest
    from polyreel.core.search import VideoSearch

    from .conftest import OpenSearch

WHOLE = Recipe(window=2.0, channels=(Channel.FUSED, Channel.PROXY))


class OpenVectorizing(Protocol):
    def __call__(
        self, recipe: Recipe = ..., *, copy: bool = ..., most: int | None = ..., proxies: bool = ...
    ) -> VideoSearch: ...


@pytest.fixture
def vectorizing(open_search: OpenSearch, tmp_path: Path) -> OpenVectorizing:
    """Opens a search whose store makes the vectors."""

    def make(
        recipe: Recipe = WHOLE, *, copy: bool = True, most: int | None = None, proxies: bool = True
    ) -> VideoSearch:
        store = VectorizingStore(
            ColourEmbedder(), path=tmp_path / "vectorized", max_video_bytes=most, proxies=proxies
        )
        return open_search(store=store, recipe=recipe, copy=copy)

    return make


def kept(search: VideoSearch, manifest: Manifest) -> list[str]:
    return [info.key for info in search.stack.objects.list(f"clips/{manifest.video_id}/proxy")]


def titles(found: object) -> list[str]:
    return [hit.record.text.title for hit in found]  # type: ignore[attr-defined]


def test_a_whole_video_has_a_record_of_its_own(vectorizing: OpenVectorizing, videos: Path) -> None:
    search = vectorizing()
    report = search.ingest(videos)
    assert report.ok
    assert (report.totals.records, report.totals.embedded) == (9, 9)  # six clips, three videos
    assert search.count(F.scope == "video") == search.count(F.channel == "proxy") == 3
    for colour in ("traffic", "sea", "chess"):
        hit = search.search(video=videos / f"{colour}.mp4", scope="video").hits[0]
        assert (hit.record.text.title, hit.record.channel) == (colour, Channel.PROXY)
        assert hit.start == 0
        assert hit.end == pytest.approx(media.probe(videos / f"{colour}.mp4").duration_ms / 1000)
        assert hit.score == pytest.approx(1, abs=1e-3)  # it was the whole video that was vectorized


def test_without_asking_for_it_there_is_none(vectorizing: OpenVectorizing, videos: Path) -> None:
    search = vectorizing(Recipe(window=2.0))
    assert search.ingest(videos).totals.records == 6
    assert search.count(F.scope == "video") == 0


def test_whole_videos_alone_are_possible(vectorizing: OpenVectorizing, videos: Path) -> None:
    search = vectorizing(Recipe(window=2.0, scopes=(Scope.VIDEO,), channels=(Channel.PROXY,)))
    assert search.ingest(videos, dry_run=True).estimate.clips == 3  # type: ignore[union-attr]
    assert search.ingest(videos).totals.records == 3
    assert not list(search.stack.objects.list("clips/"))  # the files lie in the object store as they are


def test_similar_and_recommended_videos_are_found_by_their_proxies(
    vectorizing: OpenVectorizing, videos: Path
) -> None:
    search = vectorizing()
    search.ingest(videos)
    traffic = next(each.video_id for each in search.videos() if each.title == "traffic")
    similar, recommended = search.similar(traffic), search.recommend(traffic)
    assert sorted(titles(similar)) == sorted(titles(recommended)) == ["chess", "sea"]
    assert {hit.record.channel for hit in (*similar, *recommended)} == {Channel.PROXY}


def test_a_video_in_the_object_store_is_its_own_proxy(vectorizing: OpenVectorizing, videos: Path) -> None:
    search = vectorizing()
    search.ingest(videos)
    assert [kept(search, manifest) for manifest in search.videos()] == [[], [], []]


def test_a_video_that_lies_elsewhere_is_kept_for_the_store(
    vectorizing: OpenVectorizing, videos: Path
) -> None:
    search = vectorizing(copy=False)
    search.ingest(videos / "sea.mp4")
    (manifest,) = search.videos()
    (key,) = kept(search, manifest)
    assert key == f"clips/{manifest.video_id}/proxy-2.mp4"
    assert key in manifest.clips
    assert search.stack.objects.read(key) == (videos / "sea.mp4").read_bytes()


def test_one_that_is_too_large_gets_a_smaller_rendition_which_gc_and_delete_know(
    vectorizing: OpenVectorizing, videos: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    media.render_samples(large, seconds=4.0, size=(320, 180), fps=24)
    video = large / "meadow.mp4"
    most = video.stat().st_size - 1
    search = vectorizing(most=most)
    assert search.ingest(video).ok
    (manifest,) = search.videos()
    (key,) = kept(search, manifest)
    assert key in manifest.clips
    info = search.stack.objects.stat(key)
    assert info is not None
    assert info.size <= most
    path = search.stack.objects.get(key, tmp_path / "rendition.mp4")
    assert media.probe(path).duration_ms == pytest.approx(4000, abs=500)
    assert not any(found.count for found in search.gc(older_than=0).orphans.values())
    search._manifests().delete(manifest.video_id)
    assert key in search.gc(older_than=0).orphans[OrphanKind.CLIP].examples
    search._manifests().put(manifest)
    search.delete(manifest.video_id)
    assert not list(search.stack.objects.list("clips/"))
    assert search.count() == 0


def test_deleting_a_video_leaves_the_clip_files_that_another_collection_has_too(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    one, other = (
        open_search(store=VectorizingStore(ColourEmbedder(), path=tmp_path / name), copy=True)
        for name in ("one", "other")
    )
    assert one.ingest(videos / "sea.mp4").ok
    assert other.ingest(videos / "sea.mp4").ok
    (manifest,) = one.videos()
    assert manifest.clips
    one.delete(manifest.video_id)
    assert {info.key for info in other.stack.objects.list("clips/")} == set(manifest.clips)
    other.delete(manifest.video_id)
    assert not list(other.stack.objects.list("clips/"))


def test_a_dry_run_counts_proxies_and_their_seconds(vectorizing: OpenVectorizing, videos: Path) -> None:
    plain = vectorizing(Recipe(window=2.0)).ingest(videos, dry_run=True)
    whole = vectorizing().ingest(videos, dry_run=True)
    assert plain.estimate is not None
    assert whole.estimate is not None
    assert (plain.estimate.clips, whole.estimate.clips) == (6, 9)
    assert whole.estimate.requests == plain.estimate.requests + 3
    assert whole.estimate.video_seconds == pytest.approx(2 * plain.estimate.video_seconds)


def test_asking_for_proxies_later_takes_the_videos_in_again(
    vectorizing: OpenVectorizing, videos: Path
) -> None:
    with vectorizing(Recipe(window=2.0)) as search:
        search.ingest(videos)
    with vectorizing() as search:
        assert search.ingest(videos).counts == {"reingested": 3}
        assert (search.count(), search.count(F.scope == "video")) == (9, 3)
        assert search.ingest(videos).counts == {"skipped": 3}


def test_a_clip_larger_than_the_store_takes_is_named_before_it_is_sent(
    vectorizing: OpenVectorizing, videos: Path
) -> None:
    search = vectorizing(Recipe(window=2.0), most=500)
    (report,) = search.ingest(videos / "sea.mp4").videos
    assert "the clip from 0 s to 2 s has 0.00" in str(report.reason)
    assert "recipe.window" in str(report.reason)
    assert not list(search.stack.objects.list("clips/"))


def test_a_recipe_that_nobody_can_follow_is_refused(
    vectorizing: OpenVectorizing, open_search: OpenSearch, videos: Path
) -> None:
    with pytest.raises(ConfigurationError, match="only a store that vectorizes"):
        open_search(recipe=WHOLE)
    with pytest.raises(ConfigurationError, match="makes no record"):
        vectorizing(Recipe(scopes=(Scope.VIDEO,)))
    with pytest.raises(ConfigurationError, match=r"recipe\.scopes not the video"):
        Recipe(scopes=(Scope.CLIP,), channels=(Channel.FUSED, Channel.PROXY))
    with pytest.raises(UnsupportedError, match="doesn't vectorize whole videos"):
        vectorizing(proxies=False).ingest(videos)


@pytest.mark.parametrize("share", [0.4, 0.85])  # the file ends early; its last packets are broken
def test_damage_is_told_and_left_out_as_where_frames_are_embedded(
    vectorizing: OpenVectorizing, open_search: OpenSearch, tmp_path: Path, share: float
) -> None:
    media.render_samples(tmp_path / "samples", seconds=4.0, size=(160, 120), fps=12)
    media.cut(tmp_path / "samples/meadow.mp4", tmp_path / "fast.mp4", start_ms=0, end_ms=4000)
    whole = (tmp_path / "fast.mp4").read_bytes()
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(whole[: int(len(whole) * share)])
    recipe = Recipe(window=0.5, shortest=0.1, scopes=(Scope.CLIP,))
    told = []
    for search in (
        open_search(recipe=recipe),
        open_search(embedder=ClipColourEmbedder(), store=MemoryStore(), recipe=recipe),
        vectorizing(recipe),
    ):
        report = search.ingest(damaged)
        assert report.counts == {"ingested": 1, "damaged": 1}, report
        spans = sorted((record.start_ms, record.end_ms) for record in search._opened().scan())
        told.append((report.videos[0].damage, spans))
        search._manifests().delete(search.videos()[0].video_id)  # the three share one object store
    assert told[0] == told[1] == told[2]
