"""The contract of rerankers. Adapters write the underscored hook; the rules live here.

Every line of a public method's docstring is a test of `polyreel.testing.reranker.RerankerContract`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, final

from .adapter import Adapter
from .embedder import HandOver
from .errors import InvalidQueryError, UnavailableError, UnsupportedError
from .media import Media, Modality
from .running import side_by_side

Document = Sequence[Media]
"""What a reranker sees of a candidate: its text, and perhaps its pictures."""


@dataclass(frozen=True, slots=True)
class Reranked:
    """How well documents fit a query.

    Args:
        scores: In the order of the documents; higher fits better.
        usage: What the provider counted, by its names.
        request_ids: The provider's ids of the calls.
    """

    scores: tuple[float, ...]
    usage: Mapping[str, float] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()


class Reranker(Adapter, ABC):
    """Looks at a query and a candidate together, which tells more than comparing their vectors.

    Its scores order candidates of one query and promise nothing more.
    """

    max_documents: ClassVar[int] = 50
    """Documents in one call."""
    at_once: int = 1
    """Calls that are on their way at once."""

    queries: Mapping[Modality, HandOver]
    """What a query may have."""
    documents: Mapping[Modality, HandOver]
    """What it wants to see of a candidate."""

    @final
    def rerank(self, query: Sequence[Media], documents: Sequence[Document]) -> Reranked:
        """A score for each document, in their order.

        - The document that fits better has the higher score; scores are finite.
        - A document's score doesn't depend on the documents beside it, nor on their order or number.
        - No documents have no scores, and nothing is sent.
        - No query, a document of nothing, or a text without a word in it, is `InvalidQueryError`.
        - A modality that `queries` or `documents` lacks is `UnsupportedError`, and nothing is sent.
        """
        self._check(query, self.queries, "query")
        for document in documents:
            self._check(document, self.documents, "document")
        step = self.max_documents
        batches = [documents[at : at + step] for at in range(0, len(documents), step)]
        calls = [partial(self._attempt, partial(self._scored, query, batch)) for batch in batches]
        return _joined(side_by_side(calls, self.at_once) if calls else [])

    # -- hooks --------------------------------------------------------------------------------------------

    @abstractmethod
    def _rerank(self, query: Sequence[Media], documents: Sequence[Document]) -> Reranked:
        """The scores of one batch of checked documents."""

    # -- inside -------------------------------------------------------------------------------------------

    def _check(self, media: Sequence[Media], known: Mapping[Modality, HandOver], what: str) -> None:
        if not media:
            raise InvalidQueryError(f"the {what} for {self.kind} to rerank is empty")
        for medium in media:
            if medium.modality not in known:
                raise UnsupportedError(
                    f"{self.kind} can't rerank a {what} with {medium.modality}",
                    hint=f"it takes {', '.join(known)}",
                )
            if medium.modality is Modality.TEXT and not (medium.text or "").strip():
                raise InvalidQueryError(f"a text of the {what} for {self.kind} to rerank is empty")

    def _scored(self, query: Sequence[Media], documents: Sequence[Document]) -> Reranked:
        found = self._rerank(query, documents)
        if len(found.scores) != len(documents) or not all(map(math.isfinite, found.scores)):
            raise UnavailableError(
                f"{self.kind} gave {len(found.scores)} scores for {len(documents)} documents, or no numbers",
                hint="try again later",
                request_id=next(iter(found.request_ids), None),
            )
        return found


def _joined(batches: Sequence[Reranked]) -> Reranked:
    usage: dict[str, float] = {}
    for batch in batches:
        for name, amount in batch.usage.items():
            usage[name] = usage.get(name, 0) + amount
    scores = tuple(score for batch in batches for score in batch.scores)
    return Reranked(scores, usage, tuple(id for batch in batches for id in batch.request_ids))
