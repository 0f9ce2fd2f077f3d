"""Large uploads to S3 whose process is killed: the next goes on with what had come, on two real servers."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.errors import NotFoundError, RejectedError
from polyreel.core.gc import OrphanKind
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.s3_upload import S3Upload
from polyreel.testing.embedders import ColourEmbedder

from .conftest import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyreel.storage.s3 import S3Objects

pytestmark = pytest.mark.slow
MIB = 1 << 20
LARGE = random.Random(1).randbytes(11 * MIB)  # two parts of 5 MiB, and one of 1 MiB
_CHILD = """
import json, socket, sys, time
from pathlib import Path
from pydantic import SecretStr
from polyreel.storage.s3 import S3Objects

given = json.loads(sys.argv[1])
keys = {name: SecretStr(given.pop(name)) for name in ("access_key", "secret_key")}
objects = S3Objects(region="us-east-1", part_mib=5, **keys, **given)
objects.parts_at_once = 1
send, sent = socket.socket.sendall, 0

def stopping(self, data, *flags):
    global sent
    sent += len(data)
    if sent > 6 << 20:  # in the midst of the second part
        send(self, bytes(data)[: len(data) // 2], *flags)
        print("in the midst", flush=True)
        time.sleep(60)
    send(self, data, *flags)

socket.socket.sendall = stopping
objects.put("large.bin", Path(sys.argv[2]))
"""


@pytest.fixture
def objects(server: Server) -> Iterator[S3Objects]:
    with server.bucket() as objects:
        objects.part_size = 5 * MIB
        yield objects


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large.bin"
    file.write_bytes(LARGE)
    return file


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the parts that this process sends."""
    numbers: list[int] = []
    send = S3Upload.part

    def part(self: S3Upload, number: int, body: bytes) -> None:
        send(self, number, body)
        numbers.append(number)

    monkeypatch.setattr(S3Upload, "part", part)
    return numbers


def kill_in_the_midst(server: Server, objects: S3Objects, file: Path) -> None:
    """Kill a process that puts the file once its first part has come and half of its second."""
    given = {
        "bucket": objects._bucket,
        "endpoint": server.endpoint,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "checksums": server.settings.get("checksums", "when_supported"),
    }
    command = [sys.executable, "-P", "-c", _CHILD, json.dumps(given), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "in the midst\n"
        child.kill()


def client(objects: S3Objects) -> Any:
    return objects._clients.get()


def unfinished(objects: S3Objects) -> list[str]:
    """The ids of uploads that are neither made into objects nor given up."""
    found = client(objects).list_multipart_uploads(Bucket=objects._bucket).get("Uploads", ())
    return [upload["UploadId"] for upload in found]


def marks(objects: S3Objects) -> list[str]:
    return [info.key for info in objects.list("uploads/")]


def test_a_killed_upload_is_gone_on_with_by_the_next_process(
    server: Server, objects: S3Objects, large: Path, sent: list[int]
) -> None:
    kill_in_the_midst(server, objects, large)
    (before,) = unfinished(objects)
    (mark,) = marks(objects)
    assert json.loads(objects.read(mark))["upload"].endswith(f":{before}")
    assert not objects.exists("large.bin")
    moved: list[int] = []
    info = objects.put("large.bin", large, progress=moved.append)
    assert sorted(sent) == [2, 3]
    assert moved == [5 * MIB, 10 * MIB, 11 * MIB]
    assert info.size == len(LARGE)
    assert objects.read("large.bin") == LARGE
    assert (unfinished(objects), marks(objects)) == ([], [])


def test_another_file_under_the_same_key_begins_anew(
    server: Server, objects: S3Objects, large: Path, sent: list[int]
) -> None:
    kill_in_the_midst(server, objects, large)
    other = LARGE[:-1] + b"!"
    objects.put("large.bin", other)
    assert sorted(sent) == [1, 2, 3]
    assert objects.read("large.bin") == other
    assert len(unfinished(objects)) == len(marks(objects)) == 1  # the first file's, which gc finds


def test_a_part_that_isnt_what_it_was_is_sent_again(
    server: Server, objects: S3Objects, large: Path, sent: list[int]
) -> None:
    kill_in_the_midst(server, objects, large)
    at = {"Bucket": objects._bucket, "Key": "large.bin", "UploadId": unfinished(objects)[0]}
    client(objects).upload_part(**at, PartNumber=3, Body=b"?" * MIB)
    objects.put("large.bin", large)
    assert sorted(sent) == [2, 3]
    assert objects.read("large.bin") == LARGE
    assert (unfinished(objects), marks(objects)) == ([], [])


def test_an_etag_that_is_no_md5_of_the_part_is_not_trusted(
    server: Server, objects: S3Objects, large: Path, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a key service encrypts."""
    kill_in_the_midst(server, objects, large)
    lists = S3Upload._with_parts

    def listed(self: S3Upload) -> S3Upload:
        found = lists(self)
        assert found.listed
        for part in found.listed.values():
            part["ETag"] = '"1b2cf535f27731c974343645a3985328"'  # type: ignore[index]
        return found

    monkeypatch.setattr(S3Upload, "_with_parts", listed)
    objects.put("large.bin", large)
    assert sorted(sent) == [1, 2, 3]
    assert objects.read("large.bin") == LARGE
    assert (unfinished(objects), marks(objects)) == ([], [])


def test_an_upload_that_is_gone_begins_anew(
    server: Server, objects: S3Objects, large: Path, sent: list[int]
) -> None:
    kill_in_the_midst(server, objects, large)
    (id,) = unfinished(objects)
    client(objects).abort_multipart_upload(Bucket=objects._bucket, Key="large.bin", UploadId=id)
    objects.put("large.bin", large)
    assert sorted(sent) == [1, 2, 3]
    assert objects.read("large.bin") == LARGE
    assert (unfinished(objects), marks(objects)) == ([], [])


def test_a_store_that_lists_no_parts_begins_anew(
    server: Server, objects: S3Objects, large: Path, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_in_the_midst(server, objects, large)

    def refused(_: S3Upload) -> S3Upload:
        raise RejectedError("NotImplemented")

    monkeypatch.setattr(S3Upload, "_with_parts", refused)
    objects.put("large.bin", large)
    assert sorted(sent) == [1, 2, 3]
    assert objects.read("large.bin") == LARGE
    assert (unfinished(objects), marks(objects)) == ([], [])


def test_an_upload_of_other_settings_begins_anew(
    server: Server, objects: S3Objects, large: Path, sent: list[int]
) -> None:
    """What was begun without encryption doesn't end as an object that should have it."""
    kill_in_the_midst(server, objects, large)
    objects.part_size = 6 * MIB
    objects.put("large.bin", large)
    assert sorted(sent) == [1, 2]
    assert objects.read("large.bin") == LARGE
    assert (unfinished(objects), marks(objects)) == ([], [])
    with server.objects(encryption="AES256") as encrypted, server.objects() as plain:
        ids = {each._upload("a", "1", "0" * 32).id for each in (encrypted, plain)}
        assert len(ids) == 2


def test_a_mark_that_cant_be_read_is_passed_over(server: Server, objects: S3Objects, large: Path) -> None:
    kill_in_the_midst(server, objects, large)
    (mark,) = marks(objects)
    for left in (b"nonsense", json.dumps({"key": "large.bin", "md5": "0", "upload": ""}).encode()):
        objects.put(mark, left)
        objects.put("large.bin", large)
        assert objects.read("large.bin") == LARGE
        assert marks(objects) == []


def test_two_processes_that_share_an_upload_both_store_the_file(
    server: Server, objects: S3Objects, large: Path, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits in the midst of its parts until the second has gone on and made the object."""
    objects.parts_at_once = 1
    begun, done = threading.Event(), threading.Event()
    send, first = S3Upload.part, threading.current_thread()

    def part(self: S3Upload, number: int, body: bytes) -> None:
        if number == 2 and not begun.is_set():
            begun.set()
            assert done.wait(60)
        send(self, number, body)

    monkeypatch.setattr(S3Upload, "part", part)
    waiting = threading.Thread(target=objects.put, args=("large.bin", large))
    waiting.start()
    assert begun.wait(60)
    assert first.is_alive()
    objects.put("large.bin", large)
    assert sorted(sent) == [1, 2, 3]  # the first part came from the other
    done.set()
    waiting.join(60)
    assert objects.read("large.bin") == LARGE
    assert (unfinished(objects), marks(objects)) == ([], [])


def test_a_part_that_another_process_sent_anew_is_not_found(swift: Server) -> None:
    """As its ETag tells, where that is no MD5: the first one then begins anew."""
    with swift.bucket() as objects:
        upload = objects._begin("large.bin", None, "0" * 32)
        upload.part(1, LARGE[: 5 * MIB])
        again = objects._resume("large.bin", upload.id, "0" * 32)
        assert again is not None
        again.part(1, b"?" * (5 * MIB))
        with pytest.raises(NotFoundError, match="InvalidPart"):
            upload.finish()
        upload.abort()


def test_the_parts_of_a_long_upload_are_listed_page_by_page(
    objects: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = objects._begin("large.bin", None, "0" * 32)
    pieces = {number: LARGE[(number - 1) * 5 * MIB : number * 5 * MIB] for number in (1, 2, 3)}
    for number in (1, 2):
        upload.part(number, pieces[number])
    driver, pages = client(objects), []
    real = driver.list_parts

    def list_parts(**given: Any) -> Any:
        pages.append(real(**given, MaxParts=1))
        return pages[-1]

    monkeypatch.setattr(driver, "list_parts", list_parts)
    again = objects._resume("large.bin", upload.id, "0" * 32)
    assert again is not None
    assert len(pages) >= 2
    assert [again.arrived(number, body) for number, body in pieces.items()] == [True, True, False]
    upload.abort()


def test_gc_finds_and_deletes_what_nobody_goes_on_with(
    server: Server, objects: S3Objects, large: Path, tmp_path: Path
) -> None:
    kill_in_the_midst(server, objects, large)
    stack = Stack("test", MemoryStore(), ColourEmbedder(), objects, tmp_path / "state")
    with VideoSearch(stack, media) as search:
        young = search.gc(delete=True).orphans[OrphanKind.UPLOAD]
        assert (young.count, young.waiting) == (1, 1)
        assert len(unfinished(objects)) == 1
        time.sleep(1.1)  # Swift tells times in whole seconds, the next one
        assert search.gc(delete=True, older_than=0).deleted == 1
        assert (unfinished(objects), marks(objects)) == ([], [])
