"""Measured figures come into the page by a tool, whole and with what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polyreel.bench.results import DataInfo, Machine, Measure, Outcome, Results, Run, Sample, StackInfo, write
from polyreel.bench.settings import VectorSettings

if TYPE_CHECKING:
    from ..conftest import Need

TOOL = Path(__file__).parents[2] / "tools" / "bench_figures.py"
END = "<!-- end figures -->\n"
LARGE = f"after\n<!-- figures: large -->\nkept\n{END}"
PAGE = f"before\n<!-- figures: small -->\nbygone\n{END}{LARGE}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page with two places for figures, and results of two stacks of which one is an emulator."""
    results = Results(
        suite="vectors",
        settings=VectorSettings(rounds=2, turn=3),
        machine=Machine(python="3.11", system="Linux", processors=2, memory=1, packages={"numpy": "2"}),
        data=DataInfo(source="clustered", records=12_000, dimension=16, queries=6, fingerprint="f"),
        stacks=[
            StackInfo(name="one", store="memory"),
            StackInfo(name="cloud", store="x", emulated=["store"]),
        ],
        runs=[Run(began="2026-11-26T01:00:00+00:00", seconds=90, load=[0.5, 2.0], ended="complete")],
    )
    sample = Sample(name="p50", value=0, unit="ms")
    results.put(Measure.of("one", "search", sample, [1.0, 3.0]))
    results.put(Measure.of("cloud", "search", sample, [7.0]))
    results.keep(Outcome(stack="cloud", step="cold", state="failed", reason="/a/b/x.db: it broke"), [])
    write(results, tmp_path / "results.json")
    (tmp_path / "page.md").write_text(PAGE)
    return tmp_path


def tool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(TOOL), "--page", str(folder / "page.md"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_table_says_how_it_was_measured_and_what_is_missing(folder: Path) -> None:
    done = tool(folder, f"small={folder}")
    assert done.returncode == 0, done.stderr
    text = (folder / "page.md").read_text()
    prose = " ".join(text.split())
    assert "| | `one` | `cloud (emulated)` |" in text
    assert "| search p50, ms | 2 (1 to 3) | 7 |" in text
    assert "`--rounds 2 --turn 3`); 2026-11-26, 1.5 minutes; 2 processors" in prose
    assert "load average of 0.5 to 2 as" in prose
    assert "- cloud (emulated), cold: failed: …/x.db: it broke" in text
    assert "bygone" not in text
    assert text.endswith(LARGE)


@pytest.mark.parametrize("arguments", [["other={}"], ["small={}", "--picture", "large"]])
def test_figures_without_a_place_change_nothing(arguments: list[str], folder: Path) -> None:
    done = tool(folder, *(each.format(folder) for each in arguments))
    assert done.returncode == 2
    assert "name figures that are given, and have their place" in done.stderr
    assert (folder / "page.md").read_text() == PAGE


@pytest.mark.slow
def test_the_picture_is_the_report_in_a_browser(folder: Path, need: Need) -> None:
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        need("chromium", "no Chromium is installed to draw the report")
    done = tool(folder, f"small={folder}", "--picture", "small")
    assert done.returncode == 0, done.stderr
    assert (folder / "bench-report.png").read_bytes().startswith(b"\x89PNG")
