"""The preset `vikingdb_tos`, where VikingDB vectorizes what lies in TOS, answers as `local` does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import polyreel
from polyreel import media
from polyreel.cli.main import app
from polyreel.core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel import VideoSearch

    from .conftest import Clips, Cloud

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WORDS = (
    "red", "green", "blue", "yellow", "orange", "white", "black", "grey", "dark", "bright", "black and white",
    "红色", "绿色", "黑白",
)  # fmt: skip
ALIKE = {"*": {"title": "video"}}  # else the words of file names would speak in `local`, beside the pictures
PIECE = 4000  # milliseconds of a query video
BUCKET = "video-demo1"


@dataclass(frozen=True)
class Both:
    """The same videos in both stacks."""

    there: VideoSearch
    here: VideoSearch
    folder: Path


@pytest.fixture(scope="module")
def both(cloud: Cloud, videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("stacks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in cloud.variables().items():
            patch.setenv(name, value)
        with polyreel.open("vikingdb_tos") as there, polyreel.open("local") as here:
            for search in (there, here):
                report = search.ingest(videos, described=ALIKE)
                assert report.ok, report
            yield Both(there, here, folder)


def best(search: VideoSearch, **query: Any) -> str:
    return search.search(group_by="video", limit=1, **query).hits[0].video_id


def test_pictures_find_the_same_video(both: Both, clips: Clips, tmp_path: Path) -> None:
    own = 0
    for file in clips.files:
        length = media.probe(file).duration_ms
        for tenth in (2, 5, 8):
            picture = tmp_path / f"{file.name}.{tenth}.jpg"
            media.thumbnail(file, picture, at_ms=length * tenth // 10, size=480)
            found = best(both.there, image=picture)
            assert found == best(both.here, image=picture), picture.name
            own += both.there.search(image=picture, limit=1).hits[0].uri.endswith(f"{found}{file.suffix}")
    assert own > 0


def test_pieces_of_videos_find_the_same_video(both: Both, clips: Clips, tmp_path: Path) -> None:
    found = set()
    for file in clips.files:
        piece, end = tmp_path / f"{file.stem}.mp4", min(PIECE, media.probe(file).duration_ms)
        media.cut(file, piece, start_ms=0, end_ms=end)
        found.add(best(both.there, video=piece))
        assert best(both.there, video=piece) == best(both.here, video=piece), file.name
    assert len(found) > len(clips.files) * 0.8  # nearly each finds its own


def test_words_of_colour_and_light_find_the_same_video(both: Both) -> None:
    found = {word: best(both.there, text=word) for word in WORDS}
    assert found == {word: best(both.here, text=word) for word in WORDS}
    assert len(set(found.values())) > 3


def test_videos_and_clips_lie_in_the_bucket_under_durable_keys(
    both: Both, cloud: Cloud, clips: Clips
) -> None:
    keys = cloud.tos.buckets[BUCKET].objects
    assert sum(key.startswith("videos/") for key in keys) == len(clips.files)
    assert any(key.startswith("clips/") for key in keys)
    assert not any(key.startswith("staging/") for key in keys)  # the leases of queries are gone
    rows = [row for body in cloud.vikingdb.bodies("data/upsert") for row in body["data"]]
    assert all(row["polyreel_video"]["value"].startswith(f"tos://{BUCKET}/clips/") for row in rows)


def test_a_hit_is_cut_out_of_what_lies_in_the_bucket(both: Both, tmp_path: Path) -> None:
    (hit,) = both.there.search("red", limit=1)
    assert hit.uri.startswith(f"tos://{BUCKET}/videos/")
    (piece,) = both.there.save([hit], tmp_path)
    assert media.probe(piece).duration_ms == pytest.approx((hit.end - hit.start) * 1000, abs=150)


def test_a_hit_whose_object_is_gone_is_one_clear_line(both: Both, cloud: Cloud, tmp_path: Path) -> None:
    (hit,) = both.there.search("red", limit=1)
    objects = cloud.tos.buckets[BUCKET].objects
    gone = objects.pop(hit.uri.removeprefix(f"tos://{BUCKET}/"))
    try:
        with pytest.raises(NotFoundError, match=hit.uri):
            both.there.save([hit], tmp_path / "library")
        said = CliRunner().invoke(
            app, ["search", "red", "--stack", "vikingdb_tos", "--limit", "1", "--save-to", "out"]
        )
        assert said.exit_code == 1
        lines = [line for line in said.stderr.splitlines() if hit.uri in line]
        assert len(lines) == 1, said.stderr
        assert "Traceback" not in said.stderr
        assert not list((both.folder / "out").glob("*.mp4"))
    finally:
        objects[hit.uri.removeprefix(f"tos://{BUCKET}/")] = gone


def test_a_second_run_costs_nothing(both: Both, cloud: Cloud, videos: Path) -> None:
    rows, puts = len(cloud.vikingdb.bodies("data/upsert")), len(cloud.tos.seen)
    report = both.there.ingest(videos, described=ALIKE)
    assert set(report.counts) == {"skipped"}
    assert len(cloud.vikingdb.bodies("data/upsert")) == rows
    assert not [seen for seen in cloud.tos.seen[puts:] if seen.method in ("PUT", "POST")]
