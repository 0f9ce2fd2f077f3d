"""The two tutorials in `examples/`, as they are, against the emulator and stores that need no server."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from .conftest import BLUE, GREEN, RED, write_clip

if TYPE_CHECKING:
    from polyreel.testing.twelvelabs import Emulator

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    for name, colour in (("ball", RED), ("lawn", GREEN), ("sea", BLUE)):
        write_clip(folder / f"{name}.mp4", [colour], seconds=10.0, fps=1)
    return folder


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    service: Emulator,
    videos: Path,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a script with a store of a kind, configured by variables alone; returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWELVELABS_API_KEY", service.key)
    monkeypatch.setenv("POLYREEL_STACK", "tutorial")
    settings = {
        "EMBEDDER__KIND": "marengo",
        "EMBEDDER__BASE_URL": service.base_url,
        "OBJECTS__KIND": "local",
        "OBJECTS__PATH": "objects",
        "OBJECTS__COPY": "true",
        "STORE__PATH": "store",
    }

    def do(script: str, words: str, **more: str) -> list[str]:
        if more["STORE__KIND"] == "milvus":
            pytest.importorskip("milvus_lite")
            more["STORE__PATH"] = "videos.db"  # a file, where the others want a folder
        for name, value in {**settings, **more}.items():
            monkeypatch.setenv(f"POLYREEL_STACKS__TUTORIAL__{name}", value)
        monkeypatch.setattr(sys, "argv", [script, str(videos), words])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return do


class Run(Protocol):
    def __call__(self, script: str, words: str, **more: str) -> list[str]: ...


@pytest.mark.parametrize("kind", ["memory", "qdrant", "milvus"])
def test_clips_are_found_by_a_stored_clip_and_by_words(run: Run, service: Emulator, kind: str) -> None:
    lines = run("milvus_marengo.py", "the blue sea", STORE__KIND=kind)
    assert lines[0] == "{'ingested': 3}"
    assert lines[1] == "like the beginning of 'ball':"
    likeness, _, span = lines[2].split()
    assert (float(likeness) > 0.99, span) == (True, "5.0-10.0")  # the other half of the same ball
    assert lines[5] == "'the blue sea':"
    assert {line.split()[2] for line in lines[6:8]} == {"0.0-5.0", "5.0-10.0"}
    assert lines[6].split()[1] == lines[7].split()[1] != lines[2].split()[1]
    assert len(service.tasks.all) == 3
    again = run("milvus_marengo.py", "the blue sea", STORE__KIND=kind)
    assert again == ["{'skipped': 3}", *lines[1:]]
    assert len(service.tasks.all) == 3


@pytest.mark.parametrize("kind", ["memory", "qdrant", "milvus"])
def test_videos_are_recommended_with_the_template_of_the_tutorial(
    run: Run, service: Emulator, kind: str
) -> None:
    lines = run(
        "qdrant_marengo_s3.py",
        "something blue",
        STORE__KIND=kind,
        EMBEDDER__QUERY_TEMPLATE="Recommend - {query}",
        RECIPE__SCOPES='["video"]',
    )
    assert lines[:2] == ["{'ingested': 3}", "for 'something blue':"]
    assert lines[2].split()[1] == "sea"
    assert lines[5] == "and whoever likes 'sea':"
    assert {line.split()[1] for line in lines[6:]} == {"ball", "lawn"}
    asked = [json.loads(request.body) for request in service.requests if request.path == "/embed-v2"]
    assert {body["text"]["input_text"] for body in asked} == {"Recommend - something blue"}
    submitted = [
        json.loads(each.body)["video"] for each in service.requests if each.path == "/embed-v2/tasks"
    ]
    assert {tuple(body["embedding_scope"]) for body in submitted if body} == {("asset",)}
