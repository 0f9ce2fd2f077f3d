"""Long runs on the command line: ctrl-C, `--retry-failed`, `--report`, rates, progress, `gc`."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import polyreel
from polyreel.cli.progress import Tally, estimated
from polyreel.core.rates import Estimate
from polyreel.core.report import Outcome, VideoReport

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell

_SLOW = """
import time
from polyreel.cli.main import app
from polyreel.core.ingest import Ingest
make = Ingest._make
def slow(self, plan):
    print("begun\\n", end="", flush=True)
    time.sleep(PAUSE)
    return make(self, plan)
Ingest._make = slow
app()
"""


def child(folder: Path, *arguments: str | Path, pause: float) -> subprocess.Popen[str]:
    """A command in a process of its own, which says when a video begins and takes its time over it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _SLOW.replace("PAUSE", str(pause)), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def begun(process: subprocess.Popen[str], count: int) -> None:
    """Wait until so many videos have begun."""
    assert process.stdout is not None
    for _ in range(count):
        assert process.stdout.readline() == "begun\n"


def records(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is stored, vectors included."""
    folder.joinpath("polyreel.toml").touch()
    with polyreel.open("local", folder / "polyreel.toml") as search:
        return {
            record.id: (record.uri, record.start_ms, [round(float(value), 5) for value in record.content])  # type: ignore[union-attr]
            for record in search._opened().scan(vectors=True)
        }


# -- ctrl-C --------------------------------------------------------------------------------------------------


def test_ctrl_c_finishes_what_is_in_flight_and_the_next_run_completes(
    filled: Shell, samples: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    process = child(folder, "ingest", samples, "--workers", "2", "--report", "report.json", pause=0.5)
    begun(process, 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finishing 2 videos; press again to stop at once" in err
    assert "stopped; run the same command again to go on" in err
    assert "Traceback" not in err
    assert out.startswith("2 ingested; ")
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert report["stopped"] is True
    assert report["counts"] == {"ingested": 2}

    second = child(folder, "ingest", samples, pause=0)
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "6 ingested" in out
    assert "2 skipped" in out
    wanted = records(filled.folder)
    assert len(wanted) > 15
    assert records(folder) == wanted


def test_a_second_ctrl_c_ends_at_once_and_the_next_run_completes(
    filled: Shell, samples: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    process = child(folder, "ingest", samples, "--workers", "2", pause=60)
    begun(process, 2)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "finishing 2 videos" not in process.stderr.readline():
        pass
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - asked < 10
    assert process.returncode == 130
    second = child(folder, "ingest", samples, pause=0)
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert records(folder) == records(filled.folder)


# -- what failed ---------------------------------------------------------------------------------------------


def test_what_failed_is_taken_again_without_naming_it(shell: Shell, samples: Path) -> None:
    broken = shell.folder / "broken.mp4"
    broken.write_text("this is text")
    assert shell("ingest", samples, broken).code == 1
    again = shell("ingest", "--retry-failed", "--json")
    assert again.code == 1
    (video,) = again.document["videos"]
    assert video["path"] == str(broken)
    assert video["reason"]
    broken.write_bytes((samples / "ball_a.mp4").read_bytes() + b"\0\0\0\x08free")
    mended = shell("ingest", "--retry-failed", "--json")
    assert mended.code == 0
    assert mended.document["counts"] == {"ingested": 1}
    nothing = shell("ingest", "--retry-failed")
    assert nothing.code == 0
    assert nothing.out.startswith("nothing; 0 records")


# -- the report ----------------------------------------------------------------------------------------------


def test_the_report_is_written_to_a_file_beside_what_is_printed(shell: Shell, samples: Path) -> None:
    said = shell("ingest", samples, "--json", "--report", "report.json")
    assert said.code == 0
    written = json.loads((shell.folder / "report.json").read_text("utf-8"))
    assert written == said.document
    assert written["counts"] == {"ingested": 8}
    assert len(written["videos"]) == 8
    assert not list(shell.folder.glob(".polyreel-*"))


@pytest.mark.parametrize(
    ("file", "why"), [("nowhere/report.json", "its folder is missing"), (".", "a folder")]
)
def test_a_report_that_cannot_be_written_is_told_before_the_work(
    shell: Shell, samples: Path, file: str, why: str
) -> None:
    said = shell("ingest", samples, "--report", file)
    assert said.code == 2
    assert why in said.err
    assert shell("videos").code == 1  # nothing was taken in


# -- rates ---------------------------------------------------------------------------------------------------


def test_a_dry_run_says_cost_and_time_for_each_video_and_all(shell: Shell, samples: Path) -> None:
    rates = '[rates.builtin]\nprice_per_minute = 0.5\ncurrency = "USD"\nspeed = 2.0\n'
    (shell.folder / "polyreel.toml").write_text(rates)
    document = shell("ingest", samples, "--dry-run", "--json").document
    total = document["estimate"]
    assert total["video_seconds"] == pytest.approx(8 * 6, abs=1)
    assert total["clips"] >= 8
    assert total["cost"] == pytest.approx(0.5 * total["video_seconds"] / 60, abs=1e-3)
    assert total["seconds"] == pytest.approx(total["video_seconds"] / 2, abs=1e-2)
    assert sum(video["estimate"]["cost"] for video in document["videos"]) == pytest.approx(
        total["cost"], abs=1e-4
    )
    said = shell("ingest", samples, "--dry-run")
    assert "cost 0.4 USD, time 0:24.0" in said.out
    assert said.err.count("would be ingested: ") == 8
    assert "cost 0.05 USD" in said.err


def test_the_builtin_embedder_is_free_and_its_speed_is_known(shell: Shell, samples: Path) -> None:
    total = shell("ingest", samples, "--dry-run", "--json").document["estimate"]
    assert total["cost"] == 0
    assert total["seconds"] > 0


def test_an_unknown_rate_is_unknown_and_not_free(
    shell: Shell, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = estimated(Estimate(12.0, 3, 1, None, "", None))
    assert said == "0:12.0 of video, 3 clips, 1 requests, cost unknown, time unknown"
    monkeypatch.setattr("polyreel.config.layers.rates", dict)
    dry = shell("ingest", samples, "--dry-run")
    assert "cost unknown, time unknown" in dry.out
    assert "the section [rates.builtin]" in dry.err
    total = shell("ingest", samples, "--dry-run", "--json").document["estimate"]
    assert (total["cost"], total["seconds"]) == (None, None)
    assert total["clips"] > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rates.bultin]\nspeed = 2.0", "did you mean 'builtin'"),
        ("[rates.builtin]\nspead = 2.0", "did you mean 'speed'"),
        ("[rates.builtin]\nspeed = 0.0", "speed is 0; it must be above 0"),
        ("[rates.builtin]\nprice_per_minute = -1.0", "price_per_minute is -1; it must be at least 0"),
        ('[rates.builtin]\nprice_per_minute = "cheap"', "it must be a number"),
        ("[rates]\nbuiltin = 2", "must be a section"),
    ],
)
def test_a_mistake_in_a_rate_is_named(shell: Shell, text: str, message: str) -> None:
    (shell.folder / "polyreel.toml").write_text(text)
    said = shell("stacks")
    assert said.code == 2
    assert message in said.err
    assert "rates" in said.err
    assert "polyreel.toml" in said.err


# -- progress ------------------------------------------------------------------------------------------------


def test_progress_tells_counts_rates_and_the_time_left() -> None:
    tally = Tally(total=10, began=100.0)
    assert tally.words(100.0) == "0 of 10 videos"
    tally.add(VideoReport("a.mp4", Outcome.INGESTED, duration=60.0))
    tally.add(VideoReport("b.mp4", Outcome.FAILED))
    assert tally.words(130.0) == "2 of 10 videos, 1 failed, 4 videos/min, 2.0x real time, 2:00 left"
    unknown = Tally(began=100.0)
    unknown.add(VideoReport("a.mp4", Outcome.SKIPPED))
    assert unknown.words(110.0) == "1 videos, 6 videos/min"


def test_a_terminal_shows_the_bar_with_the_total_counted_ahead(shell: Shell, samples: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "polyreel", "ingest", str(samples)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, cwd=shell.folder, env=environment
    ) as process:
        os.close(theirs)
        shown = _read(ours, process)
    os.close(ours)
    assert process.returncode == 0
    assert "of 8 videos" in shown
    assert "videos/min" in shown
    assert "x real time" in shown
    assert " left" in shown


def _read(terminal: int, process: subprocess.Popen[bytes]) -> str:
    shown = b""
    while process.poll() is None or select.select([terminal], [], [], 0.1)[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
    process.wait(30)
    return shown.decode(errors="replace")


# -- gc ------------------------------------------------------------------------------------------------------


def test_gc_shows_before_it_deletes(filled: Shell) -> None:
    clean = filled("gc")
    assert clean.code == 0
    assert clean.err == "nothing to clean up\n"
    orphan = filled.folder / ".polyreel" / "objects" / "clips" / ("a" * 64) / "0-1000.mp4"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"12345")
    assert filled("gc", "--delete", "--json").document["orphans"]["clip"]["waiting"] == 1
    assert orphan.exists()
    os.utime(orphan, (1, 1))
    shown = filled("gc")
    assert shown.code == 0
    assert shown.out.split("\t")[:4] == ["clip", "1", "5", "0"]
    assert "nothing was deleted" in shown.err
    assert orphan.exists()
    deleted = filled("gc", "--delete")
    assert deleted.err == "deleted 1\n"
    assert not orphan.exists()
    assert len(filled("videos", "--json").document["videos"]) == 8


def test_gc_refuses_a_wrong_age(filled: Shell) -> None:
    said = filled("gc", "--older-than", "-1")
    assert said.code == 2
    assert "older_than is -3600 seconds" in said.err
