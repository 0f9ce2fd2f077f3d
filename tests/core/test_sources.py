from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from polyreel.core.discovery import discover
from polyreel.core.errors import InvalidQueryError, NotFoundError
from polyreel.core.objects import ObjectStore
from polyreel.core.records import Text
from polyreel.core.sidecars import described_source
from polyreel.core.sources import Found, Remote, Source, Unreadable
from polyreel.core.subtitles import Line
from polyreel.storage.local import LocalObjects

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def touched(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_a_folder_is_searched_to_the_bottom_for_videos(tmp_path: Path) -> None:
    touched(tmp_path, "b.MP4", "a.webm", "deep/er/c.mkv", "notes.txt", ".hidden.mp4", ".git/d.mp4")
    assert [source.path.name for source in discover([tmp_path])] == ["a.webm", "b.MP4", "c.mkv"]


def test_a_file_that_is_named_may_end_in_anything(tmp_path: Path) -> None:
    touched(tmp_path, "recording.bin")
    assert [source.path.name for source in discover([tmp_path / "recording.bin"])] == ["recording.bin"]


def test_a_file_that_is_named_twice_comes_once(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    assert len(list(discover([tmp_path / "a.mp4", tmp_path]))) == 1


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    touched(tmp_path, "deep/a.mp4")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    assert len(list(discover([tmp_path]))) == 1


def test_a_missing_file_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    missing, empty = discover([tmp_path / "no.mp4", tmp_path / "empty"])
    assert isinstance(missing, Unreadable)
    assert isinstance(missing.error, NotFoundError)
    assert "no.mp4" in str(missing.error)
    assert isinstance(empty, Unreadable)
    assert "no video in the folder" in str(empty.error)


def test_a_sidecar_gives_text_captions_and_fields(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4")
    sidecar = {
        "title": "A walk",
        "tags": ["dog", "park"],
        "caption": ["A dog walks.", "狗在散步。"],
        "captions": [{"start": 1, "end": 2.5, "text": "woof"}],
        "fields": {"year": 2020},
        "indoor": False,
    }
    (tmp_path / "a.json").write_text(json.dumps(sidecar), encoding="utf-8")
    (source,) = discover([tmp_path])
    assert isinstance(source, Source)
    assert source.text == Text("A walk", ("dog", "park"), "A dog walks.\n狗在散步。")
    assert source.lines == (Line(1000, 2500, "woof"),)
    assert source.fields == {"year": 2020, "indoor": False}


def test_the_sidecar_with_the_whole_name_wins(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4")
    (tmp_path / "a.json").write_text('{"title": "short"}')
    (tmp_path / "a.mp4.json").write_text('{"title": "long"}')
    (source,) = discover([tmp_path])
    assert isinstance(source, Source)
    assert source.text.title == "long"


def test_what_is_said_in_the_call_wins_over_sidecars(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "a.json").write_text('{"title": "sidecar", "year": 1}')
    described: dict[str, dict[str, object]] = {"*": {"year": 2}, "a.mp4": {"title": "said"}}
    first, second = discover([tmp_path], described)
    assert isinstance(first, Source)
    assert isinstance(second, Source)
    assert (first.text.title, first.fields) == ("said", {"year": 2})
    assert (second.text.title, second.fields) == ("b", {"year": 2})


@pytest.mark.parametrize(
    "broken", ["{", "[1]", '{"tags": 5}', '{"captions": [{"start": "x"}]}', '{"fields": []}']
)
def test_a_broken_sidecar_fails_its_own_video_only(tmp_path: Path, broken: str) -> None:
    touched(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "a.json").write_text(broken)
    first, second = discover([tmp_path])
    assert isinstance(first, Unreadable)
    assert isinstance(first.error, InvalidQueryError)
    assert isinstance(second, Source)


def test_a_video_without_a_title_has_the_words_of_its_name(tmp_path: Path) -> None:
    assert described_source(tmp_path / "red_flower-2020.mp4", {}).text.title == "red flower 2020"


def test_a_clip_carries_the_lines_of_its_own_time(tmp_path: Path) -> None:
    lines = (Line(0, 1000, "one"), Line(4000, 6000, "two"), Line(9000, 9500, "three"))
    source = Source(tmp_path / "a.mp4", Text(title="t"), {}, lines)
    assert source.text_of(0, 5000) == Text("t", (), "", "one\ntwo")
    assert source.text_of(5000, 9000) == Text("t", (), "", "two")
    assert source.text_of(6000, 9000) == Text("t")


# -- patterns and addresses ---------------------------------------------------------------------------------


def names(found: Iterable[Found]) -> list[str]:
    return [each.path.name for each in found if not isinstance(each, Unreadable)]


def errors(found: Iterable[Found]) -> list[str]:
    return [f"{each.name}: {each.error}" for each in found if isinstance(each, Unreadable)]


def test_a_pattern_stands_for_the_files_that_match(tmp_path: Path) -> None:
    touched(tmp_path, "a1.mp4", "a2.MP4", "b.mp4", "a3.json", ".a4.mp4", "deep/er/a5.mp4", "a6.bin")
    assert names(discover([f"{tmp_path}/a*"])) == ["a1.mp4", "a2.MP4"]
    assert names(discover([f"{tmp_path}/a?.mp4"])) == ["a1.mp4"]
    assert names(discover([f"{tmp_path}/[ab]*.mp4"])) == ["a1.mp4", "b.mp4"]
    assert names(discover([f"{tmp_path}/*.bin"])) == ["a6.bin"]
    assert names(discover([f"{tmp_path}/de*"])) == ["a5.mp4"]
    assert names(discover([f"{tmp_path}/.a*"])) == [".a4.mp4"]


def test_two_stars_go_to_the_bottom_and_through_no_loop(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4", "deep/b.mp4", "deep/er/c.mp4", ".git/d.mp4")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    assert sorted(names(discover([f"{tmp_path}/**/*.mp4"]))) == ["a.mp4", "b.mp4", "c.mp4"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    touched(tmp_path, "a[1].mp4", "a1.mp4")
    assert names(discover([f"{tmp_path}/a[1].mp4"])) == ["a[1].mp4"]


def test_a_pattern_that_matches_nothing_is_told(tmp_path: Path) -> None:
    (said,) = errors(discover([f"{tmp_path}/*.mp4"]))
    assert said == f"{tmp_path}/*.mp4: nothing matches {tmp_path}/*.mp4"


def test_a_file_uri_is_a_local_file(tmp_path: Path) -> None:
    touched(tmp_path, "a #1.mp4")
    (source,) = discover([(tmp_path / "a #1.mp4").as_uri()])
    assert isinstance(source, Source)
    assert source.path == tmp_path / "a #1.mp4"
    assert source.uri is None


def test_an_https_address_is_kept_without_its_secrets() -> None:
    url = "https://user:hunter2@example.com/deep/My%20clip.mp4?X-Amz-Signature=abc123&v=1#t=5"
    (remote,) = discover([url])
    assert isinstance(remote, Remote)
    assert remote.address == url
    assert remote.name == "https://example.com/deep/My%20clip.mp4"
    assert remote.path.name == "My clip.mp4"
    assert remote.source.text.title == "My clip"
    assert remote.source.signed
    assert not any(secret in repr(remote) for secret in ("hunter2", "abc123"))


def test_one_file_signed_twice_comes_once_and_two_files_of_a_query_are_two() -> None:
    signed = [f"https://example.com/a.mp4?X-Amz-Date={day}&X-Amz-Signature=s{day}" for day in (1, 2)]
    other = [f"https://example.com/get?id={number}" for number in (1, 2)]
    assert len(list(discover(signed))) == 1
    assert len(list(discover(other))) == 2


@pytest.mark.parametrize(
    "address",
    [
        "ftp://user:hunter2@example.com/a.mp4",
        "s3://key:hunter2@bucket/a.mp4?sig=hunter2",
        "s3://key:hun/hunter2@bucket/a.mp4",
    ],
)
def test_an_address_that_this_stack_cannot_fetch_is_told_without_its_secrets(address: str) -> None:
    (said,) = errors(discover([address]))
    assert "can't be fetched by this stack; give a file" in said
    assert "hunter2" not in said


# -- the stack's objects ------------------------------------------------------------------------------------


class Bucket(LocalObjects):
    """A bucket with addresses of its own."""

    schemes = frozenset({"s3"})

    def _uri(self, key: str) -> str:
        return f"s3://bucket/{quote(key)}"

    def _key(self, uri: str) -> str | None:
        return ObjectStore._key(self, uri)

    def _path(self, uri: str) -> Path | None:
        return None


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    objects = Bucket(path=tmp_path / "bucket")
    own = f"videos/{'a' * 64}.mp4", f"clips/{'a' * 64}/0-5.mp4", "staging/2024-01-01/x.mp4"
    for key in ("raw/a.mp4", "raw/b.MP4", "raw/deep/c 1.mp4", "raw/notes.txt", "top.mp4", *own):
        objects.put(key, b"x")
    objects.put("raw/a.json", b'{"title": "From the bucket", "year": 2020}')
    objects.put("raw/a.en.srt", b"00:01.000 --> 00:02.000\nhello")
    return objects


def uris(found: Iterable[Found]) -> list[str]:
    return [each.name for each in found if isinstance(each, Remote)]


def test_a_prefix_stands_for_the_videos_below_it(bucket: Bucket) -> None:
    assert uris(discover(["s3://bucket/raw/"], objects=bucket)) == [
        "s3://bucket/raw/a.mp4",
        "s3://bucket/raw/b.MP4",
        "s3://bucket/raw/deep/c%201.mp4",
    ]
    assert uris(discover(["s3://bucket/raw/a*"], objects=bucket)) == ["s3://bucket/raw/a.mp4"]


def test_a_whole_bucket_is_taken_without_what_polyreel_put_there(bucket: Bucket) -> None:
    found = uris(discover(["s3://bucket/"], objects=bucket))
    assert found[-1] == "s3://bucket/top.mp4"
    assert len(found) == 4


@pytest.mark.parametrize("given", ["s3://bucket/raw/a.mp4", "s3://bucket/raw/"])
def test_sidecars_beside_an_object_are_read(bucket: Bucket, given: str) -> None:
    remote = next(iter(discover([given], objects=bucket)))
    assert isinstance(remote, Remote)
    assert (remote.address, remote.key, remote.source.signed) == ("raw/a.mp4", True, False)
    assert remote.source.text.title == "From the bucket"
    assert remote.fields == {"year": 2020}
    assert remote.source.lines == (Line(1000, 2000, "hello"),)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("s3://bucket/raw/x.mp4", "there is no object s3://bucket/raw/x.mp4; a prefix ends in / or *"),
        ("s3://bucket/none/", "there is no video at s3://bucket/none/"),
        ("s3://other/a.mp4", "is no address of this stack's object store"),
        ("s3://other/", "is no prefix of this stack's object store"),
    ],
)
def test_an_object_that_is_not_there_is_told(bucket: Bucket, given: str, what: str) -> None:
    (said,) = errors(discover([given], objects=bucket))
    assert what in said


def test_a_broken_sidecar_fails_its_own_object_only(bucket: Bucket) -> None:
    bucket.put("raw/a.json", b"{")
    found = list(discover(["s3://bucket/raw/"], objects=bucket))
    assert len(uris(found)) == 2
    assert errors(found)[0].startswith("s3://bucket/raw/a.mp4: a.json can't be read as JSON")
