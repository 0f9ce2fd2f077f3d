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
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    IntegerIndexParams,
    PayloadSchemaType,
    UpdateOperation,
)

from ...core.errors import ConfigurationError, IntegrityError, LockedError, PolyreelError, UnavailableError
from ...core.fields import PRESENT, FieldType, Schema
from ...core.locks import FolderLock, disk_error, replacing, sync_folder
from ...core.space import CollectionMeta, CollectionSpec, Metric
from . import points

_META = "polyreel.json"
_SHARD = "shard"
_ROOM_TO_OPEN = 64 << 20  # bytes on the disk, measured: the engine's log takes two segments of 32 MB
_ROOM_TO_WRITE = 40 << 20  # another segment, and a batch
_DISTANCES = {Metric.COSINE: Distance.Cosine, Metric.IP: Distance.Dot, Metric.L2: Distance.Euclid}

_SPAN_INDEX = IntegerIndexParams(lookup=False, range=True)  # each index costs 10 ms of opening 10 000 records
_INDEXES: dict[str, PayloadSchemaType | IntegerIndexParams] = {
    "video_id": PayloadSchemaType.Keyword,
    "scope": PayloadSchemaType.Keyword,
    "channel": PayloadSchemaType.Keyword,
    "start": _SPAN_INDEX,
    "end": _SPAN_INDEX,
    PRESENT: PayloadSchemaType.Keyword,
}
_FIELD_INDEXES = {
    FieldType.STRING: PayloadSchemaType.Keyword,
    FieldType.INT: PayloadSchemaType.Integer,
    FieldType.FLOAT: PayloadSchemaType.Float,
    FieldType.BOOL: PayloadSchemaType.Integer,
    FieldType.DATETIME: PayloadSchemaType.Integer,
    FieldType.STRINGS: PayloadSchemaType.Keyword,
}
"""An index decides what a filter finds, not only how fast; so its type is exactly the column's."""

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
        lock_wait: Seconds to wait for another process that holds it.
    """

    def __init__(self, path: Path, *, lock_wait: float) -> None:
        self.path = path
        self._lock = FolderLock(path, what=f"the collection {path.name!r}", wait=lock_wait)
        self._shard: EdgeShard | None = None

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
        for path, kind in _indexes(meta.spec.fields).items():
            if path not in known:
                self.shard.update(UpdateOperation.create_field_index(path, kind))
        self.shard.flush()
        with replacing(self.path / _META) as stream:
            stream.write(json.dumps(meta.to_json(), indent=2, ensure_ascii=False).encode() + b"\n")

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
        meta = _read(content, self.path / _META)
        self._need_room(_ROOM_TO_OPEN)
        self._shard = _load(self.path / _SHARD)
        return meta

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
        space = spec.space
        vectors = EdgeVectorParams(size=space.dimension, distance=_DISTANCES[space.metric])
        self._shard = EdgeShard.create(str(shard), EdgeConfig(vectors=vectors, wal_enabled=True))
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


def _indexes(fields: Schema) -> dict[str, PayloadSchemaType | IntegerIndexParams]:
    wanted = {**_INDEXES, **{name: _FIELD_INDEXES[kind] for name, kind in fields.items()}}
    return {points.path(column): kind for column, kind in wanted.items()}


def _read(content: bytes, path: Path) -> CollectionMeta:
    try:
        return CollectionMeta.from_json(dict(json.loads(content)))
    except (IntegrityError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"{path} can't be read: {error}",
            hint="restore it from a copy, or delete the folder and ingest again",
        ) from error


def _load(path: Path) -> EdgeShard:
    try:
        return EdgeShard.load(str(path))
    except Exception:
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the engine stumbled over a damaged file
            raise
        raise IntegrityError(
            f"the collection in {path.parent} is damaged: {error}",
            hint="restore the folder from a copy, or delete it and ingest again",
        ) from error
