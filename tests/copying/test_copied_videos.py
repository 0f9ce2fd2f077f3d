"""Copies of collections that an ingest made: manifests, files, and what the next ingest does there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from polyreel import media
from polyreel.core.fields import FieldType
from polyreel.core.recipe import Recipe
from polyreel.media.render import write_clip
from polyreel.testing.embedders import ColourEmbedder

from .conftest import OpenStack, contents

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.search import VideoSearch

FIELDS = {"year": FieldType.INT}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three small videos."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(3):
        clip(folder / f"{number}.mp4", number)
    return folder


def clip(path: Path, seed: int) -> None:
    pictures = np.random.default_rng(seed).integers(0, 255, (30, 1, 1, 3), np.uint8)
    write_clip(
        path,
        (np.broadcast_to(each, (48, 64, 3)).copy() for each in pictures),
        fps=10,
        options={"preset": "ultrafast"},
    )


def opened(open_stack: OpenStack, name: str, **parts: object) -> VideoSearch:
    chosen = {"embedder": ColourEmbedder(), "fields": FIELDS, **parts}
    return open_stack(name, **chosen)  # type: ignore[arg-type]


def described(year: object) -> dict[str, dict[str, object]]:
    return {"*": {"title": "a title", "year": year, "place": "Rome"}}


@pytest.mark.parametrize("through_a_bundle", [False, True])
@pytest.mark.parametrize("kind", ["memory", "edge"])
def test_an_ingest_into_the_copy_skips_every_video(
    open_stack: OpenStack, tmp_path: Path, videos: Path, kind: str, through_a_bundle: bool
) -> None:
    source, target = opened(open_stack, "a"), opened(open_stack, "b", kind=kind)
    source.ingest(videos, described=described(2020))
    if through_a_bundle:
        source.copy_to(tmp_path / "bundle")
        source.close()
        report = target.copy_from(tmp_path / "bundle")
    else:
        report = source.copy_to(target)
    assert (report.videos, report.total, report.ok, report.notes) == (3, 9, True, ())
    assert {manifest.title for manifest in target.videos()} == {"a title"}
    assert target.ingest(videos, described=described(2020)).counts == {"skipped": 3}
    assert target.search(image=frame(videos / "0.mp4", tmp_path)).hits[0].uri.endswith("/0.mp4")
    assert not any(found.count for found in target.gc(older_than=0).orphans.values())


def frame(path: Path, folder: Path) -> Path:
    media.thumbnail(path, folder / "frame.jpg", at_ms=500)
    return folder / "frame.jpg"


def test_after_a_field_was_declared_or_changed_its_type_an_ingest_still_skips(
    open_stack: OpenStack, videos: Path
) -> None:
    source = opened(open_stack, "a")
    source.ingest(videos, described=described(2020))
    target = opened(open_stack, "b", fields={"year": FieldType.FLOAT, "place": FieldType.STRING})
    source.copy_to(target)
    assert target.ingest(videos, described=described(2020)).counts == {"skipped": 3}
    assert {record.fields["place"] for record, _ in contents(target).values()} == {"Rome"}
    back = opened(open_stack, "c")
    target.copy_to(back)
    assert back.ingest(videos, described=described(2020)).counts == {"skipped": 3}


def test_videos_that_are_new_or_changed_since_are_copied_and_nothing_else(
    open_stack: OpenStack, videos: Path
) -> None:
    source, target = opened(open_stack, "a"), opened(open_stack, "b")
    source.ingest(videos, described=described(2020))
    source.copy_to(target)
    clip(videos / "new.mp4", 7)
    source.ingest(videos, described={"0.mp4": {"title": "another"}, "*": described(2020)["*"]})
    for dry_run in (True, False):
        report = source.copy_to(target, dry_run=dry_run)
        assert (report.videos, report.records) == (2, 6)
    assert contents(target) == contents(source)
    assert sorted(manifest.title for manifest in target.videos()) == ["a title"] * 3 + ["another"]


def test_what_was_edited_in_the_copy_stays(open_stack: OpenStack, videos: Path) -> None:
    source, target = opened(open_stack, "a"), opened(open_stack, "b")
    source.ingest(videos, described=described(2020))
    source.copy_to(target)
    target.ingest(videos, described=described(1999))
    assert source.copy_to(target).records == 0
    assert {record.fields["year"] for record, _ in contents(target).values()} == {1999}


def test_another_recipe_is_told(open_stack: OpenStack, videos: Path) -> None:
    source, target = opened(open_stack, "a"), opened(open_stack, "b")
    source.ingest(videos)
    target.stack = replace(target.stack, recipe=Recipe(window=1.0))
    (note,) = source.copy_to(target).notes
    assert note.startswith("3 videos were cut by another recipe than the stack 'b' has")


# -- files -----------------------------------------------------------------------------------------------


def test_copied_videos_go_along_to_another_object_store(open_stack: OpenStack, videos: Path) -> None:
    source, target = opened(open_stack, "a", copy=True), opened(open_stack, "b", copy=True)
    source.ingest(videos)
    assert source.copy_to(target, dry_run=True).files == 3
    assert source.copy_to(target).files == 3
    for record, _ in contents(target).values():
        key = target.stack.objects.key(record.uri)
        assert key == f"videos/{record.video_id}.mp4"
        assert target.path(record).read_bytes() == source.path(source.get(record.id) or record).read_bytes()
    assert {target.stack.objects.key(manifest.uri) for manifest in target.videos()} == {
        info.key for info in target.stack.objects.list("videos/")
    }
    assert target.ingest(videos).counts == {"skipped": 3}
    assert source.copy_to(target).files == 0


def test_videos_stay_where_they_lie_and_in_a_shared_object_store(open_stack: OpenStack, videos: Path) -> None:
    source, target = opened(open_stack, "a"), opened(open_stack, "b")
    source.ingest(videos)
    assert source.copy_to(target).files == 0
    assert contents(target) == contents(source)
    shared = [opened(open_stack, name, copy=True, objects="both") for name in "cd"]
    shared[0].ingest(videos)
    assert shared[0].copy_to(shared[1]).files == 0
    assert contents(shared[1]) == contents(shared[0])


def test_a_missing_file_or_a_broken_manifest_is_told_and_the_rest_is_copied(
    open_stack: OpenStack, videos: Path
) -> None:
    source, target = opened(open_stack, "a", copy=True), opened(open_stack, "b", copy=True)
    source.ingest(videos)
    missing, broken, _ = source.videos()
    source.stack.objects.delete(f"videos/{missing.video_id}.mp4")
    source.stack.objects.put(f"manifests/{source._opened().meta.uid}/{broken.video_id}.json", b"{")
    report = source.copy_to(target)
    assert not report.ok
    assert sorted(problem[:20] for problem in report.problems) == [
        "the manifest of vide",
        "there is no object '",
    ]
    assert (report.files, report.videos, target.count()) == (2, 2, 9)
