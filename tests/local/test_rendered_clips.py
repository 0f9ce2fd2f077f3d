"""The same over clips that our own code renders, for a machine without the real ones."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from polyreel import F, media

from .conftest import name_of

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OpenLocal


def test_titles_frames_and_halves_are_found(rendered: Path, open_local: OpenLocal, tmp_path: Path) -> None:
    search = open_local(tmp_path)
    files = sorted(path for path in rendered.iterdir() if path.suffix != ".json")
    report = search.ingest(rendered)
    assert report.counts == {"ingested": len(files)}
    for file in files:
        sidecar = json.loads(file.with_suffix(".json").read_text("utf-8"))
        assert name_of(search.search(sidecar["title"], group_by="video", limit=1).hits[0]) == file.name
        media.thumbnail(file, tmp_path / "frame.jpg", at_ms=3100, size=320)
        best = search.search(image=tmp_path / "frame.jpg", limit=1).hits[0]
        assert name_of(best).split("_")[0] == file.name.split("_")[0]
    for one, other in (("sunset_a.mp4", "sunset_b.mp4"), ("ball_a.mp4", "ball_b.mp4")):
        found = search.search(video=rendered / one, group_by="video", limit=2)
        assert other in {name_of(hit) for hit in found}


def test_a_second_run_embeds_nothing_and_a_second_process_finds_the_same(
    rendered: Path, open_local: OpenLocal, tmp_path: Path
) -> None:
    first = open_local(tmp_path)
    first.ingest(rendered)
    hits = [(hit.id, hit.score) for hit in first.search("red ball")]
    first.close()
    second = open_local(tmp_path)
    again = second.ingest(rendered)
    assert set(again.counts) == {"skipped"}
    assert [(hit.id, hit.score) for hit in second.search("red ball")] == hits


def test_undeclared_values_come_back_and_do_not_filter(
    rendered: Path, open_local: OpenLocal, tmp_path: Path
) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(rendered, videos)
    search = open_local(tmp_path)
    search.ingest(videos)
    hit = search.search("red ball", limit=1).hits[0]
    assert "year" in hit.record.extra
    assert search.count(F.scope == "video") == len(search.videos())


def test_like_a_record_is_not_swayed_by_missing_text(
    rendered: Path, open_local: OpenLocal, tmp_path: Path
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for file in rendered.iterdir():
        if file.suffix != ".json" or file.stem == "ball_b":
            shutil.copy(file, videos / file.name)
    search = open_local(tmp_path)
    search.ingest(videos, described={"*": {"title": "-"}, "ball_b.mp4": {"title": "Something else entirely"}})
    ball = next(manifest for manifest in search.videos() if manifest.uri.endswith("ball_a.mp4"))
    assert name_of(search.similar(ball.video_id, limit=1).hits[0]) == "ball_b.mp4"
