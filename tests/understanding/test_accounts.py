"""What came to nothing is counted, and what nobody counted isn't called free."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import InvalidQueryError, MediaError
from polyreel.core.media import Modality
from polyreel.core.questions import PaidError, Question, Reply, Way
from polyreel.core.structured import UnreadableError, UnusableError, parsed, seconds
from polyreel.testing.ark import Emulator
from polyreel.testing.faults import Fault
from polyreel.understanding.ark.adapter import ArkUnderstanding
from polyreel.understanding.ark.limits import Handing

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Connect, OpenStack

ASK = "POST /api/v3/responses"


def test_requests_of_an_enrichment_that_came_to_nothing_are_counted_now_and_not_again(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.faults.plan(ASK, *[Fault(500)] * 3)
    report = search.enrich()
    assert report.counts == {"failed": 1}
    assert (report.spent.submits, report.spent.lost) == (3, 3)
    emulator.script.say(json.dumps({"caption": "A ball.", "events": []}))
    again = search.enrich()
    assert (again.spent.submits, again.spent.lost) == (1, 0)


def test_an_answer_whose_correction_did_not_come_is_counted(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    emulator.script.say("no JSON")
    emulator.faults.plan(ASK, None, *[Fault(429)] * 3)
    with pytest.raises(UnusableError, match="correction didn't come") as caught:
        open_stack().events(videos / "ball_a.mp4")
    assert caught.value.reply.usage["input_tokens"] > 0
    assert caught.value.reply.cost


def test_requests_lost_before_one_that_had_no_place_are_told(
    emulator: Emulator, model: ArkUnderstanding
) -> None:
    emulator.faults.plan(ASK, Fault(500), Fault(500), Fault(429))
    with pytest.raises(PaidError, match="asked 2 times") as caught:
        model.ask(Question("What?"))
    assert (caught.value.reply.submits, caught.value.reply.lost) == (2, 2)


def test_a_video_that_is_named_twice_is_paid_for_once(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack(at_once=2)
    search.ingest(videos / "ball_a.mp4")
    ball = search.videos()[0].video_id
    emulator.script.say(*[json.dumps({"caption": "A ball.", "events": []})] * 2)
    assert search.enrich(ball, ball).counts == {"enriched": 1}
    assert len(emulator.script.heard) == 1


def test_an_answer_whose_tokens_nobody_counted_has_no_known_price(
    open_stack: OpenStack, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_stack()
    model = search.stack.understanding
    assert model is not None
    asked = model.ask
    monkeypatch.setattr(model, "ask", lambda *given: replace(asked(*given), usage={}))
    reply: Reply = search.describe(videos / "ball_a.mp4")
    assert reply.cost is None


def test_words_that_a_store_could_not_keep_are_asked_for_again_in_short(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    search = open_stack()
    search.ingest(videos / "ball_a.mp4")
    emulator.script.say(
        json.dumps({"caption": "球" * 20_000, "events": []}), json.dumps({"caption": "A ball.", "events": []})
    )
    assert search.enrich().counts == {"enriched": 1}
    assert "write 32,000 bytes at most" in emulator.script.heard[1].text


def test_an_empty_question_is_refused_and_not_replaced(
    emulator: Emulator, open_stack: OpenStack, videos: Path
) -> None:
    with pytest.raises(InvalidQueryError, match="empty"):
        open_stack().describe(videos / "ball_a.mp4", "")
    with pytest.raises(InvalidQueryError, match="max_tokens is 0"):
        open_stack().describe(videos / "ball_a.mp4", max_tokens=0)
    assert emulator.seen == []


def test_files_that_fit_alone_but_not_together_say_so(emulator: Emulator, connect: Connect) -> None:
    with (
        connect(emulator, hand_over=Handing.BASE64) as model,
        pytest.raises(MediaError, match="beside 31,457,280 bytes of others"),
    ):
        model.way(Modality.VIDEO, 30 << 20, address=False, inline=30 << 20)
    with connect(emulator) as model:
        assert model.way(Modality.VIDEO, 30 << 20, address=False, inline=30 << 20) is Way.FILE


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), "9" * 400 + ":00:00", "00:75", "1:60:00", "00:00:60", float("inf")]
)
def test_a_number_that_is_no_time_is_named(value: object) -> None:
    with pytest.raises(UnreadableError):
        seconds(value, "'start'", 1e6)


def test_minutes_without_hours_may_be_many() -> None:
    assert seconds("75:30", "'start'", 1e6) == 4530.0
    assert seconds("1:59:59", "'start'", 1e6) == 7199.0


def test_json_in_a_fence_is_found_behind_words_with_brackets() -> None:
    assert parsed('At [00:01] a ball falls:\n```json\n{"events": []}\n```') == {"events": []}
    with pytest.raises(UnreadableError, match="broken"):
        parsed("At [00:01] a ball falls.")
