"""What makes searches run at full speed: rows in files, finished indexes, a collection in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from ...core.deadline import poll, time_left
from ...core.space import CollectionSpec
from . import collection, lite, rows
from .connection import limit
from .index import Index

_SMALL = 10_000  # vectors, which Lite compares about as fast as it walks a graph of them
_LOOK = 0.2  # seconds until an index that is being written is read once more
_ANSWER = 5.0  # seconds for a quick question, when the deadline is about to pass
_LONG = 3600.0  # seconds: Lite makes indexes that are missing as it loads, which no second try makes shorter


def first_index(index: Index) -> Index:
    """The index of a new collection: `auto` compares all vectors as long as they are few.

    A server's own choice would not do for few: until rows are flushed it searches some of its clusters only,
    and finds nothing of a collection most of whose rows were deleted.
    """
    return Index("flat") if index.kind == "auto" else index


def load(client: MilvusClient, name: str, path: Path | None) -> None:
    """Bring a collection into memory, without which no row is found; of Lite, mend its index files.

    Lite reads an index that is just being written, too, and fails; so it is asked once more first.
    """
    if path is None:
        client.load_collection(name, timeout=limit())
        return
    for last in (False, True):
        try:
            client.load_collection(name, timeout=limit(at_least=_LONG))
            return
        except MilvusException:
            if last and not lite.heal(path, name):
                raise
        time.sleep(_LOOK)
    client.load_collection(name, timeout=limit(at_least=_LONG))


def flush_lite(client: MilvusClient, path: Path, name: str) -> None:
    """Write the rows in memory to files: a search reads those about 80 times as fast."""
    client.flush(name, timeout=limit())
    lite.sync(path, name)


def optimize(
    client: MilvusClient,
    path: Path | None,
    spec: CollectionSpec,
    index: Index,
    *,
    written: int,
    progress: Callable[[float], None],
) -> None:
    """Flush, and make or finish the index that fits the number of rows, where enough rows have none.

    Args:
        client: The client.
        path: The file of Milvus Lite; None for a server.
        spec: Of the collection.
        index: The configured one.
        written: Rows since the last time.
        progress: Hears how much of the index is done.
    """
    name = spec.name
    total, have = _count(client, name), collection.index_type(client, name)
    wanted = _fitting(index, have, total, on_lite=path is not None)
    if path is not None:
        flush_lite(client, path, name)
    elif wanted.type == have and not _pays(max(written, total - _indexed(client, name)[0]), total):
        return  # an index counts rows that were deleted, too, so what was written here is looked at as well
    else:
        client.flush(name, timeout=limit())
    if wanted.type != have:
        client.release_collection(name, timeout=limit())
        client.drop_index(name, rows.VECTOR, timeout=limit())
        collection.add_vector_index(client, spec, wanted)
    elif path is not None and wanted.type != "FLAT" and _pays(written, total):
        client.release_collection(name, timeout=limit())  # to load it is to wait for what is built meanwhile
    _finish(client, name, progress)
    if path is None and wanted.type == have != "FLAT":
        # Else what was written lately is searched in some clusters of a makeshift index for up to 20 s more,
        # which finds half of the nearest. `refresh_load` returns before that is over.
        client.release_collection(name, timeout=limit())
    load(client, name, path)


def _fitting(index: Index, have: str, total: int, *, on_lite: bool) -> Index:
    """The configured index; of `auto` one for few or for many, and what was made for many stays."""
    if index.kind != "auto":
        return index
    for_many = Index("hnsw") if on_lite else index
    return for_many if total > _SMALL or have == for_many.type else Index("flat")


def _finish(client: MilvusClient, name: str, progress: Callable[[float], None]) -> None:
    """Return once every flushed row is in the index."""

    def ready() -> bool:
        indexed, pending = _indexed(client, name)
        if pending:
            progress(min(0.99, indexed / (indexed + pending)))
        return not pending

    poll(ready, what=f"the index of {name!r}", timeout=time_left(default=_LONG), cap=1.0)


def _pays(unindexed: int, total: int) -> bool:
    return unindexed > 0 and (unindexed > _SMALL or unindexed * 5 > total)


def _count(client: MilvusClient, name: str) -> int:
    (row,) = client.query(name, "", output_fields=["count(*)"], timeout=limit())
    return int(row["count(*)"])


def _indexed(client: MilvusClient, name: str) -> tuple[int, int]:
    """Rows in an index, and rows that wait to be."""
    found = client.describe_index(name, rows.VECTOR, timeout=limit(at_least=_ANSWER))
    return int(found["indexed_rows"]), int(found["pending_index_rows"])
