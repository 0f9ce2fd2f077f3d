"""Qdrant in all its forms: its engine in process, its client over a folder or memory, a server.

`qdrant_store` is what the configuration calls; the classes load Qdrant's packages when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ...core.capabilities import in_forms
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError
from ...core.registry import missing
from ...core.secret import Secret
from ...core.store import VectorStore
from .forms import FORMS, WAYS, Way
from .options import Hnsw, Quantization

if TYPE_CHECKING:
    from .edge import QdrantEdgeStore
    from .local import QdrantLocalStore
    from .server import QdrantServerStore

__all__ = ["QdrantEdgeStore", "QdrantLocalStore", "QdrantServerStore", "qdrant_store"]

_CLASSES = {way.name: way.module for way in WAYS}


@in_forms(*FORMS)
def qdrant_store(
    *,
    path: Path | None = None,
    client_path: Path | None = None,
    client_memory: bool = False,
    url: str | None = None,
    api_key: Secret | None = None,
    ca_file: Path | None = None,
    grpc: bool = False,
    grpc_port: int | None = None,
    hnsw: Hnsw | None = None,
    quantization: Quantization | None = None,
    vectors_on_disk: bool | None = None,
    payload_on_disk: bool | None = None,
    tenant: str | None = None,
    lexical: bool | None = None,
    shards: int | None = None,
    replicas: int | None = None,
    write_consistency: int | None = None,
    search_threads: int | None = None,
    lock_wait: float | None = None,
    timeout: float = 30.0,
    retry: RetryPolicy | None = None,
) -> VectorStore:
    """The store in the form that the keys choose; exactly one of the first four says where the records are.

    Args:
        path: The folder of Qdrant's engine in process.
        client_path: A folder of the client's local mode.
        client_memory: The client's local mode in memory; gone when the process ends.
        url: A server's or Qdrant Cloud's address, such as `https://host:6333`.
        api_key: For a server.
        ca_file: Certificates in PEM to trust for `https`, instead of the system's.
        grpc: Speak gRPC with the server instead of REST.
        grpc_port: The server's port for gRPC; 6334 when left out.
        hnsw: The graph that makes searches fast.
        quantization: Search in compressed vectors; scores stay those of the whole ones.
        vectors_on_disk: Read vectors from the disk.
        payload_on_disk: Read all that isn't indexed from the disk.
        tenant: A declared string field by which nearly every search filters.
        lexical: Whether to keep the words of the records' texts, so that they are found; what is stored, or
            yes in a new collection, when it is None. Writing takes less without them.
        shards: Parts of the collection on a cluster.
        replicas: Copies of each part.
        write_consistency: Copies that must have a write before it is confirmed.
        search_threads: That one search of the engine in process uses; 1 when left out.
        lock_wait: Seconds to wait for another process that has the folder open; 10 when left out.
        timeout: Seconds for one public call, its retries included.
        retry: How retryable errors are tried again.

    Raises:
        ConfigurationError: No form is chosen or more than one, a key belongs to another form, or the form's
            package isn't installed.
    """
    memory = client_memory or None
    places = _given({"path": path, "client_path": client_path, "client_memory": memory, "url": url})
    others = {
        "api_key": api_key,
        "ca_file": ca_file,
        "grpc": grpc or None,
        "grpc_port": grpc_port,
        "hnsw": hnsw,
        "quantization": quantization,
        "vectors_on_disk": vectors_on_disk,
        "payload_on_disk": payload_on_disk,
        "tenant": tenant,
        "lexical": lexical,
        "shards": shards,
        "replicas": replicas,
        "write_consistency": write_consistency,
        "search_threads": search_threads,
        "lock_wait": lock_wait,
    }
    way = _chosen(places)
    arguments = _given(others) | ({way.place: places[way.key]} if way.place else {})
    _refuse_strangers(way, _given(others))
    make = _load(way)
    return make(**arguments, timeout=timeout, retry=retry)


def __getattr__(name: str) -> object:
    """Load a class, and with it one of Qdrant's packages, when it is first asked for."""
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_CLASSES[name]}", __name__), name)


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _chosen(places: Mapping[str, object]) -> Way:
    keys = ", ".join(way.key for way in WAYS)
    if not places:
        raise ConfigurationError(
            "the store of kind 'qdrant' isn't told where the records are", hint=f"set one of {keys}"
        )
    if len(places) > 1:
        raise ConfigurationError(
            f"{' and '.join(places)} say different places for the records",
            hint=f"keep one of {keys}",
        )
    return next(way for way in WAYS if way.key in places)


def _refuse_strangers(way: Way, given: Mapping[str, object]) -> None:
    if strangers := [name for name in given if name not in way.takes]:
        where = {name: [other.key for other in WAYS if name in other.takes] for name in strangers}
        raise ConfigurationError(
            f"{', '.join(strangers)} can't be set with {way.key}",
            hint="; ".join(f"{name} goes with {' or '.join(keys)}" for name, keys in where.items()),
        )


def _load(way: Way) -> Callable[..., VectorStore]:
    try:
        return cast("type[VectorStore]", getattr(import_module(f".{way.module}", __name__), way.name))
    except ModuleNotFoundError as error:
        raise missing(error, f"the store 'qdrant' with {way.key}") from error
