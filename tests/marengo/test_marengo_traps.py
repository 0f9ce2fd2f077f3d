"""The traps of the SDK and the service: each was recorded, and each is kept out here."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from twelvelabs import TwelveLabs
from twelvelabs.core.api_error import ApiError

from polyreel import media
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    MediaError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from polyreel.core.journal import Journal
from polyreel.core.media import Media, Modality
from polyreel.core.orders import Order, Segments, Ticket
from polyreel.core.recipe import Recipe
from polyreel.core.records import Channel, Scope
from polyreel.core.tasks import Spent, Tasks
from polyreel.embedders.marengo.answers import Piece, segments
from polyreel.embedders.marengo.embedder import MarengoEmbedder
from polyreel.embedders.marengo.errors import retry_after, translate
from polyreel.testing.twelvelabs import Emulator, Fault, emulating
from polyreel.testing.web import send, serving

from .conftest import QUICK, write_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import MakeEmbedder

TEXT = [Media(Modality.TEXT, text="red")]
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    path = write_clip(tmp_path / "red.mp4")
    return Order("v" * 64, Media(Modality.VIDEO, path=path), media.probe(path), Recipe())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def sdk(service: Emulator) -> Iterator[TwelveLabs]:
    """The SDK as its docs make it, but for connections that are closed."""
    with httpx.Client() as connections:
        yield TwelveLabs(api_key=service.key, base_url=service.base_url, httpx_client=connections)


# -- 1: the SDK's retries lose the body of a form ---------------------------------------------------------


def test_the_sdk_sends_a_form_again_without_its_body(service: Emulator, sdk: TwelveLabs) -> None:
    service.plan("POST /embed", Fault.broken(503))
    with pytest.raises(ApiError, match="must be a form"):
        sdk.embed.create(model_name="marengo3.0", text="red", request_options={"max_retries": 3})
    assert [bool(request.body) for request in service.requests] == [True, False]


def test_an_upload_that_is_tried_again_is_whole(
    service: Emulator, make_embedder: MakeEmbedder, order: Order
) -> None:
    service.plan("POST /assets", Fault.broken(503), Fault.limited("0"))
    make_embedder().hand_over(order)
    (asset,) = service.files.assets.values()
    assert order.video.path is not None
    assert asset.content == order.video.path.read_bytes()
    assert len({len(request.body) for request in service.requests}) == 1
    assert service.asked["POST /assets"] == 3


def test_one_attempt_is_one_request(service: Emulator, make_embedder: MakeEmbedder) -> None:
    service.plan("POST /embed-v2", Fault.broken(500))
    with pytest.raises(UnavailableError):
        make_embedder(retry=ONCE).embed_query(TEXT)
    assert service.asked["POST /embed-v2"] == 1


# -- 2, 3: variables ---------------------------------------------------------------------------------------


def test_a_variable_does_not_win_over_the_configured_address(
    service: Emulator, make_embedder: MakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWELVELABS_BASE_URL", "http://127.0.0.1:9/elsewhere")
    make_embedder().embed_query(TEXT)
    assert service.asked["POST /embed-v2"] == 1


@pytest.mark.parametrize("name", ["TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY"])
def test_the_key_may_stand_in_the_environment(
    service: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, service.key)
    with MarengoEmbedder(base_url=service.base_url) as embedder:
        embedder.embed_query(TEXT)
    assert service.requests[0].headers["x-api-key"] == service.key


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_a_key_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("TWELVELABS_API_KEY", value)
    with pytest.raises(ConfigurationError, match="TWELVELABS_API_KEY"):
        MarengoEmbedder()


# -- 4, 5: errors by status, whatever the body -------------------------------------------------------------

FLAT = '{"code": "some_code", "message": "some words"}'
NESTED = '{"error": {"code": "some_code", "message": "some words", "details": {"requestId": "r-1"}}}'
BODIES = [FLAT, NESTED, "", "<html>some words</html>", "[]", '{"odd": 1}']
STATUSES: list[tuple[int, type[PolyreelError]]] = [
    (400, RejectedError),
    (401, AuthenticationError),
    (403, AuthenticationError),
    (404, NotFoundError),
    (409, RejectedError),
    (413, MediaError),
    (422, RejectedError),
    (429, RateLimitedError),
    (500, UnavailableError),
    (502, UnavailableError),
    (503, UnavailableError),
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_an_error_is_known_by_its_status(
    service: Emulator, make_embedder: MakeEmbedder, status: int, kind: type[PolyreelError], body: str
) -> None:
    embedder = make_embedder(retry=ONCE)
    calls: dict[str, Callable[[], object]] = {
        "POST /embed-v2": lambda: embedder.embed_query(TEXT),
        "GET /embed-v2/tasks/ID": lambda: embedder._attempt(
            lambda: embedder._api.collect(Ticket("0" * 24, "v"), None)  # type: ignore[arg-type]
        ),
        "GET /assets/ID": lambda: embedder.await_handed(f"twelvelabs://assets/{'0' * 24}"),
    }
    for call, do in calls.items():
        service.plan(call, Fault.broken(status, body))
        with pytest.raises(kind) as caught:
            do()
        assert type(caught.value) is kind
        if body in (FLAT, NESTED) and (status, body) != (413, FLAT):  # of which the SDK leaves nothing
            assert "some_code: some words" in str(caught.value)
        if body == NESTED and status != 413:
            assert caught.value.request_id == "r-1"


@pytest.mark.parametrize("body", ["{}", "[]", "null", "not json", "", '{"data": 3}', '{"data": [{}]}'])
def test_a_success_with_an_odd_body_is_a_broken_answer(
    service: Emulator, make_embedder: MakeEmbedder, body: str
) -> None:
    service.plan("POST /embed-v2", Fault.answer(body))
    with pytest.raises(UnavailableError):
        make_embedder(retry=ONCE).embed_query(TEXT)
    assert make_embedder().embed_query(TEXT).vector


def test_an_error_that_is_ours_is_not_translated() -> None:
    for error in (KeyError("x"), TypeError("x"), ValueError("x"), OSError("x")):
        assert translate(error) is None


@pytest.mark.parametrize("values", [[], [0.0] * 512, [0.1] * 511, ["NaN"] * 512, ["Infinity"] + [0.1] * 511])
def test_a_vector_that_is_none_is_asked_for_again(
    service: Emulator, make_embedder: MakeEmbedder, values: list[Any]
) -> None:
    body = json.dumps({"data": [{"embedding": values}]}).replace('"', "").replace("data", '"data"')
    broken = Fault.answer(body.replace("embedding", '"embedding"'))
    service.plan("POST /embed-v2", broken, broken)
    assert len(make_embedder().embed_query(TEXT).vector) == 512
    service.plan("POST /embed-v2", broken)
    with pytest.raises(UnavailableError, match="vector"):
        make_embedder(retry=ONCE).embed_query(TEXT)


@pytest.mark.parametrize("fault", [Fault.cut(), Fault.lost(), Fault.truncated(), Fault.hanging(5.0)])
def test_a_connection_that_ends_is_tried_again(
    service: Emulator, make_embedder: MakeEmbedder, fault: Fault
) -> None:
    service.plan("POST /embed-v2", fault)
    assert make_embedder(patience=0.5).embed_query(TEXT).vector
    service.plan("POST /embed-v2", fault)
    with pytest.raises(UnavailableError):
        make_embedder(patience=0.5, retry=ONCE).embed_query(TEXT)


def test_a_service_that_is_not_there_is_unavailable(make_embedder: MakeEmbedder) -> None:
    with pytest.raises(UnavailableError, match=r"can't be reached: .*; check the network"):
        make_embedder(base_url="http://127.0.0.1:9/v1.3").embed_query(TEXT)


def test_the_key_is_not_taken_to_where_a_redirect_leads(
    service: Emulator, make_embedder: MakeEmbedder
) -> None:
    with serving() as site:
        site.answers["/stolen"] = lambda handler, _: send(handler, 200, b"{}")
        service.plan("GET /embed-v2/tasks/ID", Fault("move", 307, {"Location": site.url("/stolen")}, ""))
        embedder = make_embedder(retry=ONCE)
        with pytest.raises(RejectedError, match="307"):
            embedder._attempt(lambda: embedder._api.collect(Ticket("0" * 24, "v"), None))  # type: ignore[arg-type]
        assert site.headers == []


# -- 6: files ----------------------------------------------------------------------------------------------


def test_the_sdk_sends_a_path_as_the_file(service: Emulator, sdk: TwelveLabs, order: Order) -> None:
    sdk.assets.create(method="direct", file=str(order.video.path))
    (asset,) = service.files.assets.values()
    assert asset.content == str(order.video.path).encode()


def test_a_large_file_goes_in_chunks_and_nothing_is_written_beside_it(
    service: Emulator, make_embedder: MakeEmbedder, order: Order, tmp_path: Path
) -> None:
    assert order.video.path is not None
    before = sorted(tmp_path.rglob("*"))
    service.files.chunk_size = order.video.path.stat().st_size // 5
    service.plan("PUT /s3/ID", Fault.broken(503), Fault.lost())
    service.plan("POST /assets/multipart-uploads/ID", Fault.limited("0"))
    embedder = make_embedder(direct=1000)
    address = embedder.hand_over(order)
    assert address is not None
    embedder.await_handed(address)
    (asset,) = service.files.assets.values()
    assert asset.content == order.video.path.read_bytes()
    assert sorted(tmp_path.rglob("*")) == before
    assert service.asked["POST /assets/multipart-uploads/ID/presigned-urls"] >= 2
    assert not any("x-api-key" in each.headers for each in service.requests if each.method == "PUT")


def test_a_presigned_address_is_not_logged(
    service: Emulator,
    make_embedder: MakeEmbedder,
    order: Order,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service.files.chunk_size = 4000
    service.plan("PUT /s3/ID", Fault.broken(403), Fault.broken(403))
    with caplog.at_level(0):
        make_embedder(direct=1000).hand_over(order)
    assert sum(each.method == "PUT" for each in service.requests) > 3
    assert "X-Amz-Signature" not in caplog.text
    assert service.key not in caplog.text


# -- 7: waiting --------------------------------------------------------------------------------------------


def test_waiting_ends_at_the_deadline_and_the_ticket_is_kept(
    make_embedder: MakeEmbedder, order: Order, journal: Journal
) -> None:
    with emulating(Emulator(task_seconds=3600)) as service:
        embedder = make_embedder(service)
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="not done after"):
            Tasks(embedder, journal, timeout=3.0).result(order, Spent())
        assert time.monotonic() - began < 60
        task = journal.task(order.video_id, f"{embedder.space.key}/{order.recipe.key}")
        assert task is not None
        assert task.ticket is not None


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (403, AuthenticationError), (400, RejectedError)]
)
def test_waiting_ends_when_the_service_refuses(
    *, service: Emulator, make_embedder: MakeEmbedder, order: Order, journal: Journal, status: int, kind: type
) -> None:
    service.tasks.seconds = 0.5
    service.plan("GET /embed-v2/tasks/ID", Fault.broken(status))
    with pytest.raises(kind):
        Tasks(make_embedder(), journal).result(order, Spent())
    assert service.asked["GET /embed-v2/tasks/ID"] == 1


def test_waiting_outlasts_what_passes(
    service: Emulator, make_embedder: MakeEmbedder, order: Order, journal: Journal
) -> None:
    service.tasks.seconds = 0.3
    faults = [Fault.broken(500), Fault.cut(), Fault.limited("0"), Fault.broken(502, "<html>")]
    service.plan("GET /embed-v2/tasks/ID", *faults)
    spent = Spent()
    assert isinstance(Tasks(make_embedder(), journal).result(order, spent), Segments)
    assert spent == Spent(1, 0)


# -- 8: None, 9: pages, 10: errors that look empty ----------------------------------------------------------


def test_the_sdk_sends_what_is_none_as_null_and_the_service_refuses_it(sdk: TwelveLabs) -> None:
    with pytest.raises(ApiError, match="start_sec must not be null"):
        sdk.embed.v_2.tasks.create(
            input_type="video",
            model_name="marengo3.0",
            video={"media_source": {"url": "http://127.0.0.1:9/a.mp4"}, "start_sec": None},  # type: ignore[arg-type]
        )


def test_the_listing_is_read_to_its_end_and_no_further(
    service: Emulator, make_embedder: MakeEmbedder, order: Order
) -> None:
    embedder = make_embedder()
    address = embedder.hand_over(order)
    placed = replace(order, video=replace(order.video, uri=address))
    ticket = embedder.submit(placed)
    first = service.tasks.all[ticket.id]
    for number in range(120):
        medium = replace(first.medium, shown={"input_filename": f"{number}.mp4"})
        service.tasks.add(replace(first, medium=medium, id=f"{number:024x}", began=time.monotonic()))
    found = embedder.find(placed, time.time())
    assert found is not None
    assert found.id == ticket.id
    assert service.asked["GET /embed-v2/tasks"] == 3
    assert embedder.find(replace(placed, recipe=Recipe(window=2.0)), time.time()) is None
    assert service.asked["GET /embed-v2/tasks"] == 7  # three pages, and the empty one


def test_a_task_that_failed_is_not_found_again(
    service: Emulator, make_embedder: MakeEmbedder, order: Order
) -> None:
    embedder = make_embedder()
    placed = replace(order, video=replace(order.video, uri=embedder.hand_over(order)))
    service.tasks.failing = ["it failed"]
    embedder.submit(placed)
    assert embedder.find(placed, time.time()) is None
    ticket = embedder.submit(placed)
    found = embedder.find(placed, time.time())
    assert found is not None
    assert found.id == ticket.id


def test_a_task_of_before_the_intent_is_not_found(
    service: Emulator, make_embedder: MakeEmbedder, order: Order
) -> None:
    embedder = make_embedder()
    placed = replace(order, video=replace(order.video, uri=embedder.hand_over(order)))
    service.tasks.all[embedder.submit(placed).id].created -= 3600
    assert embedder.find(placed, time.time()) is None
    assert embedder.find(placed, time.time() - 4000) is not None


def test_a_listing_that_is_refused_is_no_empty_listing(
    service: Emulator, make_embedder: MakeEmbedder, order: Order
) -> None:
    service.plan("GET /embed-v2/tasks", Fault.broken(401))
    with pytest.raises(AuthenticationError):
        make_embedder().find(order, time.time())


def test_segments_come_in_order_though_the_service_promises_none(
    service: Emulator, make_embedder: MakeEmbedder, order: Order
) -> None:
    wanted = replace(order, recipe=Recipe(window=2.0, channels=(Channel.VISUAL, Channel.AUDIO)))
    embedder = make_embedder()
    placed = replace(wanted, video=replace(order.video, uri=embedder.hand_over(wanted)))
    result = embedder.collect(embedder.submit(placed), placed)
    assert isinstance(result, Segments)
    keys = [(each.scope, each.channel, each.start_ms) for each in result.segments]
    assert keys == sorted(keys)
    (task,) = service.tasks.all.values()
    sent = [(each["scope"], each["option"], each["span"][0]) for each in task.vectors()]
    assert sent != sorted(sent)


# -- ids, limits of rates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["a/../b?x=1", "", "..", "é" * 24])
def test_an_id_that_would_change_the_path_is_not_sent(
    service: Emulator, make_embedder: MakeEmbedder, order: Order, id: str
) -> None:
    with pytest.raises(NotFoundError):
        make_embedder().collect(Ticket(id, order.video_id), order)
    assert service.requests == []


class Clock:
    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.parametrize("body", [None, "", FLAT])
def test_the_service_is_left_alone_for_as_long_as_it_says(
    service: Emulator, make_embedder: MakeEmbedder, body: str | None
) -> None:
    clock = Clock()
    service.plan("POST /embed-v2", Fault.limited("7", body=body))
    make_embedder(retry=RetryPolicy(base=0.01, sleep=clock)).embed_query(TEXT)
    assert clock.slept == [7.0]


@pytest.mark.parametrize(
    ("headers", "details", "low", "high"),
    [
        ({"retry-after": "30"}, {}, 30, 30),
        ({"retry-after": "0"}, {}, 0, 0),
        ({}, {"retryAfter": "60"}, 60, 60),
        ({"x-ratelimit-request-reset": "+20"}, {}, 18, 20),
        ({"x-ratelimit-request-reset": "+20", "x-ratelimit-duration-reset": "+9"}, {}, 7, 9),
        (
            {
                "x-ratelimit-request-reset": "+20",
                "x-ratelimit-request-remaining": "0",
                "x-ratelimit-duration-reset": "+9",
                "x-ratelimit-duration-remaining": "3",
            },
            {},
            18,
            20,
        ),
        ({"x-ratelimit-reset": "+5"}, {}, 3, 5),
        ({"x-ratelimit-reset": "12"}, {}, 12, 12),
    ],
)
def test_the_wait_is_read_from_whatever_says_it(
    headers: dict[str, str], details: dict[str, str], low: float, high: float
) -> None:
    now = time.time()
    written = {
        name: str(now + float(value)) if value.startswith("+") else value for name, value in headers.items()
    }
    seconds = retry_after(written, details)
    assert seconds is not None
    assert low <= seconds <= high


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"x-ratelimit-reset": "1000000001"}])
def test_without_a_word_there_is_no_wait_to_read(headers: dict[str, str]) -> None:
    assert retry_after(headers, {}) is None


# -- version 1 ----------------------------------------------------------------------------------------------


def test_a_failure_that_comes_as_a_success_is_told(make_embedder: MakeEmbedder) -> None:
    with emulating(Emulator(retired=True)) as service:
        body = {"model_name": "m", "text_embedding": {"error_message": "the text is too long"}}
        service.plan("POST /embed", Fault.answer(json.dumps(body)))
        with pytest.raises(MediaError, match="the text is too long"):
            make_embedder(service, model="Marengo-retrieval-2.7").embed_query(TEXT)


def test_a_retired_model_is_refused_in_the_services_words(make_embedder: MakeEmbedder) -> None:
    with pytest.raises(RejectedError, match="not available"):
        make_embedder(model="Marengo-retrieval-2.7").embed_query(TEXT)


def test_no_error_says_more_of_an_address_than_its_path(
    service: Emulator, make_embedder: MakeEmbedder
) -> None:
    echoed = '{"code": "x", "message": "failed to fetch https://bucket.example/a.mp4?X-Amz-Signature=abc"}'
    service.plan("POST /embed-v2", Fault.broken(400, echoed))
    with pytest.raises(RejectedError) as caught:
        make_embedder().embed_query(TEXT)
    assert "a.mp4" in str(caught.value)
    assert "abc" not in str(caught.value)


def test_closing_lets_go_of_the_connections(service: Emulator) -> None:
    embedder = MarengoEmbedder(base_url=service.base_url, api_key=service.secret, retry=QUICK)
    embedder.embed_query(TEXT)
    embedder.close()
    assert embedder._service._http.is_closed
    assert isinstance(embedder._service._http, httpx.Client)


def test_a_span_ends_where_the_video_does() -> None:
    def piece(start: float, end: float) -> Piece:
        return Piece([1.0, 0.0], "visual", "clip", start, end)

    asked = {"visual": (Channel.VISUAL,)}
    pieces = [piece(0.0, 6.0), piece(6.0, 12.04), piece(12.0001, 12.04)]  # the video has 12 s by our measure
    found = segments(pieces, asked, scopes=[Scope.CLIP], duration_ms=12_000, dimension=2)
    assert [(each.start_ms, each.end_ms) for each in found] == [(0, 6000), (6000, 12_000)]
