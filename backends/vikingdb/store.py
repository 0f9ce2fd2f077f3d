"""VikingDB of Volcengine, API V2: a service that keeps vectors, or makes them of videos by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ...core.deadline import RetryPolicy
from ...core.embedder import Embedder
from ...core.errors import ConfigurationError, PolyreelError, UnsupportedError
from ...core.lowering import Never
from ...core.media import Media, Modality
from ...core.records import Record
from ...core.requests import (
    Answer,
    CheckedRequest,
    NearMedia,
    NearRecord,
    NearVector,
    Patch,
    Receipt,
    Where,
)
from ...core.secret import Secret
from ...core.space import CollectionMeta, CollectionSpec
from ...core.store import VectorStore
from . import forms, rows
from .confirming import Unconfirmed
from .control import Control
from .data import Asked, Data
from .embedder import VikingDBQueryEmbedder, usage
from .keyed import by_key
from .limits import MAX_LIMIT, Pace, Paces, Rates
from .making import Place
from .options import IndexOptions, IndexType, Vectorize
from .reading import Reader, parts
from .wire import Endpoints, Reply, Wire, keys_of, translate


class VikingDBStore(VectorStore):
    """Collections of one project at the service. Contract: `VectorStore`.

    Args:
        access_key: Signs the control plane, and the data plane where there is no API key.
        secret_key: Its secret.
        api_key: Of the data plane. Alone it opens a collection that is there and holds something.
        session_token: Of temporary keys.
        region: Such as `cn-beijing`.
        project: Where the account has several.
        partition: Part of the index to read; API V2 documents no way to make one.
        vectorize: The model that vectorizes, where the stack has no embedder.
        index: How the index is made.
        rates: What the account may do in a second.
        control_endpoint: Instead of the region's, such as `http://127.0.0.1:8080`.
        data_endpoint: The same for the data plane.
        timeout: Seconds for one public call, its retries included; the making of an index is one.
        patience: Seconds of silence after which one attempt counts as lost.
        poll: Seconds before the service is asked again whether an index serves.
        settle: Seconds that a write has to show in the index; it may be embedded in the background.
        retry: How retryable errors are tried again.
        clock: Of the pace; tests put their own here.
        sleep: The same.
    """

    kind = "vikingdb"
    forms = (forms.VECTORS, forms.MEDIA)

    def __init__(
        self,
        *,
        access_key: str | None = None,
        secret_key: Secret | None = None,
        api_key: Secret | None = None,
        session_token: Secret | None = None,
        region: str = "cn-beijing",
        project: str | None = None,
        partition: str | None = None,
        vectorize: Vectorize | None = None,
        index: IndexOptions | None = None,
        rates: Rates | None = None,
        control_endpoint: str | None = None,
        data_endpoint: str | None = None,
        timeout: float = 300.0,
        patience: float = 60.0,
        poll: float = 2.0,
        settle: float = 300.0,
        retry: RetryPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        keys = keys_of(access_key, secret_key, api_key, session_token)
        self._controls = keys is not None
        self._connect = partial(
            Wire,
            Endpoints.of(region, control_endpoint, data_endpoint),
            region=region,
            keys=keys,
            api_key=api_key.get_secret_value() if api_key else None,
            patience=patience,
        )
        self._project, self._partition, self._poll = project, partition, poll
        self.settles = settle
        self._index = index or IndexOptions()
        if self._index.type is IndexType.HNSW_HYBRID:
            raise ConfigurationError("hnsw_hybrid needs a sparse vector, which polyreel's collections lack")
        self._vectorize = vectorize or Vectorize()
        self.vectorizes = frozenset(self._vectorize.content)
        self.space = self._vectorize.space
        self._paces = Paces(rates or Rates(), partial(Pace, clock=clock, sleep=sleep))
        self._unconfirmed = Unconfirmed(poll)
        self._wire: Wire | None = None
        self._at: Place | None = None

    @property
    def control(self) -> Control:
        """The control plane, for what the contract doesn't have: bulk tasks, other collections, sizes."""
        return self._place.control

    @property
    def data(self) -> Data:
        """The data plane of the open collection, for what the contract doesn't have."""
        return self._place.data

    def query_embedder(self) -> Embedder | None:
        """Embeds query parts with the collection's model; None where the collection is handed vectors."""
        return self._embedder(self._retry) if self.meta.spec.media else None

    def _embedder(self, retry: RetryPolicy) -> VikingDBQueryEmbedder:
        turn = self._paces.vectorizing
        return VikingDBQueryEmbedder(self.data, self._vectorize, turn, timeout=self._timeout, retry=retry)

    # -- life ---------------------------------------------------------------------------------------------

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        self._close()
        self._wire = self._connect()
        data = Data(self._wire, spec.name, spec.name, self._project)
        self._at = Place(Control(self._wire, self._project, self._paces.control.turn), data, self._poll)
        stored = self._at.stored(self._index) if self._controls else by_key(data, spec)
        built = self._at.built() if stored and self._controls else {}
        self.can = forms.capabilities(spec, self._vectorize, self._index, built, keyed=not self._controls)
        return stored

    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        return self._place.make(spec, self._index, self._vectorize)

    def _add_fields(self, meta: CollectionMeta) -> None:
        self._place.widen(meta)

    def _drop(self) -> None:
        self._place.drop()

    def _close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = self._at = None

    # -- writing ------------------------------------------------------------------------------------------

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        spec = self.meta.spec
        batch = [rows.written(record, spec, self._vectorize.fps) for record in records]
        self._paces.vectorizing([one.content.modality for one in records if isinstance(one.content, Media)])
        ids = tuple(record.id for record in records)
        reply = self._writing(ids, lambda: self.data.upsert(batch))
        return Receipt(upserted=ids, usage=usage(reply.result), request_ids=_ids(reply))

    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        changed = rows.changes(patch, self.schema)
        known = list(self._reader.kept(ids))  # an unknown id would fail the whole call
        receipt = Receipt()
        for part in parts(known, self.can.max_batch):
            batch = [{rows.ID: id, **changed} for id in part]
            reply = self._writing(part, partial(self.data.update, batch))
            receipt += Receipt(upserted=tuple(part), request_ids=_ids(reply))
        return receipt

    def _delete(self, ids: Sequence[str]) -> Receipt:
        reply = self._writing(ids, lambda: self.data.delete(ids))
        return Receipt(deleted=tuple(ids), request_ids=_ids(reply))

    def _delete_where(self, where: Where) -> Receipt:
        late = self._unconfirmed.ids()
        self._confirm(late, self.settles)  # the index finds what is to go, and must know our own writes
        pages = self._reader.pages(where.node, (), lambda call: call())
        found = [id for page in pages for id, _ in page]
        return sum((self._delete(part) for part in parts(found)), start=Receipt())

    def _writing(self, ids: Sequence[str], call: Callable[[], Reply]) -> Reply:
        """A write, after which the index has something to catch up with, even where the reply is lost."""
        self._paces.rows.turn(len(ids))
        self._unconfirmed.add(ids)
        return call()

    def _wait(self, receipts: Sequence[Receipt], timeout: float) -> None:
        ids = {id for receipt in receipts for id in (*receipt.upserted, *receipt.deleted)}
        self._confirm(ids, timeout)

    def _confirm(self, ids: set[str], timeout: float) -> None:
        self._unconfirmed.confirm(ids, self._late, name=self.meta.spec.name, timeout=timeout)

    def _late(self, ids: Sequence[str]) -> set[str]:
        return self._translated(partial(self._reader.late, ids))

    # -- reading ------------------------------------------------------------------------------------------

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: CheckedRequest) -> Answer:
        near, node = request.near, request.where.node
        if isinstance(node, Never):
            return Answer(())
        limit = min(request.limit + isinstance(near, NearRecord), MAX_LIMIT)  # it may find itself
        asked = self._reader.asked(node, rows.readable(self.schema), limit)
        match near:
            case NearVector(vector):
                reply = self.data.search_vector(rows.numbers(vector), asked)
            case NearRecord(id):
                reply = self.data.search_id(id, asked)
            case NearMedia(media):
                return self._near_media(media, asked)
            case _:
                raise UnsupportedError(f"{self.can.form} has no lexical search")
        return self._reader.answer(reply, self.schema)

    def _near_media(self, media: Sequence[Media], asked: Asked) -> Answer:
        """One call where there is one medium of each kind; a series of media is embedded first."""
        kinds = [medium.modality for medium in media]
        if len(kinds) > len(set(kinds)):
            embedded = self._embedder(RetryPolicy(attempts=1)).embed_query(media)  # the base tries again
            reply = self.data.search_vector(rows.numbers(embedded.vector), asked)
            return self._reader.answer(reply, self.schema, {"token_usage": embedded.usage})
        self._paces.vectorizing(kinds)
        named = {one.modality.value: rows.address(one, self._vectorize.fps) for one in media}
        need = self._vectorize.instruct and Modality.TEXT in kinds
        asks = {"need_instruction": need} if self._vectorize.known.instructs else {}
        reply = self.data.search_multi_modal(asked, **asks, **named)  # type: ignore[arg-type]
        return self._reader.answer(reply, self.schema)

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001  # a hook
        kept = self._reader.kept(ids)
        made = self._reader.vectors(list(kept)) if vectors and kept else {}
        return {id: rows.record(id, columns, self.schema, made.get(id)) for id, columns in kept.items()}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001  # a hook
        # Each page is a call of its own, which the base's way of trying again fits as well.
        for page in self._reader.pages(where.node, rows.readable(self.schema), self._attempt):
            made: dict[str, list[float]] = {}
            for part in parts([id for id, _ in page]) if vectors else ():
                made |= self._attempt(partial(self._reader.vectors, part))
            for id, columns in page:
                yield rows.record(id, columns, self.schema, made.get(id))

    def _count(self, where: Where) -> int:
        return self._reader.count(where.node)

    # -- inside -------------------------------------------------------------------------------------------

    @property
    def _reader(self) -> Reader:
        return Reader(self.data, self.meta.spec.space.metric, self._paces.fetches, self._partition)

    @property
    def _place(self) -> Place:
        if self._at is None:
            raise ConfigurationError("this store is not open", hint="call open(spec, create=...) first")
        return self._at

    def _translate(self, error: Exception) -> PolyreelError | None:
        return translate(error)


def _ids(reply: Reply) -> tuple[str, ...]:
    return (reply.request_id,) if reply.request_id else ()
