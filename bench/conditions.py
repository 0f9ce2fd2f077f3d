"""Fields to filter by and conditions of known selectivity: equal, range, list and nested.

Which records a condition matches has nothing to do with their vectors: the fields are drawn apart from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.fields import FieldType
from ..core.filters import F, Filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

FIELDS = {
    "rank": FieldType.INT,
    "share": FieldType.STRING,
    "marks": FieldType.STRINGS,
    "half": FieldType.STRING,
}
"""`rank`: 0 to n - 1, shuffled. `share`: one value for each selectivity, and `rest`. `marks`: those of the
selectivities that the record was drawn for. `half`: `yes` or `no`."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter, and which rows it matches.

    Args:
        shape: `equal`, `range`, `list` or `nested`.
        selectivity: The part of the records that it was made to match.
    """

    shape: str
    selectivity: float
    where: Filter
    mask: Mask

    @property
    def case(self) -> str:
        """For the results, such as `range 0.1%`."""
        return f"{self.shape} {self.selectivity * 100:g}%"


class Fields:
    """The values of the fields of all records, the same for the same seed."""

    def __init__(self, records: int, selectivities: Sequence[float], seed: int) -> None:
        rng = np.random.default_rng([seed, 2])
        self._selectivities = tuple(selectivities)
        self._rank = rng.permutation(records)
        ends = np.ceil(np.cumsum(selectivities) * records).astype(np.int64)
        self._share = np.searchsorted(ends, rng.permutation(records), side="right")
        drawn = rng.random((records, len(selectivities)))
        self._marks = drawn < np.asarray(selectivities)
        self._marks[rng.integers(0, records, len(selectivities)), np.arange(len(selectivities))] = True
        self._half = rng.random(records) < 0.5

    def of(self, row: int) -> dict[str, object]:
        """The fields of a record."""
        share = int(self._share[row])
        return {
            "rank": int(self._rank[row]),
            "share": f"share_{share}" if share < len(self._selectivities) else "rest",
            "marks": tuple(f"mark_{at}" for at in np.flatnonzero(self._marks[row])),
            "half": "yes" if self._half[row] else "no",
        }

    def conditions(self) -> Iterator[Condition]:
        """Every shape at every selectivity."""
        records = len(self._rank)
        for at, part in enumerate(self._selectivities):
            first = max(1, round(part * records))
            marked = self._marks[:, at]
            yield Condition("equal", part, F.share == f"share_{at}", self._share == at)
            yield Condition("range", part, F.rank < first, self._rank < first)
            yield Condition("list", part, F.marks.any(f"mark_{at}"), marked)
            nested = ((F.rank < first) | F.marks.any(f"mark_{at}")) & ~(F.half == "no")
            yield Condition("nested", part, nested, ((self._rank < first) | marked) & self._half)
