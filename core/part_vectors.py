"""What the parts of a query are near: their vectors, made once, joined, summed, or left to the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from .asking import Run
from .cache_keys import parts_key
from .capabilities import Feature
from .embedder import Embedded, Embedder
from .errors import InvalidQueryError, NotFoundError, UnsupportedError
from .media import Media
from .query_cache import QueryCache
from .query_parts import Fusion, Part
from .records import Vector
from .requests import Near, NearMedia, NearRecord, NearVector
from .running import side_by_side
from .store import VectorStore

_NOTHING = 1e-6  # the length of a sum whose parts cancel each other out


@dataclass(frozen=True, slots=True)
class PartVectors:
    """Turns the parts of one query into what a store is asked.

    Args:
        run: Keeps the vectors, since making them may be paid for, and what they cost.
        kept: Those of earlier queries.
    """

    store: VectorStore
    embedder: Embedder | None
    run: Run
    kept: QueryCache | None = None

    def near(self, parts: Sequence[Part], fusion: Fusion) -> Near:
        """All parts as one."""
        return self._joint(parts) if fusion is Fusion.JOINT else self._sum(parts)

    def each(self, part: Part) -> Near:
        """One part alone."""
        if part.like is not None and not (self.embedder and self.embedder.asymmetric):
            known = Feature.NEAR_RECORD in self.store.can.features
            (self.run.native if known else self.run.planned).append("near record")
            return NearRecord(part.like)
        if part.media is not None and self.embedder is None:
            return NearMedia((part.media,))
        return NearVector(self.vector(part))

    def vector(self, part: Part) -> Vector:
        """The vector of a part, made once."""
        if part.name not in self.run.vectors:
            self.run.vectors[part.name] = self._made(part)
        return self.run.vectors[part.name]

    def known(self, part: Part) -> Vector | None:
        """The vector of a part where it costs nothing: made or kept before, or by a free embedder."""
        media, embedder = part.media, self.embedder
        if media is None or embedder is None or embedder.free or part.name in self.run.vectors:
            return self.vector(part)
        with self.run.timed("cache"):
            return self._known(embedder, self._key(embedder, [media]))

    def _joint(self, parts: Sequence[Part]) -> Near:
        media = tuple(part.media for part in parts if part.media)
        if len(media) < len(parts) or any(part.weight != 1.0 for part in parts):
            raise InvalidQueryError("fusion='joint' takes media without weights", hint="use fusion='sum'")
        if any(part.pieces for part in parts):
            raise InvalidQueryError(
                "a query video that is embedded in pieces can't be joined with other parts in one call",
                hint="use fusion='sum', or a span of it",
            )
        if self.embedder is None:
            return NearMedia(media)
        if len(parts) == 1:  # its likeness to hits needs the same vector, which isn't to be paid for twice
            return NearVector(self.vector(parts[0]))
        (vector,) = self._embedded(self.embedder, [media])
        return NearVector(vector)

    def _sum(self, parts: Sequence[Part]) -> Near:
        """The weighted sum of the parts' unit vectors; a single plain part needs none."""
        if len(parts) == 1 and parts[0].weight > 0:
            return self.each(parts[0])
        if len(parts) > 1:
            self.run.planned.append("summed vectors")
        total = _summed([(part.weight, self.vector(part)) for part in parts])
        if math.hypot(*total) < _NOTHING:
            raise InvalidQueryError("the parts of the query cancel each other out", hint="change the weights")
        return NearVector(total)

    def _made(self, part: Part) -> Vector:
        if part.vector is not None:
            return part.vector
        if part.like is not None:
            with self.run.timed("fetch"):
                return self._of_record(part.like)
        embedder = self.embedder or self.store.query_embedder()
        if embedder is None:
            raise UnsupportedError(
                f"{self.store.can.form} gives no vectors of query parts", hint="use fusion='joint'"
            )
        if not part.pieces:
            (vector,) = self._embedded(embedder, [[part.media] if part.media else []])
            return vector
        self.run.planned.append(f"{part.name} in {len(part.pieces)} pieces")
        vectors = self._embedded(embedder, [[piece.media] for piece in part.pieces])
        lengths = [float(piece.length) for piece in part.pieces]
        return _summed(list(zip(lengths, vectors, strict=True)))

    def _of_record(self, id: str) -> Vector:
        found = self.store.fetch([id], vectors=True).get(id)
        if found is None or found.content is None or isinstance(found.content, Media):
            raise NotFoundError(f"there is no record {id!r} with a vector")
        return self.embedder.query_of(found.content) if self.embedder else found.content

    def _embedded(self, embedder: Embedder, several: Sequence[Sequence[Media]]) -> list[Vector]:
        """A vector for each list of media: the one place where the media of queries are embedded."""
        with self.run.timed("cache"):
            keys = [self._key(embedder, media) for media in several]
            found = [self._known(embedder, key) for key in keys]
        missing = [media for media, vector in zip(several, found, strict=True) if vector is None]
        made = self._made_now(embedder, missing) if missing else []
        self.run.cached += len(several) - len(made)
        fresh = iter(embedded.vector for embedded in made)
        return [
            self._remembered(key, next(fresh)) if vector is None else vector
            for key, vector in zip(keys, found, strict=True)
        ]

    def _made_now(self, embedder: Embedder, several: Sequence[Sequence[Media]]) -> list[Embedded]:
        with self.run.timed("embed"):
            calls = [partial(embedder.embed_query, media) for media in several]
            made = side_by_side(calls, embedder.at_once)
        for embedded in made:
            self.run.count(embedded.usage, embedded.request_id)
        return made

    def _key(self, embedder: Embedder, media: Sequence[Media]) -> bytes | None:
        originals = [self.run.originals.get(each, each) for each in media]
        return parts_key(embedder, originals) if self.kept else None

    def _known(self, embedder: Embedder, key: bytes | None) -> Vector | None:
        return self.kept.get(key, embedder.space.dimension) if self.kept and key else None

    def _remembered(self, key: bytes | None, vector: Vector) -> Vector:
        if self.kept and key:
            with self.run.timed("cache"):
                self.kept.put(key, vector)
        return vector


def _summed(weighted: Sequence[tuple[float, Vector]]) -> list[float]:
    """The weighted sum of vectors, each at unit length."""
    import numpy as np  # here: a query of one part needs none

    rows = np.asarray([vector for _, vector in weighted], np.float64)
    scales = np.asarray([weight for weight, _ in weighted]) / np.linalg.norm(rows, axis=1)
    total: list[float] = (scales @ rows).tolist()
    return total
