"""Starting is quick and loads nothing that a stack may not need."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

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
RUNS = 5  # the least of several runs: noise only ever adds time


def test_importing_polyreel_takes_under_100_ms(tmp_path: Path) -> None:
    code = "import time; t = time.perf_counter(); import polyreel; print(time.perf_counter() - t)"
    assert min(float(_python(tmp_path, code)) for _ in range(RUNS)) < 0.1


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
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        assert "polyreel" in _python(tmp_path, code, "--help")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3


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
