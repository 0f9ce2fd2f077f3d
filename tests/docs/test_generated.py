"""The parts of README.md and docs/ that are made from the code say what the code says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all pages, made anew."""
    root = tmp_path_factory.mktemp("pages")
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copy(ROOT / "README.md", root)
    generate("--root", root)
    return root


@pytest.mark.parametrize(
    ("page", "word"),
    [("README.md", "tried against"), ("docs/cli.md", "--limit"), ("docs/python.md", "min_score")],
)
def test_a_stale_page_is_named_and_mended(page: str, word: str, copied: Path) -> None:
    fresh = (copied / page).read_text("utf-8")
    by_hand, mark, rest = fresh.partition("<!-- generated: ")
    (copied / page).write_text(by_hand + mark + rest.replace(word, "something else", 1), "utf-8")
    assert generate("--check", "--root", copied) == (1, [f"stale: {page}"])
    assert generate("--root", copied) == (0, [f"wrote: {page}"])
    assert (copied / page).read_text("utf-8") == fresh
