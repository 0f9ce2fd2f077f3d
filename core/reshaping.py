"""Fields on their way into a collection that declares others: what changes its type, what becomes `extra`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from .errors import InvalidQueryError
from .fields import FieldType, Schema, Value, check_value, shown
from .manifest import Manifest
from .records import Record
from .space import digest


@dataclass(frozen=True, slots=True)
class Reshaper:
    """From one collection's declared fields to another's.

    - A field of the same type stays as it is.
    - One of another type takes the values that lose nothing (`converted`); any other is refused.
    - A field that only the source declares goes to `extra`.
    - A value in `extra` whose name the target declares becomes a field where its type fits, else it stays.
    """

    source: Schema
    target: Schema

    @property
    def changed(self) -> dict[str, tuple[FieldType, FieldType]]:
        """Fields that both declare with different types."""
        both = self.source.keys() & self.target.keys()
        pairs = {name: (self.source[name], self.target[name]) for name in sorted(both)}
        return {name: pair for name, pair in pairs.items() if pair[0] is not pair[1]}

    @property
    def alike(self) -> bool:
        """Whether both declare the same, so that nothing changes."""
        return dict(self.source) == dict(self.target)

    def record(self, record: Record) -> Record:
        """The record as the target keeps it.

        Raises:
            InvalidQueryError: A value would lose something.
        """
        if self.alike:
            return record
        fields, extra = self._split(record.fields, record.extra)
        return replace(record, fields=fields, extra=extra)

    def manifest(self, manifest: Manifest) -> Manifest:
        """The manifest as an ingest into the target would write it."""
        if self.alike:
            return manifest
        fields, extra = self._split({}, manifest.fields)
        plain = {name: as_json(value) for name, value in fields.items()}
        return replace(manifest, fields={**plain, **extra}, fields_hash=digest([plain, extra]))

    def survey(self, records: Iterable[Record]) -> Survey:
        """What would happen to the fields of these records."""
        survey = Survey()
        for record in records:
            for name, value in record.fields.items():
                if name not in self.target:
                    survey.demoted[name] += 1
                elif name in self.changed and converted(self.target[name], value) is None:
                    survey.refuse(name, record.id, value)
            for name in record.extra.keys() & self.target.keys() - record.fields.keys():
                fits = converted(self.target[name], record.extra[name]) is not None
                (survey.promoted if fits else survey.kept)[name] += 1
            survey.records += 1
        return survey

    def _split(
        self, fields: Mapping[str, object], extra: Mapping[str, object]
    ) -> tuple[dict[str, Value], dict[str, object]]:
        given: dict[str, Value] = {}
        rest = dict(extra)
        for name, value in fields.items():
            if name not in self.target:
                rest[name] = as_json(value)
            elif (kept := converted(self.target[name], value)) is not None:
                given[name] = kept
            else:
                wanted = self.target[name].value
                raise InvalidQueryError(f"field {name!r} can't hold {shown(value)} as {wanted} without loss")
        for name in extra.keys() & self.target.keys() - given.keys():
            if (kept := converted(self.target[name], extra[name])) is not None:
                given[name] = kept
                del rest[name]
        return given, rest


@dataclass(slots=True)
class Survey:
    """How many records have a field that is refused, goes to `extra`, comes out of it, or stays there."""

    records: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    demoted: Counter[str] = field(default_factory=Counter)
    promoted: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def refuse(self, name: str, id: str, value: object) -> None:
        """Count a value that would lose something, and remember the first one."""
        self.refused[name] += 1
        self.examples.setdefault(name, f"{shown(value)} of the record {id!a}")

    def notes(self) -> list[str]:
        """One line for each field that ends up elsewhere."""
        words = {
            "isn't declared by the target and goes to `extra`": self.demoted,
            "is newly declared and filled from `extra`": self.promoted,
            "is newly declared, but of another type than in `extra`, where it stays": self.kept,
        }
        return [
            f"the field {name!r} {what} ({count} of {self.records} records)"
            for what, counts in words.items()
            for name, count in sorted(counts.items())
        ]


def converted(type: FieldType, value: object) -> Value | None:
    """The value as one of another type, where nothing of it is lost; None where it can't be.

    That is what the type takes by itself (whole numbers for floats, ISO 8601 text for an instant), whole
    floats for integers, and instants as ISO 8601 text.
    """
    if type is FieldType.INT and isinstance(value, float) and value.is_integer():
        value = int(value)
    elif type is FieldType.STRING and isinstance(value, datetime):
        value = value.isoformat()
    try:
        return check_value("value", type, value)
    except InvalidQueryError:
        return None


def as_json(value: object) -> object:
    """A field's value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
