"""Milvus as a vector store. Contract: `VectorStore`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from pymilvus.exceptions import MilvusException

from ...core.capabilities import Feature, Form
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError, PolyreelError, UnsupportedError
from ...core.locks import disk_error
from ...core.records import Record
from ...core.requests import Answer, CheckedRequest, Lexical, NearVector, Patch, Receipt, Where
from ...core.secret import Secret
from ...core.space import CollectionMeta, CollectionSpec
from ...core.store import VectorStore
from . import collection, comparing, errors, filtering, forms, lite, rows, searching, tuning
from .client import Client, Columns
from .connection import Address, Connection, ServerConnection, limit
from .expressions import EVERYTHING, after, among, expression
from .index import Index, active
from .rows import Layout

_PAGE = 4_096  # records of one read while scanning
_PAGE_BYTES = 8 << 20  # of their vectors, at most
_FEW = 512  # hits
_MOMENT = 0.2  # seconds until a search with too few hits is tried again


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
        tenant: A declared string field by which rows are kept apart; a search for one value reads its part.
        mmap: For a server from 2.4 on, whether it maps rows and indexes from its disk, which saves memory;
            what is stored, or the server's own choice, stays when it is None.
        lexical: Whether to keep the words of the records' texts, so that they are found; what is stored, or
            in a new collection what the form can, when it is None. Without them writing takes a quarter less.
        lock_wait: For Milvus Lite, seconds to wait for another process that has the file open.
        timeout: Seconds for one public call, its retries included.
        retry: How a service that fails for the moment is tried again.
    """

    kind = "milvus"
    forms = (forms.LITE, forms.SERVER, forms.CLOUD)

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
        mmap: bool | None = None,
        lexical: bool | None = None,
        lock_wait: float = 10.0,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._index = index or Index()
        self._tenant = tenant
        self._mmap = mmap
        self._lexical = lexical
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
        if self._path is not None and mmap is not None:
            raise ConfigurationError("mmap is a server's; Milvus Lite has none", hint="leave mmap out")
        if self._path is not None and not self._index.on_lite:
            raise ConfigurationError(
                f"Milvus Lite has no index of kind {self._index.kind!r}",
                hint="auto, flat, hnsw, ivf_flat or ivf_sq8",
            )
        self._connection: Connection | None = None
        self._layout = Layout(words=False, packs=False)
        self._columns: Columns = ()
        self._active = self._index
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
        with self._calling() as client:
            if self._tenant is not None:
                forms.check_tenant(self._form, self._version)
            words = self._lexical is not False and forms.finds_words(self._form, self._version)
            layout = Layout(words=words, packs=forms.packs_lists(self._form))
            collection.make(client, spec, layout, tenant=self._tenant, where=self._place)
        meta = self._loaded(spec)
        assert meta is not None  # it was made a moment ago
        return meta

    def _flush(self) -> None:
        if self._path is not None:
            with self._calling() as client:
                tuning.flush_lite(client, self._path, self.meta.spec.name)

    def _optimize(self, progress: Callable[[float], None]) -> None:
        with self._calling() as client:
            spec, written = self.meta.spec, self._written
            tuning.optimize(client, self._path, spec, self._index, written=written, progress=progress)
            self._written = 0
            self._take_stock(client, spec)
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
        made = [rows.row(record, spec.fields, self._layout) for record in records]
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
            self._write(client, [rows.changed(row, patch, spec.fields, self._layout) for row in stored])
        return Receipt(upserted=tuple(ids))

    def _write(self, client: Client, made: Sequence[rows.Row]) -> None:
        spec = self.meta.spec
        for piece in rows.pieces(made, spec.space.dimension):
            client.upsert_columns(spec.name, self._columns, piece, timeout=limit())
            self._written += len(piece)  # about: threads may write at once

    def _delete(self, ids: Sequence[str]) -> Receipt:
        with self._calling() as client:
            client.delete(self.meta.spec.name, filter=among(ids), timeout=limit())
        return Receipt(deleted=tuple(ids))

    def _delete_where(self, where: Where) -> Receipt:
        condition = self._expression(where) or EVERYTHING
        with self._calling() as client:
            client.delete(self.meta.spec.name, filter=condition, timeout=limit())
        return Receipt()

    # -- reading ------------------------------------------------------------------------------------------

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        for places in searching.batches(requests):
            answers.update(zip(places, self._found([requests[at] for at in places]), strict=True))
        return [answers[at] for at in range(len(requests))]

    def _found(self, alike: Sequence[CheckedRequest]) -> list[Answer]:
        """The answers to requests that differ in what they look for only, none of them short of hits.

        An index passes over deleted and filtered rows: where a query has only such around it, few hits come
        back, or none. So it is for a moment with a server that has just loaded a collection.
        """
        answers = self._asked(alike)
        short = self._short(alike, answers)
        if short and self._path is None:
            time.sleep(_MOMENT)
            answers = self._asked(alike)
            short = self._short(alike, answers)
        if short:
            first, metric = alike[0], self.meta.spec.space.metric
            queries = [cast("NearVector", alike[at].near).vector for at in short]
            exact = comparing.nearest(self._scan(first.where, vectors=True), queries, metric, first.limit)
            for at, answer in zip(short, exact, strict=True):
                answers[at] = answer
        return answers

    def _asked(self, alike: Sequence[CheckedRequest]) -> list[Answer]:
        with self._calling() as client:
            where = self._expression(alike[0].where)
            spec, sifting = self.meta.spec, forms.sifting(self._form)
            return searching.search(client, spec, self._active, alike, where, sifting=sifting)

    def _short(self, alike: Sequence[CheckedRequest], answers: Sequence[Answer]) -> list[int]:
        """The places of answers with fewer hits than there are records; of words, that is right.

        Lite isn't asked how many there are where few were found: that takes as long as to read them.
        """
        on_lite = self._path is not None
        if isinstance(alike[0].near, Lexical) or (on_lite and Feature.EXACT in self.can.features):
            return []
        few = {
            at: len(answer.hits) for at, answer in enumerate(answers) if len(answer.hits) < alike[at].limit
        }
        if not few or (on_lite and max(few.values()) <= _FEW):
            return [*few]
        count = self._count(alike[0].where)
        return [at for at, hits in few.items() if hits < count]

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001  # a hook
        found = self._page(among(ids), len(ids), vectors=vectors)
        return {record.id: record for record in found}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001  # a hook
        condition, last = self._expression(where), ""
        size = _PAGE
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
        condition = self._expression(where)
        with self._calling() as client:
            (row,) = client.query(self.meta.spec.name, condition, output_fields=counting, timeout=limit())
        return int(row["count(*)"])

    # -- inside -------------------------------------------------------------------------------------------

    def _expression(self, where: Where) -> str:
        return expression(where.node, packs=self._layout.packs)

    @property
    def _form(self) -> Form:
        if self._address is None:
            return forms.LITE
        return forms.CLOUD if self._address.is_zilliz else forms.SERVER

    @property
    def _version(self) -> str:
        return self._connection.version if self._connection else ""

    @property
    def _place(self) -> str:
        return self._address.shown if self._address else f"Milvus Lite at {self._path}"

    @contextmanager
    def _calling(self) -> Iterator[Client]:
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
            if self._mmap is not None:
                forms.check_mmap(self._form, self._version)
            if self._lexical:
                forms.check_words(self._form, self._version)
        else:
            assert self._path is not None  # the constructor saw to it
            self._connection = lite.LiteConnection(self._path, spec.name, lock_wait=self._lock_wait)
        return self._loaded(spec)

    def _loaded(self, spec: CollectionSpec) -> CollectionMeta | None:
        """What is stored of the collection, with its indexes, and in the server's memory."""
        with self._calling() as client:
            stored = collection.describe(client, spec.name, self._place)
            if stored is None:
                return None
            self._refuse_other(spec, stored)
            self._layout, self._columns = stored.layout, stored.columns
            index = tuning.first_index(self._index)
            kinds = filtering.kinds(self._form, self._version)
            collection.make_ready(client, stored.meta.spec, index, words=stored.layout.words, filtered=kinds)
            if self._mmap is not None and self._mmap != stored.mmap:
                collection.set_mmap(client, spec.name, mmap=self._mmap)
            tuning.load(client, spec.name, self._path)
            self._take_stock(client, spec)
        return stored.meta

    def _refuse_other(self, spec: CollectionSpec, stored: collection.Stored) -> None:
        """Refuse what can't be changed of a collection."""
        if stored.tenant != self._tenant:
            raise ConfigurationError(
                f"the tenant is {self._tenant!r}, the collection {spec.name!r} has {stored.tenant!r}",
                hint="name another collection in the stack, or go back to the stored tenant",
            )
        if self._lexical not in (None, stored.layout.words):
            raise ConfigurationError(
                f"lexical is {self._lexical}, the collection {spec.name!r} has {stored.layout.words}",
                hint="name another collection in the stack, or leave lexical out to use it as it is",
            )

    def _take_stock(self, client: Client, spec: CollectionSpec) -> None:
        """Note which index there is, and so what the store can do."""
        have = collection.index_type(client, spec.name)
        self._active = active(self._index, have, auto=forms.auto_index(self._form, self._version))
        dimension = spec.space.dimension
        self.can = forms.capabilities(
            self._form, self._version, dimension, words=self._layout.words, exact=have == "FLAT"
        )

    def _translate(self, error: Exception) -> PolyreelError | None:
        if isinstance(error, OSError):
            return disk_error(error, self._place)
        return errors.translate(error, self._place)
