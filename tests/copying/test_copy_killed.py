"""A copy that is killed at any moment and run again ends where an undisturbed one ends."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from polyreel.core import copying

from .conftest import OpenStack, contents, many, put

if TYPE_CHECKING:
    from pathlib import Path

_MOMENTS = 8
_RECORDS = 4000
_CHILD = """
import sys
from pathlib import Path
from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.backends.qdrant import QdrantEdgeStore
from polyreel.core import copying
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder
from polyreel.testing.store.rows import SCHEMA
from dataclasses import replace
import pyarrow.parquet

copying._CHUNK = 1

def stack(name, store):
    embedder = ColourEmbedder()
    embedder.space = replace(embedder.space, dimension=8)
    folder = root / name
    objects = LocalObjects(path=folder / "objects")
    made = Stack(name, store(path=folder / "store"), embedder, objects, folder / "state", fields=SCHEMA)
    return VideoSearch(made, media)

root = Path(sys.argv[1])
with stack("a", MemoryStore) as source, stack("b", QdrantEdgeStore) as target:
    source.count()
    print("ready", flush=True)
    source.copy_to(target if sys.argv[2] == "store" else root / "bundle")
    print("done", flush=True)
sys.stdin.read()
"""


def start(root: Path, into: str) -> subprocess.Popen[str]:
    """A copy in a process of its own, about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CHILD, str(root), into],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill it; whether that was before it was done."""
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    return "done" not in rest


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("into", ["store", "bundle"])
def test_killed_at_random_moments_and_run_again_everything_is_there_once(
    open_stack: OpenStack, tmp_path: Path, into: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_CHUNK", 1)
    source = open_stack("a")
    put(source, many(_RECORDS))
    wanted = contents(source)
    source.close()
    moments, in_time = random.Random(3), 0
    for _ in range(_MOMENTS):
        process = start(tmp_path, into)
        time.sleep(moments.uniform(0.02, 0.5))
        if not kill(process):
            break
        in_time += 1
    assert in_time >= 3  # else the moments came too late to mean anything
    again, bundle = open_stack("a"), tmp_path / "bundle"
    target = open_stack("b", "edge" if into == "store" else "memory")
    if into == "store":
        again.copy_to(target)
    else:
        if not bundle.exists():
            again.copy_to(bundle)
        assert sorted(path.name for path in bundle.glob("*.parquet")) == [
            f"records-{at:05d}.parquet" for at in range(_RECORDS // 500)
        ]
        assert not (tmp_path / "bundle.partial").exists()
        assert target.copy_from(bundle).records == _RECORDS
    assert contents(target) == wanted
