"""Searching for words: which records are found, in what order, and that writes are followed."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from typing import Any

import pytest

from ...core import lexical
from ...core.capabilities import Feature
from ...core.errors import InvalidQueryError
from ...core.filters import F
from ...core.records import ScoreKind, Text
from ...core.requests import Answer, Group, Lexical, SearchRequest
from ...core.store import VectorStore
from .base import StoreTests, require

_TEXTS = {
    "title": Text(title="Red ball on the beach"),
    "tags": Text(tags=("red", "kite")),
    "caption": Text(caption="A dog's ball, in the tall grass"),
    "transcript": Text(transcript="we went to the harbour"),
    "chinese": Text(title="一只小狗在海滩上", tags=("红色",)),
    "long": Text(caption="ball " + " ".join(f"word{n}" for n in range(60))),
    "none": Text(),
    "folded": Text(title="ＣＡＦÉ"),
}


class WordingTests(StoreTests):
    """`search` near `Lexical`."""

    @pytest.fixture
    def worded(self, store: VectorStore) -> VectorStore:
        """A store with texts of every kind, or a skip where it has no lexical side."""
        require(store, Feature.LEXICAL)
        self.write(
            store,
            [
                self.record(id, text=text, video_id=f"video {n // 2}", fields={"year": n})
                for n, (id, text) in enumerate(_TEXTS.items())
            ],
        )
        return store

    def by_words(self, store: VectorStore, text: str, **parts: Any) -> Answer:
        """The answer to a search for the words of a text."""
        (answer,) = store.search([SearchRequest(Lexical(text), **parts)])
        return answer

    def ids_by_words(self, store: VectorStore, text: str, **parts: Any) -> list[str]:
        """The ids that it finds, best first."""
        return [hit.id for hit in self.by_words(store, text, **parts).hits]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("kite", {"tags"}),
            ("HARBOUR", {"transcript"}),
            ("red", {"title", "tags"}),
            ("ball", {"title", "caption", "long"}),
            ("dog", {"caption"}),
            ("小狗", {"chinese"}),
            ("狗", {"chinese"}),
            ("红色", {"chinese"}),
            ("café", {"folded"}),
            ("word59 harbour", {"long", "transcript"}),
        ],
    )
    def test_a_word_finds_the_records_that_hold_it_and_no_other(
        self, worded: VectorStore, text: str, expected: set[str]
    ) -> None:
        assert set(self.ids_by_words(worded, text)) == expected

    def test_words_that_nothing_holds_find_nothing(self, worded: VectorStore) -> None:
        assert self.ids_by_words(worded, "zeppelin") == []
        assert self.ids_by_words(worded, "zeppelin kite") == ["tags"]

    def test_scores_of_words_are_those_of_the_formula(self, worded: VectorStore) -> None:
        for text in ("red ball", "the dog in the grass", "小狗在海滩"):
            hits = self.by_words(worded, text).hits
            assert {hit.id: hit.score for hit in hits} == pytest.approx(
                {
                    id: score
                    for id, held in _TEXTS.items()
                    if (score := lexical.score(lexical.document(held), lexical.query(text))) > 0
                },
                abs=1e-4,
            )
            assert {hit.score_kind for hit in hits} == {ScoreKind.WEIGHTED}
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_a_record_with_all_words_comes_before_those_with_one(self, worded: VectorStore) -> None:
        assert self.ids_by_words(worded, "red ball")[0] == "title"
        assert self.ids_by_words(worded, "red ball", limit=1) == ["title"]

    def test_words_are_searched_among_what_matches(self, worded: VectorStore) -> None:
        assert set(self.ids_by_words(worded, "ball", where=F.year >= 2)) == {"caption", "long"}
        assert self.ids_by_words(worded, "ball", where=F.video_id == "video 1") == ["caption"]

    def test_words_follow_what_is_written(self, worded: VectorStore) -> None:
        self.write(worded, [self.record("title", text=Text(title="a green kite"))])
        assert set(self.ids_by_words(worded, "kite")) == {"title", "tags"}
        assert set(self.ids_by_words(worded, "beach")) == set()
        worded.wait(worded.update_fields(["tags", "none"], text=Text(tags=("Beach", "zebra"))))
        assert set(self.ids_by_words(worded, "beach")) == {"tags", "none"}
        assert set(self.ids_by_words(worded, "kite")) == {"title"}
        worded.wait(worded.update_fields(["tags"], fields={"year": 5}, uri="file:///other.mp4"))
        assert set(self.ids_by_words(worded, "zebra")) == {"tags", "none"}
        worded.wait(worded.update_fields(["none"], text=Text()))
        self.erase(worded, ["title"])
        assert set(self.ids_by_words(worded, "kite zebra")) == {"tags"}

    def test_a_record_without_words_is_found_by_its_vector(self, worded: VectorStore) -> None:
        assert worded.count() == len(_TEXTS)
        assert set(self.found(worded, [1.0] * 8, limit=20)) == set(_TEXTS)

    def test_words_and_vectors_are_answered_in_one_call(self, worded: VectorStore) -> None:
        near = self.near([1.0] * 8)
        answers = worded.search(
            [SearchRequest(Lexical("kite")), SearchRequest(near, limit=20), SearchRequest(Lexical("dog"))]
        )
        assert [len(answer.hits) for answer in answers] == [1, len(_TEXTS), 1]
        assert [answers[0].hits[0].id, answers[2].hits[0].id] == ["tags", "caption"]

    def test_words_are_grouped_by_video(self, worded: VectorStore) -> None:
        require(worded, Feature.GROUP)
        hits = self.by_words(worded, "red", group=Group(1)).hits
        assert len(hits) == len({hit.video_id for hit in hits}) == 1

    def test_a_text_without_words_is_refused(self, worded: VectorStore) -> None:
        for text in ("", " ", "!?…", "_"):
            with pytest.raises(InvalidQueryError, match="word"):
                self.by_words(worded, text)

    def test_a_threshold_of_words_is_refused(self, worded: VectorStore) -> None:
        with pytest.raises(InvalidQueryError, match="min_score"):
            self.by_words(worded, "kite", min_score=0.1)
