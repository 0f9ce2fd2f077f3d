"""The data plane: rows, searches, and calls of the models. Bodies are those that the vendor documents.

Every call is one attempt. `VikingDBStore` makes them under its base's deadline and retries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .wire import Reply, Wire


@dataclass(frozen=True, slots=True)
class Asked:
    """What every search takes; what is left out is the service's default.

    Args:
        filter: In the service's own language (`filters.condition`).
        output_fields: Columns to give back; None is every scalar one.
        limit: Hits.
        offset: Hits to skip.
        partition: Part of the index; API V2 documents no way to make one.
        advance: `ids_in`, `post_process_ops`, `filter_pre_ann_limit`, … by their own names.
        more: Other documented keys of the search, such as `rerank` or `bm25_k1`, by their own names.
    """

    filter: Mapping[str, Any] | None = None
    output_fields: Sequence[str] | None = None
    limit: int | None = None
    offset: int | None = None
    partition: str | None = None
    advance: Mapping[str, Any] | None = None
    more: Mapping[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        """The keys that are given."""
        names = ("filter", "output_fields", "limit", "offset", "partition", "advance")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**given, **(self.more or {})}


@dataclass(frozen=True, slots=True)
class Data:
    """The calls of one collection and its index.

    Args:
        wire: Sends them.
        collection: The collection's name.
        index: Its index's name.
        project: None is the account's default project.
    """

    wire: Wire
    collection: str
    index: str
    project: str | None = None

    # -- rows ---------------------------------------------------------------------------------------------

    def upsert(
        self, rows: Sequence[Mapping[str, Any]], *, ttl: int | None = None, slow: bool | None = None
    ) -> Reply:
        """Write rows whole.

        Args:
            rows: At most 100, or 1 where the collection vectorizes.
            ttl: Seconds that they live; None is for ever.
            slow: Ten times the rate, but minutes to hours until they are found (`async`).
        """
        return self._rows("upsert", {"data": list(rows), "ttl": ttl, "async": slow})

    def update(self, rows: Sequence[Mapping[str, Any]], *, ttl: int | None = None) -> Reply:
        """Change the given columns of rows that exist."""
        return self._rows("update", {"data": list(rows), "ttl": ttl})

    def delete(self, ids: Sequence[str]) -> Reply:
        """Delete rows by id; unknown ones are fine."""
        return self._rows("delete", {"ids": list(ids)})

    def delete_all(self) -> Reply:
        """Delete every row; it takes minutes, and what is written meanwhile may go, too."""
        return self._rows("delete", {"del_all": True})

    def fetch(self, ids: Sequence[str]) -> Reply:
        """Rows by id, as they were written last."""
        return self._rows("fetch_in_collection", {"ids": list(ids)})

    def fetch_in_index(
        self, ids: Sequence[str], *, output_fields: Sequence[str] | None = None, partition: str | None = None
    ) -> Reply:
        """Rows by id, with vectors, as searches see them."""
        body = {"ids": list(ids), "output_fields": output_fields, "partition": partition}
        return self._rows("fetch_in_index", body, index=True)

    # -- searches -----------------------------------------------------------------------------------------

    def search_vector(
        self, vector: Sequence[float], asked: Asked, *, sparse: Mapping[str, float] | None = None
    ) -> Reply:
        """Rows near a vector."""
        return self._search("vector", {"dense_vector": list(vector), "sparse_vector": sparse}, asked)

    def search_multi_modal(
        self,
        asked: Asked,
        *,
        text: str | None = None,
        image: object = None,
        video: Mapping[str, Any] | None = None,
        need_instruction: bool | None = None,
    ) -> Reply:
        """Rows near a text, an image and a video together; the service vectorizes them in one call."""
        near = {"text": text, "image": image, "video": video, "need_instruction": need_instruction}
        return self._search("multi_modal", near, asked)

    def search_id(self, id: str, asked: Asked) -> Reply:
        """Rows near a row."""
        return self._search("id", {"id": id}, asked)

    def search_scalar(self, column: str, asked: Asked, *, order: str = "desc") -> Reply:
        """Rows in the order of a number; `order` is `asc` or `desc`."""
        return self._search("scalar", {"field": column, "order": order}, asked)

    def search_keywords(
        self,
        asked: Asked,
        *,
        keywords: Sequence[str] | None = None,
        query: str | None = None,
        fields: Sequence[str] | None = None,
    ) -> Reply:
        """Rows that hold words; the collection needs `FullText`."""
        return self._search("keywords", {"keywords": keywords, "query": query, "fields": fields}, asked)

    def search_random(self, asked: Asked) -> Reply:
        """Some rows."""
        return self._search("random", {}, asked)

    def aggregate(
        self,
        *,
        op: str = "count",
        field: str | None = None,
        filter: Mapping[str, Any] | None = None,
        cond: Mapping[str, Any] | None = None,
        partition: str | None = None,
    ) -> Reply:
        """Count rows, by the values of a column where one is given."""
        body = {"op": op, "field": field, "filter": filter, "cond": cond, "partition": partition}
        return self._rows("agg", body, index=True)

    # -- models -------------------------------------------------------------------------------------------

    def embedding(
        self,
        data: Sequence[Mapping[str, Any]],
        *,
        dense_model: Mapping[str, Any] | None = None,
        sparse_model: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Vectors of at most 10 items, each of a text, image and video, or one `full_modal_seq`."""
        body = {"data": list(data), "dense_model": dense_model, "sparse_model": sparse_model}
        return self.wire.data("embedding", self._given({**body, "project_name": self.project}))

    def rerank(
        self,
        query: Sequence[Mapping[str, Any]],
        data: Sequence[Sequence[Mapping[str, Any]]],
        *,
        model_name: str = "doubao-seed-rerank",
        model_version: str | None = "251028",
        instruction: str | None = None,
    ) -> Reply:
        """How well each document, a series of texts and media, fits the query."""
        body = {
            "model_name": model_name,
            "model_version": model_version,
            "data": [list(document) for document in data],
            "query": list(query),
            "instruction": instruction,
            "project_name": self.project,
        }
        return self.wire.data("rerank", self._given(body))

    # -- inside -------------------------------------------------------------------------------------------

    def _search(self, way: str, near: Mapping[str, Any], asked: Asked) -> Reply:
        return self._rows(f"search/{way}", {**near, **asked.body()}, index=True)

    def _rows(self, call: str, body: Mapping[str, Any], *, index: bool = False) -> Reply:
        selector = {
            "collection_name": self.collection,
            "project_name": self.project,
            "index_name": self.index if index else None,
        }
        return self.wire.data(f"data/{call}", self._given({**selector, **body}))

    @staticmethod
    def _given(body: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if value is not None}
