"""The base of object stores: uploads in parts, and streams that go on, over a store that fails on demand."""

from __future__ import annotations

import io
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from polyreel.core.contenttypes import content_type_of
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    IntegrityError,
    NotFoundError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.objects import ObjectInfo, ObjectStore
from polyreel.core.parts import Upload
from polyreel.core.streams import Opened
from polyreel.core.upload_marks import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.errors import PolyreelError
    from polyreel.core.objects import Progress


class Body(io.BytesIO):
    """Bytes whose connection is cut after some of them."""

    def __init__(self, content: bytes, cut_after: int | None) -> None:
        super().__init__(content)
        self.left = cut_after

    def read(self, size: int | None = -1, /) -> bytes:
        if self.left == 0:
            raise ConnectionError("cut")
        wanted = -1 if size is None else size
        block = super().read(wanted if self.left is None else min(wanted, self.left))
        if self.left is not None:
            self.left -= len(block)
        return block


class ScriptedObjects(ObjectStore):
    """Objects in memory, which a test can make fail."""

    kind = "scripted"
    schemes = frozenset({"scripted"})
    part_size = 10

    def __init__(self) -> None:
        super().__init__(retry=RetryPolicy(attempts=3, sleep=lambda _: None))
        self.kept: dict[str, bytes] = {}
        self.types: dict[str, str | None] = {}
        self.cuts: list[int] = []
        self.opened: list[int] = []
        self.md5: str | None = None
        self.resumes = True
        self.uploads: list[ScriptedUpload] = []
        self.part_faults: list[int] = []
        self.refusals: list[PolyreelError] = []

    def _ensure_bucket(self) -> None: ...

    def _put(
        self, key: str, source: Path | bytes, content_type: str | None, progress: Progress
    ) -> ObjectInfo:
        self.kept[key] = source if isinstance(source, bytes) else source.read_bytes()
        self.types[key] = content_type
        return ObjectInfo(key, len(self.kept[key]), 0.0)

    def _begin(self, key: str, content_type: str | None, md5: str) -> Upload:
        self.types[key] = content_type
        self.uploads.append(ScriptedUpload(self, key))
        return self.uploads[-1]

    def _open_object(self, key: str, start: int, version: str | None) -> Opened:
        self.opened.append(start)
        cut = self.cuts.pop(0) if self.cuts else None
        if key not in self.kept:
            raise NotFoundError(f"there is no {key}")
        return Opened(Body(self.kept[key][start:], cut), "v1" if self.resumes else None, self.md5)

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        yield from ()

    def _stat(self, key: str) -> ObjectInfo | None:
        return None

    def _delete(self, key: str) -> None: ...

    def _uri(self, key: str) -> str:
        return f"scripted://{key}"

    def _url(self, key: str, expires: float) -> str:
        return self._uri(key)

    def _translate(self, error: Exception) -> PolyreelError | None:
        return UnavailableError(str(error)) if isinstance(error, ConnectionError) else None


class ScriptedUpload(Upload):
    def __init__(self, store: ScriptedObjects, key: str) -> None:
        self.store, self.key = store, key
        self.parts: dict[int, bytes] = {}
        self.aborted = False

    @property
    def id(self) -> str:
        return str(id(self))

    def part(self, number: int, body: bytes) -> None:
        if number == 2 and self.store.refusals:
            raise self.store.refusals.pop(0)
        if number in self.store.part_faults:
            self.store.part_faults.remove(number)
            raise ConnectionError("cut")
        self.parts[number] = body

    def finish(self) -> ObjectInfo:
        whole = b"".join(self.parts[number] for number in sorted(self.parts))
        self.store.kept[self.key] = whole
        return ObjectInfo(self.key, len(whole), 0.0)

    def abort(self) -> None:
        self.aborted = True


class ResumingObjects(ScriptedObjects):
    resumes_uploads = True

    def _resume(self, key: str, id: str, md5: str) -> Upload | None:
        return next((each for each in self.uploads if each.id == id), None)

    def _delete(self, key: str) -> None:
        self.kept.pop(key, None)


@pytest.fixture
def objects() -> ScriptedObjects:
    return ScriptedObjects()


CONTENT = bytes(range(95))


def test_what_is_larger_than_a_part_goes_in_parts(objects: ScriptedObjects, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    for source in (CONTENT, tmp_path / "file"):
        moved: list[int] = []
        assert objects.put("a.mp4", source, progress=moved.append).size == 95
        assert objects.kept["a.mp4"] == CONTENT
        assert moved == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95]
    objects.put("b", CONTENT[:10])
    assert len(objects.uploads) == 2


def test_a_part_that_fails_is_sent_again_alone(objects: ScriptedObjects) -> None:
    objects.part_faults = [2, 2, 7]
    objects.put("a", CONTENT)
    assert objects.kept["a"] == CONTENT
    assert not objects.uploads[0].aborted


def test_an_upload_whose_part_fails_for_good_is_aborted(objects: ScriptedObjects) -> None:
    objects.kept["a"] = b"old"
    objects.part_faults = [5, 5, 5]
    with pytest.raises(UnavailableError, match="cut"):
        objects.put("a", CONTENT)
    assert objects.uploads[0].aborted
    assert objects.kept["a"] == b"old"


@pytest.mark.parametrize("refusal", [NotFoundError, RejectedError])
def test_an_upload_of_an_earlier_process_that_cant_be_gone_on_with_begins_anew(
    refusal: type[PolyreelError],
) -> None:
    objects = ResumingObjects()
    left = objects._begin("a", None, "")
    mark = Mark("a", md5(CONTENT, usedforsecurity=False).hexdigest(), left.id)
    objects.kept[mark.place] = mark.to_bytes()
    objects.refusals = [refusal("it is another's")]
    objects.put("a", CONTENT)
    assert objects.kept == {"a": CONTENT}
    assert [upload.aborted for upload in objects.uploads] == [True, False]


def test_an_upload_that_another_process_ends_begins_anew_once() -> None:
    objects = ResumingObjects()
    objects.refusals = [NotFoundError("gone")]
    moved: list[int] = []
    objects.put("a", CONTENT, progress=moved.append)
    assert objects.kept == {"a": CONTENT}
    assert moved[-1] == 95
    objects.refusals = [NotFoundError("gone"), NotFoundError("gone again")]
    with pytest.raises(NotFoundError, match="gone again"):
        objects.put("b", CONTENT)
    assert set(objects.kept) == {"a"}


@pytest.mark.parametrize(
    ("kind", "refusal"), [(ResumingObjects, RejectedError), (ScriptedObjects, NotFoundError)]
)
def test_an_upload_that_nobody_shares_and_that_is_refused_is_not_sent_again(
    kind: type[ScriptedObjects], refusal: type[PolyreelError]
) -> None:
    objects = kind()
    objects.refusals = [refusal("no")]
    with pytest.raises(refusal, match="no"):
        objects.put("a", CONTENT)
    assert [upload.aborted for upload in objects.uploads] == [True]
    assert objects.kept == {}


def test_a_file_that_changes_while_it_is_stored_makes_no_object(
    objects: ScriptedObjects, tmp_path: Path
) -> None:
    large, file = bytes(4 << 20), tmp_path / "file"
    file.write_bytes(large)
    objects.part_size, objects.parts_at_once = 1 << 20, 1

    def change(_: int) -> None:
        file.write_bytes(b"x" * len(large))

    with pytest.raises(IntegrityError, match="changed while it was stored"):
        objects.put("a", file, progress=change)
    assert objects.uploads[0].aborted
    assert objects.kept == {}


def test_parts_are_larger_where_there_would_be_too_many(
    objects: ScriptedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyreel.core.objects._MAX_PARTS", 3)
    objects.put("a", CONTENT)
    assert sorted(map(len, objects.uploads[0].parts.values())) == [31, 32, 32]


def test_a_store_that_names_a_part_size_must_take_parts(objects: ScriptedObjects) -> None:
    with pytest.raises(UnsupportedError, match="can't be put in parts"):
        ObjectStore._begin(objects, "a", None, "")


def test_a_connection_that_is_cut_is_opened_again_where_it_ended(
    objects: ScriptedObjects, tmp_path: Path
) -> None:
    objects.kept["a"] = CONTENT
    objects.md5 = md5(CONTENT).hexdigest()
    objects.cuts = [40, 0, 50]
    assert objects.read("a") == CONTENT
    objects.cuts = [40, 0, 50]
    assert objects.get("a", tmp_path / "a").read_bytes() == CONTENT
    assert objects.opened == [0, 40, 40, 90] * 2


def test_an_object_that_is_cut_again_and_again_is_given_up(objects: ScriptedObjects, tmp_path: Path) -> None:
    objects.kept["a"] = CONTENT
    objects.cuts = [40, 0, 0, 0]
    with pytest.raises(UnavailableError, match="cut"):
        objects.get("a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    assert objects.opened == [0, 40, 40]


def test_other_bytes_than_were_stored_are_noticed_at_the_end(
    objects: ScriptedObjects, tmp_path: Path
) -> None:
    objects.kept["a"] = CONTENT
    objects.md5 = md5(b"other").hexdigest()
    with pytest.raises(IntegrityError, match="scripted://a came back with other bytes"):
        objects.get("a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    with objects.open("a") as stream:
        assert stream.read(10) == CONTENT[:10]  # nobody asked for the end


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a.mp4", "video/mp4"),
        ("a/b.MKV", "video/x-matroska"),
        ("a.jpg", "image/jpeg"),
        ("a.json", "application/json"),
        ("a", None),
        ("a.unheard", None),
    ],
)
def test_the_content_type_is_told_by_the_ending(
    objects: ScriptedObjects, key: str, expected: str | None
) -> None:
    assert content_type_of(key) == expected
    objects.put(key, b"1")
    assert objects.types[key] == expected
    objects.put(key, b"1", content_type="text/plain")
    assert objects.types[key] == "text/plain"
