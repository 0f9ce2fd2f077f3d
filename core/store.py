"""The contract of vector stores. Adapters write the underscored hooks; the rules live here.

Every line of a public method's docstring is a test of `polyreel.testing.store.StoreContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, TypeVar, final

from .adapter import Adapter
from .capabilities import Capabilities, Feature, Form
from .checks import checked_id, checked_ids, checked_patch, checked_request, checked_where
from .deadline import time_left, within
from .errors import ConfigurationError, InvalidQueryError, NotFoundError, UnsupportedError
from .fields import BUILT_IN, Column, FieldType, Value, did_you_mean, from_column, shown
from .filters import ALL, F, Filter
from .lowering import Always
from .media import Modality
from .record_checks import checked_records
from .records import Hit, Record, Text
from .requests import (
    Answer,
    CheckedRequest,
    NearRecord,
    NearVector,
    Patch,
    Receipt,
    SearchRequest,
    Where,
)
from .scopes import Scopes, without
from .space import CollectionMeta, CollectionSpec, Space

if TYPE_CHECKING:
    from .embedder import Embedder

T = TypeVar("T")

_EVERYTHING = Where(ALL, Always())


class VectorStore(Adapter, ABC):
    """One collection of records in one engine.

    A store may be used from several threads once it is open. A hook is one attempt on one batch of checked
    input; it raises the driver's errors, which `_translate` maps.
    """

    forms: ClassVar[tuple[Form, ...]]

    can: Capabilities
    """What this instance can do; complete once it is open."""

    space: Space | None = None
    """The space in which the store vectorizes media by itself; None where it is handed vectors."""

    vectorizes: frozenset[Modality] = frozenset()
    """The modalities that it takes in place of vectors, when the stack has no embedder."""

    settles: float = 60.0
    """Seconds that `wait` gives writes to become searchable, where it isn't told how many."""

    written: object = None
    """Another one with every write through this instance: before it, after it, and once it is searchable."""

    _meta: CollectionMeta | None = None
    _scopes: Scopes
    _last_where: tuple[Filter | None, Where] = (None, _EVERYTHING)
    _last_narrowed: tuple[Where | None, Where] = (None, _EVERYTHING)

    # -- life ---------------------------------------------------------------------------------------------

    @final
    def open(self, spec: CollectionSpec, *, create: bool) -> None:
        """Connect to the collection, and make it when it is missing and `create` is set.

        - A missing collection without `create` is `NotFoundError`, and nothing is made.
        - A collection of another space is `ConfigurationError`, which names each part that differs.
        - A declared field whose stored type is another one is `ConfigurationError`.
        - A newly declared field is added where the engine can, else `UnsupportedError` says what to do.
        - Fields that the collection has and the spec has not stay declared.
        - A folder or file that another process holds is `LockedError`.
        """
        try:
            self._meta = self._reconciled(self._stored(spec, create=create), spec)
            self._scopes = Scopes()
            self._last_where = None, _EVERYTHING  # it was checked against other fields
        except BaseException:
            self.close()
            raise

    @property
    @final
    def meta(self) -> CollectionMeta:
        """The opened collection's identity and spec."""
        if self._meta is None:
            raise ConfigurationError(
                f"this {self.kind} store is not open", hint="call open(spec, create=...) first"
            )
        return self._meta

    @property
    @final
    def schema(self) -> Mapping[str, FieldType]:
        """The declared fields of the opened collection."""
        return self.meta.spec.fields

    @final
    def flush(self, *, timeout: float = 600.0) -> None:
        """Make all that was written survive a loss of power; takes `timeout` seconds at most."""
        self._check_open()
        self._patiently(self._flush, timeout)

    @final
    def optimize(self, *, progress: Callable[[float], None] | None = None, timeout: float = 7200.0) -> None:
        """Build the indexes that make searches fast, where that pays, and return when they serve.

        It pays where more than a fifth of the records, or more than 10 000, have none.

        Args:
            progress: Hears 0 to 1; nothing, or 1 alone, where there is nothing to do.
            timeout: Seconds that it may take.
        """
        self._check_open()
        self._patiently(lambda: self._optimize(progress or (lambda _: None)), timeout)

    @final
    def drop(self) -> None:
        """Delete the collection and all its records; the store is closed then."""
        self._check_open()
        self._attempt(self._drop)
        self.close()

    @final
    def close(self) -> None:
        """Let go of files and connections; a second call does nothing. A closed store refuses every call."""
        self._meta = None
        super().close()

    # -- writing ------------------------------------------------------------------------------------------

    @final
    def upsert(self, records: Iterable[Record]) -> Receipt:
        """Write records by id, in batches; a record replaces the stored one of its id whole.

        - The same call again changes nothing.
        - Of several records with one id the last wins.
        - A wrong record is `InvalidQueryError`, and no record of its batch is written.
        - After the return, `kill -9` of the process loses nothing; after `flush`, loss of power neither.
        """
        spec, source, receipts = self.meta.spec, iter(records), list[Receipt]()
        while batch := list(islice(source, self.can.max_batch)):
            last = {record.id: record for record in checked_records(batch, spec)}
            self._scopes.note(last.values())
            receipts.append(self._attempt_write(partial(self._upsert, list(last.values()))))
        return Receipt.of(receipts)

    @final
    def update_fields(
        self,
        ids: Sequence[str],
        *,
        fields: Mapping[str, object] | None = None,
        text: Text | None = None,
        uri: str | None = None,
    ) -> Receipt:
        """Replace the fields, the text or the address of records without embedding them again.

        - What isn't given stays; what is given replaces the stored value whole (`fields` with `extra`).
        - Vectors stay as they are.
        - Unknown ids are ignored.
        """
        self._check_open()
        known = checked_ids(ids)
        patch = checked_patch(self.schema, fields, text, uri)
        if patch == Patch() or not known:
            return Receipt()
        return self._in_batches(known, lambda part: self._update(part, patch))

    @final
    def delete(self, ids: Sequence[str] | None = None, *, where: Filter | None = None) -> Receipt:
        """Delete records by id or by filter.

        - Unknown ids are fine.
        - Exactly one of `ids` and `where` is given, else `InvalidQueryError`.
        """
        if (ids is None) == (where is None):
            raise InvalidQueryError("delete takes either ids or where")
        if ids is not None:
            return self._in_batches(checked_ids(ids), self._delete)
        checked = self._where(where if where is not None else ALL)
        return self._attempt_write(lambda: self._delete_where(checked))

    @final
    def wait(self, *receipts: Receipt, timeout: float | None = None) -> None:
        """Return once what the receipts name is searchable, and what they deleted is gone.

        Raises:
            UnavailableError: It isn't so after `timeout` seconds, which are `settles` when left out.
        """
        self._check_open()
        with within(self.settles if timeout is None else timeout):
            self._translated(lambda: self._wait(receipts, time_left()))
        self.written = object()

    # -- reading ------------------------------------------------------------------------------------------

    @final
    def search(self, requests: Sequence[SearchRequest]) -> list[Answer]:
        """Answer each request, in order.

        - Hits are sorted by score, best first; none is repeated, and there are at most `limit`.
        - A cosine is within `can.tolerance` of the exact one, in [-1, 1].
        - Only records that match `where` are found.
        - `min_score` is inclusive.
        - The record of a `NearRecord` is not among its hits; an unknown id is `NotFoundError`.
        - Hits carry no vectors.
        - A lean search finds the same, and may leave out all of a record but what places it.
        - Searching an empty collection finds nothing.
        """
        spec, can = self.meta.spec, self.can
        checked = [checked_request(each, self._narrowed(each.where), spec, can) for each in requests]
        if not checked:
            return []
        answers = self._attempt(partial(self._searched, checked))
        return [_final(request, answer) for request, answer in zip(requests, answers, strict=True)]

    @final
    def fetch(self, ids: Sequence[str], *, vectors: bool = False) -> dict[str, Record]:
        """Records by id; unknown ids are left out. Cosine stores may give vectors back at unit length."""
        found: dict[str, Record] = {}
        for part in self._parts(checked_ids(ids)):
            found |= self._attempt(partial(self._fetch, part, vectors))
        return found

    @final
    def scan(self, where: Filter = ALL, *, vectors: bool = False) -> Iterator[Record]:
        """Every record that matches, once, in no order, in bounded memory."""
        return self._each(self._scan(self._where(where), vectors))

    @final
    def count(self, where: Filter = ALL) -> int:
        """How many records match, exactly."""
        checked = self._where(where)
        return self._attempt(lambda: self._count(checked))

    @final
    def facet(self, name: str, where: Filter = ALL, *, most: int = 10_000) -> dict[Value, int] | None:
        """The values of a field among the records that match, with how many have each; in no order.

        - Only where `Feature.FACET` is claimed, else `UnsupportedError`; `core.facets` does it everywhere.
        - A record counts once for each value of a list.
        - None where the engine can't for this column, or where there are more than `most` values.
        """
        kind = {**self.schema, **BUILT_IN}.get(name)
        if kind is None:
            hint = did_you_mean(name, (*self.schema, *BUILT_IN))
            raise InvalidQueryError(f"there is no field {shown(name)}", hint=hint)
        if Feature.FACET not in self.can.features:
            raise UnsupportedError(
                f"{self.can.form} doesn't count values", hint="ask through VideoSearch.facets, which scans"
            )
        checked = self._where(where if name in BUILT_IN else where & F[name].exists())
        found = self._attempt(lambda: self._facet(name, checked, most + 1))
        if found is None or len(found) > most:
            return None
        element = FieldType.STRING if kind is FieldType.STRINGS else kind
        return {from_column(element, value): count for value, count in found.items()}

    def query_embedder(self) -> Embedder | None:
        """An embedder of the store's own space, where a store that vectorizes offers one."""
        return None

    # -- hooks --------------------------------------------------------------------------------------------

    @abstractmethod
    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        """Connect, set `can`, and return what is stored of the collection; None when it is missing."""

    @abstractmethod
    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        """Make the collection."""

    @abstractmethod
    def _upsert(self, records: Sequence[Record]) -> Receipt:
        """Write one batch of different ids."""

    @abstractmethod
    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        """Change stored records; unknown ids are ignored."""

    @abstractmethod
    def _delete(self, ids: Sequence[str]) -> Receipt:
        """Delete by id."""

    @abstractmethod
    def _delete_where(self, where: Where) -> Receipt:
        """Delete by condition."""

    @abstractmethod
    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        """Search; thresholds and excluded records are the base's."""

    @abstractmethod
    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001  # a hook
        """Read by id."""

    @abstractmethod
    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001  # a hook
        """Read all that match."""

    @abstractmethod
    def _count(self, where: Where) -> int:
        """Count all that match."""

    def _facet(self, column: str, where: Where, most: int) -> dict[Column, int] | None:
        """Count the values of a stored column, `most` of them; written where `Feature.FACET` is claimed."""
        return None

    @abstractmethod
    def _drop(self) -> None:
        """Delete the collection."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of everything; called more than once."""

    def _add_fields(self, meta: CollectionMeta) -> None:
        """Store the meta with its added fields; written where `Feature.ADD_FIELD` is claimed."""
        raise UnsupportedError(
            f"{self.can.form} can't add fields to the collection {meta.spec.name!r}",
            hint="move the records into a new collection with `polyreel copy`",
        )

    def _flush(self) -> None:
        """Nothing, where every write is already durable."""

    def _optimize(self, progress: Callable[[float], None]) -> None:
        """Nothing, where searches are always at full speed."""
        progress(1.0)

    def _wait(self, receipts: Sequence[Receipt], timeout: float) -> None:
        """Nothing, where writes are searchable at once."""

    # -- inside -------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        _ = self.meta  # refuses when the store is not open

    def _patiently(self, action: Callable[[], None], timeout: float) -> None:
        """As `_attempt`, with a deadline of its own: what an engine does with all its records takes long."""
        with within(timeout):
            self._retry.call(lambda: self._translated(action))

    def _stored(self, spec: CollectionSpec, *, create: bool) -> CollectionMeta:
        """What is stored of the collection, which is made when it may be."""
        if (stored := self._attempt(lambda: self._open(spec))) is not None:
            return stored
        if create:
            return self._attempt(lambda: self._create(spec))
        message = f"there is no collection {spec.name!r} in this store"
        raise NotFoundError(message, hint="ingest something first")

    def _each(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records of a scan, with the driver's errors translated; what was read can't be tried again."""
        while (record := self._once(lambda: next(records, None))) is not None:
            yield record

    def _in_batches(self, ids: list[str], action: Callable[[list[str]], Receipt]) -> Receipt:
        return Receipt.of([self._attempt_write(partial(action, part)) for part in self._parts(ids)])

    def _attempt_write(self, action: Callable[[], Receipt]) -> Receipt:
        """As `_attempt`, and tells whoever keeps answers."""
        self.written = object()
        try:
            return self._attempt(action)
        finally:
            self.written = object()

    def _parts(self, ids: list[str]) -> Iterator[list[str]]:
        self._check_open()
        size = self.can.max_ids or self.can.max_batch
        return (ids[at : at + size] for at in range(0, len(ids), size))

    def _where(self, where: Filter) -> Where:
        """The condition, checked; nearly all searches have the same one, which is kept."""
        schema = self.schema  # refuses when the store is not open
        given, known = self._last_where
        if where is not given:
            known = checked_where(where, schema, self.can)
            self._last_where = where, known
        return known

    def _narrowed(self, where: Filter) -> Where:
        """As `_where`, without what is known of every record."""
        if where is ALL:
            return _EVERYTHING
        known = self._where(where)
        if Feature.SHARED in self.can.features:
            return known
        scope = self._scopes.needless(known.filter, self.count)
        if scope is None:
            return known
        whole, narrowed = self._last_narrowed
        if whole is not known:
            narrowed = checked_where(without(known.filter, scope), self.schema, self.can)
            self._last_narrowed = known, narrowed
        return narrowed

    def _searched(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        return self._search(
            [
                self._resolved(each, each.near) if isinstance(each.near, NearRecord) else each
                for each in requests
            ]
        )

    def _resolved(self, request: CheckedRequest, near: NearRecord) -> CheckedRequest:
        """A search by id as a search by vector with one hit more, where the engine has no search by id.

        The record itself may fill a place of its video's group, and a group of the page.
        """
        found = self._fetch([checked_id(near.id)], vectors=True).get(near.id)
        if found is None:
            raise NotFoundError(f"there is no record {near.id!r}")
        if Feature.NEAR_RECORD in self.can.features:
            return request
        group = replace(request.group, size=request.group.size + 1) if request.group else None
        limit = min(request.limit + 1, self.can.max_limit)
        vector = NearVector(found.content)  # type: ignore[arg-type]  # fetched with its vector
        return replace(request, near=vector, limit=limit, group=group)

    def _reconciled(self, stored: CollectionMeta, spec: CollectionSpec) -> CollectionMeta:
        """The stored meta with newly declared fields."""
        _refuse_other(stored.spec, spec)
        new = {name: kind for name, kind in spec.fields.items() if name not in stored.spec.fields}
        if not new:
            return stored
        widened = replace(stored, spec=replace(stored.spec, fields={**stored.spec.fields, **new}))
        self._attempt(lambda: self._add_fields(widened))
        return widened


def _refuse_other(stored: CollectionSpec, spec: CollectionSpec) -> None:
    differences = spec.space.differences(stored.space)
    if spec.media != stored.media:
        differences.append("one vectorizes media itself, the other is handed vectors")
    for name, kind in spec.fields.items():
        was = stored.fields.get(name, kind)
        if was != kind:
            differences.append(f"field {name!r} is {kind.value}, stored {was.value}")
    if differences:
        raise ConfigurationError(
            f"the collection {spec.name!r} was made otherwise: {'; '.join(differences)}",
            hint="name another collection in the stack, or go back to the stored settings",
        )


def _final(request: SearchRequest, answer: Answer) -> Answer:
    """The answer without what was not asked for: the record itself, hits under the threshold."""
    hits = answer.hits
    if isinstance(request.near, NearRecord):
        itself = request.near.id
        hits = tuple(hit for hit in hits if hit.record.id != itself)
    if request.min_score is not None:
        floor = request.min_score
        hits = tuple(hit for hit in hits if hit.score >= floor)
    group = request.group
    hits = hits[: request.limit] if group is None else _of_videos(hits, request.limit, group.size)
    return answer if hits is answer.hits else replace(answer, hits=hits)


def _of_videos(hits: tuple[Hit, ...], limit: int, size: int) -> tuple[Hit, ...]:
    """The first hits of each of the first videos."""
    kept: list[Hit] = []
    counts: dict[str, int] = {}
    for hit in hits:
        count = counts.get(hit.video_id, 0)
        if count < size and (count or len(counts) < limit):
            counts[hit.video_id] = count + 1
            kept.append(hit)
    return tuple(kept)
