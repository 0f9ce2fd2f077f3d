"""Types for the values that people wrote beside their videos: what `--infer-fields` proposes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .errors import InvalidQueryError
from .fields import FieldType, Schema, check_schema, shown
from .sources import Found, Unreadable
from .values import MAX_INT


@dataclass(frozen=True, slots=True)
class Inferred:
    """What may be declared.

    Args:
        fields: Names and types, those that are declared already included.
        notes: Names that can't be declared, and why; hits return their values, and no condition can use them.
        unreadable: What couldn't be looked at.
        videos: How many were looked at.
    """

    fields: Schema
    notes: Mapping[str, str]
    unreadable: tuple[Unreadable, ...] = ()
    videos: int = 0

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel ingest --infer-fields --json`."""
        return {
            "fields": {name: type.value for name, type in self.fields.items()},
            "notes": dict(self.notes),
            "videos": self.videos,
            "unreadable": {each.name: str(each.error) for each in self.unreadable},
        }


def infer(sources: Iterable[Found], declared: Schema) -> Inferred:
    """Types for all undeclared values of the sources, whose videos are not opened."""
    seen: dict[str, _Seen] = {}
    unreadable: list[Unreadable] = []
    videos = 0
    for source in sources:
        if isinstance(source, Unreadable):
            unreadable.append(source)
            continue
        videos += 1
        for name, value in source.fields.items():
            if name not in declared and value is not None:
                seen.setdefault(name, _Seen()).add(value)
    fields, notes = dict(declared), {}
    for name, values in sorted(seen.items()):
        why = values.why_not() or _wrong_name(name)
        if why is None:
            fields[name] = values.type
        else:
            notes[name] = why
    return Inferred(fields, notes, tuple(unreadable), videos)


@dataclass(slots=True)
class Undeclared:
    """Hears of the sources on their way and remembers which of their values aren't declared."""

    schema: Schema
    names: set[str] = field(default_factory=set)

    def watch(self, sources: Iterable[Found]) -> Iterator[Found]:
        """The sources as they are."""
        for source in sources:
            if not isinstance(source, Unreadable):
                self.names |= source.fields.keys() - self.schema.keys()
            yield source


@dataclass(slots=True)
class _Seen:
    """The types of the values of one name, with the first value of each."""

    examples: dict[FieldType | None, object] = field(default_factory=dict)

    def add(self, value: object) -> None:
        self.examples.setdefault(_type_of(value), value)

    @property
    def type(self) -> FieldType:
        """The one type that holds all values; valid where `why_not` has nothing to say."""
        types = {type for type in self.examples if type is not None}
        if types == {FieldType.INT, FieldType.FLOAT}:
            return FieldType.FLOAT
        if types == {FieldType.STRING, FieldType.DATETIME}:
            return FieldType.STRING
        return next(iter(types))

    def why_not(self) -> str | None:
        """Why there is no such type."""
        if None in self.examples:
            return f"no type holds {shown(self.examples[None])}"
        types = set(self.examples)
        mixes = {FieldType.INT, FieldType.FLOAT}, {FieldType.STRING, FieldType.DATETIME}
        if len(types) > 1 and types not in mixes:
            return f"the types are mixed: {', '.join(shown(each) for each in self.examples.values())}"
        return None


def _type_of(value: object) -> FieldType | None:
    match value:
        case bool():
            return FieldType.BOOL
        case int():
            return FieldType.INT if abs(value) <= MAX_INT else None
        case float():
            return FieldType.FLOAT if math.isfinite(value) else None
        case str():
            return FieldType.DATETIME if _is_instant(value) else FieldType.STRING
        case list() | tuple() if all(isinstance(each, str) for each in value):
            return FieldType.STRINGS
    return None


def _is_instant(value: str) -> bool:
    """Whether it is ISO 8601 with a time zone."""
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        return False


def _wrong_name(name: str) -> str | None:
    try:
        check_schema({name: FieldType.STRING})
    except InvalidQueryError as error:
        return error.message
    return None
