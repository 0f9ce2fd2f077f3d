"""S3 on a server that misbehaves on demand: what is tried again, what is told, and what is left behind."""

from __future__ import annotations

import hashlib
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from polyreel.core.upload_marks import Mark
from polyreel.storage.s3 import S3Objects
from polyreel.testing.web import Site, cut, send, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

SECRET = "hunter2-secret-key"
KEY = "/bucket/a"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def waits() -> list[float]:
    return []


def connected(site: Site | str, waits: list[float] | None = None, **settings: Any) -> S3Objects:
    endpoint = site if isinstance(site, str) else f"http://{site.address}"
    heard: list[float] = [] if waits is None else waits
    retry = RetryPolicy(attempts=3, base=0.001, cap=0.01, sleep=heard.append)
    keys = {"access_key": SecretStr("access"), "secret_key": SecretStr(SECRET)}
    given = {"bucket": "bucket", "endpoint": endpoint, "region": "us-east-1", "patience": 1.0, **keys}
    return S3Objects(**{"retry": retry, **given, **settings})


def error_body(code: str, message: str = "what the store says") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def failure(objects: S3Objects) -> PolyreelError:
    """The error of reading an object, which says no secret."""
    with objects, pytest.raises(PolyreelError) as caught:
        objects.read("a")
    for text in (str(caught.value), repr(caught.value), str(caught.value.__cause__)):
        assert SECRET not in text
        assert "Signature=" not in text
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", NotFoundError),
        (404, "NoSuchBucket", NotFoundError),
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (403, "InvalidAccessKeyId", AuthenticationError),
        (403, "AccessDenied", AuthenticationError),
        (400, "ExpiredToken", AuthenticationError),
        (403, "RequestTimeTooSkewed", AuthenticationError),
        (400, "AuthorizationHeaderMalformed", ConfigurationError),
        (403, "InvalidObjectState", RejectedError),
        (400, "Unheard", RejectedError),
        (411, "MissingContentLength", RejectedError),
        (501, "NotImplemented", RejectedError),
        (412, "PreconditionFailed", IntegrityError),
        (416, "InvalidRange", IntegrityError),
    ],
)
def test_what_fails_for_good_is_asked_once(
    site: Site, status: int, code: str, error: type[PolyreelError]
) -> None:
    site.answers[KEY] = lambda handler, _: send(
        handler, status, error_body(code), x_amz_request_id="REQUEST-7"
    )
    said = failure(connected(site))
    assert type(said) is error
    assert said.message == f"s3://bucket/a: {code} what the store says"
    assert said.request_id == "REQUEST-7"
    assert site.asked[KEY] == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalError"), (502, ""), (504, ""), (400, "RequestTimeout"), (400, "BadDigest")],
)
def test_what_may_pass_is_tried_again_by_us_alone(site: Site, status: int, code: str) -> None:
    site.answers[KEY] = lambda handler, _: send(handler, status, error_body(code))
    assert type(failure(connected(site))) is UnavailableError
    assert site.asked[KEY] == 3


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (503, "ServiceUnavailable"), (429, "")])
def test_a_store_that_wants_fewer_requests_is_asked_after_its_wait(
    site: Site, waits: list[float], status: int, code: str
) -> None:
    site.answers[KEY] = lambda handler, turn: (
        send(handler, status, error_body(code), Retry_After="7")
        if turn == 1
        else send(handler, 200, b"whole")
    )
    with connected(site, waits) as objects:
        assert objects.read("a") == b"whole"
    assert waits == [7.0]


def test_too_many_requests_without_end_are_told(site: Site, waits: list[float]) -> None:
    site.answers[KEY] = lambda handler, _: send(handler, 503, error_body("SlowDown"))
    said = failure(connected(site, waits))
    assert isinstance(said, RateLimitedError)
    assert said.retry_after is None
    assert len(waits) == 2


def test_a_bucket_that_is_refused_without_a_word_says_what_may_be_wrong(site: Site) -> None:
    site.answers["/bucket"] = lambda handler, _: send(handler, 400)
    with connected(site) as objects, pytest.raises(RejectedError, match="bucket's name and the region"):
        objects.ensure_bucket()


def test_a_server_that_falls_silent_is_left_in_time(site: Site) -> None:
    silent = threading.Event()
    site.answers[KEY] = lambda handler, _: silent.wait(60)
    begun = time.monotonic()
    said = failure(connected(site, patience=0.3, retry=RetryPolicy(attempts=1)))
    assert time.monotonic() - begun < 30
    silent.set()
    assert isinstance(said, UnavailableError)
    assert "ReadTimeoutError" in said.message


def test_the_deadline_shortens_the_patience(site: Site) -> None:
    silent = threading.Event()
    site.answers[KEY] = lambda handler, _: silent.wait(60)
    begun = time.monotonic()
    failure(connected(site, patience=40.0, timeout=0.6, retry=RetryPolicy(attempts=1)))
    silent.set()
    assert time.monotonic() - begun < 30


def test_a_server_that_is_not_there_is_named(waits: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    said = failure(connected(endpoint, waits))
    assert isinstance(said, UnavailableError)
    assert f"no whole answer from {endpoint} (EndpointConnectionError)" in said.message
    assert said.hint is not None
    assert "the server runs" in said.hint
    assert len(waits) == 2


def test_a_body_that_is_cut_is_read_on_from_there(site: Site, tmp_path: Path) -> None:
    body = bytes(range(256)) * 20_000

    def answer(handler: BaseHTTPRequestHandler, turn: int) -> None:
        start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        starts.append(start)
        if turn == 1:
            handler.send_response(200)
            handler.send_header("ETag", '"one"')
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:3_000_000])
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
        else:
            assert handler.headers["If-Match"] == '"one"'
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            send(handler, 206, body[start:], ETag='"one"', Content_Range=span)

    starts: list[int] = []
    site.answers[KEY] = answer
    with connected(site) as objects:
        assert objects.get("a", tmp_path / "a").read_bytes() == body
    assert starts[0] == 0
    assert 1_000_000 <= starts[1] <= 3_000_000
    assert len(starts) == 2


def test_an_object_that_was_replaced_meanwhile_is_not_joined_to_the_old_one(
    site: Site, tmp_path: Path
) -> None:
    def answer(handler: BaseHTTPRequestHandler, turn: int) -> None:
        cut(handler, b"o" * 100_000, 50_000) if turn == 1 else send(handler, 412)

    site.answers[KEY] = answer
    with connected(site) as objects, pytest.raises((IntegrityError, UnavailableError)):
        objects.get("a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("by", ["metadata", "etag"])
def test_damaged_bytes_are_noticed_and_leave_no_file(site: Site, tmp_path: Path, by: str) -> None:
    digest = hashlib.md5(b"what was stored").hexdigest()
    marks = (
        {"x_amz_meta_Polyreel_Md5": digest, "ETag": '"x"'} if by == "metadata" else {"ETag": f'"{digest}"'}
    )
    site.answers[KEY] = lambda handler, _: send(handler, 200, b"what was mangled", **marks)
    with connected(site, checksums="when_required") as objects:
        for read in (lambda: objects.read("a"), lambda: objects.get("a", tmp_path / "a")):
            with pytest.raises(IntegrityError, match="s3://bucket/a came back with other bytes"):
                read()
    assert list(tmp_path.iterdir()) == []
    assert site.asked[KEY] == 2


class Multipart:
    """Answers the calls of one upload in parts; `faults` are statuses of the first tries of parts."""

    def __init__(self, site: Site, faults: dict[int, int]) -> None:
        self.calls: list[str] = []
        self.faults = faults
        self.lost = False
        self.marks: list[str] = []
        site.answers[KEY] = self.answer
        site.answers[f"/bucket/{Mark('a', hashlib.md5(LARGE, usedforsecurity=False).hexdigest()).place}"] = (
            self.mark
        )

    def mark(self, handler: BaseHTTPRequestHandler, _: int) -> None:
        self.marks.append(handler.command)
        send(handler, {"GET": 404, "PUT": 200, "DELETE": 204}[handler.command])

    def answer(self, handler: BaseHTTPRequestHandler, _: int) -> None:
        query = parse_qs(urlsplit(handler.path).query, keep_blank_values=True)
        number = int(query.get("partNumber", ["0"])[0])
        self.calls.append(f"{handler.command} {number or ''}".strip())
        if "uploads" in query:
            send(handler, 200, b"<R><Bucket>bucket</Bucket><Key>a</Key><UploadId>u1</UploadId></R>")
        elif number:
            send(handler, self.faults.pop(number, 200), ETag=f'"{number}"')
        elif handler.command == "DELETE":
            send(handler, 204)
        elif self.lost:
            send(handler, 404, error_body("NoSuchUpload"))
        else:
            send(handler, 200, b'<R><ETag>"whole-3"</ETag></R>')


LARGE = bytes(17 << 20)  # three parts of 8 MiB


def test_only_the_part_that_failed_is_sent_again(site: Site) -> None:
    upload = Multipart(site, {2: 500})
    moved: list[int] = []
    with connected(site) as objects:
        info = objects.put("a", LARGE, progress=moved.append)
    assert (info.size, info.checksum) == (len(LARGE), "whole-3")
    assert moved == [8 << 20, 16 << 20, 17 << 20]
    assert sorted(upload.calls) == ["POST", "POST", "PUT 1", "PUT 2", "PUT 2", "PUT 3"]
    assert upload.marks == ["GET", "PUT", "DELETE"]


def test_an_upload_that_fails_is_aborted(site: Site) -> None:
    upload = Multipart(site, {2: 403})
    with connected(site) as objects, pytest.raises(AuthenticationError):
        objects.put("a", LARGE)
    assert upload.calls[-1] == "DELETE"
    assert upload.calls.count("POST") == 1
    assert upload.marks == ["GET", "PUT", "DELETE"]


def test_an_upload_that_is_stopped_is_aborted(site: Site, tmp_path: Path) -> None:
    upload = Multipart(site, {})
    (tmp_path / "large").write_bytes(LARGE)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with connected(site) as objects, pytest.raises(KeyboardInterrupt):
        objects.put("a", tmp_path / "large", progress=stop)
    assert upload.calls[-1] == "DELETE"


def test_a_transfer_that_takes_too_long_is_stopped_and_tidied_up(site: Site, tmp_path: Path) -> None:
    upload = Multipart(site, {})
    with connected(site, transfer_timeout=0.0) as objects:
        with pytest.raises(UnavailableError, match="took longer"):
            objects.put("a", LARGE)
        assert upload.calls == ["POST", "DELETE"]
        site.answers[KEY] = lambda handler, _: send(handler, 200, b"1")
        with pytest.raises(UnavailableError, match="took longer"):
            objects.get("a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_an_upload_that_is_gone_was_not_finished_unless_the_object_is_there(site: Site) -> None:
    upload = Multipart(site, {})
    upload.lost = True
    with connected(site) as objects, pytest.raises(PolyreelError):
        objects.put("a", LARGE)
    assert upload.calls[-1] == "DELETE"


def test_options_go_with_every_object(site: Site) -> None:
    site.answers[KEY] = lambda handler, _: send(handler, 200, ETag='"1"')
    settings: dict[str, Any] = {
        "encryption": "aws:kms",
        "kms_key_id": "k1",
        "storage_class": "STANDARD_IA",
        "acl": "public-read",
    }
    with connected(site, **settings) as objects:
        objects.put("a", b"1", content_type="video/mp4")
    sent = {name.lower(): value for name, value in site.headers[-1].items()}
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "k1"
    assert (sent["x-amz-storage-class"], sent["x-amz-acl"]) == ("STANDARD_IA", "public-read")
    assert sent["content-type"] == "video/mp4"
    assert sent["x-amz-meta-polyreel-md5"] == hashlib.md5(b"1").hexdigest()


@pytest.mark.parametrize(
    ("mode", "header"), [("when_supported", "x-amz-checksum-crc32"), ("when_required", "content-md5")]
)
def test_what_is_sent_carries_a_checksum_in_either_mode(site: Site, mode: str, header: str) -> None:
    site.answers[KEY] = lambda handler, _: send(handler, 200, ETag='"1"')
    with connected(site, checksums=mode) as objects:
        objects.put("a", b"1")
    assert header in {name.lower() for name in site.headers[-1]}


def test_by_default_nothing_is_said_of_access(site: Site) -> None:
    site.answers[KEY] = lambda handler, _: send(handler, 200, ETag='"1"')
    with connected(site) as objects:
        objects.put("a", b"1")
    assert not {name.lower() for name in site.headers[-1]} & {"x-amz-acl", "x-amz-grant-read"}


def test_a_listing_that_goes_round_ends(site: Site) -> None:
    entry = "<Contents><Key>a</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
    page = f"<R><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>{entry}</R>"
    site.answers["/bucket"] = lambda handler, _: send(handler, 200, page.encode())
    with connected(site) as objects, pytest.raises(UnavailableError, match="the same page again"):
        list(objects.list())


def test_a_page_of_a_listing_is_tried_again_and_strange_keys_are_left_out(site: Site) -> None:
    def entry(key: str) -> str:
        when = "<LastModified>2026-01-01T00:00:00Z</LastModified>"
        return f"<Contents><Key>{key}</Key><Size>1</Size>{when}</Contents>"

    first = f"<R><NextContinuationToken>t</NextContinuationToken>{entry('p/a')}{entry('p/folder/')}</R>"
    pages = {1: (200, first), 2: (500, ""), 3: (200, f"<R>{entry('p/b')}</R>")}
    site.answers["/bucket"] = lambda handler, turn: send(handler, pages[turn][0], pages[turn][1].encode())
    with connected(site, prefix="/p/") as objects:
        assert [info.key for info in objects.list()] == ["a", "b"]


def test_no_log_line_has_a_secret(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.answers[KEY] = lambda handler, _: send(handler, 500)
    with caplog.at_level(logging.INFO):
        failure(connected(site))
    assert SECRET not in caplog.text
    assert "Credential=" not in caplog.text


def test_without_credentials_the_ways_to_give_them_are_told() -> None:
    said = failure(connected("http://127.0.0.1:9", access_key=None, secret_key=None))
    assert isinstance(said, ConfigurationError)
    assert "set access_key and secret_key, or a profile" in str(said)


def test_a_profile_that_is_not_there_is_told() -> None:
    said = failure(connected("http://127.0.0.1:9", access_key=None, secret_key=None, profile="nobody"))
    assert isinstance(said, ConfigurationError)
    assert "nobody" in said.message


def test_a_profile_gives_keys_and_region(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.write_text(
        "[work]\naws_access_key_id = from-profile\naws_secret_access_key = x\nregion = eu-west-3\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    site.answers[KEY] = lambda handler, _: send(handler, 200, b"1")
    with connected(site, access_key=None, secret_key=None, region=None, profile="work") as objects:
        objects.read("a")
    assert "Credential=from-profile/" in site.headers[-1]["Authorization"]
    assert "/eu-west-3/s3/" in site.headers[-1]["Authorization"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bucket": "a/b"}, "can't be the name of a bucket"),
        ({"secret_key": None}, "belong together"),
        ({"endpoint": "localhost:9000"}, "endpoint must begin with https://"),
        ({"endpoint": "http://user:hunter2@localhost"}, "without user, password"),
        ({"public_url": "cdn.example.org"}, "public_url must begin with https://"),
        ({"prefix": "a/../b"}, "it must be a folder"),
        ({"prefix": "p" * 101}, "more than 100 bytes"),
        ({"kms_key_id": "k"}, "needs encryption"),
        ({"part_mib": 4}, "at least 5 MiB"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_asked(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        connected("http://127.0.0.1:9", **settings)
    assert "hunter2" not in str(caught.value)


def test_a_ca_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match=f"ca_file: .*{name} can't be used"):
            connected("https://127.0.0.1:9", ca_file=tmp_path / name)
