"""Saving hits of videos that lie elsewhere, that are gone, and that can't be cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.core.errors import MediaError, NotFoundError, PolyreelError
from polyreel.core.shape import Moments

from .conftest import left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.records import Hit
    from polyreel.core.search import VideoSearch
    from polyreel.testing.web import Site

    from .conftest import Bucket, Opened, OpenSearch, PictureOf


@pytest.fixture
def remote(opened: Opened, bucket: Bucket, videos: Path) -> Iterator[VideoSearch]:
    """A search over two videos in an object store that is not on this machine."""
    for name in ("sea.mp4", "chess.mp4"):
        bucket.put(f"raw/{name}", videos / name)
    opened.ingest("s3://bucket/raw/")
    with opened.search() as search:
        bucket.fetched = 0
        yield search


def hits_of(search: VideoSearch, picture: PictureOf, colour: str = "blue") -> list[Hit]:
    hits = list(search.search(image=picture(colour), limit=10))
    assert len(hits) == 4
    return hits


def test_hits_in_a_remote_object_store_are_saved_in_their_order(
    remote: VideoSearch,
    bucket: Bucket,
    picture: PictureOf,
    tmp_path: Path,
) -> None:
    hits = hits_of(remote, picture)
    files = remote.save(hits, tmp_path / "out")
    assert [file.name for file in files] == [
        f"{rank:03d}_{hit.uri[16:-4]}_{hit.start:.2f}-{hit.end:.2f}.mp4" for rank, hit in enumerate(hits, 1)
    ]
    assert [media.probe(file).duration_ms for file in files] == [2000] * 4
    assert bucket.fetched == 2  # three hits are of one video
    assert left(tmp_path) == []


def test_the_clips_that_a_hit_tells_of_its_video_are_saved_each_behind_its_hit(
    remote: VideoSearch, bucket: Bucket, picture: PictureOf, tmp_path: Path
) -> None:
    hits = list(remote.search(image=picture("blue"), group_by="video", clips=2))
    assert [len(hit.members) for hit in hits] == [1, 2]  # sea.mp4 is one clip
    counted: list[tuple[int, int]] = []
    files = remote.save(hits, tmp_path / "out", progress=lambda *each: counted.append(each))
    clips = hits[1].members
    assert [file.name for file in files] == [
        "001_sea_0.00-2.00.mp4",
        *(f"002-0{n}_chess_{clip.start:.2f}-{clip.end:.2f}.mp4" for n, clip in enumerate(clips, 1)),
    ]
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert [media.probe(file).duration_ms for file in files] == [2000] * 3
    assert counted == [(1, 3), (2, 3), (3, 3)]
    assert bucket.fetched == 2


def test_each_clip_whose_video_is_gone_is_told(
    remote: VideoSearch, bucket: Bucket, picture: PictureOf, tmp_path: Path
) -> None:
    hits = list(remote.search(image=picture("blue"), group_by="video", clips=2))
    bucket.delete("raw/chess.mp4")
    missed: list[str] = []
    files = remote.save(hits, tmp_path / "out", missed=lambda hit, _: missed.append(hit.id))
    assert [file.name for file in files] == ["001_sea_0.00-2.00.mp4"]
    assert missed == [clip.id for clip in hits[1].members]


def test_a_moment_is_saved_as_one_file(remote: VideoSearch, picture: PictureOf, tmp_path: Path) -> None:
    moments = list(remote.search(image=picture("blue"), moments=Moments(share=0.01)))
    assert max(len(moment.members) for moment in moments) > 1
    files = remote.save(moments, tmp_path / "out")
    assert [file.name[:4] for file in files] == [f"00{rank}_" for rank, _ in enumerate(moments, 1)]


def test_a_thumbnail_of_a_remote_video_leaves_nothing_else(
    remote: VideoSearch, picture: PictureOf, tmp_path: Path
) -> None:
    hit = hits_of(remote, picture)[0]
    image = media.image(remote.thumbnail(hit, tmp_path / "out" / "a.jpg"), size=64)
    assert image[..., 2].mean() > 150 > image[..., 0].mean()
    assert left(tmp_path) == []


def test_a_video_can_be_had_as_a_file_for_as_long_as_it_is_used(remote: VideoSearch, tmp_path: Path) -> None:
    with remote.local(remote.videos()[0]) as path:
        assert media.probe(path).duration_ms == 6000
    assert not path.exists()
    assert left(tmp_path) == []


def test_a_hit_whose_object_is_gone_is_told_and_the_others_are_saved(
    remote: VideoSearch,
    bucket: Bucket,
    picture: PictureOf,
    tmp_path: Path,
) -> None:
    hits = hits_of(remote, picture)
    bucket.delete("raw/sea.mp4")
    missed: list[tuple[Hit, PolyreelError]] = []
    files = remote.save(hits, tmp_path / "out", missed=lambda *each: missed.append(each))
    assert [file.name[:9] for file in files] == ["002_chess", "003_chess", "004_chess"]
    assert [(hit.id, str(error)) for hit, error in missed] == [
        (hits[0].id, "there is no object s3://bucket/raw/sea.mp4 any more")
    ]
    assert left(tmp_path) == []


def test_without_a_listener_the_error_comes_after_the_others_were_saved(
    remote: VideoSearch,
    bucket: Bucket,
    picture: PictureOf,
    tmp_path: Path,
) -> None:
    hits = hits_of(remote, picture)
    bucket.delete("raw/sea.mp4")
    with pytest.raises(NotFoundError, match=r"s3://bucket/raw/sea\.mp4"):
        remote.save(hits, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_another_video_at_the_same_address_is_not_cut(
    remote: VideoSearch,
    bucket: Bucket,
    picture: PictureOf,
    videos: Path,
    tmp_path: Path,
) -> None:
    hit = hits_of(remote, picture)[0]
    bucket.put("raw/sea.mp4", videos / "chess.mp4")
    with pytest.raises(NotFoundError, match="is another one now; ingest it again"):
        remote.thumbnail(hit, tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()


def test_a_video_of_a_web_server_is_fetched_to_be_cut(
    opened: Opened,
    site: Site,
    tmp_path: Path,
) -> None:
    opened.ingest(site.url("/sea.mp4"))
    with opened.search() as search:
        record = next(each for each in search._opened().scan() if each.scope == "clip")
        search.thumbnail(record, tmp_path / "a.jpg")
        del site.answers["/sea.mp4"]
        with pytest.raises(NotFoundError, match="answered 404"):
            search.thumbnail(record, tmp_path / "b.jpg")
    assert left(tmp_path) == []


def test_a_video_that_cannot_be_cut_is_told_by_its_address(
    remote: VideoSearch, picture: PictureOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, out: Path, **_: int) -> None:
        raise MediaError(f"{path} ends early", hint="end the span earlier")

    hits = hits_of(remote, picture)[:1]
    monkeypatch.setattr(media, "cut", refuse)
    with pytest.raises(MediaError) as caught:
        remote.save(hits, tmp_path / "out")
    assert str(caught.value) == "s3://bucket/raw/sea.mp4 ends early; end the span earlier"


def test_a_local_file_that_is_gone_is_told_and_the_others_are_saved(
    open_search: OpenSearch, videos: Path, picture: PictureOf, tmp_path: Path
) -> None:
    search = open_search()
    search.ingest(videos / "sea.mp4", videos / "chess.mp4")
    hits = hits_of(search, picture)
    (videos / "chess.mp4").unlink()
    missed: list[str] = []
    files = search.save(hits, tmp_path / "out", missed=lambda _, error: missed.append(str(error)))
    assert [file.name for file in files] == ["001_sea_0.00-2.00.mp4"]
    gone = (videos / "chess.mp4").as_uri()
    assert missed == [f"the video {gone} isn't there; ingest it again where it is now"] * 3
