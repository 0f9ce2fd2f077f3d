from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyreel.core.errors import InvalidQueryError
from polyreel.core.records import Scope
from polyreel.core.sidecars import beside, described_source
from polyreel.core.subtitles import Line


def cue(words: str) -> bytes:
    return f"00:01.000 --> 00:02.000\n{words}\n".encode()


def words_of(name: str, files: dict[str, bytes]) -> list[str]:
    _, lines = beside(name, files, files.__getitem__)
    return [line.text for line in lines]


def test_all_subtitles_are_read_in_the_order_of_their_names() -> None:
    names = ["clip.zh-Hans.vtt", "clip.srt", "clip.en.srt", "clip.VTT", "clip.mp4.srt"]
    files = {name: cue(name) for name in names}
    assert words_of("clip.mp4", files) == sorted(names)


@pytest.mark.parametrize(
    "other", ["clip2.srt", "clip.txt", "clip.2.srt", "clip.mov.srt", "my clip.srt", "clip.en.us.srt", "srt"]
)
def test_what_belongs_to_another_file_is_left_alone(other: str) -> None:
    assert words_of("clip.mp4", {"clip.srt": cue("mine"), other: cue("another's")}) == ["mine"]


def test_a_subtitle_belongs_to_the_video_with_the_longer_name() -> None:
    files = {"talk.srt": cue("short"), "talk.en.srt": cue("long"), "talk.en.mp4": b""}
    assert words_of("talk.mp4", files) == ["short"]
    assert words_of("talk.en.mp4", files) == ["long"]


def test_json_and_subtitles_are_read_together() -> None:
    said = {"title": "A talk", "captions": [{"start": 0, "end": 1.5, "text": "hi"}], "year": 2020}
    files = {"clip.json": json.dumps(said).encode(), "clip.en.srt": cue("hello")}
    source = described_source(Path("clip.mp4"), *beside("clip.mp4", files, files.__getitem__))
    assert source.lines == (Line(0, 1500, "hi"), Line(1000, 2000, "hello"))
    assert (source.text.title, source.fields) == ("A talk", {"year": 2020})


def test_the_json_with_the_whole_name_wins() -> None:
    files = {"a.json": b'{"title": "short"}', "a.mp4.json": b'\xef\xbb\xbf{"title": "whole"}'}
    assert beside("a.mp4", files, files.__getitem__)[0] == {"title": "whole"}


def test_a_broken_subtitle_names_its_file() -> None:
    with pytest.raises(InvalidQueryError, match=r"^clip\.en\.srt:1: "):
        words_of("clip.mp4", {"clip.en.srt": b"nothing"})


@pytest.mark.parametrize(
    ("known", "what"),
    [
        ({"title": 5}, r"title must be a string, not 5 \(int\)"),
        ({"tags": [1]}, "tags must be a string or a list of strings"),
        ({"fields": [1]}, r"fields of a\.mp4 must be an object"),
        ({"captions": "x"}, r"captions of a\.mp4 can't be read; write"),
    ],
)
def test_a_value_of_another_type_is_named(tmp_path: Path, known: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidQueryError, match=what):
        described_source(tmp_path / "a.mp4", known)


@pytest.mark.parametrize(
    "known",
    [
        {"title": "half \ud800"},
        {"tags": ["whole", "\udfff"]},
        {"caption": "\ud83c"},
        {"transcript": "\ud800"},
        {"captions": [{"start": 0, "end": 1, "text": "\ud800"}]},
    ],
)
def test_half_of_a_character_which_no_store_could_keep_is_refused(
    tmp_path: Path, known: dict[str, object]
) -> None:
    with pytest.raises(InvalidQueryError, match=f"{min(known)} holds half of a character: .*ud"):
        described_source(tmp_path / "clip.mp4", known)


def test_nothing_is_as_good_as_left_out(tmp_path: Path) -> None:
    known = dict.fromkeys(("title", "tags", "caption", "captions", "transcript", "fields"))
    assert described_source(tmp_path / "a.mp4", known) == described_source(tmp_path / "a.mp4", {})


def test_clips_carry_the_lines_of_their_own_time_and_the_whole_video_all(tmp_path: Path) -> None:
    lines = [
        Line(0, 1000, "one"),
        Line(2000, 2000, "now"),
        Line(1500, 4500, "two"),
        Line(90_000, 91_000, "late"),
    ]
    source = described_source(tmp_path / "a.mp4", {"transcript": "said"}, lines)
    spans = [(0, 2000), (2000, 4000), (4000, 6000), (6000, 8000)]
    texts = [source.text_for(Scope.CLIP, *span).transcript for span in spans]
    assert texts == ["said\none\ntwo", "said\nnow\ntwo", "said\ntwo", "said"]
    assert source.text_for(Scope.VIDEO, 0, 8000).transcript == "said\none\nnow\ntwo\nlate"
