"""What the default stack must find in real footage."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from polyreel import media

from .conftest import linked, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel import VideoSearch

    from .conftest import Clips, OpenLocal

pytestmark = pytest.mark.slow  # two ingests of all of them

WORDLESS = {"*": {"title": "-"}}
"""A title without a word in it: what is found then is found by its pictures."""


@pytest.fixture(scope="module")
def described(clips: Clips, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoSearch]:
    """All clips with captions and tags."""
    yield from _ingested(clips, tmp_path_factory.mktemp("described"), sidecars=True)


@pytest.fixture(scope="module")
def wordless(clips: Clips, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoSearch]:
    """All clips without any text."""
    yield from _ingested(clips, tmp_path_factory.mktemp("wordless"), sidecars=False)


def _ingested(clips: Clips, folder: Path, *, sidecars: bool) -> Iterator[VideoSearch]:
    import polyreel

    from .conftest import _CONFIG

    (folder / "polyreel.toml").write_text(_CONFIG)
    with polyreel.open("local", folder / "polyreel.toml") as search:
        videos = linked(clips, folder / "videos", sidecars=sidecars)
        search.ingest(videos, described=None if sidecars else WORDLESS)
        yield search


def test_one_ingest_takes_in_all_clips_and_reports_the_damaged_one(
    clips: Clips, open_local: OpenLocal, tmp_path: Path
) -> None:
    search = open_local(tmp_path)
    videos = linked(clips, tmp_path / "videos", sidecars=True)
    report = search.ingest(videos)
    assert report.counts == {"ingested": 14, "damaged": 1}
    (damaged,) = [video for video in report.videos if video.damage]
    assert damaged.path.endswith("truncated_flower.mp4")
    assert "1.97 s" in (damaged.damage or "")
    records = search.count()

    again = search.ingest(videos)
    assert again.counts == {"skipped": 14}
    assert sum(video.embedded for video in again.videos) == 0
    assert search.count() == records

    (videos / "coffee_pour.mp4").rename(videos / "morning.mp4")
    (videos / "coffee_pour.mp4.json").rename(videos / "morning.mp4.json")
    moved = search.ingest(videos)
    assert moved.counts == {"skipped": 13, "moved": 1}
    assert sum(video.embedded for video in moved.videos) == 0
    assert (videos / "morning.mp4").as_uri() in {manifest.uri for manifest in search.videos()}
    assert search.count() == records

    (videos / "morning.mp4.json").write_text('{"caption": "hippopotamus"}')
    edited = search.ingest(videos)
    assert edited.counts == {"skipped": 13, "updated": 1}
    assert sum(video.embedded for video in edited.videos) == 0
    assert name_of(search.search("hippopotamus", limit=1).hits[0]) == "morning.mp4"


def test_a_video_finds_the_other_half_of_its_pair(
    clips: Clips, wordless: VideoSearch, described: VideoSearch
) -> None:
    pairs = {name: entry["scene_group"] for name, entry in clips.known.items() if entry["scene_group"]}
    assert len(pairs) == 4
    for search in (wordless, described):
        for name, group in pairs.items():
            found = search.search(video=clips.folder / name, group_by="video", limit=2)
            best = next(hit for hit in found if name_of(hit) != name)
            assert clips.known[name_of(best)]["scene_group"] == group, name


def test_a_frame_finds_its_own_scene_first(clips: Clips, described: VideoSearch, tmp_path: Path) -> None:
    missed = []
    for name in clips.known:
        for percent in range(10, 100, 20):
            picture = tmp_path / "frame.jpg"
            at = clips.readable_seconds(name) * percent * 10
            media.thumbnail(clips.folder / name, picture, at_ms=round(at), size=480)
            best = described.search(image=picture, limit=1).hits[0]
            if clips.scene(name_of(best)) != clips.scene(name):
                missed.append((name, percent, name_of(best)))
    assert missed == []


@pytest.mark.parametrize("language", ["caption_en", "caption_zh"])
def test_a_caption_finds_its_video_first(clips: Clips, described: VideoSearch, language: str) -> None:
    found = {
        name: name_of(described.search(entry[language], group_by="video", limit=1).hits[0])
        for name, entry in clips.known.items()
    }
    assert found == {name: name for name in clips.known}


@pytest.mark.parametrize(
    ("words", "sensible"),
    [
        ("red flower", {"flower_bloom.webm", "truncated_flower.mp4"}),
        ("红色", {"flower_bloom.webm", "truncated_flower.mp4"}),
        ("green", {"football_juggle.avi", "cartoon_bird_two_shots.webm"}),
        ("绿色", {"football_juggle.avi", "cartoon_bird_two_shots.webm"}),
        ("black and white film", {"friday_office_1940.mp4"}),
        ("黑白", {"friday_office_1940.mp4"}),
        ("dark", {"dog_basket_rot180.mp4", "friday_office_1940.mp4"}),
        ("bright", {"coffee_pour.mp4"}),
    ],
)
def test_colour_and_light_words_find_sensible_clips_without_any_text(
    wordless: VideoSearch, words: str, sensible: set[str]
) -> None:
    found = {name_of(hit) for hit in wordless.search(words, group_by="video", limit=3)}
    assert sensible <= found


def test_a_copy_is_recognised_and_the_damaged_clip_is_searchable(
    clips: Clips, open_local: OpenLocal, tmp_path: Path
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("truncated_flower.mp4", "coffee_pour.mp4"):
        shutil.copy(clips.folder / name, videos / name)
    shutil.copy(videos / "coffee_pour.mp4", videos / "coffee_again.mp4")
    search = open_local(tmp_path)
    assert search.ingest(videos).counts == {"ingested": 2, "duplicate": 1, "damaged": 1}
    flower = next(hit for hit in search.search("red flower") if name_of(hit) == "truncated_flower.mp4")
    assert 1.9 < flower.end < 2.6
