"""The contract of rerankers as tests, and a reranker for tests.

Authors of adapters inherit it, with one fixture:

    class TestMyReranker(RerankerContract):
        @pytest.fixture
        def reranker(self):
            with MyReranker() as reranker:
                yield reranker
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest

from ..core import lexical
from ..core.deadline import RetryPolicy
from ..core.embedder import HandOver
from ..core.errors import InvalidQueryError, RetryableError, UnsupportedError
from ..core.media import Media, Modality
from ..core.reranking import Document, Reranked, Reranker
from .gaps import Gaps

_QUERY = "a red ball bounces"
_DOCUMENTS = (
    "the quarterly figures of a bank",
    "a red ball bounces on a grey floor",
    "a blue boat",
    "the red ball keeps bouncing",
)
_BEST = 1


class RerankerContract(Gaps):
    """One test for each line of `core.reranking`. An author writes the fixture `reranker`."""

    @pytest.fixture
    def reranker(self) -> Iterator[Reranker]:
        """The reranker to test, which takes texts; every author writes it."""
        raise NotImplementedError("write the fixture reranker")

    def test_says_what_it_takes(self, reranker: Reranker) -> None:
        """Texts, at least, and a whole number of documents."""
        assert Modality.TEXT in reranker.queries
        assert Modality.TEXT in reranker.documents
        assert reranker.max_documents >= 1
        assert reranker.at_once >= 1

    def test_the_document_that_fits_better_has_the_higher_score(self, reranker: Reranker) -> None:
        """Scores are in the documents' order, and finite."""
        scores = reranker.rerank(_texts(_QUERY), list(map(_texts, _DOCUMENTS))).scores
        assert len(scores) == len(_DOCUMENTS)
        assert all(map(math.isfinite, scores))
        assert max(range(len(scores)), key=scores.__getitem__) == _BEST

    def test_a_score_does_not_depend_on_the_documents_beside_it(self, reranker: Reranker) -> None:
        """Neither on their order, nor on how many there are, also where they don't fit into one call."""
        together = dict(zip(_DOCUMENTS, self.scores(reranker, _DOCUMENTS), strict=True))
        assert self.scores(reranker, _DOCUMENTS[::-1]) == pytest.approx(list(together.values())[::-1])
        assert self.scores(reranker, _DOCUMENTS[1:2]) == pytest.approx([together[_DOCUMENTS[1]]])
        many = [_DOCUMENTS[number % 4] for number in range(2 * reranker.max_documents + 1)]
        assert self.scores(reranker, many) == pytest.approx([together[text] for text in many])

    def test_no_documents_have_no_scores(self, reranker: Reranker) -> None:
        """And nothing is sent."""
        assert reranker.rerank(_texts(_QUERY), []) == Reranked(())

    def test_what_says_nothing_is_refused(self, reranker: Reranker) -> None:
        """No query, a document of nothing, and a text without a word."""
        for query, document in (((), _texts("a")), (_texts("a"), ()), (_texts(" "), _texts("a"))):
            with pytest.raises(InvalidQueryError):
                reranker.rerank(query, [document])
        with pytest.raises(InvalidQueryError):
            reranker.rerank(_texts("a"), [_texts("a"), _texts("\n")])

    def test_what_it_does_not_take_is_refused(self, reranker: Reranker) -> None:
        """By name, before anything is sent."""
        for modality in set(Modality) - reranker.queries.keys():
            with pytest.raises(UnsupportedError, match=modality.value):
                reranker.rerank([_medium(modality)], [_texts("a")])
        for modality in set(Modality) - reranker.documents.keys():
            with pytest.raises(UnsupportedError, match=modality.value):
                reranker.rerank(_texts("a"), [_texts("a"), [_medium(modality)]])

    def test_closing_twice_is_fine(self, reranker: Reranker) -> None:
        """As of every adapter."""
        reranker.close()
        reranker.close()

    @staticmethod
    def scores(reranker: Reranker, texts: Sequence[str]) -> list[float]:
        """The scores of texts."""
        return list(reranker.rerank(_texts(_QUERY), list(map(_texts, texts))).scores)


class WordReranker(Reranker):
    """For tests: the share of a query's words that a document holds.

    Args:
        failures: What the first calls raise instead of answering.
    """

    kind: ClassVar[str] = "words"
    max_documents: ClassVar[int] = 4

    def __init__(self, *failures: RetryableError) -> None:
        super().__init__(retry=RetryPolicy(attempts=3, base=0.001, cap=0.002))
        self.queries = self.documents = {Modality.TEXT: HandOver(frozenset({"data"}))}
        self.batches: list[int] = []
        self._failures = list(failures)

    def _rerank(self, query: Sequence[Media], documents: Sequence[Document]) -> Reranked:
        if self._failures:
            raise self._failures.pop(0)
        self.batches.append(len(documents))
        wanted = _words(query)
        scores = tuple(len(wanted & _words(document)) / len(wanted) for document in documents)
        return Reranked(scores, {"documents": len(documents)}, (f"call-{len(self.batches)}",))


def _words(media: Sequence[Media]) -> set[object]:
    return {word for medium in media for word in lexical.query(medium.text or "")}


def _texts(text: str) -> list[Media]:
    return [Media(Modality.TEXT, text=text)]


def _medium(modality: Modality) -> Media:
    return Media(modality, uri="https://localhost/medium")
