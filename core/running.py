"""Many videos at once: a bounded pool that can be asked to stop, and locks by key that don't pile up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Stop:
    """Ends a run early: what is in flight is finished, and nothing new begins.

    `ask` may be called from any thread and from a signal handler; a run may be asked before it begins.
    """

    def __init__(self) -> None:
        self.asked = False
        self._in_flight: set[int] = set()  # threads; changed by single calls, which need no lock

    @property
    def in_flight(self) -> int:
        """How many videos are being worked on now."""
        return len(self._in_flight)

    def ask(self) -> None:
        """Let nothing new begin."""
        self.asked = True

    @contextmanager
    def working(self) -> Iterator[bool]:
        """Count the work of this thread as in flight; false where it shall not begin."""
        if self.asked:
            yield False
            return
        self._in_flight.add(threading.get_ident())
        try:
            yield True
        finally:
            self._in_flight.discard(threading.get_ident())


def concurrently(
    work: Callable[[T], R], items: Iterable[T], *, workers: int, stop: Stop
) -> Generator[R, None, None]:
    """The results in the order in which they are done; never more than twice `workers` items are taken ahead.

    Close the iterator: that drops what has not begun, and waits for what has.
    """

    def one(item: T) -> list[R]:
        with stop.working() as begins:
            return [work(item)] if begins else []

    waiting = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="polyreel-ingest") as pool:
        running: set[Future[list[R]]] = set()
        try:
            while True:
                room = 0 if stop.asked else 2 * workers - len(running)
                running |= {pool.submit(one, item) for item in islice(waiting, room)}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def side_by_side(calls: Sequence[Callable[[], R]], at_once: int) -> list[R]:
    """What the calls return, in their order; the first error ends it, and what has not begun is dropped.

    The deadline goes with each call to its thread.
    """
    if at_once == 1 or len(calls) == 1:
        return [call() for call in calls]
    with ThreadPoolExecutor(at_once, thread_name_prefix="polyreel-call") as pool:
        running = [pool.submit(copy_context().run, call) for call in calls]
        try:
            return [future.result() for future in running]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class KeyLocks:
    """A lock for each key; one that nobody holds or awaits is forgotten."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    def __len__(self) -> int:
        """How many keys are held or awaited."""
        return len(self._locks)

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold the key's lock."""
        lock = self._counted(key, 1)
        try:
            with lock:
                yield
        finally:
            self._counted(key, -1)

    def _counted(self, key: str, more: int) -> threading.Lock:
        """The key's lock, with its users counted anew."""
        with self._guard:
            lock, users = self._locks.pop(key, (threading.Lock(), 0))
            if users + more:
                self._locks[key] = lock, users + more
            return lock
