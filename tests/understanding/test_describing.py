"""Asking about files, records and hits: handed over by size, used again, followed up, counted and priced."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from polyreel import media
from polyreel.core.errors import (
    InvalidQueryError,
    MediaError,
    NotFoundError,
    PolyreelError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.events import Event, read_events
from polyreel.core.filters import F
from polyreel.core.rates import Rate
from polyreel.core.structured import UnreadableError, parsed, seconds
from polyreel.core.viewing import DESCRIBE
from polyreel.testing.ark import Asked, Emulator
from polyreel.testing.faults import Fault
from polyreel.understanding.ark.limits import Api, Handing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polyreel.core.records import Hit
    from polyreel.core.search import VideoSearch

    from .conftest import OpenStack


def events(*listed: dict[str, Any]) -> str:
    return json.dumps({"events": list(listed)})


BOUNCE = {"start": "00:00:01", "end": 2.5, "event": "The ball bounces.", "danger": False}


def second_half(search: VideoSearch, videos: Path) -> Hit:
    """A clip that begins in the middle of its video."""
    picture = videos.parent / "ball.jpg"
    media.thumbnail(videos / "ball_a.mp4", picture, at_ms=3000)
    hit = search.search(image=picture, where=F.start >= 2, limit=1).hits[0]
    assert (hit.start, hit.end) == (2.0, 4.0)
    return hit


# -- describing ----------------------------------------------------------------------------------------------


def test_a_file_is_described_without_a_collection(
    emulator: Emulator, open_stack: OpenStack, drawn: Path
) -> None:
    emulator.script.say("A red ball bounces.")
    search = open_stack()
    reply = search.describe(drawn / "ball_a.mp4", fps=2.0)
    assert reply.text == "A red ball bounces."
    heard = emulator.script.heard[0]
    assert heard.text == DESCRIBE
    assert heard.videos == (((drawn / "ball_a.mp4").read_bytes(), 2.0),)
    given, made = reply.usage["input_tokens"], reply.usage["output_tokens"]
    assert reply.cost == pytest.approx((2 * given + 20 * made) / 1_000_000)
    assert reply.to_json()["sound_heard"] is False
    assert reply.plans[0].frames == 16


def test_a_price_that_nobody_wrote_down_is_unknown(open_stack: OpenStack, drawn: Path) -> None:
    assert open_stack(rate=Rate()).describe(drawn / "ball_a.mp4").cost is None


def test_a_record_is_shown_as_its_own_piece(emulator: Emulator, open_stack: OpenStack, videos: Path) -> None:
    search = open_stack()
    assert search.ingest(videos).ok
    hit = second_half(search, videos)
    search.describe(hit, "What is it?")
    search.describe(hit.id, "What is it?")
    search.describe(hit.video_id[:12], "What is it?")
    shown = [asked.videos[0][0] for asked in emulator.script.heard]
    assert shown[0] == shown[1] != shown[2]
    piece = videos.parent / "piece.mp4"
    piece.write_bytes(shown[0])
    assert media.probe(piece).duration_ms == pytest.approx(2000, abs=130)


def test_another_container_is_brought_to_mp4_first(
    emulator: Emulator, open_stack: OpenStack, drawn: Path, tmp_path: Path
) -> None:
    open_stack().describe(drawn / "snow.webm")
    piece = tmp_path / "seen.mp4"
    piece.write_bytes(emulator.script.heard[0].videos[0][0])
    info = media.probe(piece)
    assert "mp4" in info.container
    assert info.duration_ms == pytest.approx(4000, abs=130)


def test_several_videos_and_pictures_are_seen_in_their_order(
    emulator: Emulator, open_stack: OpenStack, drawn: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "frame.jpg"
    media.thumbnail(drawn / "meadow.mp4", picture, at_ms=0)
    files = [drawn / "meadow.mp4", drawn / "ball_b.mp4"]
    reply = open_stack().ask("Which one has the picture?", video=files, image=picture)
    heard = emulator.script.heard[0]
    assert [data for data, _ in heard.videos] == [file.read_bytes() for file in files]
    assert heard.images == (picture.read_bytes(),)
    assert len(reply.plans) == 2


def test_an_uploaded_file_is_used_again_also_by_another_process(
    emulator: Emulator, open_stack: OpenStack, drawn: Path
) -> None:
    first = open_stack(hand_over=Handing.FILE)
    first.describe(drawn / "ball_a.mp4")
    first.close()
    again = open_stack(hand_over=Handing.FILE)
    again.describe(drawn / "ball_a.mp4", "What colour is it?")
    assert len(emulator.files.stored) == 1
    again.describe(drawn / "ball_a.mp4", fps=3.0)  # frames are taken when a file is uploaded
    assert sorted(file.fps for file in emulator.files.stored.values()) == [1.0, 3.0]
    assert [fps for asked in emulator.script.heard for _, fps in asked.videos] == [1.0, 1.0, 3.0]


def test_a_file_that_the_service_forgot_is_uploaded_again(
    emulator: Emulator, open_stack: OpenStack, drawn: Path
) -> None:
    search = open_stack(hand_over=Handing.FILE)
    search.describe(drawn / "ball_a.mp4")
    emulator.files.stored.clear()
    assert search.describe(drawn / "ball_a.mp4").text
    assert len(emulator.files.stored) == 1


def test_a_file_that_the_service_can_not_read_is_not_remembered(
    emulator: Emulator, open_stack: OpenStack, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_stack(hand_over=Handing.FILE)
    monkeypatch.setattr("polyreel.testing.ark.files.container", lambda data: None)
    with pytest.raises(MediaError, match="can't be read"):
        search.describe(drawn / "ball_a.mp4")
    monkeypatch.undo()
    assert search.describe(drawn / "ball_a.mp4").text


def test_what_may_never_end_is_refused_before_it_is_read(open_stack: OpenStack, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match=r"pipe\.mp4 is no regular file"):
        open_stack().describe(tmp_path / "pipe.mp4")
    with pytest.raises(NotFoundError, match=r"nothing\.mp4 can't be read: No such file"):
        open_stack().describe(tmp_path / "nothing.mp4")


def test_uploads_are_deleted_on_request(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    search = open_stack(hand_over=Handing.FILE)
    for name in ("ball_a.mp4", "meadow.mp4"):
        search.describe(drawn / name)
    assert search.forget_uploads(drawn / "ball_a.mp4") == 1
    assert len(emulator.files.stored) == 1
    assert search.forget_uploads() == 1
    assert emulator.files.stored == {}
    assert search.forget_uploads() == 0


def test_a_follow_up_sends_the_words_alone(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    search = open_stack()
    first = search.describe(drawn / "ball_a.mp4")
    search.describe(drawn / "ball_a.mp4", "And then?", after=first)
    search.close()
    later = open_stack()
    later.ask("And at the end?", after=later.last_reply(drawn / "ball_a.mp4"))
    assert [len(asked.videos) for asked in emulator.script.heard] == [1, 0, 0]
    assert emulator.script.heard[1].before[0] == DESCRIBE
    with pytest.raises(NotFoundError, match="no answer to follow up"):
        later.last_reply(drawn / "meadow.mp4")


def test_a_chat_keeps_no_conversation(open_stack: OpenStack, drawn: Path) -> None:
    search = open_stack(api=Api.CHAT)
    reply = search.describe(drawn / "ball_a.mp4")
    assert reply.id is None
    for after in (reply, "resp_1"):
        with pytest.raises(UnsupportedError):
            search.ask("And then?", after=after)


def test_nothing_is_sent_for_a_plan(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    plan = open_stack().frame_plan(drawn / "ball_a.mp4", fps=5.0)
    assert (plan.frames, plan.fps) == (20, 5.0)
    assert emulator.seen == []


def test_what_can_not_be_asked_is_refused_before_anything_is_sent(
    emulator: Emulator, open_stack: OpenStack, drawn: Path, tmp_path: Path
) -> None:
    search = open_stack()
    (tmp_path / "not.mp4").write_bytes(b"no video")
    refused: tuple[tuple[Callable[[], object], type[PolyreelError]], ...] = (
        (lambda: search.describe(drawn / "ball_a.mp4", fps=9.0), InvalidQueryError),
        (lambda: search.describe(drawn / "ball_a.mp4", " "), InvalidQueryError),
        (lambda: search.describe(tmp_path / "not.mp4"), MediaError),
        (lambda: search.describe("nothing.mp4"), NotFoundError),
        (lambda: search.ask("What?", image=drawn / "ball_a.json"), MediaError),
        (lambda: search.ask("What?", image=drawn / "none.jpg"), NotFoundError),
    )
    for fails, error in refused:
        with pytest.raises(error):
            fails()
    assert emulator.seen == []


def test_a_video_too_large_for_every_way_is_refused(
    emulator: Emulator, open_stack: OpenStack, drawn: Path
) -> None:
    search = open_stack(hand_over=Handing.BASE64)
    search.stack.understanding.max_inline = 1000  # type: ignore[union-attr]
    with pytest.raises(MediaError, match="cut a piece out"):
        search.describe(drawn / "ball_a.mp4")
    assert emulator.seen == []


def test_a_stack_without_a_model_says_what_to_add(open_stack: OpenStack, drawn: Path) -> None:
    search = open_stack()
    object.__setattr__(search.stack, "understanding", None)
    with pytest.raises(UnsupportedError, match="no model that looks at videos") as caught:
        search.describe(drawn / "ball_a.mp4")
    assert caught.value.hint == "add a section [stacks.test.understanding]"


# -- events --------------------------------------------------------------------------------------------------


def test_events_come_as_data_by_time(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    late = {"start": "00:03", "end": "3.5s", "event": "It rests.", "danger": True}
    emulator.script.say(f"Here they are:\n```json\n{events(late, BOUNCE)}\n```\nAnything else?")
    found = open_stack().events(drawn / "ball_a.mp4", "what the ball does")
    assert list(found) == [
        Event(1.0, 2.5, "The ball bounces."),
        Event(3.0, 3.5, "It rests.", danger=True),
    ]
    assert "Look for: what the ball does." in emulator.script.heard[0].text


def test_events_of_a_piece_have_the_times_of_the_video(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos)
    hit = second_half(search, videos)
    emulator.script.say(events({**BOUNCE, "start": 0.5, "end": 1}))
    assert list(search.events(hit)) == [Event(2.5, 3.0, "The ball bounces.")]


class Bounce(BaseModel):
    start: float
    end: float
    height: int


def test_events_take_the_form_of_a_schema(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    emulator.script.say(events({"start": "0:01", "end": 2, "height": 30}))
    found = open_stack().events(drawn / "ball_a.mp4", schema=Bounce)
    assert list(found) == [Bounce(start=1.0, end=2.0, height=30)]
    assert '"height"' in emulator.script.heard[0].text


def test_a_schema_without_times_is_refused(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    class Timeless(BaseModel):
        start: float

    with pytest.raises(InvalidQueryError, match="no 'end'"):
        open_stack().events(drawn / "ball_a.mp4", schema=Timeless)
    assert emulator.seen == []


@pytest.mark.parametrize("api", list(Api))
def test_an_answer_that_can_not_be_read_is_repaired_once(
    emulator: Emulator, open_stack: OpenStack, drawn: Path, api: Api
) -> None:
    emulator.script.say(events({**BOUNCE, "end": "00:59:00"}), events(BOUNCE))
    found = open_stack(api=api).events(drawn / "ball_a.mp4")
    assert [event.event for event in found] == ["The ball bounces."]
    again = emulator.script.heard[1]
    assert "'end' of event 1 is 3540 s; the video has 4.00 s" in again.text
    assert again.videos == ()
    assert bool(again.before) is (api is Api.RESPONSES)
    assert found.reply.submits == 2
    assert found.reply.cost == pytest.approx(
        (2 * found.reply.usage["input_tokens"] + 20 * found.reply.usage["output_tokens"]) / 1e6
    )


def test_a_second_unreadable_answer_is_one_clear_error(
    emulator: Emulator, open_stack: OpenStack, drawn: Path
) -> None:
    emulator.script.say("I see a ball.", "Still a ball.", "Never asked.")
    with pytest.raises(UnavailableError, match="can't be used, nor its second one: there is no JSON in it"):
        open_stack().events(drawn / "ball_a.mp4")
    assert len(emulator.script.heard) == 2


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1, 1.0),
        (1.5, 1.5),
        ("2", 2.0),
        ("2.5 s", 2.5),
        ("01:02", 62.0),
        ("01:00:02.5", 3602.5),
        ("[3]", 3.0),
        ("3秒", 3.0),
    ],
)
def test_times_are_read_in_every_usual_form(value: object, found: float) -> None:
    assert seconds(value, "start", 4000.0) == found


@pytest.mark.parametrize(
    "value", [True, None, "soon", "1:2:3:4", -1, 6.1, float("nan"), float("inf"), [], "-2"]
)
def test_a_time_that_is_none_or_outside_is_named(value: object) -> None:
    with pytest.raises(UnreadableError, match="start is"):
        seconds(value, "start", 5.0)


def test_a_time_just_after_the_end_is_the_end() -> None:
    assert seconds(5.9, "end", 5.0) == 5.0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"event": []}, "list"),
        ({"events": ["x"]}, "no object"),
        ({"events": [{"start": 1, "event": "x"}]}, "lacks 'end'"),
        ({"events": [{**BOUNCE, "start": 3}]}, "after its end"),
        ({"events": [{**BOUNCE, "event": " "}]}, "no words"),
        ({"events": [{**BOUNCE, "danger": "no"}]}, "'danger' of event 1"),
        (5, "list"),
    ],
)
def test_what_is_wrong_with_an_event_is_named(value: object, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        read_events(value, 5.0)


@pytest.mark.parametrize("text", ["", "no json", "{'a': 1}", '{"a": ', "[" * 100_000])
def test_words_without_json_are_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        parsed(text)


def test_a_lost_reply_shows_in_the_reply(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    emulator.faults.plan("POST /api/v3/responses", Fault(500, applied=True))
    reply = open_stack().describe(drawn / "ball_a.mp4")
    assert (reply.submits, reply.lost) == (2, 1)


def test_the_script_sees_what_is_shown(emulator: Emulator, open_stack: OpenStack, drawn: Path) -> None:
    def says(asked: Asked) -> str:
        return f"{len(asked.videos[0][0])} bytes"

    emulator.script.say(says)
    reply = open_stack().describe(drawn / "ball_a.mp4")
    assert reply.text == f"{(drawn / 'ball_a.mp4').stat().st_size} bytes"
