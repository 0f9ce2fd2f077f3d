"""Qdrant's own engine in process (`qdrant-edge-py`): a folder for each collection, and no server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

import qdrant_edge
from qdrant_edge import (
    CountRequest,
    FacetRequest,
    FieldCondition,
    Filter,
    HasIdCondition,
    HasVectorCondition,
    MatchAny,
    MatchPrefix,
    MatchValue,
    Point,
    PointVectors,
    QuantizationSearchParams,
    Query,
    QueryBatchRequest,
    QueryRequest,
    RangeFloat,
    ScoredPoint,
    ScrollRequest,
    SearchParams,
    SearchRequest,
    SparseVector,
    UpdateOperation,
)

from ...core import lexical
from ...core.capabilities import Capabilities, Feature
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError, PolyreelError, UnsupportedError
from ...core.fields import Column, Schema
from ...core.records import Record, Text, Vector, floats
from ...core.requests import Answer, CheckedRequest, Lexical, Near, NearVector, Patch, Receipt, Where
from ...core.space import CollectionMeta, CollectionSpec
from ...core.store import VectorStore
from . import points
from .filters import Vocabulary
from .folder import CollectionFolder, translate
from .forms import EDGE
from .indexes import countable
from .options import Hnsw, Options, Quantization, checked_threads, oversampling

Asked = TypeVar("Asked", SearchRequest, QueryRequest)

_FILTERS = Vocabulary(
    every=lambda conditions: Filter(must=list(conditions)),
    some=lambda conditions: Filter(should=list(conditions)),
    no=lambda conditions: Filter(must_not=list(conditions)),
    equal=lambda key, value: FieldCondition(key, match=MatchValue(value)),
    among=lambda key, values: FieldCondition(key, match=MatchAny(values)),
    prefix=lambda key, text: FieldCondition(key, match=MatchPrefix(text)),
    within=lambda key, bounds: FieldCondition(key, range=RangeFloat(**bounds)),
    ids=lambda ids: HasIdCondition(set(ids)),
)
_WITH_WORDS = CountRequest(exact=True, filter=Filter(must=[HasVectorCondition(points.WORDS)]))
_DENSE = [""]  # the vectors that aren't words
_PAGE = 1000  # records of one read while scanning
_SMALL = 10_000  # vectors, which are compared in a few milliseconds; their index takes many seconds to build


class QdrantEdgeStore(VectorStore):
    """Collections in a folder, each open in one process at a time. Contract: `VectorStore`.

    Args:
        path: The folder of the collections; made when it is missing.
        hnsw: The graph that `optimize` builds.
        quantization: Search in the compressed vectors that `optimize` makes; scores are those of the whole.
        vectors_on_disk: Read vectors from the disk.
        payload_on_disk: Read all that isn't indexed from the disk.
        tenant: A declared string field by which nearly every search filters.
        lexical: Whether to keep the words of the records' texts, so that they are found; what is stored, or
            yes in a new collection, when it is None. Without them writing takes a fifth less.
        search_threads: That one search uses. With two, a search of one segment, which is what `optimize`
            makes of 100 000 records, takes half as long again (docs/benchmarks.md): they wait for each other.
        lock_wait: Seconds to wait for another process that has the collection open.
        timeout: Seconds for one public call, its retries included; what the engine is doing isn't cut short.
        retry: How a disk that fails for the moment is tried again.
    """

    kind = "qdrant"
    forms = (EDGE,)

    def __init__(
        self,
        *,
        path: Path,
        hnsw: Hnsw | None = None,
        quantization: Quantization | None = None,
        vectors_on_disk: bool | None = None,
        payload_on_disk: bool | None = None,
        tenant: str | None = None,
        lexical: bool | None = None,
        search_threads: int = 1,
        lock_wait: float = 10.0,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._path = Path(path).expanduser().absolute()
        self._options = Options(hnsw, quantization, vectors_on_disk, payload_on_disk, tenant, lexical)
        self._params = [SearchParams(hnsw_ef=self._options.ef, exact=exact) for exact in (False, True)]
        self._search_threads = checked_threads(search_threads)
        self._lock_wait = lock_wait
        self._opened: CollectionFolder | None = None

    # -- life ---------------------------------------------------------------------------------------------

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        self._close()
        self._options.check(spec)
        self._opened = CollectionFolder(
            self._path / spec.name,
            self._options,
            lock_wait=self._lock_wait,
            search_threads=self._search_threads,
        )
        meta = self._opened.load()
        self._take_stock()
        return meta

    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        if spec.media:
            raise UnsupportedError("Qdrant doesn't vectorize media", hint="use a stack with an embedder")
        meta = self._folder.make(spec)
        self._take_stock()
        return meta

    def _add_fields(self, meta: CollectionMeta) -> None:
        self._folder.keep(meta)

    def _flush(self) -> None:
        self._folder.shard.flush()

    def _optimize(self, progress: Callable[[float], None]) -> None:
        shard = self._folder.shard
        info = shard.info()
        # Vectors of words are indexed at once, and counted with the others.
        unindexed = info.points_count - (info.indexed_vectors_count - shard.count(_WITH_WORDS))
        if unindexed > _SMALL or (info.points_count > _SMALL and unindexed * 5 > info.points_count):
            progress(0.0)
            shard.optimize()
            shard.flush()
        progress(1.0)

    def _drop(self) -> None:
        self._folder.drop()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    # -- writing ------------------------------------------------------------------------------------------

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        schema, words = self.schema, self._folder.words
        batch = [_point(record, schema, words=words) for record in records]
        self._folder.writable.update(UpdateOperation.upsert_points(batch))
        return Receipt(upserted=tuple(record.id for record in records))

    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        shard, asked = self._folder.writable, map(points.point_id, ids)
        # The engine refuses a list of ids of which one is unknown.
        known = [found.id for found in shard.retrieve([*asked], with_payload=False, with_vector=False)]
        if known:
            shard.update(UpdateOperation.set_payload(known, points.changes(patch, self.schema)))
            if patch.text is not None and self._folder.words:
                shard.update(_rewording(known, patch.text))
        return Receipt(upserted=tuple(ids))

    def _delete(self, ids: Sequence[str]) -> Receipt:
        self._folder.shard.update(UpdateOperation.delete_points([points.point_id(id) for id in ids]))
        return Receipt(deleted=tuple(ids))

    def _delete_where(self, where: Where) -> Receipt:
        condition = _FILTERS.condition(where.node) or Filter()
        self._folder.shard.update(UpdateOperation.delete_points_by_filter(condition))
        return Receipt()

    # -- reading ------------------------------------------------------------------------------------------

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        shard, spec = self._folder.shard, self.meta.spec
        if len(requests) == 1:  # a batch copies the vector once more, and plans for what isn't asked here
            (request,) = requests
            return [points.answer(request.near, shard.search(self._asked(SearchRequest, request)), spec)]
        batch = QueryBatchRequest([self._asked(QueryRequest, request) for request in requests])
        answered = zip(requests, shard.query_batch(batch), strict=True)
        return [points.answer(request.near, found, spec) for request, found in answered]

    def _asked(self, kind: Callable[..., Asked], request: CheckedRequest) -> Asked:
        return kind(
            limit=request.limit,
            query=_nearest(request.near),
            filter=_FILTERS.condition(request.where.node),
            params=self._looking(request),
            with_payload=True,
        )

    def _looking(self, request: CheckedRequest) -> SearchParams:
        """Made anew only where vectors are compressed."""
        quantization = self._folder.quantization
        if quantization is None:
            return self._params[request.exact]
        more = QuantizationSearchParams(rescore=True, oversampling=oversampling(quantization, request.limit))
        return SearchParams(hnsw_ef=self._options.ef, exact=request.exact, quantization=more)

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001  # a hook
        found = self._folder.shard.retrieve(
            [points.point_id(id) for id in ids], with_payload=True, with_vector=_DENSE if vectors else False
        )
        records = [_record(point, self.schema) for point in found]
        return {record.id: record for record in records}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001  # a hook
        condition, offset, more = _FILTERS.condition(where.node), None, True
        while more:
            request = ScrollRequest(
                offset=offset,
                limit=_PAGE,
                filter=condition,
                with_payload=True,
                with_vector=_DENSE if vectors else False,
            )
            page, offset = self._folder.shard.scroll(request)
            for point in page:
                yield _record(point, self.schema)
            more = offset is not None

    def _count(self, where: Where) -> int:
        return self._folder.shard.count(CountRequest(exact=True, filter=_FILTERS.condition(where.node)))

    def _facet(self, column: str, where: Where, most: int) -> dict[Column, int] | None:
        if not countable(column, self.schema):
            return None
        request = FacetRequest(
            points.path(column), limit=most, exact=True, filter=_FILTERS.condition(where.node)
        )
        hits = self._folder.shard.facet(request).hits
        return {hit.value: hit.count for hit in hits if hit.count}  # the index remembers deleted values

    # -- inside -------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> CollectionFolder:
        if self._opened is None:
            raise ConfigurationError("this store is not open", hint="call open(spec, create=...) first")
        return self._opened

    def _take_stock(self) -> None:
        """Note what the collection can do, as it is or will be made."""
        features = EDGE.features if self._folder.words else EDGE.features - {Feature.LEXICAL}
        self.can = Capabilities(EDGE.name, features, version("qdrant-edge-py"))

    def _translate(self, error: Exception) -> PolyreelError | None:
        return translate(error, self._opened.path if self._opened else self._path)


def _point(record: Record, schema: Schema, *, words: bool) -> Point:
    vector: Any = floats(cast("Vector", record.content))
    if words and (found := lexical.document(record.text)):
        vector = {"": vector, points.WORDS: SparseVector(*points.sparse(found))}
    return Point(points.point_id(record.id), vector, points.payload(record, schema))


def _rewording(ids: Sequence[int | UUID | str], text: Text) -> UpdateOperation:
    """What gives records the words of another text."""
    words = lexical.document(text)
    if not words:
        return UpdateOperation.delete_vectors(list(ids), [points.WORDS])
    vector: Any = {points.WORDS: SparseVector(*points.sparse(words))}
    return UpdateOperation.update_vectors([PointVectors(id, vector) for id in ids])


def _nearest(near: Near) -> Query:
    if isinstance(near, NearVector):
        return Query.Nearest(floats(near.vector))
    words = cast("Lexical", near)  # the base resolves ids, and refuses media
    return Query.Nearest(SparseVector(*points.sparse(lexical.query(words.text))), using=points.WORDS)


def _record(point: qdrant_edge.Record | ScoredPoint, schema: Schema) -> Record:
    return points.record(cast("dict[str, Any]", point.payload), cast("Vector | None", point.vector), schema)
