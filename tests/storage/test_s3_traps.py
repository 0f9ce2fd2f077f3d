"""What two real S3 servers refuse, and where they differ: signatures, corruption, TLS, ranges, listings."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import botocore.auth
import pytest
import trustme
from botocore.config import Config
from pydantic import SecretStr

from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    IntegrityError,
    InvalidQueryError,
    NotFoundError,
    PolyreelError,
    RejectedError,
    UnavailableError,
)
from polyreel.storage import s3, s3_upload

from .conftest import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.streams import Opened
    from polyreel.storage.s3 import S3Objects

    from .conftest import Serve

pytestmark = pytest.mark.slow
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def objects(server: Server) -> Iterator[S3Objects]:
    with server.bucket() as objects:
        yield objects


def driver(server: Server) -> Any:
    """boto3 itself, to do what a stranger may do to a bucket."""
    config = Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"})
    keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
    return boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", config=config, **keys)


def fetched(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of what anybody gets at an address."""
    request = urllib.request.Request(
        url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return (
                answer.status,
                answer.read(),
                {name.lower(): value for name, value in answer.headers.items()},
            )
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), {}


# -- signatures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["secret_key", "access_key"])
def test_wrong_keys_are_refused_and_not_shown(server: Server, wrong: str) -> None:
    with server.objects(**{wrong: SecretStr("hunter2-of-nobody")}) as objects:
        for call in (lambda: objects.put("a", b"1"), lambda: list(objects.list()), lambda: objects.read("a")):
            with pytest.raises(AuthenticationError, match="check the access key") as caught:
                call()
            assert "hunter2" not in str(caught.value)


def test_a_wrong_clock_is_told(server: Server, monkeypatch: pytest.MonkeyPatch, objects: S3Objects) -> None:
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda *given: now(*given) - timedelta(hours=1)
    )
    with pytest.raises(AuthenticationError, match=r"clock|request time"):
        objects.put("a", b"1")


def test_a_presigned_address_ends_with_its_time(objects: S3Objects) -> None:
    objects.put("a.mp4", b"1")
    url = objects.url("a.mp4", expires=1)
    time.sleep(2.2)
    assert fetched(url)[0] in (400, 403)


def test_a_presigned_address_is_for_one_object_and_time(objects: S3Objects) -> None:
    objects.put("a", b"1")
    objects.put("b", b"2")
    url = objects.url("a", expires=60)
    assert fetched(url)[:2] == (200, b"1")
    assert fetched(url.replace("/a?", "/b?"))[0] == 403
    assert fetched(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"))[0] == 403


@pytest.mark.parametrize("expires", [0, -1, 604_801, float("inf"), float("nan")])
def test_a_time_that_no_signature_can_last_is_refused(swift: Server, expires: float) -> None:
    with swift.objects() as objects, pytest.raises(InvalidQueryError, match="1 to 604800 seconds"):
        objects.url("a", expires=expires)


def test_nobody_reads_without_a_signature(objects: S3Objects) -> None:
    objects.put("a", b"1")
    assert fetched(objects.url("a").partition("?")[0])[0] in (400, 401, 403)


def test_a_player_may_ask_for_a_range(objects: S3Objects) -> None:
    objects.put("a.mp4", b"0123456789")
    status, body, headers = fetched(objects.url("a.mp4"), Range="bytes=2-4")
    assert (status, body) in [(206, b"234"), (200, b"234")]  # 200: rclone
    assert headers["content-type"] == "video/mp4"


# -- buckets ------------------------------------------------------------------------------------------------


def test_a_missing_bucket_is_told_by_every_call(server: Server, tmp_path: Path) -> None:
    with server.objects(bucket="no-such-bucket") as objects:
        for call in (
            lambda: objects.read("a"),
            lambda: objects.get("a", tmp_path / "a"),
            lambda: objects.put("a", b"1"),
            lambda: objects.stat("a"),
            lambda: objects.exists("a"),
            lambda: list(objects.list()),
        ):
            with pytest.raises(NotFoundError, match="bucket"):
                call()


def test_a_prefix_holds_everything_of_ours(server: Server, objects: S3Objects) -> None:
    objects.put("other", b"0")
    with server.objects(bucket=objects._bucket, prefix="mine/too") as inside:
        inside.put("a/b.mp4", b"1")
        assert [info.key for info in inside.list()] == ["a/b.mp4"]
        assert inside.uri("a/b.mp4") == objects.uri("mine/too/a/b.mp4")
        assert inside.key(objects.uri("other")) is None
        assert fetched(inside.url("a/b.mp4"))[1] == b"1"
    assert objects.read("mine/too/a/b.mp4") == b"1"


def test_a_key_beside_keys_below_it(swift: Server, rclone: Server) -> None:
    """rclone keeps files and folders: it refuses, and loses nothing."""
    with swift.bucket() as flat:
        flat.put("x", b"1")
        flat.put("x/y", b"2")
        assert (flat.read("x"), flat.read("x/y")) == (b"1", b"2")
    with rclone.bucket() as shared, rclone.objects(bucket=shared._bucket, retry=ONCE) as folders:
        folders.put("x", b"1")
        with pytest.raises(UnavailableError, match="InternalError"):
            folders.put("x/y", b"2")
        assert folders.read("x") == b"1"


def test_a_listing_of_more_than_a_page_has_each_object_once(
    objects: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PAGE", 4)
    keys = [f"n/{number:02d}" for number in range(11)]
    for key in keys:
        objects.put(key, b"x")
    assert [info.key for info in objects.list("n/")] == keys


# -- corruption ---------------------------------------------------------------------------------------------


def test_bytes_that_change_on_the_way_are_not_stored(
    server: Server, objects: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard of other bytes stands for a body that was mangled."""
    true = s3_upload.guard
    for module in (s3, s3_upload):
        monkeypatch.setattr(module, "guard", lambda body, wanted: true(body + b"!", wanted=True))
    with server.objects(bucket=objects._bucket, checksums="when_required", retry=ONCE) as guarded:
        for body in (b"small", bytes(9 << 20)):
            with pytest.raises(UnavailableError, match="Digest"):
                guarded.put("a", body)
            assert not guarded.exists("a")


def test_bytes_that_changed_in_the_store_are_noticed(
    server: Server, objects: S3Objects, tmp_path: Path
) -> None:
    kept = {s3_upload.OWN_MD5: "0" * 32}
    driver(server).put_object(Bucket=objects._bucket, Key="a", Body=b"mangled", Metadata=kept)
    for read in (lambda: objects.read("a"), lambda: objects.get("a", tmp_path / "a")):
        with pytest.raises(IntegrityError, match="other bytes than were stored"):
            read()
    assert list(tmp_path.iterdir()) == []


def test_objects_of_others_are_read(server: Server, objects: S3Objects) -> None:
    driver(server).put_object(Bucket=objects._bucket, Key="folder/theirs.mp4", Body=b"theirs")
    assert objects.read("folder/theirs.mp4") == b"theirs"


def test_a_stream_goes_on_where_its_connection_was_cut(objects: S3Objects) -> None:
    content = bytes(range(256)) * (12 << 10)
    objects.put("a", content)
    with objects.open("a") as stream:
        begun = stream.read(1 << 20)
        raw: Any = stream.raw  # type: ignore[attr-defined]
        raw._stream._raw_stream.close()  # the connection, below the driver
        raw._stream = Cut(raw._stream)
        assert begun + stream.read() == content


class Cut:
    """A body whose connection is gone."""

    def __init__(self, body: Any) -> None:
        self.close = body.close

    def read(self, size: int) -> bytes:
        raise botocore.exceptions.ResponseStreamingError(error="cut")


def test_a_failed_upload_leaves_no_parts(swift: Server) -> None:
    def stop(_: int) -> None:
        raise RuntimeError("stop")

    with swift.bucket() as objects:
        with pytest.raises(RuntimeError, match="stop"):
            objects.put("a", bytes(9 << 20), progress=stop)
        assert not objects.exists("a")
        assert "Uploads" not in driver(swift).list_multipart_uploads(Bucket=objects._bucket)


# -- addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["My film (1).mp4", "100%.mp4", "a#1?.mp4", "海.mp4", "a%41.mp4"])
def test_an_address_may_be_typed_as_it_is_shown_elsewhere(swift: Server, key: str) -> None:
    with swift.objects(bucket="films") as objects:
        assert objects.key(f"s3://films/{key}") == key
        assert objects.key(objects.uri(key)) == key
        assert not set("?#") & set(objects.uri(key))


def test_a_public_address_needs_no_signature(swift: Server) -> None:
    with swift.objects(public_url="https://cdn.example.org/films/", prefix="p") as objects:
        assert objects.url("a b.mp4") == "https://cdn.example.org/films/p/a%20b.mp4"


def test_a_bucket_may_stand_in_the_host(swift: Server) -> None:
    with swift.objects(bucket="films", endpoint="https://s3.example.org", addressing="virtual") as objects:
        assert objects.url("a").startswith("https://films.s3.example.org/a?X-Amz-Algorithm=AWS4-HMAC-SHA256")
    with swift.objects(bucket="films", endpoint="https://s3.example.org", addressing="path") as objects:
        assert objects.url("a").startswith("https://s3.example.org/films/a?")


# -- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`, and a certificate of this machine with its key."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(folder / "server.key")
    return folder


def over_tls(serve: Serve, name: str, certificates: Path, data: Path) -> str:
    pair = ("--cert", str(certificates / "server.pem"), "--key", str(certificates / "server.key"))
    return serve(name, "--data", str(data / "data"), "--fresh", *pair)


@pytest.mark.parametrize("name", ["swift", "rclone"])
def test_a_certificate_must_be_trusted(
    serve: Serve, certificates: Path, tmp_path: Path, request: pytest.FixtureRequest, name: str
) -> None:
    plain: Server = request.getfixturevalue(name)
    endpoint = over_tls(serve, name, certificates, tmp_path)
    assert endpoint.startswith("https://")
    server = Server(endpoint, plain.access_key, plain.secret_key, plain.settings)
    with server.objects(ca_file=certificates / "ca.pem") as objects:
        objects.ensure_bucket()
        for body in (b"small", bytes(9 << 20)):
            objects.put("a.mp4", body)
            assert objects.read("a.mp4") == body
        context = ssl.create_default_context(cafile=certificates / "ca.pem")
        with urllib.request.urlopen(objects.url("a.mp4"), timeout=10, context=context) as answer:
            assert len(answer.read()) == 9 << 20
        strict = server.objects(bucket=objects._bucket)
        with strict, pytest.raises(ConfigurationError, match=r"isn't trusted.*set ca_file"):
            strict.read("a.mp4")
    if name == "rclone":  # which doesn't know the newer checksums
        modern = server.objects(
            ca_file=certificates / "ca.pem", checksums="when_supported", bucket=objects._bucket
        )
        with modern, pytest.raises(RejectedError, match='set checksums = "when_required"'):
            modern.put("a", b"1")


def whole(opened: Opened) -> bytes:
    return b"".join(iter(lambda: opened.stream.read(10), b""))


def test_a_range_with_the_checksum_of_the_whole_is_no_answer(rclone: Server) -> None:
    """Why stores like rclone need `checksums = "when_required"`, which the message says."""
    with (
        rclone.bucket() as shared,
        rclone.objects(bucket=shared._bucket, checksums="when_supported") as modern,
    ):
        modern.put("a", b"0123456789")
        version = modern._open_object("a", 0, None).version
        with pytest.raises(PolyreelError, match="when_required"):
            modern._attempt(lambda: whole(modern._open_object("a", 5, version)))
