"""Hits checked by a model: each criterion, on the hit's own moment, bounded, counted, paid for once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.core.errors import AuthenticationError, InvalidQueryError, UnsupportedError
from polyreel.core.records import Verdict
from polyreel.core.structured import UnreadableError
from polyreel.core.verifying import read_verdicts
from polyreel.testing.ark import Asked, Emulator
from polyreel.testing.faults import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.search import VideoSearch

    from .conftest import OpenStack

ASK = "POST /api/v3/responses"
CRITERIA = ["a ball is seen", "it is night"]


def verdicts(*each: tuple[int, str, object, str]) -> str:
    names = ("criterion", "verdict", "time", "reason")
    return json.dumps({"verdicts": [dict(zip(names, one, strict=True)) for one in each]})


YES = verdicts((1, "confirmed", "00:00:00.5", "A red ball."), (2, "rejected", None, "It is day."))


@pytest.fixture
def filled(open_stack: OpenStack, videos: Path) -> VideoSearch:
    search = open_stack()
    assert search.ingest(videos).ok
    return search


@pytest.fixture
def picture(videos: Path) -> Path:
    media.thumbnail(videos / "ball_a.mp4", videos.parent / "ball.jpg", at_ms=3000)
    return videos.parent / "ball.jpg"


def test_each_criterion_is_confirmed_or_rejected_with_a_time_in_the_video(
    emulator: Emulator, filled: VideoSearch, picture: Path, tmp_path: Path
) -> None:
    plain = filled.search(image=picture)
    late = next(at for at, hit in enumerate(plain.hits) if hit.start == 2.0)
    emulator.script.say(*[YES] * 10)
    result = filled.search(image=picture, verify=CRITERIA, verify_top=late + 1)
    assert [hit.id for hit in result] == [hit.id for hit in plain]
    assert result.hits[late].verdicts == (
        Verdict("a ball is seen", "confirmed", 2.5, "A red ball."),
        Verdict("it is night", "rejected", None, "It is day."),
    )
    assert not any(hit.verdicts for hit in result.hits[late + 1 :])
    shown = tmp_path / "shown.mp4"
    shown.write_bytes(emulator.script.heard[0].videos[0][0])
    assert media.probe(shown).duration_ms == pytest.approx(2000, abs=130)
    assert "1. a ball is seen\n2. it is night" in emulator.script.heard[0].text


def test_of_a_moment_all_of_it_is_looked_at(
    emulator: Emulator, filled: VideoSearch, picture: Path, tmp_path: Path
) -> None:
    emulator.script.say(YES)
    (moment,) = filled.search(image=picture, moments=True, limit=1, verify=CRITERIA)
    assert moment.end - moment.start > moment.record.end - moment.record.start
    assert moment.verdicts[0].time == moment.start + 0.5
    shown = tmp_path / "shown.mp4"
    shown.write_bytes(emulator.script.heard[0].videos[0][0])
    assert media.probe(shown).duration_ms == pytest.approx((moment.end - moment.start) * 1000, abs=130)


def test_it_is_bounded_and_says_what_it_took(emulator: Emulator, filled: VideoSearch, picture: Path) -> None:
    emulator.script.say(*[YES] * 10)
    result = filled.search(image=picture, verify=CRITERIA, verify_top=2)
    assert len(emulator.script.heard) == 2
    told = result.explain["verify"]
    assert isinstance(told, dict)
    assert (told["hits"], told["asked"], told["submits"], told["currency"]) == (2, 2, 2, "CNY")
    assert told["sound_heard"] is False
    given, made = result.usage["verify_input_tokens"], result.usage["verify_output_tokens"]
    assert told["cost"] == pytest.approx((2 * given + 20 * made) / 1_000_000)
    assert "verdicts" in result.to_json()["hits"][0]  # type: ignore[index]


def test_it_is_asked_for_or_not_done(emulator: Emulator, filled: VideoSearch, picture: Path) -> None:
    result = filled.search(image=picture)
    assert emulator.seen == []
    assert "verify" not in result.explain
    assert "verdicts" not in result.hits[0].to_json()


def test_the_same_check_is_paid_for_once(emulator: Emulator, filled: VideoSearch, picture: Path) -> None:
    emulator.script.say(*[YES] * 10)
    first = filled.search(image=picture, verify=CRITERIA, verify_top=2)
    again = filled.search(image=picture, verify=CRITERIA, verify_top=2)
    assert again.hits == first.hits
    told = again.explain["verify"]
    assert isinstance(told, dict)
    assert (told["cached"], told["submits"], told["cost"]) == (2, 0, 0.0)
    filled.search(image=picture, verify=[*CRITERIA[:1], "something else"], verify_top=1)
    assert len(emulator.script.heard) == 3


def test_a_hit_whose_video_is_gone_is_unsure_and_costs_no_other(
    emulator: Emulator, filled: VideoSearch, picture: Path, videos: Path
) -> None:
    (videos / "snow.webm").unlink()
    emulator.script.say(*[YES] * 10)
    result = filled.search(image=picture, verify=CRITERIA)
    by_name = {("snow" in hit.uri): hit.verdicts for hit in result}
    assert {each.outcome for each in by_name[True]} == {"unsure"}
    assert "couldn't be looked at" in by_name[True][0].reason
    assert by_name[False][0].outcome == "confirmed"


def test_an_answer_without_all_criteria_is_repaired(
    emulator: Emulator, filled: VideoSearch, picture: Path
) -> None:
    emulator.script.say(verdicts((1, "confirmed", 1, "")), YES)
    result = filled.search(image=picture, verify=CRITERIA, verify_top=1)
    assert [each.outcome for each in result.hits[0].verdicts] == ["confirmed", "rejected"]
    assert "one verdict for each of the criteria 1 to 2" in emulator.script.heard[1].text


def test_a_hit_with_a_useless_answer_is_unsure_and_its_cost_is_told(
    emulator: Emulator, filled: VideoSearch, picture: Path
) -> None:
    emulator.script.say("no json", "none again")
    result = filled.search(image=picture, verify=CRITERIA, verify_top=1)
    assert [each.outcome for each in result.hits[0].verdicts] == ["unsure", "unsure"]
    told = result.explain["verify"]
    assert isinstance(told, dict)
    assert told["submits"] == 2
    assert told["cost"] > 0


def test_a_service_that_refuses_us_is_told(emulator: Emulator, filled: VideoSearch, picture: Path) -> None:
    emulator.faults.plan(ASK, *[Fault(401, "AuthenticationError")] * 9)
    with pytest.raises(AuthenticationError):
        filled.search(image=picture, verify=CRITERIA)


@pytest.mark.parametrize(
    ("verify", "top"),
    [("a text", 5), ([""], 5), ([5], 5), (CRITERIA, 0), (CRITERIA, 51), (CRITERIA, 1.5), (5, 5)],
)
def test_what_can_not_be_checked_is_refused_before_anything_is_asked(
    emulator: Emulator, filled: VideoSearch, picture: Path, verify: object, top: object
) -> None:
    with pytest.raises(InvalidQueryError, match="verify"):
        filled.search(image=picture, verify=verify, verify_top=top)  # type: ignore[arg-type]
    assert emulator.seen == []


def test_a_stack_without_a_model_refuses_before_it_searches(filled: VideoSearch, picture: Path) -> None:
    object.__setattr__(filled.stack, "understanding", None)
    with pytest.raises(UnsupportedError, match="no model"):
        filled.search(image=picture, verify=CRITERIA)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "one verdict for each"),
        ("yes", "list"),
        (["yes"], "objects"),
        ([{"criterion": [1], "verdict": "confirmed"}], "one verdict for each"),
        ([{"criterion": 1, "verdict": "maybe"}], "write confirmed"),
        ([{"criterion": 1, "verdict": "confirmed", "time": 9}], "'time' of verdict 1"),
        ([{"criterion": 1, "verdict": "confirmed"}] * 2, "one verdict for each"),
    ],
)
def test_what_is_wrong_with_a_verdict_is_named(value: object, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        read_verdicts(value, criteria=1, duration=2.0)


def test_verdicts_are_read_in_the_order_of_the_criteria() -> None:
    swapped = {"verdicts": [{"criterion": 2, "verdict": "unsure"}, {"criterion": 1, "verdict": "rejected"}]}
    assert read_verdicts(swapped, criteria=2, duration=2.0) == [["rejected", None, ""], ["unsure", None, ""]]


def test_hits_are_looked_at_side_by_side(
    emulator: Emulator, open_stack: OpenStack, videos: Path, picture: Path
) -> None:
    def says(_: Asked) -> str:
        return YES

    search = open_stack(at_once=2)
    search.ingest(videos)
    emulator.script.say(*[says] * 4)
    search.search(image=picture, verify=CRITERIA, verify_top=4)
    assert len(emulator.script.heard) == 4
    assert emulator.busiest <= 2
