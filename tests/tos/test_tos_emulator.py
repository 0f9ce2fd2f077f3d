"""The emulator of TOS is strict: by the vendor's worked examples, and driven by its SDK directly."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import tos
from tos.enum import DataTransferType
from tos.exceptions import TosServerError

from polyreel.testing.emulation import Seen
from polyreel.testing.signature import Claim, matches
from polyreel.testing.tos import Emulator, Settings, crc64, emulating
from polyreel.testing.tos.refusal import Refusal
from polyreel.testing.tos.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "video-demo1"
NOW = datetime(2025, 11, 21, 12, 0, 0, tzinfo=UTC)
HOST = "video-demo1.tos-cn-beijing.volces.com"
SIGNED = "180a22d2b33e5d8e8befca16c1d79cddaebaf5f17593479db4154c07bbdb7ea1"
PRESIGNED = "44f9deeb7957ba3bedbcfcd76ffd0eb20acddfb457d26379afa2d227841e095e"


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Any]:
    host, port = emulator.url.removeprefix("http://").split(":")
    client = tos.TosClientV2(
        "AKTEST",
        "SKTEST",
        emulator.endpoint,
        "cn-beijing",
        proxy_host=host,
        proxy_port=int(port),
        dns_cache_time=0,
        max_retry_count=0,
    )
    yield client
    client.close()


def headers(**changes: str) -> dict[str, str]:
    claim = f"Credential=AKTEST/20251121/cn-beijing/tos/request, Signature={SIGNED}"
    names = "SignedHeaders=host;x-tos-content-sha256;x-tos-date"
    made = {
        "host": HOST,
        "x-tos-content-sha256": "UNSIGNED-PAYLOAD",
        "x-tos-date": "20251121T120000Z",
        "authorization": f"TOS4-HMAC-SHA256 {claim}, {names}",
    }
    return {**made, **{name.replace("_", "-"): value for name, value in changes.items()}}


def test_the_worked_example_of_a_signature_is_accepted() -> None:
    verify(Seen("GET", "/video_demo/0002.mp4", "", headers(), b""), Settings(now=lambda: NOW))


@pytest.mark.parametrize(
    ("method", "path", "changes", "code"),
    [
        ("HEAD", "/video_demo/0002.mp4", {}, "SignatureDoesNotMatch"),
        ("GET", "/video_demo/0003.mp4", {}, "SignatureDoesNotMatch"),
        ("GET", "/video_demo/0002.mp4", {"host": "other." + HOST}, "SignatureDoesNotMatch"),
        ("GET", "/video_demo/0002.mp4", {"x_tos_acl": "private"}, "SignatureDoesNotMatch"),
        ("GET", "/video_demo/0002.mp4", {"x_tos_date": "20251121T110000Z"}, "RequestTimeTooSkewed"),
        ("GET", "/video_demo/0002.mp4", {"authorization": "Bearer x"}, "AccessDenied"),
    ],
)
def test_a_request_that_differs_from_what_was_signed_is_refused(
    method: str, path: str, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(Refusal) as caught:
        verify(Seen(method, path, "", headers(**changes), b""), Settings(now=lambda: NOW))
    assert caught.value.code == code


def query(signature: str) -> str:
    return (
        "X-Tos-Algorithm=TOS4-HMAC-SHA256&X-Tos-Credential=AKTEST%2F20251121%2Fcn-beijing%2Ftos%2Frequest"
        "&X-Tos-Date=20251121T120000Z&X-Tos-Expires=3600&X-Tos-SignedHeaders=host"
        f"&X-Tos-Signature={signature}"
    )


def test_the_worked_example_of_a_presigned_address_serves_for_its_hour() -> None:
    seen = Seen("GET", "/video_demo/0002.mp4", query(PRESIGNED), {"host": HOST}, b"")
    verify(seen, Settings(now=lambda: NOW.replace(hour=13)))
    for late, signed in ((13, "0" * 64), (14, PRESIGNED)):
        seen = Seen("GET", "/video_demo/0002.mp4", query(signed), {"host": HOST}, b"")
        with pytest.raises(Refusal):
            verify(seen, Settings(now=lambda late=late: NOW.replace(hour=late)))  # type: ignore[misc]


def test_a_secret_is_a_part_of_the_signature() -> None:
    claim = Claim.of("AKTEST/20251121/cn-beijing/tos/request", "host", SIGNED)
    assert not matches(claim, "other", algorithm="TOS4-HMAC-SHA256", stamp="20251121T120000Z", canonical="")


@pytest.mark.parametrize(
    ("data", "crc"), [(b"", 0), (b"abc", 3231342946509354535), (b"123456789", 11051210869376104954)]
)
def test_the_checksum_is_that_of_the_documents(data: bytes, crc: int) -> None:
    assert crc64(data) == crc


def test_the_sdk_uploads_a_file_in_parts_lists_it_and_fetches_it(
    emulator: Emulator, client: Any, tmp_path: Path
) -> None:
    client.create_bucket(BUCKET, acl=tos.ACLType.ACL_Private)
    (tmp_path / "big").write_bytes(b"0123456789ab" * (1 << 19))  # 6 MiB
    heard: list[tuple[int, Any]] = []
    done = client.upload_file(
        BUCKET,
        "p/big.mp4",
        str(tmp_path / "big"),
        part_size=5 << 20,
        task_num=2,
        data_transfer_listener=lambda consumed, total, once, kind: heard.append((consumed, kind)),
    )
    assert heard[0] == (0, DataTransferType.Data_Transfer_Started)
    assert heard[-1] == (6 << 20, DataTransferType.Data_Transfer_Succeed)
    assert done.hash_crc64_ecma == crc64((tmp_path / "big").read_bytes())
    client.download_file(BUCKET, "p/big.mp4", str(tmp_path / "back"), part_size=5 << 20)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()
    for number in range(5):
        client.put_object(BUCKET, f"p/{number}", content=b"x")
    emulator.settings.page = 2
    page = client.list_objects_type2(BUCKET, prefix="p/")
    assert [entry.key for entry in page.contents] == ["p/0", "p/1", "p/2", "p/3", "p/4", "p/big.mp4"]
    folders = client.list_objects_type2(BUCKET, delimiter="/", list_only_once=True)
    assert [folder.prefix for folder in folders.common_prefixes] == ["p/"]
    assert client.head_object(BUCKET, "p/big.mp4").content_length == 6 << 20
    assert client.does_object_exist(BUCKET, "p/none") is False
    assert client.does_bucket_exist("no-such-bucket") is False


def test_parts_that_break_the_rules_are_refused(client: Any) -> None:
    client.create_bucket(BUCKET)
    id = client.create_multipart_upload(BUCKET, "a").upload_id
    parts = [client.upload_part(BUCKET, "a", id, number, content=b"small") for number in (1, 2)]

    def refused(*given: Any, code: str) -> None:
        with pytest.raises(TosServerError) as caught:
            client.complete_multipart_upload(BUCKET, *given)
        assert caught.value.code == code

    refused("a", id, parts, code="EntityTooSmall")
    refused("a", id, [], code="InvalidPart")
    refused("a", "UP-none", parts[:1], code="NoSuchUpload")
    refused("b", id, parts[:1], code="NoSuchUpload")
    parts[1].etag = "another"
    refused("a", id, parts, code="InvalidPart")
    with pytest.raises(TosServerError, match="1 to 10000"):
        client.upload_part(BUCKET, "a", id, 10_001, content=b"x")
    client.complete_multipart_upload(BUCKET, "a", id, parts[:1])
    assert client.get_object(BUCKET, "a").read() == b"small"


def test_nobody_is_let_in_without_a_signature(emulator: Emulator, client: Any) -> None:
    client.create_bucket(BUCKET)
    client.put_object(BUCKET, "a", content=b"1")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": emulator.url}))
    url = client.pre_signed_url(tos.HttpMethodType.Http_Method_Get, BUCKET, "a", expires=60).signed_url
    assert opener.open(url, timeout=5).read() == b"1"
    for wrong in (url.partition("?")[0], url.replace("Expires=60", "Expires=61")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            opener.open(wrong, timeout=5)
        with caught.value:
            assert caught.value.code == 403


def test_an_address_is_read_by_other_emulators() -> None:
    with emulating() as emulator, pytest.raises(KeyError):
        emulator.resolve("tos://video-demo1/a")
