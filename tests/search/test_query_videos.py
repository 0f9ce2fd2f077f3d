"""Spans of query videos, and query videos that are longer than the embedder takes at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from polyreel import media
from polyreel.core.embedder import Embedded, HandOver
from polyreel.core.errors import InvalidQueryError, NotFoundError, UnsupportedError
from polyreel.core.filters import F
from polyreel.core.media import Media, Modality
from polyreel.core.query import Query
from polyreel.core.recipe import Recipe
from polyreel.embedders.builtin.embedder import BuiltinEmbedder
from polyreel.testing.embedders import ClipColourEmbedder, ColourEmbedder

from .conftest import left, write_clip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyreel.core.media import Media as Medium
    from polyreel.core.search import VideoSearch

    from .conftest import Opened, OpenSearch, PictureOf


class ShortEmbedder(ColourEmbedder):
    """Takes at most three seconds at once, and remembers what it was given."""

    kind = "short"
    longest: ClassVar[float | None] = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.accepts = {
            modality: replace(way, max_seconds=self.longest) for modality, way in self.accepts.items()
        }
        self.asked: list[Medium] = []
        self.durations: list[int] = []

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        self.asked += parts
        videos = [part.path for part in parts if part.modality is Modality.VIDEO and part.path]
        self.durations += [media.probe(path).duration_ms for path in videos]
        return Embedded(super()._embed_query(parts).vector, {"calls": 1})


class ShortClipEmbedder(ShortEmbedder, ClipColourEmbedder):
    """The same, but takes clip files, so it reads no span of one by itself."""

    kind = "short_clip"


@pytest.fixture
def search(open_search: OpenSearch, videos: Path) -> VideoSearch:
    opened = open_search(embedder=ShortEmbedder())
    opened.ingest(videos)
    return opened


def asked(search: VideoSearch) -> list[Medium]:
    assert isinstance(search.stack.embedder, ShortEmbedder)
    return search.stack.embedder.asked


def spans(search: VideoSearch) -> list[tuple[int, int | None]]:
    return [(medium.start_ms, medium.end_ms) for medium in asked(search)]


@pytest.mark.parametrize(
    ("mark", "span"),
    [
        ("#t=2,4", (2000, 4000)),
        ("#t=4", (4000, 6000)),
        ("#t=,2", (0, 2000)),
        ("#t=0:02.5,0:04", (2500, 4000)),
        ("#t=0:00:04,00:06", (4000, 6000)),
        ("#t=4,6.04", (4000, 6000)),  # a frame too late is a matter of rounding
    ],
)
def test_only_a_span_of_a_query_video_is_embedded(
    search: VideoSearch, videos: Path, mark: str, span: tuple[int, int]
) -> None:
    search.search(video=f"{videos / 'chess.mp4'}{mark}")
    assert spans(search) == [span]


def test_a_span_finds_its_own_moment(search: VideoSearch, videos: Path) -> None:
    for start, colour in ((0, "white"), (2, "black"), (4, "yellow")):
        hit = search.search(video=f"{videos / 'chess.mp4'}#t={start},{start + 2}", limit=1).hits[0]
        assert (hit.uri.rpartition("/")[2], hit.start) == ("chess.mp4", start), colour
        assert hit.score > 0.99


def test_a_file_whose_own_name_ends_like_a_span_is_that_file(search: VideoSearch, videos: Path) -> None:
    (videos / "chess.mp4").rename(videos / "chess#t=1,2")
    with pytest.raises(NotFoundError, match=r"there is no video file .*chess\.mp4"):
        search.search(video=f"{videos / 'chess.mp4'}#t=1,2")
    search.search(video=videos / "chess#t=1,2", where=F.start > 99, fusion="sum")
    assert all(medium.path == videos / "chess#t=1,2" for medium in asked(search))
    assert asked(search)


@pytest.mark.parametrize(
    "mark", ["#t=", "#t=x", "#t=3,2", "#t=2,2", "#t=1,2,3", "#t=-1,2", "#t=1:75,3:00", "#t=,"]
)
def test_a_span_that_is_none_is_refused(search: VideoSearch, videos: Path, mark: str) -> None:
    with pytest.raises(InvalidQueryError, match="is no span of time; write #t=START,END"):
        search.search(video=f"{videos / 'chess.mp4'}{mark}")


@pytest.mark.parametrize(("mark", "until"), [("#t=5,7", "7 s"), ("#t=6", "its end"), ("#t=8,9", "9 s")])
def test_a_span_beyond_the_video_is_refused(search: VideoSearch, videos: Path, mark: str, until: str) -> None:
    with pytest.raises(InvalidQueryError, match=f"chess.mp4 is 6 s long, and the span .* to {until}"):
        search.search(video=f"{videos / 'chess.mp4'}{mark}")
    assert asked(search) == []


def test_a_picture_has_no_span(search: VideoSearch, picture: PictureOf) -> None:
    with pytest.raises(InvalidQueryError, match="a picture has no span"):
        search.search(image=f"{picture('red')}#t=1,2")


def test_a_message_never_shows_a_signed_address() -> None:
    with pytest.raises(InvalidQueryError) as caught:
        Query(video="https://example.com/a.mp4?X-Amz-Signature=5ec7e7#t=9,1").parts()
    assert "5ec7e7" not in str(caught.value)
    part = Query(video="https://example.com/a.mp4?X-Amz-Signature=5ec7e7#t=1,9").parts()[0]
    assert part.media == Media(
        Modality.VIDEO, uri="https://example.com/a.mp4?X-Amz-Signature=5ec7e7", start_ms=1000, end_ms=9000
    )


def mean(embedder: ColourEmbedder, path: Path, *pieces: tuple[int, int]) -> np.ndarray:
    """The mean of the unit vectors of pieces, by their length, at unit length."""
    total = np.zeros(13)
    for start, end in pieces:
        medium = Media(Modality.VIDEO, path=path, start_ms=start, end_ms=end)
        vector = np.asarray(embedder.embed_query([medium]).vector)
        total += (end - start) * vector / np.linalg.norm(vector)
    return total / np.linalg.norm(total)


def test_a_long_query_video_is_cut_by_the_recipe_and_its_pieces_count_by_their_length(
    search: VideoSearch, tmp_path: Path
) -> None:
    """Windows are of 2 s, but with a short last one none may be longer than 3 s: so they are of 1.5 s."""
    path = write_clip(tmp_path / "long.mp4", ["red", "blue", "yellow"], seconds=1.4)
    result = search.search(video=path)
    pieces = [(0, 1500), (1500, 3000), (3000, 4200)]
    assert spans(search) == pieces
    assert result.usage == {"calls": 3}
    assert result.explain["fusion"] == "sum"
    assert result.explain["planner"] == ["video in 3 pieces"]
    wanted = mean(ColourEmbedder(), path, *pieces)
    stored = search._opened().fetch([hit.id for hit in result], vectors=True)
    for hit in result:
        row = np.asarray(stored[hit.id].content)
        assert hit.score == pytest.approx(float(row @ wanted / np.linalg.norm(row)), abs=1e-5)


def test_a_span_of_a_long_video_is_cut_as_well(search: VideoSearch, videos: Path) -> None:
    search.search(video=f"{videos / 'chess.mp4'}#t=1,5.5")
    assert spans(search) == [(1000, 2500), (2500, 4000), (4000, 5500)]
    asked(search).clear()
    search.search(video=f"{videos / 'chess.mp4'}#t=1,4")  # what it takes at once is left whole
    assert spans(search) == [(1000, 4000)]


def test_a_video_in_pieces_is_a_part_like_any_other(
    search: VideoSearch, videos: Path, picture: PictureOf
) -> None:
    path = videos / "chess.mp4"
    result = search.search(video=path, image=picture("red"), weights={"video": 2}, limit=6)
    red = np.asarray(ColourEmbedder().embed_query([Media(Modality.IMAGE, path=picture("red"))]).vector)
    wanted = 2 * np.asarray(mean(ColourEmbedder(), path, (0, 1500), (1500, 3000), (3000, 4500), (4500, 6000)))
    total = wanted + red / np.linalg.norm(red)
    for hit in result:
        row = np.asarray(search._opened().fetch([hit.id], vectors=True)[hit.id].content)
        expected = float(row @ total / np.linalg.norm(row) / np.linalg.norm(total))
        assert hit.score == pytest.approx(expected, abs=1e-5)
        assert set(hit.similarity) == {"image", "video"}


def test_pieces_are_never_joined_in_one_call(search: VideoSearch, videos: Path) -> None:
    with pytest.raises(InvalidQueryError, match="embedded in pieces can't be joined"):
        search.search(video=videos / "chess.mp4", fusion="joint")


def test_a_video_of_too_many_pieces_is_refused_and_nothing_is_embedded(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search(embedder=ShortEmbedder(), recipe=Recipe(window=0.2, shortest=0.0))
    search.ingest(videos / "sea.mp4")
    long = write_clip(videos / "long.mp4", ["red"], seconds=50, fps=2)
    with pytest.raises(InvalidQueryError, match=r"50 s long, which is 250 pieces; short would embed each"):
        search.search(video=long)
    assert asked(search) == []


def test_an_embedder_of_files_gets_its_spans_and_pieces_as_files_that_are_gone_afterwards(
    open_search: OpenSearch, opened: Opened, videos: Path, tmp_path: Path
) -> None:
    search = open_search(embedder=ShortClipEmbedder())
    search.ingest(videos)
    asked(search).clear()
    before = left(tmp_path)
    result = search.search(video=f"{videos / 'traffic.mp4'}#t=2,4", limit=1)
    assert (result.hits[0].uri.rpartition("/")[2], result.hits[0].start) == ("traffic.mp4", 2.0)
    assert spans(search) == [(0, None)]
    assert search.stack.embedder.durations[-1] == pytest.approx(2000, abs=100)  # type: ignore[union-attr]
    search.search(video=videos / "chess.mp4")
    assert len(asked(search)) == 5
    assert not any(medium.path.exists() for medium in asked(search) if medium.path)
    assert left(tmp_path) == before


def test_sounds_are_refused_by_name_where_the_embedder_takes_none(search: VideoSearch, videos: Path) -> None:
    with pytest.raises(UnsupportedError, match="short can't embed audio; it takes image, video"):
        search.search(audio=videos / "sea.mp4")


def test_what_the_builtin_embedder_takes_at_once_is_what_it_samples_densely() -> None:
    assert BuiltinEmbedder().accepts[Modality.VIDEO] == HandOver(frozenset({"file"}), max_seconds=120)
