"""`polyreel objects export`: a listing as rows that `ingest --from` takes."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell


@pytest.fixture
def kept(shell: Shell, samples: Path) -> Path:
    """Two clips, and a text beside them, in the store's folder."""
    folder = shell.folder / ".polyreel" / "objects" / "raw"
    folder.mkdir(parents=True)
    for file in sorted(samples.glob("*.mp4"))[:2]:
        shutil.copy(file, folder)
    (folder / "notes 海.txt").write_text("x")
    return folder


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_object_is_a_line(shell: Shell, kept: Path) -> None:
    said = rows(shell("objects", "export", "raw/").out)
    assert [row["key"] for row in said] == sorted(
        (f"raw/{file.name}" for file in kept.iterdir()), key=str.encode
    )
    for row in said:
        file = kept / str(row["key"]).removeprefix("raw/")
        assert row == {
            "key": f"raw/{file.name}",
            "uri": file.as_uri(),
            "size": file.stat().st_size,
            "modified": row["modified"],
        }
        assert str(row["modified"]).endswith("+00:00")
    assert shell("objects", "export", "elsewhere/").out == ""


def test_the_videos_of_a_listing_are_taken_in(shell: Shell, kept: Path) -> None:
    assert shell("objects", "export", "raw/", "--videos", "--out", "rows.jsonl").code == 0
    assert len(rows((shell.folder / "rows.jsonl").read_text())) == 2
    assert "2 ingested" in shell("ingest", "--from", "rows.jsonl").out
    first = shell("videos", "--json").document["videos"][0]
    assert first["uri"].startswith(kept.as_uri())


def test_a_file_that_cannot_be_written_is_told_before_anything_is_listed(shell: Shell) -> None:
    said = shell("objects", "export", "--out", "missing/rows.jsonl")
    assert said.code == 2
    assert "missing/rows.jsonl can't be written" in said.err
