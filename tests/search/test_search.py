"""Searching, over the memory store: parts, fusion, grouping, paging, looking up."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.core.capabilities import Capabilities, Feature
from polyreel.core.errors import InvalidQueryError, NotFoundError, UnsupportedError
from polyreel.core.filters import F
from polyreel.core.manifest import Manifests
from polyreel.core.query import Query
from polyreel.core.records import Record, ScoreKind
from polyreel.testing.embedders import ColourEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.search import VideoSearch
    from polyreel.core.space import CollectionMeta, CollectionSpec

    from .conftest import OpenSearch, PictureOf


class UngroupedStore(MemoryStore):
    """Groups nothing by itself, so that the planner must."""

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        self.can = _without(self.can, Feature.GROUP)
        return meta


def _without(can: Capabilities, feature: Feature) -> Capabilities:
    from dataclasses import replace

    return replace(can, features=can.features - {feature})


@pytest.fixture
def search(open_search: OpenSearch, videos: Path) -> VideoSearch:
    opened = open_search()
    opened.ingest(videos)
    return opened


def names(result: object) -> list[str]:
    return [hit.uri.rpartition("/")[2] for hit in result]  # type: ignore[attr-defined]


def test_a_picture_finds_the_moment(search: VideoSearch, picture: PictureOf) -> None:
    best = search.search(image=picture("green")).hits[0]
    assert best.uri.endswith("traffic.mp4")
    assert (best.start, best.end) == (2.0, 4.0)
    assert best.score_kind is ScoreKind.COSINE
    assert best.similarity == {"image": best.score}
    assert best.score > 0.95


def test_a_video_finds_the_moment(search: VideoSearch, videos: Path) -> None:
    result = search.search(video=videos / "sea.mp4", limit=2)
    assert names(result)[0] == "sea.mp4"
    assert len(result) == 2


def test_the_sum_of_parts_is_the_weighted_sum_of_their_unit_vectors(
    search: VideoSearch, picture: PictureOf
) -> None:
    embedder = ColourEmbedder()
    red, blue = (np.asarray(_embedded(embedder, picture(colour))) for colour in ("red", "blue"))
    wanted = 0.7 * red / np.linalg.norm(red) + 0.3 * blue / np.linalg.norm(blue)
    wanted /= np.linalg.norm(wanted)
    result = search.search(
        image=[picture("red"), picture("blue")], weights={"image": 0.7, "image_2": 0.3}, limit=3
    )
    assert result.explain["fusion"] == "sum"
    for hit in result:
        stored = np.asarray(search._opened().fetch([hit.id], vectors=True)[hit.id].content)
        stored = stored / np.linalg.norm(stored)
        assert hit.score == pytest.approx(float(stored @ wanted), abs=1e-5)
        assert hit.similarity["image"] == pytest.approx(float(stored @ red / np.linalg.norm(red)), abs=1e-5)
        assert set(hit.similarity) == {"image", "image_2"}


def _embedded(embedder: ColourEmbedder, path: Path) -> list[float]:
    from polyreel.core.media import Media, Modality

    return list(embedder.embed_query([Media(Modality.IMAGE, path=path)]).vector)


def test_what_is_unwanted_moves_down(search: VideoSearch, picture: PictureOf) -> None:
    plain = names(search.search(image=picture("white"), limit=6))
    without = search.search(image=picture("white"), without={"image": picture("blue")}, limit=6)
    assert names(without).index("sea.mp4") > plain.index("sea.mp4")
    assert without.explain["parts"] == {"image": 1.0, "without_image": -1.0}


def test_ranks_are_fused_by_reciprocal_rank(search: VideoSearch, picture: PictureOf) -> None:
    pictures = [picture("red"), picture("green")]
    result = search.search(image=pictures, fusion="rank", limit=6)
    ranks: dict[str, float] = {}
    for each in pictures:
        for rank, hit in enumerate(search.search(image=each, limit=6), start=1):
            ranks[hit.id] = ranks.get(hit.id, 0) + 1 / (60 + rank)
    assert [hit.score for hit in result] == pytest.approx(sorted(ranks.values(), reverse=True))
    assert {hit.score_kind for hit in result} == {ScoreKind.RRF}
    assert result.explain["planner"] == ["fused ranks"]


def test_a_vector_and_a_record_are_parts_like_any_other(search: VideoSearch, picture: PictureOf) -> None:
    vector = _embedded(ColourEmbedder(), picture("blue"))
    best = search.search(vector=vector, limit=1).hits[0]
    assert best.uri.endswith("sea.mp4")
    others = search.search(like=best.id)
    assert best.id not in [hit.id for hit in others]
    assert len(others) == 5


@pytest.mark.parametrize("store", [MemoryStore, UngroupedStore])
def test_grouping_gives_the_best_hit_of_each_video(
    open_search: OpenSearch, videos: Path, picture: PictureOf, store: type[MemoryStore], tmp_path: Path
) -> None:
    search = open_search(store=store(path=tmp_path / "grouped"), embedder=ColourEmbedder())
    search.ingest(videos)
    result = search.search(image=picture("yellow"), group_by="video", limit=3)
    assert names(result)[0] == "chess.mp4"
    assert sorted(names(result)) == ["chess.mp4", "sea.mp4", "traffic.mp4"]
    assert result.hits[0].start == 4.0
    side = "native" if store is MemoryStore else "planner"
    assert "group by video" in result.explain[side]  # type: ignore[operator]


def test_the_planner_fills_a_page_of_groups_however_many_clips_a_video_has(
    open_search: OpenSearch, tmp_path: Path, videos: Path
) -> None:
    search = open_search(store=UngroupedStore(path=tmp_path / "many"), embedder=ColourEmbedder())
    search.ingest(videos)
    rng = np.random.default_rng(1)
    query = rng.normal(size=13)
    close = [
        Record(
            f"a{at}", "crowded", "file:///a", start_ms=at, end_ms=at + 1, content=(query + 0.01 * at).tolist()
        )
        for at in range(300)
    ]
    far = [Record(f"b{at}", f"far{at}", "file:///b", content=rng.normal(size=13).tolist()) for at in range(9)]
    search._opened().upsert([*close, *far])
    result = search.search(vector=query.tolist(), group_by="video", limit=10)
    assert len({hit.video_id for hit in result}) == 10
    assert result.hits[0].video_id == "crowded"


def test_pages_go_on_where_the_last_one_ended(search: VideoSearch, picture: PictureOf) -> None:
    whole = search.search(image=picture("red"), limit=6)
    first = search.search(image=picture("red"), limit=4)
    second = first.more()
    assert [hit.id for hit in (*first, *second)] == [hit.id for hit in whole]
    assert len(second.more()) == 0


def test_conditions_hold_for_every_hit(search: VideoSearch, picture: PictureOf) -> None:
    sea = next(manifest for manifest in search.videos() if manifest.title == "sea")
    red = picture("red")
    assert names(search.search(image=red, within=sea.video_id)) == ["sea.mp4"]
    assert all(hit.start >= 2 for hit in search.search(image=red, where=F.start >= 2))
    document = {"field": "start", "op": ">=", "value": 2}
    assert len(search.search(image=red, where=document)) == 3
    assert {hit.record.scope for hit in search.search(image=red, scope="video")} == {"video"}
    assert len(search.search(image=red, scope=None, limit=20)) == 9


def test_the_start_of_an_id_is_enough_to_look_within_a_video(search: VideoSearch, picture: PictureOf) -> None:
    sea = next(manifest for manifest in search.videos() if manifest.title == "sea")
    red = picture("red")
    whole = search.search(image=red, within=sea.video_id)
    first = search.search(image=red, within=sea.video_id[:8], limit=1)
    assert [hit.id for hit in (*first, *first.more())] == [hit.id for hit in whole][:2]
    plans = [search.explain(Query(image=red, within=sea.video_id[:end])) for end in (8, 64)]
    assert plans[0].explain["where"] == plans[1].explain["where"] == whole.explain["where"]


def test_the_start_of_no_id_and_of_several_is_refused_to_look_within(
    search: VideoSearch, picture: PictureOf
) -> None:
    sea, red = search.videos()[0], picture("red")
    with pytest.raises(NotFoundError, match="there is no video 'abcx'"):
        search.search(image=red, within="abcx")
    search._manifests().put(replace(sea, video_id=sea.video_id[:10] + "0" * 54))
    for ask in (search.search_many, lambda queries: search.explain(queries[0])):
        with pytest.raises(InvalidQueryError, match="2 videos start with"):
            ask([Query(image=red, within=sea.video_id[:10])])


def test_a_whole_id_to_look_within_is_not_looked_up(
    search: VideoSearch, picture: PictureOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    sea = next(manifest for manifest in search.videos() if manifest.title == "sea")
    monkeypatch.setattr(Manifests, "ids", lambda *_: pytest.fail("the videos were listed"))
    monkeypatch.setattr(Manifests, "has", lambda *_: pytest.fail("a hit tells that the video is there"))
    assert names(search.search(image=picture("red"), within=sea.video_id)) == ["sea.mp4"]


def test_a_whole_id_of_no_video_is_refused_to_look_within(search: VideoSearch, picture: PictureOf) -> None:
    red, sea = picture("red"), next(manifest for manifest in search.videos() if manifest.title == "sea")
    for ask in (search.search_many, lambda queries: search.explain(queries[-1])):
        for none in ("f" * 64, "." * 64):
            with pytest.raises(
                NotFoundError, match=f"no video '{none}' in the collection of the stack 'test'"
            ):
                ask([Query(image=red), Query(image=red, within=none)])
    assert len(search.search(image=red, within=sea.video_id, where=F.start > 99)) == 0  # which is an answer


def test_min_score_keeps_what_reaches_it(search: VideoSearch, picture: PictureOf) -> None:
    scores = [hit.score for hit in search.search(image=picture("red"))]
    kept = search.search(image=picture("red"), min_score=scores[2])
    assert [hit.score for hit in kept] == scores[:3]


def test_similar_finds_other_videos_and_other_moments(search: VideoSearch) -> None:
    sea = next(manifest for manifest in search.videos() if manifest.title == "sea")
    assert sorted(names(search.similar(sea.video_id))) == ["chess.mp4", "traffic.mp4"]
    assert sorted(names(search.similar(sea.video_id[:10]))) == ["chess.mp4", "traffic.mp4"]
    clip = next(iter(search._opened().scan(F.scope == "clip")))
    assert clip.id not in [hit.id for hit in search.similar(clip.id)]


def test_a_moment_is_saved_and_nothing_is_overwritten(
    search: VideoSearch, picture: PictureOf, tmp_path: Path
) -> None:
    from polyreel import media

    hits = search.search(image=picture("green"), limit=2).hits
    saved = search.save(hits, tmp_path / "saved")
    assert [path.name for path in saved] == sorted(path.name for path in saved)
    assert media.probe(saved[0]).duration_ms == pytest.approx(2000, abs=100)
    again = search.save(hits, tmp_path / "saved")
    assert len(set(saved) | set(again)) == 4


def test_a_hit_whose_video_is_gone_gets_one_clear_line(
    search: VideoSearch, picture: PictureOf, videos: Path
) -> None:
    hits = search.search(image=picture("blue"), limit=1).hits
    (videos / "sea.mp4").unlink()
    with pytest.raises(NotFoundError, match=r"sea\.mp4 isn't there"):
        search.save(hits, videos / "saved")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "the query is empty"),
        ({"text": "  "}, "query text is empty"),
        ({"vector": [1.0]}, "1 dimensions, the collection has 13"),
        ({"vector": [1.0] * 13, "limit": 0}, "limit is 0"),
        ({"vector": [1.0] * 13, "weights": {"image": 1}}, "weights name the part 'image'"),
        ({"vector": [1.0] * 13, "weights": {"vector": 0}}, "weight of 'vector' is 0"),
        ({"vector": [1.0] * 13, "scope": "scene"}, "scope is 'scene'"),
        ({"vector": [1.0] * 13, "fusion": "magic"}, "fusion is 'magic'"),
        ({"vector": [1.0] * 13, "group_by": "day"}, "group_by is 'day'"),
        ({"vector": [1.0] * 13, "where": {"field": "yeer", "op": "==", "value": 1}}, "yeer"),
        ({"vector": [1.0] * 13, "without": {"picture": "a"}}, "unknown part 'picture'"),
        ({"vector": [1.0] * 13, "fusion": "rank", "min_score": 0.1}, "min_score needs similarities"),
    ],
)
def test_a_wrong_question_is_refused_before_the_call(
    search: VideoSearch, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        search.search(**arguments)  # type: ignore[arg-type]


def test_what_the_embedder_cannot_see_is_refused(search: VideoSearch) -> None:
    with pytest.raises(UnsupportedError, match="colour can't embed text"):
        search.search("words")


def test_a_missing_picture_is_not_found(search: VideoSearch) -> None:
    with pytest.raises(NotFoundError, match=r"no image file .*nothing\.jpg"):
        search.search(image="nothing.jpg")


def test_an_empty_collection_says_what_to_do(open_search: OpenSearch) -> None:
    with pytest.raises(NotFoundError, match="ingest something first"):
        open_search().search(vector=[1.0] * 13)


def test_several_questions_are_answered_in_order(search: VideoSearch, picture: PictureOf) -> None:
    blue, green = search.search_many(
        [Query(image=picture("blue"), limit=1), Query(image=picture("green"), limit=1)]
    )
    assert names(blue) == ["sea.mp4"]
    assert names(green) == ["traffic.mp4"]


@pytest.mark.parametrize("wrong", ["the sea", {"text": "the sea"}, None])
def test_what_is_no_query_is_refused_with_what_to_write(search: VideoSearch, wrong: Any) -> None:
    for ask in (lambda: search.search_many([wrong]), lambda: search.explain(wrong)):
        with pytest.raises(InvalidQueryError, match=r'is no query; write Query\("the sea"\)'):
            ask()


def test_threads_may_share_one_search(search: VideoSearch, videos: Path, picture: PictureOf) -> None:
    red, failures = picture("red"), []

    def work() -> None:
        try:
            for _ in range(5):
                assert names(search.search(image=red, limit=1)) == ["traffic.mp4"]
                assert search.ingest(videos, workers=2).counts == {"skipped": 3}
        except BaseException as error:  # noqa: BLE001  # told to the test below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_closed_search_says_so(search: VideoSearch) -> None:
    search.close()
    search.close()
    with pytest.raises(InvalidQueryError, match="closed"):
        search.search(vector=[1.0] * 13)
