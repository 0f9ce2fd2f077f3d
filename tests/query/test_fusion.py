"""Joint, sum and rank mean what plain numpy says that they mean, on several stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyreel.core import lexical
from polyreel.core.errors import InvalidQueryError, UnsupportedError
from polyreel.core.fusing import fused, in_order, order
from polyreel.core.records import Channel, Confidence, Hit, Record, ScoreKind

from .conftest import DIMENSION, NamesEmbedder, World, ranks, unit, vector_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyreel.core.embedder import Embedded
    from polyreel.core.media import Media
    from polyreel.core.result import Result

SEA = "a picture of the sea"


def agrees(result: Result, expected: dict[str, float], *, tolerance: float = 2e-5) -> None:
    """The page holds the best of these scores, best first; hits that tie may swap."""
    best = sorted(expected.values(), reverse=True)[: len(result)]
    assert [hit.score for hit in result] == pytest.approx(best, abs=tolerance)
    for hit in result:
        assert hit.score == pytest.approx(expected[hit.id], abs=tolerance)


def test_a_sum_is_the_weighted_sum_of_unit_vectors_and_negatives_are_taken_away(
    world: World, picture: Path
) -> None:
    asked = np.arange(1.0, 13.0)
    result = world.search.search(
        "sunset",
        image=picture,
        vector=asked.tolist(),
        like="3-4-fused",
        weights={"text": 2.0, "vector": 0.5},
        without={"text": "city", "like": "5-0-fused"},
        limit=20,
    )
    total = 2 * unit(vector_of("sunset")) + unit(vector_of(SEA)) + 0.5 * unit(asked) + world.row("3-4-fused")
    total -= unit(vector_of("city")) + world.row("5-0-fused")
    expected = world.cosines(total)
    for id in ("3-4-fused", "5-0-fused"):  # what is asked with is no answer
        del expected[id]
    assert len(result) == 20
    agrees(result, expected)
    assert result.explain["fusion"] == "sum"
    assert result.explain["planner"] == ["summed vectors"]
    for hit in result:
        row = world.row(hit.id)
        assert hit.similarity == pytest.approx(
            {
                "text": row @ unit(vector_of("sunset")),
                "image": row @ unit(vector_of(SEA)),
                "vector": row @ unit(asked),
                "like": row @ world.row("3-4-fused"),
                "without_text": row @ unit(vector_of("city")),
                "without_like": row @ world.row("5-0-fused"),
            },
            abs=2e-5,
        )


def test_only_what_is_unwanted_moves_the_vector_away(world: World) -> None:
    result = world.search.search("sunset", without="sea", limit=20)
    agrees(result, world.cosines(unit(vector_of("sunset")) - unit(vector_of("sea"))))


def test_joint_is_one_vector_that_the_model_makes_of_all_parts(world: World, picture: Path) -> None:
    result = world.search.search("sunset", image=picture, limit=20)
    assert result.explain["fusion"] == "joint"
    agrees(result, world.cosines(vector_of("sunset", SEA)))
    summed = world.search.search("sunset", image=picture, fusion="sum", limit=20)
    agrees(summed, world.cosines(unit(vector_of("sunset")) + unit(vector_of(SEA))))
    with pytest.raises(InvalidQueryError, match="takes media without weights"):
        world.search.search("sunset", image=picture, weights={"text": 2}, fusion="joint")


def test_no_part_of_a_joint_query_is_paid_for_again_to_say_how_like_it_hits_are(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    embed = NamesEmbedder._embed_query

    def counted(self: NamesEmbedder, parts: Sequence[Media]) -> Embedded:
        calls.append(len(parts))
        return embed(self, parts)

    monkeypatch.setattr(NamesEmbedder, "_embed_query", counted)
    picture = tmp_path / "lake.jpg"
    picture.write_text("a picture of a lake")
    first = world.search.search("paid for once", image=picture)
    assert calls == [2]
    assert {tuple(hit.similarity) for hit in first} == {()}
    world.search.search("paid for once")
    kept = world.search.search("paid for once", image=picture)
    assert calls == [2, 1]
    for hit in kept:  # the text is known by now, the picture isn't
        cosine = world.row(hit.id) @ unit(vector_of("paid for once"))
        assert hit.similarity == pytest.approx({"text": cosine}, abs=2e-5)
    monkeypatch.setattr(NamesEmbedder, "free", True)
    free = world.search.search("paid for once", image=picture)
    assert calls == [2, 1, 1]
    assert {tuple(hit.similarity) for hit in free} == {("text", "image")}


def test_ranks_are_fused_with_their_weights_and_the_unwanted_ones_count_against(
    world: World, picture: Path
) -> None:
    every = len(world.records)
    result = world.search.search(
        "sunset", image=picture, without="city", weights={"image": 0.5}, fusion="rank", limit=every
    )
    expected = dict.fromkeys((record.id for record in world.records), 0.0)
    for weight, name in ((1.0, "sunset"), (0.5, SEA), (-1.0, "city")):
        for id, rank in ranks(world.cosines(vector_of(name))).items():
            expected[id] += weight / (60 + rank)
    assert len(result) == every
    agrees(result, expected)
    assert {hit.score_kind for hit in result} == {ScoreKind.RRF}
    assert result.explain["planner"] == ["fused ranks"]


def test_words_are_fused_by_rank_with_the_sum_of_the_other_parts(world: World) -> None:
    every = len(world.records)
    result = world.search.search("sunset", without="city", lexical="beach", limit=every)
    vectors = ranks(world.cosines(unit(vector_of("sunset")) - unit(vector_of("city"))))
    query = lexical.query("beach")
    held = {record.id: lexical.score(lexical.document(record.text), query) for record in world.records}
    words = ranks({id: score for id, score in held.items() if score > 0})
    expected = {
        id: 1 / (60 + rank) + (1 / (60 + words[id]) if id in words else 0) for id, rank in vectors.items()
    }
    assert 0 < len(words) < every
    agrees(result, expected)


def test_the_channels_of_a_segment_count_by_their_weights(heard: World) -> None:
    result = heard.search.search(
        "sunset", channels={"visual": 1, "audio": 0.5}, limit=len(heard.records) // 2
    )
    cosines = heard.cosines(vector_of("sunset"))
    expected: dict[str, float] = {}
    for channel, weight in ((Channel.VISUAL, 1.0), (Channel.AUDIO, 0.5)):
        own = {record.id.rpartition("-")[0]: cosines[record.id] for record in heard.only(channel)}
        for segment, rank in ranks(own).items():
            expected[segment] = expected.get(segment, 0) + weight / (60 + rank)
    assert [hit.score for hit in result] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-6)
    for hit in result:
        assert hit.score == pytest.approx(expected[hit.id.rpartition("-")[0]], abs=1e-6)
    assert result.explain["channels"] == {
        "visual": {"weight": 1.0, "candidates": 126},
        "audio": {"weight": 0.5, "candidates": 126},
    }
    assert result.explain["planner"] == ["fused ranks"]


def test_one_channel_is_a_plain_condition(heard: World) -> None:
    result = heard.search.search("sunset", channels="audio", limit=20)
    cosines = heard.cosines(vector_of("sunset"))
    agrees(result, {record.id: cosines[record.id] for record in heard.only(Channel.AUDIO)})
    assert {hit.score_kind for hit in result} == {ScoreKind.COSINE}
    assert result.explain["channels"] == {"audio": {"weight": 1.0}}
    assert result.explain["planner"] == []


def test_a_channel_that_no_record_has_adds_nothing(heard: World) -> None:
    plain = heard.search.search("sunset", channels=["visual", "audio"], limit=20)
    more = heard.search.search("sunset", channels=["visual", "audio", "transcription"], limit=20)
    assert [hit.id for hit in more] == [hit.id for hit in plain]
    channels = more.explain["channels"]
    assert isinstance(channels, dict)
    assert channels["transcription"] == {"weight": 1.0, "candidates": 0}
    assert heard.search.search("sunset", channels="proxy").hits == ()


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("sound", "channel is 'sound'"),
        ({"visual": 0}, "weight of 'visual' is 0"),
        ({"visual": -1}, "more than 0"),
        ({"visual": "much"}, "weight of 'visual' is 'much'"),
        ([], "channels takes names"),
        (7, "channels takes names"),
    ],
)
def test_a_wrong_channel_is_refused(heard: World, channels: object, message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        heard.search.search("sunset", channels=channels)  # type: ignore[arg-type]


@pytest.mark.parametrize("fusion", [None, "rank"])
@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0, 2.0], "the vector of the query has 2 dimensions, the collection has 12"),
        ([0.0] * DIMENSION, "all zeros"),
        (["much"] * DIMENSION, "not a sequence of numbers"),
        (7, "not a sequence of numbers"),
        ([1e308] * DIMENSION, "not finite"),
    ],
)
def test_a_wrong_vector_is_refused_before_the_text_beside_it_is_embedded(
    world: World, monkeypatch: pytest.MonkeyPatch, vector: Any, message: str, fusion: str | None
) -> None:
    monkeypatch.setattr(NamesEmbedder, "_embed_query", lambda *_: pytest.fail("it was embedded"))
    with pytest.raises(InvalidQueryError, match=message):
        world.search.search("never asked before", vector=vector, fusion=fusion)


@pytest.mark.parametrize(
    "asked",
    [
        {"lexical": "beach", "weights": {"lexical": -1}},
        {"text": "sunset", "weights": {"text": -1}, "fusion": "rank"},
    ],
)
def test_ranks_of_only_what_is_unwanted_are_refused(world: World, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidQueryError, match="every part has a negative weight"):
        world.search.search(**asked)


def test_a_threshold_needs_scores_that_are_likeness(heard: World) -> None:
    with pytest.raises(InvalidQueryError, match="min_score needs similarities"):
        heard.search.search("sunset", channels={"visual": 1, "audio": 2}, min_score=0.1)


def test_confidence_is_said_where_it_is_known_and_nowhere_else(world: World, picture: Path) -> None:
    every = len(world.records)
    for hit in world.search.search("sunset", limit=every):
        high, medium = hit.score >= 0.6, hit.score >= 0.3
        assert hit.confidence is (
            Confidence.HIGH if high else Confidence.MEDIUM if medium else Confidence.LOW
        )
        assert hit.to_json()["confidence"] == hit.confidence
    unknown = (
        world.search.search(image=picture),  # nothing was measured for pictures
        world.search.search("sunset", image=picture),
        world.search.search("sunset", lexical="beach"),
        world.search.search("sunset", fusion="rank"),
        world.search.search(vector=vector_of("sunset").tolist()),
    )
    for result in unknown:
        assert {hit.confidence for hit in result} == {None}
        assert result.hits[0].to_json()["confidence"] is None


def test_a_part_that_the_embedder_cannot_take_is_refused_before_anything_is_staged(
    world: World, picture: Path
) -> None:
    with pytest.raises(UnsupportedError, match="names can't embed audio; it takes text, image"):
        world.search.search("sunset", audio=picture)


def test_a_fused_ranking_that_is_cut_is_the_beginning_of_the_whole_one() -> None:
    """Also where hits tie: the last place may be that of any of them."""
    scores = [0.9, 0.8, 0.8, 0.8, 0.5, 0.5, 0.2]
    records = [Record(str(at), f"v{at % 3}", "file:///v.mp4", start_ms=at, end_ms=at + 1) for at in range(7)]
    hits = [Hit(record, score) for record, score in zip(records, scores, strict=True)]
    lists = [(1.0, hits), (0.5, hits[::-1]), (-0.3, hits[2:4])]
    for by_video in (False, True):
        whole = fused(lists, by_video=by_video)
        assert len(whole) == (3 if by_video else 7)
        for limit in range(1, 9):
            assert fused(lists, limit, by_video=by_video) == whole[:limit]


@given(st.lists(st.integers(0, 8), min_size=2, max_size=5), st.sampled_from([3e-7, 0.01]))
def test_hits_that_look_sorted_are_in_the_order_of_hits_all_the_same(steps: list[int], apart: float) -> None:
    """Scores that are the same to six digits don't decide, whatever order a store gives them in."""
    hits = [
        Hit(Record(str(at), f"v{step % 3}", "file:///v.mp4", start_ms=step), 0.7 - apart * step)
        for at, step in enumerate(steps)
    ]
    by_score = sorted(hits, key=lambda hit: -hit.score)
    for each in (hits, by_score, by_score[::-1]):
        assert list(in_order(each)) == sorted(hits, key=order)
