from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from polyreel.core.discovery import discover
from polyreel.core.records import Text
from polyreel.core.sources import Found, Remote, Source, Unreadable
from polyreel.core.subtitles import Line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest


def touched(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def names(found: Iterable[Found]) -> list[str]:
    return [each.path.name for each in found if not isinstance(each, Unreadable)]


def errors(found: Iterable[Found]) -> list[str]:
    return [f"{each.name}: {each.error}" for each in found if isinstance(each, Unreadable)]


def test_rows_describe_their_videos_and_win_over_sidecars(tmp_path: Path) -> None:
    touched(tmp_path, "clips/a.mp4", "clips/b.mp4")
    (tmp_path / "clips" / "a.json").write_text(
        '{"title": "sidecar", "caption": "from the sidecar", "year": 1}'
    )
    row = {
        "uri": "clips/a.mp4",
        "title": "row",
        "tags": ["x"],
        "captions": [{"start": 0, "end": 1, "text": "hi"}],
        "transcript": "all",
        "fields": {"year": 2020},
        "place": "Ulm",
    }
    remote = {"uri": "https://example.com/c.mp4", "title": "elsewhere"}
    (tmp_path / "rows.jsonl").write_text(f"\ufeff{json.dumps(row)}\n\n{json.dumps(remote)}", encoding="utf-8")
    found = list(discover([tmp_path], {"*": {"place": "Bonn"}}, rows=[tmp_path / "rows.jsonl"]))
    first, second, third = found
    assert isinstance(first, Source)
    assert first.path == tmp_path / "clips" / "a.mp4"
    assert first.text == Text("row", ("x",), "from the sidecar", "all")
    assert first.lines == (Line(0, 1000, "hi"),)
    assert first.fields == {"year": 2020, "place": "Ulm"}
    assert isinstance(second, Remote)
    assert second.source.text.title == "elsewhere"
    assert third.path.name == "b.mp4"


def test_a_broken_row_is_one_failure_with_file_and_line(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4", "z.mp4", "folder/b.mp4")
    lines = [
        '{"uri": "a.mp4"}',
        '{"uri": ',
        "[1]",
        '{"title": "no uri"}',
        '{"uri": 5}',
        '{"uri": "missing.mp4"}',
        '{"uri": "folder"}',
        '{"uri": "s3://bucket/"}',
        '{"uri": "z.mp4", "tags": 5}',
        '{"uri": "folder/b.mp4"}',
    ]
    file = tmp_path / "rows.jsonl"
    file.write_bytes("\n".join(lines).encode() + b'\n\xff\n{"uri": "' + b"[" * 100_000)
    found = list(discover([], rows=[file]))
    assert names(found) == ["a.mp4", "b.mp4"]
    assert [said.partition(": ")[0] for said in errors(found)] == [
        f"{file}:{line}" for line in (2, 3, 4, 5, 6, 7, 8, 9, 11, 12)
    ]


def test_a_rows_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (said,) = errors(discover([], rows=[tmp_path / "no.jsonl"]))
    assert "no.jsonl can't be read: No such file" in said


def test_the_standard_input_brings_paths_addresses_and_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched(tmp_path, "a.mp4", "b c.mp4", "folder/d.mp4")
    text = 'a.mp4\n\n{"uri": "b c.mp4", "title": "row"}\nfolder\nhttps://example.com/e.mp4\nmissing.mp4\n'
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    found = list(discover(["-"]))
    assert names(found) == ["a.mp4", "b c.mp4", "d.mp4", "e.mp4"]
    assert errors(found) == ["missing.mp4: there is no file missing.mp4"]
