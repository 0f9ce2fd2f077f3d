"""An ingest that is killed anywhere and run again ends where an undisturbed one ends."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import polyreel

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OpenLocal

_MOMENTS = 20
_CHILD = """
import sys
import polyreel, polyreel.media, polyreel.config, polyreel.embedders.builtin.picture, av
search = polyreel.open("local", sys.argv[1])
print("ready", flush=True)
search.ingest(sys.argv[2], workers=2)
print("done", flush=True)
sys.stdin.read()
"""


def child(config: Path, videos: Path) -> subprocess.Popen[str]:
    """An ingest in a process of its own, about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CHILD, str(config), str(videos)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed(process: subprocess.Popen[str]) -> bool:
    """Kill it; whether that was before it was done."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    rest = process.stdout.read()
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
    return "done" not in rest


def records(search: polyreel.VideoSearch) -> dict[str, tuple[object, ...]]:
    """All that is stored, vectors included."""
    return {
        record.id: (
            record.video_id,
            record.uri,
            record.scope,
            record.start_ms,
            record.end_ms,
            record.text,
            [round(float(value), 5) for value in record.content],  # type: ignore[union-attr]
        )
        for record in search._opened().scan(vectors=True)
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_twenty_moments_and_run_again_the_records_are_the_same(
    rendered: Path, open_local: OpenLocal, tmp_path: Path
) -> None:
    undisturbed = open_local(tmp_path / "undisturbed")
    began = time.monotonic()
    undisturbed.ingest(rendered, workers=2)
    took = time.monotonic() - began
    wanted = records(undisturbed)
    assert len(wanted) > 15
    moments = random.Random(7)
    in_time = 0
    for trial in range(_MOMENTS):
        folder = tmp_path / str(trial)
        search = open_local(folder)
        search.close()
        process = child(folder / "polyreel.toml", rendered)
        moment = moments.uniform(0, took)
        time.sleep(moment)
        if killed(process):
            in_time += 1
        else:
            took = moment  # the machine was busy while the first one ran
        again = open_local(folder)
        assert again.ingest(rendered, workers=2).ok
        assert records(again) == wanted, f"trial {trial}"
        assert len(again.videos()) == len(undisturbed.videos())
        again.close()
    assert in_time >= _MOMENTS // 2  # else the moments came too late to mean anything
