"""What values the fields of records have, and how many records have each: natively, or by a scan.

The answer is the same on every store: one that counts values by itself is asked to do it exactly, and a scan
counts the rest in one pass, for all fields at once. A scan remembers at most `MOST` values of a field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from .capabilities import Feature
from .errors import InvalidQueryError
from .fields import BUILT_IN, FieldType, Schema, Value, did_you_mean, shown
from .filters import F, Filter
from .records import Record
from .store import VectorStore

MOST = 10_000
"""Different values of a field that are counted; of more, only the least and the greatest are told."""

_ORDERED = frozenset({FieldType.INT, FieldType.FLOAT, FieldType.DATETIME})


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of one field among the records that match.

    Args:
        name: The field, or a column that every record has.
        type: Of its values; of a list, of the list.
        records: Records that have a value.
        missing: Records that have none.
        distinct: How many different values there are; None where they are more than `MOST`.
        values: The commonest ones with how many records have each, then in their own order. A record counts
            once for each value of a list. None at all where there are more than `MOST`.
        least: The least number or the first instant; None of other types, and where there is no value.
        greatest: The greatest number or the last instant.
    """

    name: str
    type: FieldType
    records: int
    missing: int
    distinct: int | None
    values: tuple[tuple[Value, int], ...]
    least: Value | None = None
    greatest: Value | None = None

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel facets --json`."""
        return {
            "name": self.name,
            "type": self.type.value,
            "records": self.records,
            "missing": self.missing,
            "distinct": self.distinct,
            "values": [{"value": _plain(value), "records": count} for value, count in self.values],
            "min": _plain(self.least),
            "max": _plain(self.greatest),
        }


@dataclass(slots=True)
class _Count:
    """What is known so far of one field; `values` is None once they are too many."""

    kind: FieldType
    records: int = 0
    values: dict[Value, int] | None = field(default_factory=dict)
    least: Value | None = None
    greatest: Value | None = None

    def add(self, value: Value | None) -> None:
        """Count the value of one record."""
        if value is None:
            return
        self.records += 1
        if self.kind in _ORDERED:
            self.least = value if self.least is None else min(self.least, value)
            self.greatest = value if self.greatest is None else max(self.greatest, value)
        if self.values is not None:
            for each in set(value) if isinstance(value, tuple) else (value,):
                self.values[each] = self.values.get(each, 0) + 1
            if len(self.values) > MOST:
                self.values = None


def facets(store: VectorStore, names: Sequence[str], where: Filter, limit: int) -> dict[str, Facet]:
    """The facets of fields, by name; as `VideoSearch.facets`."""
    types = {**store.schema, **BUILT_IN}
    wanted = list(dict.fromkeys(names)) or sorted(store.schema)
    _check(wanted, types, limit)
    total = store.count(where)
    counts = {name: count for name in wanted if (count := _native(store, name, types[name], where))}
    scanned = {name: types[name] for name in wanted if name not in counts}
    counts |= _scanned(store.scan(where), scanned) if scanned and total else {}
    return {name: _facet(name, counts.get(name) or _Count(types[name]), total, limit) for name in wanted}


def _check(names: Sequence[str], types: Schema, limit: object) -> None:
    for name in names:
        if name not in types:
            raise InvalidQueryError(f"there is no field {shown(name)}", hint=did_you_mean(name, types))
    if not names:
        raise InvalidQueryError("the stack declares no fields", hint="name one of " + ", ".join(BUILT_IN))
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidQueryError(f"limit is {shown(limit)}; it must be a whole number of at least 1")


def _native(store: VectorStore, name: str, kind: FieldType, where: Filter) -> _Count | None:
    """The store's own count; None where it has none, or not of all values."""
    if Feature.FACET not in store.can.features:
        return None
    values = store.facet(name, where, most=MOST)
    if values is None:
        return None
    records = store.count(where if name in BUILT_IN else where & F[name].exists())
    ends = (min(values), max(values)) if values and kind in _ORDERED else (None, None)
    return _Count(kind, records, values, *ends)


def _scanned(records: Iterable[Record], types: Schema) -> dict[str, _Count]:
    counts = {name: _Count(kind) for name, kind in types.items()}
    for record in records:
        for name, count in counts.items():
            count.add(_value(record, name))
    return counts


def _value(record: Record, name: str) -> Value | None:
    value = cast("Value | None", getattr(record, name) if name in BUILT_IN else record.fields.get(name))
    return str(value) if isinstance(value, str) else value  # a scope or channel as plain text


def _facet(name: str, count: _Count, total: int, limit: int) -> Facet:
    values: Mapping[Value, int] = count.values or {}
    best = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:limit]
    distinct = None if count.values is None else len(values)
    missing = max(0, total - count.records)  # never less, though others may write meanwhile
    return Facet(name, count.kind, count.records, missing, distinct, tuple(best), count.least, count.greatest)


def _plain(value: Value | None) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
