"""One stack under measurement: opened and filled in its own process, written to, and searched."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core.capabilities import Feature
from ..core.errors import UnavailableError
from ..core.filters import F, Filter
from ..core.records import Record
from ..core.requests import NearVector, SearchRequest
from ..core.result import Result
from ..core.search import VideoSearch
from ..core.store import VectorStore
from . import servers, vectors
from .asking import Ask
from .conditions import Fields
from .messages import Known
from .raw import Raw, direct
from .results import Sample
from .settings import VectorSettings
from .stacks import Chosen, opened

_SEARCHABLE = 300.0  # seconds until a written record must be found


class Subject:
    """A stack and its data.

    Args:
        chosen: The stack.
        settings: Of the suite.
        data: The folder with the vectors.
    """

    def __init__(self, chosen: Chosen, settings: VectorSettings, data: Path) -> None:
        self.chosen, self.settings, self._data = chosen, settings, data
        self.queries: list[list[float]] = np.load(data / "queries.npy").tolist()
        rows, self._dimension = np.load(data / "stored.npy", mmap_mode="r").shape
        self.records = int(rows)
        self.fields = Fields(self.records, settings.selectivities, settings.seed)
        self._remote = "url" in chosen.info().settings
        self._held = ExitStack()
        self._search: VideoSearch | None = None
        self._before: tuple[float, float] | None = None

    # -- life ---------------------------------------------------------------------------------------------

    def prepare(self, written: int, *, settled: bool) -> Known:
        """Open the collection, and bring it to where the steps that are done have left it; not measured.

        Args:
            written: Records that it must have.
            settled: Whether its indexes must be built.
        """
        self.chosen.store().close()  # loads the engine's package, whose memory isn't that of records
        self._before = servers.memory()
        self.open()
        if written and self.store.count() < written:
            for start in range(0, written, self.settings.chunk):
                self.write(start, min(written, start + self.settings.chunk))
            if settled:
                self.store.flush()
                self.store.optimize()
        can = self.store.can
        return Known(can.form, can.version, Feature.DURABLE in can.features)

    def open(self, *, create: bool = True) -> None:
        """Open the collection; what was open before is let go of with the rest."""
        self._search, _ = self._held.enter_context(opened(self.chosen, self._dimension, create=create))

    def drop(self) -> None:
        """Delete the collection."""
        self.store.drop()

    def close(self) -> None:
        """Let go of everything."""
        self._held.close()

    @property
    def search(self) -> VideoSearch:
        """Over the open collection."""
        assert self._search is not None  # prepared or opened before any step
        return self._search

    @property
    def store(self) -> VectorStore:
        """With the open collection."""
        return self.search.stack.store

    @cached_property
    def raw(self) -> Raw:
        """The engine's own calls on the open collection."""
        raw = direct(self.store, self.chosen.folder / "raw")
        self._held.callback(raw.close)
        return raw

    # -- writing ------------------------------------------------------------------------------------------

    def rows(self, start: int, stop: int) -> Iterator[Record]:
        """Records of the data, by their numbers."""
        return vectors.records(self._data, start, stop, self.fields, payload=self.settings.payload)

    def write(self, start: int, stop: int) -> tuple[float, float]:
        """Seconds to write, and from then on until the last record is found."""
        batch = list(self.rows(start, stop))
        began = time.perf_counter()
        receipt = self.store.upsert(batch)
        written = time.perf_counter() - began
        began = time.perf_counter()
        self.store.wait(receipt, timeout=_SEARCHABLE)
        self._await(batch[-1], began + _SEARCHABLE)
        return written, time.perf_counter() - began

    def taken(self) -> Iterator[Sample]:
        """Memory and disk; of a server the parent tells them."""
        gc.collect()  # of the pieces that were written
        now = servers.memory()
        if now and self._before and not self._remote:
            yield Sample(name="memory", value=now[0], unit="MiB")
            yield Sample(name="memory, grown", value=max(0.0, now[0] - self._before[0]), unit="MiB")
            yield Sample(name="memory, own", value=max(0.0, now[1] - self._before[1]), unit="MiB")
        place = self.chosen.folder / "store"
        if Feature.DURABLE in self.store.can.features and place.exists():
            yield Sample(name="disk", value=servers.size(place), unit="MiB")

    def _await(self, record: Record, end: float) -> None:
        near = NearVector(record.content)  # type: ignore[arg-type]  # it was made with a vector
        # A graph may miss it, and a file may hold the same vector many times: then among its video's.
        own = SearchRequest(near, where=F.video_id == record.video_id, limit=vectors.CLIPS)
        asked = (SearchRequest(near, limit=3), own)
        while not any(self._finds(record.id, each) for each in asked):
            if time.perf_counter() > end:
                raise UnavailableError(f"a written record isn't found after {_SEARCHABLE:g} s")
            time.sleep(0.01)

    def _finds(self, id: str, request: SearchRequest) -> bool:
        return id in {hit.id for hit in self.store.search([request])[0].hits}

    # -- searching ----------------------------------------------------------------------------------------

    def searched(
        self, number: int, *, limit: int, where: Filter | None = None, group_by: str | None = None
    ) -> Result:
        """What the query of this number finds."""
        vector = self.queries[number % len(self.queries)]
        return self.search.search(vector=vector, scope=None, limit=limit, where=where, group_by=group_by)

    def ask(self, *, limit: int, where: Filter | None = None) -> Ask:
        """Asks a query by its number, and gives the rows that it finds."""
        return lambda number: [
            vectors.row_of(hit.id) for hit in self.searched(number, limit=limit, where=where)
        ]
