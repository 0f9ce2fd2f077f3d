"""Moments, best clips of videos, time windows and unlike hits, against a plain account, on several stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyreel.core.errors import InvalidQueryError
from polyreel.core.filters import F
from polyreel.core.records import Moment
from polyreel.core.shape import Moments

from .conftest import World, pages, vector_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyreel.core.records import Hit

ASKED = "sunset"


def plain_moments(world: World, rules: Moments, *, floor: float = -1.0) -> list[list[str]]:
    """Ids of the members of every moment, the best first, by hand: seconds, and clips that touch."""
    scores = {id: score for id, score in world.cosines(vector_of(ASKED)).items() if score >= floor}
    free = sorted(scores, key=lambda id: -scores[id])
    moments = []
    while free:
        best = free.pop(0)
        start, end = world.of(best).start, world.of(best).end
        members = [best]
        wanted = scores[best] * rules.share if scores[best] > 0 else scores[best] / rules.share
        while True:
            joining = next(
                (
                    id
                    for id in free
                    if world.of(id).video_id == world.of(best).video_id
                    and scores[id] >= wanted
                    and (world.of(id).end == start or world.of(id).start == end)
                    and max(end, world.of(id).end) - min(start, world.of(id).start) <= rules.longest
                ),
                None,
            )
            if joining is None:
                break
            free.remove(joining)
            members.append(joining)
            start, end = min(start, world.of(joining).start), max(end, world.of(joining).end)
        moments.append(members)
    return moments


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.id for hit in hits]


@pytest.mark.parametrize(
    "rules", [Moments(), Moments(longest=10), Moments(longest=12, share=0.5), Moments(share=1)]
)
def test_moments_are_neighbouring_hits_and_every_page_is_full(world: World, rules: Moments) -> None:
    expected = plain_moments(world, rules)
    first = world.search.search(ASKED, moments=rules, limit=7)
    found = pages(first)
    assert [sorted(ids(hit.members)) for hit in found] == [sorted(members) for members in expected]
    assert ids(found) == [members[0] for members in expected]
    assert len(first) == 7
    shown = [member.id for hit in found for member in hit.members]
    assert len(shown) == len(set(shown)) == len(world.records)
    for hit in found:
        assert isinstance(hit, Moment)
        assert hit.best.id == hit.id
        assert hit.start == min(member.start for member in hit.members)
        assert hit.end == max(member.end for member in hit.members)
        assert hit.end - hit.start <= rules.longest
        assert all(left.end == right.start for left, right in zip(hit.members, hit.members[1:], strict=False))


def test_some_moments_have_several_clips_and_none_crosses_a_gap(world: World) -> None:
    found = pages(world.search.search(ASKED, moments=Moments(longest=60, share=0.01), limit=10))
    lengths = {len(hit.members) for hit in found}
    assert max(lengths) == 3  # a gap follows the third clip, and the sixth
    assert all(hit.end - hit.start <= 15 for hit in found)


def test_the_list_of_moments_does_not_depend_on_the_pages(world: World) -> None:
    whole = world.search.search(ASKED, moments=True, limit=24)
    small = pages(world.search.search(ASKED, moments=True, limit=5))[:24]
    assert [ids(hit.members) for hit in small] == [ids(hit.members) for hit in whole]
    assert [hit.score for hit in small] == pytest.approx([hit.score for hit in whole], abs=1e-6)


def test_moments_keep_to_conditions_and_thresholds(world: World) -> None:
    scores = sorted(world.cosines(vector_of(ASKED)).values())
    floor = scores[len(scores) // 2] + 1e-4
    found = pages(world.search.search(ASKED, moments=True, min_score=floor, limit=4))
    assert [sorted(ids(hit.members)) for hit in found] == [
        sorted(members) for members in plain_moments(world, Moments(), floor=floor)
    ]
    inside = world.search.search(ASKED, moments=True, where=(F.video_id == "v3") & (F.start >= 5), limit=10)
    assert {hit.video_id for hit in inside} == {"v3"}
    assert min(hit.start for hit in inside) >= 5


def test_moments_of_fused_ranks_are_made_of_the_candidates(world: World) -> None:
    result = world.search.search(ASKED, lexical="beach", moments=True, limit=8)
    assert len(result) == 8
    assert max(len(hit.members) for hit in result) > 1
    members = [member.id for hit in pages(result) for member in hit.members]
    assert len(members) == len(set(members))
    assert result.explain["planner"] == ["moments", "fused ranks"]


def test_members_say_how_alike_they_are_and_the_json_has_them(world: World) -> None:
    hit = next(hit for hit in world.search.search(ASKED, moments=True, limit=10) if len(hit.members) > 1)
    cosines = world.cosines(vector_of(ASKED))
    for member in hit.members:
        assert member.similarity == pytest.approx({"text": cosines[member.id]}, abs=1e-5)
    document: Any = hit.to_json()
    assert (document["start"], document["end"], document["best"]) == (hit.start, hit.end, hit.id)
    assert [member["id"] for member in document["members"]] == ids(hit.members)
    assert [member["start"] for member in document["members"]] == [member.start for member in hit.members]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"moments": True, "group_by": "video"}, "grouped by video or joined"),
        ({"moments": True, "scope": "video"}, "made of clips"),
        ({"moments": True, "scope": None}, "made of clips"),
        ({"moments": 3}, "moments takes True"),
        ({"clips": 3}, "clips says how many of each video"),
        ({"clips": 0, "group_by": "video"}, "clips is 0"),
        ({"diversity": 1.5}, "diversity is 1.5"),
        ({"diversity": True}, "diversity is True"),
        ({"distinct": float("nan")}, "distinct is nan"),
        ({"start": -1}, "start is -1"),
        ({"end": "soon"}, "end is 'soon'"),
        ({"start": 5, "end": 5}, "the time from 5 to 5 s is empty"),
        ({"moments": True, "scope": "clips"}, "scope is 'clips'; did you mean 'clip'"),
        ({"within": ""}, "within takes the id of a video"),
        ({"within": 0}, "within takes the id of a video"),
        ({"weights": {5: 1}}, "weights name the part '5'"),
        ({"without": {5: 1}}, "unknown part 5"),
        ({"without": "half a \ud800"}, "is no UTF-8 text"),
        ({"lexical": "half a \ud800"}, "is no UTF-8 text"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(world: World, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        world.search.search(ASKED, **arguments)


@pytest.mark.parametrize("rules", [{"longest": 0}, {"longest": -1}, {"share": 1.1}, {"share": 0}])
def test_rules_of_moments_are_checked(rules: dict[str, Any]) -> None:
    with pytest.raises(InvalidQueryError, match=next(iter(rules))):
        Moments(**rules)


# -- videos -----------------------------------------------------------------------------------------------


def best_clips(world: World, count: int) -> list[list[str]]:
    """The best clips of each video, the best video first."""
    scores = world.cosines(vector_of(ASKED))
    by_video: dict[str, list[str]] = {}
    for id in sorted(scores, key=lambda id: -scores[id]):
        clips = by_video.setdefault(world.of(id).video_id, [])
        if len(clips) < count:
            clips.append(id)
    return list(by_video.values())


@pytest.mark.parametrize("count", [2, 3, 20])
def test_each_video_comes_with_its_best_clips(world: World, count: int) -> None:
    expected = best_clips(world, count)
    result = world.search.search(ASKED, group_by="video", clips=count, limit=6)
    assert len(result) == 6
    found = pages(result)
    assert [ids(hit.members) for hit in found] == expected
    assert ids(found) == [clips[0] for clips in expected]
    native = "native" if world.search.stack.store.kind == "memory" else "planner"
    assert "group by video" in str(result.explain[native])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_videos_like_several_clips_come_without_these_and_pages_are_full(world: World, count: int) -> None:
    likes = ["3-0-fused", "3-5-fused", "6-2-fused"]
    scores = world.cosines(sum(world.row(id) for id in likes))  # type: ignore[arg-type]  # of at least one
    by_video: dict[str, list[str]] = {}
    for id in sorted(scores.keys() - likes, key=lambda id: -scores[id]):
        by_video.setdefault(world.of(id).video_id, []).append(id)
    result = world.search.search(like=likes, group_by="video", clips=count, limit=5)
    assert len(result) == 5
    found = pages(result)
    assert ids(found) == [clips[0] for clips in by_video.values()]
    if count > 1:
        assert [ids(hit.members) for hit in found] == [clips[:count] for clips in by_video.values()]
    native = "native" if world.search.stack.store.kind == "memory" else "planner"
    assert "group by video" in str(result.explain[native])


def test_the_best_clips_of_a_video_are_segments_and_not_their_channels(heard: World) -> None:
    scores = heard.cosines(vector_of(ASKED))
    of_segment: dict[str, dict[str, float]] = {}
    for record in heard.records:
        segments = of_segment.setdefault(record.video_id, {})
        key = record.id.rpartition("-")[0]
        segments[key] = max(segments.get(key, -1), scores[record.id])
    for hit in pages(heard.search.search(ASKED, group_by="video", clips=4, limit=5)):
        best = sorted(of_segment[hit.video_id], key=lambda key: -of_segment[hit.video_id][key])[:4]
        assert [member.id.rpartition("-")[0] for member in hit.members] == best


def test_a_fused_search_tells_the_clips_of_videos_too(world: World) -> None:
    result = world.search.search(ASKED, lexical="beach", group_by="video", clips=3, limit=5)
    for hit in result:
        assert hit.members[0].id == hit.id
        assert len({member.start for member in hit.members}) == 3
        assert {member.video_id for member in hit.members} == {hit.video_id}
    assert "clips of videos" in str(result.explain["planner"])


# -- time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "fits"),
    [
        ({"start": 21}, lambda clip: clip.end > 21),
        ({"end": 10}, lambda clip: clip.start < 10),
        ({"start": 7.5, "end": 12}, lambda clip: clip.end > 7.5 and clip.start < 12),
        ({"start": 15, "end": 16}, lambda clip: clip.end > 15 and clip.start < 16),  # in the gap
    ],
)
def test_a_window_finds_what_overlaps_it_by_more_than_an_edge(
    world: World, window: dict[str, float], fits: Any
) -> None:
    expected = {record.id for record in world.records if fits(record)}
    found = pages(world.search.search(ASKED, limit=40, **window))  # type: ignore[arg-type]
    assert set(ids(found)) == expected
    assert len(found) == len(expected)


# -- unlike each other ------------------------------------------------------------------------------------


def marginal(world: World, diversity: float, count: int) -> list[str]:
    """Maximal marginal relevance over all records, by hand."""
    relevance, rows = world.cosines(vector_of(ASKED)), {r.id: world.row(r.id) for r in world.records}
    chosen: list[str] = []
    while len(chosen) < count:

        def gain(id: str) -> float:
            nearest = max((float(rows[id] @ rows[other]) for other in chosen), default=0.0)
            return (1 - diversity) * relevance[id] - diversity * nearest

        chosen.append(max((id for id in rows if id not in chosen), key=gain))
    return chosen


@pytest.mark.parametrize("diversity", [0.2, 0.5, 0.9])
def test_diversity_is_maximal_marginal_relevance(world: World, diversity: float) -> None:
    every = len(world.records)  # a page of 35 has all of them for candidates
    result = world.search.search(ASKED, diversity=diversity, limit=35)
    assert ids(result.hits) == marginal(world, diversity, 35)
    assert result.explain["planner"] == ["diversity"]
    assert every < 35 * 4


def test_diverse_pages_go_on_unlike_what_was_shown(world: World) -> None:
    first = world.search.search(ASKED, diversity=0.5, limit=32)
    second = first.more()
    assert ids([*first.hits, *second.hits]) == marginal(world, 0.5, 64)


def test_near_duplicates_are_left_out_and_pages_stay_full(world: World) -> None:
    scores = world.cosines(vector_of(ASKED))
    kept: list[str] = []
    for id in sorted(scores, key=lambda id: -scores[id]):
        if all(world.row(id) @ world.row(other) < 0.7 for other in kept):
            kept.append(id)
    result = world.search.search(ASKED, distinct=0.7, limit=9)
    assert len(result) == 9
    assert ids(pages(result)) == kept
    assert 20 < len(kept) < len(scores)
    assert result.explain["planner"] == ["near-duplicates"]


def test_without_likeness_to_others_the_list_is_the_plain_one(world: World) -> None:
    plain = world.search.search(ASKED, limit=30)
    assert ids(world.search.search(ASKED, distinct=1.0, limit=30).hits) == ids(plain.hits)


def test_videos_and_moments_may_be_unlike_each_other_too(world: World) -> None:
    videos = pages(world.search.search(ASKED, group_by="video", diversity=0.6, limit=4))
    assert len({hit.video_id for hit in videos}) == len(videos) == 14
    first = world.search.search(ASKED, moments=True, distinct=0.6, limit=5)
    moments = [*first, *first.more()]
    rows = np.stack([world.row(hit.id) for hit in moments])
    alike = rows @ rows.T - np.eye(len(rows))
    assert len(moments) == 10
    assert alike.max() < 0.6


def test_pages_of_every_shape_repeat_nothing(world: World) -> None:
    def video(hit: Hit) -> object:
        return hit.video_id

    def clip(hit: Hit) -> object:
        return hit.id

    shapes: list[tuple[dict[str, Any], Any, int]] = [
        ({}, clip, 126),
        ({"start": 20, "end": 30}, clip, 42),
        ({"group_by": "video"}, video, 14),
        ({"group_by": "video", "clips": 3}, video, 14),
        ({"lexical": "beach"}, clip, 126),
        ({"diversity": 0.4}, clip, 126),
    ]
    for arguments, key, count in shapes:
        found = [key(hit) for hit in pages(world.search.search(ASKED, limit=11, **arguments))]
        assert len(found) == len(set(found)) == count, arguments
