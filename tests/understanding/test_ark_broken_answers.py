"""Answers of Ark that aren't what they should be: each is an error in our words, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import MediaError, NotFoundError, PolyreelError, RejectedError, UnavailableError
from polyreel.core.media import Media, Modality
from polyreel.core.questions import Question, Shown, Way
from polyreel.testing.ark import Emulator
from polyreel.testing.emulation import Answered, Seen, answering
from polyreel.testing.faults import Fault, Faults
from polyreel.understanding.ark.adapter import ArkUnderstanding
from polyreel.understanding.ark.limits import Api

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Connect


@contextmanager
def saying(body: bytes, kind: str = "application/json", status: int = 200, **settings: Any) -> Iterator[Any]:
    """A model whose service answers everything with the same bytes."""

    def answer(_: Seen) -> Answered:
        return Answered(status, body, {"Content-Type": kind})

    def refuse(_: Seen, fault: Fault) -> Answered:
        raise AssertionError(fault)

    once = RetryPolicy(attempts=1)
    with (
        answering(answer, refuse, Faults()) as url,
        ArkUnderstanding(api_key=SecretStr("k"), base_url=f"{url}/api/v3", retry=once, **settings) as model,
    ):
        yield model


def streamed(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def ended(**values: object) -> bytes:
    """The last event of an answer of the Responses API."""
    return streamed({"type": "response.completed", "response": {"id": "r", "status": "completed", **values}})


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    path = tmp_path / "any.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom")
    return Shown(Media(Modality.VIDEO, path=path, fps=1.0), Way.FILE, "video/mp4", 12)


@pytest.mark.parametrize(
    "body",
    [
        streamed(5),
        streamed({"type": "response.completed", "response": 5}),
        streamed({"type": "response.failed", "response": {"error": "x"}}),
        streamed({"type": "response.output_text.delta", "delta": {"x": 1}}),
        streamed({"type": "response.completed"})[:20],
        ended(output=5),
        ended(output=["x"]),
        ended(output=[{"type": "message", "content": ["x"]}]),
        ended(output=[{"type": "message", "content": [{"text": 5}]}]),
        ended(output=[], usage={"input_tokens": "x"}),
        ended(output=[], usage={"input_tokens_details": 5}),
        b"data: \xff\xfe\n\n",
        b"<html>",
        b"",
    ],
)
def test_a_stream_of_another_shape_is_a_lost_answer(body: bytes) -> None:
    with saying(body, "text/event-stream") as model, pytest.raises(UnavailableError, match="asked once"):
        model.ask(Question("What?"))


@pytest.mark.parametrize(
    "body",
    [
        streamed({"choices": 5}),
        streamed({"choices": ["x"]}),
        streamed({"choices": [{"delta": "x"}]}),
        streamed({"choices": [{"delta": {"content": ["x"]}, "finish_reason": "stop"}]}),
        streamed({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": 5}),
        b"",
    ],
)
def test_a_chat_of_another_shape_is_a_lost_answer(body: bytes) -> None:
    with (
        saying(body, "text/event-stream", api=Api.CHAT) as model,
        pytest.raises(UnavailableError, match="asked once"),
    ):
        model.ask(Question("What?"))


@pytest.mark.parametrize("status", [302, 400, 404, 500])
@pytest.mark.parametrize(
    "body", [b"", b"5", b"<html>", b'{"error": "x"}', b'{"error": {"code": 5, "message": {}}}']
)
def test_a_refusal_of_another_shape_is_a_refusal_still(status: int, body: bytes) -> None:
    with saying(body, status=status) as model, pytest.raises(PolyreelError, match=f"Ark answered {status}"):
        model.ask(Question("What?"))


@pytest.mark.parametrize(
    "body", [b"", b"5", b"{}", b'{"id": null}', b'{"id": "f', b'{"id": "f", "expire_at": "x"}', b"\xff"]
)
def test_a_broken_answer_to_an_upload_is_told(shown: Shown, body: bytes) -> None:
    with saying(body) as model, pytest.raises(UnavailableError, match="a broken answer"):
        model.hand_over(shown)


@pytest.mark.parametrize(
    "body", [b"", b"5", b"<html>", b"\xff", b'{"id": "f", "status": "failed", "error": "x"}']
)
def test_a_broken_description_of_a_file_is_told(body: bytes) -> None:
    with saying(body) as model, pytest.raises(UnavailableError, match="a broken answer"):
        model.await_handed("f")


def test_a_file_that_failed_without_a_reason_says_so() -> None:
    body = b'{"id": "f", "status": "failed", "error": null}'
    with saying(body) as model, pytest.raises(MediaError, match="it says no reason"):
        model.await_handed("f")


def test_a_file_that_is_not_there_is_that_whatever_the_service_calls_it(
    emulator: Emulator, connect: Connect
) -> None:
    emulator.faults.plan("GET /api/v3/files", Fault(404, "Whatever"))
    with connect(emulator) as model, pytest.raises(NotFoundError, match="no such file"):
        model.await_handed("file-1")


def test_a_full_account_is_no_matter_of_the_key(emulator: Emulator, connect: Connect, shown: Shown) -> None:
    emulator.faults.plan("POST /api/v3/files", Fault(403, "OperationDenied.FileQuotaExceeded"))
    with connect(emulator) as model, pytest.raises(RejectedError) as refused:
        model.hand_over(shown)
    assert "--forget" in (refused.value.hint or "")
