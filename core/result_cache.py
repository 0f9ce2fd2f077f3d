"""Whole answers in memory, as long as nobody writes to the collection (`core.caching`)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .cache_keys import query_key
from .capabilities import Feature
from .records import Hit

if TYPE_CHECKING:
    from .planner import Page
    from .query import Query
    from .store import VectorStore

State = tuple[object, int | None]
"""What of a collection changes when somebody writes."""

MAX_AGE = 60.0
"""Seconds after which a kept answer is asked for anew where other processes may write."""
MAX_ANSWERS = 256
"""Answers that are kept; what wasn't used for longest goes first."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A page, and what the collection was like when it was asked for."""

    page: Page
    state: State
    since: float


class ResultCache:
    """Pages of one open store; safe for several threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def through(
        self,
        store: VectorStore,
        queries: Sequence[Query],
        seen: Sequence[Hit],
        ask: Callable[[Sequence[Query], Sequence[Hit]], list[Page]],
    ) -> list[Page]:
        """A page of each query: a kept one, if the collection is as it was; only the others are asked for."""
        began, state = time.perf_counter(), _state(store)
        keys = [query_key(query, seen) for query in queries]
        kept = {at: page for at, key in enumerate(keys) if key and (page := self._get(key, state))}
        pages = {at: _told(page, time.perf_counter() - began) for at, page in kept.items()}
        missing = [at for at in range(len(queries)) if at not in pages]
        if missing:
            fresh = ask([queries[at] for at in missing], seen)
            pages |= dict(zip(missing, fresh, strict=True))
            for at, page in zip(missing, fresh, strict=True):  # a write since then leaves it unused
                self._put(keys[at], _Kept(_copied(page), state, self._clock()))
        return [pages[at] for at in range(len(queries))]

    def _get(self, key: bytes, state: State) -> Page | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            too_old = state[1] is not None and self._clock() - kept.since > MAX_AGE
            if kept.state != state or too_old:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return kept.page

    def _put(self, key: bytes | None, kept: _Kept) -> None:
        if key is None:
            return
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_ANSWERS:
                self._kept.popitem(last=False)


def _state(store: VectorStore) -> State:
    """What changes when this process writes, or another one changes the number of records."""
    return store.written, store.count() if Feature.SHARED in store.can.features else None


def _told(page: Page, seconds: float) -> Page:
    """A kept page as that of this call, which asked and paid nothing."""
    timing = {**dict.fromkeys(page.timing, 0.0), "cache": seconds, "total": seconds}
    own = _copied(page)
    return replace(own, timing=timing, explain={**own.explain, "answer": "cached"}, usage={}, request_ids=())


def _copied(page: Page) -> Page:
    """A page that shares nothing that can be changed: whoever is given one may write into its mappings."""
    return replace(
        page,
        hits=tuple(map(_copied_hit, page.hits)),
        timing=dict(page.timing),
        explain=deepcopy(dict(page.explain)),
        usage=dict(page.usage),
        notes=deepcopy(page.notes),
    )


def _copied_hit(hit: Hit) -> Hit:
    known = hit.record
    record = replace(known, fields=dict(known.fields), extra=deepcopy(dict(known.extra)))
    members = tuple(map(_copied_hit, hit.members))
    return replace(hit, record=record, similarity=dict(hit.similarity), members=members)
