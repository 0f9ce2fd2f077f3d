"""What is said of the hits of a page beside their scores: likeness to each part, and confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import lexical
from .embedder import Embedder
from .fusing import likeness
from .levels import Levels, medium_alone
from .media import Modality
from .part_vectors import PartVectors
from .query_parts import Part
from .records import Confidence, Hit, ScoreKind
from .store import VectorStore

Said = Callable[[Hit], dict[str, float]]
"""The likeness of a hit to each part."""


@dataclass(frozen=True, slots=True)
class Appraiser:
    """Looks at the hits of one query again.

    Args:
        levels: The stack's own, before those of the embedder.
    """

    store: VectorStore
    embedder: Embedder | None
    parts: Sequence[Part]
    vectors: PartVectors
    levels: Mapping[Modality, Levels]

    def appraised(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        """The hits, and what they are made of, with what can be said of each."""
        said, levels = self._said(hits), self._levels()
        return tuple([_appraised(hit, said, levels) for hit in hits])

    # -- likeness -----------------------------------------------------------------------------------------

    def _said(self, hits: Sequence[Hit]) -> Said:
        """The likeness of each hit to each part; where there is only one part, that is its score."""
        if self._scores_are_likeness(hits):
            name = self.parts[0].name
            return lambda hit: {name: hit.score}
        every = {each.id: each for hit in hits for each in (hit, *hit.members)}
        found = dict(zip(every, self._compared([*every.values()]), strict=True))
        return lambda hit: found[hit.id]

    def _compared(self, hits: Sequence[Hit]) -> list[dict[str, float]]:
        dense = [part for part in self.parts if not part.words]
        words = {part.name: lexical.query(part.words) for part in self.parts if part.words}
        found = self._likeness(hits, dense)
        for hit, similarity in zip(hits, found, strict=True):
            held = lexical.document(hit.record.text) if words else {}
            similarity |= {name: lexical.score(held, query) for name, query in words.items()}
        return found

    def _scores_are_likeness(self, hits: Sequence[Hit]) -> bool:
        alone = len(self.parts) == 1 and self.parts[0].weight > 0
        return alone and (not hits or hits[0].score_kind is not ScoreKind.RRF)  # all have the same kind

    def _likeness(self, hits: Sequence[Hit], parts: Sequence[Part]) -> list[dict[str, float]]:
        """The cosines of the hits with the parts whose vectors are known; none where the store gives none."""
        run = self.vectors.run
        unmade = any(part.media and part.name not in run.vectors for part in parts)
        if not hits or not parts or (self.embedder is None and unmade):  # each would be paid for
            return [{} for _ in hits]
        known = {part.name: self.vectors.known(part) for part in parts}
        vectors = {name: vector for name, vector in known.items() if vector is not None}
        if not vectors:
            return [{} for _ in hits]
        with run.timed("fetch"):
            stored = self.store.fetch([hit.id for hit in hits], vectors=True)
        found = (stored.get(hit.id) for hit in hits)  # one may have been deleted since
        return likeness([record.content if record else None for record in found], vectors)

    def _levels(self) -> Levels | None:
        """What is known of cosines with one medium; of all else nothing is."""
        medium = medium_alone(self.parts)
        if medium is None:
            return None
        measured = self.embedder.levels if self.embedder else {}
        return self.levels.get(medium) or measured.get(medium)


def _appraised(hit: Hit, said: Said, levels: Levels | None) -> Hit:
    similarity = said(hit)
    confidence = None if levels is None else _confidence(hit, levels)
    if not hit.members:
        return Hit.bare(hit.record, hit.score, hit.score_kind, similarity, confidence)
    members = tuple(_appraised(member, said, levels) for member in hit.members)
    return replace(hit, similarity=similarity, confidence=confidence, members=members)


def _confidence(hit: Hit, levels: Levels) -> Confidence | None:
    return levels.confidence(hit.score) if hit.score_kind is ScoreKind.COSINE else None
