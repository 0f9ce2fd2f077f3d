"""The steps of the suite `vectors`: what the process of a stack does in each turn. The parent judges them."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from ..core import lexical
from ..core.errors import UnavailableError
from ..core.query import Query
from ..core.records import Record
from . import vectors
from .asking import Ask, Asked, at_once, one_by_one
from .messages import Answer
from .results import Sample
from .subject import Subject
from .timing import Compared, compare

_FEW = 30  # queries of a turn in steps that have many cases
_LEAST = 11  # batches of a turn of `writing`, the last of which warms up
_READERS = 2  # callers that search while records are written
_REWRITTEN = 50  # records of a write in `mixed`


class Steps:
    """A method for each step, which takes one turn of it.

    Args:
        subject: The stack under measurement.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject, self._settings = subject, subject.settings

    def take(self, step: str, at: int) -> Answer:
        """A turn of a step."""
        return _STEPS[step](self, at)

    # -- writing ------------------------------------------------------------------------------------------

    def load(self, at: int) -> Answer:
        """Write one piece of the records."""
        start = at * self._settings.chunk
        stop = min(self._subject.records, start + self._settings.chunk)
        written, found = self._subject.write(start, stop)
        return _answer(
            Sample(name="records", value=(stop - start) / written, unit="1/s", better="higher"),
            Sample(name="searchable", value=found, unit="s"),
        )

    def settle(self, at: int) -> Answer:
        """Flush, and build the indexes."""
        began = time.perf_counter()
        self._subject.store.flush()
        flushed = time.perf_counter() - began
        self._subject.store.optimize()
        return _answer(
            Sample(name="flush", value=flushed, unit="s"),
            Sample(name="optimized", value=time.perf_counter() - began, unit="s"),
            *self._subject.taken(),
        )

    def cold(self, at: int) -> Answer:
        """The first search of a new process: packages, opening and the search itself."""
        began = time.perf_counter()
        self._subject.open(create=False)
        opened_after = time.perf_counter() - began
        self._subject.ask(limit=self._settings.limit)(at)
        return _answer(
            Sample(name="open", value=opened_after, unit="s"),
            Sample(name="first answer", value=time.perf_counter() - began, unit="s"),
        )

    def writing(self, at: int) -> Answer:
        """Write the same batches in turns through polyreel and directly, into new collections."""
        count = min(self._settings.written, self._subject.records)
        records = list(self._subject.rows(0, count))
        size = min(self._subject.store.can.max_batch, -(-count // _LEAST))  # by one call on either side
        batches = [records[start : start + size] for start in range(0, count - count % size, size)]
        other = self._subject.chosen.store()
        name = uuid.uuid4().hex[:8]
        raw = self._subject.raw
        with ExitStack() as held:
            held.callback(other.close)
            other.open(replace(self._subject.store.meta.spec, name=f"polyreel_bench_w{name}"), create=True)
            held.callback(other.drop)
            raw.begin(f"polyreel_bench_r{name}")
            held.callback(raw.end)
            ways = {"polyreel": other.upsert, "raw": raw.write}
            both = compare(
                {name: partial(_written, write, batches) for name, write in ways.items()},
                rounds=max(1, len(batches) - 1),
                warm=1,
            )
        return _answer(
            Sample(name="upsert", value=both.median("polyreel") / size * 1e6, unit="us"),
            Sample(name="raw upsert", value=both.median("raw") / size * 1e6, unit="us", better=""),
            Sample(name="speed", value=both.ratio("raw", "polyreel"), unit="ratio", better="higher"),
        )

    # -- searching ----------------------------------------------------------------------------------------

    def search(self, at: int) -> Answer:
        """One caller, every query once."""
        limit = self._settings.limit
        asked = one_by_one(
            self._subject.ask(limit=limit), len(self._subject.queries), seconds=self._settings.turn
        )
        return Answer(tuple(asked.samples()), {"": asked.found})

    def topk(self, at: int) -> Answer:
        """Other numbers of hits."""
        cases = {f"{limit} hits": self._subject.ask(limit=limit) for limit in self._settings.limits}
        return self._cases(cases)

    def filtered(self, at: int) -> Answer:
        """Conditions of every shape and selectivity."""
        limit = self._settings.limit
        conditions = self._subject.fields.conditions()
        return self._cases(
            {each.case: self._subject.ask(limit=limit, where=each.where) for each in conditions}
        )

    def grouped(self, at: int) -> Answer:
        """The best hit of each video."""
        limit = self._settings.limit

        def ask(number: int) -> list[int]:
            hits = self._subject.searched(number, limit=limit, group_by="video")
            return [vectors.row_of(hit.video_id) for hit in hits]

        return self._cases({"by video": ask})

    def concurrency(self, at: int) -> Answer:
        """Several callers at once."""
        ask, samples = self._subject.ask(limit=self._settings.limit), list[Sample]()
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
            start = rng.randrange(max(1, self._subject.records - _REWRITTEN))
            batch = list(self._subject.rows(start, min(self._subject.records, start + _REWRITTEN)))
            began = time.perf_counter()
            try:
                self._subject.store.upsert(batch)
                written += len(batch)
            except UnavailableError as error:
                failed.append(str(error))
            spent += time.perf_counter() - began

        ask = self._subject.ask(limit=self._settings.limit)
        asked = at_once(ask, _READERS, seconds=self._settings.seconds, beside=write)
        asked.errors += failed
        rate = Sample(name="rewritten", value=written / spent, unit="1/s", better="higher")
        return _answer(*asked.samples(), rate)

    def overhead(self, at: int) -> Answer:
        """The same searches through polyreel and by the engine's own calls, in turns."""
        raw, limit, batch = self._subject.raw, self._settings.limit, self._settings.batch
        queries = self._subject.queries
        mine = self._subject.ask(limit=limit)
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
                "polyreel": lambda _: self._subject.search.search_many(asked),
                "raw": lambda _: raw.search_many(given, limit),
            },
            rounds=2,
            warm=1,
            seconds=half,
        )
        return _answer(*_compared(alone, "alone", 1), *_compared(many, f"batch of {batch}", batch))

    def _cases(self, cases: Mapping[str, Ask]) -> Answer:
        """A few queries of each case."""
        samples: list[Sample] = []
        found: dict[str, list[list[int] | None]] = {}
        for case, ask in cases.items():
            asked: Asked = one_by_one(
                ask, min(_FEW, len(self._subject.queries)), seconds=self._settings.turn / len(cases)
            )
            samples += asked.samples(case, percentiles=(50, 95))
            found[case] = asked.found
        return Answer(tuple(samples), found)


def _written(
    write: Callable[[Sequence[Record]], object], batches: Sequence[Sequence[Record]], at: int
) -> None:
    """Write a batch; no side finds the words that the other one has found."""
    lexical.document.cache_clear()
    write(batches[at])


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


_STEPS: Mapping[str, Callable[[Steps, int], Answer]] = {
    "load": Steps.load,
    "settle": Steps.settle,
    "cold": Steps.cold,
    "search": Steps.search,
    "topk": Steps.topk,
    "filtered": Steps.filtered,
    "grouped": Steps.grouped,
    "concurrency": Steps.concurrency,
    "overhead": Steps.overhead,
    "writing": Steps.writing,
    "mixed": Steps.mixed,
}
