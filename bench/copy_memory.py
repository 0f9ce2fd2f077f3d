"""Measures the memory of copying a large collection: it must not grow with the number of records.

    python -m polyreel.bench.copy_memory [--records 1000000] [--dimension 64]

A bundle of random vectors is written, copied into Qdrant's engine in process, and from there into a bundle,
each step in a process of its own. First the same records are written to the engine by a bare loop, which
shows what is the engine's share. A step says after 10 %, 50 % and 100 % of the records, and when it is done,
how much memory it used at most (`ru_maxrss`) and how much is its own now (`RssAnon`; the rest are pages of
files, above all the store's, which the system takes back when it needs them).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np

from .. import media
from ..backends.qdrant import QdrantEdgeStore
from ..core.bundle import Bundle
from ..core.bundle_writer import BundleWriter
from ..core.copying import Progress
from ..core.fields import FieldType
from ..core.manifest import Manifest
from ..core.records import Record, Text
from ..core.search import VideoSearch
from ..core.space import CollectionSpec, Space
from ..core.stack import Stack
from ..storage.local import LocalObjects
from ..testing.embedders import ColourEmbedder

_SHARES = (0.1, 0.5, 1.0)
_CLIPS = 50  # records of a video
_BATCH = 500
_BARE = "edge, bare"
_FIELDS = {"year": FieldType.INT, "place": FieldType.STRING}


class _Embedder(ColourEmbedder):
    """Never asked; has the space of the vectors."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.space = Space("random", "normal", "1", dimension)


def write(folder: Path, count: int, dimension: int) -> None:
    """The bundle to begin with."""
    spec = CollectionSpec("videos", Space("random", "normal", "1", dimension), _FIELDS)
    writer = BundleWriter(folder / "first", "random", spec)
    batches = _batches(count, dimension)
    for at in range(0, count, 20_000):
        writer.write(islice(batches, 40))
        _say("write", at + 20_000, count, time.monotonic())
    writer.write_manifests(map(_manifest, range(-(-count // _CLIPS))))
    writer.complete()
    writer.finish()


def _batches(count: int, dimension: int) -> Iterator[tuple[int, list[Record]]]:
    rng = np.random.default_rng(1)
    for start in range(0, count, _BATCH):
        end = min(start + _BATCH, count)
        vectors = rng.standard_normal((end - start, dimension), np.float32)
        yield end, [_record(start + at, vector.tolist()) for at, vector in enumerate(vectors)]


def _record(number: int, vector: list[float]) -> Record:
    video, clip = divmod(number, _CLIPS)
    return Record(
        id=_id(number),
        video_id=_video(video),
        uri=f"file:///videos/{video:06d}.mp4",
        start_ms=clip * 5000,
        end_ms=clip * 5000 + 5000,
        content=vector,
        text=Text(f"Video {video}", ("some", "tags"), "A caption of about as many words as captions have"),
        fields={"year": 2000 + video % 25, "place": f"place {video % 100}"},
        extra={"camera": "A7"},
    )


def _manifest(video: int) -> Manifest:
    ids = tuple(_id(video * _CLIPS + clip) for clip in range(_CLIPS))
    return Manifest(_video(video), f"file:///videos/{video:06d}.mp4", "", "", "", "", ids)


def _id(number: int) -> str:
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128))


def _video(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def step(name: str, folder: Path, dimension: int) -> None:
    """One copy, told as it goes."""
    stack = Stack(
        name="bench",
        store=QdrantEdgeStore(path=folder / "store"),
        embedder=_Embedder(dimension),
        objects=LocalObjects(path=folder / "objects"),
        state=folder / "state",
        fields=_FIELDS,
    )
    began, last = time.monotonic(), 0

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if what == "records" and total:
            for share in _SHARES:
                if last < share * total <= done:
                    _say(name, done, total, began)
            last = done

    if name == _BARE:
        _bare(Bundle(folder / "first"), stack, progress)
        return
    with VideoSearch(stack, media) as search:
        into = name == "bundle to edge"
        report = (
            search.copy_from(folder / "first", optimize=False, progress=progress)
            if into
            else search.copy_to(folder / "last", progress=progress)
        )
        _say(f"{name}, verified", report.total, report.total, began)


def _bare(bundle: Bundle, stack: Stack, progress: Progress) -> None:
    """The loop that a copy can't beat; what it writes is dropped."""
    with stack.store as store:
        store.open(stack.spec, create=True)
        for end, records in bundle.batches():
            store.upsert(records)
            progress("records", end, bundle.records)
        store.drop()


def _say(name: str, done: int, total: int, began: float) -> None:
    """A row of the table."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if name != "write":
        seconds = time.monotonic() - began
        print(f"| {name} | {min(done, total)} | {peak:.0f} | {own:.0f} | {seconds:.0f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The memory of copying a large collection.")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--child", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        name, folder = chosen.child
        step(name, Path(folder), chosen.dimension)
        return
    print("| copy | records | peak, MiB | own, MiB | seconds |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), chosen.records, chosen.dimension)
        for name in (_BARE, "bundle to edge", "edge to bundle"):
            options = [*sys.argv[1:], "--child", name, folder]
            subprocess.run([sys.executable, "-P", "-m", __spec__.name, *options], check=True)
        for path in ("store", "objects", "state", "first", "last"):
            size = sum(file.stat().st_blocks * 512 for file in (Path(folder) / path).rglob("*"))
            print(f"{path}: {size / 2**20:.0f} MiB on the disk")


if __name__ == "__main__":
    main()
