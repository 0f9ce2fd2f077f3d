"""Large uploads whose process is killed: the next one goes on with what had come, or gc takes it away."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.errors import AuthenticationError
from polyreel.core.gc import OrphanKind
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.testing.embedders import ColourEmbedder
from polyreel.testing.faults import Fault
from polyreel.testing.tos import Emulator, Settings, emulating

if TYPE_CHECKING:
    from polyreel.storage.tos import TosObjects

    from .conftest import Connect

BUCKET = "video-demo1"
LARGE = bytes(range(256)) * (44 << 10)  # 11 MiB: three parts of 5 MiB
_CHILD = """
import sys
from pathlib import Path
from pydantic import SecretStr
from polyreel.storage.tos import TosObjects
endpoint, proxy, file = sys.argv[1:]
objects = TosObjects(bucket="video-demo1", endpoint=endpoint, proxy=proxy, access_key="AKTEST",
                     secret_key=SecretStr("SKTEST"), part_mib=5, patience=60.0)
objects.parts_at_once = 1
objects.put("large.bin", Path(file))
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large.bin"
    file.write_bytes(LARGE)
    return file


@pytest.fixture
def objects(emulator: Emulator, connect: Connect) -> TosObjects:
    objects = connect(emulator, part_mib=5)
    objects.ensure_bucket()
    return objects


def parts(emulator: Emulator) -> list[str]:
    """The numbers of the parts that were sent, in order."""
    targets = [seen.query for seen in emulator.seen if seen.method == "PUT" and "partNumber=" in seen.query]
    return [query.partition("partNumber=")[2].partition("&")[0] for query in targets]


def kill_in_the_middle(emulator: Emulator, file: Path) -> None:
    """Kill a process that puts the file once its first part has come and its second hangs."""
    emulator.faults.plan("partNumber=2", Fault(hang=60.0))
    command = [sys.executable, "-P", "-c", _CHILD, emulator.endpoint, emulator.url, str(file)]
    with subprocess.Popen(command) as child:
        end = time.monotonic() + 30
        while emulator.faults.left:
            assert time.monotonic() < end
            assert child.poll() is None
            time.sleep(0.02)
        child.kill()


def left(emulator: Emulator) -> tuple[int, list[str]]:
    """How many uploads are unfinished, and which objects there are."""
    bucket = emulator.buckets[BUCKET]
    return len(bucket.uploads), sorted(key.partition("/")[0] for key in bucket.objects)


def test_a_killed_upload_is_gone_on_with_by_the_next_process(
    emulator: Emulator, objects: TosObjects, large: Path
) -> None:
    kill_in_the_middle(emulator, large)
    assert left(emulator) == (1, ["uploads"])
    (upload,) = emulator.buckets[BUCKET].uploads.values()
    assert 1 in upload.parts
    before = len(parts(emulator))
    moved: list[int] = []
    info = objects.put("large.bin", large, progress=moved.append)
    again = parts(emulator)[before:]
    assert "1" not in again
    assert "3" in again  # the second may have come when the process was gone already
    assert moved == [5 << 20, 10 << 20, 11 << 20]
    assert info.size == len(LARGE)
    assert objects.read("large.bin") == LARGE
    assert left(emulator) == (0, ["large.bin"])


def test_another_file_under_the_same_key_begins_anew(
    emulator: Emulator, objects: TosObjects, large: Path
) -> None:
    kill_in_the_middle(emulator, large)
    other = LARGE[:-1] + b"!"
    before = len(parts(emulator))
    objects.put("large.bin", other)
    assert sorted(parts(emulator)[before:]) == ["1", "2", "3"]
    assert objects.read("large.bin") == other
    assert left(emulator)[0] == 1  # the first file's, which gc finds


def test_a_part_that_isnt_what_it_was_is_sent_again(
    emulator: Emulator, objects: TosObjects, large: Path
) -> None:
    kill_in_the_middle(emulator, large)
    (upload,) = emulator.buckets[BUCKET].uploads.values()
    upload.parts[1] = b"?" + upload.parts[1][1:]
    objects.put("large.bin", large)
    assert objects.read("large.bin") == LARGE


def test_an_upload_that_is_gone_begins_anew(emulator: Emulator, objects: TosObjects, large: Path) -> None:
    kill_in_the_middle(emulator, large)
    emulator.buckets[BUCKET].uploads.clear()
    objects.put("large.bin", large)
    assert objects.read("large.bin") == LARGE
    assert left(emulator) == (0, ["large.bin"])


def test_a_mark_that_cant_be_read_is_passed_over(
    emulator: Emulator, objects: TosObjects, large: Path
) -> None:
    kill_in_the_middle(emulator, large)
    bucket = emulator.buckets[BUCKET]
    (mark,) = bucket.objects
    objects.put(mark, b"nonsense")
    objects.put("large.bin", large)
    assert objects.read("large.bin") == LARGE


def test_an_upload_that_fails_leaves_no_mark(emulator: Emulator, objects: TosObjects) -> None:
    emulator.faults.plan("partNumber=2", *[Fault(403, "AccessDenied")] * 3)
    with pytest.raises(AuthenticationError):
        objects.put("a", LARGE)
    assert left(emulator) == (0, [])


def test_the_parts_of_a_long_upload_are_listed_page_by_page(connect: Connect, large: Path) -> None:
    with emulating(Settings(page=1)) as emulator:
        objects = connect(emulator, part_mib=5)
        objects.ensure_bucket()
        upload = objects._begin("large.bin", None, "0" * 32)
        for number in (1, 2):
            upload.part(number, LARGE[(number - 1) * (5 << 20) : number * (5 << 20)])
        again = objects._resume("large.bin", upload.id, "0" * 32)
        assert again is not None
        assert [again.arrived(n, LARGE[(n - 1) * (5 << 20) : n * (5 << 20)]) for n in (1, 2, 3)] == [
            True, True, False,
        ]  # fmt: skip


def test_gc_finds_and_deletes_what_nobody_goes_on_with(
    emulator: Emulator, objects: TosObjects, large: Path, tmp_path: Path
) -> None:
    kill_in_the_middle(emulator, large)
    stack = Stack("test", MemoryStore(), ColourEmbedder(), objects, tmp_path / "state")
    with VideoSearch(stack, media) as search:
        young = search.gc(delete=True).orphans[OrphanKind.UPLOAD]
        assert (young.count, young.waiting) == (1, 1)
        assert left(emulator) == (1, ["uploads"])
        bucket = emulator.buckets[BUCKET]
        for key, stored in list(bucket.objects.items()):
            bucket.objects[key] = replace(stored, modified=stored.modified.replace(year=2020))
        assert search.gc(delete=True).deleted == 1
        assert left(emulator) == (0, [])
        assert search.gc().orphans[OrphanKind.UPLOAD].count == 0
