"""How the weights of the clip embedder come to a machine, by the hub's own client, as a user sees it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from polyreel.embedders.clip.weights import PAIRS, pair

from .hub import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .hub import Hub

TEXT, VISION = PAIRS["clip-vit-b-32"]
_PROGRAM = "import sys; from polyreel.cli.main import main; sys.argv[0] = 'polyreel'; main()"


@pytest.fixture
def hub(tiny: Path) -> Iterator[Hub]:
    with serving({TEXT: tiny / "text", VISION: tiny / "vision"}) as hub:
        yield hub


def polyreel(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as on a fresh machine, whose hub is where HF_ENDPOINT says."""
    home = {"HOME": str(folder), "HF_HOME": str(folder / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run(
        [sys.executable, "-P", "-c", _PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, **home, "POLYREEL_STACK": "local_clip", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def video(rendered: Path) -> Path:
    return rendered / "ball_a.mp4"


@pytest.mark.slow
def test_they_are_fetched_once_after_saying_what_and_where_to(hub: Hub, video: Path, tmp_path: Path) -> None:
    done = polyreel(tmp_path, "ingest", str(video), HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    said, ingested = done.stderr.splitlines()  # and no bar, since nobody watches
    assert "ingested" in ingested
    assert f"warning: fetching the weights of clip-vit-b-32 (1 MB) from {TEXT} and {VISION}" in said
    assert f"into {tmp_path / 'hub' / 'hub'}; to do without, set model_path" in said
    assert sorted(hub.fetched) == sorted(
        f"{tower.repository}/{file}"
        for tower in pair("clip-vit-b-32")
        for file in (*tower.files, *tower.extras)
    )

    hub.fetched.clear()
    again = polyreel(tmp_path, "search", "a red ball", HF_ENDPOINT=hub.url)
    assert "ball_a.mp4" in again.stdout
    assert "fetching" not in again.stderr
    offline = polyreel(tmp_path, "search", "a red ball", HF_HUB_OFFLINE="1")
    assert offline.stdout == again.stdout
    assert hub.fetched == []


def test_a_bar_is_drawn_on_a_terminal(hub: Hub, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    program = "from polyreel.embedders.clip.weights import in_cache; in_cache('clip-vit-b-32')"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub")}
    drawn = b""
    with subprocess.Popen([sys.executable, "-P", "-c", program], env=environment, stderr=theirs) as child:
        os.close(theirs)
        with suppress(OSError):  # at the end, Linux has an error for whoever reads on
            while piece := os.read(ours, 4096):
                drawn += piece
    os.close(ours)
    assert child.returncode == 0
    assert b"Fetching 5 files" in drawn
    assert b"dry-run" not in drawn


@pytest.mark.slow
def test_only_the_tower_that_is_lacking_is_fetched(hub: Hub, video: Path, tmp_path: Path) -> None:
    vision = hub.repositories.pop(VISION)
    failed = polyreel(tmp_path, "ingest", str(video), HF_ENDPOINT=hub.url)
    assert failed.returncode == 1
    assert f"{VISION} can't be fetched: " in failed.stderr.splitlines()[-1]

    hub.repositories[VISION] = vision
    polyreel(tmp_path, "ingest", str(video), HF_ENDPOINT=hub.url)
    assert sum(file.endswith("model.onnx") for file in hub.fetched) == 2


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "Connection refused"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
    ],
)
def test_a_machine_without_a_way_out_gets_one_line_that_says_what_to_do(
    environment: dict[str, str], why: str, video: Path, tmp_path: Path
) -> None:
    done = polyreel(tmp_path, "ingest", str(video), **environment)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert f"the weights of clip-vit-b-32 are not in {tmp_path / 'hub' / 'hub'}" in said
    assert why in said
    assert "connect this machine once, or set model_path to a folder that holds them: docs/clip.md" in said


@pytest.mark.slow
def test_a_cache_of_ones_own_is_used(hub: Hub, video: Path, tmp_path: Path) -> None:
    (tmp_path / "polyreel.toml").write_text('[stacks.local_clip.embedder]\ncache = "weights"\n')
    done = polyreel(tmp_path, "ingest", str(video), HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "weights").glob("models--*/snapshots/*/model.onnx"))
    assert not (tmp_path / "hub" / "hub").exists()


@pytest.mark.parametrize("model", PAIRS)
def test_both_towers_of_every_model_are_in_the_librarys_list_and_of_one_length(model: str) -> None:
    from fastembed import ImageEmbedding, TextEmbedding

    text, vision = pair(model)
    assert text.files[0].endswith(".onnx")
    assert vision.files[0].endswith(".onnx")
    lengths = {
        *(each["dim"] for each in TextEmbedding.list_supported_models() if each["model"] == text.model),
        *(each["dim"] for each in ImageEmbedding.list_supported_models() if each["model"] == vision.model),
    }
    assert len(lengths) == 1
