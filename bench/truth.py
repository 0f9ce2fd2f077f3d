"""What exact search finds, and how much of it was found. Where two are alike, either is right."""

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

_ALIKE = 1e-6  # of two similarities, which engines work out in another order of single precision

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
            possible = sum(len(self._best(step, case, at)) for at, _ in answered)
            right = sum(self._right(step, case, at, rows) for at, rows in answered)
            if possible:
                yield Sample(name="recall", value=right / possible, unit="share", better="higher", case=case)

    def _right(self, step: str, case: str, query: int, rows: Sequence[int]) -> int:
        """How many of the rows are among the best, or as like the query as the last of these."""
        exact, found = self._best(step, case, query), set(rows)
        right = len(found & set(exact))
        if not exact or right == len(exact):
            return right
        query %= len(self._data.queries)
        most_like = self._data.most_like_of_video if step == "grouped" else self._data.like
        least, mask = most_like(query, exact[-1]) - _ALIKE, self._masks.get(case)
        others = (row for row in found - set(exact) if 0 <= row < len(self._data.stored))
        alike = sum((mask is None or bool(mask[row])) and most_like(query, row) >= least for row in others)
        return min(len(exact), right + alike)

    def _worked_out(self, step: str, case: str, query: int) -> tuple[int, ...]:
        query %= len(self._data.queries)
        if step == "grouped":
            return tuple(self._data.best_videos(query, self._limit))
        limit = self._limits[case] if step == "topk" else self._limit
        return tuple(self._data.best(query, limit, self._masks.get(case)))
