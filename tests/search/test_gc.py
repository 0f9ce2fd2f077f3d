"""What `gc` finds, what it leaves alone, and what it deletes."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.core.capabilities import Feature
from polyreel.core.errors import InvalidQueryError
from polyreel.core.filters import F
from polyreel.core.gc import GcReport, OrphanKind
from polyreel.core.manifest import Manifests
from polyreel.testing.embedders import ColourEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.search import VideoSearch
    from polyreel.core.space import CollectionMeta, CollectionSpec

    from .conftest import OpenSearch

LEASE = f"staging/2020-01-01/{'a' * 32}.jpg"


class SharedStore(MemoryStore):
    """Says that several processes may use it at once."""

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        self.can = replace(self.can, features=self.can.features | {Feature.SHARED})
        return meta


def counts(report: GcReport) -> dict[str, int]:
    return {kind.value: found.count for kind, found in report.orphans.items() if found.count}


def put(search: VideoSearch, key: str, *, age: float = 7200.0) -> str:
    """An object that is so many seconds old."""
    objects = search.stack.objects
    objects.put(key, b"12345")
    path = objects.path(objects.uri(key))
    assert path is not None
    os.utime(path, (time.time() - age,) * 2)
    return key


def unmark(search: VideoSearch, title: str) -> str:
    """Take a video's manifest away, as if it had never been committed."""
    (manifest,) = [each for each in search.videos() if each.title == title]
    search._manifests().delete(manifest.video_id)
    return manifest.video_id


def test_a_clean_collection_has_no_orphans(open_search: OpenSearch, videos: Path) -> None:
    search = open_search(copy=True)
    search.ingest(videos)
    report = search.gc(delete=True, older_than=0)
    assert counts(report) == {}
    assert set(report.orphans) == set(OrphanKind)
    assert (report.deleted, report.collections) == (0, 1)
    assert search.count() == 9
    assert len(list(search.stack.objects.list("videos/"))) == 3


def test_every_kind_of_orphan_is_found_shown_and_only_then_deleted(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search(copy=True)
    search.ingest(videos)
    orphan = unmark(search, "chess")
    for object_ in list(search.stack.objects.list("videos/")):
        put(search, object_.key)
    lease = put(search, LEASE, age=100_000)
    clip = put(search, f"clips/{orphan}/0-2000.mp4")
    shown = search.gc()
    assert counts(shown) == {"lease": 1, "record": 4, "clip": 1, "video": 1}
    assert shown.deleted == 0
    assert shown.orphans[OrphanKind.LEASE].examples == (lease,)
    assert shown.orphans[OrphanKind.CLIP].examples == (clip,)
    assert shown.orphans[OrphanKind.CLIP].size == 5
    assert search.count() == 9

    done = search.gc(delete=True)
    assert counts(done) == counts(shown)
    assert done.deleted == 7
    assert search.count() == 5
    assert search.count(F.video_id == orphan) == 0
    assert counts(search.gc()) == {}
    assert len(list(search.stack.objects.list("videos/"))) == 2
    assert search.ingest(videos).counts == {"skipped": 2, "ingested": 1}


def test_a_record_that_its_videos_manifest_does_not_name_is_an_orphan(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search()
    search.ingest(videos)
    manifest = next(each for each in search.videos() if each.title == "chess")
    search._manifests().put(replace(manifest, records=manifest.records[1:]))
    report = search.gc(delete=True)
    assert report.orphans[OrphanKind.RECORD].examples == manifest.records[:1]
    assert report.deleted == 1
    assert search.count() == 8


def test_young_files_and_leases_are_left_alone(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    search.ingest(videos)
    put(search, LEASE, age=7200)
    young = put(search, f"videos/{'a' * 64}.mp4", age=60)
    old = put(search, f"videos/{'b' * 64}.mp4", age=7200)
    report = search.gc(delete=True)
    assert counts(report) == {"video": 2}
    assert report.orphans[OrphanKind.VIDEO].waiting == 1
    assert report.deleted == 1
    objects = search.stack.objects
    assert (objects.exists(young), objects.exists(old)) == (True, False)
    assert objects.exists(LEASE)
    assert search.gc(delete=True, older_than=0).deleted == 1
    assert not objects.exists(young)


def test_what_another_collections_manifest_names_is_kept(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    first = open_search(copy=True)
    first.ingest(videos / "sea.mp4")
    other = open_search(copy=True, store=MemoryStore(path=tmp_path / "other"), embedder=ColourEmbedder())
    other.ingest(videos / "chess.mp4")
    clip = put(first, f"clips/{other.videos()[0].video_id}/0-2000.mp4")
    manifest = other.videos()[0]
    other._manifests().put(replace(manifest, clips=(clip,)))
    report = first.gc(delete=True, older_than=0)
    assert counts(report) == {}
    assert report.collections == 2
    assert other.path(manifest).is_file()
    assert first.stack.objects.exists(clip)
    # A record is another matter: that the other collection names it doesn't keep it in this one.
    (sea,) = first.videos()
    Manifests(first.stack.objects, other._opened().meta.uid).put(sea)
    first._manifests().delete(sea.video_id)
    assert counts(first.gc()) == {"record": 2}


def test_a_video_whose_manifest_cannot_be_read_keeps_all_it_has(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    search = open_search(copy=True)
    search.ingest(videos)
    for manifest in (tmp_path / "objects" / "manifests").rglob("*.json"):
        manifest.write_text("{")
    report = search.gc(delete=True, older_than=0)
    assert counts(report) == {}
    assert len(report.problems) == 3
    assert all("can't be read: it is no JSON" in problem for problem in report.problems)
    assert search.count() == 9
    assert len(list(search.stack.objects.list("videos/"))) == 3


def test_a_manifest_with_another_videos_name_costs_neither_a_record(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    search = open_search(copy=True)
    search.ingest(videos)
    first, second, _ = sorted((tmp_path / "objects" / "manifests").rglob("*.json"))
    second.write_bytes(first.read_bytes())
    report = search.gc(delete=True, older_than=0)
    assert counts(report) == {}
    assert [second.stem in problem for problem in report.problems] == [True]
    assert search.count() == 9


def test_in_a_shared_store_a_record_is_deleted_only_after_it_was_an_orphan_for_long(
    open_search: OpenSearch, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_search(store=SharedStore(path=tmp_path / "shared"), embedder=ColourEmbedder())
    search.ingest(videos)
    unmark(search, "sea")
    first = search.gc(delete=True)
    assert counts(first) == {"record": 2}
    assert first.orphans[OrphanKind.RECORD].waiting == 2
    assert first.deleted == 0
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1800)
    assert search.gc(delete=True).deleted == 0
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    assert search.gc(delete=True).deleted == 2
    assert search.count() == 7


def test_an_orphan_that_was_adopted_meanwhile_begins_anew(
    open_search: OpenSearch, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_search(store=SharedStore(path=tmp_path / "shared"), embedder=ColourEmbedder())
    search.ingest(videos)
    unmark(search, "sea")
    search.gc()
    search.ingest(videos)
    assert counts(search.gc()) == {}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    unmark(search, "sea")
    report = search.gc(delete=True)
    assert report.orphans[OrphanKind.RECORD].waiting == 2
    assert report.deleted == 0


def test_what_was_committed_between_looking_and_deleting_is_kept(
    open_search: OpenSearch, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyreel.core import gc

    search = open_search()
    search.ingest(videos)
    manifest = next(each for each in search.videos() if each.title == "sea")
    unmark(search, "sea")
    look = gc.Collector._look

    def committed_meanwhile(self: gc.Collector, ledger: gc._Ledger) -> None:
        look(self, ledger)
        search._manifests().put(manifest)

    monkeypatch.setattr(gc.Collector, "_look", committed_meanwhile)
    report = search.gc(delete=True)
    assert counts(report) == {"record": 2}
    assert report.deleted == 0
    assert search.count() == 9


def test_without_a_collection_files_are_still_looked_at(open_search: OpenSearch) -> None:
    search = open_search()
    search.stack.objects.ensure_bucket()
    put(search, f"clips/{'a' * 64}/0-2000.mp4")
    report = search.gc(delete=True)
    assert counts(report) == {"clip": 1}
    assert report.deleted == 1


def test_looking_makes_no_bucket(open_search: OpenSearch, tmp_path: Path) -> None:
    assert counts(open_search().gc()) == {}
    assert not (tmp_path / "objects").exists()


def test_many_orphans_are_counted_and_a_few_named(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    search.ingest(videos / "sea.mp4")
    for number in range(60):
        put(search, f"clips/{'a' * 64}/{number}-{number + 1}.mp4")
    report = search.gc(delete=True)
    found = report.orphans[OrphanKind.CLIP]
    assert (found.count, found.size, len(found.examples)) == (60, 300, 20)
    assert report.deleted == 60
    document = report.to_json()
    assert document["orphans"]["clip"]["bytes"] == 300  # type: ignore[index]


def test_an_age_below_zero_is_wrong(open_search: OpenSearch) -> None:
    with pytest.raises(InvalidQueryError, match="older_than is -1"):
        open_search().gc(older_than=-1)


def test_what_somebody_else_keeps_in_the_bucket_is_not_looked_at(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search()
    search.ingest(videos / "sea.mp4")
    strange = ["videos/holiday.mp4", "clips/best/1-2.mp4", "staging/build/a.tar", "manifests/app.json"]
    for key in strange:
        put(search, key, age=1_000_000)
    assert counts(search.gc(delete=True, older_than=0)) == {}
    assert all(search.stack.objects.exists(key) for key in strange)
