"""No file names a package registry's host or a path of the machine it was written on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
# In halves, so that this file does not hold them.
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "crates" + ".io",
    "registry.npm" + "js.org",
    "proxy.go" + "lang.org",
    "repo.maven" + ".apache.org",
    "repo1" + ".maven.org",
    "deb.deb" + "ian.org",
]
PATHS = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/opt" + "/wheels"]


@pytest.fixture(scope="module")
def grep(need: Callable[[str, str], None]) -> Callable[..., list[str]]:
    """Lines of tracked and of new files that match; files that git ignores are left out."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        need("git", "a checkout, where git knows which files are the project's")

    def run(*patterns: str, fixed: bool) -> list[str]:
        words = [argument for pattern in patterns for argument in ("-e", pattern)]
        git = ["git", "-c", f"safe.directory={ROOT}"]
        command = [*git, "grep", "--untracked", "-nI", "-F" if fixed else "-E", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, 1), done.stderr  # 1: nothing found
        return done.stdout.splitlines()

    return run


def test_no_file_names_the_host_of_a_package_registry(grep: Callable[..., list[str]]) -> None:
    assert grep(*HOSTS, fixed=True) == []


def test_no_file_names_a_path_of_one_machine(grep: Callable[..., list[str]]) -> None:
    assert grep(*(f"(^|[^A-Za-z0-9_.}}-]){path}" for path in PATHS), fixed=False) == []


def test_the_search_finds_what_is_there(grep: Callable[..., list[str]]) -> None:
    assert any(line.startswith("pyproject.toml:") for line in grep("setuptools.build_meta", fixed=True))
    assert any(line.startswith("pyproject.toml:") for line in grep("(^|[^a])build-back", fixed=False))
