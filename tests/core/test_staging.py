"""Staging: media handed over by path, by the store's own address, or by a presigned URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import MediaError, UnsupportedError
from polyreel.core.media import Media, Modality
from polyreel.core.staging import Staging
from polyreel.storage.local import LocalObjects

if TYPE_CHECKING:
    from polyreel.core.objects import ObjectStore


class RemoteObjects(LocalObjects):
    """Local files that pretend to be a bucket far away."""

    schemes = frozenset({"s3"})

    def _uri(self, key: str) -> str:
        return f"s3://bucket/{key}"

    def _url(self, key: str, expires: float) -> str:
        return f"https://bucket.example/{key}?signature=secret&expires={expires:.0f}"

    def _path(self, uri: str) -> Path | None:
        return None


@pytest.fixture
def remote(tmp_path: Path) -> ObjectStore:
    objects = RemoteObjects(path=tmp_path / "bucket")
    objects.ensure_bucket()
    return objects


@pytest.fixture
def picture(tmp_path: Path) -> Media:
    file = tmp_path / "picture.JPG"
    file.write_bytes(b"pixels")
    return Media(Modality.IMAGE, path=file)


def staged(objects: ObjectStore) -> list[str]:
    return [info.key for info in objects.list("staging/")]


def test_a_local_reader_gets_the_file_where_it_lies(remote: ObjectStore, picture: Media) -> None:
    with Staging(remote).leased([picture], frozenset({"file"})) as (handed,):
        assert handed == picture
        assert staged(remote) == []


def test_a_reader_of_the_bucket_gets_its_own_address_for_as_long_as_the_query_lasts(
    remote: ObjectStore, picture: Media
) -> None:
    with Staging(remote).leased([picture], frozenset({"s3"})) as (handed,):
        (key,) = staged(remote)
        assert handed.uri == f"s3://bucket/{key}"
        assert key.endswith(".jpg")
        assert remote.read(key) == b"pixels"
    assert staged(remote) == []


def test_a_reader_of_urls_gets_a_presigned_one(remote: ObjectStore, picture: Media) -> None:
    with Staging(remote).leased([picture], frozenset({"https"}), expires=60) as (handed,):
        assert handed.uri is not None
        assert handed.uri.startswith("https://")
        assert handed.uri.endswith("expires=60")


def test_a_file_that_is_too_large_to_go_along_goes_by_an_address(
    remote: ObjectStore, picture: Media, tmp_path: Path
) -> None:
    ways = frozenset({"file", "https"})
    with Staging(remote).leased([picture], ways, inline_bytes=6) as (handed,):
        assert handed == picture  # which has six bytes
    with Staging(remote).leased([picture], ways, inline_bytes=5) as (handed,):
        assert handed.path is None
        assert str(handed.uri).startswith("https://")
        assert len(staged(remote)) == 1
    assert staged(remote) == []
    with Staging(remote).leased([picture], frozenset({"file"}), inline_bytes=5) as (handed,):
        assert handed == picture  # whoever reads files only says what it can't take
    with (
        pytest.raises(UnsupportedError, match="can't be reached"),
        Staging(LocalObjects(path=tmp_path / "objects")).leased([picture], ways, inline_bytes=5),
    ):
        pass


def test_a_lease_ends_when_the_query_fails(remote: ObjectStore, picture: Media) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        _fail_in_the_middle(remote, picture)
    assert staged(remote) == []


def _fail_in_the_middle(remote: ObjectStore, picture: Media) -> None:
    with Staging(remote).leased([picture], frozenset({"s3"})):
        assert len(staged(remote)) == 1
        raise RuntimeError("broken")


def test_words_and_reachable_addresses_stay_as_they_are(remote: ObjectStore) -> None:
    parts = [Media(Modality.TEXT, text="words"), Media(Modality.IMAGE, uri="https://example.org/a.jpg")]
    with Staging(remote).leased(parts, frozenset({"https"})) as handed:
        assert handed == parts


def test_what_can_be_seen_from_nowhere_is_refused(
    remote: ObjectStore, tmp_path: Path, picture: Media
) -> None:
    local = LocalObjects(path=tmp_path / "objects")
    with (
        pytest.raises(UnsupportedError, match="can't be reached"),
        Staging(local).leased([picture], frozenset({"tos"})),
    ):
        pass
    far = Media(Modality.VIDEO, uri="ftp://example.org/a.mp4")
    with (
        pytest.raises(MediaError, match="give a local file"),
        Staging(remote).leased([far], frozenset({"s3"})),
    ):
        pass
