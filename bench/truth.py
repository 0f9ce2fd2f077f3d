"""What exact search finds, and how much of it was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from .conditions import Fields
from .results import Sample
from .settings import VectorSettings
from .vectors import Data

if TYPE_CHECKING:
    from .conditions import Mask

Found = Mapping[str, Sequence[Sequence[int] | None]]


class Truth:
    """The exact answers to a suite's queries, each worked out when it is first needed."""

    def __init__(self, data: Data, settings: VectorSettings) -> None:
        self._data, self._limit = data, settings.limit
        fields = Fields(len(data.stored), settings.selectivities, settings.seed)
        self._masks: dict[str, Mask] = {each.case: each.mask for each in fields.conditions()}
        self._limits = {f"{limit} hits": limit for limit in settings.limits}
        self._best = cache(self._worked_out)

    def recall(self, step: str, found: Found) -> Iterator[Sample]:
        """The part of the exact answers that was found, over the queries that were answered."""
        for case, answers in found.items():
            answered = [(at, rows) for at, rows in enumerate(answers) if rows is not None]
            exact = {at: self._best(step, case, at) for at, _ in answered}
            possible = sum(len(rows) for rows in exact.values())
            hits = sum(len(set(rows) & set(exact[at])) for at, rows in answered)
            if possible:
                yield Sample(name="recall", value=hits / possible, unit="share", better="higher", case=case)

    def _worked_out(self, step: str, case: str, query: int) -> tuple[int, ...]:
        query %= len(self._data.queries)
        if step == "grouped":
            return tuple(self._data.best_videos(query, self._limit))
        limit = self._limits[case] if step == "topk" else self._limit
        return tuple(self._data.best(query, limit, self._masks.get(case)))
