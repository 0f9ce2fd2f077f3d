"""Signatures, and what becomes of each answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from polyreel.backends.vikingdb.sign import Keys, signed
from polyreel.backends.vikingdb.wire import failure, read, translate
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    AuthenticationError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    RetryableError,
    UnavailableError,
)
from polyreel.testing.vikingdb import Emulator, Fault
from polyreel.testing.vikingdb.refusal import Refusal
from polyreel.testing.vikingdb.verify import check_signature

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyreel.backends.vikingdb import VikingDBStore
    from polyreel.core.space import CollectionSpec

    StoreOf = Callable[..., Callable[[], VikingDBStore]]

NOON = datetime(2025, 11, 21, 12, tzinfo=UTC)
KEYS = Keys("AKTEST", "SKTEST")
SEARCH = (
    b'{"collection_name":"video_demo1","index_name":"video_demo1","text":"sunset beach",'
    b'"need_instruction":true,"limit":5}'
)
INDEX = b'{"CollectionName": "video_demo1", "IndexName": "video_demo1"}'
VECTORS = {
    "data plane": (
        "api-vikingdb.vikingdb.cn-beijing.volces.com",
        "/api/vikingdb/data/search/multi_modal",
        {},
        SEARCH,
        "9cba217d17833343b2098afe26da0fea1193b78c926a2a3fa8c9c257c9052703",
        "ed89f3445684d38b93132be516c50c1ec214e5586f2c10c3218a4a8f45f34708",
    ),
    "control plane": (
        "vikingdb.cn-beijing.volcengineapi.com",
        "/",
        {"Action": "GetVikingdbIndex", "Version": "2025-06-09"},
        INDEX,
        "31ef5383c2085e85c9014d95e12b384df1b453e7958cf8db7ecba9f57256c951",
        "da1c2d91011f6792b369b43a30631d4ba2cf4b2379d3310e8e4af19f3949d47c",
    ),
}


@pytest.mark.parametrize("plane", VECTORS)
def test_a_signature_is_that_of_the_worked_example(plane: str) -> None:
    host, path, query, body, digest, signature = VECTORS[plane]
    headers = signed(KEYS, "cn-beijing", NOON, host=host, path=path, query=query, body=body)
    assert headers["X-Content-Sha256"] == digest
    assert headers["X-Date"] == "20251121T120000Z"
    assert headers["Authorization"] == (
        "HMAC-SHA256 Credential=AKTEST/20251121/cn-beijing/vikingdb/request, "
        f"SignedHeaders=content-type;host;x-content-sha256;x-date, Signature={signature}"
    )


@pytest.mark.parametrize("plane", VECTORS)
@pytest.mark.parametrize("port", ["", ":443", ":8080"])
def test_the_emulator_s_own_verifier_agrees_and_notices_every_change(plane: str, port: str) -> None:
    host, path, query, body, _, _ = VECTORS[plane]
    made = signed(KEYS, "cn-beijing", NOON, host=host + port, path=path, query=query, body=body)
    headers = {name.lower(): value for name, value in made.items()}
    raw = "&".join(f"{name}={value}" for name, value in query.items())
    known: dict[str, Any] = {"keys": {"AKTEST": "SKTEST"}, "region": "cn-beijing", "now": NOON}
    check_signature(("POST", path, raw), headers, body, **known)
    changed = [
        (("GET", path, raw), headers, body),
        (("POST", f"{path}x", raw), headers, body),
        (("POST", path, f"{raw}&More=1"), headers, body),
        (("POST", path, raw), headers, body + b" "),
        (("POST", path, raw), {**headers, "x-date": "20251121T120001Z"}, body),
        (("POST", path, raw), {**headers, "x-date": "20251121T130000Z"}, body),
        (("POST", path, raw), {**headers, "host": "elsewhere"}, body),
        (("POST", path, raw), {name: headers[name] for name in headers if name != "host"}, body),
        (("POST", path, raw), {**headers, "authorization": ""}, body),
    ]
    for request in changed:
        with pytest.raises(Refusal) as caught:
            check_signature(*request, **known)
        assert caught.value.status == 401
    others: list[dict[str, Any]] = [{"keys": {"AKTEST": "other"}}, {"region": "cn-shanghai"}, {"keys": {}}]
    for other in others:
        with pytest.raises(Refusal):
            check_signature(("POST", path, raw), headers, body, **{**known, **other})


def test_temporary_keys_sign_their_token() -> None:
    keys = Keys("AKTEST", "SKTEST", "token")
    headers = signed(keys, "cn-beijing", NOON, host="h", path="/", query={}, body=b"{}")
    assert headers["X-Security-Token"] == "token"
    assert "x-security-token" in headers["Authorization"]
    assert "SKTEST" not in repr(keys)


ANSWERS: dict[str, tuple[int, object, type[PolyreelError]]] = {
    "a missing parameter": (400, {"code": "MissingParameter", "message": "m"}, RejectedError),
    "a quota at 400": (400, {"code": "TooManyRequests", "message": "m"}, RejectedError),
    "a wrong signature": (401, {"code": "SignatureDoesNotMatch", "message": "m"}, AuthenticationError),
    "a wrong signature at 400": (400, {"code": "InvalidSignature", "message": "m"}, AuthenticationError),
    "no permission": (403, {"code": "AccessDenied", "message": "m"}, AuthenticationError),
    "no collection": (404, {"code": "NotFound.VikingdbCollection", "message": "m"}, NotFoundError),
    "no collection at 400": (400, {"code": "NotFound.VikingdbCollection", "message": "m"}, NotFoundError),
    "a taken name": (409, {"code": "AlreadyExists.VikingdbIndex", "message": "m"}, RejectedError),
    "too many": (429, {"code": "TooManyRequests", "message": "m"}, RateLimitedError),
    "too many at 200": (200, {"code": "RequestLimitExceeded", "message": "m"}, RateLimitedError),
    "a failure": (500, {"code": "InternalError", "message": "m"}, UnavailableError),
    "a gateway without JSON": (502, "<html>", UnavailableError),
    "a timeout of theirs": (408, {"code": "Timeout", "message": "m"}, UnavailableError),
    "a page instead of JSON": (200, "<html>", UnavailableError),
    "half of the JSON": (200, '{"code":"Succ', UnavailableError),
    "a list": (200, [1], UnavailableError),
    "a number that isn't 0": (200, {"code": 1000003, "message": "m"}, RejectedError),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_success_is_an_error_of_its_class(name: str) -> None:
    status, body, kind = ANSWERS[name]
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    with pytest.raises(PolyreelError) as caught:
        read(status, {"x-tt-logid": "log-1"}, content)
    assert type(caught.value) is kind
    assert caught.value.request_id == "log-1"
    if status == 400:
        assert not isinstance(caught.value, RetryableError)


@pytest.mark.parametrize("code", ["Success", 0, None])
def test_a_success_is_read_whichever_way_it_is_written(code: object) -> None:
    reply = read(200, {}, json.dumps({"code": code, "request_id": "r", "result": {"a": 1}}).encode())
    assert (reply.result, reply.request_id) == ({"a": 1}, "r")
    nothing = read(200, {}, json.dumps({"code": code, "result": None}).encode())
    assert nothing.result == {}


def test_the_control_plane_s_envelope_is_read() -> None:
    meta = {"RequestId": "r", "Action": "A"}
    done = read(200, {}, json.dumps({"ResponseMetadata": meta, "Result": {"Message": "success"}}).encode())
    assert (done.result, done.request_id) == ({"Message": "success"}, "r")
    error = {"Code": "NotFound.VikingdbCollection", "Message": "it isn't there"}
    failed = json.dumps({"ResponseMetadata": {**meta, "Error": error}}).encode()
    with pytest.raises(NotFoundError, match="it isn't there") as caught:
        read(404, {}, failed)
    assert caught.value.request_id == "r"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("3", 3.0), ("", None), ("soon", None), ("-1", None), ("Fri, 01 Jan 1999 00:00:00 GMT", 0.0)],
)
def test_the_time_to_wait_is_the_service_s(said: str, seconds: float | None) -> None:
    with pytest.raises(RateLimitedError) as caught:
        read(429, {"retry-after": said}, b"{}")
    assert caught.value.retry_after == seconds


def test_no_signed_address_stands_in_a_message() -> None:
    said = "can't fetch https://bucket.example/clip.mp4?X-Tos-Signature=0123abcd now"
    error = failure(400, "InvalidParameter", said, "r", None)
    assert "0123abcd" not in str(error)
    assert "https://bucket.example/clip.mp4" in str(error)


def test_only_the_library_s_errors_are_translated() -> None:
    assert type(translate(httpx.ReadTimeout("x"))) is UnavailableError
    assert type(translate(httpx.RemoteProtocolError("x"))) is UnavailableError
    assert type(translate(httpx.ConnectError("x"))) is UnavailableError
    assert translate(ValueError("ours")) is None


def test_the_data_plane_takes_a_key_and_the_control_plane_a_signature(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    from pydantic import SecretStr

    with store_of(emulator, api_key=SecretStr("vk-test"))() as store:
        store.open(plain, create=True)
        assert store.count() == 0
    for seen in emulator.seen:
        if seen.path == "/":
            assert seen.headers["authorization"].startswith("HMAC-SHA256 ")
        else:
            assert seen.headers["authorization"] == "Bearer vk-test"
            assert "x-date" not in seen.headers
    assert {seen.path for seen in emulator.seen} > {"/"}


@pytest.mark.parametrize("wrong", ["access_key", "secret_key", "api_key", "region"])
def test_a_wrong_key_is_one_clear_line_without_it(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec, wrong: str
) -> None:
    from pydantic import SecretStr

    value = "nobody-knows-this" if wrong in ("access_key", "region") else SecretStr("nobody-knows-this")
    with store_of(emulator)() as store:
        store.open(plain, create=True)
    with pytest.raises(AuthenticationError) as caught:
        _count(store_of(emulator, **{wrong: value}), plain)
    assert "nobody-knows-this" not in str(caught.value)
    assert "access_key" in str(caught.value)
    assert caught.value.request_id


def _count(make: Callable[[], VikingDBStore], spec: CollectionSpec) -> int:
    with make() as store:
        store.open(spec, create=False)
        return store.count()


def test_a_400_is_never_tried_again(emulator: Emulator, store_of: StoreOf, plain: CollectionSpec) -> None:
    slept: list[float] = []
    with store_of(emulator, retry=RetryPolicy(sleep=slept.append))() as store:
        store.open(plain, create=True)
        before = len(emulator.seen)
        emulator.faults.plan("/data/agg", *[Fault(status=400, code="InvalidParameter")] * 5)
        with pytest.raises(RejectedError, match="InvalidParameter") as caught:
            store.count()
        assert emulator.faults.left == 4
        assert len(emulator.seen) == before
    assert slept == []
    assert caught.value.request_id
