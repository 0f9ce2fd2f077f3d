"""The base of the rerankers: the contract over a small one, batches, retries, and answers that can't be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import PolyreelError, RateLimitedError, UnavailableError
from polyreel.core.media import Media, Modality
from polyreel.core.reranking import Reranked
from polyreel.testing.reranker import RerankerContract, WordReranker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyreel.core.reranking import Document, Reranker


class TestWords(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Iterator[Reranker]:
        with WordReranker() as reranker:
            yield reranker


def text(words: str) -> list[Media]:
    return [Media(Modality.TEXT, text=words)]


def test_documents_go_in_batches_whose_usage_is_added_up() -> None:
    reranker = WordReranker()
    found = reranker.rerank(text("a"), [text("a")] * 9)
    assert reranker.batches == [4, 4, 1]
    assert found.usage == {"documents": 9}
    assert found.request_ids == ("call-1", "call-2", "call-3")


def test_what_may_work_later_is_tried_again_and_then_raised() -> None:
    assert WordReranker(UnavailableError("gone"), RateLimitedError("busy")).rerank(
        text("a"), [text("a")]
    ).scores == (1.0,)
    with pytest.raises(UnavailableError, match="third"):
        WordReranker(*map(UnavailableError, ("first", "second", "third", "fourth"))).rerank(
            text("a"), [text("a")]
        )


class Broken(WordReranker):
    """Answers with too few scores, with none that is a number, or not at all."""

    def __init__(self, answer: Reranked | Exception) -> None:
        super().__init__()
        self._answer = answer

    def _rerank(self, query: Sequence[Media], documents: Sequence[Document]) -> Reranked:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def _translate(self, error: Exception) -> PolyreelError | None:
        return UnavailableError("the driver failed") if isinstance(error, OSError) else None


@pytest.mark.parametrize("scores", [(1.0,), (1.0, float("nan")), (1.0, 2.0, 3.0)])
def test_an_answer_without_a_score_for_each_document_is_none(scores: tuple[float, ...]) -> None:
    with pytest.raises(UnavailableError, match="scores for 2 documents") as caught:
        Broken(Reranked(scores, request_ids=("r-1",))).rerank(text("a"), [text("a"), text("b")])
    assert caught.value.request_id == "r-1"


def test_only_the_drivers_errors_are_translated() -> None:
    with pytest.raises(UnavailableError, match="the driver failed") as caught:
        Broken(OSError("no route")).rerank(text("a"), [text("a")])
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(KeyError):
        Broken(KeyError("ours")).rerank(text("a"), [text("a")])
