"""The emulated files, responses and chat are strict, and the vendor's own package is content with them."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import pytest
import volcenginesdkarkruntime as runtime
from volcenginesdkarkruntime import _exceptions as errors

from polyreel.testing.ark import Emulator, Said
from polyreel.testing.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "doubao-seed-1-6-251015"
WORDS: dict[str, Any] = {"type": "input_text", "text": "What happens?"}


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Any]:
    client = runtime.Ark(base_url=emulator.url, api_key="ark-test", max_retries=0)
    yield client
    client.close()


def data(drawn: Path, name: str = "ball_a.mp4") -> str:
    return f"data:video/mp4;base64,{base64.b64encode((drawn / name).read_bytes()).decode()}"


def ask(client: Any, *items: dict[str, Any], **more: Any) -> Any:
    return client.responses.create(model=MODEL, input=[{"role": "user", "content": list(items)}], **more)


def uploaded(client: Any, drawn: Path, name: str = "ball_a.mp4", **more: Any) -> Any:
    given = {"preprocess_configs": {"video": {"fps": 0.3}}, **more}
    with (drawn / name).open("rb") as stream:
        return client.files.create(file=("demo.mp4", stream, "video/mp4"), purpose="user_data", **given)


def test_an_uploaded_file_is_processed_used_listed_and_deleted(
    emulator: Emulator, client: Any, drawn: Path
) -> None:
    file = uploaded(client, drawn)
    assert (file.status, file.bytes) == ("processing", (drawn / "ball_a.mp4").stat().st_size)
    ready = client.files.wait_for_processing(file.id, poll_interval=0.01)
    assert ready.status == "active"
    assert ready.preprocess_configs == {"video": {"fps": 0.3}}
    assert [each.id for each in client.files.list(limit=10)] == [file.id]
    answer = ask(client, {"type": "input_video", "file_id": file.id}, WORDS)
    assert answer.output[-1].content[0].text == "I see 1 videos and 0 pictures."
    assert emulator.script.heard[0].videos == (((drawn / "ball_a.mp4").read_bytes(), 0.3),)
    assert client.files.delete(file.id).deleted
    with pytest.raises(errors.ArkNotFoundError):
        client.files.retrieve(file.id)


def test_a_file_that_is_no_video_fails_without_an_error_of_the_package(client: Any, drawn: Path) -> None:
    file = uploaded(client, drawn, "snow.webm")
    assert client.files.wait_for_processing(file.id, poll_interval=0.01).status == "failed"


@pytest.mark.parametrize(
    "more",
    [
        {"preprocess_configs": {"video": {"fps": 9}}},
        {"expire_at": int(time.time()) + 40 * 86_400},
        {"preprocess_configs": {"video": {"fps": 1, "min_frames": 2}}},
    ],
)
def test_an_upload_beyond_the_limits_is_refused(client: Any, drawn: Path, more: dict[str, Any]) -> None:
    with pytest.raises(errors.ArkBadRequestError):
        uploaded(client, drawn, **more)


def test_a_stream_tells_reasoning_apart_and_its_last_event_has_the_whole(
    emulator: Emulator, client: Any, drawn: Path
) -> None:
    emulator.script.say(Said("A red ball bounces on a grey floor.", reasoning="It is round."))
    stream = ask(client, {"type": "input_video", "video_url": data(drawn), "fps": 2}, WORDS, stream=True)
    events = list(stream)
    assert [each.type for each in events[:3]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    spoken = [each.delta for each in events if each.type == "response.output_text.delta"]
    thought = [each.delta for each in events if each.type == "response.reasoning_summary_text.delta"]
    assert "".join(spoken) == "A red ball bounces on a grey floor."
    assert "".join(thought) == "It is round."
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.total_tokens > 1000


def test_a_follow_up_knows_what_was_said_before(emulator: Emulator, client: Any) -> None:
    first = ask(client, WORDS)
    ask(client, {"type": "input_text", "text": "And then?"}, previous_response_id=first.id)
    assert emulator.script.heard[1].before == ("What happens?", "I see 0 videos and 0 pictures.")
    kept_not = ask(client, WORDS, store=False)
    with pytest.raises(errors.ArkNotFoundError):
        ask(client, WORDS, previous_response_id=kept_not.id)


def test_the_chat_answers_whole_and_as_a_stream(client: Any, drawn: Path) -> None:
    content = [
        {"type": "video_url", "video_url": {"url": data(drawn), "fps": 2}},
        {"type": "text", "text": "What happens?"},
    ]
    messages = [{"role": "user", "content": content}]
    whole = client.chat.completions.create(model=MODEL, messages=messages)
    assert whole.choices[0].message.content == "I see 1 videos and 0 pictures."
    assert whole.choices[0].message.reasoning_content == "Let me look."
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(each.choices[0].delta.content for each in chunks[:-1]) == "I see 1 videos and 0 pictures."
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == 1013


@pytest.mark.parametrize(
    ("items", "more"),
    [
        ([], {}),
        ([{"type": "input_text", "text": ""}], {}),
        ([WORDS, {"type": "input_video", "video_url": "tos://b/k"}], {}),
        ([WORDS, {"type": "input_video", "video_url": "data:video/webm;base64,AA=="}], {}),
        ([WORDS, {"type": "input_video", "video_url": "data:VIDEO/MP4;base64,AA=="}], {}),
        ([WORDS, {"type": "input_video", "video_url": "data:video/mp4;base64,AA=="}], {}),
        ([WORDS, {"type": "input_audio", "audio_url": "x"}], {}),
        ([WORDS], {"thinking": {"type": "maybe"}}),
        ([WORDS], {"extra_body": {"fps": 1}}),
    ],
)
def test_what_the_documents_do_not_allow_is_refused(
    client: Any, items: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    with pytest.raises(errors.ArkBadRequestError):
        ask(client, *items, **more)


@pytest.mark.parametrize("fps", [0.1, 6, "2"])
def test_frames_a_second_out_of_range_are_refused(client: Any, drawn: Path, fps: object) -> None:
    with pytest.raises(errors.ArkBadRequestError, match="fps"):
        ask(client, {"type": "input_video", "video_url": data(drawn), "fps": fps}, WORDS)


def test_frames_a_second_beside_the_address_are_refused_in_a_chat(client: Any, drawn: Path) -> None:
    item = {"type": "video_url", "video_url": {"url": data(drawn)}, "fps": "2"}
    with pytest.raises(errors.ArkBadRequestError, match="inside"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [item]}])


def test_another_model_and_another_key_are_refused(emulator: Emulator, client: Any) -> None:
    with pytest.raises(errors.ArkNotFoundError, match="not open"):
        client.responses.create(model="gpt", input="hello")
    other = runtime.Ark(base_url=emulator.url, api_key="other", max_retries=0)
    with other, pytest.raises(errors.ArkAuthenticationError):
        other.files.list()


def test_faults_and_failures_come_when_they_are_asked_for(emulator: Emulator, client: Any) -> None:
    emulator.faults.plan("POST /api/v3/responses", Fault(429, "ServerOverloaded"))
    with pytest.raises(errors.ArkRateLimitError):
        ask(client, WORDS)
    emulator.script.say(Said("never", error="InternalServiceError"))
    events = list(ask(client, WORDS, stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "InternalServiceError"
