"""Starting is quick and loads nothing that a stack may not need.

Times are the processor's, so that a busy machine doesn't count.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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
RUNS = 15  # at most, of which one must be quick: noise only ever adds time


def test_importing_polyreel_takes_under_100_ms(tmp_path: Path) -> None:
    code = "import time; t = time.process_time(); import polyreel; print(time.process_time() - t)"
    _is_once_below(0.1, lambda: float(_python(tmp_path, code)))


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


def test_the_command_line_helps_within_300_ms(tmp_path: Path) -> None:
    code = "import sys; sys.argv[0] = 'polyreel'; from polyreel.cli.main import main; sys.exit(main())"

    def helped() -> float:
        before = _children_seconds()
        assert "polyreel" in _python(tmp_path, code, "--help")
        return _children_seconds() - before

    _is_once_below(0.3, helped)


def test_the_command_line_helps_without_what_takes_videos_in(tmp_path: Path) -> None:
    code = """
import sys
import polyreel.cli.main
print(*sorted(set(sys.modules) & {"tempfile", "concurrent.futures", "asyncio", "polyreel.core.search", "av"}))
"""
    assert _python(tmp_path, code).split() == []


def _is_once_below(limit: float, seconds: Callable[[], float]) -> None:
    times: list[float] = []
    while not times or min(times) >= limit:
        assert len(times) < RUNS, times
        times.append(seconds())


def _children_seconds() -> float:
    """What the processes that ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
