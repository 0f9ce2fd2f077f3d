"""How Qdrant keeps and indexes a collection, as configured; fixed when the collection is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from ...core.errors import ConfigurationError
from ...core.fields import FieldType
from ...core.space import CollectionSpec

Quantization = Literal["scalar", "product", "binary"]

_OVERSAMPLING: Mapping[Quantization, float] = {"scalar": 2.0, "product": 8.0, "binary": 16.0}
"""With these, 99 of 100 of the ten nearest are found, where without 94, 47 and 27 were (512 dimensions)."""
_CANDIDATES = 16_384


@dataclass(frozen=True, slots=True)
class Hnsw:
    """The graph that makes searches of many vectors fast. What is left out, Qdrant decides.

    Args:
        m: Edges of a node: more find better and take more memory.
        ef_construct: Candidates while the graph is built.
        full_scan_threshold: Kilobytes of vectors below which a search compares with every one.
        on_disk: Keep the graph on the disk.
        ef: Candidates of a search; unlike the others it may change from one opening to the next.
    """

    m: int | None = None
    ef_construct: int | None = None
    full_scan_threshold: int | None = None
    on_disk: bool | None = None
    ef: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that Qdrant would refuse after the collection is half made.

        Raises:
            ConfigurationError: A number is too small.
        """
        for name, least in {"m": 2, "ef_construct": 4, "full_scan_threshold": 10, "ef": 1}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigurationError(f"{name} is {value}; it must be at least {least}")


@dataclass(frozen=True, slots=True)
class Options:
    """What shapes a collection; None leaves it to Qdrant.

    Args:
        hnsw: The graph.
        quantization: Compressed vectors to search in; the scores are those of the whole vectors.
        vectors_on_disk: Read vectors from the disk.
        payload_on_disk: Read all that isn't indexed from the disk.
        tenant: A declared string field by which nearly every search filters; its records lie together.
        lexical: Whether the words of texts are kept, so that they are found.
        shards: Parts of the collection on a cluster.
        replicas: Copies of each part.
        write_consistency: Copies that must have a write before it is confirmed.
    """

    hnsw: Hnsw | None = None
    quantization: Quantization | None = None
    vectors_on_disk: bool | None = None
    payload_on_disk: bool | None = None
    tenant: str | None = None
    lexical: bool | None = None
    shards: int | None = None
    replicas: int | None = None
    write_consistency: int | None = None

    @property
    def keeps_words(self) -> bool:
        """Whether a new collection gets vectors of words."""
        return keeps_words(self.to_json())

    @property
    def ef(self) -> int | None:
        """Candidates of a search."""
        return self.hnsw.ef if self.hnsw else None

    def check(self, spec: CollectionSpec) -> None:
        """Refuse what the collection can't have.

        Raises:
            ConfigurationError: The tenant is no declared field of text.
        """
        if self.tenant is not None and spec.fields.get(self.tenant) is not FieldType.STRING:
            raise ConfigurationError(
                f"the tenant {self.tenant!r} is no declared field of type string",
                hint=f'declare {self.tenant} = "string" under the stack\'s fields',
            )

    def to_json(self) -> dict[str, object]:
        """What is kept beside the collection's description: only what was given, and no `ef`."""
        kept = replace(self, hnsw=replace(self.hnsw, ef=None) if self.hnsw else None)
        return _given(asdict(kept))

    def refuse_other(self, name: str, stored: object) -> None:
        """Compare with what the collection was made with; what isn't given now may be anything.

        Raises:
            ConfigurationError: A given option was another one then; the message names each.
        """
        then = {"lexical": True, **_flat(stored if isinstance(stored, Mapping) else {})}
        differences = [
            f"{key} is {value!r}, stored {then.get(key)!r}"
            for key, value in _flat(self.to_json()).items()
            if then.get(key) != value
        ]
        if differences:
            raise ConfigurationError(
                f"the collection {name!r} was made otherwise: {'; '.join(differences)}",
                hint="name another collection in the stack, or leave these keys out to use it as it is",
            )


def keeps_words(options: Mapping[str, object]) -> bool:
    """Whether a collection that was made with these has vectors of words."""
    return options.get("lexical") is not False


def oversampling(quantization: Quantization, limit: int) -> float:
    """Of how many times as many hits, found in compressed vectors, the best are chosen by the whole ones.

    It costs next to nothing for few hits, and for thousands there are candidates enough.
    """
    return max(1.0, min(_OVERSAMPLING[quantization], _CANDIDATES / limit))


def checked_threads(value: int) -> int:
    """The threads of a search.

    Raises:
        ConfigurationError: It is less than one.
    """
    if value < 1:
        raise ConfigurationError(f"search_threads is {value}; it must be at least 1")
    return value


def _given(values: Mapping[str, object]) -> dict[str, object]:
    """Without what is None, and without sections of which nothing is left."""
    kept = {name: _given(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    return {name: value for name, value in kept.items() if value is not None and value != {}}


def _flat(values: Mapping[str, object]) -> dict[str, object]:
    """Sections with dotted names, as they are written in the configuration."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": each for inner, each in _flat(value).items()}
        else:
            flat[name] = value
    return flat
