"""Searches that run side by side: what all of them ask of the store in one round goes into one batch.

A search is a generator. It yields the requests that it needs answered next and is sent their answers;
`together` joins several into one, and `answered` runs one against a store.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from .media import Media
from .records import Vector
from .requests import Answer, SearchRequest
from .store import VectorStore

T = TypeVar("T")

NO_TIME: Mapping[str, float] = dict.fromkeys(("embed", "search", "fetch", "cache"), 0.0)
"""The times of a search in which nothing was done."""


@dataclass(slots=True)
class Run:
    """What is measured and noted while one query is answered."""

    timing: dict[str, float] = field(default_factory=lambda: {**NO_TIME})
    usage: dict[str, float] = field(default_factory=dict)
    request_ids: list[str] = field(default_factory=list)
    notes: list[Mapping[str, object]] = field(default_factory=list)
    vectors: dict[str, Vector] = field(default_factory=dict)
    native: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    channels: dict[str, int] = field(default_factory=dict)
    originals: dict[Media, Media] = field(default_factory=dict)
    cached: int = 0
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.timing[name] += time.perf_counter() - began

    def count(self, usage: Mapping[str, float], request_id: str | None) -> None:
        """Add what a provider counted, and its id of the call."""
        for name, amount in usage.items():
            self.usage[name] = self.usage.get(name, 0) + amount
        if request_id:
            self.request_ids.append(request_id)

    def heard(self, answer: Answer) -> None:
        """Keep what the store said beside its hits."""
        self.count({}, answer.request_id)
        if answer.notes:
            self.notes.append(answer.notes)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and the run that it belongs to."""

    request: SearchRequest
    run: Run


Asking = Generator[list[Ask], list[Answer], T]


def asked(request: SearchRequest, run: Run) -> Asking[Answer]:
    """Ask one thing."""
    (answer,) = yield [Ask(request, run)]
    run.heard(answer)
    return answer


def together(askings: Sequence[Asking[T]]) -> Asking[list[T]]:
    """Run several searches side by side; their results in order."""
    if len(askings) == 1:
        return [(yield from askings[0])]
    results: dict[int, T] = {}
    waiting: dict[int, list[Ask]] = {}

    def step(at: int, answers: list[Answer] | None) -> None:
        try:
            waiting[at] = askings[at].send(answers)  # type: ignore[arg-type]  # None begins a generator
        except StopIteration as end:
            waiting.pop(at, None)
            results[at] = end.value

    try:
        for at in range(len(askings)):
            step(at, None)
        while waiting:
            answers = iter((yield [ask for asks in waiting.values() for ask in asks]))
            for at, asks in list(waiting.items()):
                step(at, list(islice(answers, len(asks))))
    finally:
        for asking in askings:
            asking.close()
    return [results[at] for at in range(len(askings))]


def answered(asking: Asking[T], store: VectorStore, first: Sequence[Answer] | None = None) -> T:
    """Run a search to its end; the time of a batch is shared among its requests.

    Args:
        asking: The search.
        store: Answers it.
        first: What it asks first, where that was answered before.
    """
    try:
        asks = next(asking)
        if first is not None:
            asks = asking.send([*first])
        while True:
            began = time.perf_counter()
            answers = store.search([ask.request for ask in asks])
            share = (time.perf_counter() - began) / max(len(asks), 1)
            for ask in asks:
                ask.run.timing["search"] += share
            asks = asking.send(answers)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        asking.close()
