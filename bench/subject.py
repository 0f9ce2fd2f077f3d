"""One stack under measurement: what its own process does in each step. The parent judges what is found."""

from __future__ import annotations

import gc
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core.capabilities import Feature
from ..core.errors import UnavailableError
from ..core.filters import F, Filter
from ..core.query import Query
from ..core.records import Record
from ..core.requests import NearVector, SearchRequest
from ..core.result import Result
from ..core.search import VideoSearch
from ..core.store import VectorStore
from . import servers, vectors
from .asking import Ask, Asked, at_once, one_by_one
from .conditions import Fields
from .messages import Answer, Known
from .raw import Raw, direct
from .results import Sample
from .settings import VectorSettings
from .stacks import Chosen, opened
from .timing import Compared, compare

_FEW = 30  # queries of a turn in steps that have many cases
_READERS = 2  # callers that search while records are written
_REWRITTEN = 50  # records of a write in `mixed`
_SEARCHABLE = 300.0  # seconds until a written record must be found


class Subject:
    """A stack, its data, and the steps.

    Args:
        chosen: The stack.
        settings: Of the suite.
        data: The folder with the vectors.
    """

    def __init__(self, chosen: Chosen, settings: VectorSettings, data: Path) -> None:
        self._chosen, self._settings, self._data = chosen, settings, data
        self._queries: list[list[float]] = np.load(data / "queries.npy").tolist()
        rows, self._dimension = np.load(data / "stored.npy", mmap_mode="r").shape
        self._records = int(rows)
        self._fields = Fields(self._records, settings.selectivities, settings.seed)
        self._remote = "url" in chosen.info().settings
        self._held = ExitStack()
        self._search: VideoSearch | None = None
        self._before: tuple[float, float] | None = None

    # -- life ---------------------------------------------------------------------------------------------

    def prepare(self, written: int, *, settled: bool) -> Known:
        """Open the collection, and bring it to where the steps that are done have left it; not measured.

        Args:
            written: Records that it must have.
            settled: Whether its indexes must be built.
        """
        self._chosen.store().close()  # loads the engine's package, whose memory isn't that of records
        self._before = servers.memory()
        _, store = self._open()
        if written and store.count() < written:
            for start in range(0, written, self._settings.chunk):
                self._write(start, min(written, start + self._settings.chunk))
            if settled:
                self._store.flush()
                self._store.optimize()
        can = store.can
        return Known(can.form, can.version, Feature.DURABLE in can.features)

    def drop(self) -> None:
        """Delete the collection."""
        self._store.drop()

    def close(self) -> None:
        """Let go of everything."""
        self._held.close()

    def take(self, step: str, at: int) -> Answer:
        """A turn of a step."""
        return _STEPS[step](self, at)

    # -- writing ------------------------------------------------------------------------------------------

    def load(self, at: int) -> Answer:
        """Write one piece of the records."""
        start = at * self._settings.chunk
        stop = min(self._records, start + self._settings.chunk)
        written, found = self._write(start, stop)
        return _answer(
            Sample(name="records", value=(stop - start) / written, unit="1/s", better="higher"),
            Sample(name="searchable", value=found, unit="s"),
        )

    def settle(self, at: int) -> Answer:
        """Flush, and build the indexes."""
        began = time.perf_counter()
        self._store.flush()
        flushed = time.perf_counter() - began
        self._store.optimize()
        return _answer(
            Sample(name="flush", value=flushed, unit="s"),
            Sample(name="optimized", value=time.perf_counter() - began, unit="s"),
            *self._taken(),
        )

    def cold(self, at: int) -> Answer:
        """The first search of a new process: packages, opening and the search itself."""
        began = time.perf_counter()
        self._open(create=False)
        opened_after = time.perf_counter() - began
        self._ask(limit=self._settings.limit)(at)
        return _answer(
            Sample(name="open", value=opened_after, unit="s"),
            Sample(name="first answer", value=time.perf_counter() - began, unit="s"),
        )

    def writing(self, at: int) -> Answer:
        """Write the same records through polyreel and directly, into new collections."""
        count = min(self._settings.written, self._records)
        batch = list(self._rows(0, count))
        other = self._chosen.store()
        spent: dict[str, float] = {}
        name = uuid.uuid4().hex[:8]
        raw = self._raw
        with ExitStack() as held:
            held.callback(other.close)
            other.open(replace(self._store.meta.spec, name=f"polyreel_bench_w{name}"), create=True)
            held.callback(other.drop)
            raw.begin(f"polyreel_bench_r{name}")
            held.callback(raw.end)
            ways: list[tuple[str, Callable[[list[Record]], object]]] = [
                ("polyreel", other.upsert),
                ("raw", raw.write),
            ]
            for way, write in ways if at % 2 else ways[::-1]:
                gc.collect()  # neither pays for what was there before
                began = time.perf_counter()
                write(batch)
                spent[way] = (time.perf_counter() - began) / count
        return _answer(
            Sample(name="upsert", value=spent["polyreel"] * 1e6, unit="us"),
            Sample(name="raw upsert", value=spent["raw"] * 1e6, unit="us", better=""),
            Sample(name="speed", value=spent["raw"] / spent["polyreel"], unit="ratio", better="higher"),
        )

    # -- searching ----------------------------------------------------------------------------------------

    def search(self, at: int) -> Answer:
        """One caller, every query once."""
        limit = self._settings.limit
        asked = one_by_one(self._ask(limit=limit), len(self._queries), seconds=self._settings.turn)
        return Answer(tuple(asked.samples()), {"": asked.found})

    def topk(self, at: int) -> Answer:
        """Other numbers of hits."""
        cases = {f"{limit} hits": self._ask(limit=limit) for limit in self._settings.limits}
        return self._cases(cases)

    def filtered(self, at: int) -> Answer:
        """Conditions of every shape and selectivity."""
        limit = self._settings.limit
        conditions = self._fields.conditions()
        return self._cases({each.case: self._ask(limit=limit, where=each.where) for each in conditions})

    def grouped(self, at: int) -> Answer:
        """The best hit of each video."""
        limit = self._settings.limit

        def ask(number: int) -> list[int]:
            hits = self._searched(number, limit=limit, group_by="video")
            return [vectors.row_of(hit.video_id) for hit in hits]

        return self._cases({"by video": ask})

    def concurrency(self, at: int) -> Answer:
        """Several callers at once."""
        ask, samples = self._ask(limit=self._settings.limit), list[Sample]()
        for callers in self._settings.threads:
            asked = at_once(ask, callers, seconds=self._settings.seconds)
            samples += asked.samples(f"{callers} at once")
        return _answer(*samples)

    def mixed(self, at: int) -> Answer:
        """Searches while stored records are written again."""
        rng = random.Random(f"{self._settings.seed} {at}")
        written, spent, failed = 0, 0.0, []

        def write() -> None:
            nonlocal written, spent
            start = rng.randrange(max(1, self._records - _REWRITTEN))
            batch = list(self._rows(start, min(self._records, start + _REWRITTEN)))
            began = time.perf_counter()
            try:
                self._store.upsert(batch)
                written += len(batch)
            except UnavailableError as error:
                failed.append(str(error))
            spent += time.perf_counter() - began

        ask = self._ask(limit=self._settings.limit)
        asked = at_once(ask, _READERS, seconds=self._settings.seconds, beside=write)
        asked.errors += failed
        rate = Sample(name="rewritten", value=written / spent, unit="1/s", better="higher")
        return _answer(*asked.samples(), rate)

    def overhead(self, at: int) -> Answer:
        """The same searches through polyreel and by the engine's own calls, in turns."""
        raw, limit, batch = self._raw, self._settings.limit, self._settings.batch
        queries = self._queries
        mine = self._ask(limit=limit)
        half = self._settings.turn / 2
        alone = compare(
            {"polyreel": mine, "raw": lambda n: raw.search(queries[n % len(queries)], limit)},
            rounds=len(queries),
            seconds=half,
        )
        asked = [Query(vector=queries[n % len(queries)], scope=None, limit=limit) for n in range(batch)]
        given = [queries[n % len(queries)] for n in range(batch)]
        many = compare(
            {
                "polyreel": lambda _: self._vs.search_many(asked),
                "raw": lambda _: raw.search_many(given, limit),
            },
            rounds=2,
            warm=1,
            seconds=half,
        )
        return _answer(*_compared(alone, "alone", 1), *_compared(many, f"batch of {batch}", batch))

    # -- inside -------------------------------------------------------------------------------------------

    def _open(self, *, create: bool = True) -> tuple[VideoSearch, VectorStore]:
        search, store = self._held.enter_context(opened(self._chosen, self._dimension, create=create))
        self._search = search
        return search, store

    @property
    def _vs(self) -> VideoSearch:
        assert self._search is not None  # prepared or opened before any step
        return self._search

    @property
    def _store(self) -> VectorStore:
        return self._vs.stack.store

    @cached_property
    def _raw(self) -> Raw:
        raw = direct(self._store, self._chosen.folder / "raw")
        self._held.callback(raw.close)
        return raw

    def _rows(self, start: int, stop: int) -> Iterator[Record]:
        payload = self._settings.payload
        return vectors.records(self._data, start, stop, self._fields, payload=payload)

    def _write(self, start: int, stop: int) -> tuple[float, float]:
        """Seconds to write, and from then on until the last record is found."""
        batch = list(self._rows(start, stop))
        began = time.perf_counter()
        receipt = self._store.upsert(batch)
        written = time.perf_counter() - began
        began = time.perf_counter()
        self._store.wait(receipt, timeout=_SEARCHABLE)
        self._await(batch[-1], began + _SEARCHABLE)
        return written, time.perf_counter() - began

    def _await(self, record: Record, end: float) -> None:
        near = NearVector(record.content)  # type: ignore[arg-type]  # it was made with a vector
        # A graph may miss it, and a file may hold the same vector many times: then among its video's.
        own = SearchRequest(near, where=F.video_id == record.video_id, limit=vectors.CLIPS)
        asked = (SearchRequest(near, limit=3), own)
        while not any(self._finds(record.id, each) for each in asked):
            if time.perf_counter() > end:
                raise UnavailableError(f"a written record isn't found after {_SEARCHABLE:g} s")
            time.sleep(0.01)

    def _finds(self, id: str, request: SearchRequest) -> bool:
        return id in {hit.id for hit in self._store.search([request])[0].hits}

    def _taken(self) -> Iterator[Sample]:
        """Memory and disk; of a server the parent tells them."""
        gc.collect()  # of the pieces that were written
        now = servers.memory()
        if now and self._before and not self._remote:
            yield Sample(name="memory", value=now[0], unit="MiB")
            yield Sample(name="memory, grown", value=max(0.0, now[0] - self._before[0]), unit="MiB")
            yield Sample(name="memory, own", value=max(0.0, now[1] - self._before[1]), unit="MiB")
        place = self._chosen.folder / "store"
        if Feature.DURABLE in self._store.can.features and place.exists():
            yield Sample(name="disk", value=servers.size(place), unit="MiB")

    def _searched(
        self, number: int, *, limit: int, where: Filter | None = None, group_by: str | None = None
    ) -> Result:
        vector = self._queries[number % len(self._queries)]
        return self._vs.search(vector=vector, scope=None, limit=limit, where=where, group_by=group_by)

    def _ask(self, *, limit: int, where: Filter | None = None) -> Ask:
        return lambda number: [
            vectors.row_of(hit.id) for hit in self._searched(number, limit=limit, where=where)
        ]

    def _cases(self, cases: Mapping[str, Ask]) -> Answer:
        """A few queries of each case."""
        samples: list[Sample] = []
        found: dict[str, list[list[int] | None]] = {}
        for case, ask in cases.items():
            asked: Asked = one_by_one(
                ask, min(_FEW, len(self._queries)), seconds=self._settings.turn / len(cases)
            )
            samples += asked.samples(case, percentiles=(50, 95))
            found[case] = asked.found
        return Answer(tuple(samples), found)


def _answer(*samples: Sample) -> Answer:
    return Answer(samples)


def _compared(both: Compared, case: str, size: int) -> Iterable[Sample]:
    """Milliseconds a query on either side, their ratio, and what polyreel adds."""
    for way, name, better in (("polyreel", "query", "lower"), ("raw", "raw query", "")):
        value = both.median(way) / size * 1e3
        yield Sample.model_validate(
            {"name": name, "value": value, "unit": "ms", "better": better, "case": case}
        )
    yield Sample(name="ratio", value=both.ratio("polyreel", "raw"), unit="ratio", case=case)
    yield Sample(name="added", value=both.added("polyreel", "raw") / size * 1e3, unit="ms", case=case)


_STEPS: Mapping[str, Callable[[Subject, int], Answer]] = {
    "load": Subject.load,
    "settle": Subject.settle,
    "cold": Subject.cold,
    "search": Subject.search,
    "topk": Subject.topk,
    "filtered": Subject.filtered,
    "grouped": Subject.grouped,
    "concurrency": Subject.concurrency,
    "overhead": Subject.overhead,
    "writing": Subject.writing,
    "mixed": Subject.mixed,
}
