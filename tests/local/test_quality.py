"""How well the default stack finds what it should: over rendered clips, and real ones where they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.bench import clip_queries
from polyreel.core.evaluating import evaluate
from polyreel.core.judgements import read_judgements

if TYPE_CHECKING:
    from polyreel.core.judgements import Judged

    from .conftest import Clips, OpenLocal

FRAMES = {
    "desert": ("desert_then_fish.mp4", 1000),
    "fish": ("desert_then_fish.mp4", 4500),
    "city": ("city_night.mp4", 3100),
    "snow": ("snow.webm", 3100),
    "meadow": ("meadow.mp4", 3100),
}


@pytest.fixture(scope="module")
def judged(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """The set over rendered clips, beside the files that it names."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "videos").symlink_to(rendered)
    (folder / "frames").mkdir()
    for name, (video, at) in FRAMES.items():
        media.thumbnail(rendered / video, folder / "frames" / f"{name}.jpg", at_ms=at, size=320)
    return read_judgements(shutil.copy(Path(__file__).parent / "rendered.jsonl", folder))


def test_the_set_over_rendered_clips_is_answered(
    rendered: Path, judged: list[Judged], open_local: OpenLocal, tmp_path: Path
) -> None:
    search = open_local(tmp_path)
    search.ingest(rendered)
    found = evaluate({"local": search}, judged)
    means = {name: each.mean for name, each in found.measures("local").items()}
    assert means["mrr@10"] == 1.0
    assert means["ndcg@10"] > 0.97
    assert means["recall@10"] == 1.0
    assert means["r@1 iou=0.5"] == 0.75  # the windows of five seconds don't know where the fish begin
    spans = {each.id: each.iou for each in found.scored["local"] if each.iou is not None}
    assert spans["frame of the city"] == pytest.approx(5 / 6, abs=0.01)
    assert spans["frame of the fish"] == pytest.approx(1 / 3, abs=0.01)


def test_windows_that_fit_the_scenes_find_better_spans(
    rendered: Path, judged: list[Judged], open_local: OpenLocal, tmp_path: Path
) -> None:
    first, second = open_local(tmp_path / "five"), open_local(tmp_path / "three", window=3.0)
    for search in (first, second):
        search.ingest(rendered)
    found = evaluate({"five": first, "three": second}, judged)
    spans = {each.id: each.iou for each in found.scored["three"] if each.iou is not None}
    assert spans["frame of the fish"] == pytest.approx(1.0, abs=0.01)
    assert found.difference("three", "five")["mrr@10"].mean == 0


@pytest.mark.slow
def test_every_question_about_the_real_clips_is_answered_as_well_as_the_docs_say(
    clips: Clips, open_local: OpenLocal, tmp_path: Path
) -> None:
    search = open_local(tmp_path)
    search.ingest(clip_queries.described(clips.folder, tmp_path / "videos"))
    asked = clip_queries.questions(clips.folder, tmp_path / "pictures")
    files = dict(zip(asked, clip_queries.write(asked, tmp_path), strict=True))
    found = {
        name: evaluate({"local": search}, read_judgements(file)).measures("local")["mrr@10"]
        for name, file in files.items()
    }
    assert {name: mrr.queries for name, mrr in found.items()} == {
        name: 126 if "frame" in name else 4 if "half of its" in name else 14 for name in asked
    }
    wanting = {name: mrr.mean for name, mrr in found.items() if mrr.mean < 1}
    assert wanting.keys() <= {"first 4 words", "frame, for its own file"}
    assert min(wanting.values(), default=1) > 0.9
