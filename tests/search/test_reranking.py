"""Searches that are reranked, over the memory store and a reranker that counts words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.errors import InvalidQueryError, UnsupportedError
from polyreel.core.query import Query
from polyreel.core.recipe import Recipe
from polyreel.core.records import ScoreKind
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder
from polyreel.testing.reranker import WordReranker

from .conftest import write_clip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import OpenSearch, PictureOf

TITLES = {
    "a.mp4": {"title": "harbour"},
    "b.mp4": {"title": "boats in the harbour"},
    "c.mp4": {"title": "old boats in the blue harbour"},
    "d.mp4": {"title": "sand"},
    "e.mp4": {"title": "-"},
}


@pytest.fixture
def reranker() -> WordReranker:
    return WordReranker()


@pytest.fixture
def search(tmp_path: Path, reranker: WordReranker) -> Iterator[VideoSearch]:
    """Five videos in shades of blue, whose titles say more than their colours."""
    stack = Stack(
        name="test",
        store=MemoryStore(),
        embedder=ColourEmbedder(),
        objects=LocalObjects(path=tmp_path / "objects"),
        state=tmp_path / "state",
        recipe=Recipe(window=2.0),
        reranker=reranker,
    )
    for number, name in enumerate(TITLES):
        write_clip(tmp_path / "harbour" / name, ["blue"], seconds=1.0 + number / 10)
    with VideoSearch(stack, media) as opened:
        assert opened.ingest(tmp_path / "harbour", described=TITLES).ok
        yield opened


@pytest.fixture
def blue(picture: PictureOf) -> Path:
    return picture("blue")


def names(result: Any) -> list[str]:
    return [hit.uri.rpartition("/")[2] for hit in result]


def lexical(blue: Path, **keys: Any) -> Query:
    return Query(image=blue, lexical="old boats harbour", **{"limit": 5, **keys})


def test_candidates_come_in_the_rerankers_order_with_both_scores(search: VideoSearch, blue: Path) -> None:
    before = search.search_many([lexical(blue)])[0]
    (result,) = search.search_many([lexical(blue, rerank=5)])
    assert names(result)[:3] == ["c.mp4", "b.mp4", "a.mp4"]
    assert [round(hit.score, 3) for hit in result.hits[:4]] == [1.0, 0.667, 0.333, 0.0]
    retrieval = {hit.id: (hit.score, hit.score_kind) for hit in before}
    for hit in result.hits[:4]:
        assert hit.score_kind is ScoreKind.RERANK
        assert not hit.score_kind.is_similarity
        assert hit.retrieval == retrieval[hit.id]
    document = result.hits[0].to_json()
    assert document["score_kind"] == "rerank"
    assert document["retrieval"] == {"score": retrieval[result.hits[0].id][0], "score_kind": "rrf"}
    assert "retrieval" not in before.hits[0].to_json()


def test_what_the_reranker_sees_nothing_of_keeps_its_score_at_the_end(
    search: VideoSearch, blue: Path
) -> None:
    result = search.search_many([lexical(blue, rerank=5)])[0]
    last = result.hits[-1]
    assert names(result)[-1] == "e.mp4"
    assert (last.score_kind, last.retrieval) == (ScoreKind.RRF, None)
    assert result.explain["rerank"] == {
        "kind": "words",
        "candidates": 5,
        "reranked": 4,
        "parts": ["lexical"],
    }


def test_a_query_that_a_batch_has_twice_is_reranked_once(
    search: VideoSearch, blue: Path, reranker: WordReranker
) -> None:
    query = lexical(blue, rerank=5, limit=2)
    first, again, plain = search.search_many([query, query, lexical(blue)])
    assert reranker.batches == [4]
    assert names(first) == names(again) == ["c.mp4", "b.mp4"]
    assert names(again.more()) == ["a.mp4", "d.mp4"]
    assert len(plain) == 5
    assert again.usage == {}


def test_equal_scores_stay_in_the_order_in_which_they_were_found(search: VideoSearch, blue: Path) -> None:
    query = Query(image=blue, lexical="nothing like this harbour", limit=5)
    before = [name for name in names(search.search_many([query])[0]) if name in ("a.mp4", "b.mp4", "c.mp4")]
    after = names(search.search(image=blue, lexical="nothing like this harbour", limit=5, rerank=5))
    assert after[:3] == before


def test_no_more_candidates_are_reranked_than_were_asked_for(
    search: VideoSearch, blue: Path, reranker: WordReranker
) -> None:
    first = names(search.search_many([lexical(blue, limit=2)])[0])
    result = search.search_many([lexical(blue, limit=2, rerank=2)])[0]
    assert sorted(names(result)) == sorted(first)
    assert reranker.batches == [2]
    assert len(result.more()) == 0


def test_pages_are_slices_of_one_list_that_is_reranked_once(
    search: VideoSearch, blue: Path, reranker: WordReranker
) -> None:
    whole = names(search.search_many([lexical(blue, rerank=5)])[0])
    reranker.batches.clear()
    first = search.search_many([lexical(blue, limit=2, rerank=5)])[0]
    second = first.more()
    third = second.more()
    assert names(first) + names(second) + names(third) == whole
    assert [len(page) for page in (first, second, third, third.more())] == [2, 2, 1, 0]
    assert names(first.more()) == names(second)  # asked again, it is the same page
    assert reranker.batches == [4]
    assert second.explain["rerank"] == first.explain["rerank"]
    assert (second.timing["rerank"], second.usage, second.request_ids) == (0.0, {}, ())


def test_time_usage_and_request_ids_are_told(search: VideoSearch, blue: Path) -> None:
    result = search.search_many([lexical(blue, rerank=5)])[0]
    assert 0 < result.timing["rerank"] < result.timing["total"]
    assert result.usage["rerank.documents"] == 4
    assert result.request_ids == ("call-1",)
    assert "rerank" not in search.search_many([lexical(blue)])[0].timing


def test_grouped_videos_are_reranked_and_a_batch_may_mix_both(search: VideoSearch, blue: Path) -> None:
    plain, grouped = search.search_many([lexical(blue), lexical(blue, rerank=4, limit=4, group_by="video")])
    assert plain.hits[0].score_kind is ScoreKind.RRF
    assert names(grouped)[0] == "c.mp4"
    assert len({hit.video_id for hit in grouped}) == 4


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rerank": 0}, "rerank is 0"),
        ({"rerank": True}, "rerank is True"),
        ({"rerank": 2.5}, r"rerank is 2\.5"),
        ({"rerank": 3}, "fewer candidates than the limit of 5"),
        ({"rerank": 5, "limit": 0}, "limit is 0"),
    ],
)
def test_a_wrong_number_is_refused(
    search: VideoSearch, blue: Path, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        search.search_many([lexical(blue, **keys)])


def test_a_query_that_says_nothing_to_the_reranker_is_refused_before_anything_is_asked(
    search: VideoSearch, blue: Path
) -> None:
    with pytest.raises(UnsupportedError, match="words reranks by text, of which the query has none"):
        search.search(image=blue, rerank=10)


def test_a_stack_without_a_reranker_says_so(open_search: OpenSearch, videos: Path, blue: Path) -> None:
    search = open_search()
    search.ingest(videos)
    with pytest.raises(UnsupportedError, match=r"'test' has no reranker; add a section \[stacks\.test\.rer"):
        search.search(image=blue, rerank=10)
