"""Local files: the contract of object stores, and what a disk adds to it."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import ConfigurationError, InvalidQueryError, NotFoundError, UnavailableError
from polyreel.core.objects import ObjectStore
from polyreel.storage.local import LocalObjects
from polyreel.testing.objects import ObjectContract


class TestLocalObjects(ObjectContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> Iterator[ObjectStore]:
        with LocalObjects(path=tmp_path / "objects") as objects:
            objects.ensure_bucket()
            yield objects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "my objects"


@pytest.fixture
def objects(root: Path) -> LocalObjects:
    return LocalObjects(path=root, retry=RetryPolicy(attempts=1))


def left(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_a_folder_that_is_not_there_is_empty_and_made_by_the_first_put(
    objects: LocalObjects, root: Path
) -> None:
    assert list(objects.list()) == []
    assert objects.stat("a") is None
    assert not root.exists()
    objects.put("a/b", b"1")
    assert (root / "a" / "b").read_bytes() == b"1"


@pytest.mark.parametrize(("first", "second"), [("x", "x/y"), ("x/y", "x"), ("x", "x/y/z"), ("x/y/z", "x/y")])
def test_a_key_cannot_be_a_file_and_a_folder(
    objects: LocalObjects, root: Path, first: str, second: str
) -> None:
    objects.put(first, b"1")
    with pytest.raises(InvalidQueryError, match=rf"'{second}' can't be stored beside '{first}'"):
        objects.put(second, b"2")
    assert objects.read(first) == b"1"
    assert [info.key for info in objects.list()] == [first]
    assert not any(name.rpartition("/")[2].startswith(".") for name in left(root))


def test_a_link_out_of_the_folder_is_no_way_out(objects: LocalObjects, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    objects.put("inside/a", b"1")
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "loop").symlink_to(root / "loop")
    for key in ("folder/secret", "folder/new", "file"):
        for call in (objects.read, objects.stat, objects.delete, lambda key: objects.put(key, b"x")):
            with pytest.raises(InvalidQueryError, match="symbolic link"):
                call(key)
    assert [info.key for info in objects.list()] == ["inside/a"]
    assert left(outside) == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_link_within_the_folder_is_followed(objects: LocalObjects, root: Path) -> None:
    objects.put("a", b"1")
    (root / "b").symlink_to(root / "a")
    assert objects.read("b") == b"1"
    assert [info.key for info in objects.list()] == ["a", "b"]
    objects.put("b", b"2")
    assert objects.read("a") == b"1"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    objects = LocalObjects(path=tmp_path / "link")
    objects.put("a", b"1")
    assert objects.read("a") == b"1"
    assert (tmp_path / "real" / "a").exists()


DISK_ERRORS = {
    errno.ENOSPC: (UnavailableError, "No space left on device.*free some space"),
    errno.EACCES: (ConfigurationError, "Permission denied.*give this user the right"),
    errno.EROFS: (ConfigurationError, "Read-only file system.*can be written to"),
}


@pytest.mark.parametrize("number", DISK_ERRORS)
def test_a_disk_that_takes_nothing_is_one_clear_line_and_leaves_nothing(
    objects: LocalObjects, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    objects.put("a", b"old")

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    kind, words = DISK_ERRORS[number]
    with pytest.raises(kind) as caught:
        objects.put("a", b"new")
    assert re.search(words, str(caught.value))
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert left(root) == ["a"]
    assert objects.read("a") == b"old"


def test_a_target_that_is_a_folder_is_refused(objects: LocalObjects, tmp_path: Path) -> None:
    objects.put("a", b"1")
    with pytest.raises(ConfigurationError, match="Is a directory"):
        objects.get("a", tmp_path)


def test_a_full_disk_is_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = LocalObjects(path=root, retry=RetryPolicy(sleep=lambda _: None))
    sync, calls = os.fsync, []

    def fail_once(file: int) -> None:
        calls.append(file)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    monkeypatch.setattr(os, "fsync", fail_once)
    objects.put("a", b"1")
    assert objects.read("a") == b"1"


def test_a_killed_put_leaves_no_object(objects: LocalObjects, root: Path, tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from polyreel.storage.local import LocalObjects\n"
        "stop = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "LocalObjects(path=Path(sys.argv[1])).put('a/b', b'x' * (3 << 20), progress=stop)"
    )
    objects.put("a/b", b"old")
    done = subprocess.run([sys.executable, "-c", code, str(root)], cwd=tmp_path, check=False, timeout=30)
    assert done.returncode == -9
    assert [name.startswith("a/.polyreel-") for name in left(root)] == [False, True, False]
    assert [info.key for info in objects.list()] == ["a/b"]
    assert objects.read("a/b") == b"old"


def test_a_key_cannot_look_like_a_file_that_is_being_written(objects: LocalObjects) -> None:
    with pytest.raises(InvalidQueryError, match="while they are written"):
        objects.put("a/.polyreel-1", b"x")


def test_a_deletion_removes_empty_folders_but_not_the_root(objects: LocalObjects, root: Path) -> None:
    objects.put("a/b/c", b"1")
    objects.put("a/d", b"2")
    objects.delete("a/b/c")
    assert left(root) == ["a", "a/d"]
    objects.delete("a/d")
    assert left(root) == []
    assert root.is_dir()


def test_strange_files_are_not_listed(objects: LocalObjects, root: Path) -> None:
    objects.put("a", b"1")
    (root / "line\nbreak").write_bytes(b"x")
    os.mkfifo(root / "pipe")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_bytes(b"x")
    assert [info.key for info in objects.list()] == ["a"]
    with pytest.raises(NotFoundError):
        objects.read("pipe")


def test_a_listing_needs_little_memory(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys, tracemalloc; from pathlib import Path; from polyreel.storage.local import LocalObjects\n"
        "objects = LocalObjects(path=Path(sys.argv[1]))\n"
        "tracemalloc.start()\n"
        "print(sum(1 for _ in objects.list()), tracemalloc.get_traced_memory()[1])"
    )
    for folder in range(10):
        (root / f"{folder:02d}").mkdir(parents=True)
        for number in range(50):
            (root / f"{folder:02d}" / f"{number:03d}").touch()
    # In a process of its own: threads that other tests have left would count, too.
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], cwd=tmp_path, check=True, timeout=60, capture_output=True
    )
    found, peak = map(int, done.stdout.split())
    assert found == 500
    assert peak < 60_000


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///a%20b/c.mp4", "/a b/c.mp4"),
        ("FILE:///a", "/a"),
        ("file:/a", "/a"),
        ("file://localhost/a%23b", "/a#b"),
        ("file:///%E6%B5%B7", "/海"),
        ("file:///100%", "/100%"),
        ("file://elsewhere/a", None),
        ("file:a", None),
        ("file:", None),
        ("s3://bucket/a", None),
        ("/a", None),
        ("", None),
    ],
)
def test_a_path_comes_from_a_file_uri_only(objects: LocalObjects, uri: str, expected: str | None) -> None:
    assert objects.path(uri) == (Path(expected) if expected else None)


def test_an_address_round_trips(objects: LocalObjects, root: Path) -> None:
    uri = objects.uri("日本/a b#c?d%41.mp4")
    assert uri.startswith("file:///")
    assert " " not in uri
    assert objects.path(uri) == root / "日本/a b#c?d%41.mp4"
    assert objects.url("a") == objects.uri("a")


def test_files_are_used_where_they_lie_unless_copies_are_wanted(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, inside = tmp_path / "a b.mp4", root / "c.mp4"
    for copy in (False, True):
        objects = LocalObjects(path=root, copy=copy)
        for file in (outside, inside):
            assert objects.refer(file) == (None if copy else file.as_uri())
    monkeypatch.chdir(tmp_path)
    assert LocalObjects(path=root).refer(Path("a b.mp4")) == outside.as_uri()


def test_a_new_object_has_the_rights_of_any_new_file(
    objects: LocalObjects, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain").touch()
    objects.put("a", b"1")
    assert (root / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
