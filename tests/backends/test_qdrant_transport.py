"""What a store bears of a Qdrant server that refuses, hangs, fails or dies, over REST and gRPC.

The server is an imitation of the transport (`polyreel.testing.qdrant`): no Qdrant server runs here.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import grpc
import pytest
import trustme
from pydantic import SecretStr
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

from polyreel.backends.qdrant import QdrantServerStore, client, points, refusals
from polyreel.backends.qdrant.options import Hnsw
from polyreel.core.deadline import RetryPolicy, within
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
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.records import Record, Text
from polyreel.core.requests import Group, NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Space
from polyreel.testing.qdrant import Fault, Imitation, imitation
from polyreel.testing.qdrant_grpc import imitation_over_grpc
from polyreel.testing.web import cut, send

ONCE = RetryPolicy(attempts=1)
SPEC = CollectionSpec(
    "clips", Space("test", "made-up", "1", 4), {"owner": FieldType.STRING, "n": FieldType.INT}
)
NEAR = SearchRequest(NearVector([1.0, 2.0, 3.0, 4.0]))


def record(id: str = "a", **parts: Any) -> Record:
    return Record(id, "v", "file:///v.mp4", **{"content": [1.0, 2.0, 3.0, 4.0], **parts})


@pytest.fixture
def qdrant() -> Iterator[Imitation]:
    with imitation() as here:
        yield here


@pytest.fixture
def store(qdrant: Imitation) -> Iterator[QdrantServerStore]:
    with QdrantServerStore(url=qdrant.url, retry=ONCE, timeout=5) as store:
        store.open(SPEC, create=True)
        store.upsert([record()])
        yield store


def fails(status: int, reason: str = "out of order", **headers: str) -> Fault:
    return lambda handler: send(handler, status, b'{"status": {"error": "%s"}}' % reason.encode(), **headers)


# -- a server that refuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectedError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (408, UnavailableError),
        (409, RejectedError),
        (413, RejectedError),
        (422, RejectedError),
        (429, RateLimitedError),
        (500, UnavailableError),
        (501, UnsupportedError),
        (502, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_a_status_becomes_an_error_that_says_what_the_server_said(
    qdrant: Imitation, store: QdrantServerStore, status: int, kind: type[PolyreelError]
) -> None:
    qdrant.faults.append(fails(status))
    with pytest.raises(kind, match=rf"Qdrant at {qdrant.url}: {status}: out of order") as caught:
        store.search([NEAR])
    assert type(caught.value) is kind
    assert len(store.search([NEAR])[0].hits) == 1


def test_a_failing_server_is_asked_again_by_the_base_alone(qdrant: Imitation) -> None:
    waits: list[float] = []
    policy = RetryPolicy(attempts=3, base=0.01, sleep=waits.append)
    with QdrantServerStore(url=qdrant.url, retry=policy) as store:
        store.open(SPEC, create=True)
        qdrant.faults.extend([fails(503)] * 2)
        assert store.count() == 0
        qdrant.faults.extend([fails(503)] * 4)
        with pytest.raises(UnavailableError):
            store.upsert([record()])
        assert len(qdrant.faults) == 1  # three requests, for the client tries none again
    assert len(waits) == 4


def test_too_many_requests_wait_as_long_as_the_server_asks(qdrant: Imitation) -> None:
    waits: list[float] = []
    with QdrantServerStore(url=qdrant.url, retry=RetryPolicy(sleep=waits.append, base=0.001)) as store:
        store.open(SPEC, create=True)
        qdrant.faults.append(fails(429, Retry_After="7"))
        store.upsert([record()])
        assert waits == [7.0]
        qdrant.faults.append(fails(429))
        assert store.count() == 1
        assert waits[1] < 1
        qdrant.faults.append(fails(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"))
        assert store.count() == 1
        assert len(waits) == 3


def test_a_wrong_key_is_told_from_a_dead_server_when_the_store_opens(qdrant: Imitation) -> None:
    qdrant.api_key = "right"
    wrong = SecretStr("wrong-and-secret")
    with (
        pytest.warns(UserWarning, match="insecure"),
        QdrantServerStore(url=qdrant.url, api_key=wrong, retry=ONCE) as store,
        pytest.raises(AuthenticationError, match="api_key") as caught,
    ):
        store.open(SPEC, create=True)
    assert "secret" not in str(caught.value)
    with QdrantServerStore(url=qdrant.url, api_key=SecretStr("right"), retry=ONCE) as store:
        with pytest.warns(UserWarning, match="insecure"):
            store.open(SPEC, create=True)
        store.upsert([record()])
        assert store.count() == 1
    with QdrantServerStore(url=qdrant.url, retry=ONCE) as store, pytest.raises(AuthenticationError):
        store.open(SPEC, create=True)


# -- a server that doesn't answer -------------------------------------------------------------------------


@contextmanager
def silent() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def ways(port: int, **parts: Any) -> list[QdrantServerStore]:
    url = f"http://127.0.0.1:{port}"
    return [
        QdrantServerStore(url=url, retry=ONCE, **parts),
        QdrantServerStore(url=url, grpc=True, grpc_port=port, retry=ONCE, **parts),
    ]


def test_a_port_that_nobody_listens_on_fails_when_the_store_opens() -> None:
    for store in ways(closed()):
        begin = time.monotonic()
        with store, pytest.raises(UnavailableError, match="see that the server runs"):
            store.open(SPEC, create=True)
        assert time.monotonic() - begin < 5


def test_a_server_that_never_answers_is_given_up_at_the_timeout() -> None:
    with silent() as port:
        for store in ways(port, timeout=1):
            begin = time.monotonic()
            with store, pytest.raises(UnavailableError):
                store.open(SPEC, create=True)
            assert 0.9 < time.monotonic() - begin < 15  # of the 30 that are usual


def test_an_outer_deadline_cuts_every_call(qdrant: Imitation, store: QdrantServerStore) -> None:
    over = threading.Event()

    def hangs(handler: BaseHTTPRequestHandler) -> None:
        over.wait(60)
        handler.close_connection = True

    calls: list[Callable[[], object]] = [
        lambda: store.upsert([record("b")]),
        lambda: store.update_fields(["a"], fields={"n": 1}),
        lambda: store.delete(["a"]),
        lambda: store.delete(where=F.n == 1),
        lambda: store.search([NEAR]),
        lambda: store.search([SearchRequest(NEAR.near, group=Group())]),
        lambda: store.fetch(["a"]),
        lambda: list(store.scan()),
        store.count,
        store.optimize,
        store.drop,
    ]
    for call in calls:
        qdrant.faults.append(hangs)
        begin = time.monotonic()
        with within(0.3), pytest.raises(UnavailableError):
            call()
        assert time.monotonic() - begin < 4  # of the 5 that the store has
    over.set()
    assert store.count() == 1


def test_the_server_is_told_how_long_it_may_take(qdrant: Imitation, store: QdrantServerStore) -> None:
    qdrant.timeouts.clear()
    store.upsert([record("b")])
    store.search([NEAR])
    with within(2.9):
        store.count()
    assert qdrant.timeouts == [5, 5, 3]


@pytest.mark.parametrize(
    "fault",
    [
        lambda handler: cut(handler, b'{"result": {"count": 1}, "status": "ok"}', 11),
        lambda handler: send(handler, 200, b'{"result": {"count": 1'),
        lambda handler: send(handler, 200, b"<html>the page of a proxy</html>"),
        lambda handler: send(handler, 200, b'{"result": {"count": "many"}}'),
        lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
    ],
    ids=["cut", "truncated JSON", "a page", "another answer", "hung up"],
)
def test_a_broken_answer_is_no_answer(qdrant: Imitation, store: QdrantServerStore, fault: Fault) -> None:
    qdrant.faults.append(fault)
    with pytest.raises(UnavailableError):
        store.count()
    assert store.count() == 1


def test_a_server_that_dies_in_mid_call_and_comes_back_is_used_again() -> None:
    with imitation() as first:
        store = QdrantServerStore(
            url=first.url, retry=RetryPolicy(base=0.1, cap=0.3, attempts=40), timeout=20
        )
        store.open(SPEC, create=True)
        store.upsert([record()])
        died = threading.Event()

        def dies(handler: BaseHTTPRequestHandler) -> None:
            handler.connection.shutdown(socket.SHUT_RDWR)
            died.set()

        first.faults.append(dies)
    writing = threading.Thread(target=lambda: store.upsert([record("b")]))
    writing.start()
    time.sleep(0.3)  # nobody listens
    with imitation(first):  # the first request dies with the connection, the next is answered
        writing.join(60)
        assert died.is_set()
        assert {each.id for each in store.scan()} == {"a", "b"}
        store.close()


# -- gRPC -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, AuthenticationError),
        (grpc.StatusCode.PERMISSION_DENIED, AuthenticationError),
        (grpc.StatusCode.NOT_FOUND, NotFoundError),
        (grpc.StatusCode.INVALID_ARGUMENT, RejectedError),
        (grpc.StatusCode.FAILED_PRECONDITION, RejectedError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RateLimitedError),
        (grpc.StatusCode.UNIMPLEMENTED, UnsupportedError),
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, UnavailableError),
        (grpc.StatusCode.INTERNAL, UnavailableError),
        (grpc.StatusCode.UNKNOWN, UnavailableError),
    ],
)
def test_a_code_of_grpc_becomes_an_error_that_says_what_the_server_said(
    qdrant: Imitation, code: grpc.StatusCode, kind: type[PolyreelError]
) -> None:
    faults: deque[Any] = deque()
    with imitation_over_grpc(qdrant, faults) as port:
        store = QdrantServerStore(url=qdrant.url, grpc=True, grpc_port=port, retry=ONCE, timeout=5)
        store.open(SPEC, create=True)
        faults.append(lambda context: context.abort(code, "out of order"))
        with store, pytest.raises(kind, match=f"{code.name}: out of order") as caught:
            store.count()
        assert type(caught.value) is kind
        assert not faults


def test_too_many_requests_over_grpc_wait_as_long_as_the_server_asks(qdrant: Imitation) -> None:
    faults: deque[Any] = deque()
    waits: list[float] = []

    def busy(context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("retry-after", "7"),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")

    with imitation_over_grpc(qdrant, faults) as port:
        policy = RetryPolicy(sleep=waits.append, base=0.001)
        with QdrantServerStore(url=qdrant.url, grpc=True, grpc_port=port, retry=policy) as store:
            store.open(SPEC, create=True)
            faults.append(busy)
            assert store.count() == 0
    assert waits == [7.0]


def test_a_wrong_key_over_grpc_is_an_authentication_error(qdrant: Imitation) -> None:
    qdrant.api_key = "right"
    with imitation_over_grpc(qdrant) as port:
        wrong = {"url": qdrant.url, "grpc": True, "grpc_port": port, "retry": ONCE}
        with (
            pytest.warns(UserWarning, match="insecure"),
            QdrantServerStore(**wrong, api_key=SecretStr("wrong")) as store,  # type: ignore[arg-type]
            pytest.raises(AuthenticationError, match="UNAUTHENTICATED"),
        ):
            store.open(SPEC, create=True)


# -- what the server is asked -----------------------------------------------------------------------------


def test_writes_wait_until_they_can_be_searched(qdrant: Imitation, store: QdrantServerStore) -> None:
    seen: list[str] = []
    answer = qdrant.reply

    def watched(method: str, target: str, *rest: Any) -> tuple[int, bytes]:
        seen.append(f"{method} {target}")
        return answer(method, target, *rest)

    qdrant.reply = watched  # type: ignore[method-assign, assignment]
    store.upsert([record("b", text=Text("words"))])
    store.update_fields(["b"], fields={"n": 1}, text=Text("other"))
    store.update_fields(["b"], text=Text())
    store.delete(["b"])
    store.delete(where=F.n == 1)
    writes = [line for line in seen if line.startswith("PUT") or "payload" in line or "delete" in line]
    assert len(writes) == 7
    assert all("wait=true" in line for line in writes)


def test_the_indexes_on_payload_are_of_exactly_the_columns_types(qdrant: Imitation) -> None:
    fields = {
        "s": FieldType.STRING,
        "i": FieldType.INT,
        "f": FieldType.FLOAT,
        "b": FieldType.BOOL,
        "t": FieldType.DATETIME,
        "l": FieldType.STRINGS,
    }
    for declared in ({"s": FieldType.STRING}, fields):  # made, and then widened
        with QdrantServerStore(url=qdrant.url, tenant="s") as store:
            store.open(CollectionSpec("clips", SPEC.space, declared), create=True)
    made = qdrant.indexes["clips"]
    assert {path: index.data_type.value for path, index in made.items()} == {
        **dict.fromkeys(("video_id", "scope", "channel", "f.present", "f.s", "f.l"), "keyword"),
        **dict.fromkeys(("start", "end", "f.i", "f.b", "f.t"), "integer"),
        "f.f": "float",
    }
    assert {path for path, index in made.items() if getattr(index.params, "is_tenant", None)} == {"f.s"}


def test_an_index_of_another_type_is_refused_for_it_would_change_results(qdrant: Imitation) -> None:
    with QdrantServerStore(url=qdrant.url) as store:
        store.open(SPEC, create=True)
        made = qdrant.indexes["clips"]
        made["f.n"] = models.PayloadIndexInfo(data_type=models.PayloadSchemaType.FLOAT, points=0)
        with pytest.raises(IntegrityError, match=r"'f.n' .*type float.*need integer; delete that index"):
            store.open(SPEC, create=True)
        del made["f.n"], made["start"]
        store.open(SPEC, create=True)
        assert {"f.n", "start"} <= made.keys()


def test_the_options_reach_the_server(qdrant: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[models.CreateCollection] = []
    create = qdrant.create

    def watched(name: str, given: models.CreateCollection) -> bool:
        asked.append(given)
        return create(name, given)

    monkeypatch.setattr(qdrant, "create", watched)
    options: dict[str, Any] = {
        "hnsw": Hnsw(m=32, ef_construct=200, on_disk=True, ef=77),
        "quantization": "product",
        "vectors_on_disk": True,
        "payload_on_disk": True,
        "shards": 3,
        "replicas": 2,
        "write_consistency": 1,
    }
    with QdrantServerStore(url=qdrant.url, **options) as store:
        store.open(SPEC, create=True)
        store.upsert([record()])
        assert len(store.search([NEAR])[0].hits) == 1
    (made,) = asked
    dense: Any = made.vectors[client.DENSE]  # type: ignore[index]
    assert (dense.size, dense.distance.value, dense.on_disk, made.on_disk_payload) == (
        4,
        "Cosine",
        True,
        True,
    )
    assert (dense.hnsw_config.m, dense.hnsw_config.ef_construct, dense.hnsw_config.on_disk) == (32, 200, True)
    assert dense.quantization_config.product.compression.value == "x16"
    assert (made.shard_number, made.replication_factor, made.write_consistency_factor) == (3, 2, 1)
    with (
        QdrantServerStore(url=qdrant.url, **{**options, "shards": 4}) as store,
        pytest.raises(ConfigurationError, match=r"'clips' was made otherwise: shards is 4, stored 3"),
    ):
        store.open(SPEC, create=True)
    with QdrantServerStore(url=qdrant.url) as store:
        store.open(SPEC, create=False)
        assert store.count() == 1
        heard = Mock(side_effect=store._found)
        monkeypatch.setattr(store, "_found", heard)
        store.search([NEAR])
        (query,) = heard.call_args.args[0]
        assert query.params.quantization == models.QuantizationSearchParams(rescore=True, oversampling=8.0)


def test_a_large_batch_is_written_in_parts_that_a_server_takes(qdrant: Imitation) -> None:
    with QdrantServerStore(url=qdrant.url, timeout=60) as store:
        store.open(SPEC, create=True)
        store.upsert([record(str(n), text=Text(transcript="海" * 1_000_000)) for n in range(12)])  # 36 MB
        assert store.count() == 12
        assert qdrant.asked["PUT /collections/{name}/points"] == 3


@pytest.mark.parametrize(("dimension", "batch"), [(4, 500), (3072, 500), (65536, 76)])
def test_the_batch_falls_with_the_dimension(qdrant: Imitation, dimension: int, batch: int) -> None:
    with QdrantServerStore(url=qdrant.url) as store:
        store.open(CollectionSpec("wide", Space("t", "m", "1", dimension)), create=True)
        assert store.can.max_batch == batch


def test_groups_go_on_where_a_server_stopped_looking(
    store: QdrantServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert([Record(f"r{n}", f"v{n}", "u", content=[1.0, n / 10, 0.0, 0.0]) for n in range(9)])
    whole = store.search([SearchRequest(NEAR.near, group=Group(), limit=8)])[0]
    remote: Any = store._client._client  # type: ignore[union-attr]  # it is open
    groups = remote.query_points_groups

    def lazy(**asked: Any) -> Any:
        return groups(**{**asked, "limit": min(2, asked["limit"])})  # as a server after its rounds

    monkeypatch.setattr(remote, "query_points_groups", lazy)
    assert store.search([SearchRequest(NEAR.near, group=Group(), limit=8)])[0] == whole
    assert len(whole.hits) == 8


# -- versions, strangers and others -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "has"), [("1.16.0", False), ("1.18.2", False), ("1.19.0", True), ("dev", True)]
)
def test_prefixes_are_searched_where_the_server_has_them(qdrant: Imitation, version: str, has: bool) -> None:
    qdrant.version = version
    with QdrantServerStore(url=qdrant.url) as store:
        store.open(SPEC, create=True)
        store.upsert([record(fields={"owner": "me"})])
        assert store.can.version == version
        if has:
            assert store.count(F.owner.prefix("m")) == 1
        else:
            with pytest.raises(UnsupportedError, match="prefix"):
                store.count(F.owner.prefix("m"))


def test_an_old_server_is_refused_and_nothing_is_made(qdrant: Imitation) -> None:
    qdrant.version = "1.15.5"
    with (
        QdrantServerStore(url=qdrant.url) as store,
        pytest.raises(UnsupportedError, match=r"1\.15\.5.*upgrade"),
    ):
        store.open(SPEC, create=True)
    assert not qdrant.local.collection_exists("clips")


def test_a_collection_that_polyreel_did_not_make_is_left_alone(qdrant: Imitation) -> None:
    qdrant.local.create_collection("clips", models.VectorParams(size=4, distance=models.Distance.COSINE))
    qdrant.indexes["clips"] = {}
    with (
        QdrantServerStore(url=qdrant.url) as store,
        pytest.raises(ConfigurationError, match=r"polyreel didn't make; name another"),
    ):
        store.open(SPEC, create=True)
    assert qdrant.local.count("clips").count == 0
    assert qdrant.indexes["clips"] == {}


@pytest.mark.parametrize("text", ["{", "[1]", "5"])
@pytest.mark.parametrize("key", ["polyreel", "polyreel_options"])
def test_a_description_that_somebody_broke_is_one_clear_error(qdrant: Imitation, key: str, text: str) -> None:
    with QdrantServerStore(url=qdrant.url) as store:
        store.open(SPEC, create=True)
    metadata = qdrant.local.get_collection("clips").config.metadata or {}
    qdrant.local.update_collection("clips", metadata={**metadata, key: text})
    with (
        QdrantServerStore(url=qdrant.url) as store,
        pytest.raises(IntegrityError, match=r"description of the collection 'clips' can't be read; restore"),
    ):
        store.open(SPEC, create=False)


def test_two_creators_make_one_collection(qdrant: Imitation) -> None:
    with QdrantServerStore(url=qdrant.url) as one, QdrantServerStore(url=qdrant.url) as other:
        make, other_make = one._make, other._make

        def late(*given: Any, **common: Any) -> None:
            other_make(*given, **common)
            make(*given, **common)

        one._make = late  # type: ignore[method-assign]
        one.open(SPEC, create=True)
        other.open(SPEC, create=False)
        assert one.meta == other.meta


def test_a_collection_that_another_process_dropped_is_not_found(
    qdrant: Imitation, store: QdrantServerStore
) -> None:
    qdrant.local.delete_collection("clips")
    with pytest.raises(NotFoundError, match=r"doesn't exist.*open the store again"):
        store.count()


def test_our_own_bugs_pass_untranslated(store: QdrantServerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (TypeError("x"), ValueError("x"), KeyError("x"), RuntimeError("x")):
        monkeypatch.setattr(points, "payload", lambda *_, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)) as caught:
            store.upsert([record()])
        assert caught.value is error
    assert refusals.translate(ResponseHandlingException(ValueError("x")), "here") is None


class Indexing(list[dict[str, Any]]):
    """Parts of a collection's description, in their order."""

    def say(self, *statuses: str, error: str = "", indexed: Iterable[int] = repeat(0)) -> None:
        """Of ten records, how many are indexed, and how the collection is."""
        status = models.OptimizersStatusOneOf1(error=error) if error else models.OptimizersStatusOneOf.OK
        self += [
            {
                "status": models.CollectionStatus(each),
                "optimizer_status": status,
                "points_count": 10,
                "indexed_vectors_count": number,
            }
            for each, number in zip(statuses, indexed, strict=False)
        ]


@pytest.fixture
def indexing(store: QdrantServerStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexing]:
    """What the server says of its index, one thing after the other; all of it is said in the test."""
    describe, said = store._client.get_collection, Indexing()  # type: ignore[union-attr]  # it is open

    def told(name: str) -> Any:
        info = describe(name)
        for part, value in said.pop(0).items():
            setattr(info, part, value)
        return info

    monkeypatch.setattr(store._client, "get_collection", told)
    yield said
    assert said == []


def test_the_optimizer_is_waited_for(store: QdrantServerStore, indexing: Indexing) -> None:
    store.upsert([record(id, text=Text(title="word")) for id in "abc"])
    indexing.say("yellow", "yellow", "yellow", "green", indexed=(0, 3, 8, 13))  # with three vectors of words
    heard: list[float] = []
    store.optimize(progress=heard.append)
    assert heard == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_an_optimizer_that_waits_since_the_start_of_its_server_is_told_to_begin(
    store: QdrantServerStore, indexing: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Mock()
    monkeypatch.setattr(store._client, "update_collection", told)
    indexing.say("grey", "yellow", "green")
    store.optimize()
    told.assert_called_once()
    assert told.call_args.kwargs["optimizers_config"] == models.OptimizersConfigDiff()


@pytest.mark.parametrize(
    ("error", "said"), [("no space left", "no space left"), ("", "an earlier write failed")]
)
def test_an_index_that_the_server_gave_up_is_an_error(
    store: QdrantServerStore, indexing: Indexing, error: str, said: str
) -> None:
    indexing.say("yellow", "red", error=error)
    with pytest.raises(UnavailableError, match=f"can't index the collection 'clips': {said}.*log"):
        store.optimize()


@pytest.mark.parametrize("over_grpc", [False, True])
def test_a_certificate_is_trusted_by_the_file_of_its_authority_alone(tmp_path: Path, over_grpc: bool) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    stranger.cert_pem.write_to_path(tmp_path / "other.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    here = Imitation(QdrantClient(":memory:"), api_key="right", tls=tmp_path / "server.pem")
    with imitation(here), imitation_over_grpc(here) as port:
        parts: dict[str, Any] = {"url": here.url, "api_key": SecretStr("right"), "retry": ONCE, "timeout": 5}
        parts |= {"grpc": True, "grpc_port": port} if over_grpc else {}
        with QdrantServerStore(**parts, ca_file=tmp_path / "ca.pem") as store:
            store.open(SPEC, create=True)
            store.upsert([record()])
            assert store.count() == 1
        for file in (None, tmp_path / "other.pem"):
            with (
                QdrantServerStore(**parts, ca_file=file) as store,
                pytest.raises(
                    ConfigurationError, match=r"CERTIFICATE_VERIFY_FAILED.*name the file .* as ca_file"
                ),
            ):
                store.open(SPEC, create=False)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_certificates_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with (
        QdrantServerStore(url="https://127.0.0.1:1", ca_file=file, retry=ONCE) as store,
        pytest.raises(ConfigurationError, match=r"ca_file .*ca\.pem can't be used"),
    ):
        store.open(SPEC, create=True)


def test_a_store_that_is_closed_refuses(store: QdrantServerStore) -> None:
    store.close()
    with pytest.raises(ConfigurationError, match="not open"):
        store.count()
    with pytest.raises((ConfigurationError, InvalidQueryError)):
        store.upsert([record()])
