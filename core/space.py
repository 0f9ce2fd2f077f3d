"""What makes vectors comparable (a space), and what a collection is made for (a spec)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from .errors import ConfigurationError, IntegrityError
from .fields import FieldType, check_schema
from .media import Modality


class Metric(StrEnum):
    """How two vectors are compared; scores always rise with likeness (`neg_l2` is minus the distance)."""

    COSINE = "cosine"
    IP = "ip"
    L2 = "l2"


@dataclass(frozen=True, slots=True)
class Space:
    """Vectors of one space can be compared; it belongs to the collection.

    Args:
        kind: The embedder's kind.
        model: Its model.
        version: Changes whenever the same input would give another vector.
        dimension: Length of a vector.
        metric: How vectors are compared.
        templates: Instructions put round a query or a document, by name.
    """

    kind: str
    model: str
    version: str
    dimension: int
    metric: Metric = Metric.COSINE
    templates: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A short digest; equal for equal spaces."""
        return digest(self.to_json())

    def differences(self, stored: Space) -> list[str]:
        """One line for each part in which this space is not the stored one."""
        return [
            f"{part.name} is {getattr(self, part.name)!r}, stored {getattr(stored, part.name)!r}"
            for part in fields(self)
            if getattr(self, part.name) != getattr(stored, part.name)
        ]

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "kind": self.kind,
            "model": self.model,
            "version": self.version,
            "dimension": self.dimension,
            "metric": str(self.metric),
            "templates": dict(self.templates),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Space:
        """The opposite of `to_json`.

        Raises:
            IntegrityError: The object is not one that `to_json` writes.
        """
        try:
            return cls(**{**value, "metric": Metric(value["metric"])})  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"the stored space can't be read: {error}") from error


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """What a collection must be to serve this stack.

    Args:
        name: Letters, digits and underscores.
        space: Of its vectors, or the one in which the store vectorizes.
        fields: Declared fields and their types.
        media: The modalities that the store is handed to vectorize; none where it is handed vectors.
    """

    name: str
    space: Space
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    media: frozenset[Modality] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a name that some engine would not take.

        Raises:
            ConfigurationError: The name or a field's name can't be used.
        """
        if not (self.name.isascii() and self.name.isidentifier() and len(self.name) <= 64):
            raise ConfigurationError(
                f"the collection name {self.name!r} can't be used",
                hint="use letters, digits and underscores, a letter first, 64 at most",
            )
        check_schema(self.fields)

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "name": self.name,
            "space": self.space.to_json(),
            "fields": {name: kind.value for name, kind in self.fields.items()},
            "media": sorted(modality.value for modality in self.media),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> CollectionSpec:
        """The opposite of `to_json`.

        Raises:
            IntegrityError: The object is not one that `to_json` writes.
        """
        try:
            declared, media = value["fields"], value["media"]
            return cls(
                name=value["name"],  # type: ignore[arg-type]
                space=Space.from_json(value["space"]),  # type: ignore[arg-type]
                fields={name: FieldType(kind) for name, kind in declared.items()},  # type: ignore[attr-defined]
                media=frozenset(map(Modality, media)),  # type: ignore[call-overload]
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError(
                f"the stored description of the collection can't be read: {error}"
            ) from error


@dataclass(frozen=True, slots=True)
class CollectionMeta:
    """What a store keeps of its collection: the spec that it was made with and an identity of its own."""

    uid: str
    spec: CollectionSpec
    format: int = 1

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {"format": self.format, "uid": self.uid, "spec": self.spec.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> CollectionMeta:
        """The opposite of `to_json`.

        Raises:
            IntegrityError: The object is not one that `to_json` writes, or a later version wrote it.
        """
        if value.get("format") != 1:
            raise IntegrityError(
                f"the collection has format {value.get('format')!r}, this version reads 1",
                hint="upgrade polyreel",
            )
        spec = value.get("spec")
        if not isinstance(spec, Mapping) or not isinstance(value.get("uid"), str):
            raise IntegrityError("the stored description of the collection can't be read")
        return cls(uid=str(value["uid"]), spec=CollectionSpec.from_json(spec))


def digest(value: object) -> str:
    """Sixteen hexadecimal digits over the canonical JSON of a value."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
