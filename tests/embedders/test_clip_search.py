"""Searching by sentences, with no text in the collection: the stack `local_clip` over a tiny model."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

import polyreel
from polyreel import media
from polyreel.core.errors import ConfigurationError
from polyreel.media.render import write_clip

from . import tiny_clip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel import VideoSearch

_COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220), "white": (240, 240, 240)}


def opened(folder: Path, model_path: Path, more: str = "") -> VideoSearch:
    (folder / "polyreel.toml").write_text(
        f'[stacks.local_clip.embedder]\nmodel_path = "{model_path}"\n{more}\n'
        "[stacks.local_clip.recipe]\nwindow = 2.0\n"
    )
    return polyreel.open("local_clip", folder / "polyreel.toml")


@pytest.fixture(scope="module")
def search(tiny: Path, rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoSearch]:
    """The sample clips and one of plain colours."""
    folder = tmp_path_factory.mktemp("stack")
    pictures = (np.full((90, 160, 3), colour, np.uint8) for colour in _COLOURS.values() for _ in range(20))
    write_clip(folder / "flags.mp4", pictures, fps=10, options={"preset": "ultrafast", "g": "10"})
    with opened(folder, tiny) as search:
        assert search.ingest(rendered, folder / "flags.mp4").ok
        yield search


def best(search: VideoSearch, **query: object) -> tuple[str, float, float]:
    hit = search.search(limit=1, **query).hits[0]  # type: ignore[arg-type]
    return hit.uri.rpartition("/")[2], hit.start, hit.end


@pytest.mark.parametrize(("at", "colour"), list(enumerate(_COLOURS)))
def test_a_sentence_finds_the_moment_of_its_colour(search: VideoSearch, at: int, colour: str) -> None:
    found = best(search, text=f"a photo of the {colour} ball")
    assert found == ("flags.mp4", at * 2.0, at * 2.0 + 2.0)


def test_a_sentence_finds_drawn_scenes(search: VideoSearch) -> None:
    found = [hit.uri.rpartition("/")[2] for hit in search.search("black", group_by="video", limit=2)]
    assert found[0] == "city_night.mp4"
    white = [hit.uri.rpartition("/")[2] for hit in search.search("white", group_by="video", limit=2)]
    assert set(white) == {"flags.mp4", "snow.webm"}


def test_a_picture_and_a_video_find_their_like(search: VideoSearch, rendered: Path, tmp_path: Path) -> None:
    media.thumbnail(rendered / "meadow.mp4", tmp_path / "picture.jpg", at_ms=1000)
    assert best(search, image=tmp_path / "picture.jpg")[0] == "meadow.mp4"
    found = search.search(video=rendered / "sunset_a.mp4", group_by="video", limit=2)
    assert {hit.uri.rpartition("/")[2] for hit in found} == {"sunset_a.mp4", "sunset_b.mp4"}


def test_a_text_and_a_picture_are_summed(search: VideoSearch, tmp_path: Path, rendered: Path) -> None:
    media.thumbnail(rendered / "snow.webm", tmp_path / "white.jpg", at_ms=1000)
    result = search.search(text="green", image=tmp_path / "white.jpg", weights={"text": 5.0})
    assert result.explain["fusion"] == "sum"
    assert result.hits[0].start == 2.0


def test_other_weights_are_another_space_which_the_collection_refuses(
    tiny: Path, rendered: Path, tmp_path: Path
) -> None:
    with opened(tmp_path, tiny) as search:
        search.ingest(rendered / "ball_a.mp4")
    other = tiny_clip.build(tmp_path / "other", seed=2)
    with (
        closing(opened(tmp_path, other)) as search,
        pytest.raises(ConfigurationError, match=r"version is '[0-9a-f]{16}', stored '[0-9a-f]{16}'"),
    ):
        search.search("red")


def test_a_caption_is_changed_without_embedding_again(tiny: Path, rendered: Path, tmp_path: Path) -> None:
    clip = tmp_path / "ball.mp4"
    clip.write_bytes((rendered / "ball_a.mp4").read_bytes())
    with opened(tmp_path, tiny) as search:
        search.ingest(clip)
        clip.with_suffix(".json").write_text('{"caption": "a ball"}')
        (report,) = search.ingest(clip).videos
    assert (report.outcome, report.embedded) == ("updated", 0)
