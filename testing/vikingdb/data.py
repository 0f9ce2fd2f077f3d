"""The data plane of the emulator: rows and searches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import filters
from .columns import is_address
from .control import ControlPlane
from .models import played
from .refusal import Refusal, invalid, missing
from .shapes import Check, anything, checked, flag, listed, mapped, number, one_of, shaped, text, whole
from .state import Collection, Index, Row, ids_of, index_of, serving, shown
from .vectors import Vectors

Result = dict[str, Any]
_COLLECTION: Mapping[str, Check] = {"collection_name": text, "resource_id": text, "project_name": text}
_INDEX: Mapping[str, Check] = {**_COLLECTION, "index_name": text, "partition": one_of("default")}
_ADVANCE = shaped(
    {
        "dense_weight": number(0.2, 1),
        "ids_in": listed(anything),
        "ids_not_in": listed(anything),
        "post_process_input_limit": whole(1, 100_000),
        "scale_k": number(0.1, 100),
        "filter_pre_ann_limit": whole(0, 10**9),
        "filter_pre_ann_ratio": number(0, 1),
    }
)
_SEARCH: Mapping[str, Check] = {
    **_INDEX,
    "filter": anything,
    "output_fields": listed(text),
    "limit": whole(1, 5000),
    "offset": whole(0, 100_000),
    "advance": _ADVANCE,
    "return_schema": flag,
    "return_download_url": flag,
    "return_analyzed_result": flag,
    "return_detail_info": flag,
    "ignore_unknown_fields": flag,
}
_IDS = listed(anything, 1, 100)
_COND: Mapping[str, Check] = {name: number(-1e300, 1e300) for name in ("gt", "gte", "lt", "lte")}
_WRITE: Mapping[str, Check] = {
    "data": listed(anything, 1),
    "ttl": whole(0, 10**9),
    "ignore_unknown_fields": flag,
}
_MOST_ROWS = 100


class DataPlane:
    """Rows and searches over the collections of the control plane.

    Args:
        control: Has the collections.
        vectors: Makes vectors of media.
        ready_after: As in `ControlPlane`.
        clock: Seconds.
        lag: Seconds until an index shows a write; asked at each.
        background: Whether a collection that vectorizes takes rows before it has seen their media, and
            reports no usage, as the service does by its newer pages.
    """

    def __init__(
        self,
        control: ControlPlane,
        vectors: Vectors,
        *,
        ready_after: int,
        clock: Callable[[], float],
        lag: Callable[[], float],
        background: bool,
    ) -> None:
        self._control = control
        self._vectors = vectors
        self._ready_after = ready_after
        self._clock = clock
        self._lag = lag
        self._background = background
        self.calls: dict[str, Callable[[Mapping[str, Any]], Result | None]] = {
            "data/upsert": self._upsert,
            "data/update": self._update,
            "data/delete": self._delete,
            "data/fetch_in_collection": self._fetch,
            "data/fetch_in_index": self._fetch_in_index,
            "data/search/vector": self._search_vector,
            "data/search/multi_modal": self._search_multi_modal,
            "data/search/id": self._search_id,
            "data/search/scalar": self._search_scalar,
            "data/search/keywords": self._search_keywords,
            "data/search/random": self._search_random,
            "data/agg": self._aggregate,
            "embedding": vectors.embedding,
            "rerank": vectors.rerank,
        }

    # -- rows ---------------------------------------------------------------------------------------------

    def _upsert(self, body: Mapping[str, Any]) -> Result | None:
        return self._write(body, {**_WRITE, "async": flag}, fresh=True)

    def _update(self, body: Mapping[str, Any]) -> Result | None:
        return self._write(body, _WRITE, fresh=False)

    def _write(self, body: Mapping[str, Any], keys: Mapping[str, Check], *, fresh: bool) -> Result | None:
        checked(body, {**_COLLECTION, **keys}, ["data"])
        collection = self._control.find(body, "collection_name")
        most = 1 if collection.dense else _MOST_ROWS
        if len(body["data"]) > most:
            raise invalid(f"there are more than {most} rows")
        made = [self._row(collection, given, body, fresh=fresh) for given in body["data"]]
        due = self._clock() + self._lag()
        for row in made:
            visible = due if row.vector is not None else None
            collection.write(row.values[collection.key.name], row, visible)
        if collection.dense is None or self._background:
            return None
        return {"token_usage": self._vectors.usage(collection, [row.values for row in made])}

    def _row(self, collection: Collection, given: Any, body: Mapping[str, Any], *, fresh: bool) -> Row:
        """A row with its vector; nothing is written yet."""
        old = None if fresh else self._old(collection, given)
        values = collection.read(given, ignore_unknown=body.get("ignore_unknown_fields", False), old=old)
        if collection.dense is None:
            vector = next(
                (values[name] for name, one in collection.columns.items() if one.type == "vector"), None
            )
            return Row(values, vector)
        if old is not None and all(values[name] == old.values[name] for name in collection.media):
            return Row(values, old.vector)
        try:
            return Row(values, self._vectors.of_row(collection, values))
        except Refusal:
            if not self._background:
                raise
            return Row(values)  # which only the console's log would tell

    def _old(self, collection: Collection, given: Any) -> Row:
        if not isinstance(given, dict) or collection.key.name not in given:
            raise missing(collection.key.name)
        if given[collection.key.name] not in collection.rows:
            raise invalid("a row to be updated doesn't exist")
        return collection.rows[given[collection.key.name]]

    def _delete(self, body: Mapping[str, Any]) -> None:
        checked(body, {**_COLLECTION, "ids": _IDS, "del_all": flag, "async": flag})
        collection = self._control.find(body, "collection_name")
        if ("ids" in body) == bool(body.get("del_all")):
            raise invalid("either ids or del_all is given")
        gone = ids_of(collection, body["ids"]) if "ids" in body else list(collection.rows)
        due = self._clock() + self._lag()
        for id in gone:
            collection.write(id, None, due)

    def _fetch(self, body: Mapping[str, Any]) -> Result:
        keys = {"ids": _IDS, "return_download_url": flag, "return_analyzed_result": flag}
        checked(body, {**_COLLECTION, **keys}, ["ids"])
        collection = self._control.find(body, "collection_name")
        return _fetched(collection, body["ids"], collection.rows, None)

    def _fetch_in_index(self, body: Mapping[str, Any]) -> Result:
        checked(body, {**_INDEX, "ids": _IDS, "output_fields": listed(text)}, ["ids", "index_name"])
        collection, _ = self._index(body)
        result = _fetched(collection, body["ids"], collection.seen, body.get("output_fields"))
        for item in result["fetch"]:
            vector = collection.seen[item["id"]].vector
            item |= {"dense_dim": len(vector or ()), "dense_vector": vector}
        return result

    # -- searches -----------------------------------------------------------------------------------------

    def _search_vector(self, body: Mapping[str, Any]) -> Result:
        keys = {
            "dense_vector": listed(number(-1e38, 1e38), 1, 4096),
            "sparse_vector": mapped(number(-1e38, 1e38)),
        }
        checked(body, {**_SEARCH, **keys}, ["index_name", "dense_vector"])
        if "sparse_vector" in body:
            raise invalid("the collection has no sparse vectors")
        return self._near(body, body["dense_vector"])

    def _search_multi_modal(self, body: Mapping[str, Any]) -> Result:
        keys = {
            "text": text,
            "image": anything,
            "video": shaped({"value": text, "fps": number(0.2, 5)}, ["value"]),
            "need_instruction": flag,
            "instruction": shaped({"auto_fill": flag}),
        }
        checked(body, {**_SEARCH, **keys}, ["index_name"])
        collection, _ = self._index(body)
        if collection.dense is None:
            raise invalid("the collection doesn't vectorize")
        near = {name: body[name] for name in ("text", "image", "video") if name in body}
        if not near or not all(near.values()):
            raise missing("text, image or video")
        if "image" in near and not is_address(near["image"]):
            raise invalid("image is no address")
        model = played(collection.dense["ModelName"], collection.dense.get("ModelVersion"), None)
        if model.instructs and "need_instruction" not in body:
            raise missing("need_instruction")
        vector, counted = self._vectors.of_query(collection, near)
        result = self._near(body, vector)
        if "text" in near:
            prefix = model.prefix.format(" and ".join(collection.media.values()))
            result["real_text_query"] = prefix * body.get("need_instruction", False) + near["text"]
        return {**result, "token_usage": counted}

    def _search_id(self, body: Mapping[str, Any]) -> Result:
        checked(body, {**_SEARCH, "id": anything}, ["index_name", "id"])
        collection, _ = self._index(body)
        (id,) = ids_of(collection, [body["id"]])
        row = collection.seen.get(id)
        if row is None or row.vector is None:
            raise invalid("the id doesn't exist in the index")
        return self._near(body, row.vector)

    def _near(self, body: Mapping[str, Any], query: list[float]) -> Result:
        collection, index = self._index(body)
        if "VectorIndex" not in index.body:
            raise invalid("the index has no vectors")
        rows = self._matching(body, collection, index)
        dim = next((len(row.vector) for _, row in rows if row.vector), len(query))
        declared = next((one.dim for one in collection.columns.values() if one.type == "vector"), dim)
        if len(query) != declared or not any(query):
            raise invalid(
                f"dense_vector has {len(query)} numbers, the collection {declared}, or is all zeros"
            )
        scores = index.score(query, [row.vector or [] for _, row in rows])
        ranked = sorted(zip(scores, rows, strict=True), key=lambda pair: (-pair[0], str(pair[1][0])))
        return _page(body, collection, [(score, id, row) for score, (id, row) in ranked])

    def _search_scalar(self, body: Mapping[str, Any]) -> Result:
        checked(body, {**_SEARCH, "field": text, "order": one_of("asc", "desc")}, ["index_name", "field"])
        collection, index = self._index(body)
        name = body["field"]
        if name not in index.scalars or collection.columns[name].type not in ("int64", "float32"):
            raise invalid(f"{name} is no number in the index")
        rows = self._matching(body, collection, index)
        rows.sort(key=lambda item: item[1].values[name], reverse=body.get("order", "desc") == "desc")
        return _page(body, collection, [(float(row.values[name]), id, row) for id, row in rows])

    def _search_keywords(self, body: Mapping[str, Any]) -> Result:
        keys = {
            "keywords": listed(text, 1, 10),
            "query": text,
            "fields": listed(text),
            "case_sensitive": flag,
        }
        checked(body, {**_SEARCH, **keys}, ["index_name"])
        collection, index = self._index(body)
        full = [one["Field"] for one in collection.body.get("FullText", [])]
        words = body.get("keywords") or body.get("query", "").split()
        if not full or not words:
            raise invalid("the collection has no FullText, or there are no keywords")
        found = [
            (float(count), id, row)
            for id, row in self._matching(body, collection, index)
            if (count := sum(word in str(row.values.get(name)) for word in words for name in full))
        ]
        return _page(body, collection, sorted(found, key=lambda one: -one[0]))

    def _search_random(self, body: Mapping[str, Any]) -> Result:
        checked(body, _SEARCH, ["index_name"])
        collection, index = self._index(body)
        rows = self._matching(body, collection, index)
        rows.sort(key=lambda item: hashlib.sha256(str(item[0]).encode()).digest())
        return _page(body, collection, [(0.0, id, row) for id, row in rows])

    def _aggregate(self, body: Mapping[str, Any]) -> Result:
        keys = {
            "op": one_of("count"),
            "field": text,
            "group_by": text,
            "filter": anything,
            "cond": shaped(_COND),
        }
        checked(body, {**_INDEX, **keys}, ["index_name", "op"])
        collection, index = self._index(body)
        rows = self._matching(body, collection, index)
        name = body.get("group_by", body.get("field"))
        if name is None:
            return {"op": "count", "field": "__NONE__", "agg": {"__TOTAL__": len(rows)}}
        if name not in index.scalars or collection.columns[name].type not in ("string", "int64", "bool"):
            raise invalid(f"{name} can't be counted by")
        counts: dict[str, int] = {}
        for _, row in rows:
            counts[str(row.values[name])] = counts.get(str(row.values[name]), 0) + 1
        holds = _condition(body.get("cond", {}))
        return {"op": "count", "field": name, "agg": {value: n for value, n in counts.items() if holds(n)}}

    # -- inside -------------------------------------------------------------------------------------------

    def _index(self, body: Mapping[str, Any]) -> tuple[Collection, Index]:
        collection = self._control.find(body, "collection_name")
        index = serving(index_of(collection, body["index_name"]), self._ready_after)
        collection.settle(self._clock())
        return collection, index

    @staticmethod
    def _matching(body: Mapping[str, Any], collection: Collection, index: Index) -> list[tuple[Any, Row]]:
        advance, given = body.get("advance", {}), body.get("filter")
        wanted, unwanted = advance.get("ids_in"), advance.get("ids_not_in", ())
        test = filters.compiled(given, collection.columns, index.scalars) if given is not None else None
        return [
            (id, row)
            for id, row in collection.seen.items()
            if (wanted is None or id in wanted) and id not in unwanted and (test is None or test(row.values))
        ]


def _fetched(
    collection: Collection, ids: list[Any], rows: Mapping[Any, Row], fields: list[str] | None
) -> Result:
    wanted, columns = ids_of(collection, ids), collection.columns
    there = [id for id in wanted if id in rows]
    return {
        "fetch": [{"id": id, "fields": shown(rows[id].values, fields, columns)} for id in there],
        "ids_not_exist": [id for id in wanted if id not in rows],
    }


def _page(
    body: Mapping[str, Any], collection: Collection, ranked: Sequence[tuple[float, Any, Row]]
) -> Result:
    offset = body.get("offset", 0)
    page = ranked[offset : offset + body.get("limit", 10)]
    wanted = body.get("output_fields")
    shown({}, wanted, collection.columns)  # an unknown field is refused even where nothing is found
    data = [
        {
            "id": id,
            "fields": shown(row.values, wanted, collection.columns),
            "score": score,
            "ann_score": score,
        }
        for score, id, row in page
    ]
    return {"data": data, "total_return_count": len(data), "filter_matched_count": len(ranked)}


def _condition(cond: Mapping[str, float]) -> Callable[[int], bool]:
    return lambda count: all(filters.BOUNDS[name](count, bound) for name, bound in cond.items())
