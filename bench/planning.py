"""Measures what planning a search costs beside the store: `python -m polyreel.bench.planning`.

    python -m polyreel.bench.planning [--records 100000] [--videos 100] [--rounds 15]

*Planning and fusion*: five parts (a text, a vector, three records) over many records, summed and fused by
rank. What the planner adds is the time of the search without that of the embedder and the store, which every
result tells (`Result.timing`).

*Grouping*: the best hit of each of ten videos that have 100 clips each, by the planner, in turns with the
engine's own groups, or with its ten best clips where it can't group; in processor time, which a busy machine
changes less. `docs/benchmarks.md` has the figures of one run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from .. import media
from ..backends.memory import MemoryStore
from ..backends.milvus import MilvusStore
from ..backends.qdrant import QdrantEdgeStore, QdrantLocalStore
from ..core.capabilities import Capabilities, Feature
from ..core.embedder import Embedded, Embedder, HandOver, Takes
from ..core.media import Media, Modality
from ..core.records import Record
from ..core.search import VideoSearch
from ..core.space import Space
from ..core.stack import Stack
from ..core.store import VectorStore
from ..storage.local import LocalObjects
from . import vectors
from .conditions import Fields
from .timing import Compared, compare
from .vectors import Data

if TYPE_CHECKING:
    from ..core.result import Result

_DIMENSION = 128
_CLIPS = 100  # of each video, where hits are grouped
_SPREAD = 0.3  # of a video's clips, against the distance of the videos: a few videos hold all the best hits
_LIMIT = 10


class _Drawn(Embedder):
    """A random vector for each text, at once."""

    kind = "drawn"
    takes = Takes.FRAMES

    def __init__(self) -> None:
        super().__init__()
        self.space = Space(self.kind, "random", "1", _DIMENSION)
        self.accepts = {Modality.TEXT: HandOver(frozenset({"data"}))}

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        seed = int.from_bytes(sha256((parts[0].text or "").encode()).digest()[:8])
        return Embedded(np.random.default_rng(seed).normal(size=_DIMENSION).tolist())


@dataclass(frozen=True, slots=True)
class Added:
    """Milliseconds of a usual search, in the store, and in the planner."""

    total: float
    store: float
    planner: float

    @classmethod
    def of(cls, search: Callable[[int], Result], rounds: int) -> Added:
        """Of searches; the first ones warm up."""
        spent = [search(at).timing for at in range(rounds + 3)][3:]
        store = [each["search"] + each["fetch"] for each in spent]
        planner = [each["total"] - inner - each["embed"] for each, inner in zip(spent, store, strict=True)]
        return cls(*(median(each) * 1e3 for each in ([t["total"] for t in spent], store, planner)))


@contextmanager
def opened(store: VectorStore, folder: Path, records: Iterator[Record]) -> Iterator[VideoSearch]:
    """A search over these records."""
    stack = Stack("bench", store, _Drawn(), LocalObjects(path=folder / "objects"), folder / "state")
    with VideoSearch(stack, media) as search:
        store.open(stack.spec, create=True)
        store.wait(store.upsert(records))
        search.count()  # opens it for good
        yield search


def planning(records: int, rounds: int) -> Iterator[str]:
    """Rows of a table: fusion, milliseconds in all, in the store, in the planner."""
    data = Data.clustered(records, _DIMENSION)
    queries: list[list[float]] = data.queries.tolist()
    with tempfile.TemporaryDirectory() as name:
        store = QdrantEdgeStore(path=Path(name) / "edge")
        data.save(Path(name))
        made = vectors.records(Path(name), 0, records, Fields(records, (0.1,), seed=1), payload=True)
        with opened(store, Path(name), (replace(record, fields={}) for record in made)) as search:
            likes = [record.id for record, _ in zip(store.scan(), range(3), strict=False)]
            for fusion in ("sum", "rank"):

                def ask(at: int, fusion: str = fusion) -> Result:
                    vector = queries[at % len(queries)]
                    return search.search(
                        f"words {at}", vector=vector, like=likes, weights={"vector": 0.5}, fusion=fusion
                    )

                added = Added.of(ask, rounds)
                figures = f"{added.total:.2f} | {added.store:.2f} | {added.planner:.2f}"
                yield f"| {fusion} | {records} | {figures} |"


def grouping(videos: int, rounds: int) -> Iterator[str]:
    """Rows of a table: store, what is compared, milliseconds of that and of the planner, and the ratio."""
    makes: dict[str, Callable[[Path], VectorStore]] = {
        "memory": lambda _: MemoryStore(),
        "qdrant_memory": lambda _: QdrantLocalStore(),
        "edge": lambda folder: QdrantEdgeStore(path=folder / "edge"),
        "milvus_lite": lambda folder: MilvusStore(path=folder / "lite.db"),
    }
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(videos, _DIMENSION))
    queries = (centres + 0.5 * rng.normal(size=centres.shape)).tolist()
    for name, make in makes.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            opened(make(Path(folder)), Path(folder), _crowded(centres)) as search,
        ):
            other, found = _grouped(search, queries, rounds)
        yield (
            f"| {name} | {videos} x {_CLIPS} | {other} | {found.median(other) * 1e3:.2f} "
            f"| {found.median('planner') * 1e3:.2f} | {found.ratio('planner', other):.2f} |"
        )


def _grouped(search: VideoSearch, queries: Sequence[list[float]], rounds: int) -> tuple[str, Compared]:
    """What a store does by itself, by name, in turns with the planner over the same store."""
    store = search.stack.store
    itself, by_planner = store.can, replace(store.can, features=store.can.features - {Feature.GROUP})
    groups = Feature.GROUP in itself.features

    def ask(at: int, can: Capabilities, group_by: str | None) -> list[str]:
        store.can = can
        result = search.search(vector=queries[at % len(queries)], group_by=group_by, limit=_LIMIT, scope=None)
        return [hit.id for hit in result]

    planner = partial(ask, can=by_planner, group_by="video")
    other = partial(ask, can=itself, group_by="video" if groups else None)
    for at in range(3 if groups else 0):
        assert other(at) == planner(at), "the planner groups otherwise than the engine"
    name = "its groups" if groups else "its best clips"
    return name, compare({name: other, "planner": planner}, rounds=rounds, clock=time.process_time)


def _crowded(centres: np.ndarray) -> Iterator[Record]:
    """Videos of many clips that are alike."""
    rng = np.random.default_rng(2)
    for number, centre in enumerate(centres):
        for at, row in enumerate(centre + _SPREAD * rng.normal(size=(_CLIPS, _DIMENSION))):
            yield Record(
                f"{number}-{at}", f"v{number}", f"file:///v{number}.mp4", start_ms=at * 5000,
                end_ms=at * 5000 + 5000, content=row.tolist(),
            )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m polyreel.bench.planning", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args(arguments)
    print("| fusion | records | search ms | store ms | planner ms |\n|---|---|---|---|---|")
    for row in planning(given.records, given.rounds):
        print(row, flush=True)
    print("\n| store | videos | beside | ms | planner ms | ratio |\n|---|---|---|---|---|---|")
    for row in grouping(given.videos, given.rounds):
        print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
