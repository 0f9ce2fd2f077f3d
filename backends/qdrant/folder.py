"""A collection's folder: the lock, the description, and the shard of Qdrant's engine.

| name          | what it is                                                                       |
|---------------|----------------------------------------------------------------------------------|
| polyreel.json | what the collection is; written last, so a folder without it is no collection    |
| lock          | names the process that has the collection open                                   |
| shard/        | the engine's files                                                               |
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from qdrant_edge import (
    BinaryQuantizationConfig,
    CompressionRatio,
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    FloatIndexParams,
    HnswIndexConfig,
    IntegerIndexParams,
    KeywordIndexParams,
    Memory,
    PointVectors,
    ProductQuantizationConfig,
    ScalarQuantizationConfig,
    ScalarType,
    ScrollRequest,
    SparseVector,
    UpdateOperation,
)

from ...core import lexical
from ...core.errors import ConfigurationError, IntegrityError, LockedError, PolyreelError, UnavailableError
from ...core.locks import FolderLock, disk_error, replacing, sync_folder
from ...core.space import CollectionMeta, CollectionSpec, Metric
from . import points
from .indexes import Index, IndexType, wanted
from .options import Hnsw, Options, Quantization, keeps_words

_META = "polyreel.json"
_WORDS = "words"  # in the description: the records may have sparse vectors
_SHARD = "shard"
_PAGE = 1000  # records of one read
_ROOM_TO_OPEN = 64 << 20  # bytes on the disk, measured: the engine's log takes two segments of 32 MB
_ROOM_TO_WRITE = 40 << 20  # another segment, and a batch
_DISTANCES = {Metric.COSINE: Distance.Cosine, Metric.IP: Distance.Dot, Metric.L2: Distance.Euclid}

_QUANTIZATIONS: dict[str, Any] = {
    "scalar": ScalarQuantizationConfig(ScalarType.Int8),
    "product": ProductQuantizationConfig(CompressionRatio.X16),
    "binary": BinaryQuantizationConfig(),
}
_PLACES = {True: Memory.Cold, False: Memory.Cached}
_M, _EF_CONSTRUCT, _FULL_SCAN = 16, 100, 10_000  # Qdrant's own defaults, which the engine wants to be told

_MEANINGS: tuple[tuple[str, type[PolyreelError], str | None], ...] = (
    ("WouldBlock", LockedError, "another program has this folder open: close it, then try again"),
    ("not initialized", ConfigurationError, "the store was closed meanwhile"),
    ("os error", UnavailableError, "look after the disk, then try again"),
    ("Vector dimension error", IntegrityError, None),
    ("Incompatible config", IntegrityError, None),
    ("load", IntegrityError, "restore the folder from a copy, or delete it and ingest again"),
    ("ailed to", IntegrityError, "restore the folder from a copy, or delete it and ingest again"),
)
"""What the engine's bare `Exception` means, by the first piece of its text that fits."""


class CollectionFolder:
    """One collection on the disk, held by this process from `load` or `make` until `close`.

    Args:
        path: The collection's own folder.
        options: How the engine keeps and indexes it.
        lock_wait: Seconds to wait for another process that holds it.
        search_threads: That one search uses.
    """

    def __init__(self, path: Path, options: Options, *, lock_wait: float, search_threads: int) -> None:
        self.path = path
        self._options = options
        self._threads = search_threads
        self._lock = FolderLock(path, what=f"the collection {path.name!r}", wait=lock_wait)
        self._shard: EdgeShard | None = None
        self._kept: Mapping[str, Any] = options.to_json()  # what the collection was made with

    @property
    def shard(self) -> EdgeShard:
        """The engine, open."""
        if self._shard is None:
            raise ConfigurationError("the store is closed", hint="call open(spec, create=...) first")
        return self._shard

    @property
    def writable(self) -> EdgeShard:
        """The engine, where the disk has room for what it will write.

        Raises:
            UnavailableError: The disk is nearly full.
        """
        self._need_room(_ROOM_TO_WRITE)
        return self.shard

    @property
    def quantization(self) -> Quantization | None:
        """How the vectors that are searched in are compressed."""
        return self._kept.get("quantization")

    @property
    def words(self) -> bool:
        """Whether the records get vectors of words."""
        return keeps_words(self._kept)

    def load(self) -> CollectionMeta | None:
        """Open what is there; None, and nothing made, when there is no collection."""
        if not (self.path / _META).exists():
            return None
        with self._held():
            return self._loaded()

    def make(self, spec: CollectionSpec) -> CollectionMeta:
        """Make the collection, over what a creation killed half-way has left."""
        with self._held():
            return self._loaded() or self._made(spec)  # another process may have made it just now

    def keep(self, meta: CollectionMeta) -> None:
        """Add the indexes that the fields ask for and lack, and replace the description."""
        known = self.shard.info().payload_schema
        for path, index in wanted(meta.spec.fields, self._options.tenant).items():
            if path not in known:
                self.shard.update(UpdateOperation.create_field_index(path, _index(index)))
        self.shard.flush()
        described = {**meta.to_json(), "options": self._kept, _WORDS: True}
        with replacing(self.path / _META) as stream:
            stream.write(json.dumps(described, indent=2, ensure_ascii=False).encode() + b"\n")

    def drop(self) -> None:
        """Delete the collection; a stranger's files in its folder stay."""
        self._close_shard()
        (self.path / _META).unlink(missing_ok=True)
        sync_folder(self.path)
        if (self.path / _SHARD).exists():
            shutil.rmtree(self.path / _SHARD)
        self._lock.remove()

    def close(self) -> None:
        """Let go of the folder, so that another process can open it at once; a second call does nothing."""
        try:
            self._close_shard()
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """With the lock, which stays ours only if the block opens the shard."""
        try:
            self._lock.acquire()
            yield
        finally:
            if self._shard is None:
                self._lock.release()

    def _loaded(self) -> CollectionMeta | None:
        try:
            content = (self.path / _META).read_bytes()
        except FileNotFoundError:
            return None
        meta, described = _read(content, self.path / _META)
        self._kept = described.get("options", {})
        self._options.refuse_other(meta.spec.name, self._kept)
        self._need_room(_ROOM_TO_OPEN)
        # Vectors that were named here would lose what is configured of them; words have nothing to lose.
        words = {points.WORDS: EdgeSparseVectorParams()}
        opening = EdgeConfig(sparse_vectors=words, max_search_threads=self._threads)
        self._shard = _load(self.path / _SHARD, opening if described.get(_WORDS) else None)
        if not described.get(_WORDS):
            self._add_words(meta)
        return meta

    def _add_words(self, meta: CollectionMeta) -> None:
        """Make a collection from before words were kept like a new one; killed half-way, it is done again."""
        self._need_room(_ROOM_TO_WRITE)
        self.shard.update(UpdateOperation.create_sparse_vector(points.WORDS))
        offset, more = None, True
        while more:
            request = ScrollRequest(offset=offset, limit=_PAGE, with_payload=["text"])
            page, offset = self.shard.scroll(request)
            texts = {point.id: points.text(point.payload or {}) for point in page}
            words = {id: lexical.document(text) for id, text in texts.items() if text}
            if vectors := [PointVectors(id, _sparse(weights)) for id, weights in words.items() if weights]:
                self.shard.update(UpdateOperation.update_vectors(vectors))
            more = offset is not None
        self.keep(meta)

    def _need_room(self, needed: int) -> None:
        """The engine writes through memory into files with holes: on a full disk, the system kills us."""
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise UnavailableError(
                f"the collection in {self.path}: No space left on device: {free >> 20} of {needed >> 20} MB",
                hint="free some space, or choose another folder",
            )

    def _made(self, spec: CollectionSpec) -> CollectionMeta:
        self._need_room(_ROOM_TO_OPEN)
        shard = self.path / _SHARD
        if shard.exists():
            shutil.rmtree(shard)
        meta = CollectionMeta(uuid4().hex, spec)
        self._shard = EdgeShard.create(str(shard), _config(spec, self._options, self._threads))
        try:
            self.keep(meta)
            sync_folder(self.path.parent)
        except BaseException:
            self._close_shard()
            raise
        return meta

    def _close_shard(self) -> None:
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.close()


def translate(error: Exception, folder: Path) -> PolyreelError | None:
    """The engine's or the disk's error in our words; None for any other."""
    what = f"the collection in {folder}"
    if isinstance(error, OSError):
        return disk_error(error, what)
    if type(error) is not Exception:  # the engine has no class of its own
        return None
    text = " ".join(str(error).split())
    for piece, kind, hint in _MEANINGS:
        if piece in text:
            return kind(f"{what}: {text[:300]}", hint=hint)
    return UnavailableError(f"{what}: {text[:300]}")


def _config(spec: CollectionSpec, options: Options, search_threads: int) -> EdgeConfig:
    """How the engine shall keep the collection; what wasn't chosen is its own affair."""
    given = options.hnsw
    vectors = EdgeVectorParams(
        size=spec.space.dimension,
        distance=_DISTANCES[spec.space.metric],
        hnsw_config=_graph(given) if given else None,
        quantization_config=_QUANTIZATIONS[options.quantization] if options.quantization else None,
        memory=None if options.vectors_on_disk is None else _PLACES[options.vectors_on_disk],
    )
    payload = None if options.payload_on_disk is None else _PLACES[options.payload_on_disk]
    words = {points.WORDS: EdgeSparseVectorParams()}  # also where no record will have any: opening needs it
    return EdgeConfig(
        vectors=vectors,
        sparse_vectors=words,
        payload_memory=payload,
        max_search_threads=search_threads,
        wal_enabled=True,
    )


def _sparse(weights: lexical.Sparse) -> dict[str, Any]:
    return {points.WORDS: SparseVector(*points.sparse(weights))}


def _graph(given: Hnsw) -> HnswIndexConfig:
    return HnswIndexConfig(
        given.m or _M,
        given.ef_construct or _EF_CONSTRUCT,
        given.full_scan_threshold or _FULL_SCAN,
        memory=None if given.on_disk is None else _PLACES[given.on_disk],
    )


def _index(index: Index) -> IntegerIndexParams | FloatIndexParams | KeywordIndexParams:
    if index.type is IndexType.INTEGER:
        return IntegerIndexParams(lookup=index.lookup, range=True)
    return FloatIndexParams() if index.type is IndexType.FLOAT else KeywordIndexParams(is_tenant=index.tenant)


def _read(content: bytes, path: Path) -> tuple[CollectionMeta, dict[str, Any]]:
    """The description, and all that stands beside it."""
    try:
        described: dict[str, Any] = dict(json.loads(content))
        return CollectionMeta.from_json(described), described
    except (IntegrityError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"{path} can't be read: {error}",
            hint="restore it from a copy, or delete the folder and ingest again",
        ) from error


def _load(path: Path, config: EdgeConfig | None) -> EdgeShard:
    try:
        return EdgeShard.load(str(path), config)
    except Exception:
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the engine stumbled over a damaged file
            raise
        raise IntegrityError(
            f"the collection in {path.parent} is damaged: {error}",
            hint="restore the folder from a copy, or delete it and ingest again",
        ) from error
