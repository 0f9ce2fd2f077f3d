"""The vendor's practice of video search runs, as a script and as a sequence of commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.testing import tos, vikingdb

from .conftest import BUCKET, Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "vikingdb_video_search.py"
QUESTION = "根据这个问题，找到能回答这个问题的相应文本或图片："


@pytest.fixture
def own_cloud() -> Iterator[Cloud]:
    """Services of their own, for the script makes the bucket and the collection."""
    with tos.emulating() as store:
        settings = vikingdb.Settings(resolve=store.resolve, lag=0.05, ready_after=2)
        with vikingdb.emulating(settings) as database:
            yield Cloud(database, store, None)  # type: ignore[arg-type]  # no embedder is asked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six drawn videos, and a picture and a piece of two of them."""
    drawn = media.render_samples(tmp_path / "drawn", seconds=4.0, size=(320, 240), fps=10)
    (tmp_path / "videos").mkdir()
    for file in drawn[:6]:
        shutil.copy(file, tmp_path / "videos")
    media.thumbnail(tmp_path / "videos" / "ball_a.mp4", tmp_path / "picture.jpg", at_ms=2000)
    media.cut(tmp_path / "videos" / "ball_b.mp4", tmp_path / "piece.mp4", start_ms=0, end_ms=2000)
    return tmp_path


def run(folder: Path, cloud: Cloud, *command: str) -> str:
    outer = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env = {**outer, **cloud.variables(), "POLYREEL_STACK": "vikingdb_tos"}
    env["POLYREEL_STACKS__VIKINGDB_TOS__STORE__VECTORIZE__FPS"] = "2"
    done = subprocess.run(
        [sys.executable, "-P", *command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "SKTEST" not in done.stdout + done.stderr
    return done.stdout


def test_the_example_does_what_the_practice_does(folder: Path, own_cloud: Cloud) -> None:
    said = run(folder, own_cloud, str(EXAMPLE), "videos", "red", "picture.jpg", "piece.mp4")
    count = len(list((folder / "videos").iterdir()))
    assert f"{{'ingested': {count}}}" in said
    keys = own_cloud.tos.buckets[BUCKET].objects
    assert sum(key.startswith("video_demo/") for key in keys) == count
    assert not any(key.startswith("videos/") for key in keys)  # what lies in the bucket stays where it is
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert [row["uri"] for row in rows] == sorted(
        f"tos://{BUCKET}/video_demo/{file.name}" for file in (folder / "videos").iterdir()
    )

    bodies = own_cloud.vikingdb.bodies
    (made,) = bodies("CreateVikingdbCollection")
    assert made["Vectorize"]["Dense"]["ModelVersion"] == "250615"
    assert len(bodies("CreateVikingdbIndex")) == 1
    assert len(bodies("GetVikingdbIndex")) >= 2  # until it serves
    text, both, video = bodies("multi_modal")
    assert (text["text"], text["need_instruction"]) == ("red", True)
    assert both["text"] == "red"
    assert both["image"].startswith(f"tos://{BUCKET}/staging/")
    assert video["video"]["fps"] == 2
    assert video["need_instruction"] is False

    for name, best in {"text": "", "image_and_text": "ball_a.mp4", "video": "ball_b.mp4"}.items():
        found = sorted((folder / "found" / name).iterdir())
        assert len(found) == 5
        assert found[0].name.endswith(best)
        for file in found:
            original = folder / "videos" / file.name.partition("_")[2]
            assert file.read_bytes() == original.read_bytes()


def test_the_same_as_a_sequence_of_commands(folder: Path, own_cloud: Cloud) -> None:
    polyreel = ("-m", "polyreel")
    assert "ingested" in run(folder, own_cloud, *polyreel, "ingest", "videos")
    run(folder, own_cloud, *polyreel, "objects", "export", "videos/", "--videos", "--out", "rows.jsonl")
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == len(list((folder / "videos").iterdir()))
    assert all(row["uri"] == f"tos://{BUCKET}/{row['key']}" and row["size"] > 0 for row in rows)
    vectorized = len(own_cloud.vikingdb.bodies("data/upsert"))
    said = run(folder, own_cloud, *polyreel, "ingest", "--from", "rows.jsonl")
    assert f"{len(rows)} updated" in said  # by what the rows say of them; nothing is vectorized again
    assert len(own_cloud.vikingdb.bodies("data/upsert")) == vectorized
    said = run(folder, own_cloud, *polyreel, "search", "--image", "picture.jpg", "--limit", "5", "--json")
    assert json.loads(said)["hits"]
    run(folder, own_cloud, *polyreel, "search", "--video", "piece.mp4", "--limit", "5", "--save-to", "out")
    assert len(list((folder / "out").glob("*.mp4"))) == 5
