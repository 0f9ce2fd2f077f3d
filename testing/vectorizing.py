"""A store that takes media instead of vectors, as some services do, with any embedder behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..backends.memory import MemoryStore
from ..core.deadline import RetryPolicy
from ..core.embedder import Embedded, Embedder
from ..core.media import Media
from ..core.records import Record
from ..core.requests import Answer, CheckedRequest, NearMedia, NearVector, Receipt
from ..core.space import CollectionMeta, CollectionSpec


class VectorizingStore(MemoryStore):
    """The exact store in the embedder's space: records carry media, and queries are media or vectors.

    Args:
        embedder: Makes a vector of each medium with `embed_query`.
        path: As in `MemoryStore`.
        timeout: Seconds for one call, embedding included.
        retry: How retryable errors are tried again.
        proxies: Whether whole videos are vectorized.
        max_video_bytes: Largest video that is.
    """

    kind = "vectorizing"

    def __init__(
        self,
        embedder: Embedder,
        *,
        path: Path | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        proxies: bool = True,
        max_video_bytes: int | None = None,
    ) -> None:
        super().__init__(path=path, timeout=timeout, retry=retry)
        self.space = embedder.space
        self.vectorizes = frozenset(embedder.accepts)
        self._embedder = embedder
        self._proxies, self._max_video_bytes = proxies, max_video_bytes

    def query_embedder(self) -> Embedder:
        """The embedder itself."""
        return self._embedder

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        schemes = frozenset({"file"})
        able = replace(self.can, vectorizes=self.vectorizes, joint=self._embedder.joint, schemes=schemes)
        self.can = replace(able, proxies=self._proxies, max_video_bytes=self._max_video_bytes)
        return meta

    def _upsert(self, records: Sequence[Record]) -> Receipt:
        made = [self._embedded([_media(record)]) for record in records]
        rows = [replace(record, content=one.vector) for record, one in zip(records, made, strict=True)]
        costs = (Receipt(usage=one.usage) for one in made)
        return sum(costs, start=super()._upsert(rows))

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        return super()._search([self._by_vector(request) for request in requests])

    def _by_vector(self, request: CheckedRequest) -> CheckedRequest:
        if not isinstance(request.near, NearMedia):
            return request
        return replace(request, near=NearVector(self._embedded(request.near.parts).vector))

    def _embedded(self, parts: Sequence[Media]) -> Embedded:
        return self._embedder.embed_query([_local(part) for part in parts])


def _media(record: Record) -> Media:
    assert isinstance(record.content, Media), "the base lets nothing else into this collection"
    return record.content


def _local(medium: Media) -> Media:
    """The medium by its path, where it has a `file:` address."""
    address = urlsplit(medium.uri or "")
    if address.scheme != "file":
        return medium
    return replace(medium, path=Path(url2pathname(address.path)), uri=None)
