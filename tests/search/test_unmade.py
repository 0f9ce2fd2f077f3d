"""Scopes of which there are no records: a search for them is refused before it, with what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.core.errors import InvalidQueryError, UnsupportedError
from polyreel.core.query import Query
from polyreel.core.recipe import Recipe
from polyreel.core.records import Channel, Scope
from polyreel.testing.embedders import ColourEmbedder
from polyreel.testing.vectorizing import VectorizingStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polyreel.core.search import VideoSearch

    from .conftest import OpenSearch, PictureOf

CLIPS, WHOLE = (Scope.CLIP,), (Scope.VIDEO,)


@pytest.fixture
def vectorizing(open_search: OpenSearch, tmp_path: Path) -> Callable[..., VideoSearch]:
    """Opens a search whose store makes the vectors."""

    def make(recipe: Recipe, *, proxies: bool = True) -> VideoSearch:
        store = VectorizingStore(ColourEmbedder(), path=tmp_path / "vectorized", proxies=proxies)
        return open_search(store=store, recipe=recipe, copy=True)

    return make


def refused(search: VideoSearch, query: Query, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why a search and its plan are refused, before anything is embedded or searched."""
    said = set()
    with monkeypatch.context() as patch:
        for owner, call in ((MemoryStore, "search"), (ColourEmbedder, "embed_query")):
            patch.setattr(owner, call, lambda *_, **__: pytest.fail("it was asked"))
        for ask in (lambda: search.search_many([query]), lambda: search.explain(query)):
            with pytest.raises(UnsupportedError) as caught:
                ask()
            said.add(str(caught.value))
    (one,) = said
    return one


def test_whole_videos_without_proxies_are_refused_where_the_store_vectorizes(
    vectorizing: Callable[..., VideoSearch],
    videos: Path,
    picture: PictureOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = vectorizing(Recipe(window=2.0))
    search.ingest(videos)
    assert refused(search, Query(image=picture("red"), scope="video"), monkeypatch) == (
        "the stack 'test' has no records of whole videos, and its recipe makes none; search clips with "
        'group_by="video" (--group-by video); or set recipe.channels = ["fused", "proxy"], and ingest again'
    )
    assert len(search.search(image=picture("red"), group_by="video")) == 3
    assert len(search.search(image=picture("red"), scope=None, limit=20)) == 6
    assert len(search.recommend(search.videos()[0].video_id)) == 2


def test_a_store_that_cant_have_them_is_not_said_to_need_a_recipe(
    vectorizing: Callable[..., VideoSearch],
    videos: Path,
    picture: PictureOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = vectorizing(Recipe(window=2.0), proxies=False)
    search.ingest(videos)
    said = refused(search, Query(image=picture("red"), scope=Scope.VIDEO), monkeypatch)
    assert said.endswith('makes none; search clips with group_by="video" (--group-by video)')


def test_whole_videos_that_the_recipe_leaves_out_are_refused(
    open_search: OpenSearch, videos: Path, picture: PictureOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_search(recipe=Recipe(window=2.0, scopes=CLIPS))
    search.ingest(videos)
    said = refused(search, Query(image=picture("red"), scope="video"), monkeypatch)
    assert said.endswith('; or set recipe.scopes = ["clip", "video"], and ingest again')
    assert len(search.search(image=picture("red"), group_by="video")) == 3


def test_clips_that_the_recipe_leaves_out_are_refused(
    open_search: OpenSearch, videos: Path, picture: PictureOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_search(recipe=Recipe(window=2.0, scopes=WHOLE))
    search.ingest(videos)
    assert refused(search, Query(image=picture("red")), monkeypatch) == (
        "the stack 'test' has no records of clips, and its recipe makes none; search with "
        'scope="video" (--scope video); or set recipe.scopes = ["video", "clip"], and ingest again'
    )
    assert len(search.search(image=picture("red"), scope="video")) == 3


def test_clips_are_refused_where_the_store_is_handed_whole_videos_alone(
    vectorizing: Callable[..., VideoSearch],
    videos: Path,
    picture: PictureOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = vectorizing(Recipe(window=2.0, scopes=WHOLE, channels=(Channel.PROXY,)))
    search.ingest(videos)
    said = refused(search, Query(image=picture("red")), monkeypatch)
    assert 'recipe.scopes = ["video", "clip"] and recipe.channels = ["proxy", "fused"]' in said
    assert len(search.search(image=picture("red"), scope="video")) == 3


def test_what_an_earlier_recipe_made_is_searched(
    open_search: OpenSearch, videos: Path, picture: PictureOf
) -> None:
    first = open_search()
    first.ingest(videos)
    first.close()
    search = open_search(recipe=Recipe(window=2.0, scopes=CLIPS))
    assert len(search.search(image=picture("red"), scope="video")) == 3


def test_what_the_recipe_makes_is_not_counted(
    open_search: OpenSearch, videos: Path, picture: PictureOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_search()
    search.ingest(videos)
    monkeypatch.setattr(type(search), "count", lambda *_: pytest.fail("it was counted"))
    for scope, hits in ((Scope.CLIP, 6), ("video", 3), (None, 9)):
        assert len(search.search(image=picture("red"), scope=scope, limit=20)) == hits


@pytest.mark.parametrize("scope", ["scene", 5, ["video"]])
def test_a_wrong_scope_is_refused_as_such(open_search: OpenSearch, videos: Path, scope: object) -> None:
    search = open_search(recipe=Recipe(window=2.0, scopes=CLIPS))
    search.ingest(videos / "sea.mp4")
    with pytest.raises(InvalidQueryError, match="scope"):
        search.search("a", scope=scope)  # type: ignore[arg-type]
