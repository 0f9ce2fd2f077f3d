"""Which columns have an index, and of which type, in words that both of Qdrant's packages know.

An index decides what a filter finds, not only how fast: an integer index drops 2.5 from `> 0`, one of
keywords drops what is no text. So its type is exactly the column's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ...core.fields import PRESENT, FieldType, Schema
from . import points


class IndexType(StrEnum):
    """The types of Qdrant's indexes on payload that columns need."""

    KEYWORD = "keyword"
    INTEGER = "integer"
    FLOAT = "float"


@dataclass(frozen=True, slots=True)
class Index:
    """An index on a column.

    Args:
        type: Of the column's values.
        lookup: Finds equal integers; times are only compared.
        tenant: The records of one value lie together.
    """

    type: IndexType
    lookup: bool = True
    tenant: bool = False


_KEYWORD, _SPAN = Index(IndexType.KEYWORD), Index(IndexType.INTEGER, lookup=False)
_BUILT_IN = {  # each costs 10 ms of opening 10 000 records in process, so `uri` has none
    "video_id": _KEYWORD,
    "scope": _KEYWORD,
    "channel": _KEYWORD,
    "start": _SPAN,
    "end": _SPAN,
    PRESENT: _KEYWORD,
}
_TYPES = {
    FieldType.STRING: IndexType.KEYWORD,
    FieldType.INT: IndexType.INTEGER,
    FieldType.FLOAT: IndexType.FLOAT,
    FieldType.BOOL: IndexType.INTEGER,
    FieldType.DATETIME: IndexType.INTEGER,
    FieldType.STRINGS: IndexType.KEYWORD,
}


def countable(column: str, schema: Schema) -> bool:
    """Whether Qdrant counts the values of a column: its index finds equal ones, as none of floats does."""
    index = wanted(schema, None).get(points.path(column))
    return index is not None and index.lookup and index.type is not IndexType.FLOAT


def wanted(fields: Schema, tenant: str | None) -> dict[str, Index]:
    """The indexes of a collection, by the path of the column in the payload."""
    declared = {name: Index(_TYPES[kind], tenant=name == tenant) for name, kind in fields.items()}
    return {points.path(column): index for column, index in {**_BUILT_IN, **declared}.items()}
