"""Recommending: the vector that is searched for, and that the examples themselves never come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from polyreel.core.errors import InvalidQueryError, NotFoundError
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.records import Channel, Record, Scope
from polyreel.embedders.builtin.embedder import BuiltinEmbedder

from .conftest import write_clip

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.core.search import VideoSearch
    from polyreel.core.store import VectorStore

    from .conftest import OpenSearch, PictureOf

FIELDS = {"category": FieldType.STRING, "moods": FieldType.STRINGS}


@pytest.fixture
def search(open_search: OpenSearch, tmp_path: Path) -> VideoSearch:
    opened = open_search(fields=FIELDS)
    for colour in ("red", "green", "blue", "white", "black", "yellow"):
        write_clip(tmp_path / "videos" / f"{colour}.mp4", [colour, colour])
    bright = {"white.mp4", "yellow.mp4", "green.mp4"}
    opened.ingest(
        tmp_path / "videos",
        described={
            f"{name}.mp4": {
                "category": "bright" if f"{name}.mp4" in bright else "dark",
                "moods": ["calm", name],
            }
            for name in ("red", "green", "blue", "white", "black", "yellow")
        },
    )
    return opened


def names(result: object) -> list[str]:
    return [hit.uri.rpartition("/")[2] for hit in result]  # type: ignore[attr-defined]


def video(search: VideoSearch, name: str) -> str:
    return next(each.video_id for each in search.videos() if each.uri.endswith(f"/{name}.mp4"))


def store_of(search: VideoSearch) -> VectorStore:
    search.count()
    return search.stack.store


def unit(search: VideoSearch, id: str) -> Any:
    content = store_of(search).fetch([id], vectors=True)[id].content
    vector = np.asarray(cast("list[float]", content), np.float64)
    return vector / np.linalg.norm(vector)


def test_several_examples_are_searched_by_twice_the_liked_mean_minus_the_disliked(
    search: VideoSearch,
) -> None:
    liked = [search._whole(video(search, name)).id for name in ("red", "yellow")]
    disliked = [search._whole(video(search, name)).id for name in ("blue", "black", "white")]
    wanted = 2 * np.mean([unit(search, id) for id in liked], axis=0)
    wanted -= np.mean([unit(search, id) for id in disliked], axis=0)
    wanted /= np.linalg.norm(wanted)
    result = search.recommend(liked, unlike=disliked, scope=Scope.CLIP)
    assert len(result) == 2  # of green: the clips of all others are examples
    for hit in result:
        assert hit.score == pytest.approx(float(unit(search, hit.id) @ wanted), abs=1e-5)


def test_without_anything_disliked_it_is_the_mean_of_what_is_liked(search: VideoSearch) -> None:
    liked = [search._whole(video(search, name)).id for name in ("red", "yellow")]
    wanted = np.mean([unit(search, id) for id in liked], axis=0)
    wanted /= np.linalg.norm(wanted)
    result = search.recommend(liked)
    assert len(result) == 4
    for hit in result:
        assert hit.score == pytest.approx(float(unit(search, hit.id) @ wanted), abs=1e-5)


@pytest.mark.parametrize("scope", ["video", "clip", None])
def test_examples_never_come_back_and_neither_do_their_videos(search: VideoSearch, scope: str | None) -> None:
    result = search.recommend(
        [video(search, "red"), video(search, "green")[:12]],
        unlike=video(search, "blue"),
        scope=scope,
        limit=50,
    )
    assert result.hits
    assert set(names(result)) == {"white.mp4", "black.mp4", "yellow.mp4"}
    assert names(result.more()) == []


def test_a_clip_that_is_liked_brings_other_moments_of_its_video(search: VideoSearch) -> None:
    clip = next(store_of(search).scan((F.video_id == video(search, "red")) & (F.start == 0)))
    result = search.recommend(clip.id, scope="clip", limit=50)
    assert clip.id not in [hit.id for hit in result]
    assert "red.mp4" in names(result)
    assert len(result) == 11
    assert "red.mp4" not in names(search.recommend(clip.id, scope="video"))


def test_another_channel_of_a_liked_moment_is_that_moment(search: VideoSearch) -> None:
    store = store_of(search)
    vector = [1.0] * 13
    both = [
        Record(f"r{channel}", "twin", "file:///t.mp4", end_ms=1000, channel=channel, content=vector)
        for channel in (Channel.VISUAL, Channel.AUDIO)
    ]
    store.upsert(both)
    assert "twin" not in {hit.video_id for hit in search.recommend("rvisual", scope="clip", limit=50)}


def test_a_liked_file_that_was_taken_in_is_not_recommended(
    search: VideoSearch, tmp_path: Path, picture: PictureOf
) -> None:
    file = tmp_path / "videos" / "red.mp4"
    assert names(search.search(video=file, scope="video"))[0] == "red.mp4"
    result = search.recommend({"video": file}, unlike={"image": picture("blue")})
    assert result.hits
    assert "red.mp4" not in names(result)


def test_hits_and_records_serve_as_examples(search: VideoSearch) -> None:
    hit = search.search(vector=unit(search, search._whole(video(search, "red")).id).tolist()).hits[0]
    assert (
        names(search.recommend(hit)) == names(search.recommend(hit.record)) == names(search.recommend(hit.id))
    )


def test_an_example_given_twice_weighs_no_more(search: VideoSearch) -> None:
    red, yellow = video(search, "red"), video(search, "yellow")
    once, twice = search.recommend([red, yellow]), search.recommend([red, yellow, red])
    assert [hit.score for hit in once] == pytest.approx([hit.score for hit in twice])


def test_only_the_wanted_categories_are_recommended(search: VideoSearch) -> None:
    red = video(search, "red")
    assert set(names(search.recommend(red, category="bright"))) == {"white.mp4", "yellow.mp4", "green.mp4"}
    both = search.recommend(red, category=["bright", "dark"])
    assert len(both) == 5
    moods = search.recommend(red, category="white", category_field="moods")
    assert names(moods) == ["white.mp4"]
    assert names(search.recommend(red, category="bright", where=F.category != "bright")) == []


def test_a_video_is_as_good_as_its_best_clip_where_there_are_only_clips(
    open_search: OpenSearch, tmp_path: Path
) -> None:
    from polyreel.core.recipe import Recipe

    search = open_search(recipe=Recipe(window=2.0, scopes=(Scope.CLIP,)))
    for name, colours in (("a", ["red", "blue"]), ("b", ["red", "green"]), ("c", ["white"])):
        write_clip(tmp_path / "clips" / f"{name}.mp4", colours)
    search.ingest(tmp_path / "clips")
    result = search.recommend(video(search, "a"))
    assert names(result) == ["b.mp4", "c.mp4"]


def test_a_profile_and_a_mood_are_one_text_in_the_template(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    class Listening(BuiltinEmbedder):
        def _embed_query(self, parts: Any) -> Any:
            heard.append([part.text for part in parts])
            return super()._embed_query(parts)

    heard: list[list[str | None]] = []
    search = open_search(embedder=Listening())
    search.ingest(videos, described={"sea.mp4": {"caption": "calm water, nature"}})
    result = search.recommend(profile=["nature", "trains"], mood="calm")
    assert heard == [["nature, trains; calm"]]
    assert names(result)[0] == "sea.mp4"
    assert search.recommend(result.hits[0], mood="calm").explain["fusion"] == "sum"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing to recommend by"),
        ({"profile": "  ", "mood": ""}, "nothing to recommend by"),
        ({"like": 5}, "an example is an id"),
        ({"like": ["", "x"]}, "an example is an id"),
        ({"like": {"picture": "a.jpg"}}, "unknown part 'picture'"),
        ({"mood": "calm", "category": "x", "category_field": "kategory"}, "no field 'kategory'"),
        ({"mood": 5}, "mood takes one text"),
        ({"profile": 5}, "profile takes a text"),
        ({"mood": "x", "category": 5}, "category takes a text"),
        ({"like": {"image": 5}}, "image takes a path"),
        ({"mood": "x", "scope": "scene"}, "scope is 'scene'"),
    ],
)
def test_a_wrong_wish_is_refused(search: VideoSearch, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        search.recommend(**given)


def test_an_example_that_is_not_there_is_told(search: VideoSearch) -> None:
    with pytest.raises(NotFoundError, match="no video 'nothing'"):
        search.recommend("nothing")
    with pytest.raises(NotFoundError, match="no video file"):
        search.recommend({"video": "nothing.mp4"})
