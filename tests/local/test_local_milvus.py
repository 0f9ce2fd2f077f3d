"""The stack `local_milvus` as a user has it, over clips that our own code renders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polyreel

from .conftest import name_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_preset_ingests_and_finds_and_leaves_nothing_slow(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    monkeypatch.chdir(tmp_path)
    with polyreel.open("local_milvus") as search:
        report = search.ingest(rendered)
        assert set(report.counts) == {"ingested"}
        files = list((tmp_path / ".polyreel/milvus/videos.db").rglob("data_*.parquet"))
        rows = sum(pyarrow.parquet.read_table(file).num_rows for file in files)
        assert rows >= search.count() > 0  # a search walks what isn't in files in Python
        sidecar = json.loads((rendered / "sunset_a.json").read_text("utf-8"))
        assert name_of(search.search(sidecar["title"], group_by="video").hits[0]) == "sunset_a.mp4"
        expected = [(hit.id, hit.score) for hit in search.search("red ball")]
    with polyreel.open("local_milvus") as search:
        assert set(search.ingest(rendered).counts) == {"skipped"}
        assert [(hit.id, hit.score) for hit in search.search("red ball")] == expected
