"""Milvus as a vector store. Contract: `VectorStore`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from ...core import lexical
from ...core.capabilities import Capabilities, Feature, Form
from ...core.checks import SCORE_KIND
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError, PolyreelError, UnsupportedError
from ...core.lowering import Always
from ...core.records import Hit, Record, ScoreKind
from ...core.requests import Answer, CheckedRequest, Lexical, NearVector, Patch, Receipt, Where
from ...core.secret import Secret
from ...core.space import CollectionMeta, CollectionSpec
from ...core.store import VectorStore
from . import collection, errors, lite, rows, tuning
from .connection import Address, Connection, ServerConnection, limit, release
from .expressions import EVERYTHING, after, among, expression
from .index import METRICS, Index

_FEATURES = frozenset({Feature.PREFIX, Feature.DURABLE})
_LITE = Form(
    name="Lite, in process",
    configure="path",
    features=_FEATURES | {Feature.LEXICAL},
    tried="milvus-lite 3.2.2",
    notes="One process at a time. Searches are exact up to 10 000 records; beyond, `optimize` makes an HNSW.",
)
_SERVER = Form(
    name="server",
    configure="url (token, ca_file)",
    features=_FEATURES | {Feature.SHARED},
    tried="Milvus 2.3.5 standalone",
    notes="Servers from 2.4 on find words, too; none of them was tried.",
)
_CLOUD = Form(
    name="Zilliz Cloud",
    configure="url, token",
    features=_FEATURES | {Feature.SHARED, Feature.LEXICAL},
    tried="not tried",
    notes="The server's adapter, over TLS with a token.",
)
_WORDS_SINCE = (2, 4)  # sparse vectors, and more than one vector in a row
_WINDOW = 16_384  # rows of one search or query, and queries of one search (Milvus' limit)
_ANSWERS = 65_536  # hits in one message
_PAGE_BYTES = 8 << 20  # of vectors, in a page of a scan
_BATCH = 2_000  # records; measured to be written fastest


class MilvusStore(VectorStore):
    """One collection in Milvus: a file of Milvus Lite, a server, or Zilliz Cloud. Contract: `VectorStore`.

    A change of fields reads the records and writes them back: of two processes that change one record at the
    same moment, the later one's whole record stays.

    Args:
        path: For Milvus Lite, the file, which ends in `.db`; made when it is missing.
        url: For a server, its address: `http://host:19530`, or `https://` for TLS.
        token: `user:password`, or an API key of Zilliz Cloud.
        database: The server's database; empty for its default one.
        ca_file: PEM of who signed the server's certificate, where it isn't one that the system knows.
        server_name: The name in the server's certificate, where it isn't that of the url.
        index: How vectors are indexed.
        tenant: A declared string field by which the rows are kept apart; a search for one value reads its part only.
        lock_wait: For Milvus Lite, seconds to wait for another process that has the file open.
        timeout: Seconds for one public call, its retries included.
        retry: How a service that fails for the moment is tried again.
    """

    kind = "milvus"
    forms = (_LITE, _SERVER, _CLOUD)

    def __init__(
        self,
        *,
        path: Path | None = None,
        url: str | None = None,
        token: Secret | None = None,
        database: str = "",
        ca_file: Path | None = None,
        server_name: str | None = None,
        index: Index | None = None,
        tenant: str | None = None,
        lock_wait: float = 10.0,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._index = index or Index()
        self._tenant = tenant
        self._lock_wait = lock_wait
        self._path = lite.database(Path(path)) if path is not None else None
        self._address = Address(url, token, database, ca_file, server_name) if url is not None else None
        if (self._path is None) == (self._address is None):
            raise ConfigurationError(
                "Milvus takes either path or url", hint='path = "videos.db" needs no server'
            )
        if self._path is not None and (token or database or ca_file or server_name):
            raise ConfigurationError(
                "token, database, ca_file and server_name are a server's", hint="Lite takes a path"
            )
        if self._path is not None and not self._index.on_lite:
            raise ConfigurationError(
                f"Milvus Lite has no index of kind {self._index.kind!r}",
                hint="auto, flat, hnsw, ivf_flat or ivf_sq8",
            )
        self._connection: Connection | None = None
        self._words = False
        self._written = 0

    # -- life ---------------------------------------------------------------------------------------------

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        self._close()
        if self._path is not None and not self._path.exists():
            return None  # connecting would make it
        return self._connected(spec)

    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        if spec.media:
            raise UnsupportedError("Milvus doesn't vectorize media", hint="use a stack with an embedder")
        if self._connection is None:
            self._connected(spec)
        words = Feature.LEXICAL in self.can.features
        with self._calling() as client:
            collection.make(client, spec, tenant=self._tenant, words=words, where=self._place)
        meta = self._loaded(spec)
        assert meta is not None  # it was made a moment ago
        return meta

    def _flush(self) -> None:
        if self._path is not None:
            with self._calling() as client:
                tuning.flush_lite(client, self._path, self.meta.spec.name)

    def _optimize(self, progress: Callable[[float], None]) -> None:
        with self._calling() as client:
            if self._path is None:
                tuning.optimize_server(client, self.meta.spec, progress)
            else:
                tuning.optimize_lite(client, self._path, self.meta.spec, self._index, self._written)
            self._written = 0
            self.can = self._capabilities(client, self.meta.spec.name)
        progress(1.0)

    def _drop(self) -> None:
        with self._calling() as client:
            client.drop_collection(self.meta.spec.name, timeout=limit())

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # -- writing ------------------------------------------------------------------------------------------

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        spec = self.meta.spec
        made = [rows.row(record, spec.fields, spec.space.metric, words=self._words) for record in records]
        with self._calling() as client:
            self._write(client, made)
        return Receipt(upserted=tuple(record.id for record in records))

    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        spec = self.meta.spec
        columns = [*rows.output_fields(spec.fields), rows.VECTOR]
        with self._calling() as client:
            stored = client.query(
                spec.name, among(ids), output_fields=columns, limit=len(ids), timeout=limit()
            )
            self._write(client, [rows.changed(row, patch, spec.fields, words=self._words) for row in stored])
        return Receipt(upserted=tuple(ids))

    def _write(self, client: MilvusClient, made: Sequence[rows.Row]) -> None:
        spec = self.meta.spec
        for piece in rows.pieces(made, spec.space.dimension):
            client.upsert(spec.name, piece, timeout=limit())
            self._written += len(piece)

    def _delete(self, ids: Sequence[str]) -> Receipt:
        with self._calling() as client:
            client.delete(self.meta.spec.name, filter=among(ids), timeout=limit())
        return Receipt(deleted=tuple(ids))

    def _delete_where(self, where: Where) -> Receipt:
        with self._calling() as client:
            client.delete(self.meta.spec.name, filter=expression(where.node) or EVERYTHING, timeout=limit())
        return Receipt()

    # -- reading ------------------------------------------------------------------------------------------

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        for alike in _batches(requests):
            found = self._searched([requests[at] for at in alike])
            answers.update(zip(alike, found, strict=True))
        return [answers[at] for at in range(len(requests))]

    def _searched(self, alike: Sequence[CheckedRequest]) -> Iterator[Answer]:
        """The answers to requests that differ in what they look for only, by one call."""
        spec, first = self.meta.spec, alike[0]
        by_words = isinstance(first.near, Lexical)
        data = [_sought(request, spec) for request in alike]
        with self._calling() as client:
            found = client.search(
                spec.name,
                data=data,
                anns_field=rows.WORDS if by_words else rows.VECTOR,
                filter=expression(first.where.node),
                limit=first.limit,
                output_fields=rows.output_fields(spec.fields),
                search_params=self._parameters(first, spec),
                timeout=limit(),
            )
        kind = ScoreKind.WEIGHTED if by_words else SCORE_KIND[spec.space.metric]
        return (self._answer(hits, kind) for hits in found)

    def _parameters(self, request: CheckedRequest, spec: CollectionSpec) -> dict[str, Any]:
        if isinstance(request.near, Lexical):
            return {"metric_type": "IP", "params": {}}
        return {"metric_type": METRICS[spec.space.metric], "params": self._index.search(request.limit)}

    def _answer(self, found: Sequence[Mapping[str, Any]], kind: ScoreKind) -> Answer:
        schema = self.schema
        hits = [Hit(rows.record(hit["entity"], schema), _score(hit["distance"], kind), kind) for hit in found]
        return Answer(tuple(sorted(hits, key=lambda hit: (-hit.score, hit.id))))

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001  # a hook
        found = self._page(among(ids), len(ids), vectors=vectors)
        return {record.id: record for record in found}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001  # a hook
        condition, last = expression(where.node), ""
        size = _WINDOW
        if vectors:
            size = max(100, min(size, _PAGE_BYTES // (4 * self.meta.spec.space.dimension)))
        page: list[Record] = []
        while not last or len(page) == size:
            page = self._page(after(last, condition), size, vectors=vectors, ordered=True)
            yield from page
            last = page[-1].id if page else last or "-"

    def _page(self, condition: str, size: int, *, vectors: bool, ordered: bool = False) -> list[Record]:
        """So many records that match; ordered, the first of them by id."""
        spec = self.meta.spec
        columns = rows.output_fields(spec.fields) + ([rows.VECTOR] if vectors else [])
        order = {"iterator": "True"} if ordered else {}
        with self._calling() as client:
            found = client.query(
                spec.name, condition, output_fields=columns, limit=size, timeout=limit(), **order
            )
        return [rows.record(row, spec.fields) for row in found]

    def _count(self, where: Where) -> int:
        counting = ["count(*)"]
        with self._calling() as client:
            condition = "" if isinstance(where.node, Always) else expression(where.node)
            (row,) = client.query(self.meta.spec.name, condition, output_fields=counting, timeout=limit())
        return int(row["count(*)"])

    # -- inside -------------------------------------------------------------------------------------------

    @property
    def _place(self) -> str:
        return self._address.shown if self._address else f"Milvus Lite at {self._path}"

    @contextmanager
    def _calling(self) -> Iterator[MilvusClient]:
        """The client, for one call or some that belong together."""
        connection = self._connection
        if connection is None:
            raise ConfigurationError("this store is not open", hint="call open(spec, create=...) first")
        with connection.alone():
            try:
                yield connection.client
            except MilvusException as error:
                if self._meta is not None and errors.is_not_loaded(error):  # a restarted server may forget it
                    connection.client.load_collection(self._meta.spec.name, timeout=limit())
                raise

    def _connected(self, spec: CollectionSpec) -> CollectionMeta | None:
        """Connect, and load the collection if it is there."""
        if self._address is not None:
            self._connection = ServerConnection(self._address)
        else:
            assert self._path is not None  # the constructor saw to it
            self._connection = lite.LiteConnection(self._path, spec.name, lock_wait=self._lock_wait)
        with self._calling() as client:
            self.can = self._capabilities(client, None)
        return self._loaded(spec)

    def _loaded(self, spec: CollectionSpec) -> CollectionMeta | None:
        """What is stored of the collection, with its indexes, and in the server's memory."""
        with self._calling() as client:
            stored = collection.describe(client, spec.name, self._place)
            if stored is None:
                return None
            if stored.tenant != self._tenant:
                raise ConfigurationError(
                    f"the store's tenant is {self._tenant!r}, the collection {spec.name!r} has {stored.tenant!r}",
                    hint="name another collection in the stack, or go back to the stored tenant",
                )
            self._words = stored.words
            index = tuning.first_index(self._index, on_lite=self._path is not None)
            collection.make_ready(client, stored.meta.spec, index, words=stored.words)
            tuning.load(client, spec.name, self._path)
            self.can = self._capabilities(client, spec.name)
        return stored.meta

    def _capabilities(self, client: MilvusClient, name: str | None) -> Capabilities:
        """What this form, version and collection can do; without a name, what a new collection could."""
        connection = self._connection
        assert connection is not None  # inside a call
        if self._address is None:
            form, found = _LITE, set(_LITE.features)
        else:
            form = _CLOUD if self._address.is_zilliz else _SERVER
            found = set(form.features) | (
                {Feature.LEXICAL} if release(connection.version) >= _WORDS_SINCE else set()
            )
        if name is not None:
            found -= set() if self._words else {Feature.LEXICAL}
            found |= {Feature.EXACT} if collection.index_type(client, name) == "FLAT" else set()
        return Capabilities(
            form.name, frozenset(found), connection.version, max_batch=_BATCH, flush_each=False
        )

    def _translate(self, error: Exception) -> PolyreelError | None:
        return errors.translate(error, self._place)


def _batches(requests: Sequence[CheckedRequest]) -> list[list[int]]:
    """Places of requests that one call can answer: alike but in what they look for."""
    alike: dict[tuple[object, ...], list[list[int]]] = {}
    for at, request in enumerate(requests):
        key = (isinstance(request.near, Lexical), request.where.node, request.limit)
        found = alike.setdefault(key, [[]])
        if len(found[-1]) >= max(1, min(_WINDOW, _ANSWERS // request.limit)):
            found.append([])
        found[-1].append(at)
    return [batch for batches in alike.values() for batch in batches]


def _sought(request: CheckedRequest, spec: CollectionSpec) -> list[float] | dict[int, float]:
    if isinstance(request.near, Lexical):
        return dict(lexical.query(request.near.text))
    near = cast("NearVector", request.near)  # the base resolves ids, and refuses media
    return rows.vector(near.vector, spec.space.metric)


def _score(score: float, kind: ScoreKind) -> float:
    """A similarity, higher for better; Milvus gives L2 as the square of the distance."""
    if kind is ScoreKind.NEG_L2:
        return 0.0 - math.sqrt(max(score, 0.0))
    return max(-1.0, min(1.0, score)) if kind is ScoreKind.COSINE else score
