"""A whole stack of the suite `video`, open, with a clock at each of its adapters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from .. import media
from ..core.errors import PolyreelError
from ..core.judgements import Judged
from ..core.report import IngestReport
from ..core.result import Result
from ..core.search import VideoSearch
from . import stacks
from .watching import EMBEDDER, MEDIA, OBJECTS, STORE, Clock, Watched

PARTS = ("probe", "hand over", "embed", "store")
"""Into which the time of an ingest splits up; what is left is `other`."""


class WholeStack:
    """A stack, open, with a clock at each of its adapters."""

    def __init__(self, chosen: stacks.Chosen) -> None:
        self.name, self.clock = chosen.name, Clock()
        stack = chosen.stack()

        def watched(inner: Any, parts: Mapping[str, str]) -> Any:
            return None if inner is None else Watched(inner, self.clock, parts)

        self.plain = stack.store
        stack = replace(
            stack,
            store=watched(stack.store, STORE),
            embedder=watched(stack.embedder, EMBEDDER),
            objects=watched(stack.objects, OBJECTS),
        )
        self.search = VideoSearch(stack, watched(media, MEDIA))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.search.close()

    def ingest(self, video: Path, workers: int) -> tuple[IngestReport, float, dict[str, float]]:
        """Take a video in: the report, the seconds, and how they split up."""
        before, began = dict(self.clock.seconds), time.perf_counter()
        report = self.search.ingest(video, workers=workers, optimize=False)
        spent = time.perf_counter() - began
        split = {part: self.clock.seconds[part] - before.get(part, 0.0) for part in PARTS}
        return report, spent, {**split, "other": max(0.0, spent - sum(split.values()))}

    def drop(self) -> None:
        """Delete all that was taken in, as far as that can be done: the figures are good without."""
        with suppress(PolyreelError):
            self.search.delete(*(manifest.video_id for manifest in self.search.videos()))
            self.plain.drop()

    def ask(self, judged: Judged) -> Result:
        """The answer to one query of the evaluation file."""
        (result,) = self.search.search_many([judged.query])
        return result
