"""A clock at every adapter: how long each part of the work takes, with what it calls taken out."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

T = TypeVar("T")

MEDIA: Mapping[str, str] = {
    "probe": "probe",
    "frames": "hand over",
    "cut": "hand over",
    "shots": "hand over",
    "image": "hand over",
}
OBJECTS: Mapping[str, str] = dict.fromkeys(("put", "get", "url", "exists", "stat", "delete"), "hand over")
EMBEDDER: Mapping[str, str] = dict.fromkeys(
    ("embed_frames", "embed_clips", "embed_query", "submit", "find", "collect", "swap_text"), "embed"
)
_STREAMS = frozenset({"frames"})  # methods that give a stream, whose pieces are made as they are taken
STORE: Mapping[str, str] = dict.fromkeys(
    ("upsert", "update_fields", "delete", "wait", "flush", "optimize", "scan", "fetch", "count"), "store"
)
"""The part of an ingest to which each method of an adapter belongs."""


class Clock:
    """Seconds by part. Of nested parts the inner one counts; threads are added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._local = threading.local()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what is done meanwhile to a part."""
        running: list[str] = self._local.__dict__.setdefault("running", [])
        self._count(running)
        running.append(name)
        try:
            yield
        finally:
            self._count(running)
            running.pop()

    def _count(self, running: list[str]) -> None:
        now = time.perf_counter()
        if running:
            with self._lock:
                self.seconds[running[-1]] += now - self._local.since
        self._local.since = now

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """The items, with the time that making each of them takes."""
        iterator, end = iter(items), object()
        while True:
            with self.part(name):
                item = next(iterator, end)
            if item is end:
                return
            yield item  # type: ignore[misc]  # it isn't the end


class Watched:
    """An adapter, or the media tools, under a clock; everything else of it is as it was.

    Args:
        inner: What is watched.
        clock: The clock.
        parts: The part of the work to which each method belongs.
    """

    def __init__(self, inner: object, clock: Clock, parts: Mapping[str, str]) -> None:
        self._inner, self._clock, self._parts = inner, clock, parts

    def __getattr__(self, name: str) -> Any:
        """What the inner one has; a method of a part is timed, with what it gives or takes piece by piece."""
        found = getattr(self._inner, name)
        return self._timed(found, name, self._parts[name]) if name in self._parts else found

    def _timed(self, method: Callable[..., Any], name: str, part: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            given = [
                self._clock.each("other", each) if isinstance(each, Iterator) else each for each in arguments
            ]
            with self._clock.part(part):
                result = method(*given, **named)
            if isinstance(result, Iterator):
                return self._clock.each(part, result)
            return _Stream(result, self._clock, part) if name in _STREAMS else result

        return call


class _Stream:
    """Frames as they are decoded, which is when the time goes."""

    def __init__(self, inner: Any, clock: Clock, part: str) -> None:
        self._inner, self._clock, self._part = inner, clock, part

    @property
    def damage(self) -> str | None:
        damage: str | None = self._inner.damage
        return damage

    def __iter__(self) -> Iterator[Any]:
        return self._clock.each(self._part, self._inner)

    def __enter__(self) -> Self:
        with self._clock.part(self._part):
            self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        with self._clock.part(self._part):
            self._inner.__exit__(*error)
