"""Starting is quick and loads nothing that a stack may not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..conftest import Within

HEAVY = {
    "av",
    "cv2",
    "httpx",
    "numpy",
    "pydantic",
    "pymilvus",
    "qdrant_client",
    "qdrant_edge",
    "rich",
    "typer",
}


def test_importing_polyreel_takes_no_longer_than_starting_python(within: Within, tmp_path: Path) -> None:
    within(2, "pass", lambda: _python(tmp_path, "import polyreel"))


def test_importing_polyreel_loads_no_sdk_no_numpy_and_no_pydantic(tmp_path: Path) -> None:
    code = """
import json, sys
before = set(sys.modules)
import polyreel
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
    loaded = set(json.loads(_python(tmp_path, code)))
    assert "polyreel" in loaded
    assert loaded & HEAVY == set()
    assert loaded - {"polyreel"} <= sys.stdlib_module_names


def test_the_command_line_helps_in_thrice_its_librarys_time_at_most(within: Within, tmp_path: Path) -> None:
    code = "import sys; sys.argv[0] = 'polyreel'; from polyreel.cli.main import main; sys.exit(main())"

    def helped() -> None:
        assert "polyreel" in _python(tmp_path, code, "--help")

    within(3, "import typer", helped)  # a tenth of a second


def test_the_command_line_helps_without_what_takes_videos_in(tmp_path: Path) -> None:
    code = """
import sys
import polyreel.cli.main
print(*sorted(set(sys.modules) & {"tempfile", "concurrent.futures", "asyncio", "polyreel.core.search", "av"}))
"""
    assert _python(tmp_path, code).split() == []


def _python(folder: Path, code: str, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
