"""`polyreel copy` as a user types it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.cli.progress import _Lines

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell

CONFIG = """
[stacks.other]
preset = "local"
collection = "moved"
[stacks.kept]
preset = "memory"
collection = "kept"
[stacks.kept.store]
path = "{store}"
"""


@pytest.fixture
def copies(filled: Shell) -> Shell:
    """The samples, and two stacks to copy them to."""
    (filled.folder / "polyreel.toml").write_text(CONFIG.format(store="memory"))
    return filled


def test_there_and_back_and_the_next_ingest_embeds_nothing(copies: Shell, samples: Path) -> None:
    said = copies("copy", "local", "bundle:backup", "--json")
    assert said.code == 0
    assert said.document["records"] == said.document["compared"] == said.document["total"] > 20
    assert copies("copy", "bundle:backup", "kept").out.startswith(
        "copied 23 of 23 records, 8 videos, 0 files"
    )
    assert copies("copy", "kept", "other").code == 0
    assert copies("copy", "kept", "other").out.startswith("copied 0 of 23 records, 0 videos")
    for stack in ("kept", "other"):
        assert copies("ingest", samples, "--stack", stack).out.startswith("8 skipped")
        (hit,) = copies("search", "red ball", "--limit", "1", "--stack", stack, "--json").document["hits"]
        assert hit["uri"].endswith("ball_b.mp4")


def test_a_dry_run_says_what_would_be_copied(copies: Shell) -> None:
    said = copies("copy", "local", "kept", "--dry-run")
    assert (said.code, said.out) == (0, "would copy 23 of 23 records, 8 videos, 0 files\n")
    assert not (copies.folder / "memory").exists()


REFUSED = {
    "no such stack": (("local", "nowhere"), 2, "no stack 'nowhere'"),
    "a path is no stack": (("local", "./backup"), 2, "no stack './backup'"),
    "the same twice": (("local", "local"), 2, "FROM and TO are the same"),
    "both bundles": (("bundle:a", "bundle:b"), 2, "both are bundles"),
    "a bundle without a folder": (("local", "bundle:"), 2, "names no folder; write bundle:FOLDER"),
    "no bundle there": (("bundle:nowhere", "kept"), 1, "there is no bundle at"),
    "a folder that is no bundle": (("bundle:.polyreel/qdrant/videos", "kept"), 1, "is no bundle"),
    "a folder that is there": (("local", "bundle:.polyreel"), 2, "there is something at"),
    "nothing ingested": (("kept", "bundle:a"), 1, "there is no collection to copy"),
}


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_copied_is_one_clear_line(
    copies: Shell, arguments: tuple[str, str], code: int, words: str
) -> None:
    said = copies("copy", *arguments)
    assert (said.code, said.out) == (code, "")
    (line,) = said.err.splitlines()
    assert words in line
    assert not list(copies.folder.glob("*.partial"))


def test_a_target_in_use_names_the_process(copies: Shell) -> None:
    assert copies("copy", "local", "kept").code == 0
    held = "import polyreel, sys; s = polyreel.open('kept'); s.count(); print('open', flush=True)"
    command = [sys.executable, "-P", "-c", f"{held}; sys.stdin.read()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=copies.folder, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        said = copies("copy", "local", "kept")
        assert said.code == 1
        assert f"is in use by process {other.pid}" in said.err
        other.communicate()
    assert copies("copy", "local", "kept").code == 0


def test_a_missing_file_is_a_problem_and_the_exit_code_says_so(shell: Shell, samples: Path) -> None:
    (shell.folder / "polyreel.toml").write_text(
        '[stacks.local.objects]\ncopy = true\n[stacks.away]\npreset = "memory"\n'
        '[stacks.away.store]\npath = "m"\n[stacks.away.objects]\npath = "files"\n'
    )
    assert shell("ingest", samples / "ball_a.mp4", samples / "ball_b.mp4").code == 0
    videos = sorted(shell.folder.rglob("videos/*.mp4"))
    assert len(videos) == 2
    videos[0].unlink()
    said = shell("copy", "local", "away")
    assert said.code == 1
    assert "problem: there is no object" in said.err
    assert "2 videos, 1 files" in said.out
    assert len(list((shell.folder / "files" / "videos").iterdir())) == 1


@pytest.mark.parametrize("what", ["bundle:small/backup", "kept"])
def test_a_full_disk_is_named_and_the_copy_goes_on_when_there_is_room(
    copies: Shell, need: Any, what: str
) -> None:
    disk = copies.folder / "small"
    disk.mkdir()
    (copies.folder / "polyreel.toml").write_text(CONFIG.format(store="small/memory"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        need("mount", "only root can mount a small disk")
    try:
        (disk / "ballast").write_bytes(bytes(1016 << 10))
        said = copies("copy", "local", what)
        assert said.code == 1
        assert "no space left" in said.err.lower()
        assert "free some space" in said.err
        assert len(said.err.splitlines()) == 1
        (disk / "ballast").unlink()
        assert copies("copy", "local", what).code == 0
        assert not list(disk.rglob(".polyreel-*"))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_without_a_terminal_each_tenth_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _Lines()
    for done in range(0, 1001, 50):
        lines("records", done, 1000)
    lines("videos", 7, None)
    assert capsys.readouterr().err.splitlines() == [
        f"{done} of 1000 records" for done in range(100, 1000, 100)
    ]
