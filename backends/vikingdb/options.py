"""How a collection and its index are made: the sections of a store's configuration, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ...core.errors import ConfigurationError
from ...core.media import Modality
from ...core.space import Metric, Space
from .limits import MAX_FPS, MIN_FPS
from .models import Model, find


class IndexType(StrEnum):
    """How vectors are searched; `flat` compares with every one."""

    HNSW = "hnsw"
    HNSW_HYBRID = "hnsw_hybrid"
    FLAT = "flat"
    DISKANN = "diskann"


class Quant(StrEnum):
    """How the index keeps a number of a vector."""

    INT8 = "int8"
    FLOAT = "float"
    FIX16 = "fix16"
    PQ = "pq"


class ShardPolicy(StrEnum):
    """Who chooses the number of shards."""

    AUTO = "auto"
    CUSTOM = "custom"


TOLERANCE: Mapping[str, float] = {
    Quant.FLOAT: 1e-5,
    Quant.FIX16: 1e-3,
    Quant.INT8: 1e-2,
    Quant.PQ: 5e-2,
}
"""How far a cosine may be from the exact one. Estimates: none was measured on the service."""

_TYPES = {
    Quant.INT8: {IndexType.HNSW, IndexType.HNSW_HYBRID, IndexType.FLAT},
    Quant.FIX16: {IndexType.HNSW, IndexType.HNSW_HYBRID, IndexType.FLAT},
    Quant.FLOAT: set(IndexType),
    Quant.PQ: {IndexType.DISKANN},
}
_MOST_SHARDS = 256


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """The section `[stacks.NAME.store.index]` (doc 1791149). What is left out is the service's default.

    Args:
        type: How vectors are searched. `hnsw_hybrid` needs a sparse vector, which ours lack.
        quant: How vectors are kept. The service's default, `int8`, makes scores inexact.
        cpu_quota: Cores, about 100 searches a second each.
        shard_policy: `custom` takes `shard_count`.
        shard_count: 1 to 256.
        hnsw_m: Links of a node.
        hnsw_cef: Width of the search while building.
        hnsw_sef: Width of a search.
        diskann_m: As `hnsw_m`.
        diskann_cef: As `hnsw_cef`.
        pq_code_ratio: Above 0, up to 0.25.
        cache_ratio: From 0, below 0.3.
    """

    type: IndexType = IndexType.HNSW
    quant: Quant = Quant.FLOAT
    cpu_quota: int | None = None
    shard_policy: ShardPolicy | None = None
    shard_count: int | None = None
    hnsw_m: int | None = None
    hnsw_cef: int | None = None
    hnsw_sef: int | None = None
    diskann_m: int | None = None
    diskann_cef: int | None = None
    pq_code_ratio: float | None = None
    cache_ratio: float | None = None

    def __post_init__(self) -> None:
        """Refuse what the service would refuse.

        Raises:
            ConfigurationError: Two options don't go together, or a number is out of its range.
        """
        if self.type not in _TYPES[self.quant]:
            taken = ", ".join(sorted(one.value for one in _TYPES[self.quant]))
            raise ConfigurationError(
                f"quant = {self.quant.value!r} doesn't go with type = {self.type.value!r}",
                hint=f"it goes with {taken}",
            )
        if (self.shard_count is not None) != (self.shard_policy is ShardPolicy.CUSTOM):
            raise ConfigurationError("shard_count goes with shard_policy = 'custom', and with no other")
        _within("shard_count", self.shard_count, 1, _MOST_SHARDS)
        _within("cpu_quota", self.cpu_quota, 1, 10_240)
        if self.pq_code_ratio is not None and not 0 < self.pq_code_ratio <= 0.25:
            raise ConfigurationError(f"pq_code_ratio is {self.pq_code_ratio}; it must be in (0, 0.25]")
        if self.cache_ratio is not None and not 0 <= self.cache_ratio < 0.3:
            raise ConfigurationError(f"cache_ratio is {self.cache_ratio}; it must be in [0, 0.3)")

    def vector_index(self, metric: Metric) -> dict[str, Any]:
        """The body's `VectorIndex`.

        Raises:
            ConfigurationError: The metric doesn't go with the quantisation.
        """
        if metric is Metric.L2 and self.quant is not Quant.FLOAT:
            raise ConfigurationError(f"quant = {self.quant.value!r} doesn't go with L2 distances")
        given = {
            "IndexType": self.type.value,
            "Distance": metric.value,
            "Quant": self.quant.value,
            "HnswM": self.hnsw_m,
            "HnswCef": self.hnsw_cef,
            "HnswSef": self.hnsw_sef,
            "DiskannM": self.diskann_m,
            "DiskannCef": self.diskann_cef,
            "PqCodeRatio": self.pq_code_ratio,
            "CacheRatio": self.cache_ratio,
        }
        return {name: value for name, value in given.items() if value is not None}

    def body(self, metric: Metric) -> dict[str, Any]:
        """All of a creation's body that comes from here."""
        given = {
            "CpuQuota": self.cpu_quota,
            "ShardPolicy": self.shard_policy.value if self.shard_policy else None,
            "ShardCount": self.shard_count,
            "VectorIndex": self.vector_index(metric),
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Vectorize:
    """The section `[stacks.NAME.store.vectorize]`: the model with which the service vectorizes.

    Args:
        model: Its name.
        version: Its version.
        dimension: Length of its vectors.
        content: What records carry; what queries may have is up to the model.
        instruct: Whether queries and documents get the model's own instructions.
        fps: Frames a second of a video that says nothing of its own; None leaves it to the service (1).
    """

    model: str = "doubao-embedding-vision"
    version: str = "250615"
    dimension: int = 2048
    content: tuple[Modality, ...] = (Modality.VIDEO,)
    instruct: bool = True
    fps: float | None = None

    def __post_init__(self) -> None:
        """Refuse what the model can't do.

        Raises:
            ConfigurationError: There is no such model, or it lacks the dimension or a modality.
        """
        model = self.known
        if self.dimension not in model.dimensions:
            lengths = ", ".join(map(str, sorted(model.dimensions)))
            raise ConfigurationError(f"{self.model} has no vectors of {self.dimension}; it has {lengths}")
        lacking = [one.value for one in self.content if one not in model.modalities]
        if lacking or not self.content:
            raise ConfigurationError(f"{self.model} {self.version} doesn't vectorize {lacking or 'nothing'}")
        if self.fps is not None and not MIN_FPS <= self.fps <= MAX_FPS:
            raise ConfigurationError(f"fps is {self.fps}; VikingDB samples at {MIN_FPS} to {MAX_FPS}")

    @property
    def known(self) -> Model:
        """What is known of the model."""
        return find(self.model, self.version)

    @property
    def space(self) -> Space:
        """The space of the collection's vectors."""
        templates = self.known.templates(self.content) if self.instruct else {}
        return Space("vikingdb", self.model, self.version, self.dimension, templates=templates)

    def body(self, columns: Mapping[Modality, str]) -> dict[str, Any]:
        """The body's `Vectorize`, with the names of the columns that hold the media."""
        keys = {Modality.TEXT: "TextField", Modality.IMAGE: "ImageField", Modality.VIDEO: "VideoField"}
        dense: dict[str, Any] = {"ModelName": self.model, "Dim": self.dimension}
        if self.version:
            dense["ModelVersion"] = self.version
        dense |= {keys[one]: columns[one] for one in self.content}
        if self.known.document:
            dense["Instruction"] = {"AutoFill": self.instruct}
        return {"Dense": dense}


def _within(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise ConfigurationError(f"{name} is {value}; it must be {least} to {most}")
