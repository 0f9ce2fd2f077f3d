"""How well the default stack finds what it should: over rendered clips, and real ones where they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.bench import clip_queries
from polyreel.core.evaluating import evaluate
from polyreel.core.judgements import Judged, Relevant, read_judgements
from polyreel.core.levels import called
from polyreel.core.media import Modality
from polyreel.core.query import Query

if TYPE_CHECKING:
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


def test_levels_measured_on_rendered_clips_tell_right_videos_from_wrong_ones(
    rendered: Path, open_local: OpenLocal, tmp_path: Path
) -> None:
    search = open_local(tmp_path)
    search.ingest(rendered)
    videos = [path for path in sorted(rendered.iterdir()) if path.suffix in (".mp4", ".webm")]
    asked = []
    for path in videos:
        scene = path.stem.removesuffix("_a").removesuffix("_b")
        relevant = tuple(Relevant(each.name) for each in videos if each.stem.startswith(scene))
        for at in (500, 1700, 3900, 5300):
            picture = tmp_path / f"{path.stem}-{at}.jpg"
            media.thumbnail(path, picture, at_ms=at, size=320)
            asked.append(Judged(Query(image=picture), relevant, picture.stem))
    found = evaluate({"local": search}, asked).levels("local")[Modality.IMAGE]
    levels = found.levels
    assert levels is not None
    assert len(found.wrong) == len(asked) == 32
    assert called(found.wrong, levels) == {"high": 0, "medium": 1, "low": 31}
    right = called(found.right, levels)
    assert right["high"] + right["medium"] >= 28
    assert right["high"] > right["medium"]


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
