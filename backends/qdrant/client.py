"""What local mode and servers share: the contract in calls of `qdrant-client`."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar, cast
from uuid import uuid4

from qdrant_client import QdrantClient, models

from ...core import lexical
from ...core.capabilities import Feature
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError, IntegrityError, UnsupportedError
from ...core.fields import Column, Schema
from ...core.records import Record, Text, Vector, floats
from ...core.requests import Answer, CheckedRequest, Group, Lexical, NearVector, Patch, Receipt, Where
from ...core.space import CollectionMeta, CollectionSpec, Metric
from ...core.store import VectorStore
from . import points
from .filters import Vocabulary
from .indexes import countable
from .options import Options, Quantization, keeps_words

T = TypeVar("T")

FILTERS = Vocabulary(
    every=lambda conditions: models.Filter(must=list(conditions)),
    some=lambda conditions: models.Filter(should=list(conditions)),
    no=lambda conditions: models.Filter(must_not=list(conditions)),
    equal=lambda key, value: models.FieldCondition(key=key, match=models.MatchValue(value=value)),
    among=lambda key, values: models.FieldCondition(key=key, match=models.MatchAny(any=values)),
    prefix=lambda key, text: models.FieldCondition(key=key, match=models.MatchPrefix(prefix=text)),
    within=lambda key, bounds: models.FieldCondition(key=key, range=models.Range(**bounds)),
    ids=lambda ids: models.HasIdCondition(has_id=list(ids)),
)
DENSE = "dense"
"""The name of the vectors."""

_META, _OPTIONS = (
    "polyreel",
    "polyreel_options",
)  # keys of the collection's metadata; JSON text, exact on any wire
_DISTANCES = {
    Metric.COSINE: models.Distance.COSINE,
    Metric.IP: models.Distance.DOT,
    Metric.L2: models.Distance.EUCLID,
}
_PAGE = 1000  # records of one read while scanning
_NUMBERS = 1_000_000  # numbers in one read of vectors: 20 MB as JSON


class QdrantClientStore(VectorStore):
    """Collections behind a `QdrantClient`. Contract: `VectorStore`.

    The collection's own metadata in Qdrant holds its description, so no reserved record is needed.
    """

    kind = "qdrant"

    def __init__(self, options: Options, *, timeout: float, retry: RetryPolicy | None) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._options = options
        self._quantization: Quantization | None = None  # of the open collection, as whether it has words
        self._words = options.keeps_words

    # -- what the forms differ in -------------------------------------------------------------------------

    @abstractmethod
    def _using(self) -> AbstractContextManager[QdrantClient]:
        """The client, for the calls inside; `ConfigurationError` when the store isn't open."""

    @abstractmethod
    def _seconds(self) -> int | None:
        """What the server may take for a call, by the deadline."""

    @abstractmethod
    def _make(self, client: QdrantClient, spec: CollectionSpec, **common: Any) -> None:
        """Create the collection, unless another process has just done it."""

    def _index(self, client: QdrantClient, meta: CollectionMeta) -> None:
        """Add the indexes on payload that the fields ask for and lack; nothing where there are none."""

    def _bodies(self, batch: list[models.PointStruct], dimension: int) -> Iterable[list[models.PointStruct]]:
        """The points in parts, each of which is one write; nothing is too large where there is no server."""
        return [batch]

    def _dense(self, vector: Vector) -> Any:
        """A vector as the client writes it: a list, for a message has one."""
        return floats(vector)

    def _words_config(self) -> dict[str, models.SparseVectorParams]:
        """The vectors of words that a new collection gets."""
        return {points.WORDS: models.SparseVectorParams()} if self._options.keeps_words else {}

    def _params(self, request: CheckedRequest) -> models.SearchParams | None:
        """How the index is searched; nothing where there is none."""
        return None

    # -- life ---------------------------------------------------------------------------------------------

    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        if spec.media:
            raise UnsupportedError("Qdrant doesn't vectorize media", hint="use a stack with an embedder")
        space = spec.space
        described = {
            _META: _written(CollectionMeta(uuid4().hex, spec).to_json()),
            _OPTIONS: _written(self._options.to_json()),
        }
        with self._using() as client:
            self._make(
                client, spec, size=space.dimension, distance=_DISTANCES[space.metric], metadata=described
            )
            meta = self._described(client, spec.name)
            if meta is None:
                raise IntegrityError(f"the collection {spec.name!r} isn't there after it was made")
            self._index(client, meta)
            return meta

    def _described(self, client: QdrantClient, name: str) -> CollectionMeta | None:
        """What is stored of the collection; None when there is none of this name."""
        if not client.collection_exists(name):
            return None
        metadata = client.get_collection(name).config.metadata or {}
        if _META not in metadata:
            raise ConfigurationError(
                f"there is a collection {name!r} that polyreel didn't make",
                hint="name another collection in the stack",
            )
        kept = _read(metadata.get(_OPTIONS, "{}"), name)
        self._options.refuse_other(name, kept)
        self._quantization, self._words = kept.get("quantization"), keeps_words(kept)
        if not self._words:
            self.can = replace(self.can, features=self.can.features - {Feature.LEXICAL})
        return CollectionMeta.from_json(_read(metadata[_META], name))

    def _add_fields(self, meta: CollectionMeta) -> None:
        with self._using() as client:
            self._index(client, meta)
            client.update_collection(
                meta.spec.name, metadata={_META: _written(meta.to_json())}, timeout=self._seconds()
            )

    # -- writing ------------------------------------------------------------------------------------------

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        spec = self.meta.spec
        batch = [self._point(record, spec.fields) for record in records]
        for part in self._bodies(batch, spec.space.dimension):
            self._call(QdrantClient.upsert, points=part, wait=True)
        return Receipt(upserted=tuple(record.id for record in records))

    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        # By a filter, for a server refuses a list of ids of which one is unknown.
        known, changes = FILTERS.every([FILTERS.ids(_ids(ids))]), points.changes(patch, self.schema)
        self._call(QdrantClient.set_payload, payload=changes, points=known, wait=True)
        if patch.text is not None and self._words:
            self._reword(ids, patch.text)
        return Receipt(upserted=tuple(ids))

    def _reword(self, ids: Sequence[str], text: Text) -> None:
        """Give records the words of another text."""
        words = lexical.document(text)
        if not words:
            known = FILTERS.every([FILTERS.ids(_ids(ids))])
            self._call(QdrantClient.delete_vectors, vectors=[points.WORDS], points=known, wait=True)
            return
        with self._using():  # so that in local mode no other thread deletes in between
            known = self._call(QdrantClient.retrieve, ids=_ids(ids), with_payload=False)
            vector = {points.WORDS: _sparse(words)}
            changed = [models.PointVectors.model_construct(id=point.id, vector=vector) for point in known]
            if changed:
                self._call(QdrantClient.update_vectors, points=changed, wait=True)

    def _delete(self, ids: Sequence[str]) -> Receipt:
        self._erase(models.PointIdsList(points=_ids(ids)))
        return Receipt(deleted=tuple(ids))

    def _delete_where(self, where: Where) -> Receipt:
        self._erase(models.FilterSelector(filter=FILTERS.condition(where.node) or models.Filter()))
        return Receipt()

    def _erase(self, which: models.PointIdsList | models.FilterSelector) -> None:
        self._call(QdrantClient.delete, points_selector=which, wait=True)

    # -- reading ------------------------------------------------------------------------------------------

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        plain = iter(self._batch([request for request in requests if request.group is None]))
        return [next(plain) if request.group is None else self._grouped(request) for request in requests]

    def _batch(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        if not requests:
            return []
        queries = [
            models.QueryRequest.model_construct(  # a vector in a union of ten types takes long to validate
                query=self._near(request),
                using=_using(request),
                filter=FILTERS.condition(request.where.node),
                params=self._params(request),
                limit=request.limit,
                with_payload=True,
            )
            for request in requests
        ]
        answered = zip(requests, self._found(queries), strict=True)
        return [points.answer(request.near, each.points, self.meta.spec) for request, each in answered]

    def _found(self, queries: list[models.QueryRequest]) -> Sequence[models.QueryResponse]:
        """What the client answers."""
        return self._call(QdrantClient.query_batch_points, requests=queries)

    def _grouped(self, request: CheckedRequest) -> Answer:
        """Groups by video. A server stops looking after some rounds, so it is asked again for others."""
        group, where = cast("Group", request.group), FILTERS.condition(request.where.node)
        found: dict[str, list[models.ScoredPoint]] = {}
        while len(found) < request.limit:
            seen = FILTERS.among(points.path("video_id"), list(found))
            others = models.Filter(must=[where] if where else None, must_not=[seen] if found else None)
            groups = self._call(
                QdrantClient.query_points_groups,
                query=self._near(request),
                using=_using(request),
                group_by=points.path("video_id"),
                group_size=group.size,
                limit=request.limit - len(found),
                query_filter=others,
                search_params=self._params(request),
                with_payload=True,
            ).groups
            if not groups:
                break
            found |= {str(each.id): each.hits for each in groups}
        every = [point for hits in found.values() for point in hits]
        return points.answer(request.near, every, self.meta.spec)

    def _near(self, request: CheckedRequest) -> list[float] | models.SparseVector:
        near = request.near
        if isinstance(near, Lexical):
            return _sparse(lexical.query(near.text))
        # The base resolves ids, and refuses media.
        return floats(cast("NearVector", near).vector)

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001  # a hook
        found = self._call(
            QdrantClient.retrieve,
            ids=_ids(ids),
            with_payload=True,
            with_vectors=[DENSE] if vectors else False,
        )
        records = [self._record(point) for point in found]
        return {record.id: record for record in records}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001  # a hook
        condition, more = FILTERS.condition(where.node), True
        offset: models.ExtendedPointId | None = None
        dimension = self.meta.spec.space.dimension
        size = max(1, min(_PAGE, _NUMBERS // dimension)) if vectors else _PAGE
        while more:
            page, offset = self._call(
                QdrantClient.scroll,
                scroll_filter=condition,
                limit=size,
                offset=offset,
                with_payload=True,
                with_vectors=[DENSE] if vectors else False,
            )
            yield from map(self._record, page)
            more = offset is not None

    def _count(self, where: Where) -> int:
        condition = FILTERS.condition(where.node)
        return int(self._call(QdrantClient.count, count_filter=condition, exact=True).count)

    def _facet(self, column: str, where: Where, most: int) -> dict[Column, int] | None:
        if not countable(column, self.schema):
            return None
        found = self._call(
            QdrantClient.facet,
            key=points.path(column),
            facet_filter=FILTERS.condition(where.node),
            limit=most,
            exact=True,
        )
        return {hit.value: hit.count for hit in found.hits if hit.count}

    # -- inside -------------------------------------------------------------------------------------------

    def _call(self, method: Callable[..., T], **arguments: object) -> T:
        """One of the client's methods on the opened collection, within the deadline."""
        name = self.meta.spec.name
        with self._using() as client:
            return method(client, collection_name=name, timeout=self._seconds(), **arguments)

    def _point(self, record: Record, schema: Schema) -> models.PointStruct:
        """What was checked already isn't validated again, which takes ten times as long."""
        vector: dict[str, Any] = {DENSE: self._dense(cast("Vector", record.content))}
        if self._words and (words := lexical.document(record.text)):
            vector[points.WORDS] = _sparse(words)
        return models.PointStruct.model_construct(
            id=points.point_id(record.id), vector=vector, payload=points.payload(record, schema)
        )

    def _record(self, point: models.Record) -> Record:
        vector = cast("dict[str, Vector]", point.vector)[DENSE] if point.vector else None
        return points.record(point.payload or {}, vector, self.schema)


def _ids(ids: Sequence[str]) -> list[models.ExtendedPointId]:
    return [points.point_id(id) for id in ids]


def _sparse(weights: lexical.Sparse) -> models.SparseVector:
    indices, values = points.sparse(weights)
    return models.SparseVector.model_construct(indices=indices, values=values)


def _using(request: CheckedRequest) -> str:
    return points.WORDS if isinstance(request.near, Lexical) else DENSE


def _read(text: object, name: str) -> dict[str, Any]:
    """A description that `_written` wrote."""
    try:
        return dict(json.loads(str(text)))
    except (TypeError, ValueError) as error:
        raise IntegrityError(
            f"the description of the collection {name!r} can't be read",
            hint=f"restore its metadata {_META!r}, or drop the collection and ingest again",
        ) from error


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
