"""Labels of confidence by the levels that a stack was given, over clips of plain colours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from polyreel import media
from polyreel.core.evaluating import evaluate
from polyreel.core.judgements import read_judgements
from polyreel.core.levels import Levels, Measured
from polyreel.core.media import Modality
from polyreel.core.records import Confidence
from polyreel.core.search import VideoSearch
from polyreel.testing.embedders import ColourEmbedder
from polyreel.testing.vectorizing import VectorizingStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from polyreel.core.query import Query
    from polyreel.core.result import Result

    from .conftest import OpenSearch, PictureOf

    Given = Callable[[VideoSearch, Mapping[Modality, Levels]], VideoSearch]

LEVELS = Levels(medium=0.6, high=0.9)
ALL_LABELS = {Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW}


class MeasuredEmbedder(ColourEmbedder):
    """One of which something is known."""

    levels: ClassVar[Mapping[Modality, Levels]] = {
        Modality.IMAGE: Levels(medium=-1.0, high=-1.0),
        Modality.VIDEO: Levels(medium=1.0, high=1.0),
    }


@pytest.fixture
def given() -> Iterator[Given]:
    """The same stack with levels of its own."""
    opened: list[VideoSearch] = []

    def give(search: VideoSearch, levels: Mapping[Modality, Levels]) -> VideoSearch:
        opened.append(VideoSearch(replace(search.stack, levels=levels), media))
        return opened[-1]

    yield give
    for search in opened:
        search.close()


def labels(result: Result) -> set[Confidence | None]:
    assert result.hits
    return {hit.confidence for hit in result}


@pytest.mark.parametrize("vectorizes", [False, True])
def test_any_stack_has_labels_by_levels_of_its_own(
    open_search: OpenSearch, given: Given, videos: Path, picture: PictureOf, *, vectorizes: bool
) -> None:
    """Also one without an embedder; for the medium that they are of, and no other."""
    search = open_search(store=VectorizingStore(ColourEmbedder()) if vectorizes else None, copy=vectorizes)
    assert (search.stack.embedder is None) is vectorizes
    search.ingest(videos)
    blue = picture("blue")
    assert labels(search.search(image=blue)) == {None}
    labelled = given(search, {Modality.IMAGE: LEVELS})
    found = labelled.search(image=blue)
    assert [hit.confidence for hit in found] == [LEVELS.confidence(hit.score) for hit in found]
    assert labels(found) == ALL_LABELS
    assert labels(labelled.search(image=blue, group_by="video", clips=2)) <= ALL_LABELS
    assert labels(labelled.search(video=videos / "sea.mp4")) == {None}


def test_levels_of_the_stack_go_before_those_of_the_embedder(
    open_search: OpenSearch, given: Given, videos: Path, picture: PictureOf
) -> None:
    search = open_search(embedder=MeasuredEmbedder())
    search.ingest(videos)
    assert labels(search.search(image=picture("blue"))) == {Confidence.HIGH}
    own = given(search, {Modality.IMAGE: LEVELS})
    assert labels(own.search(image=picture("blue"))) == ALL_LABELS
    assert Confidence.LOW in labels(own.search(video=videos / "traffic.mp4"))  # the embedder's are left


def test_several_parts_and_what_is_unwanted_get_no_label(
    open_search: OpenSearch, given: Given, videos: Path, picture: PictureOf
) -> None:
    search = open_search()
    search.ingest(videos)
    search = given(search, {Modality.IMAGE: LEVELS, Modality.VIDEO: LEVELS})
    blue, sea = picture("blue"), videos / "sea.mp4"
    assert labels(search.search(image=blue, video=sea)) == {None}
    assert labels(search.search(image=blue, without={"image": picture("red")})) == {None}
    assert labels(search.search(image=blue, fusion="rank")) == {None}
    assert labels(search.search(vector=[1.0] * 13)) == {None}
    unlike = search.search(image=blue, weights={"image": -1}, limit=6)
    assert labels(unlike) == {None}
    like = {hit.id: hit.score for hit in search.search(image=blue, limit=6)}
    for hit in unlike:  # whose score is the opposite of its likeness
        assert hit.similarity["image"] == pytest.approx(like[hit.id], abs=1e-6)


def test_an_evaluation_measures_what_it_asks_anyway(
    open_search: OpenSearch,
    videos: Path,
    picture: PictureOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = open_search()
    search.ingest(videos)
    line = {"image": str(picture("blue")), "relevant": ["sea.mp4"]}
    others = [
        {**line, "image": [line["image"], str(picture("red"))]},
        {**line, "fusion": "rank"},
        {**line, "weights": {"image": -1}},
    ]
    file = tmp_path / "queries.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in [*[line] * 3, *others]))
    asked: list[int] = []
    search_many = VideoSearch.search_many

    def counted(self: VideoSearch, queries: Sequence[Query]) -> list[Result]:
        asked.append(len(queries))
        return search_many(self, queries)

    monkeypatch.setattr(VideoSearch, "search_many", counted)
    found = evaluate({"here": search}, read_judgements(file))
    levels = found.levels("here")
    assert asked == [1] * 6  # one search for each query, as without levels
    first, second, *_ = search.search(image=line["image"], group_by="video")
    wanted = Measured([first.score] * 3, [second.score] * 3)
    assert levels.keys() == {Modality.IMAGE}
    assert levels[Modality.IMAGE].right == pytest.approx(wanted.right)
    assert levels[Modality.IMAGE].wrong == pytest.approx(wanted.wrong)
    stack = json.loads(json.dumps(found.to_json()))["stacks"]["here"]
    assert stack["levels"]["image"]["why"] == levels[Modality.IMAGE].why
    assert stack["queries"][0]["cosines"][first.video_id] == pytest.approx(first.score, abs=1e-6)
