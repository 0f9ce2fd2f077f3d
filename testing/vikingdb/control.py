"""The control plane of the emulator: collections and indexes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import shapes
from .columns import NO_DEFAULT, SCALARS, TYPES, Column, kept
from .models import played
from .refusal import Refusal, exists, invalid, missing, unknown
from .shapes import Check, anything, checked, flag, identifier, listed, number, one_of, shaped, text, whole
from .state import AUTO_ID, Collection, Index, index_of

Keys = Mapping[str, Check]
Action = Callable[[Mapping[str, Any]], dict[str, Any]]

_PLACE: Keys = {"ProjectName": text, "CollectionName": identifier, "ResourceId": text}
_PAGING: Keys = {"ProjectName": text, "PageNumber": whole(0, 10**6), "PageSize": whole(1, 100)}
_FIELD: Keys = {
    "FieldName": identifier,
    "FieldType": one_of(*sorted(TYPES)),
    "Dim": whole(4, 4096),
    "IsPrimaryKey": flag,
    "DefaultValue": anything,
}
_INSTRUCTION = shaped({"AutoFill": flag, "Content": text})
_DENSE: Keys = {
    "ModelName": text,
    "ModelVersion": text,
    "Dim": whole(4, 4096),
    "TextField": identifier,
    "ImageField": identifier,
    "VideoField": identifier,
    "Instruction": _INSTRUCTION,
}
_FULL_TEXT = listed(shaped({"Field": identifier, "Analyzer": shapes.mapped(anything)}, ["Field"]), 0, 2)
_FIELDS = listed(shaped(_FIELD, ["FieldName", "FieldType"]), 1, 200)
_COLLECTION: Keys = {
    "ProjectName": text,
    "CollectionName": identifier,
    "Description": text,
    "DelProtection": flag,
    "Tags": listed(shaped({"Key": text, "Value": text}, ["Key"])),
    "Fields": _FIELDS,
    "Vectorize": shaped({"Dense": shaped(_DENSE, ["ModelName"])}, ["Dense"]),
    "FullText": _FULL_TEXT,
}
_VECTOR_INDEX: Keys = {
    "IndexType": one_of("hnsw", "hnsw_hybrid", "flat", "diskann"),
    "Distance": one_of("ip", "l2", "cosine"),
    "Quant": one_of("int8", "float", "fix16", "pq"),
    "HnswM": whole(1, 1024),
    "HnswCef": whole(1, 10_000),
    "HnswSef": whole(1, 10_000),
    "DiskannM": whole(1, 1024),
    "DiskannCef": whole(1, 10_000),
    "PqCodeRatio": number(0.0, 0.25),
    "CacheRatio": number(0.0, 0.3),
}
_SIZE: Keys = {
    "CpuQuota": whole(1, 10_240),
    "ShardPolicy": one_of("auto", "custom"),
    "ShardCount": whole(1, 256),
    "ScalarIndex": listed(identifier),
    "Description": text,
    "DelProtection": flag,
}
_INDEX: Keys = {
    **_PLACE,
    **_SIZE,
    "IndexName": identifier,
    "VectorIndex": shaped(_VECTOR_INDEX, ["IndexType"]),
}
_QUANTS = {
    "int8": ({"hnsw", "hnsw_hybrid", "flat"}, {"ip", "cosine"}),
    "float": ({"hnsw", "hnsw_hybrid", "flat", "diskann"}, {"ip", "cosine", "l2"}),
    "fix16": ({"hnsw", "hnsw_hybrid", "flat"}, {"ip", "cosine", "l2"}),
    "pq": ({"diskann"}, {"ip", "cosine", "l2"}),
}
_MOST = 200  # collections and indexes of an account


class ControlPlane:
    """Collections and indexes by name.

    Args:
        ready_after: How often an index is looked at until it serves.
        words: `Status` while it is built, and when it serves; None leaves the key out.
    """

    def __init__(self, ready_after: int, words: tuple[str, str] | None) -> None:
        self.collections: dict[str, Collection] = {}
        self._ready_after = ready_after
        self._words = words
        self.actions: dict[str, Action] = {
            "CreateVikingdbCollection": self._create,
            "GetVikingdbCollection": self._get,
            "ListVikingdbCollection": self._list,
            "UpdateVikingdbCollection": self._update,
            "DeleteVikingdbCollection": self._delete,
            "CreateVikingdbIndex": self._create_index,
            "GetVikingdbIndex": self._get_index,
            "ListVikingdbIndex": self._list_indexes,
            "UpdateVikingdbIndex": self._update_index,
            "EnableVikingdbIndex": lambda body: self._enable(body, enabled=True),
            "DisableVikingdbIndex": lambda body: self._enable(body, enabled=False),
            "DeleteVikingdbIndex": self._delete_index,
        }

    def find(self, body: Mapping[str, Any], name: str = "CollectionName") -> Collection:
        """The collection that a body names, by its name or its id.

        Raises:
            Refusal: It names none, or one that doesn't exist.
        """
        wanted = body.get(name) or str(body.get("ResourceId" if name[0] == "C" else "resource_id", ""))
        if not wanted:
            raise missing(name)
        wanted = wanted.removeprefix("vdb-")
        if wanted not in self.collections:
            raise unknown("Collection", wanted)
        return self.collections[wanted]

    # -- collections --------------------------------------------------------------------------------------

    def _create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, _COLLECTION, ["CollectionName", "Fields"])
        name = body["CollectionName"]
        if name in self.collections:
            raise exists("Collection", name)
        if len(self.collections) >= _MOST:
            raise Refusal(400, "QuotaExceeded.VikingdbCollection", "there are 200 collections already")
        columns = _columns(body["Fields"], {})
        if not any(column.primary for column in columns.values()):
            columns[AUTO_ID] = Column(AUTO_ID, "int64", primary=True)
        key = next(column for column in columns.values() if column.primary)
        _check_vectorize(body.get("Vectorize"), columns)
        self.collections[name] = Collection(name, dict(body), columns, key)
        return {"Message": "success", "ResourceId": f"vdb-{name}"}

    def _get(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, _PLACE)
        return _described(self.find(body))

    def _list(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, {**_PAGING, "Filter": shaped({"CollectionNameKeyword": text})})
        keyword = body.get("Filter", {}).get("CollectionNameKeyword", "")
        found = [_described(one) for name, one in sorted(self.collections.items()) if keyword in name]
        return _page(found, body, "Collections")

    def _update(self, body: Mapping[str, Any]) -> dict[str, Any]:
        keys = {
            **_PLACE,
            "Fields": _FIELDS,
            "FullText": _FULL_TEXT,
            "Description": text,
            "DelProtection": flag,
        }
        checked(body, keys)
        collection = self.find(body)
        added = _columns(body.get("Fields", []), collection.columns)
        if any(column.primary or column.type == "vector" for column in added.values()):
            raise invalid("a key or a vector can't be added")
        collection.columns |= added
        collection.body["Fields"] = [*collection.body["Fields"], *body.get("Fields", [])]
        for name in ("Description", "DelProtection", "FullText"):
            if name in body:
                collection.body[name] = body[name]
        for row in (*collection.rows.values(), *collection.seen.values()):
            for name, column in added.items():
                row.values.setdefault(name, column.missing())
        return {"Message": "success"}

    def _delete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, _PLACE)
        collection = self.find(body)
        if collection.body.get("DelProtection"):
            raise Refusal(400, "OperationDenied.DelProtection", "the collection is protected")
        if collection.indexes:
            raise Refusal(400, "OperationDenied.IndexExists", "the collection still has indexes")
        del self.collections[collection.name]
        return {"Message": "success"}

    # -- indexes ------------------------------------------------------------------------------------------

    def _create_index(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, _INDEX, ["IndexName"])
        collection, name = self.find(body), body["IndexName"]
        if name in collection.indexes:
            raise exists("Index", name)
        if ("ShardCount" in body) != (body.get("ShardPolicy") == "custom"):
            raise invalid("ShardCount goes with the ShardPolicy custom")
        _check_vector_index(body.get("VectorIndex"), collection)
        every = [one.name for one in collection.columns.values() if one.type in SCALARS]
        scalars = list(body.get("ScalarIndex", every))
        _check_scalars(scalars, collection)
        collection.indexes[name] = Index(name, dict(body), scalars)
        return {"Message": "success"}

    def _get_index(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, {**_PLACE, "IndexName": identifier}, ["IndexName"])
        collection = self.find(body)
        index = index_of(collection, body["IndexName"])
        described = self._described_index(collection, index)
        index.polls += 1
        return described

    def _list_indexes(self, body: Mapping[str, Any]) -> dict[str, Any]:
        filters = {"CollectionName": listed(identifier), "IndexNameKeyword": text, "Status": listed(text)}
        checked(body, {**_PAGING, "Filter": shaped(filters)})
        wanted = body.get("Filter", {}).get("CollectionName")
        found = [
            self._described_index(collection, index)
            for name, collection in sorted(self.collections.items())
            if wanted is None or name in wanted
            for index in collection.indexes.values()
        ]
        return _page(found, body, "Indexes")

    def _update_index(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, {**_PLACE, **_SIZE, "IndexName": identifier}, ["IndexName"])
        collection = self.find(body)
        index = index_of(collection, body["IndexName"])
        added = body.get("ScalarIndex", [])
        _check_scalars(added, collection)
        if set(added) & set(index.scalars):
            raise invalid("ScalarIndex names fields that the index has")
        index.scalars.extend(added)
        index.body |= {name: body[name] for name in _SIZE.keys() - {"ScalarIndex"} if name in body}
        return {"Message": "success"}

    def _enable(self, body: Mapping[str, Any], *, enabled: bool) -> dict[str, Any]:
        checked(body, {**_PLACE, "IndexName": identifier}, ["IndexName"])
        index = index_of(self.find(body), body["IndexName"])
        if index.enabled == enabled or (not enabled and index.polls < self._ready_after):
            raise Refusal(400, "InvalidStatus.VikingdbIndex", "the index is not in a state for this")
        index.enabled, index.polls = enabled, 0
        return {"Message": "success"}

    def _delete_index(self, body: Mapping[str, Any]) -> dict[str, Any]:
        checked(body, {**_PLACE, "IndexName": identifier}, ["IndexName"])
        collection = self.find(body)
        index = index_of(collection, body["IndexName"])
        if index.body.get("DelProtection"):
            raise Refusal(400, "OperationDenied.DelProtection", "the index is protected")
        del collection.indexes[index.name]
        return {"Message": "success"}

    def _described_index(self, collection: Collection, index: Index) -> dict[str, Any]:
        described = {
            **index.body,
            "CollectionName": collection.name,
            "ResourceId": f"vdb-{collection.name}",
            "ScalarIndex": [
                {"FieldName": name, "FieldType": collection.columns[name].type} for name in index.scalars
            ],
        }
        if self._words is not None:
            described["Status"] = (
                self._words[index.polls >= self._ready_after] if index.enabled else "DISABLED"
            )
        return described


def _columns(given: list[dict[str, Any]], there: Mapping[str, Column]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for one in given:
        name, kind, dim = one["FieldName"], one["FieldType"], one.get("Dim", 0)
        if name in columns or name in there:
            raise invalid(f"the field {name} is there twice")
        if (kind == "vector") != bool(dim) or dim % 4:
            raise invalid(f"Dim of {name} must be given for a vector only, as a multiple of 4")
        if "DefaultValue" in one and kind in NO_DEFAULT:
            raise invalid(f"the field {name} of type {kind} takes no DefaultValue")
        columns[name] = column = Column(
            name, kind, dim, one.get("IsPrimaryKey", False), one.get("DefaultValue")
        )
        if column.default is not None:
            kept(column, column.default)
        if column.primary and kind not in ("string", "int64"):
            raise invalid("a primary key is a string or an int64")
    if sum(column.primary for column in columns.values()) > 1:
        raise invalid("there are several primary keys")
    if sum(column.type == "vector" for column in (*columns.values(), *there.values())) > 1:
        raise invalid("there are several vectors")
    return columns


def _check_vectorize(vectorize: Mapping[str, Any] | None, columns: Mapping[str, Column]) -> None:
    if vectorize is None:
        return
    if any(column.type == "vector" for column in columns.values()):
        raise invalid("Vectorize doesn't go with a vector field")
    dense = vectorize["Dense"]
    model = played(dense["ModelName"], dense.get("ModelVersion"), dense.get("Dim"))
    named = {kind: dense.get(f"{kind.capitalize()}Field") for kind in ("text", "image", "video")}
    if not any(named.values()):
        raise missing("Vectorize.Dense.TextField, ImageField or VideoField")
    for kind, name in named.items():
        if name and (name not in columns or columns[name].type != kind or kind not in model.sees):
            raise invalid(f"{name} is no {kind} field that the model vectorizes")


def _check_vector_index(vector: Mapping[str, Any] | None, collection: Collection) -> None:
    if vector is None:
        return
    if collection.dense is None and not any(one.type == "vector" for one in collection.columns.values()):
        raise invalid("the collection has no vectors to index")
    kind, distance = vector["IndexType"], vector.get("Distance", "ip")
    types, distances = _QUANTS[vector.get("Quant", "int8")]
    if kind not in types or distance not in distances:
        raise invalid("Quant doesn't go with IndexType or Distance")
    if kind == "hnsw_hybrid":
        raise invalid("hnsw_hybrid needs a sparse vector")


def _check_scalars(names: list[str], collection: Collection) -> None:
    for name in names:
        if name not in collection.columns or collection.columns[name].type not in SCALARS:
            raise invalid(f"ScalarIndex: {name} is no scalar field")


def _described(collection: Collection) -> dict[str, Any]:
    return {
        **collection.body,
        "ResourceId": f"vdb-{collection.name}",
        "IndexNames": sorted(collection.indexes),
        "IndexCount": len(collection.indexes),
        "CollectionStats": {"DataCount": len(collection.rows), "DataStorage": 0},
    }


def _page(found: list[dict[str, Any]], body: Mapping[str, Any], key: str) -> dict[str, Any]:
    number, size = max(1, body.get("PageNumber", 1)), body.get("PageSize", 10)
    page = found[(number - 1) * size : number * size]
    return {key: page, "PageNumber": number, "PageSize": size, "TotalCount": len(found)}
