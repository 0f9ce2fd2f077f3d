"""A collection in Milvus: its schema, its indexes, and what polyreel keeps of it as a property."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
from pymilvus import CollectionSchema, DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from ...core.errors import ConfigurationError, IntegrityError
from ...core.fields import PRESENT, FieldType
from ...core.space import CollectionMeta, CollectionSpec
from . import rows
from .client import Columns
from .connection import limit
from .errors import is_forbidden
from .expressions import ID, column
from .filtering import OFTEN
from .index import METRICS, Index
from .rows import Layout

_META = "polyreel.meta"
_MMAP = "mmap.enabled"  # the property of a collection, for its rows and all its indexes
_MAX_FIELDS = 64  # of a collection, with ours (Milvus' limit)
_MAX_ID = 256  # bytes
_TEXT = {"datatype": DataType.VARCHAR, "max_length": rows.MAX_BYTES}
_INT = {"datatype": DataType.INT64}
_TEXTS = {
    "datatype": DataType.ARRAY,
    "element_type": DataType.VARCHAR,
    "max_capacity": rows.MAX_ITEMS,
    "max_length": rows.MAX_BYTES,
}
_PACKED = {"datatype": DataType.VARCHAR, "max_length": 2**31 - 1}  # which Lite alone takes
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "video_id": _TEXT,
    "uri": _TEXT,
    "scope": _TEXT,
    "start": _INT,
    "end": _INT,
    "channel": _TEXT,
    "recipe": _TEXT,
    "text": _TEXT,
    "extra": _TEXT,
    PRESENT: _TEXTS,
}
_TYPES: Mapping[FieldType, Mapping[str, Any]] = {
    FieldType.STRING: _TEXT,
    FieldType.INT: _INT,
    FieldType.FLOAT: {"datatype": DataType.DOUBLE},
    FieldType.BOOL: _INT,
    FieldType.DATETIME: _INT,
    FieldType.STRINGS: _TEXTS,
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What Milvus says of a collection.

    Args:
        meta: What polyreel keeps of it.
        layout: Of its rows.
        columns: As Milvus describes them.
        tenant: The field by which Milvus keeps its rows apart.
        mmap: Whether its rows and indexes are read from the disk; None where nobody has said.
    """

    meta: CollectionMeta
    layout: Layout
    columns: Columns
    tenant: str | None
    mmap: bool | None = None


def describe(client: MilvusClient, name: str, where: str) -> Stored | None:
    """The collection of this name; None when it is missing.

    Raises:
        ConfigurationError: Somebody else made it.
        IntegrityError: Its description can't be read.
    """
    if not client.has_collection(name, timeout=limit()):
        return None
    found = client.describe_collection(name, timeout=limit())
    columns = {field["name"]: field for field in found["fields"]}
    tenant = next((name for name, field in columns.items() if field.get("is_partition_key")), None)
    properties = found.get("properties") or {}
    return Stored(
        _meta(properties, name, where),
        Layout(rows.WORDS in columns, columns[PRESENT]["type"] is DataType.VARCHAR),
        found["fields"],
        tenant=tenant.removeprefix("f_") if tenant else None,
        mmap=str(properties[_MMAP]).lower() == "true" if _MMAP in properties else None,
    )


def make(
    client: MilvusClient, spec: CollectionSpec, layout: Layout, *, tenant: str | None, where: str
) -> CollectionMeta:
    """Make the collection; one that another process has made just now is taken.

    Raises:
        ConfigurationError: Milvus can't have it.
    """
    meta = CollectionMeta(uuid4().hex, spec)
    schema = _schema(client, spec, layout, tenant=tenant)
    try:
        client.create_collection(
            spec.name,
            schema=schema,
            consistency_level="Strong",
            properties={_META: json.dumps(meta.to_json(), ensure_ascii=False)},
            timeout=limit(),
        )
    except MilvusException:
        other = describe(client, spec.name, where)
        if other is None:
            raise
        return other.meta
    return meta


def make_ready(
    client: MilvusClient,
    spec: CollectionSpec,
    index: Index,
    *,
    words: bool,
    filtered: Mapping[DataType, str],
) -> None:
    """Make the indexes that are missing: after a creation that was killed half-way, or by an older version.

    Args:
        client: The client.
        spec: Of the collection.
        index: Of the vectors.
        words: Whether its rows have vectors of words.
        filtered: The kind of index for each type of the columns that filters read.
    """
    have = set(client.list_indexes(spec.name, timeout=limit()))
    if rows.VECTOR not in have:
        add_vector_index(client, spec, index)
    if words and rows.WORDS not in have:
        parts = {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "IP"}
        _add_index(client, spec.name, rows.WORDS, parts, {})
    missing = {name: type for name, type in _filtered(spec).items() if name not in have}
    _index_columns(
        client, spec.name, {name: filtered[type] for name, type in missing.items() if type in filtered}
    )


def _index_columns(client: MilvusClient, collection: str, kinds: Mapping[str, str]) -> None:
    """Ask for an index of each column; a user who may only read does without."""
    for name, kind in kinds.items():
        try:
            _add_index(client, collection, name, {"index_type": kind}, {})
        except (MilvusException, grpc.RpcError) as error:
            if not is_forbidden(error):
                raise
            return


def set_mmap(client: MilvusClient, name: str, *, mmap: bool) -> None:
    """Have Milvus read rows and indexes from the disk, or not; the collection is out of its memory then.

    It is said after the making, since some servers note it at the making and don't do it (milvus-io/milvus
    issue 40511), and of a collection that is out of memory, since they refuse it for another.
    """
    client.release_collection(name, timeout=limit())
    client.alter_collection_properties(name, {_MMAP: str(mmap).lower()}, timeout=limit())


def add_vector_index(client: MilvusClient, spec: CollectionSpec, index: Index) -> None:
    """Ask for an index of the vectors; `optimize` waits for it."""
    parts = {"index_type": index.type, "metric_type": METRICS[spec.space.metric]}
    _add_index(client, spec.name, rows.VECTOR, parts, index.build())


def _add_index(
    client: MilvusClient, collection: str, field: str, parts: Mapping[str, str], parameters: Mapping[str, int]
) -> None:
    """Ask for an index, without waiting for it: pymilvus would look every half second.

    The parameters go in one piece, called `params`, as every server reads them: pymilvus would send each by
    itself, and Milvus Lite would pass them over.
    """
    wanted = client.prepare_index_params()
    nested = {"params": dict(parameters)} if parameters else {}
    wanted.add_index(field, index_name=field, params=nested, **parts)
    client.create_index(collection, wanted, timeout=limit(), sync=False)


def index_type(client: MilvusClient, collection: str) -> str:
    """Milvus' name of the kind of index that the vectors have."""
    return str(client.describe_index(collection, rows.VECTOR, timeout=limit())["index_type"])


def _filtered(spec: CollectionSpec) -> dict[str, DataType]:
    """The columns that filters read often, and their types."""
    declared = {column(name): _TYPES[kind] for name, kind in spec.fields.items()}
    columns = {**{name: _COLUMNS[name] for name in OFTEN}, **declared}
    return {name: parameters["datatype"] for name, parameters in columns.items()}


def _meta(properties: Mapping[str, Any], name: str, where: str) -> CollectionMeta:
    if _META not in properties:
        raise ConfigurationError(
            f"the collection {name!r} in {where} wasn't made by polyreel",
            hint="name another collection in the stack",
        )
    try:
        return CollectionMeta.from_json(dict(json.loads(properties[_META])))
    except (TypeError, ValueError) as error:
        raise IntegrityError(
            f"the description of the collection {name!r} in {where} can't be read",
            hint=f"restore its property {_META!r}, or drop the collection and ingest again",
        ) from error


def _schema(
    client: MilvusClient, spec: CollectionSpec, layout: Layout, *, tenant: str | None
) -> CollectionSchema:
    declared = {column(name): _TYPES[kind] for name, kind in spec.fields.items()}
    room = _MAX_FIELDS - len(_COLUMNS) - 3
    if len(declared) > room:
        message = (
            f"the collection {spec.name!r} has {len(declared)} declared fields; Milvus has room for {room}"
        )
        raise ConfigurationError(
            message, hint="declare the fields that are filtered by; others are kept as they are"
        )
    if tenant is not None and spec.fields.get(tenant) is not FieldType.STRING:
        message = f"the tenant of the store is {tenant!r}, which is no declared field of type string"
        raise ConfigurationError(message, hint=f'declare it: fields.{tenant} = "string"')
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(ID, DataType.VARCHAR, is_primary=True, max_length=_MAX_ID)
    schema.add_field(rows.VECTOR, DataType.FLOAT_VECTOR, dim=spec.space.dimension)
    if layout.words:
        schema.add_field(rows.WORDS, DataType.SPARSE_FLOAT_VECTOR)
    for name, usual in {**_COLUMNS, **declared}.items():
        parameters = _PACKED if layout.packs and usual is _TEXTS else usual
        key = {"is_partition_key": True} if tenant is not None and name == column(tenant) else {}
        schema.add_field(name, **parameters, **key)
    return schema
