"""Which records are looked at, and their vectors: a bounded number, and the same ones in every run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import UnsupportedError
from ..core.filters import Filter
from ..core.media import Media
from ..core.records import Record, Vector, floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.search import VideoSearch

    Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Records in the order of a digest of their ids, which says nothing of them.

    Args:
        records: Without vectors.
        rows: Their vectors at unit length.
        total: Records that match.
    """

    records: tuple[Record, ...]
    rows: Rows
    total: int


def sample(search: VideoSearch, where: Filter, most: int) -> Sample:
    """At most so many records that match. All are read once, but only the vectors of the sample.

    Raises:
        UnsupportedError: The store gives no vectors away.
    """
    search.count(where)  # opens the store, and checks the condition
    store, embedder = search.stack.store, search.stack.embedder
    chosen, total = _chosen(store.scan(where), most)
    stored = store.fetch(chosen, vectors=True)
    kept = {id: stored[id] for id in chosen if id in stored}  # one may have been deleted since
    vectors = {id: vector for id, record in kept.items() if (vector := _vector(record)) is not None}
    if kept and not vectors:
        raise UnsupportedError(
            f"{store.can.form} gives no vectors away, and they are what is explored",
            hint="use a stack whose store is handed vectors",
        )
    plain = [embedder.query_of(vector) if embedder else vector for vector in vectors.values()]
    records = tuple(replace(kept[id], content=None) for id in vectors)
    return Sample(records, _unit(plain, store.meta.spec.space.dimension), total)


def _chosen(records: Iterable[Record], most: int) -> tuple[list[str], int]:
    """The ids of the smallest digests, in their order, and how many there were."""
    heap: list[tuple[int, str]] = []
    total = 0
    for total, record in enumerate(records, start=1):  # noqa: B007  # the number is what counts
        digest = int.from_bytes(blake2b(record.id.encode(), digest_size=8).digest())
        if len(heap) < most:
            heappush(heap, (-digest, record.id))
        else:
            heappushpop(heap, (-digest, record.id))
    return [id for _, id in sorted(heap, reverse=True)], total


def _vector(record: Record) -> Vector | None:
    return None if record.content is None or isinstance(record.content, Media) else record.content


def _unit(vectors: list[Vector], dimension: int) -> Rows:
    rows = np.array([floats(vector) for vector in vectors], np.float32).reshape(len(vectors), dimension)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Rows = rows / np.maximum(lengths, np.float32(1e-12))
    return unit
