"""The default stack as a user has it, over real clips where they are, else over rendered ones."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

import polyreel
from polyreel.testing.samples import drawn_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyreel import VideoSearch
    from polyreel.core.records import Hit

_CONFIG = """
[stacks.local]
state = "state"
[stacks.local.store]
kind = "qdrant"
path = "store"
[stacks.local.objects]
kind = "local"
path = "objects"
"""
_SAME_SCENE = {"flower_bloom.webm": "flower", "truncated_flower.mp4": "flower"}


@dataclass(frozen=True)
class Clips:
    """Real clips and what is known of them."""

    folder: Path

    @cached_property
    def known(self) -> dict[str, dict[str, Any]]:
        entries = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        return {entry["file"]: entry for entry in entries}

    def scene(self, name: str) -> str:
        """Clips of one place and time; one of them is a damaged copy of another."""
        return str(_SAME_SCENE.get(name) or self.known[name]["scene_group"] or name)

    def readable_seconds(self, name: str) -> float:
        """Of a damaged clip only the part that decodes."""
        entry = self.known[name]
        return float(entry["decoded_frames"] / entry["fps"])


@pytest.fixture(scope="session")
def clips(need: Any) -> Clips:
    """The folder that POLYREEL_TEST_VIDEOS names, or `shared/videos` beside the repository."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "videos"
    folder = Path(os.environ.get("POLYREEL_TEST_VIDEOS", beside))
    if not (folder / "manifest.json").is_file():
        need("real-videos", "no real clips here, the tests over rendered ones run all the same")
    return Clips(folder)


class OpenLocal(Protocol):
    def __call__(self, folder: Path, *, window: float = 5.0) -> VideoSearch: ...


@pytest.fixture
def open_local() -> Iterator[OpenLocal]:
    """Opens the stack `local` with everything it keeps in a folder."""
    opened: list[VideoSearch] = []

    def make(folder: Path, *, window: float = 5.0) -> VideoSearch:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "polyreel.toml").write_text(f"{_CONFIG}[stacks.local.recipe]\nwindow = {window}\n")
        opened.append(polyreel.open("local", folder / "polyreel.toml"))
        return opened[-1]

    yield make
    for search in opened:
        search.close()


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of rendered sample clips with sidecars; not to be changed."""
    return drawn_samples(tmp_path_factory)


def linked(clips: Clips, folder: Path, *, sidecars: bool) -> Path:
    """The real clips in a folder of our own, with captions and tags as sidecars or without any word."""
    folder.mkdir(parents=True)
    for name, entry in clips.known.items():
        (folder / name).symlink_to(clips.folder / name)
        if sidecars:
            sidecar = {"tags": entry["tags"], "caption": [entry["caption_en"], entry["caption_zh"]]}
            (folder / f"{name}.json").write_text(json.dumps(sidecar), encoding="utf-8")
    return folder


def name_of(hit: Hit) -> str:
    """The file name of a hit's video."""
    return hit.uri.rpartition("/")[2]
