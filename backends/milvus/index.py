"""Indexes of vectors: which there are, what they are made of, and which form has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from ...core.errors import ConfigurationError
from ...core.space import Metric

METRICS: Mapping[Metric, str] = {Metric.COSINE: "COSINE", Metric.IP: "IP", Metric.L2: "L2"}

Kind = Literal["auto", "flat", "hnsw", "ivf_flat", "ivf_sq8", "ivf_pq", "scann", "diskann"]


@dataclass(frozen=True, slots=True)
class Index:
    """The section `index` of a store: how vectors are found. What isn't given is Milvus' own choice.

    A stored collection that has another kind gets this one by the next `optimize`.

    Args:
        kind: `flat` compares all of them and is exact. `auto` does so, too, until `optimize` finds more than
            10 000; then it is `hnsw` on Lite, and the server's own choice there.
        m: Of `hnsw`, the links of a vector; of `ivf_pq`, the parts of one, which must divide its length.
        ef_construction: Of `hnsw`, candidates looked at while building.
        ef: Of `hnsw`, candidates looked at in a search; at least its limit are.
        nlist: Of `ivf_*` and `scann`, the clusters.
        nprobe: Of `ivf_*` and `scann`, the clusters searched.
        search_list: Of `diskann`, candidates looked at in a search.
    """

    kind: Kind = "auto"
    m: int | None = None
    ef_construction: int | None = None
    ef: int | None = None
    nlist: int | None = None
    nprobe: int | None = None
    search_list: int | None = None

    def __post_init__(self) -> None:
        """Refuse what this kind doesn't have.

        Raises:
            ConfigurationError: A key is another kind's, or too small.
        """
        known = _KINDS[self.kind]
        for name, value in self.given.items():
            if name not in known.build and name not in known.search:
                own = ", ".join((*known.build, *known.search)) or "none"
                raise ConfigurationError(
                    f"an index of kind {self.kind!r} has no {name!r}", hint=f"it has: {own}"
                )
            if value < 1:
                raise ConfigurationError(f"index.{name} is {value}; it must be at least 1")

    @property
    def given(self) -> Mapping[str, int]:
        """The parameters that were given."""
        values = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "kind"}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def type(self) -> str:
        """Milvus' name of it."""
        return _KINDS[self.kind].type

    @property
    def on_lite(self) -> bool:
        """Whether Milvus Lite has it; of others it says nothing, and compares all vectors."""
        return _KINDS[self.kind].lite

    def build(self) -> dict[str, int]:
        """What it is made with, in Milvus' words; some must be given."""
        known = _KINDS[self.kind]
        given = {known.build[name]: value for name, value in self.given.items() if name in known.build}
        return {**known.must, **given}

    def search(self, limit: int, *, sifting: int = 0) -> dict[str, int]:
        """What a search asks of it, in Milvus' words.

        Args:
            limit: Hits.
            sifting: Candidates that a graph looks at, at least, where none are configured: with a condition
                it needs more of them to find the nearest of those that match (docs/stacks.md).
        """
        known = _KINDS[self.kind]
        usual = max(known.usual, sifting) if "ef" in known.search else known.usual
        given = {word: self.given.get(name, usual) for name, word in known.search.items()}
        return {
            word: max(value, limit) if word in _AT_LEAST_LIMIT else value for word, value in given.items()
        }


@dataclass(frozen=True, slots=True)
class _Known:
    type: str
    build: Mapping[str, str]
    search: Mapping[str, str]
    must: Mapping[str, int]
    usual: int = 0
    lite: bool = True


_AT_LEAST_LIMIT = frozenset({"ef", "search_list"})
_NPROBE = {"nprobe": "nprobe"}
_NLIST, _MUST_NLIST = {"nlist": "nlist"}, {"nlist": 128}
_KINDS: Mapping[Kind, _Known] = {
    "auto": _Known("AUTOINDEX", {}, {}, {}),
    "flat": _Known("FLAT", {}, {}, {}),
    "hnsw": _Known(
        "HNSW",
        {"m": "M", "ef_construction": "efConstruction"},
        {"ef": "ef"},
        {"M": 16, "efConstruction": 200},
        usual=64,
    ),
    "ivf_flat": _Known("IVF_FLAT", _NLIST, _NPROBE, _MUST_NLIST, usual=16),
    "ivf_sq8": _Known("IVF_SQ8", _NLIST, _NPROBE, _MUST_NLIST, usual=16),
    "ivf_pq": _Known(
        "IVF_PQ", {**_NLIST, "m": "m"}, _NPROBE, {**_MUST_NLIST, "m": 8, "nbits": 8}, usual=16, lite=False
    ),
    "scann": _Known("SCANN", _NLIST, _NPROBE, _MUST_NLIST, usual=16, lite=False),
    "diskann": _Known("DISKANN", {}, {"search_list": "search_list"}, {}, usual=64, lite=False),
}


def active(configured: Index, have: str, *, auto: Kind) -> Index:
    """The index that a collection has; `optimize` makes it the configured one.

    Args:
        configured: The configured one.
        have: Milvus' name of the one that there is.
        auto: What Milvus' own choice is searched as.
    """
    if have == _KINDS["auto"].type:
        return Index(auto)
    if configured.type == have:
        return configured
    return next((Index(kind) for kind, known in _KINDS.items() if known.type == have), configured)
