"""TOS when it refuses, fails, cuts and damages: what is tried again, what is told, what is left behind."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    IntegrityError,
    InvalidQueryError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from polyreel.testing.emulation import Answered
from polyreel.testing.faults import Fault
from polyreel.testing.tos import Settings, emulating
from polyreel.testing.web import send, serving

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.storage.tos import TosObjects
    from polyreel.testing.tos import Emulator

    from .conftest import Connect

BUCKET = "video-demo1"
LARGE = bytes(range(256)) * (44 << 10)  # 11 MiB: three parts of 5 MiB


def calls(emulator: Emulator, part: str) -> list[str]:
    """Method and query of the requests whose target has the part."""
    return [f"{seen.method} {seen.query}".strip() for seen in emulator.seen if part in seen.target]


def told_wrongly(answered: Answered) -> Answered:
    """With another checksum than that of the bytes."""
    return replace(answered, headers={**answered.headers, "x-tos-hash-crc64ecma": "1"})


def failure(objects: TosObjects) -> PolyreelError:
    """The error of reading an object: one line that says no secret."""
    with pytest.raises(PolyreelError) as caught:
        objects.read("a")
    assert "\n" not in str(caught.value)
    for text in (str(caught.value), repr(caught.value)):
        assert "SKTEST" not in text
        assert "Signature" not in text or "SignatureDoesNotMatch" in text
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", NotFoundError),
        (404, "NoSuchBucket", NotFoundError),
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (403, "AccessDenied", AuthenticationError),
        (403, "Unheard", AuthenticationError),
        (403, "RequestTimeTooSkewed", AuthenticationError),
        (403, "InvalidObjectState", RejectedError),
        (400, "Unheard", RejectedError),
        (412, "PreconditionFailed", IntegrityError),
    ],
)
def test_what_fails_for_good_is_asked_once(
    emulator: Emulator, objects: TosObjects, status: int, code: str, error: type[PolyreelError]
) -> None:
    emulator.faults.plan("GET /a", *[Fault(status=status, code=code)] * 9)
    said = failure(objects)
    assert type(said) is error
    assert said.message == f"tos://video-demo1/a: {code} on command"
    assert said.request_id is not None
    assert said.request_id.startswith("emulated-")
    assert emulator.faults.left == 8


@pytest.mark.parametrize("fault", [Fault(500), Fault(502), Fault(408), Fault(cut=True)], ids=str)
def test_what_may_pass_is_tried_again_by_us_alone(
    emulator: Emulator, objects: TosObjects, fault: Fault
) -> None:
    objects.put("a", b"whole")
    emulator.faults.plan("GET /a", fault, fault)
    assert objects.read("a") == b"whole"
    emulator.faults.plan("GET /a", *[fault] * 9)
    assert type(failure(objects)) is UnavailableError
    assert emulator.faults.left == 6


@pytest.mark.parametrize(("status", "code"), [(429, "TooManyRequests"), (503, "ServiceUnavailable")])
def test_a_store_that_wants_fewer_requests_is_asked_after_its_wait(
    emulator: Emulator, objects: TosObjects, waits: list[float], status: int, code: str
) -> None:
    objects.put("a", b"whole")
    emulator.faults.plan("GET /a", Fault(status=status, code=code, retry_after=7))
    assert objects.read("a") == b"whole"
    assert waits == [7.0]
    emulator.faults.plan("GET /a", *[Fault(status=status, code=code)] * 3)
    assert isinstance(failure(objects), RateLimitedError)


def test_a_store_that_falls_silent_is_left_in_time(emulator: Emulator, connect: Connect) -> None:
    emulator.faults.plan("/a", *[Fault(hang=30.0)] * 3)
    once = RetryPolicy(attempts=1)
    for settings in ({"patience": 0.3}, {"patience": 20.0, "timeout": 0.5}):
        begun = time.monotonic()
        with connect(emulator, retry=once, **settings) as objects:
            said = failure(objects)
        assert time.monotonic() - begun < 10
        assert isinstance(said, UnavailableError)
        assert "no whole answer from http://video-demo1.tos-cn-beijing.volces.com (ReadTimeout)" in str(said)


def test_a_body_that_is_cut_is_read_on_from_there(
    emulator: Emulator, objects: TosObjects, tmp_path: Path
) -> None:
    objects.put("a", LARGE)
    emulator.faults.plan("GET /a", Fault(truncate=True), Fault(500), Fault(truncate=True))
    moved: list[int] = []
    assert objects.get("a", tmp_path / "a", progress=moved.append).read_bytes() == LARGE
    starts = [
        seen.headers.get("range") for seen in emulator.seen if (seen.method, seen.path) == ("GET", "/a")
    ]
    assert starts[0] is None
    assert all(start and start.startswith("bytes=") and start.endswith("-") for start in starts[1:])
    assert moved == sorted(moved)
    assert all("if-match" in seen.headers for seen in emulator.seen if "range" in seen.headers)


def test_an_object_that_was_replaced_meanwhile_is_not_joined_to_the_old_one(
    emulator: Emulator, objects: TosObjects, tmp_path: Path
) -> None:
    objects.put("a", LARGE)
    emulator.faults.plan("GET /a", Fault(truncate=True))

    def put_another(moved: int) -> None:
        if moved == 1 << 20:
            objects.put("a", b"new" * 4_000_000)

    with pytest.raises(IntegrityError, match="replaced while it was read"):
        objects.get("a", tmp_path / "a", progress=put_another)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stranger", [False, True])
def test_damaged_bytes_are_noticed_and_leave_no_file(
    emulator: Emulator, objects: TosObjects, tmp_path: Path, stranger: bool
) -> None:
    objects.put("a", b"what was stored")
    if stranger:  # whose objects carry no MD5 of ours: then the CRC64 tells
        kept = emulator.buckets[BUCKET].objects
        kept["a"] = replace(kept["a"], headers={})
    emulator.damage(BUCKET, "a")
    for read in (lambda: objects.read("a"), lambda: objects.get("a", tmp_path / "a")):
        with pytest.raises(IntegrityError, match="tos://video-demo1/a"):
            read()
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_arrive_damaged_are_sent_again(
    emulator: Emulator, objects: TosObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([1, 2])
    real = emulator._put

    def put(bucket: Any, key: str, seen: Any) -> Any:
        answered = real(bucket, key, seen)
        return told_wrongly(answered) if next(answers, 3) == 1 else answered

    monkeypatch.setattr(emulator, "_put", put)
    objects.put("a", b"whole")
    assert calls(emulator, "PUT /a") == ["PUT", "PUT"]


def test_only_the_part_that_failed_is_sent_again(emulator: Emulator, connect: Connect) -> None:
    emulator.faults.plan("partNumber=2", Fault(500), Fault(cut=True))
    moved: list[int] = []
    with connect(emulator, part_mib=5) as objects:
        objects.ensure_bucket()
        info = objects.put("a", LARGE, progress=moved.append)
    assert moved == [5 << 20, 10 << 20, 11 << 20]
    assert info.size == len(LARGE)
    assert info.checksum is not None
    assert info.checksum.endswith("-3")
    assert [len(calls(emulator, f"partNumber={number}")) for number in (1, 2, 3)] == [1, 1, 1]
    stored = emulator.buckets[BUCKET].objects["a"]
    assert stored.data == LARGE
    assert emulator.buckets[BUCKET].uploads == {}


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidArgument"])
def test_an_upload_that_fails_leaves_no_parts(emulator: Emulator, connect: Connect, code: str) -> None:
    emulator.faults.plan("partNumber=2", *[Fault(403, code)] * 3)
    with connect(emulator, part_mib=5) as objects:
        objects.ensure_bucket()
        with pytest.raises(AuthenticationError):
            objects.put("a", LARGE)
        assert not objects.exists("a")
    assert calls(emulator, "DELETE /a")
    assert emulator.buckets[BUCKET].uploads == {}


def test_an_upload_whose_last_answer_was_lost_is_known_again(emulator: Emulator, connect: Connect) -> None:
    with connect(emulator, part_mib=5) as objects:
        objects.ensure_bucket()
        emulator.faults.plan("POST /a?uploadId", Fault(cut=True, applied=True))
        assert objects.put("a", LARGE).size == len(LARGE)
        assert objects.read("a") == LARGE
        emulator.faults.plan("POST /b?uploadId", Fault(404, "NoSuchUpload"))
        objects.put("b", LARGE)  # gone, and no such object: it was never finished, and begins anew
        assert objects.read("b") == LARGE
        emulator.faults.plan("POST /c?uploadId", *[Fault(404, "NoSuchUpload")] * 2)
        with pytest.raises(NotFoundError):
            objects.put("c", LARGE)


def test_an_object_that_tos_made_wrongly_of_its_parts_is_told(
    emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = emulator._completed

    def complete(*given: Any) -> Any:
        return told_wrongly(real(*given))

    monkeypatch.setattr(emulator, "_completed", complete)
    with connect(emulator, part_mib=5) as objects:
        objects.ensure_bucket()
        with pytest.raises(IntegrityError, match="by its CRC64"):
            objects.put("a", LARGE)


def test_a_bucket_is_made_as_it_is_configured(emulator: Emulator, connect: Connect) -> None:
    settings = {"acl": "private", "storage_class": "IA", "az_redundancy": "multi-az"}
    with connect(emulator, **settings) as objects:
        objects.ensure_bucket()
        objects.ensure_bucket()
    made = emulator.buckets[BUCKET].headers
    assert made["x-tos-acl"] == "private"
    assert made["x-tos-storage-class"] == "IA"
    assert made["x-tos-az-redundancy"] == "multi-az"
    assert [call for call in calls(emulator, " /?") if call.startswith("PUT")] == ["PUT"]


def test_a_bucket_that_another_process_made_meanwhile_is_taken(emulator: Emulator, connect: Connect) -> None:
    with connect(emulator) as objects, connect(emulator) as other:
        other.ensure_bucket()
        emulator.faults.plan("HEAD /?", Fault(404))
        objects.ensure_bucket()
        objects.put("a", b"1")
        assert other.read("a") == b"1"


def test_a_bucket_of_somebody_else_is_refused(connect: Connect) -> None:
    with (
        emulating(Settings(strangers=frozenset({BUCKET}))) as emulator,
        connect(emulator) as objects,
        pytest.raises(AuthenticationError, match="video-demo1"),
    ):
        objects.ensure_bucket()


def test_a_bucket_that_is_not_there_is_told_from_an_object_that_is_not(
    emulator: Emulator, connect: Connect
) -> None:
    with connect(emulator) as objects:
        for call in (lambda: objects.stat("a"), lambda: objects.read("a"), lambda: list(objects.list())):
            with pytest.raises(NotFoundError, match="bucket"):
                call()
        objects.ensure_bucket()
        assert objects.stat("a") is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"secret_key": SecretStr("another")}, "SignatureDoesNotMatch"),
        ({"access_key": "AKOTHER"}, "InvalidAccessKeyId"),
        ({"region": "cn-shanghai"}, "SignatureDoesNotMatch"),
        ({"session_token": SecretStr("t")}, "InvalidSecurityToken"),
    ],
)
def test_a_caller_who_is_not_let_in_is_told_what_to_check(
    emulator: Emulator, objects: TosObjects, connect: Connect, settings: dict[str, Any], error: str
) -> None:
    with connect(emulator, **settings) as other:
        said = failure(other)
    assert isinstance(said, AuthenticationError)
    assert error in str(said)
    assert said.hint is not None


def test_temporary_keys_and_keys_of_the_environment_sign_as_well(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with emulating(Settings(session_token="sts")) as emulator:
        with connect(emulator, session_token=SecretStr("sts")) as objects:
            objects.ensure_bucket()
            objects.put("a", b"1")
        with connect(emulator, access_key=None, secret_key=None) as objects:
            with pytest.raises(ConfigurationError, match="TOS_ACCESS_KEY"):
                objects.read("a")
            monkeypatch.setenv("TOS_ACCESS_KEY", "AKTEST")
            monkeypatch.setenv("TOS_SECRET_KEY", "SKTEST")
            monkeypatch.setenv("TOS_SECURITY_TOKEN", "sts")
            assert objects.read("a") == b"1"


def test_a_login_in_netrc_does_not_take_the_place_of_the_signature(
    emulator: Emulator, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with connect(emulator) as objects:
        objects.ensure_bucket()
        assert objects.put("a", b"1").size == 1


def test_no_log_line_has_a_secret(
    emulator: Emulator, objects: TosObjects, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.plan("GET /a", *[Fault(500)] * 3)
    with caplog.at_level(logging.INFO):
        failure(objects)
    assert "retry" in caplog.text
    assert "SKTEST" not in caplog.text
    assert "Credential=" not in caplog.text


def test_nothing_is_printed_however_slow_the_store_is(
    emulator: Emulator,
    objects: TosObjects,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    emulator.faults.plan("PUT /a", Fault(hang=0.8))
    objects.put("a", b"1")
    assert capsys.readouterr() == ("", "")
    assert "latency" not in caplog.text


def test_how_other_users_of_the_http_library_connect_stays_as_it_was(
    emulator: Emulator, objects: TosObjects
) -> None:
    from urllib3.util import connection

    objects.put("a", b"1")
    assert connection.create_connection.__module__ == "urllib3.util.connection"


def test_an_answer_that_is_no_text_is_told(connect: Connect, emulator: Emulator) -> None:
    with serving() as site:
        site.answers["/a"] = lambda handler, _: send(handler, 400, "出错了".encode("gbk"))
        settings = {"endpoint": f"http://{site.address}", "custom_domain": True, "proxy": None}
        with connect(emulator, **settings) as objects:
            assert isinstance(failure(objects), UnavailableError)


def test_a_listing_that_goes_round_ends(emulator: Emulator, connect: Connect) -> None:
    entry = b'{"Key":"a","Size":1,"ETag":"\\"e\\"","LastModified":"2026-01-01T00:00:00.000Z"}'
    page = b'{"IsTruncated":true,"NextContinuationToken":"t","Contents":[' + entry + b"]}"
    with serving() as site:
        site.answers["/"] = lambda handler, _: send(handler, 200, page)
        settings = {"endpoint": f"http://{site.address}", "custom_domain": True, "proxy": None}
        with (
            connect(emulator, **settings) as objects,
            pytest.raises(UnavailableError, match="the same page again"),
        ):
            list(objects.list())


def test_a_page_of_a_listing_is_tried_again_and_strange_keys_are_left_out(connect: Connect) -> None:
    with emulating(Settings(page=2)) as emulator, connect(emulator) as objects:
        objects.ensure_bucket()
        for key in ("p/a", "p/b", "p/c"):
            objects.put(key, b"x")
        bucket = emulator.buckets[BUCKET]
        bucket.objects["p/b/"] = bucket.objects["p/a"]
        emulator.faults.plan("GET /?", None, Fault(500))
        assert [info.key for info in objects.list("p/")] == ["p/a", "p/b", "p/c"]


@pytest.mark.parametrize("key", ["100%.mp4", "海滩 1.mp4", "why?#1.mp4"])
def test_an_address_is_taken_as_people_type_it(objects: TosObjects, key: str) -> None:
    assert objects.key(objects.uri(key)) == key
    assert objects.key(f"tos://{BUCKET}/{key}") == key
    assert objects.uri("海滩 1.mp4") == "tos://video-demo1/海滩 1.mp4"


@pytest.mark.parametrize("expires", [0.0, 604_801.0])
def test_an_address_is_signed_for_a_week_at_most(objects: TosObjects, expires: float) -> None:
    with pytest.raises(InvalidQueryError, match="604800"):
        objects.url("a", expires=expires)


def test_a_public_address_stands_in_for_signed_ones(emulator: Emulator, connect: Connect) -> None:
    with connect(emulator, public_url="https://cdn.example.com/films/", prefix="p") as objects:
        assert objects.url("海.mp4") == "https://cdn.example.com/films/p/%E6%B5%B7.mp4"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bucket": "Upper"}, "can't be the name"),
        ({"bucket": "a"}, "can't be the name"),
        ({"part_mib": 4}, "at least 5 MiB"),
        ({"endpoint": "https://tos-s3-cn-beijing.volces.com"}, "write tos-cn-beijing.volces.com"),
        ({"endpoint": "tos-cn-beijing.volces.com"}, "must begin with https://"),
        ({"endpoint": None, "custom_domain": True}, "the bucket's own domain"),
        ({"region": "cn beijing"}, "cn-beijing"),
        ({"secret_key": None}, "belong together"),
        ({"proxy": "127.0.0.1:80"}, "proxy must begin"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(
    emulator: Emulator, connect: Connect, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        connect(emulator, **settings)
