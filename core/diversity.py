"""Hits that are unlike each other: maximal marginal relevance, and near-duplicates left out.

Maximal marginal relevance is that of Carbonell and Goldstein, SIGIR 1998: the next hit is the one with the
greatest `(1 - diversity) * relevance - diversity * likeness`, where likeness is the greatest cosine of its
vector with that of a hit before it. Relevance is the cosine with the query; any other score counts by its
place between the least and the greatest of the candidates, from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .asking import Asking, Run
from .errors import UnsupportedError
from .fusing import in_order
from .media import Media
from .ranking import OVERFETCH, POOL
from .records import Hit, ScoreKind
from .shape import Shape
from .store import VectorStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float64]

_ROUNDING = 1e-5
"""By which cosines of the same two vectors may differ, since engines keep float32."""

Candidates = Callable[[int], Asking[tuple[Hit, ...]]]


@dataclass(slots=True)
class Spreader:
    """Chooses among the candidates of one query, of which it needs the vectors."""

    store: VectorStore
    shape: Shape
    run: Run
    _vectors: dict[str, Rows] = field(default_factory=dict)

    def found(self, candidates: Candidates, wanted: int, seen: Sequence[Hit]) -> Asking[tuple[Hit, ...]]:
        """Hits in the order in which they are chosen; fewer than `wanted` where the data ends.

        Args:
            candidates: Gives the best that weren't shown, to a depth.
            wanted: Hits.
            seen: What was shown before, to which the hits shall be unlike, too.

        Raises:
            UnsupportedError: The store gives no vectors away.
        """
        if self.shape.diversity > 0:
            self.run.planned.append("diversity")
        if self.shape.distinct is not None:
            self.run.planned.append("near-duplicates")
        depth = max(wanted * OVERFETCH, POOL)
        while True:
            hits = in_order((yield from candidates(depth)))
            self._fetch([*seen, *hits])
            chosen = self._chosen(hits, wanted, seen)
            if len(chosen) >= wanted or len(hits) < depth or depth >= self.store.can.max_limit:
                return chosen
            depth = min(depth * 2, self.store.can.max_limit)

    def _fetch(self, hits: Sequence[Hit]) -> None:
        import numpy as np  # here: few searches need it

        missing = [hit.id for hit in hits if hit.id not in self._vectors]
        with self.run.timed("fetch"):
            found = self.store.fetch(missing, vectors=True)
        for id, record in found.items():
            if record.content is None or isinstance(record.content, Media):
                raise UnsupportedError(
                    f"{self.store.can.form} gives no vectors away, by which hits could be compared",
                    hint="leave diversity and distinct out",
                )
            row = np.asarray(record.content, np.float64)
            self._vectors[id] = row / np.linalg.norm(row)

    def _chosen(self, hits: Sequence[Hit], wanted: int, seen: Sequence[Hit]) -> tuple[Hit, ...]:
        import numpy as np

        hits = [hit for hit in hits if hit.id in self._vectors]  # one may have been deleted since
        if not hits:
            return ()
        rows = np.stack([self._vectors[hit.id] for hit in hits])
        shown = [self._vectors[hit.id] for hit in seen if hit.id in self._vectors]
        likeness = (rows @ np.stack(shown).T).max(axis=1) if shown else np.full(len(hits), -np.inf)
        relevance, left = _relevance(hits), np.ones(len(hits), bool)
        chosen: list[Hit] = []
        while len(chosen) < wanted:
            if self.shape.distinct is not None:
                left &= likeness < self.shape.distinct - _ROUNDING
            if not left.any():
                break
            at = self._next(relevance, likeness, left)
            left[at] = False
            chosen.append(hits[at])
            likeness = np.maximum(likeness, rows @ rows[at])
        return tuple(chosen)

    def _next(self, relevance: Rows, likeness: Rows, left: NDArray[np.bool_]) -> int:
        """The place of the best that is left; of equally good ones the first, which has the better score."""
        import numpy as np

        share = self.shape.diversity
        known = np.where(np.isfinite(likeness), likeness, 0.0)  # nothing is like the first of all
        gain = (1 - share) * relevance - share * known
        return int(np.argmax(np.where(left, gain, -np.inf)))


def _relevance(hits: Sequence[Hit]) -> Rows:
    import numpy as np

    scores = np.asarray([hit.score for hit in hits], np.float64)
    if hits[0].score_kind is ScoreKind.COSINE:
        return scores
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.ones(len(hits))
