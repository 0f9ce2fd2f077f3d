"""Ingest, over the memory store: what it skips, updates, repairs and reports."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.core.embedder import HandOver
from polyreel.core.errors import IntegrityError, InvalidQueryError, UnavailableError
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.recipe import Recipe, Segmentation
from polyreel.core.records import Channel, Scope, Text
from polyreel.core.report import Outcome
from polyreel.testing.embedders import ClipColourEmbedder, ColourEmbedder, TaskColourEmbedder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyreel.core.records import Record
    from polyreel.core.requests import Receipt
    from polyreel.core.search import VideoSearch

    from .conftest import OpenSearch


def state(search: VideoSearch) -> dict[str, tuple[object, ...]]:
    """Every record, without what may differ in the last bit."""
    store = search._opened()
    return {
        record.id: (record.video_id, record.uri, record.scope, record.start_ms, record.end_ms, record.text)
        for record in store.scan()
    }


def test_every_video_gets_a_record_for_each_clip_and_one_for_the_whole(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search()
    report = search.ingest(videos)
    assert report.counts == {"ingested": 3}
    assert report.ok
    assert search.count(F.scope == "clip") == 2 + 1 + 3
    assert search.count(F.scope == "video") == 3
    assert [manifest.title for manifest in search.videos()] == ["chess", "sea", "traffic"]


def test_a_second_run_embeds_nothing(open_search: OpenSearch, videos: Path) -> None:
    search, embedder = open_search(), ColourEmbedder()
    search.ingest(videos)
    before = state(search)
    search.close()
    again = open_search(embedder=embedder)
    assert again.ingest(videos).counts == {"skipped": 3}
    assert embedder.frames_seen == 0
    assert state(again) == before


def test_a_renamed_file_is_the_same_video_with_its_new_address(open_search: OpenSearch, videos: Path) -> None:
    embedder = ColourEmbedder()
    search = open_search(embedder=embedder)
    search.ingest(videos)
    seen, ids = embedder.frames_seen, set(state(search))
    (videos / "sea.mp4").rename(videos / "ocean.mp4")
    report = search.ingest(videos)
    assert report.counts == {"skipped": 2, "moved": 1}
    assert set(state(search)) == ids
    assert embedder.frames_seen == seen
    uris = {manifest.uri for manifest in search.videos()}
    assert (videos / "ocean.mp4").as_uri() in uris
    assert not search.count(F.uri == (videos / "sea.mp4").as_uri())
    assert search.count(F.uri == (videos / "ocean.mp4").as_uri()) == 2


def test_an_edited_caption_arrives_without_decoding_again(open_search: OpenSearch, videos: Path) -> None:
    embedder = ColourEmbedder()
    search = open_search(embedder=embedder)
    search.ingest(videos)
    seen = embedder.frames_seen
    (videos / "sea.json").write_text('{"title": "The sea", "caption": "waves", "year": 2020}')
    assert search.ingest(videos).counts == {"skipped": 2, "updated": 1}
    assert embedder.frames_seen == seen
    (sea,) = search._opened().scan((F.year == 2020) & (F.scope == "clip"))
    assert sea.text == Text("The sea", (), "waves")
    assert search.ingest(videos).counts == {"skipped": 3}


def test_changed_fields_alone_keep_the_text(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    (videos / "sea.json").write_text('{"caption": "waves", "year": 2020, "mood": "calm"}')
    search.ingest(videos)
    (videos / "sea.json").write_text('{"caption": "waves", "year": 2021}')
    assert search.ingest(videos).counts == {"skipped": 2, "updated": 1}
    (sea,) = search._opened().scan((F.year == 2021) & (F.scope == "clip"))
    assert sea.text.caption == "waves"
    assert sea.extra == {}


def test_the_same_content_at_two_places_is_one_video(open_search: OpenSearch, videos: Path) -> None:
    shutil.copy(videos / "sea.mp4", videos / "sea_copy.mp4")
    search = open_search()
    first = search.ingest(videos)
    assert sorted(first.counts) == ["duplicate", "ingested"]
    assert len(search.videos()) == 3
    assert search.ingest(videos).counts == {"skipped": 3, "duplicate": 1}


def test_a_changed_recipe_makes_the_records_anew(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    search.ingest(videos)
    old = set(state(search))
    search.close()
    finer = open_search(recipe=Recipe(window=1.0))
    assert finer.ingest(videos).counts == {"reingested": 3}
    assert finer.count(F.scope == "clip") == 12
    assert not old & set(state(finer))


def test_one_bad_video_never_stops_the_others(open_search: OpenSearch, videos: Path) -> None:
    (videos / "broken.mp4").write_text("this is text")
    (videos / "empty.mp4").write_bytes(b"")
    report = open_search().ingest(videos, videos / "missing.mp4")
    assert report.counts == {"ingested": 3, "failed": 3}
    assert not report.ok
    reasons = {video.path.rpartition("/")[2]: video.reason or "" for video in report.videos if video.reason}
    assert set(reasons) == {"broken.mp4", "empty.mp4", "missing.mp4"}
    assert all("\n" not in reason for reason in reasons.values())


def test_what_can_be_read_of_a_damaged_video_is_used_and_the_damage_is_told(
    open_search: OpenSearch, videos: Path
) -> None:
    whole = (videos / "chess.mp4").read_bytes()
    damaged = videos / "damaged.mp4"
    with damaged.open("wb") as file:
        from polyreel import media

        media.cut(videos / "chess.mp4", videos / "faststart.mp4", start_ms=0, end_ms=6000)
        whole = (videos / "faststart.mp4").read_bytes()
        (videos / "faststart.mp4").unlink()
        file.write(whole[: int(len(whole) * 0.8)])
    search = open_search()
    report = search.ingest(damaged)
    assert report.counts == {"ingested": 1, "damaged": 1}
    assert not report.ok
    (manifest,) = search.videos()
    assert manifest.damage


def test_a_wrong_field_fails_its_video_and_names_the_field(open_search: OpenSearch, videos: Path) -> None:
    (videos / "sea.json").write_text('{"year": "long ago"}')
    report = open_search().ingest(videos)
    assert report.counts == {"ingested": 2, "failed": 1}
    assert "year" in next(video.reason or "" for video in report.videos if video.reason)


def test_a_dry_run_writes_nothing(open_search: OpenSearch, videos: Path, tmp_path: Path) -> None:
    search = open_search()
    report = search.ingest(videos, dry_run=True)
    assert report.dry_run
    assert report.counts == {"ingested": 3}
    assert sum(video.records for video in report.videos) == 6
    assert not (tmp_path / "objects").exists()
    search.ingest(videos)
    assert search.ingest(videos, dry_run=True).counts == {"skipped": 3}


def test_a_broken_manifest_is_written_anew(open_search: OpenSearch, videos: Path, tmp_path: Path) -> None:
    search = open_search()
    search.ingest(videos)
    before = state(search)
    for manifest in (tmp_path / "objects" / "manifests").rglob("*.json"):
        manifest.write_text("{")
    assert search.ingest(videos).counts == {"ingested": 3}
    assert state(search) == before
    assert all(json.loads(file.read_text()) for file in (tmp_path / "objects" / "manifests").rglob("*.json"))


def test_a_video_whose_manifest_is_broken_can_be_deleted(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    search = open_search()
    search.ingest(videos)
    broken = min((tmp_path / "objects" / "manifests").rglob("*.json"))
    broken.write_text("{")
    with pytest.raises(IntegrityError, match="or delete it from the collection"):
        search.videos()
    heard: list[str] = []
    assert len(search.videos(broken=lambda video_id, _: heard.append(video_id))) == 2
    assert heard == [broken.stem]
    assert search.delete(broken.stem) == 1
    assert len(search.videos()) == 2
    assert search.count(F.video_id == broken.stem) == 0


def test_a_lost_journal_costs_nothing_but_time(open_search: OpenSearch, videos: Path, tmp_path: Path) -> None:
    search = open_search()
    search.ingest(videos)
    search.close()
    shutil.rmtree(tmp_path / "state")
    assert open_search().ingest(videos).counts == {"skipped": 3}


class FailingStore(MemoryStore):
    """Fails in the middle of one video."""

    fails = True

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        if self.fails and any(record.scope is Scope.VIDEO for record in records):
            raise UnavailableError("the store went away")
        return super()._upsert(records)


def test_a_video_that_failed_half_way_is_made_whole_by_the_next_run(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    store = FailingStore(path=tmp_path / "store")
    store._retry = type(store._retry)(attempts=1)
    search = open_search(store=store, embedder=ColourEmbedder())
    assert search.ingest(videos).counts == {"failed": 3}
    assert search.videos() == []
    store.fails = False
    assert search.ingest(videos).counts == {"ingested": 3}
    assert search.count() == 9


def test_leftovers_of_an_interrupted_run_with_another_recipe_are_deleted(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    other = open_search(recipe=Recipe(window=1.0))
    other.ingest(videos)
    for manifest in (tmp_path / "objects" / "manifests").rglob("*.json"):
        manifest.unlink()  # as if killed before the commit
    other.close()
    search = open_search()
    search.ingest(videos)
    assert search.count(F.scope == "clip") == 6


def test_videos_are_copied_where_the_object_store_wants_that(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    search = open_search(copy=True)
    search.ingest(videos)
    assert len(list((tmp_path / "objects" / "videos").iterdir())) == 3
    shutil.rmtree(videos)
    (hit,) = search.search(like=next(iter(search._opened().scan(F.scope == "video"))).id, limit=1)
    assert search.path(hit).is_file()


def test_an_embedder_of_clip_files_gets_each_clip_as_a_file(open_search: OpenSearch, videos: Path) -> None:
    search = open_search(embedder=ClipColourEmbedder())
    report = search.ingest(videos)
    assert report.counts == {"ingested": 3}
    assert sum(video.embedded for video in report.videos) == 6
    (hit,) = search.search(video=videos / "sea.mp4", limit=1)
    assert hit.uri.endswith("sea.mp4")


def test_an_embedder_of_whole_videos_cuts_them_itself(open_search: OpenSearch, videos: Path) -> None:
    embedder = TaskColourEmbedder(polls=2)
    search = open_search(embedder=embedder)
    report = search.ingest(videos)
    assert report.counts == {"ingested": 3}
    assert [video.submits for video in report.videos] == [1, 1, 1]
    assert search.count((F.scope == "clip") & (F.channel == Channel.FUSED.value)) == 6
    assert search.count(F.channel == Channel.VISUAL.value) == 0
    assert search.count(F.scope == "video") == 3


def test_a_lost_reply_is_found_again_instead_of_paid_twice(open_search: OpenSearch, videos: Path) -> None:
    embedder = TaskColourEmbedder(lost=1)
    (video,) = open_search(embedder=embedder).ingest(videos / "sea.mp4").videos
    assert (video.outcome, video.submits, video.lost) == (Outcome.INGESTED, 1, 1)
    assert len(embedder.submitted) == 1
    assert video.request_ids == ("task-1",)


def test_a_lost_reply_that_cannot_be_found_is_submitted_again_and_counted(
    open_search: OpenSearch, videos: Path
) -> None:
    embedder = TaskColourEmbedder(lost=1, findable=False)
    report = open_search(embedder=embedder).ingest(videos / "sea.mp4")
    (video,) = report.videos
    assert (video.outcome, video.submits, video.lost) == (Outcome.INGESTED, 2, 1)
    assert len(embedder.submitted) == 2
    assert (report.to_json()["submits"], report.to_json()["lost"]) == (2, 1)


def test_replies_that_are_lost_again_and_again_fail_the_video_and_the_next_run_looks_for_its_task(
    open_search: OpenSearch, videos: Path
) -> None:
    embedder = TaskColourEmbedder(lost=100, findable=False)
    search = open_search(embedder=embedder)
    assert search.ingest(videos / "sea.mp4").counts == {"failed": 1}
    embedder._lost, embedder._findable, before = 0, True, len(embedder.submitted)
    assert search.ingest(videos / "sea.mp4").counts == {"ingested": 1}
    assert len(embedder.submitted) == before


def test_a_dry_run_names_a_video_that_the_service_would_refuse(open_search: OpenSearch, videos: Path) -> None:
    embedder = TaskColourEmbedder()
    embedder.whole_video = HandOver(frozenset({"file"}), max_seconds=3.0)
    (video,) = open_search(embedder=embedder).ingest(videos / "traffic.mp4", dry_run=True).videos
    assert video.outcome is Outcome.FAILED
    assert "takes 3 s" in (video.reason or "")


def test_several_workers_come_to_the_same_end(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    search.ingest(videos, workers=4)
    assert search.count() == 9


def test_nothing_to_ingest_and_no_workers_are_wrong(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    with pytest.raises(InvalidQueryError, match="nothing to ingest"):
        search.ingest()
    with pytest.raises(InvalidQueryError, match="workers is 0"):
        search.ingest(videos, workers=0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_told(open_search: OpenSearch, videos: Path) -> None:
    (videos / "sea.mp4").chmod(0)
    assert open_search().ingest(videos).counts == {"ingested": 2, "failed": 1}


def test_deleted_videos_are_gone_and_their_files_stay(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    search.ingest(videos)
    (sea,) = [manifest for manifest in search.videos() if manifest.title == "sea"]
    assert search.delete(sea.video_id) == 1
    assert search.count(F.video_id == sea.video_id) == 0
    assert search.count() == 7
    assert (videos / "sea.mp4").is_file()
    assert search.delete(sea.video_id) == 0
    assert search.ingest(videos).counts == {"skipped": 2, "ingested": 1}


def test_shots_are_clips_where_the_recipe_says_so(open_search: OpenSearch, tmp_path: Path) -> None:
    pytest.importorskip("scenedetect")
    from .conftest import write_clip

    clip = write_clip(tmp_path / "two_shots.mp4", ["red", "blue"], seconds=3.0)
    search = open_search(recipe=Recipe(segmentation=Segmentation.SHOTS, window=10.0))
    search.ingest(clip)
    spans = sorted((record.start, record.end) for record in search._opened().scan(F.scope == "clip"))
    assert [round(edge) for span in spans for edge in span] == [0, 3, 3, 6]


def test_a_declared_field_called_as_a_part_of_the_text_has_its_value(
    open_search: OpenSearch, videos: Path
) -> None:
    (videos / "sea.json").write_text('{"tags": ["beach", "waves"], "title": "The sea"}')
    search = open_search(fields={"tags": FieldType.STRINGS, "title": FieldType.STRING})
    search.ingest(videos)
    (sea,) = search._opened().scan(F["tags"].any("beach") & (F.scope == "clip"))
    assert sea.fields == {"tags": ("beach", "waves"), "title": "The sea"}
    assert search.count(F.title == "chess") == 4
