"""The parts of README.md and docs/ that are made from the code say what the code says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "generate_docs.py"


def generate(*arguments: str | Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_no_page_is_stale() -> None:
    assert generate("--check") == (0, []), "run `make docs-tables`"


STALE = {"README.md": "tried against", "docs/cli.md": "--limit", "docs/python.md": "min_score"}


def test_stale_pages_are_named_and_mended_and_no_others(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    fresh = {page: (tmp_path / page).read_text("utf-8") for page in STALE}
    for page, word in STALE.items():
        by_hand, mark, rest = fresh[page].partition("<!-- generated: ")
        assert word in rest
        (tmp_path / page).write_text(by_hand + mark + rest.replace(word, "something else", 1), "utf-8")
    assert generate("--check", "--root", tmp_path) == (1, [f"stale: {page}" for page in STALE])
    assert generate("--root", tmp_path) == (0, [f"wrote: {page}" for page in STALE])
    assert {page: (tmp_path / page).read_text("utf-8") for page in STALE} == fresh
