"""The adapter over the emulator, through the vendor's package: contract, bodies, faults, limits."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import SecretStr

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
from polyreel.core.media import Media, Modality
from polyreel.core.questions import PaidError, Piece, Question, Shown, Way
from polyreel.testing.ark import Emulator, Said
from polyreel.testing.faults import Fault
from polyreel.testing.understanding import UnderstandingContract
from polyreel.testing.web import send, serving
from polyreel.understanding.ark.limits import Api, Handing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from polyreel.understanding.ark.adapter import ArkUnderstanding

    from .conftest import Connect

ASK = "POST /api/v3/responses"
QUESTION = Question("What happens?")


class ArkContract(UnderstandingContract):
    settings: ClassVar[dict[str, Any]]

    @pytest.fixture
    def model(self, emulator: Emulator, connect: Connect) -> Iterator[ArkUnderstanding]:
        with connect(emulator, **self.settings) as model:
            yield model

    @pytest.fixture
    def asked(self, emulator: Emulator) -> Callable[[], int]:
        return lambda: len(emulator.script.heard)


class TestResponses(ArkContract):
    settings: ClassVar = {}


class TestUploads(ArkContract):
    settings: ClassVar = {"hand_over": Handing.FILE}


class TestChat(ArkContract):
    settings: ClassVar = {"api": Api.CHAT}


def shown(drawn: Path, way: Way = Way.BASE64, name: str = "ball_a.mp4", fps: float = 2.0) -> Shown:
    path = drawn / name
    return Shown(Media(Modality.VIDEO, path=path, fps=fps), way, "video/mp4", path.stat().st_size)


def failure(model: ArkUnderstanding, question: Question = QUESTION) -> PolyreelError:
    with pytest.raises(PolyreelError) as caught:
        model.ask(question)
    assert "\n" not in str(caught.value)
    assert "ark-test" not in str(caught.value)
    return caught.value


# -- bodies --------------------------------------------------------------------------------------------------


def test_a_question_is_sent_as_it_is_documented(
    emulator: Emulator, model: ArkUnderstanding, drawn: Path
) -> None:
    picture = drawn / "frame.jpg"
    media.thumbnail(drawn / "ball_a.mp4", picture, at_ms=500)
    still = Shown(Media(Modality.IMAGE, path=picture), Way.BASE64, "image/jpeg", picture.stat().st_size)
    model.ask(Question("What happens?", (shown(drawn), still), thinking=False, max_tokens=300))
    data = base64.b64encode((drawn / "ball_a.mp4").read_bytes()).decode()
    sent = {name: value for name, value in emulator.bodies[0].items() if value is not None}
    content = sent["input"][0]["content"]
    content[1]["image_url"] = content[1]["image_url"][:23]
    assert sent == {
        "model": "doubao-seed-1-6-251015",
        "stream": True,
        "store": True,
        "thinking": {"type": "disabled"},
        "max_output_tokens": 300,
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_video", "video_url": f"data:video/mp4;base64,{data}", "fps": 2.0},
                    {"type": "input_image", "image_url": "data:image/jpeg;base64,", "detail": "auto"},
                    {"type": "input_text", "text": "What happens?"},
                ],
            }
        ],
    }


def test_a_chat_is_sent_as_it_is_documented(emulator: Emulator, connect: Connect, drawn: Path) -> None:
    with connect(emulator, api=Api.CHAT) as model:
        reply = model.ask(Question("What happens?", (shown(drawn),), thinking=True, max_tokens=300))
    sent = {name: value for name, value in emulator.bodies[0].items() if value is not None}
    video = sent["messages"][0]["content"][0]["video_url"]
    assert video.pop("url").startswith("data:video/mp4;base64,")
    assert sent == {
        "model": "doubao-seed-1-6-251015",
        "stream": True,
        "stream_options": {"include_usage": True},
        "thinking": {"type": "enabled"},
        "max_tokens": 300,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "video_url", "video_url": {"fps": 2.0}},
                    {"type": "text", "text": "What happens?"},
                ],
            }
        ],
    }
    assert reply.text == "I see 1 videos and 0 pictures."
    assert reply.reasoning == "Let me look."
    assert reply.usage["reasoning_tokens"] == 12


def test_a_mov_has_one_type_in_an_upload_and_another_in_a_data_address(
    emulator: Emulator, model: ArkUnderstanding, drawn: Path, tmp_path: Path
) -> None:
    mov = tmp_path / "CLIP.MOV"
    mov.write_bytes((drawn / "ball_a.mp4").read_bytes())
    way = Shown(Media(Modality.VIDEO, path=mov, fps=1.0), Way.BASE64, "video/quicktime", mov.stat().st_size)
    model.ask(Question("What?", (way,)))
    assert emulator.bodies[0]["input"][0]["content"][0]["video_url"].startswith("data:video/mov;base64,")
    handed = model.hand_over(replace(way, way=Way.FILE))
    file = emulator.files.stored[handed.id]
    assert (file.kind, file.filename, file.fps) == ("video/quicktime", "video.mov", 1.0)


def test_an_uploads_name_ends_as_its_type_whatever_its_own_says(
    emulator: Emulator, model: ArkUnderstanding, drawn: Path
) -> None:
    avi = replace(shown(drawn, Way.FILE), kind="video/avi")
    assert emulator.files.stored[model.hand_over(avi).id].filename == "video.avi"


def test_a_file_is_kept_as_long_as_configured(emulator: Emulator, connect: Connect, drawn: Path) -> None:
    with connect(emulator, keep_days=2.0) as model:
        handed = model.hand_over(shown(drawn, Way.FILE))
    assert handed.expires == pytest.approx(time.time() + 2 * 86_400, abs=10)
    assert emulator.files.stored[handed.id].fps == 2.0


def test_an_answer_that_met_its_limit_says_so(emulator: Emulator, model: ArkUnderstanding) -> None:
    emulator.script.say(Said("A red", complete=False))
    reply = model.ask(QUESTION)
    assert (reply.text, reply.complete) == ("A red", False)


def test_pieces_are_heard_before_the_answer_is_over(emulator: Emulator, model: ArkUnderstanding) -> None:
    emulator.script.say(Said("A red ball bounces on the grey floor.", pause=0.1))
    heard: list[float] = []
    model.ask(QUESTION, lambda _: heard.append(time.monotonic()))
    assert len(heard) > 3
    assert heard[-1] - heard[0] > 0.05


# -- faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidParameter", RejectedError),
        (400, "InputVideoRiskDetection", MediaError),
        (401, "AuthenticationError", AuthenticationError),
        (403, "OperationDenied.FileQuotaExceeded", RejectedError),
        (404, "ModelNotOpen", ConfigurationError),
        (413, "RequestTooLarge", MediaError),
        (429, "SetLimitExceeded", RejectedError),
    ],
)
def test_what_fails_for_good_is_asked_once(
    emulator: Emulator, model: ArkUnderstanding, status: int, code: str, error: type[PolyreelError]
) -> None:
    emulator.faults.plan(ASK, *[Fault(status, code)] * 5)
    said = failure(model)
    assert type(said) is error
    assert said.message == f"Ark answered {status}: {code} on command"
    assert said.request_id is not None
    assert said.request_id.startswith("emulated-")
    assert emulator.faults.left == 4


@pytest.mark.parametrize(
    "fault", [Fault(500), Fault(cut=True), Fault(truncate=True), Fault(503, applied=True)]
)
def test_a_lost_reply_is_asked_for_again_and_counted(
    emulator: Emulator, model: ArkUnderstanding, fault: Fault
) -> None:
    emulator.faults.plan(ASK, fault, fault)
    reply = model.ask(QUESTION)
    assert (reply.submits, reply.lost) == (3, 2)
    emulator.faults.plan(ASK, *[fault] * 9)
    said = failure(model)
    assert isinstance(said, PaidError)
    assert (said.reply.submits, said.reply.lost) == (3, 3)
    assert "asked 3 times, which may be paid for" in said.message
    assert emulator.faults.left == 6


def test_a_request_that_had_no_place_is_not_counted(
    emulator: Emulator, model: ArkUnderstanding, waits: list[float]
) -> None:
    emulator.faults.plan(ASK, Fault(429, "ModelAccountRpmRateLimitExceeded", retry_after=3), Fault(429))
    reply = model.ask(QUESTION)
    assert (reply.submits, reply.lost) == (1, 0)
    assert waits[0] == 3.0
    emulator.faults.plan(ASK, *[Fault(429)] * 3)
    assert isinstance(failure(model), RateLimitedError)


def test_an_answer_that_broke_off_while_somebody_listened_is_not_asked_again(
    emulator: Emulator, model: ArkUnderstanding
) -> None:
    emulator.script.say("A red ball bounces on the grey floor.")
    emulator.faults.plan(ASK, Fault(truncate=True))
    heard: list[Piece] = []
    with pytest.raises(UnavailableError, match="broke off"):
        model.ask(QUESTION, heard.append)
    assert heard
    assert len(emulator.script.heard) == 1


@pytest.mark.parametrize(
    ("code", "error", "times"),
    [("InternalServiceError", PaidError, 3), ("OutputTextSensitiveContentDetected", MediaError, 1)],
)
def test_a_model_that_fails_after_it_began_is_told_by_its_code(
    emulator: Emulator, model: ArkUnderstanding, code: str, error: type[PolyreelError], times: int
) -> None:
    emulator.script.say(*[Said("never", error=code)] * 3)
    assert type(failure(model)) is error
    assert len(emulator.script.heard) == times


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"type": "error", "code": "InternalServiceError", "message": "x"}, PaidError),
        ({"type": "error", "code": "InvalidParameter", "message": "x"}, RejectedError),
        ({"error": {"code": "RateLimitExceeded.EndpointTPMExceeded", "message": "x"}}, RateLimitedError),
        ({"type": "response.created"}, PaidError),
        ({"type": "response.something.new"}, PaidError),
    ],
)
def test_an_error_inside_a_stream_is_told_by_its_code(
    emulator: Emulator, connect: Connect, line: dict[str, object], error: type[PolyreelError]
) -> None:
    body = f"data: {json.dumps(line)}\n\ndata: [DONE]\n\n".encode()
    with serving() as site:
        site.answers["/responses"] = lambda handler, _: send(
            handler, 200, body, Content_Type="text/event-stream"
        )
        once = RetryPolicy(attempts=1)
        with connect(emulator, base_url=f"http://{site.address}", retry=once) as model:
            assert type(failure(model)) is error


def test_a_service_that_falls_silent_is_left_in_time(emulator: Emulator, connect: Connect) -> None:
    emulator.faults.plan(ASK, *[Fault(hang=30.0)] * 2)
    for settings in ({"patience": 0.2}, {"timeout": 0.4}):
        begun = time.monotonic()
        with connect(emulator, retry=RetryPolicy(attempts=1), **settings) as model:
            assert "doesn't answer" in str(failure(model))
        assert time.monotonic() - begun < 10


def test_a_stream_that_never_ends_is_left_in_time(emulator: Emulator, connect: Connect) -> None:
    emulator.script.say(Said("word " * 2000, pause=0.05))
    begun = time.monotonic()
    with connect(emulator, retry=RetryPolicy(attempts=1), timeout=0.5) as model:
        assert "longer than it may" in str(failure(model))
    assert time.monotonic() - begun < 10


def test_a_service_that_is_not_there_says_what_to_check(emulator: Emulator, connect: Connect) -> None:
    with connect(emulator, base_url="http://127.0.0.1:9/api/v3", retry=RetryPolicy(attempts=1)) as model:
        assert "check the network and base_url" in str(failure(model))


def test_a_wrong_key_is_told_and_never_shown(emulator: Emulator, connect: Connect) -> None:
    with connect(emulator, api_key=SecretStr("ark-wrong")) as model:
        said = failure(model)
    assert isinstance(said, AuthenticationError)
    assert "ark-wrong" not in repr(said)


def test_a_file_and_a_reply_that_are_gone_are_not_found(model: ArkUnderstanding, drawn: Path) -> None:
    gone = replace(shown(drawn, Way.FILE), media=Media(Modality.VIDEO, uri="file-1", fps=1.0))
    assert isinstance(failure(model, Question("What?", (gone,))), NotFoundError)
    assert isinstance(failure(model, Question("And then?", after="resp_1")), NotFoundError)


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fps": 0.1}, "fps is 0.1"),
        ({"keep_days": 31.0}, "keep_days is 31"),
        ({"at_once": 0}, "at_once"),
        ({"model": "ep-2026"}, "set `family`"),
        ({"api": Api.CHAT, "hand_over": Handing.FILE}, "knows no uploaded files"),
    ],
)
def test_a_setting_out_of_range_is_refused(
    emulator: Emulator, connect: Connect, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(emulator, **settings)
    assert words in str(caught.value)


def test_the_way_follows_the_size(emulator: Emulator, connect: Connect) -> None:
    def way(size: int, *, address: bool = True, **settings: Any) -> Way:
        with connect(emulator, **settings) as model:
            return model.way(Modality.VIDEO, size, address=address)

    assert way(8 << 20) is Way.BASE64
    assert way((8 << 20) + 1) is Way.URL
    assert way((8 << 20) + 1, address=False) is Way.FILE
    assert way(50 << 20) is Way.URL
    assert way((50 << 20) + 1) is Way.FILE
    assert way(512 << 20) is Way.FILE
    assert way(46 << 20, address=False, api=Api.CHAT) is Way.BASE64
    assert way(1, hand_over=Handing.FILE) is Way.FILE
    assert way(1, hand_over=Handing.URL) is Way.URL
    for size, settings in (((512 << 20) + 1, {}), ((46 << 20) + 1, {"hand_over": Handing.BASE64})):
        with pytest.raises(MediaError):
            way(size, **settings)  # type: ignore[arg-type]
