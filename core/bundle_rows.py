"""Records as rows of Parquet and back: the columns that docs/bundle.md describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from .fields import FieldType, from_column, to_column
from .records import Channel, Record, Scope, Text, Vector
from .registry import missing
from .space import CollectionSpec

if TYPE_CHECKING:
    import pyarrow as pa

_FIELD = "field_"  # before a declared name, which may be that of any other column
_TEXT = "text_"
_OWN: dict[str, Callable[[Record], object]] = {
    "id": lambda record: record.id,
    "video_id": lambda record: record.video_id,
    "uri": lambda record: record.uri,
    "scope": lambda record: record.scope.value,
    "start_ms": lambda record: record.start_ms,
    "end_ms": lambda record: record.end_ms,
    "channel": lambda record: record.channel.value,
    "recipe": lambda record: record.recipe,
    "text_title": lambda record: record.text.title,
    "text_tags": lambda record: record.text.tags,
    "text_caption": lambda record: record.text.caption,
    "text_transcript": lambda record: record.text.transcript,
    "text_generated": lambda record: record.text.generated,
    "extra": lambda record: json.dumps(dict(record.extra), ensure_ascii=False) if record.extra else None,
}
"""The columns that every bundle has, beside the vector and the declared fields."""

REPETITIVE = ("video_id", "uri", "scope", "channel", "recipe", "text_title")
"""Columns in which few values come back often."""


def pyarrow() -> Any:
    """The library; `ConfigurationError` says how to get it where it isn't installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing(error, "a bundle") from error
    assert pyarrow.parquet
    return pa


class Rows:
    """Tables of one collection's records.

    Args:
        spec: Its space has the vectors' dimension, its fields become columns.
    """

    def __init__(self, spec: CollectionSpec) -> None:
        self._pa = pyarrow()
        self._fields = spec.fields
        self._dimension = spec.space.dimension
        self.schema: pa.Schema = self._schema()

    def reads(self, schema: pa.Schema) -> bool:
        """Whether a table has the columns; one that is older than `text_generated` lacks that."""
        older = self.schema.remove(self.schema.get_field_index("text_generated"))
        return bool(schema.equals(self.schema) or schema.equals(older))

    def table(self, records: Sequence[Record]) -> pa.Table:
        """A table of records that have vectors."""
        columns = {name: [read(record) for record in records] for name, read in _OWN.items()}
        arrays = {name: self._pa.array(values, self._type(name)) for name, values in columns.items()}
        arrays["vector"] = self._vectors(records)
        for name, kind in self._fields.items():
            arrays[_FIELD + name] = self._column(kind, [record.fields.get(name) for record in records])
        return self._pa.Table.from_arrays([arrays[name] for name in self.schema.names], schema=self.schema)

    def records(self, table: pa.Table) -> list[Record]:
        """The opposite of `table`; vectors are rows of an array of float32."""
        own = [_column(table, name) for name in _OWN]
        names = list(self._fields)
        values = zip(*(self._values(table, name) for name in names), strict=True)
        fields = [dict(zip(names, row, strict=True)) for row in values] if names else [{}] * len(table)
        return [
            _record(dict(zip(_OWN, row, strict=True)), given, vector)
            for *row, given, vector in zip(*own, fields, self._matrix(table), strict=True)
        ]

    def _schema(self) -> pa.Schema:
        pa = self._pa
        vector = pa.list_(pa.field("item", pa.float32(), nullable=False), self._dimension)
        fields = {_FIELD + name: self._field_type(kind) for name, kind in self._fields.items()}
        given = [pa.field(name, self._type(name), nullable=name == "extra") for name in _OWN]
        return pa.schema(
            [
                *given,
                pa.field("vector", vector, nullable=False),
                *(pa.field(*each) for each in fields.items()),
            ]
        )

    def _type(self, name: str) -> Any:
        pa = self._pa
        if name in ("start_ms", "end_ms"):
            return pa.int64()
        return pa.list_(pa.string()) if name == "text_tags" else pa.string()

    def _field_type(self, kind: FieldType) -> Any:
        pa = self._pa
        return {
            FieldType.STRING: pa.string(),
            FieldType.INT: pa.int64(),
            FieldType.FLOAT: pa.float64(),
            FieldType.BOOL: pa.bool_(),
            FieldType.DATETIME: pa.timestamp("us", tz="UTC"),
            FieldType.STRINGS: pa.list_(pa.string()),
        }[kind]

    def _column(self, kind: FieldType, values: Sequence[object]) -> pa.Array:
        """A column in which what wasn't given is null; instants go in as the microseconds that they are."""
        if kind is not FieldType.DATETIME:
            return self._pa.array(values, self._field_type(kind))
        whole = [None if value is None else to_column(kind, value) for value in values]
        return self._pa.array(whole, self._pa.int64()).cast(self._field_type(kind))

    def _values(self, table: pa.Table, name: str) -> list[object]:
        kind, column = self._fields[name], table.column(_FIELD + name)
        if kind is FieldType.DATETIME:
            column = column.cast(self._pa.int64())
        return [None if value is None else from_column(kind, value) for value in column.to_pylist()]

    def _vectors(self, records: Sequence[Record]) -> pa.Array:
        import numpy as np

        matrix = np.asarray([record.content for record in records], np.float32)
        flat = self._pa.array(matrix.reshape(-1))
        return self._pa.FixedSizeListArray.from_arrays(flat, type=self.schema.field("vector").type)

    def _matrix(self, table: pa.Table) -> list[Vector]:
        import numpy as np

        chunks = [chunk.flatten().to_numpy() for chunk in table.column("vector").chunks]
        return list(np.concatenate(chunks).reshape(-1, self._dimension)) if chunks else []


def _column(table: pa.Table, name: str) -> list[Any]:
    """The values of a column of ours; a bundle that is older than the column has empty texts."""
    return table.column(name).to_pylist() if name in table.column_names else [""] * len(table)


def _record(row: dict[str, Any], fields: dict[str, object], vector: Vector) -> Record:
    text = {name: row.pop(_TEXT + name) for name in ("title", "tags", "caption", "transcript", "generated")}
    extra = row.pop("extra")
    return Record(
        **{**row, "scope": Scope(row["scope"]), "channel": Channel(row["channel"])},
        content=vector,
        text=Text.from_json(text),
        fields={name: value for name, value in fields.items() if value is not None},
        extra=cast("dict[str, object]", json.loads(extra)) if extra else {},
    )
