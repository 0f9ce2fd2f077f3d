"""The contract of object stores as tests.

Authors of adapters inherit it, with one fixture:

    class TestMyObjects(ObjectContract):
        @pytest.fixture
        def objects(self, tmp_path):
            with MyObjects(path=tmp_path / "objects") as objects:
                objects.ensure_bucket()
                yield objects
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import ClassVar

import pytest

from ..core.errors import InvalidQueryError, NotFoundError
from ..core.objects import ObjectStore
from ..core.upload_marks import Mark
from .gaps import Gaps

KEYS = ("a", "a-b/c", "a.b", "a/b", "a/c/d", "a0", "b/1", "ä", "日本/海 #1?%41&+.mp4", "𝔘")
"""Keys in the order of their UTF-8 bytes; sorting names folder by folder, or UTF-16, gives another order."""

WRONG_KEYS = (
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a\\b",
    "a\nb",
    "a\0b",
    "\ud800",
)
LARGE = bytes(range(256)) * (36 << 10)  # 9 MiB, more than a part of a multipart upload


class ObjectContract(Gaps):
    """One test for each line of `core.objects`. An author writes the fixture `objects`.

    What a store can't do is declared in `gaps`.
    """

    many: ClassVar[int] = 30
    """Objects of the largest listing; more than a page of the service."""

    shared: ClassVar[str] = "shared/"
    """Where several threads write; nothing where a service loses objects of a folder that goes meanwhile."""

    @pytest.fixture
    def objects(self) -> Iterator[ObjectStore]:
        """A store whose bucket is there and empty; every author writes it."""
        raise NotImplementedError("write the fixture objects, which gives a store with an empty bucket")

    def download(self, url: str) -> bytes:
        """What anybody gets at an address."""
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # an address of the store's own
            content: bytes = answer.read()
            return content

    # -- keys ---------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("key", WRONG_KEYS)
    def test_a_key_that_could_mean_another_place_is_refused(self, objects: ObjectStore, key: str) -> None:
        """By every method that takes one."""
        for call in (
            lambda: objects.put(key, b"x"),
            lambda: objects.read(key),
            lambda: objects.open(key),
            lambda: objects.stat(key),
            lambda: objects.delete(key),
            lambda: objects.uri(key),
            lambda: objects.url(key),
        ):
            with pytest.raises(InvalidQueryError):
                call()
        assert list(objects.list()) == []

    def test_a_key_of_900_bytes_is_taken_and_a_longer_one_refused(self, objects: ObjectStore) -> None:
        """Parts of 255 bytes at most."""
        longest = "/".join(["k" * 255, "é" * 127, "k" * 255, "k" * 133])
        assert len(longest.encode()) == 900
        objects.put(longest, b"x")
        assert objects.read(longest) == b"x"
        for key in (longest + "k", "k" * 256):
            with pytest.raises(InvalidQueryError):
                objects.put(key, b"x")

    # -- ensure_bucket ------------------------------------------------------------------------------------

    def test_making_the_bucket_again_changes_nothing(self, objects: ObjectStore) -> None:
        """What is in it stays."""
        objects.put("a", b"1")
        objects.ensure_bucket()
        assert objects.read("a") == b"1"

    # -- put ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("content", [b"", b"\x00\xff\r\n", LARGE], ids=["empty", "binary", "large"])
    def test_what_is_put_is_what_is_read(self, objects: ObjectStore, tmp_path: Path, content: bytes) -> None:
        """From bytes and from a file."""
        (tmp_path / "source").write_bytes(content)
        for key, source in (("bytes", content), ("folder/file", tmp_path / "source")):
            info = objects.put(key, source, content_type="video/mp4")
            assert (info.key, info.size) == (key, len(content))
            assert objects.read(key) == content

    @pytest.mark.parametrize("key", KEYS)
    def test_every_key_has_an_object_of_its_own(self, objects: ObjectStore, key: str) -> None:
        """Whatever signs it has."""
        objects.put("other", b"other")
        objects.put(key, key.encode())
        assert objects.read(key) == key.encode()
        assert [info.key for info in objects.list(key)] == [key]

    def test_put_replaces_an_existing_object(self, objects: ObjectStore) -> None:
        """A longer one by a shorter one."""
        objects.put("a", b"long content")
        objects.put("a", b"short")
        assert objects.read("a") == b"short"
        assert [info.size for info in objects.list()] == [5]

    def read_replaced(self, objects: ObjectStore, key: str) -> bytes:
        """An object that is replaced meanwhile; a store that writes in place may have to be read again."""
        return objects.read(key)

    def test_readers_see_the_old_object_or_the_new_one(self, objects: ObjectStore) -> None:
        """Never a part, while it is replaced again and again."""
        old, new = b"o" * 300_000, b"n" * 200_000
        objects.put("a", old)
        done = Event()

        def replace() -> None:
            try:
                for _ in range(10):
                    objects.put("a", new)
                    objects.put("a", old)
            finally:
                done.set()

        seen: list[bytes] = []
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(replace)
            while not done.is_set() or not seen:
                seen.append(self.read_replaced(objects, "a"))
            writing.result()
        assert set(seen) <= {old, new}

    def test_a_source_that_cannot_be_read_leaves_the_object_as_it_was(
        self, objects: ObjectStore, tmp_path: Path
    ) -> None:
        """A missing file and a folder."""
        objects.put("a", b"1")
        for source in (tmp_path / "missing", tmp_path):
            for key in ("a", "b"):
                with pytest.raises(NotFoundError):
                    objects.put(key, source)
        assert objects.read("a") == b"1"
        assert [info.key for info in objects.list()] == ["a"]

    def test_progress_hears_the_bytes_moved_so_far(self, objects: ObjectStore, tmp_path: Path) -> None:
        """Rising, up to the size."""
        (tmp_path / "source").write_bytes(LARGE)
        for move in (
            lambda heard: objects.put("a", tmp_path / "source", progress=heard),
            lambda heard: objects.get("a", tmp_path / "target", progress=heard),
        ):
            moved: list[int] = []
            move(moved.append)
            assert moved == sorted(moved)
            assert moved[-1] == len(LARGE)

    # -- get, read, open ----------------------------------------------------------------------------------

    def test_get_writes_an_object_to_a_local_file(self, objects: ObjectStore, tmp_path: Path) -> None:
        """In place of an old one, and with nothing beside it."""
        target = tmp_path / "here" / "target"
        target.parent.mkdir()
        target.write_bytes(b"old, and longer than the new")
        objects.put("a", b"new")
        assert objects.get("a", target) == target
        assert target.read_bytes() == b"new"
        assert list(target.parent.iterdir()) == [target]

    def test_a_get_that_fails_leaves_no_half_written_file(self, objects: ObjectStore, tmp_path: Path) -> None:
        """An old file stays as it was."""
        objects.put("a", LARGE)
        kept, folder = tmp_path / "here" / "kept", tmp_path / "here"
        folder.mkdir()
        kept.write_bytes(b"old")

        def stop(_: int) -> None:
            raise InterruptedError("stop")

        for target in (kept, folder / "new"):
            with pytest.raises(Exception, match=r"stop|[Ii]nterrupted"):
                objects.get("a", target, progress=stop)
        assert kept.read_bytes() == b"old"
        assert list(folder.iterdir()) == [kept]

    def test_an_object_that_is_not_there_is_not_found(self, objects: ObjectStore, tmp_path: Path) -> None:
        """Nor is one whose key only begins another's."""
        objects.put("a/b", b"1")
        for key in ("missing", "a", "a/b/c", "a/missing"):
            with pytest.raises(NotFoundError, match=key):
                objects.get(key, tmp_path / "target")
            with pytest.raises(NotFoundError, match=key):
                objects.read(key)
            with pytest.raises(NotFoundError, match=key):
                objects.open(key)
        assert not (tmp_path / "target").exists()

    def test_open_gives_a_stream(self, objects: ObjectStore) -> None:
        """Which is read piece by piece and closed by the caller."""
        objects.put("a", LARGE)
        with objects.open("a") as stream:
            assert stream.read(1000) == LARGE[:1000]
            assert b"".join(iter(lambda: stream.read(1 << 20), b"")) == LARGE[1000:]

    # -- list, stat, delete -------------------------------------------------------------------------------

    def test_list_has_every_object_in_the_order_of_bytes(self, objects: ObjectStore) -> None:
        """Over all folders."""
        listed = [key for key in KEYS if key != "a"]  # which a local disk can't have beside a/b
        for key in reversed(listed):
            objects.put(key, key.encode())
        found = list(objects.list())
        assert [info.key for info in found] == listed
        assert [info.size for info in found] == [len(key.encode()) for key in listed]

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("a", ["a-b/c", "a.b", "a/b", "a/c/d", "a0"]),
            ("a/", ["a/b", "a/c/d"]),
            ("a/c", ["a/c/d"]),
            ("a-b/c", ["a-b/c"]),
            ("日本/海", ["日本/海 #1?%41&+.mp4"]),
            ("zzz", []),
            ("../", []),
            ("/", []),
        ],
    )
    def test_list_takes_a_prefix_of_the_key(
        self, objects: ObjectStore, prefix: str, expected: list[str]
    ) -> None:
        """Not only whole folders."""
        for key in KEYS[1:]:
            objects.put(key, b"x")
        assert [info.key for info in objects.list(prefix)] == expected

    def test_list_goes_on_after_a_page(self, objects: ObjectStore) -> None:
        """Each object once."""
        keys = [f"n/{number:05d}" for number in range(self.many)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda key: objects.put(key, b"x"), keys))
        assert [info.key for info in objects.list("n/")] == keys

    def test_stat_tells_size_and_time(self, objects: ObjectStore) -> None:
        """As put did, and as list does."""
        info = objects.put("a/b", b"123")
        found = objects.stat("a/b")
        assert found is not None
        assert (found.key, found.size) == ("a/b", 3)
        assert found.modified == pytest.approx(info.modified, abs=2)
        (listed,) = objects.list()
        assert (listed.key, listed.size) == ("a/b", 3)
        assert listed.modified == pytest.approx(found.modified, abs=2)

    def test_what_is_not_there_has_no_stat(self, objects: ObjectStore) -> None:
        """A folder is no object."""
        objects.put("a/b", b"1")
        assert [objects.exists(key) for key in ("a/b", "a", "a/b/c", "b")] == [True, False, False, False]
        assert objects.stat("a") is None

    def test_a_deleted_object_is_gone(self, objects: ObjectStore) -> None:
        """And its place is free, for a key that begins as it did, too."""
        objects.put("a/b", b"1")
        objects.put("c", b"2")
        objects.delete("a/b")
        assert [info.key for info in objects.list()] == ["c"]
        objects.put("a", b"3")
        assert objects.read("a") == b"3"

    def test_deleting_what_is_missing_is_fine(self, objects: ObjectStore) -> None:
        """And touches nothing else."""
        objects.put("a/b", b"1")
        for key in ("missing", "a", "a/b/c", "a/c"):
            objects.delete(key)
        assert objects.read("a/b") == b"1"

    def test_abandoning_an_upload_that_is_gone_is_fine(self, objects: ObjectStore) -> None:
        """Also where its mark can't be read; the mark is gone then, and nothing else."""
        objects.put("a", b"1")
        objects.put("uploads/broken.json", b"nonsense")
        left = Mark("large", "0" * 32, "0123456789abcdef")
        objects.put(left.place, left.to_bytes())
        for mark in ("uploads/missing.json", "uploads/broken.json", left.place):
            objects.abandon(mark)
        assert [info.key for info in objects.list()] == ["a"]

    # -- addresses ----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("key", KEYS)
    def test_the_address_of_a_key_is_lasting_and_its_own(self, objects: ObjectStore, key: str) -> None:
        """The same before and after the object is there; the scheme is one of the store's."""
        before = objects.uri(key)
        objects.put(key, b"x")
        assert objects.uri(key) == before
        assert before.partition(":")[0] in objects.schemes
        assert len({objects.uri(each) for each in KEYS}) == len(KEYS)

    @pytest.mark.parametrize("key", KEYS)
    def test_the_key_of_an_address_is_the_one_that_it_was_made_of(
        self, objects: ObjectStore, key: str
    ) -> None:
        """Whether the object is there or not; None for an address of another store."""
        assert objects.key(objects.uri(key)) == key
        assert objects.key(objects.uri("a").removesuffix("a")) is None
        assert objects.key(objects.uri("a").replace("://", "://elsewhere-", 1)) is None
        assert objects.key("https://example.com/a") is None

    @pytest.mark.parametrize("key", KEYS)
    def test_anybody_can_fetch_a_url(self, objects: ObjectStore, key: str) -> None:
        """Without any credentials beside it."""
        objects.put(key, key.encode())
        assert self.download(objects.url(key, expires=60)) == key.encode()

    @pytest.mark.parametrize("key", KEYS)
    def test_a_path_is_where_the_object_lies(self, objects: ObjectStore, key: str) -> None:
        """Where it lies on this machine; None elsewhere, and for strangers' addresses."""
        objects.put(key, key.encode())
        path = objects.path(objects.uri(key))
        assert path is None or path.read_bytes() == key.encode()
        assert objects.path("https://example.com/a") is None

    def test_a_file_that_is_referred_to_is_served_where_it_lies(
        self, objects: ObjectStore, tmp_path: Path
    ) -> None:
        """None where the store wants a copy."""
        file = tmp_path / "a file #1?%41.mp4"
        file.write_bytes(b"x")
        address = objects.refer(file)
        assert address is None or objects.path(address) == file

    # -- all ----------------------------------------------------------------------------------------------

    def test_several_threads_may_use_one_store(self, objects: ObjectStore) -> None:
        """Each with objects of its own in one folder, which comes and goes where that is safe (`shared`)."""

        def work(number: int) -> None:
            key = f"{self.shared}{number}"
            for turn in range(5):
                objects.put(key, b"%d" % turn)
                assert objects.read(key) == b"%d" % turn
                objects.delete(key)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(16)))
        assert list(objects.list()) == []

    def test_closing_twice_is_fine(self, objects: ObjectStore) -> None:
        """The second does nothing."""
        objects.close()
        objects.close()
