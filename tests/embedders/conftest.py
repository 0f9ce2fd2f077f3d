"""Tiny models of CLIP's kind, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyreel import media

from . import tiny_clip

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair in the layout of two repositories; not to be changed."""
    return tiny_clip.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_in_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair in the layout of one repository; not to be changed."""
    return tiny_clip.build_in_one(tmp_path_factory.mktemp("tiny_in_one"))


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample clips, short and small and without their sidecars; not to be changed."""
    folder = tmp_path_factory.mktemp("rendered")
    for clip in media.render_samples(folder, seconds=2.0, size=(160, 90)):
        clip.with_suffix(".json").unlink()
    return folder
