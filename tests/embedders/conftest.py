"""Tiny models of CLIP's kind, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
