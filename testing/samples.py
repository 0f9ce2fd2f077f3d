"""The sample clips of the demo, drawn once a session for all tests that only look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .. import media

__all__ = ["drawn_samples"]


def drawn_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their folder, with sidecars; not to be changed. Drawing them takes seconds, so it waits until then."""
    folder = tmp_path_factory.getbasetemp() / "drawn-samples"
    if not folder.exists():
        part = tmp_path_factory.mktemp("drawing")
        media.render_samples(part)
        part.rename(folder)
    return folder
