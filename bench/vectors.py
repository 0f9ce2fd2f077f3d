"""Vectors to measure with: clustered as real embeddings are, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.records import Record, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_SPREAD = 0.6  # of a cluster, against the distance of the clusters' centres
_CLIPS = 10  # of each video
_WORDS = "red dog cat tree house sea sky snow man woman car road city night day flower bird fish".split()


@dataclass(frozen=True, slots=True)
class Data:
    """Vectors to store and vectors to ask with, both of unit length.

    Args:
        stored: One row a record.
        queries: One row a query; none of them is stored.
    """

    stored: Vectors
    queries: Vectors

    @classmethod
    def clustered(cls, records: int, dimension: int, *, queries: int = 100, seed: int = 1) -> Data:
        """Gaussian clusters, one for each hundred records or so; queries come from the same clusters."""
        rng = np.random.default_rng(seed)
        centres = rng.standard_normal((max(1, records // 100), dimension)).astype(np.float32)

        def drawn(count: int) -> Vectors:
            rows = centres[rng.integers(0, len(centres), count)]
            rows = rows + _SPREAD * rng.standard_normal((count, dimension)).astype(np.float32)
            unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            return unit

        return cls(drawn(records), drawn(queries))

    def records(self) -> Iterator[Record]:
        """A record for each stored vector, ten to a video, with the video's title and two declared fields."""
        rng = np.random.default_rng(2)
        words = rng.integers(0, len(_WORDS), (len(self.stored) // _CLIPS + 1, 4))
        for n, vector in enumerate(self.stored.tolist()):
            start = n % _CLIPS * 5000
            yield Record(
                f"clip-{n:08d}",
                f"video-{n // _CLIPS:08d}",
                f"file:///videos/{n // _CLIPS}.mp4",
                start_ms=start,
                end_ms=start + 5000,
                content=vector,
                text=Text(title=" ".join(_WORDS[at] for at in words[n // _CLIPS])),
                fields={"year": 2000 + n % 25, "place": _WORDS[n % len(_WORDS)]},
            )

    def best(self, query: int, limit: int) -> list[int]:
        """The rows that are most like a query, by brute force."""
        scores = self.stored @ self.queries[query]
        first = np.argpartition(-scores, limit)[:limit] if limit < len(scores) else np.arange(len(scores))
        return [int(row) for row in first[np.argsort(-scores[first])]]
