"""Words and hybrid searches, batches of queries, and the rows of several channels, over the memory store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.core import lexical
from polyreel.core.capabilities import Feature
from polyreel.core.errors import InvalidQueryError, UnsupportedError
from polyreel.core.filters import F
from polyreel.core.query import Query
from polyreel.core.records import Channel, Record, ScoreKind, Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyreel.core.requests import Answer, CheckedRequest
    from polyreel.core.search import VideoSearch
    from polyreel.core.space import CollectionMeta, CollectionSpec

    from .conftest import OpenSearch, PictureOf


class CountingStore(MemoryStore):
    """Remembers how many requests each search had."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        self.batches.append(len(requests))
        return super()._search(requests)


class WordlessStore(MemoryStore):
    """Has no lexical side."""

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        self.can = replace(self.can, features=self.can.features - {Feature.LEXICAL})
        return meta


DESCRIBED: dict[str, dict[str, object]] = {
    "traffic.mp4": {"title": "The red light turns green"},
    "sea.mp4": {"title": "The sea", "tags": ["water", "blue"]},
    "chess.mp4": {"title": "A game of chess", "tags": ["board"]},
}


@pytest.fixture
def search(open_search: OpenSearch, videos: Path) -> VideoSearch:
    opened = open_search(store=CountingStore())
    opened.ingest(videos, described=DESCRIBED)
    return opened


def names(result: Any) -> list[str]:
    return [hit.uri.rpartition("/")[2] for hit in result]


def test_words_are_looked_up_in_the_text_of_records(search: VideoSearch) -> None:
    result = search.search(lexical="Water")
    assert names(result) == ["sea.mp4"]
    assert result.hits[0].score_kind is ScoreKind.WEIGHTED
    assert result.hits[0].similarity == {"lexical": result.hits[0].score}
    assert result.explain["native"] == ["filter", "words"]
    assert names(search.search(lexical="board", group_by="video")) == ["chess.mp4"]
    assert names(search.search(lexical="the sea", where=F.uri.exists(), limit=1)) == ["sea.mp4"]


def test_a_hybrid_search_fuses_both_rankings_by_rank(search: VideoSearch, picture: PictureOf) -> None:
    image = picture("blue")
    pictures = search.search(image=image, limit=50)
    words = search.search(lexical="chess game", limit=50)
    expected: dict[str, float] = {}
    for found in (pictures, words):
        for hit in found:
            rank = 1 + sum(other.score > hit.score + 1e-6 for other in found)  # equally good ones share it
            expected[hit.id] = expected.get(hit.id, 0) + 1 / (60 + rank)
    result = search.search(image=image, lexical="chess game", limit=50)
    assert {hit.id: hit.score for hit in result} == pytest.approx(expected)
    assert {hit.score_kind for hit in result} == {ScoreKind.RRF}
    query = lexical.query("chess game")
    for hit in result:
        assert set(hit.similarity) == {"image", "lexical"}
        held = lexical.score(lexical.document(hit.record.text), query)
        assert hit.similarity["lexical"] == pytest.approx(held)
    by_id = {hit.id: hit.score for hit in pictures}
    assert result.hits[0].similarity["image"] == pytest.approx(by_id[result.hits[0].id], abs=1e-5)


def test_a_grouped_hybrid_search_joins_what_both_rankings_say_of_a_video(
    search: VideoSearch, picture: PictureOf
) -> None:
    """The words are those of all three clips of chess.mp4, the picture is that of its last one."""
    image = picture("yellow")
    best, *others = search.search(image=image, lexical="chess", group_by="video")
    assert len({hit.video_id for hit in (best, *others)}) == 1 + len(others) == 3
    assert (names([best]), best.start) == (["chess.mp4"], 4.0)
    assert best.score == pytest.approx(2 / 61)
    assert all(hit.score < 1 / 61 for hit in others)


def test_weights_turn_a_hybrid_search_to_one_side(search: VideoSearch, picture: PictureOf) -> None:
    image = picture("blue")
    to_words = search.search(image=image, lexical="chess", weights={"lexical": 5})
    assert names(to_words)[0] == "chess.mp4"
    to_picture = search.search(image=image, lexical="chess", weights={"lexical": 0.01})
    assert names(to_picture)[0] == "sea.mp4"


def test_hybrid_is_the_text_as_words(open_search: OpenSearch, videos: Path) -> None:
    class Reads(MemoryStore):
        pass

    opened = open_search(store=Reads())
    opened.ingest(videos, described=DESCRIBED)
    assert [part.name for part in Query(text="sea", hybrid=True).parts()] == ["text", "lexical"]
    with pytest.raises(InvalidQueryError, match="hybrid"):
        opened.search(hybrid=True, lexical="sea")
    with pytest.raises(InvalidQueryError, match="hybrid"):
        opened.search(image=videos / "sea.mp4", hybrid=True)


def test_words_that_are_none_are_refused(search: VideoSearch) -> None:
    for wrong in ("", "?!", "  "):
        with pytest.raises(InvalidQueryError, match="no word"):
            search.search(lexical=wrong)


def test_a_threshold_of_a_hybrid_search_is_refused(search: VideoSearch, picture: PictureOf) -> None:
    with pytest.raises(InvalidQueryError, match="min_score"):
        search.search(image=picture("blue"), lexical="sea", min_score=0.5)


def test_a_store_without_words_refuses_before_anything_is_embedded(
    open_search: OpenSearch, videos: Path, picture: PictureOf
) -> None:
    opened = open_search(store=WordlessStore())
    opened.ingest(videos)
    with pytest.raises(UnsupportedError, match="no lexical search"):
        opened.search(image=picture("blue"), lexical="sea")


def test_several_queries_are_one_batch(search: VideoSearch, picture: PictureOf) -> None:
    store = search.stack.store
    assert isinstance(store, CountingStore)
    queries = [
        Query(image=picture("red")),
        Query(image=picture("blue"), lexical="chess"),
        Query(lexical="water"),
        Query(image=[picture("red"), picture("green")], fusion="rank", limit=3),
    ]
    alone = [search.search_many([query])[0] for query in queries]
    store.batches.clear()
    results = search.search_many(queries)
    assert store.batches == [6]
    for one, result in zip(alone, results, strict=True):
        assert [(hit.id, hit.score) for hit in result] == [(hit.id, hit.score) for hit in one]
        assert result.timing["search"] > 0
    assert search.search_many([]) == []


def test_searches_that_need_more_rounds_go_on_together(search: VideoSearch, picture: PictureOf) -> None:
    """A list that the engine doesn't group may take several rounds; the other query only one."""
    store = search.stack.store
    assert isinstance(store, CountingStore)
    first = search.search(image=picture("red")).hits[0]
    store.can = replace(store.can, features=store.can.features - {Feature.GROUP})
    store.batches.clear()
    grouped, plain = search.search_many(
        [Query(like=first.id, group_by="video"), Query(image=picture("blue"), limit=1)]
    )
    assert store.batches[0] == 2
    assert len({hit.video_id for hit in grouped}) == len(grouped) == 3
    assert names(plain) == ["sea.mp4"]


def _channels(vector: Sequence[float], at: int, **parts: Any) -> list[Record]:
    return [
        Record(
            f"{at}-{channel}", f"v{at}", f"file:///v{at}.mp4", end_ms=1000, channel=channel,
            content=[value + 0.01 * n for value in vector], **parts,
        )
        for n, channel in enumerate((Channel.VISUAL, Channel.AUDIO, Channel.TRANSCRIPTION))
    ]  # fmt: skip


def test_the_channels_of_a_segment_are_one_hit(open_search: OpenSearch) -> None:
    opened = open_search(store=MemoryStore())
    store = opened._opened(create=True)
    for at in range(12):
        vector = [1.0, at / 10, *[0.1] * 11]
        store.upsert(_channels(vector, at, text=Text(title="beach" if at % 2 else "city")))
    result = opened.search(vector=[1.0, *[0.1] * 12], limit=5)
    assert len({hit.video_id for hit in result}) == len(result) == 5
    assert result.explain["planner"] == ["folded channels"]
    rows = {hit.id: hit.score for hit in store_hits(opened)}
    for hit in result:
        best = max(score for id, score in rows.items() if id.startswith(f"{hit.video_id[1:]}-"))
        assert hit.score == pytest.approx(best)
    shown = [hit.video_id for hit in result] + [hit.video_id for hit in result.more()]
    assert len(set(shown)) == len(shown) == 10
    hybrid = opened.search(vector=[1.0, *[0.1] * 12], lexical="beach", limit=12)
    assert len({hit.video_id for hit in hybrid}) == len(hybrid) == 12
    assert all("beach" in hit.record.text.title for hit in hybrid.hits[:3])


def store_hits(opened: VideoSearch) -> Any:
    from polyreel.core.requests import NearVector, SearchRequest

    near = NearVector([1.0, *[0.1] * 12])
    return opened._opened().search([SearchRequest(near, limit=100)])[0].hits


def test_more_than_the_store_can_give_is_refused(search: VideoSearch, picture: PictureOf) -> None:
    with pytest.raises(InvalidQueryError, match="at most"):
        search.search(image=picture("blue"), limit=1_000_000)
