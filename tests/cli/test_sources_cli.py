"""What `polyreel ingest` takes: rows, the standard input, patterns, addresses; and the fields it proposes."""

from __future__ import annotations

import json
import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from polyreel.cli.main import app
from polyreel.testing.web import send, serving

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell

CONFIG = '[stacks.local.fields]\nyear = "int"\n'


@pytest.fixture
def clip(shell: Shell, samples: Path) -> Path:
    """One clip in the shell's folder, without its sidecar."""
    first = min(samples.glob("*.mp4"))
    shutil.copy(first, shell.folder / "clip.mp4")
    return shell.folder / "clip.mp4"


def title_of(shell: Shell) -> list[str]:
    return [video["text"]["title"] for video in shell("videos", "--json").document["videos"]]


def test_rows_name_and_describe_videos(shell: Shell, clip: Path) -> None:
    (shell.folder / "rows.jsonl").write_text('{"uri": "clip.mp4", "title": "From a row"}\n{"uri": 5}\n')
    said = shell("ingest", "--from", "rows.jsonl")
    assert said.code == 1
    assert "failed: rows.jsonl:2: the row names no video; write {" in said.err
    assert "1 ingested, 1 failed" in said.out or "1 failed, 1 ingested" in said.out
    assert title_of(shell) == ["From a row"]


def test_half_of_a_character_in_a_row_stops_no_other_row(shell: Shell, clip: Path) -> None:
    shutil.copy(clip, "other.mp4")
    rows = '{"uri": "clip.mp4", "title": "\\ud800"}\n{"uri": "other.mp4", "title": "Whole"}\n'
    (shell.folder / "rows.jsonl").write_text(rows)
    said = shell("ingest", "--from", "rows.jsonl")
    assert said.code == 1
    assert "failed: rows.jsonl:1: title holds half of a character" in said.err
    assert title_of(shell) == ["Whole"]


def test_the_standard_input_brings_sources(shell: Shell, clip: Path) -> None:
    lines = '{"uri": "clip.mp4", "title": "From a pipe"}\n'
    for arguments in (["ingest", "-"], ["ingest", "--from", "-"]):
        result = CliRunner().invoke(app, arguments, input=lines)
        assert result.exit_code == 0, result.output
    assert title_of(shell) == ["From a pipe"]
    result = CliRunner().invoke(app, ["ingest", "-"], input="clip.mp4\nmissing.mp4\n")
    assert result.exit_code == 1
    assert "failed: there is no file missing.mp4" in result.stderr


def test_a_pattern_is_read_where_the_shell_does_not(shell: Shell, clip: Path) -> None:
    assert shell("ingest", "*.mp4").code == 0
    assert title_of(shell) == ["clip"]
    said = shell("ingest", "*.webm")
    assert said.code == 1
    assert "nothing matches" in said.err


def test_an_address_is_fetched_and_shown_without_its_secrets(
    shell: Shell, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as site:
        site.answers["/clip.mp4"] = lambda handler, _: send(handler, 200, clip.read_bytes(), ETag='"1"')
        secrets = "?X-Amz-Signature=5ec7e7"
        said = shell("ingest", site.url("/clip.mp4") + secrets, site.url("/no.mp4") + secrets)
        assert said.code == 1
        assert f"ingested: {site.url('/clip.mp4')} (" in said.err
        assert f"failed: {site.url('/no.mp4')} answered 404" in said.err
        (video,) = shell("videos", "--json").document["videos"]
        assert video["uri"] == site.url("/clip.mp4")
        assert "5ec7e7" not in said.out + said.err + json.dumps(video)


def test_fields_are_proposed_as_a_section_and_nothing_is_taken_in(shell: Shell, clip: Path) -> None:
    (shell.folder / "polyreel.toml").write_text(CONFIG)
    sidecar = {"year": 2020, "score": 1.5, "when": "2020-01-01T00:00:00Z", "crew": ["Ann"], "odd": {"a": 1}}
    (shell.folder / "clip.json").write_text(json.dumps(sidecar))
    said = shell("ingest", ".", "--infer-fields")
    assert said.code == 0
    assert tomllib.loads(said.out) == {
        "stacks": {
            "local": {"fields": {"year": "int", "crew": "list[string]", "score": "float", "when": "datetime"}}
        }
    }
    assert "# odd: no type holds {'a': 1}" in said.out
    assert not (shell.folder / ".polyreel" / "objects").exists()
    document = shell("ingest", ".", "--infer-fields", "--json").document
    assert document["stack"] == "local"
    assert document["fields"]["crew"] == "list[string]"
    assert set(document["notes"]) == {"odd"}


def test_the_proposed_section_can_be_pasted_and_used(shell: Shell, clip: Path) -> None:
    (shell.folder / "clip.json").write_text('{"place": "Ulm", "released": "2020-01-01T00:00:00Z"}')
    proposed = shell("ingest", "clip.mp4", "--infer-fields").out
    (shell.folder / "polyreel.toml").write_text(proposed)
    assert shell("ingest", "clip.mp4").code == 0
    where = 'place == "Ulm" and released < "2021-01-01T00:00:00Z"'
    assert shell("search", "clip", "--where", where, "--json").document["hits"]


def test_what_could_not_be_looked_at_is_told(shell: Shell, clip: Path) -> None:
    said = shell("ingest", "clip.mp4", "missing.mp4", "--infer-fields")
    assert said.code == 0
    assert "not looked at: missing.mp4: there is no file missing.mp4" in said.err
    assert "nothing to declare; videos looked at: 1" in said.err


def test_undeclared_values_are_told_once_in_one_line(shell: Shell, clip: Path) -> None:
    (shell.folder / "polyreel.toml").write_text(CONFIG)
    (shell.folder / "clip.json").write_text('{"year": 2020, "mood": "calm"}')
    said = shell("ingest", "clip.mp4")
    told = [line for line in said.err.splitlines() if "--infer-fields" in line]
    assert len(told) == 1
    assert told[0].startswith("not declared: mood; ")
    assert "--infer-fields" not in shell("ingest", "clip.mp4").err
