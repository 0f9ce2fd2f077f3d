"""What makes searches run at full speed: rows in segments, indexes that are finished, a collection in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from ...core.space import CollectionSpec
from . import collection, lite, rows
from .connection import limit, patience
from .index import METRICS, Index

_SMALL = 10_000  # vectors, which Lite compares about as fast as it walks a graph of them
_LOOK = 0.2  # seconds between two looks at an index that is being built


def first_index(index: Index, *, on_lite: bool) -> Index:
    """The index of a new collection."""
    return Index("flat") if on_lite and index.kind == "auto" else index


def load(client: MilvusClient, name: str, path: Path | None) -> None:
    """Bring a collection into memory, without which no row is found; of Lite, mend its index files."""
    if path is None:
        client.load_collection(name, timeout=limit())
        return
    try:
        client.load_collection(name, timeout=patience())
    except MilvusException:
        if not lite.heal(path, name):
            raise
        client.load_collection(name, timeout=patience())


def flush_lite(client: MilvusClient, path: Path, name: str) -> None:
    """Write the rows in memory to files: a search reads those about 80 times as fast."""
    client.flush(name, timeout=patience())
    lite.sync(path, name)


def optimize_lite(client: MilvusClient, path: Path, spec: CollectionSpec, index: Index, written: int) -> None:
    """Flush, and make the index that fits the number of rows.

    Args:
        client: The client.
        path: The file.
        spec: Of the collection.
        index: The configured one.
        written: Rows since the last time, perhaps without an index.
    """
    name = spec.name
    flush_lite(client, path, name)
    total, have = _count(client, name), collection.index_type(client, name)
    wanted = Index("hnsw") if index.kind == "auto" and total > _SMALL else index
    if index.kind == "auto" and total <= _SMALL:
        return  # an index that is there stays
    if have != wanted.type:
        client.release_collection(name, timeout=limit())
        client.drop_index(name, rows.VECTOR, timeout=limit())
        metric = METRICS[spec.space.metric]
        collection.add_index(client, name, rows.VECTOR, wanted.type, metric, wanted.build())
    elif wanted.type != "FLAT" and _pays(written, total):
        client.release_collection(
            name, timeout=limit()
        )  # to load it is to wait for what is built behind our back
    load(client, name, path)


def optimize_server(client: MilvusClient, spec: CollectionSpec, progress: Callable[[float], None]) -> None:
    """Flush, and wait until the index is finished, where enough rows have none."""
    total = _count(client, spec.name)
    if not _pays(total - _indexed(client, spec.name)[0], total):
        return
    client.flush(spec.name, timeout=patience())
    indexed, pending = _indexed(client, spec.name)
    while pending:
        progress(min(0.99, indexed / (indexed + pending)))
        time.sleep(_LOOK)
        indexed, pending = _indexed(client, spec.name)


def _pays(unindexed: int, total: int) -> bool:
    return unindexed > 0 and (unindexed > _SMALL or unindexed * 5 > total)


def _count(client: MilvusClient, name: str) -> int:
    (row,) = client.query(name, "", output_fields=["count(*)"], timeout=limit())
    return int(row["count(*)"])


def _indexed(client: MilvusClient, name: str) -> tuple[int, int]:
    """Rows in an index, and rows that wait to be."""
    found = client.describe_index(name, rows.VECTOR, timeout=patience())
    return int(found["indexed_rows"]), int(found["pending_index_rows"])
