"""`qdrant-client` in local mode: Qdrant imitated in Python, over a folder or in memory.

Its points lie pickled in SQLite: never open a folder that you don't trust.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from struct import pack
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from qdrant_client import QdrantClient, models

from ...core.capabilities import Capabilities
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError, IntegrityError, LockedError, PolyreelError, UnavailableError
from ...core.locks import FolderLock, disk_error
from ...core.records import Vector
from ...core.requests import CheckedRequest
from ...core.space import CollectionMeta, CollectionSpec, Metric
from .client import DENSE, QdrantClientStore, T
from .forms import FOLDER, MEMORY
from .options import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DATA = "qdrant"  # what the client makes in a collection's folder, beside the lock


class QdrantLocalStore(QdrantClientStore):
    """Collections in a folder, each open in one process at a time, or in memory. Contract: `VectorStore`.

    In memory the instance itself keeps the records: it may be closed and opened again, while another instance
    starts empty. Local mode isn't safe for threads, so one lock is round every call.

    Args:
        path: The folder of the collections, made when it is missing; None for memory.
        lexical: Whether to keep the words of the records' texts, so that they are found; what is stored, or
            yes in a new collection, when it is None. Without them writing takes a third less in memory, and a
            tenth in a folder.
        lock_wait: Seconds to wait for another process that has the collection open.
        timeout: Seconds for one public call, its retries included; what the client is doing isn't cut short.
        retry: How a disk that fails for the moment is tried again.
    """

    forms = (FOLDER, MEMORY)

    def __init__(
        self,
        *,
        path: Path | None = None,
        lexical: bool | None = None,
        lock_wait: float = 10.0,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(Options(lexical=lexical), timeout=timeout, retry=retry)
        self._path = Path(path).expanduser().absolute() if path is not None else None
        self._lock_wait = lock_wait
        self._lock = RLock()
        self._client: QdrantClient | None = None
        self._memory: QdrantClient | None = None
        self._folder_lock: FolderLock | None = None
        self._unit = False  # whether the collection keeps unit vectors, whose products are cosines

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        with self._lock:
            self._close()
            form = FOLDER if self._path else MEMORY
            self.can = Capabilities(form.name, form.features, version("qdrant-client"))
            if self._path is None:
                self._client = self._memory = self._memory or QdrantClient(":memory:")
            elif (self._path / spec.name / _DATA).exists():
                self._hold(self._path / spec.name)
            return self._described(self._client, spec.name) if self._client else None

    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        with self._lock:
            if self._path is not None and not spec.media:
                self._hold(self._path / spec.name)
            return super()._create(spec)

    def _described(self, client: QdrantClient, name: str) -> CollectionMeta | None:
        meta = super()._described(client, name)
        if meta is not None:
            vectors = cast(
                "dict[str, models.VectorParams]", client.get_collection(name).config.params.vectors
            )
            product = vectors[DENSE].distance is models.Distance.DOT
            self._unit = product and meta.spec.space.metric is Metric.COSINE
        return meta

    def _make(self, client: QdrantClient, spec: CollectionSpec, **common: Any) -> None:
        if not client.collection_exists(spec.name):  # else another process was quicker
            metadata = common.pop("metadata")
            if spec.space.metric is Metric.COSINE:  # else each search makes all vectors unit ones anew
                common["distance"] = models.Distance.DOT
            client.create_collection(
                spec.name,
                vectors_config={DENSE: models.VectorParams(**common)},
                sparse_vectors_config=self._words_config(),
                metadata=metadata,
            )

    def _dense(self, vector: Vector) -> Any:
        """In memory an array, for local mode makes one of a list twice; in a folder a list, as any client."""
        return self._array(vector) if self._path is None else self._array(vector).tolist()

    def _near(self, request: CheckedRequest) -> Any:
        """A unit vector in float32, for a list is compared in float64, to which all others are copied."""
        near = super()._near(request)
        if not self._unit or not isinstance(near, list):
            return near
        return models.NearestQuery.model_construct(nearest=self._array(near))

    def _found(self, queries: list[models.QueryRequest]) -> Sequence[models.QueryResponse]:
        """One is asked by itself: the client looks into all parts of a batch, for texts to embed."""
        if len(queries) > 1:
            return super()._found(queries)
        (asked,) = queries
        found = self._call(
            QdrantClient.query_points,
            query=asked.query,
            using=asked.using,
            query_filter=asked.filter,
            limit=asked.limit,
            with_payload=True,
        )
        return [found]

    def _array(self, vector: Vector) -> NDArray[np.float32]:
        """The vector as the collection keeps it."""
        if isinstance(vector, list):  # in half of `np.asarray`'s time
            array = np.frombuffer(pack(f"{len(vector)}f", *vector), np.float32)
        else:
            array = np.asarray(vector, np.float32)
        return array / np.sqrt(array.dot(array)) if self._unit else array

    def _drop(self) -> None:
        with self._using() as client:
            name = self.meta.spec.name
            if self._path is None:
                client.delete_collection(name)
                return
            client.close()
            shutil.rmtree(self._path / name / _DATA)
            if self._folder_lock is not None:
                self._folder_lock.remove()

    def _close(self) -> None:
        with self._lock, contextlib.ExitStack() as last:
            client, self._client = self._client, None
            lock, self._folder_lock = self._folder_lock, None
            if lock is not None:
                last.callback(lock.release)
            if client is not None and client is not self._memory:
                client.close()

    # -- inside -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _using(self) -> Iterator[QdrantClient]:
        with self._lock:
            yield self._there()

    def _call(self, method: Callable[..., T], **arguments: object) -> T:
        """As the base's, without a block that costs a hundredth of a search."""
        with self._lock:
            return method(self._there(), collection_name=self.meta.spec.name, **arguments)

    def _there(self) -> QdrantClient:
        if self._client is None:
            raise ConfigurationError("this store is not open", hint="call open(spec, create=...) first")
        return self._client

    def _seconds(self) -> None:
        return None

    def _hold(self, folder: Path) -> None:
        """Take the collection's folder, and load what is in it."""
        if self._client is not None:
            return
        lock = FolderLock(folder, what=f"the collection {folder.name!r}", wait=self._lock_wait)
        lock.acquire()
        self._folder_lock = lock
        try:
            self._client = QdrantClient(path=str(folder / _DATA), force_disable_check_same_thread=True)
        except (ValueError, KeyError, EOFError, UnpicklingError, sqlite3.DatabaseError) as error:
            raise IntegrityError(
                f"the collection in {folder} is damaged: {' '.join(str(error).split())[:200]}",
                hint="restore the folder from a copy, or delete it and ingest again",
            ) from error
        finally:
            if self._client is None:
                self._close()

    def _translate(self, error: Exception) -> PolyreelError | None:
        what = f"the collections in {self._path}"
        if isinstance(error, OSError):
            return disk_error(error, what)
        if isinstance(error, sqlite3.OperationalError):  # a disk that is full or fails
            return UnavailableError(f"{what}: {error}", hint="look after the disk, then try again")
        if isinstance(error, RuntimeError) and "already accessed" in str(error):
            hint = "another program has this folder open: close it, then try again"
            return LockedError(f"{what}: {str(error)[:200]}", hint=hint)
        return None
