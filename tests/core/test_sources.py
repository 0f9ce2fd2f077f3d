from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from polyreel.core.errors import InvalidQueryError, NotFoundError
from polyreel.core.records import Text
from polyreel.core.sources import Line, Source, Unreadable, described_source, discover

if TYPE_CHECKING:
    from pathlib import Path


def touched(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_a_folder_is_searched_to_the_bottom_for_videos(tmp_path: Path) -> None:
    touched(tmp_path, "b.MP4", "a.webm", "deep/er/c.mkv", "notes.txt", ".hidden.mp4", ".git/d.mp4")
    assert [source.path.name for source in discover([tmp_path])] == ["a.webm", "b.MP4", "c.mkv"]


def test_a_file_that_is_named_may_end_in_anything(tmp_path: Path) -> None:
    touched(tmp_path, "recording.bin")
    assert [source.path.name for source in discover([tmp_path / "recording.bin"])] == ["recording.bin"]


def test_a_file_that_is_named_twice_comes_once(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    assert len(list(discover([tmp_path / "a.mp4", tmp_path]))) == 1


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    touched(tmp_path, "deep/a.mp4")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    assert len(list(discover([tmp_path]))) == 1


def test_a_missing_file_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    missing, empty = discover([tmp_path / "no.mp4", tmp_path / "empty"])
    assert isinstance(missing, Unreadable)
    assert isinstance(missing.error, NotFoundError)
    assert "no.mp4" in str(missing.error)
    assert isinstance(empty, Unreadable)
    assert "no video in the folder" in str(empty.error)


def test_a_sidecar_gives_text_captions_and_fields(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4")
    sidecar = {
        "title": "A walk",
        "tags": ["dog", "park"],
        "caption": ["A dog walks.", "狗在散步。"],
        "captions": [{"start": 1, "end": 2.5, "text": "woof"}],
        "fields": {"year": 2020},
        "indoor": False,
    }
    (tmp_path / "a.json").write_text(json.dumps(sidecar), encoding="utf-8")
    (source,) = discover([tmp_path])
    assert isinstance(source, Source)
    assert source.text == Text("A walk", ("dog", "park"), "A dog walks.\n狗在散步。")
    assert source.lines == (Line(1000, 2500, "woof"),)
    assert source.fields == {"year": 2020, "indoor": False}


def test_the_sidecar_with_the_whole_name_wins(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4")
    (tmp_path / "a.json").write_text('{"title": "short"}')
    (tmp_path / "a.mp4.json").write_text('{"title": "long"}')
    (source,) = discover([tmp_path])
    assert isinstance(source, Source)
    assert source.text.title == "long"


def test_what_is_said_in_the_call_wins_over_sidecars(tmp_path: Path) -> None:
    touched(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "a.json").write_text('{"title": "sidecar", "year": 1}')
    described: dict[str, dict[str, object]] = {"*": {"year": 2}, "a.mp4": {"title": "said"}}
    first, second = discover([tmp_path], described)
    assert isinstance(first, Source)
    assert isinstance(second, Source)
    assert (first.text.title, first.fields) == ("said", {"year": 2})
    assert (second.text.title, second.fields) == ("b", {"year": 2})


@pytest.mark.parametrize(
    "broken", ["{", "[1]", '{"tags": 5}', '{"captions": [{"start": "x"}]}', '{"fields": []}']
)
def test_a_broken_sidecar_fails_its_own_video_only(tmp_path: Path, broken: str) -> None:
    touched(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "a.json").write_text(broken)
    first, second = discover([tmp_path])
    assert isinstance(first, Unreadable)
    assert isinstance(first.error, InvalidQueryError)
    assert isinstance(second, Source)


def test_a_video_without_a_title_has_the_words_of_its_name(tmp_path: Path) -> None:
    assert described_source(tmp_path / "red_flower-2020.mp4", {}).text.title == "red flower 2020"


def test_a_clip_carries_the_lines_of_its_own_time(tmp_path: Path) -> None:
    lines = (Line(0, 1000, "one"), Line(4000, 6000, "two"), Line(9000, 9500, "three"))
    source = Source(tmp_path / "a.mp4", Text(title="t"), {}, lines)
    assert source.text_of(0, 5000) == Text("t", (), "", "one\ntwo")
    assert source.text_of(5000, 9000) == Text("t", (), "", "two")
    assert source.text_of(6000, 9000) == Text("t")
