"""Vectors to measure with, and the records that carry them: the same for the same seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.records import Record, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .conditions import Fields, Mask

    Vectors = NDArray[np.float32]

CLIPS = 10
"""Records of each video."""

_SPREAD = 0.6  # of a cluster, against the distance of the clusters' centres
_WORDS = "red dog cat tree house sea sky snow man woman car road city night day flower bird fish".split()
_CAPTION = 12  # words


@dataclass(frozen=True, slots=True)
class Data:
    """Vectors to store and vectors to ask with, both of unit length.

    Args:
        stored: One row a record.
        queries: One row a query; none of them is stored.
        source: What they are, in a few words.
    """

    stored: Vectors
    queries: Vectors
    source: str = "clustered"

    @classmethod
    def clustered(cls, records: int, dimension: int, *, queries: int = 100, seed: int = 1) -> Data:
        """Gaussian clusters, one for each hundred records or so; queries come from the same clusters."""
        rng = np.random.default_rng(seed)
        centres = rng.standard_normal((max(1, records // 100), dimension)).astype(np.float32)

        def drawn(count: int) -> Vectors:
            rows = centres[rng.integers(0, len(centres), count)]
            return unit(rows + _SPREAD * rng.standard_normal((count, dimension)).astype(np.float32))

        return cls(drawn(records), drawn(queries), f"clustered, seed {seed}")

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits over all vectors."""
        digest = hashlib.sha256(repr((self.stored.shape, self.queries.shape)).encode())
        digest.update(np.ascontiguousarray(self.stored).data)
        digest.update(np.ascontiguousarray(self.queries).data)
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write the vectors for the processes that measure."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "stored.npy", self.stored)
        np.save(folder / "queries.npy", self.queries)

    def best(self, query: int, limit: int, mask: Mask | None = None) -> list[int]:
        """The rows that are most like a query, by brute force; of the rows of a mask where one is given."""
        scores = self.stored @ self.queries[query]
        rows = np.arange(len(scores)) if mask is None else np.flatnonzero(mask)
        if limit < len(rows):
            rows = rows[np.argpartition(-scores[rows], limit)[:limit]]
        return [int(row) for row in rows[np.argsort(-scores[rows])]]

    def like(self, query: int, row: int) -> float:
        """How like a query a row is."""
        return float(self.stored[row] @ self.queries[query])

    def most_like_of_video(self, query: int, video: int) -> float:
        """How like a query the best record of a video is."""
        rows = self.stored[video * CLIPS : (video + 1) * CLIPS]
        return float((rows @ self.queries[query]).max()) if len(rows) else -1.0

    def best_videos(self, query: int, limit: int) -> list[int]:
        """The numbers of the videos whose best record is most like a query."""
        ranked = np.argsort(-(self.stored @ self.queries[query]))
        videos = dict.fromkeys(int(row) // CLIPS for row in ranked[: limit * CLIPS])
        return list(videos)[:limit]


def unit(rows: Vectors) -> Vectors:
    """Rows at length 1."""
    scaled: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def records(folder: Path, start: int, stop: int, fields: Fields, *, payload: bool) -> Iterator[Record]:
    """Records of the vectors that `Data.save` wrote, ten to a video.

    The file is mapped for as long as a piece of it is read, so that it doesn't count as the store's memory.
    """
    vectors = np.load(folder / "stored.npy", mmap_mode="r")[start:stop].tolist()
    for row, vector in enumerate(vectors, start):
        video, clip = divmod(row, CLIPS)
        yield Record(
            f"clip-{row:08d}",
            f"video-{video:08d}",
            f"file:///videos/{video}.mp4",
            start_ms=clip * 5000,
            end_ms=clip * 5000 + 5000,
            content=vector,
            text=_text(row) if payload else Text(),
            fields=fields.of(row),
            extra={"camera": video % 7, "note": _words(row, 4)} if payload else {},
        )


def row_of(id: str) -> int:
    """The row of a record by its id."""
    return int(id.rpartition("-")[2])


def _text(row: int) -> Text:
    return Text(title=_words(row // CLIPS, 4), caption=_words(row, _CAPTION))


def _words(seed: int, count: int) -> str:
    return " ".join(_WORDS[(seed * 7919 + at * (seed % 17 + 1)) % len(_WORDS)] for at in range(count))
