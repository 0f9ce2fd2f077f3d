"""The two tutorials in `examples/` as they are, configured as they say: real stores, a real bucket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from polyreel.media.render import write_clip
from polyreel.testing.twelvelabs import Emulator, emulating

from .conftest import run_example, variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Bucket

pytestmark = pytest.mark.slow
COLOURS = {"ball": (220, 20, 20), "lawn": (20, 200, 20), "sea": (20, 20, 220)}


@pytest.fixture
def account() -> Iterator[Emulator]:
    """A TwelveLabs that nobody else asks."""
    with emulating() as emulator:
        yield emulator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with three videos of ten seconds."""
    (tmp_path / "videos").mkdir()
    for name, colour in COLOURS.items():
        pictures = iter([np.full((360, 480, 3), colour, np.uint8)] * 10)
        write_clip(tmp_path / "videos" / f"{name}.mp4", pictures, fps=1, hertz=440, options={"g": "5"})
    return tmp_path


def tutorial(**keys: str) -> dict[str, str]:
    """The variables of the stack `tutorial`."""
    named = {f"POLYREEL_STACKS__TUTORIAL__{name}": value for name, value in keys.items()}
    return {"POLYREEL_STACK": "tutorial", **named}


def test_clips_are_found_by_a_stored_clip_and_by_words(folder: Path, account: Emulator) -> None:
    keys = {"PRESET": "local_milvus", "EMBEDDER__KIND": "marengo", "EMBEDDER__BASE_URL": account.base_url}
    known = {**variables(account, None), **tutorial(**keys)}
    lines = run_example("milvus_marengo.py", "videos", "the blue sea", folder=folder, variables=known)
    assert lines[0] == "{'ingested': 3}"
    assert lines[1] == "like the beginning of 'ball':"
    likeness, video, span = lines[2].split()
    assert (float(likeness) > 0.99, span) == (True, "5.0-10.0")  # the other half of the same ball
    assert video.endswith("ball.mp4")
    assert lines[5] == "'the blue sea':"
    assert [line.split()[1].rpartition("/")[2] for line in lines[6:8]] == ["sea.mp4"] * 2
    assert {line.split()[2] for line in lines[6:8]} == {"0.0-5.0", "5.0-10.0"}
    again = run_example("milvus_marengo.py", "videos", "the blue sea", folder=folder, variables=known)
    assert again == ["{'skipped': 3}", *lines[1:]]
    assert len(account.tasks.all) == 3
    assert next((folder / ".polyreel").rglob("videos.db")).exists()


@pytest.mark.parametrize("store", [{}, {"STORE__CLIENT_PATH": "client"}], ids=["engine", "client"])
def test_videos_are_recommended_with_the_template_of_the_tutorial(
    folder: Path, account: Emulator, swift: Bucket, store: dict[str, str]
) -> None:
    keys = {
        "PRESET": "qdrant_marengo_s3",
        "EMBEDDER__BASE_URL": account.base_url,
        "EMBEDDER__QUERY_TEMPLATE": "Recommend - {query}",
        "RECIPE__SCOPES": '["video"]',
        **{f"OBJECTS__{name.upper()}": value for name, value in swift.keys().items()},
        **store,
    }
    known = {**variables(account, swift), **tutorial(**keys)}
    arguments = ("qdrant_marengo_s3.py", "videos", "something blue")
    lines = run_example(*arguments, folder=folder, variables=known)
    assert lines[:2] == ["{'ingested': 3}", "for 'something blue':"]
    _, best, uri = lines[2].split()
    assert best == "sea"
    assert uri.startswith(f"s3://{swift.name}/videos/")
    assert lines[5] == "and whoever likes 'sea':"
    assert {line.split()[1] for line in lines[6:]} == {"ball", "lawn"}
    asked = [json.loads(request.body) for request in account.requests if request.path == "/embed-v2"]
    assert {body["text"]["input_text"] for body in asked} == {"Recommend - something blue"}
    submitted = [json.loads(each.body)["video"] for each in account.requests if _is_submit(each)]
    assert {tuple(body["embedding_scope"]) for body in submitted} == {("asset",)}


def _is_submit(request: object) -> bool:
    return (request.method, request.path) == ("POST", "/embed-v2/tasks")  # type: ignore[attr-defined]
