"""Addresses for players, and saving of moments and whole videos."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.core.errors import NotFoundError, UnsupportedError
from polyreel.core.shape import Moments

from .conftest import left

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.search import VideoSearch
    from polyreel.testing.web import Site

    from .conftest import Bucket, Opened, OpenSearch, PictureOf


@pytest.fixture
def search(open_search: OpenSearch, videos: Path) -> VideoSearch:
    opened = open_search()
    opened.ingest(videos)
    return opened


def test_a_local_file_is_played_where_it_lies(search: VideoSearch, videos: Path, picture: PictureOf) -> None:
    hit = search.search(image=picture("yellow"), limit=1).hits[0]
    assert search.url(hit) == f"{(videos / 'chess.mp4').as_uri()}#t=4,6"
    whole = search.search(video=videos / "chess.mp4", scope="video", limit=1).hits[0]
    assert search.url(whole) == (videos / "chess.mp4").as_uri()
    (videos / "chess.mp4").unlink()
    with pytest.raises(NotFoundError, match=r"chess\.mp4 isn't there"):
        search.url(hit)


def test_a_moment_is_played_from_its_first_clip_to_its_last(
    search: VideoSearch, videos: Path, picture: PictureOf
) -> None:
    hit = search.search(image=picture("yellow"), moments=Moments(share=0.01), limit=1).hits[0]
    assert len(hit.members) == 3
    assert search.url(hit) == f"{(videos / 'chess.mp4').as_uri()}#t=0,6"


class Presigning:
    """What an object store that signs addresses gives."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []

    def __call__(self, key: str, expires: float) -> str:
        self.asked.append((key, expires))
        return f"https://bucket.example.com/{key}?X-Amz-Signature=5ec7e7"


def test_an_object_is_played_at_a_presigned_address(
    opened: Opened, bucket: Bucket, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("raw/sea.mp4", videos / "sea.mp4")
    opened.ingest("s3://bucket/raw/")
    sign = Presigning()
    monkeypatch.setattr(bucket, "_url", sign)
    with opened.search() as search:
        hit = search.search(vector=[0.5] * 13, limit=1).hits[0]
        url = search.url(hit, expires=60)
    assert url == "https://bucket.example.com/raw/sea.mp4?X-Amz-Signature=5ec7e7#t=0,2"
    assert sign.asked == [("raw/sea.mp4", 60)]


def test_a_web_address_is_played_as_it_is(opened: Opened, site: Site) -> None:
    opened.ingest(site.url("/sea.mp4"))
    with opened.search() as search:
        hit = search.search(vector=[0.5] * 13, limit=1).hits[0]
        assert search.url(hit) == f"{site.url('/sea.mp4')}#t=0,2"


def test_an_address_that_no_player_opens_is_refused(search: VideoSearch) -> None:
    hit = search.search(vector=[0.5] * 13, limit=1).hits[0]
    elsewhere = replace(hit, record=replace(hit.record, uri="s3://elsewhere/sea.mp4"))
    with pytest.raises(UnsupportedError, match="the s3 address of the video can't be opened"):
        search.url(elsewhere)


def test_moments_are_cut_out_whole_and_videos_are_copied(
    search: VideoSearch, videos: Path, picture: PictureOf, tmp_path: Path
) -> None:
    yellow = picture("yellow")
    moments = search.search(image=yellow, moments=Moments(share=0.01), limit=2).hits
    files = search.save(moments, tmp_path / "out")
    assert files[0].name == "001_chess_0.00-6.00.mp4"
    assert media.probe(files[0]).duration_ms == pytest.approx(6000, abs=100)
    whole = search.search(image=yellow, scope="video", limit=3).hits
    told: list[tuple[int, int]] = []
    for _ in range(2):
        copies = search.save(whole, tmp_path / "out", progress=lambda *at: told.append(at))
        for rank, (copy, hit) in enumerate(zip(copies, whole, strict=True), start=1):
            source = videos / hit.uri.rpartition("/")[2]
            assert copy.name.startswith(f"{rank:03d}_{source.stem}")
            assert copy.read_bytes() == source.read_bytes()
            assert hashlib.sha256(copy.read_bytes()).hexdigest() == hit.video_id
    assert told == [(1, 3), (2, 3), (3, 3)] * 2
    assert len(list((tmp_path / "out").iterdir())) == len(files) + 6


def test_a_whole_video_is_fetched_to_be_copied(
    opened: Opened, bucket: Bucket, videos: Path, tmp_path: Path
) -> None:
    bucket.put("raw/sea.mp4", videos / "sea.mp4")
    opened.ingest("s3://bucket/raw/")
    with opened.search() as search:
        hits = search.search(vector=[0.5] * 13, scope="video").hits
        (copy,) = search.save(hits, tmp_path / "out")
    assert copy.name == "001_sea.mp4"
    assert copy.read_bytes() == (videos / "sea.mp4").read_bytes()
    assert left(tmp_path) == []
