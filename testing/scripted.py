"""A store whose hooks a test scripts, to see what the base does round them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..core.capabilities import Capabilities, Feature
from ..core.deadline import RetryPolicy
from ..core.errors import PolyreelError, UnavailableError
from ..core.fields import FieldType
from ..core.records import Record
from ..core.requests import Answer, CheckedRequest, Patch, Receipt, Where
from ..core.space import CollectionMeta, CollectionSpec, Space
from ..core.store import VectorStore

SPEC = CollectionSpec("base", Space("k", "m", "1", 2), {"year": FieldType.INT})
META = CollectionMeta("uid", SPEC)


def row(id: str, **parts: Any) -> Record:
    """A record that the collection takes."""
    return Record(**{"id": id, "video_id": "v", "uri": "u", "content": [1.0, 0.5], **parts})


class DriverError(Exception):
    """What the driver of a scripted store raises."""


class ScriptedStore(VectorStore):
    """Remembers the calls of its hooks in `calls`; each takes its answer or error from the front of `script`.

    Records with ids from `r` on are there to be fetched; `stored` is what `open` finds.
    """

    kind = "scripted"
    forms = ()

    def __init__(
        self,
        *,
        features: frozenset[Feature] = frozenset(),
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self.features = features
        self.script: list[Any] = []
        self.calls: list[tuple[Any, ...]] = []
        self.stored: CollectionMeta | None = META
        self.max_limit = 100

    def _turn(self, *call: object) -> Any:
        self.calls.append(call)
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _translate(self, error: Exception) -> PolyreelError | None:
        return UnavailableError(f"driver: {error}") if isinstance(error, DriverError) else None

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        self.can = Capabilities("scripted", self.features, "1", max_batch=3, max_limit=self.max_limit)
        self._turn("open", spec.name)
        return self.stored

    def _create(self, spec: CollectionSpec) -> CollectionMeta:
        self._turn("create", spec.name)
        return CollectionMeta("new", spec)

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        ids = tuple(record.id for record in records)
        self._turn("upsert", *ids)
        return Receipt(upserted=ids, usage={"calls": 1})

    def _update(self, ids: Sequence[str], patch: Patch) -> Receipt:
        self._turn("update", tuple(ids), patch)
        return Receipt(upserted=tuple(ids))

    def _delete(self, ids: Sequence[str]) -> Receipt:
        self._turn("delete", *ids)
        return Receipt(deleted=tuple(ids))

    def _delete_where(self, where: Where) -> Receipt:
        self._turn("delete where", where.filter)
        return Receipt()

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        answer = self._turn("search", *requests)
        return [Answer(tuple(answer or ())) for _ in requests]

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:  # noqa: FBT001 - a hook
        self._turn("fetch", tuple(ids), vectors)
        return {id: row(id) for id in ids if id.startswith("r")}

    def _scan(self, where: Where, vectors: bool) -> Iterator[Record]:  # noqa: FBT001 - a hook
        while (record := self._turn("scan")) is not None:
            yield record

    def _count(self, where: Where) -> int:
        return int(self._turn("count") or 0)

    def _drop(self) -> None:
        self._turn("drop")

    def _close(self) -> None:
        self.calls.append(("close",))

    def _wait(self, receipts: Sequence[Receipt], timeout: float) -> None:
        self._turn("wait", len(receipts), timeout)
