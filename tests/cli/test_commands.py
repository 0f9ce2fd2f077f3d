"""The command line as a user meets it: results, messages, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.core import TyperGroup

from polyreel import __version__, media
from polyreel.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Shell


def leaves(command: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """The words of every command below a group."""
    if not isinstance(command, TyperGroup):
        yield names
        return
    for name, below in command.commands.items():
        yield from leaves(below, *names, name)


def test_the_version_is_printed(shell: Shell) -> None:
    assert shell("--version").out == f"polyreel {__version__}\n"


def test_every_command_has_help_with_an_example(shell: Shell) -> None:
    commands = list(leaves(typer.main.get_command(app)))
    assert {"demo", "ingest", "search"} <= {names[0] for names in commands}
    for names in commands:
        said = shell(*names, "--help")
        assert said.code == 0
        assert f"Example: polyreel {' '.join(names)}" in " ".join(said.out.split()), names


def test_ingest_prints_one_document_and_the_rest_on_stderr(shell: Shell, samples: Path) -> None:
    said = shell("ingest", samples, "--json")
    assert said.code == 0
    assert said.document["counts"] == {"ingested": 8}
    assert {video["outcome"] for video in said.document["videos"]} == {"ingested"}
    assert shell("ingest", samples, "--json").document["counts"] == {"skipped": 8}


def test_a_dry_run_says_what_would_be_done(shell: Shell, samples: Path) -> None:
    said = shell("ingest", samples, "--dry-run")
    assert said.code == 0
    assert said.out.startswith("would be: 8 ingested")
    assert shell("search", "ball").code == 1


def test_search_prints_hits_in_seconds(filled: Shell) -> None:
    said = filled("search", "red ball", "--limit", "2", "--json")
    assert said.code == 0
    document = said.document
    assert set(document) >= {"hits", "timing", "explain"}
    hit = document["hits"][0]
    assert set(hit) >= {
        "id",
        "video_id",
        "uri",
        "scope",
        "start",
        "end",
        "score",
        "score_kind",
        "fields",
        "text",
    }
    assert hit["uri"].endswith((".mp4", ".webm"))
    assert 0 <= hit["start"] < hit["end"] <= 6.1
    assert set(document["timing"]) == {"embed", "search", "fetch", "cache", "total"}
    assert len(document["hits"]) == 2


def test_search_by_a_picture_and_by_a_video(filled: Shell, samples: Path) -> None:
    media.thumbnail(samples / "ball_a.mp4", filled.folder / "frame.jpg", at_ms=3000)
    by_picture = filled("search", "--image", "frame.jpg", "--limit", "1", "--json").document["hits"]
    assert "ball" in by_picture[0]["uri"]
    said = filled(
        "search", "--video", samples / "sunset_a.mp4", "--group-by", "video", "--limit", "2", "--json"
    )
    assert {hit["uri"].rpartition("/")[2] for hit in said.document["hits"]} == {
        "sunset_a.mp4",
        "sunset_b.mp4",
    }


def test_a_condition_holds_for_every_hit(filled: Shell) -> None:
    condition = json.dumps({"field": "start", "op": ">=", "value": 5})
    hits = filled("search", "ball", "--where", condition, "--json").document["hits"]
    assert hits
    assert all(hit["start"] >= 5 for hit in hits)
    whole = filled("search", "ball", "--scope", "video", "--json").document["hits"]
    assert {hit["scope"] for hit in whole} == {"video"}


def test_hits_are_cut_out_and_nothing_is_overwritten(filled: Shell) -> None:
    files: list[Path] = []
    for count in (2, 4):
        said = filled("search", "red ball", "--limit", "2", "--save-to", "out")
        assert said.code == 0
        files = sorted((filled.folder / "out").iterdir())
        assert len(files) == count
    assert all(media.probe(file).duration_ms > 500 for file in files)


def test_the_clips_of_each_video_are_cut_out_and_sort_with_it(filled: Shell) -> None:
    said = filled(
        "search", "ball", "--group-by", "video", "--clips", "2", "--limit", "2", "--save-to", "out", "--json"
    )
    assert said.code == 0
    ball, other = said.document["hits"]
    saved = [Path(each).name for each in said.document["saved"]]
    assert [len(hit["members"]) for hit in (ball, other)] == [2, 1]  # the other video is one clip
    assert [name.partition("_")[0] for name in saved] == ["001-01", "001-02", "002"]
    assert [name.rpartition("_")[2] for name in saved] == [
        f"{clip['start']:.2f}-{clip['end']:.2f}.mp4" for clip in (*ball["members"], *other["members"])
    ]
    assert sorted(path.name for path in (filled.folder / "out").iterdir()) == saved


def test_videos_similar_and_delete_take_the_start_of_an_id(filled: Shell) -> None:
    videos = filled("videos", "--json").document["videos"]
    assert len(videos) == 8
    ball = next(video for video in videos if video["uri"].endswith("ball_a.mp4"))
    similar = filled("similar", ball["video_id"][:12], "--limit", "1", "--json").document["hits"]
    assert similar[0]["uri"].endswith("ball_b.mp4")
    assert filled("delete", ball["video_id"][:12]).code == 0
    assert len(filled("videos", "--json").document["videos"]) == 7
    again = filled("delete", ball["video_id"][:12])
    assert again.code == 1
    assert "there is no video" in again.err


def test_more_like_a_record(filled: Shell) -> None:
    hit = filled("search", "red ball", "--limit", "1", "--json").document["hits"][0]
    others = filled("similar", hit["id"], "--json").document["hits"]
    assert others
    assert hit["id"] not in {other["id"] for other in others}


def test_fields_in_a_file_win_over_sidecars(shell: Shell, samples: Path) -> None:
    (shell.folder / "fields.json").write_text('{"ball_a.mp4": {"title": "Trampoline hamster", "shelf": "B"}}')
    shell("ingest", samples, "--fields", "fields.json")
    hit = shell("search", "trampoline hamster", "--limit", "1", "--json").document["hits"][0]
    assert hit["uri"].endswith("ball_a.mp4")
    assert hit["extra"]["shelf"] == "B"


def test_init_writes_a_configuration_that_works_and_never_overwrites(shell: Shell, samples: Path) -> None:
    assert shell("init").code == 0
    assert shell("ingest", samples).code == 0
    again = shell("init")
    assert again.code == 2
    assert "polyreel.toml is there already" in again.err


def test_stacks_and_doctor(filled: Shell) -> None:
    stacks = filled("stacks", "--json").document["stacks"]
    assert next(stack for stack in stacks if stack["default"])["name"] == "local"
    doctor = filled("doctor", "--json")
    assert doctor.code == 0
    assert all(check["ok"] for check in doctor.document["checks"])
    wrong = filled("doctor", "--stack", "lokal")
    assert wrong.code == 1
    assert "local" in wrong.out


def test_a_search_before_any_ingest_says_what_to_do(shell: Shell) -> None:
    said = shell("search", "anything")
    assert said.code == 1
    assert said.err == "error: there is no collection 'videos' in this store; ingest something first\n"


def test_a_damaged_video_is_taken_in_and_the_exit_code_says_so(shell: Shell, samples: Path) -> None:
    media.cut(samples / "ball_a.mp4", shell.folder / "whole.mp4", start_ms=0, end_ms=6000)  # index in front
    whole = (shell.folder / "whole.mp4").read_bytes()
    (shell.folder / "cut.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    said = shell("ingest", "cut.mp4")
    assert said.code == 1
    assert "damaged" in said.err
    assert "1 ingested, 1 damaged" in said.out


@pytest.mark.slow
def test_the_demo_shows_hits_pictures_and_a_moment(shell: Shell) -> None:
    said = shell("demo")
    assert said.code == 0
    made = [
        line.split()[-1]
        for line in said.out.splitlines()
        if line.rstrip().endswith((".jpg", "s.mp4", ".mp4"))
    ]
    assert len(made) >= 12
    assert all((shell.folder / path).stat().st_size > 1000 for path in made)


@pytest.mark.slow
def test_the_demo_takes_the_users_own_videos(shell: Shell, samples: Path) -> None:
    own = shell.folder / "my videos"
    own.mkdir()
    (own / "holiday on the beach.mp4").write_bytes((samples / "sunset_a.mp4").read_bytes())
    said = shell("demo", own)
    assert said.code == 0
    assert 'the words "holiday on the beach"' in said.out
    assert not (own / "polyreel.toml").exists()


def test_a_reader_that_goes_away_is_no_error(filled: Shell) -> None:
    command = f"{sys.executable} -P -m polyreel videos | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=filled.folder, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout
