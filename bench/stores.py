"""Measures every store through polyreel against the best direct calls of its engine: `make bench-stores`.

    python -m polyreel.bench.stores [--records 10000] [--only edge,milvus_lite] [--json FILE]

Both sides run in one process, in turns, over the same clustered vectors (512 dimensions), and both give back
what is stored beside the vectors. Ratios are medians over rounds in each of which both sides ran, so that a
busy machine slows both. `docs/benchmarks.md` says what the columns mean, and has the figures of one run.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from .. import media
from ..core.embedder import Embedder
from ..core.fields import FieldType
from ..core.query import Query
from ..core.search import VideoSearch
from ..core.space import Space
from ..core.stack import Stack
from ..core.store import VectorStore
from ..storage.local import LocalObjects
from .given import GivenVectors
from .raw import Raw, RawEdge, RawMatrix, RawMilvus, RawQdrantClient
from .timing import compare
from .vectors import Data

_DIMENSION = 512
_LIMIT = 10
_BATCH = 50  # queries in one `search_many`


@dataclass(frozen=True, slots=True)
class Engine:
    """One store to measure.

    Args:
        name: For the table.
        make: Makes the store over a folder.
        raw: The direct calls.
        most: Records beyond which a run would take too long.
        written: Records in a round of writing.
    """

    name: str
    make: Callable[[Path], VectorStore]
    raw: Callable[[VectorStore, Path], Raw]
    most: int = 1_000_000
    written: int = 4000


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found of one store.

    Args:
        search: Milliseconds of a search through `VideoSearch`, and of the direct call.
        search_ratio: The first over the second.
        search_extra: Milliseconds that polyreel adds.
        many: Milliseconds a query of `search_many`, and of the engine's own batch.
        many_gain: How many times cheaper a query is in a batch than alone, through polyreel.
        upsert: Microseconds a record, through polyreel and directly.
        upsert_ratio: Records a second through polyreel, over those of the direct calls.
        settle: Seconds of flush and optimize after all records were written.
        recall: Of the exact ten best, how many a search finds.
    """

    name: str
    records: int
    search: tuple[float, float]
    search_ratio: float
    search_extra: float
    many: tuple[float, float]
    many_gain: float
    upsert: tuple[float, float]
    upsert_ratio: float
    settle: float
    recall: float

    @property
    def upsert_extra(self) -> float:
        """Microseconds a record that polyreel adds."""
        return self.upsert[0] - self.upsert[1]


def measure(engine: Engine, data: Data, folder: Path, *, rounds: int) -> Measured:
    """Write the data, settle the store as an ingest does, then compare both sides."""
    records = list(data.records())
    with opened(engine, folder) as (search, store):
        for at in range(0, len(records), 10_000):
            store.wait(store.upsert(records[at : at + 10_000]))
        began = time.perf_counter()
        store.flush()
        store.optimize()
        settle = time.perf_counter() - began
        raw = engine.raw(store, folder / "raw")
        try:
            return _compared(engine, data, search, raw, rounds=rounds, settle=settle)
        finally:
            raw.close()


def _compared(
    engine: Engine, data: Data, search: VideoSearch, raw: Raw, *, rounds: int, settle: float
) -> Measured:
    queries: list[list[float]] = data.queries.tolist()

    def mine(at: int) -> object:
        return search.search(vector=queries[at % len(queries)], scope=None, limit=_LIMIT)

    def direct(at: int) -> object:
        return raw.search(queries[at % len(queries)], _LIMIT)

    alone = compare({"polyreel": mine, "raw": direct}, rounds=rounds * 10)
    batch = [Query(vector=vector, scope=None, limit=_LIMIT) for vector in queries[:_BATCH]]
    many = compare(
        {
            "polyreel": lambda _: search.search_many(batch),
            "raw": lambda _: raw.search_many(queries[:_BATCH], _LIMIT),
        },
        rounds=max(3, rounds // 3),
        warm=1,
    )
    written = _written(engine, data, search.stack.store, raw)
    found = [
        {int(hit.id.rpartition("-")[2]) for hit in search.search(vector=vector, scope=None, limit=_LIMIT)}
        for vector in queries[:20]
    ]
    best = [set(data.best(at, _LIMIT)) for at in range(20)]
    per_query = many.median("polyreel") / _BATCH
    return Measured(
        engine.name,
        len(data.stored),
        (alone.median("polyreel") * 1e3, alone.median("raw") * 1e3),
        alone.ratio("polyreel", "raw"),
        alone.added("polyreel", "raw") * 1e3,
        (per_query * 1e3, many.median("raw") / _BATCH * 1e3),
        alone.median("polyreel") / per_query,
        (written[0] * 1e6, written[1] * 1e6),
        written[2],
        settle,
        sum(len(one & other) for one, other in zip(found, best, strict=True)) / (20 * _LIMIT),
    )


def _written(engine: Engine, data: Data, store: VectorStore, raw: Raw) -> tuple[float, float, float]:
    """Seconds a record to write through polyreel and directly, and how the speeds compare."""
    count = min(engine.written, len(data.stored))
    records = list(replace(data, stored=data.stored[:count]).records())
    mine: list[float] = []
    direct: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for at in range(-1, 5):  # the first round warms up
            other = engine.make(Path(folder) / f"round{at}")
            other.open(replace(store.meta.spec, name=f"written{at % 9}"), create=True)
            raw.begin(f"raw{at % 9}")
            ways: list[tuple[list[float], Callable[[], object]]] = [
                (mine, partial(other.upsert, records)),
                (direct, partial(raw.write, records)),
            ]
            for spent, way in ways if at % 2 else ways[::-1]:
                began = time.perf_counter()
                way()
                if at >= 0:
                    spent.append((time.perf_counter() - began) / count)
            other.drop()
    return median(mine), median(direct), median(one / other for one, other in zip(direct, mine, strict=True))


@contextmanager
def opened(engine: Engine, folder: Path) -> Iterator[tuple[VideoSearch, VectorStore]]:
    """A search over an empty collection of the engine, and its store."""
    embedder: Embedder = GivenVectors(Space("given", "clustered", "1", _DIMENSION))
    fields = {"year": FieldType.INT, "place": FieldType.STRING}
    objects = LocalObjects(path=folder / "objects")
    stack = Stack("bench", engine.make(folder), embedder, objects, folder / "state", fields=fields)
    with VideoSearch(stack, media) as search:
        store = stack.store
        store.open(stack.spec, create=True)
        search.count()
        yield search, store


def engines(server: str | None) -> list[Engine]:
    """Every store that can be measured here; Milvus' server where its address is given."""
    from ..backends.memory import MemoryStore
    from ..backends.milvus import MilvusStore
    from ..backends.qdrant import QdrantEdgeStore, QdrantLocalStore

    found = [
        Engine("memory", lambda folder: MemoryStore(path=folder / "memory"), RawMatrix),
        Engine("edge", lambda folder: QdrantEdgeStore(path=folder / "edge"), RawEdge),
        Engine("qdrant_memory", lambda _: QdrantLocalStore(), RawQdrantClient, most=20_000, written=2000),
        Engine(
            "qdrant_folder",
            lambda folder: QdrantLocalStore(path=folder / "qdrant"),
            RawQdrantClient,
            most=10_000,
            written=500,
        ),
        Engine("milvus_lite", lambda folder: MilvusStore(path=folder / "lite.db"), RawMilvus, written=2000),
    ]
    if server:
        found.append(Engine("milvus_server", lambda _: MilvusStore(url=server), RawMilvus, written=2000))
    return found


@contextmanager
def milvus_server() -> Iterator[str | None]:
    """The address of a real Milvus server, for as long as the context lasts; None where none is installed."""
    python = Path(".servers/milvus/bin/python")
    if not python.exists():
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-P", "tools/servers/milvus.py", "--data", folder, "--fresh", "--fast"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                lines = (line.split() for line in server.stdout)
                ready = next((words[1] for words in lines if words[:1] == ["READY"]), None)
                assert ready is not None, f"{command[2]} ended before it was ready"
                yield ready
            finally:
                server.terminate()


def table(found: Sequence[Measured]) -> str:
    """The figures as Markdown."""
    head = (
        "store | records | search ms, raw | ratio | added ms | batch ms a query, raw | batch gain"
        " | upsert us, raw | speed | settle s | recall"
    )
    rows = [
        f"{each.name} | {each.records} | {each.search[0]:.2f}, {each.search[1]:.2f} | {each.search_ratio:.2f}"
        f" | {each.search_extra:+.2f} | {each.many[0]:.2f}, {each.many[1]:.2f} | {each.many_gain:.1f}"
        f" | {each.upsert[0]:.0f}, {each.upsert[1]:.0f} | {each.upsert_ratio:.2f} | {each.settle:.1f}"
        f" | {each.recall:.2f}"
        for each in found
    ]
    rule = " | ".join("---" for _ in head.split(" | "))
    return "\n".join(f"| {row} |" for row in (head, rule, *rows))


def main(arguments: Sequence[str]) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m polyreel.bench.stores", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", help="names of stores, with commas between")
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    given = parser.parse_args(arguments)
    data = Data.clustered(given.records, _DIMENSION)
    found: list[Measured] = []
    with ExitStack() as stack:
        wanted = set(given.only.split(",")) if given.only else None
        needs_server = wanted is None or "milvus_server" in wanted
        server = stack.enter_context(milvus_server()) if needs_server else None
        for engine in engines(server):
            if (wanted is None or engine.name in wanted) and given.records <= engine.most:
                with tempfile.TemporaryDirectory() as folder:
                    found.append(measure(engine, data, Path(folder), rounds=given.rounds))
                print(table(found[-1:]).splitlines()[-1], file=sys.stderr)
    print(table(found))
    if given.json:
        given.json.write_text(json.dumps(_document(found), indent=1))


def _document(found: Sequence[Measured]) -> dict[str, Any]:
    return {
        "format": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "dimension": _DIMENSION,
        "stores": [asdict(each) for each in found],
    }


if __name__ == "__main__":
    main(sys.argv[1:])
