"""`polyreel describe`, `enrich` and `search --verify`, and what `stacks` and `doctor` know of a model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from polyreel.cli.main import app
from polyreel.testing.ark import Emulator, Said
from polyreel.testing.faults import Fault

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
stack = "films"
[rates.ark]
price_per_million_input = 2.0
price_per_million_output = 20.0
currency = "CNY"
[stacks.films]
state = "state"
recipe = {{ window = 2.0 }}
[stacks.films.store]
kind = "memory"
path = "store"
[stacks.films.embedder]
kind = "builtin"
[stacks.films.objects]
kind = "local"
path = "objects"
[stacks.films.understanding]
kind = "ark"
api_key = "ark-test"
base_url = "{url}"
"""


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Shell:
    def __call__(self, *arguments: object) -> Told:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Told(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def shell(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in a folder whose configuration has a model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "polyreel.toml").write_text(CONFIG.format(url=emulator.url))
    return Shell()


def test_an_answer_is_printed_and_what_it_took_is_told(
    emulator: Emulator, shell: Shell, videos: Path
) -> None:
    emulator.script.say(Said("A red ball bounces.\nThen it rests.", reasoning="It is round."))
    said = shell("describe", videos / "ball_a.mp4", "What happens?")
    assert said.code == 0
    assert said.out == "A red ball bounces.\nThen it rests.\n"
    assert "reasoning: It is round." in said.err
    assert "sound is not heard" in said.err
    assert "1,013 tokens in, 46 out: 0.0029 CNY" in said.err


def test_a_stream_prints_reasoning_apart_from_the_answer(
    emulator: Emulator, shell: Shell, videos: Path
) -> None:
    emulator.script.say(Said("A red ball\nbounces\x1b[2J.", reasoning="It is\nround."))
    said = shell("describe", videos / "ball_a.mp4", "What happens?", "--stream")
    assert said.out == "A red ball\nbounces�[2J.\n"
    assert said.err.startswith("reasoning: It is\nround.\n")


def test_json_has_everything_and_nothing_else_is_on_stdout(
    emulator: Emulator, shell: Shell, videos: Path
) -> None:
    emulator.script.say("A red ball bounces.")
    document = shell("describe", videos / "ball_a.mp4", "--json").document
    assert document["answer"] == "A red ball bounces."
    assert document["sound_heard"] is False
    assert document["cost"] > 0
    assert document["plans"][0]["frames"] == 16
    assert document["usage"]["input_tokens"] > 1000


def test_thinking_and_frames_are_handed_on(emulator: Emulator, shell: Shell, videos: Path) -> None:
    shell("describe", videos / "ball_a.mp4", "--thinking", "off", "--fps", "3")
    asked = emulator.script.heard[0]
    assert (asked.thinking, asked.videos[0][1]) == (False, 3.0)
    assert shell("describe", videos / "ball_a.mp4", "--thinking", "maybe").code == 2


def test_a_follow_up_goes_on_from_the_last_answer(emulator: Emulator, shell: Shell, videos: Path) -> None:
    assert "ask about the video first" in shell("describe", videos / "ball_a.mp4", "And?", "--follow-up").err
    shell("describe", videos / "ball_a.mp4", "What happens?")
    shell("describe", videos / "ball_a.mp4", "And then?", "--follow-up")
    shell("describe", videos / "ball_a.mp4", "And at last?", "--follow-up")
    assert [len(asked.videos) for asked in emulator.script.heard] == [1, 0, 0]


def test_a_dry_run_prints_the_plan(emulator: Emulator, shell: Shell, videos: Path) -> None:
    said = shell("describe", videos / "ball_a.mp4", "--dry-run")
    assert said.out == (
        "16 frames of 4.0 s, one every 0.25 s; at most 25 tokens and 19,200 pixels each, 400 tokens "
        "together: 0.0008 CNY, and the answer on top\n"
    )
    assert shell("describe", videos / "ball_a.mp4", "--dry-run", "--json").document["cost"] == pytest.approx(
        8e-4
    )
    assert emulator.seen == []


def test_events_are_a_table_or_data(emulator: Emulator, shell: Shell, videos: Path) -> None:
    answer = json.dumps({"events": [{"start": "0:01", "end": 2, "event": "It falls.", "danger": True}]})
    emulator.script.say(answer, answer)
    assert shell("describe", videos / "ball_a.mp4", "--events").out == "0:01.0-0:02.0\tdanger\tIt falls.\n"
    document = shell("describe", videos / "ball_a.mp4", "--events", "--json").document
    assert document["events"] == [{"start": 1.0, "end": 2.0, "event": "It falls.", "danger": True}]


def test_uploads_are_forgotten_on_request(
    emulator: Emulator, shell: Shell, videos: Path, tmp_path: Path
) -> None:
    with (tmp_path / "polyreel.toml").open("a") as config:
        config.write('hand_over = "file"\n')
    assert shell("describe", videos / "ball_a.mp4").code == 0
    assert len(emulator.files.stored) == 1
    assert shell("describe", videos / "ball_a.mp4", "--forget").code == 0
    assert emulator.files.stored == {}


def test_wishes_that_do_not_go_together_are_refused(emulator: Emulator, shell: Shell, videos: Path) -> None:
    for wishes in (("--stream", "--json"), ("--stream", "--events"), ("--events", "--follow-up")):
        assert shell("describe", videos / "ball_a.mp4", *wishes).code == 2
    assert emulator.seen == []


def test_a_refusal_is_one_line(emulator: Emulator, shell: Shell, videos: Path) -> None:
    emulator.faults.plan("POST /api/v3/responses", Fault(400, "InvalidParameter"))
    said = shell("describe", videos / "ball_a.mp4")
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert said.err.startswith("error: Ark answered 400: InvalidParameter on command (request emulated-")


def test_videos_are_enriched_and_found(emulator: Emulator, shell: Shell, videos: Path) -> None:
    shell("ingest", videos)
    planned = shell("enrich", "--dry-run")
    assert planned.out == "would be: 2 enriched; 800 tokens of frames: 0.0016 CNY, and the answers on top\n"
    answer = json.dumps({"caption": "A zebra.", "events": [{"start": 3, "end": 4, "event": "It gallops."}]})
    emulator.script.say(answer, "none", "none")
    said = shell("enrich")
    assert said.code == 1
    assert said.out.startswith("1 enriched, 1 failed; 3 requests: 0.0")
    assert "failed:" in said.err
    emulator.script.say(answer)
    document = shell("enrich", "--json").document
    assert document["counts"] == {"enriched": 1, "skipped": 1}
    assert len(shell("search", "--lexical", "gallops", "--json").document["hits"]) == 2
    assert shell("enrich").out == "2 skipped; 0 requests: 0.0000 CNY\n"


def test_a_dry_run_of_an_ingest_says_what_enriching_would_take(
    emulator: Emulator, shell: Shell, videos: Path
) -> None:
    said = shell("ingest", videos, "--dry-run")
    assert "`enrich` would then show 800 tokens of frames to the model" in said.err
    document = shell("ingest", videos, "--dry-run", "--json").document
    assert document["frame_tokens"] == 800
    assert [each["frame_plan"]["frames"] for each in document["videos"]] == [16, 16]
    assert emulator.seen == []


def test_hits_are_verified_and_the_cost_is_shown(emulator: Emulator, shell: Shell, videos: Path) -> None:
    shell("ingest", videos)
    answer = json.dumps({"verdicts": [{"criterion": 1, "verdict": "confirmed", "time": 1, "reason": "Red."}]})
    emulator.script.say(answer)
    said = shell("search", "red", "--verify", "a ball is seen", "--verify-top", "1")
    assert said.code == 0
    assert "1. confirmed at 0:0" in said.out
    assert said.out.rstrip().endswith("a ball is seen: Red.")
    assert "checked 1 hits: 1 requests, 0.0" in said.err
    again = shell("search", "red", "--verify", "a ball is seen", "--verify-top", "1", "--json").document
    assert again["hits"][0]["verdicts"][0]["outcome"] == "confirmed"
    assert again["explain"]["verify"]["cached"] == 1


def test_the_stack_is_listed_checked_and_shown(emulator: Emulator, shell: Shell) -> None:
    rows = {row["name"]: row for row in shell("stacks", "--json").document["stacks"]}
    assert rows["films"]["understanding"] == "ark"
    assert rows["local"]["understanding"] is None
    checks = {each["what"]: each for each in shell("doctor", "--json").document["checks"]}
    assert checks["understanding"]["ok"]
    assert checks["understanding"]["found"] == "ark: doubao-seed-1-6-251015, not asked"
    assert emulator.seen == []
    shown = {row["key"]: row["value"] for row in shell("config", "show", "--json").document["settings"]}
    assert shown["stacks.films.understanding.api_key"] == "***"
    assert shown["stacks.films.understanding.api"] == "responses"
    assert shown["rates.ark.price_per_million_input"] == 2.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hand_ovr = 'file'", "hand_over"),
        ("fps = 9.0", "fps is 9"),
        ("api = 'soap'", "'responses' or 'chat'"),
        ("model = 'ep-1'", "set `family`"),
    ],
)
def test_a_mistake_in_the_section_names_its_place(
    shell: Shell, videos: Path, tmp_path: Path, line: str, words: str
) -> None:
    with (tmp_path / "polyreel.toml").open("a") as config:
        config.write(f"{line}\n")
    said = shell("describe", videos / "ball_a.mp4")
    assert said.code == 2
    assert "stacks.films.understanding" in said.err
    assert words in said.err


def test_another_kind_of_model_is_refused_by_name(shell: Shell, videos: Path, tmp_path: Path) -> None:
    config = tmp_path / "polyreel.toml"
    config.write_text(config.read_text().replace('kind = "ark"', 'kind = "arc"'))
    said = shell("describe", videos / "ball_a.mp4")
    assert said.code == 2
    assert "there is no understanding of kind 'arc'" in said.err


def test_an_answer_that_breaks_off_ends_its_line_before_the_error(
    emulator: Emulator, shell: Shell, videos: Path
) -> None:
    emulator.faults.plan("POST /api/v3/responses", Fault(truncate=True))
    said = shell("describe", videos / "ball_a.mp4", "--stream")
    assert said.code == 1
    assert said.err.splitlines()[-1].startswith("error: the answer broke off")


@pytest.mark.parametrize(
    "wishes",
    [
        ("--follow-up", "--fps", "2"),
        ("--follow-up", "--dry-run"),
        ("--dry-run", "--stream"),
        ("--dry-run", "--forget"),
    ],
)
def test_a_wish_that_would_be_passed_over_is_refused(
    emulator: Emulator, shell: Shell, videos: Path, wishes: tuple[str, ...]
) -> None:
    shell("describe", videos / "ball_a.mp4")
    said = shell("describe", videos / "ball_a.mp4", "And then?", *wishes)
    assert said.code == 2
    assert "leave" in said.err
    assert len(emulator.seen) == 1
