"""A stack as it is used: its store is opened when it is first needed, and everything is closed once."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .caching import Caches
from .errors import InvalidQueryError, NotFoundError, UnsupportedError
from .manifest import Manifests
from .media import MediaTools
from .stack import Stack
from .staging import Staging
from .store import VectorStore

if TYPE_CHECKING:
    from .journal import Journal
    from .remotes import Downloads
    from .reranked import RerankingPlanner
    from .saving import Saver


class OpenStack:
    """What `VideoSearch` stands on: the parts of one stack, each made when it is needed. Safe for threads."""

    def __init__(self, stack: Stack, media: MediaTools, downloads: Downloads | None = None) -> None:
        self.stack = stack
        self._media = media
        self._downloads = downloads
        self._lock = threading.RLock()
        self._store: VectorStore | None = None
        self._journal: Journal | None = None
        self._caches: Caches | None = None
        self._answering: RerankingPlanner | None = None
        self._closed = False

    # -- life ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of files and connections; a second call does nothing."""
        with self._lock:
            self._closed = True
            self.stack.store.close()
            if self.stack.embedder:
                self.stack.embedder.close()
            if self.stack.reranker:
                self.stack.reranker.close()
            if self.stack.understanding:
                self.stack.understanding.close()
            self.stack.objects.close()
            if self._downloads:
                self._downloads.close()
            if self._journal:
                self._journal.close()
            if self._caches:
                self._caches.close()
            self._store = self._journal = self._caches = self._answering = None

    def __enter__(self) -> Self:
        """This object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    # -- inside -------------------------------------------------------------------------------------------

    def _opened(self, *, create: bool = False) -> VectorStore:
        with self._lock:
            self._check_not_closed()
            if self._store is None:
                self._open_store(create=create)
                self._store = self.stack.store
            return self._store

    def _open_store(self, *, create: bool) -> None:
        embedder = self.stack.embedder
        retired = embedder.retired if embedder and create else ""
        try:
            self.stack.store.open(self.stack.spec, create=create and not retired)
        except NotFoundError as error:
            if not retired:
                raise
            raise UnsupportedError(retired, hint="choose another model for a new collection") from error

    def _check_not_closed(self) -> None:
        if self._closed:
            raise InvalidQueryError("this VideoSearch is closed", hint="open it again with polyreel.open")

    def _opened_if_there(self) -> VectorStore | None:
        try:
            return self._opened()
        except NotFoundError:
            return None

    def _manifests(self) -> Manifests:
        return Manifests(self.stack.objects, self._opened().meta.uid)

    def _planner(self) -> RerankingPlanner:
        """The same one for all searches, as long as the stack is the same."""
        with self._lock:
            self._check_not_closed()
            if self._answering is None or self._answering.stack is not self.stack:
                self._answering = self._made_planner()
            return self._answering

    def _made_planner(self) -> RerankingPlanner:
        from .reranked import RerankingPlanner

        stack, store = self.stack, self._opened()
        caches = self._caches = self._caches or Caches.of(stack)
        return RerankingPlanner(
            store,
            stack.embedder,
            Staging(stack.objects),
            self._media,
            stack.recipe,
            caches.vectors,
            caches.answers,
            stack.levels,
            stack=stack,
        )

    def _saver(self) -> Saver:
        from .remotes import Fetcher
        from .saving import Saver

        return Saver(self._media, Fetcher(self.stack.objects, self._journalled(), self._downloads))

    def _journalled(self) -> Journal:
        from .journal import Journal

        with self._lock:
            self._check_not_closed()
            if self._journal is None:
                self._journal = Journal(
                    self.stack.state / f"{self.stack.name}-{self.stack.collection}.sqlite"
                )
            return self._journal
