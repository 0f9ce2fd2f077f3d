"""Measures the memory of an ingest of many short videos: it must not grow with their number.

    python -m polyreel.bench.ingest_memory [--videos 10000] [--workers 2] [--no-store]

One clip of a second is drawn, and copied with another `free` box at the end of each copy, so that all
differ and all decode. A child process takes them into the stack `local`, in a temporary folder, and says
after 10 %, 50 % and 100 % of them how much memory it used at most (`ru_maxrss`) and how much is its own now
(`RssAnon`; the rest are pages of files, above all the store's, which the system takes back when it needs
them).
With `--no-store` the store keeps nothing, so that what is left is the ingest's own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import opening
from ..backends.memory import MemoryStore
from ..core.report import Outcome
from ..core.requests import Receipt
from ..media.render import write_clip

if TYPE_CHECKING:
    from ..core.media import Image
    from ..core.records import Record
    from ..core.report import VideoReport

_CONFIG = """
[stacks.local]
state = "state"
[stacks.local.store]
kind = "qdrant"
path = "store"
[stacks.local.objects]
kind = "local"
path = "objects"
"""
_SHARES = (0.1, 0.5, 1.0)
_PER_FOLDER = 1000


def make_videos(folder: Path, count: int) -> None:
    """Write so many short videos, no two of them alike."""
    folder.mkdir(parents=True)
    drawn = folder.with_suffix(".mp4")
    write_clip(drawn, _pictures(), fps=10, options={"preset": "ultrafast", "threads": "1"})
    body = drawn.read_bytes()
    for number in range(count):
        place = folder / f"{number // _PER_FOLDER:04d}"
        place.mkdir(exist_ok=True)
        free = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
        (place / f"{number:06d}.mp4").write_bytes(body + free)


def _pictures() -> Iterator[Image]:
    rng = np.random.default_rng(1)
    for level in range(10):
        yield rng.integers(0, 25 * (level + 1), (48, 64, 3), np.uint8)


class NoStore(MemoryStore):
    """Takes records and keeps none."""

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        return Receipt(upserted=tuple(record.id for record in records))


def ingest(folder: Path, count: int, workers: int, *, store: bool) -> None:
    """Take them in, and print a line at each share: videos, peak and own memory in MiB, seconds."""
    marks = [round(share * count) for share in _SHARES]
    began, done = time.monotonic(), 0

    def listener(video: VideoReport) -> None:
        nonlocal done
        done += 1
        if video.outcome is not Outcome.INGESTED:
            raise RuntimeError(f"{video.path} was {video.outcome}: {video.reason}")
        if done in marks:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(done, f"{peak:.1f} {_own():.1f} {time.monotonic() - began:.1f}", flush=True)

    with opening.open("local", folder / "polyreel.toml") as search:
        if not store:
            search.stack = replace(search.stack, store=NoStore())
        search.ingest(folder / "videos", workers=workers, details=False, listener=listener)


def _own() -> float:
    """Memory of this process that belongs to no file, in MiB."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The memory of an ingest of many short videos.")
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-store", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        ingest(chosen.child, chosen.videos, chosen.workers, store=not chosen.no_store)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "polyreel.toml").write_text(_CONFIG, "utf-8")
        make_videos(folder / "videos", chosen.videos)
        _table(_measured(folder))


def _measured(folder: Path) -> list[list[float]]:
    """The rows of a child process with the same options."""
    command = [sys.executable, "-P", "-m", __spec__.name, *sys.argv[1:], "--child", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [[float(cell) for cell in line.split()] for line in done.stdout.splitlines()]


def _table(rows: list[list[float]]) -> None:
    print("| videos | peak, MiB | growth | own, MiB | growth | videos/min |")
    print("|---|---|---|---|---|---|")
    before = rows[0]
    for row in rows:
        count, peak, own, seconds = row
        growth = f"{peak - before[1]:+.1f} | {own:.1f} | {own - before[2]:+.1f}"
        print(f"| {count:.0f} | {peak:.1f} | {growth} | {count * 60 / seconds:.0f} |")
        before = row


if __name__ == "__main__":
    main()
