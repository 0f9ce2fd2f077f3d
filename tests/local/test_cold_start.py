"""A search from the command line is quick from a cold start, also over ten thousand records."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from polyreel.core.records import Record, Text

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Within
    from .conftest import OpenLocal

_RECORDS = 10_000
_LIBRARIES = "import typer, rich.console, pydantic_settings"  # which take a third of a second
_WORDS = "red dog cat tree house sea sky snow man woman car road city night day flower bird fish".split()
_SEARCH = """
import sys
sys.argv = ["polyreel", "search", "red flower", "--config", sys.argv[1]]
from polyreel.cli.main import app
try:
    app()
finally:
    print("loaded", *sorted(name for name in ("av", "cv2", "scenedetect", "numpy") if name in sys.modules))
"""


@pytest.mark.slow
def test_a_text_search_over_ten_thousand_records_takes_thrice_the_libraries_at_most(
    open_local: OpenLocal, within: Within, tmp_path: Path
) -> None:
    search = open_local(tmp_path)
    vectors = np.random.default_rng(1).normal(size=(_RECORDS, 768))
    words = random.Random(1)
    records = (
        Record(
            f"r{at}",
            f"v{at // 10}",
            f"file:///v{at // 10}.mp4",
            start_ms=at % 10 * 5000,
            end_ms=at % 10 * 5000 + 5000,
            content=vector.tolist(),
            text=Text(title=" ".join(words.choices(_WORDS, k=6))),
        )
        for at, vector in enumerate(vectors)
    )
    search._opened(create=True).upsert(records)
    search.close()

    def searched() -> None:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _SEARCH, str(tmp_path / "polyreel.toml")],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=True,
        )
        *hits, loaded = done.stdout.splitlines()
        assert len(hits) == 10
        assert loaded == "loaded"  # no video library, and no numpy either

    within(3, _LIBRARIES, searched)
