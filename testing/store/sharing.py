"""Threads, other processes, and processes that are killed."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event

import pytest

from ...core.capabilities import Feature
from ...core.errors import LockedError
from ...core.filters import F
from ...core.records import Record
from ...core.store import VectorStore
from .base import MakeStore, StoreTests, require
from .rows import axis

_WRITERS, _ROUNDS, _BATCH = 8, 10, 5
_CHILD = "polyreel.testing.child"


class SharingTests(StoreTests):
    """What holds for several threads and processes."""

    @pytest.fixture
    def hasty(self) -> Iterator[None]:
        """Threads that take turns all the time, so that what isn't guarded breaks."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        yield
        sys.setswitchinterval(interval)

    @pytest.mark.usefixtures("hasty")
    def test_eight_writers_and_four_readers_lose_nothing(self, store: VectorStore) -> None:
        done = Event()
        with ThreadPoolExecutor(_WRITERS + 4) as pool:
            readers = [pool.submit(self.read_until, store, done) for _ in range(4)]
            try:
                list(pool.map(partial(self.write_many, store), range(_WRITERS)))
            finally:
                done.set()
            assert min(reader.result() for reader in readers) >= 1
        count = _WRITERS * _ROUNDS * _BATCH
        assert store.count() == count
        assert len(self.stored(store)) == count
        assert store.count(F.year == 3) == _ROUNDS * _BATCH
        assert len(self.found(store, axis(0), limit=count)) == count

    @pytest.mark.usefixtures("hasty")
    def test_threads_that_write_the_same_records_leave_one_of_each(self, store: VectorStore) -> None:
        records = self.records(20)
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(lambda _: self.write(store, records), range(_WRITERS)))
        assert store.count() == 20
        assert self.stored(store) == {f"r{n}" for n in range(20)}

    def write_many(self, store: VectorStore, writer: int) -> None:
        """Write in small batches, and change and delete in between."""
        for turn in range(_ROUNDS):
            ids = [f"{writer}-{turn}-{n}" for n in range(_BATCH)]
            self.write(store, [self.record(id, fields={"year": writer}) for id in [*ids, f"{writer}-late"]])
            store.wait(store.update_fields(ids, fields={"year": writer, "place": "changed"}))
            self.erase(store, [f"{writer}-late"])

    def read_until(self, store: VectorStore, done: Event) -> int:
        """Search, scan, count and fetch until the writers are done; how often."""
        times = 0
        while not times or not done.is_set():
            hits = self.search(store, axis(times % 8), limit=20).hits
            assert len({hit.id for hit in hits}) == len(hits)
            assert store.count() >= 0
            assert all(record.id == id for id, record in store.fetch([hit.id for hit in hits]).items())
            assert all(isinstance(record, Record) for record in store.scan(F.year == 1))
            times += 1
        return times

    # -- processes ----------------------------------------------------------------------------------------

    def test_another_process_finds_the_folder_locked_or_shares_it(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        require(store, Feature.DURABLE)
        self.write(store, self.records(3))
        shared = Feature.SHARED in store.can.features
        assert self.ask_child(make_store) == ("3" if shared else "LockedError")
        self.write(store, [self.record("after")])
        assert store.count() == 4
        store.close()
        assert self.ask_child(make_store) == "4"

    def test_a_second_instance_of_this_process_is_refused_or_shares_the_collection(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        require(store, Feature.DURABLE)
        self.write(store, self.records(3))
        with make_store() as second:
            if Feature.SHARED in store.can.features:
                second.open(self.spec(), create=False)
                assert second.count() == 3
            else:
                with pytest.raises(LockedError):
                    second.open(self.spec(), create=False)
        assert store.count() == 3

    def test_a_killed_process_loses_nothing_that_was_acknowledged(
        self, store: VectorStore, make_store: MakeStore
    ) -> None:
        require(store, Feature.DURABLE)
        self.write(store, [self.record("before")])
        store.close()
        written = 0
        for acknowledged in (3, 8, 14):
            written = self.write_until_killed(make_store, written, acknowledged)
            with make_store() as again:
                again.open(self.spec(), create=False)
                ids = [f"k{n}" for n in range(written)]
                assert set(again.fetch(ids)) == set(ids)
                assert again.count(F.year >= 0) >= written >= acknowledged
                assert len(self.found(again, axis(0), limit=10)) == 10
                assert set(again.fetch(["before"])) == {"before"}

    def write_until_killed(self, make_store: MakeStore, start: int, lines: int) -> int:
        """Let a child write from record `start` on, kill it, and say how many records it had acknowledged."""
        batches = [
            [self.record(f"k{start + 7 * at + n}", fields={"year": n}) for n in range(7)] for at in range(400)
        ]
        with self.child(make_store, batches) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(lines)]
            process.kill()
            told += process.stdout.readlines()
        assert told[0].strip().isdigit(), told
        return start + 7 * sum(line.endswith("\n") for line in told)

    def ask_child(self, make_store: MakeStore) -> str:
        """How many records another process counts, or the name of its error."""
        with self.child(make_store, []) as process:
            return process.communicate(timeout=60)[0].strip()

    @contextmanager
    def child(self, make_store: MakeStore, batches: list[list[Record]]) -> Iterator[subprocess.Popen[str]]:
        """A process that opens the store, writes the batches one by one, or counts when there are none."""
        task = pickle.dumps((make_store, self.spec(), batches)).hex()
        command = [sys.executable, "-P", "-m", _CHILD]
        with subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdin is not None
                process.stdin.write(task + "\n")
                process.stdin.flush()
                yield process
            finally:
                process.kill()
