from __future__ import annotations

import pytest

from polyreel.core.errors import InvalidQueryError
from polyreel.core.subtitles import Line, parse_subtitles

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> {\\an8}there,
<font color="#fff">world</font>

2
01:02:03,004 --> 01:02:04,000
Second
"""

VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

REGION
id:one

NOTE
not shown

intro
00:01.000 --> 00:02.500 align:left line:0
<v Ann>Hello &amp; <c.loud>welcome</c> <00:01.500>all</v>

01:02:03.004 --> 01:02:04.000
Second
"""


def parsed(text: str) -> tuple[Line, ...]:
    return parse_subtitles(text.encode(), "a.srt")


def test_subrip_gives_lines_without_tags() -> None:
    assert parsed(SRT) == (Line(1000, 2500, "Hello there, world"), Line(3723004, 3724000, "Second"))


def test_webvtt_gives_lines_without_headers_notes_styles_settings_and_tags() -> None:
    assert parsed(VTT) == (Line(1000, 2500, "Hello & welcome all"), Line(3723004, 3724000, "Second"))


@pytest.mark.parametrize(
    "content",
    [
        SRT.encode("utf-8-sig"),
        SRT.encode("utf-16"),
        b"\xfe\xff" + SRT.encode("utf-16-be"),
        SRT.replace("\n", "\r\n").encode(),
        SRT.replace("\n", "\r").encode(),
        SRT.rstrip("\n").encode(),
        ("\n\n" + SRT.replace("\n\n", "\n \t\n\n\n")).encode(),
        SRT.replace(",", ".").replace("there.", "there,").encode(),
    ],
    ids=["bom", "utf-16-le", "utf-16-be", "crlf", "cr", "no-newline-at-the-end", "blank-lines", "points"],
)
def test_encodings_and_ends_of_lines_make_no_difference(content: bytes) -> None:
    assert parse_subtitles(content, "a.srt") == parsed(SRT)


def test_chinese_stays_as_it_is() -> None:
    assert parsed("00:01.000 --> 00:02.000\n狗在散步。") == (Line(1000, 2000, "狗在散步。"),)


def test_cues_may_overlap_and_keep_their_order() -> None:
    text = "00:03.000 --> 00:09.000\nlate\n\n00:01.000 --> 00:05.000\nearly\n"
    assert parsed(text) == (Line(3000, 9000, "late"), Line(1000, 5000, "early"))


def test_cues_without_an_empty_line_between_them_are_told_apart() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:03,000 --> 00:00:04,000\nTwo"
    assert [line.text for line in parsed(text)] == ["One", "Two"]


@pytest.mark.parametrize("words", ["1 < 2 and 3 > 2", "a --> b", "{smiles}", "3"])
def test_words_that_look_like_signs_are_kept(words: str) -> None:
    assert [line.text for line in parsed(f"00:01.000 --> 00:02.000\n{words}\n")] == [words]


@pytest.mark.parametrize(
    "times",
    [
        "00:xx.000 --> 00:02.000",
        "00:75.000 --> 00:80.000",
        "00:02.000 --> 00:01.000",
        "00:02.000 --> 00:02.000",
        "00:02.000 -->",
        "2 --> 3",
    ],
)
def test_a_broken_cue_is_passed_over_and_the_others_are_read(times: str) -> None:
    text = f"1\n{times}\nbroken\n\n2\n00:03.000 --> 00:04.000\nfine\n"
    assert parsed(text) == (Line(3000, 4000, "fine"),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("WEBVTT\n\nhello\n", 1),
        ("1\n00:xx.000 --> 00:02.000\nbroken\n", 2),
        ("1\n\n00:01.000 --> 00:02.000\n<i></i>\n", 3),
    ],
)
def test_a_file_without_a_readable_cue_is_an_error_that_names_file_and_line(text: str, line: int) -> None:
    with pytest.raises(InvalidQueryError, match=rf"^a\.srt:{line}: .*-->"):
        parsed(text)


def test_another_encoding_is_told_with_its_line() -> None:
    with pytest.raises(InvalidQueryError, match=r"a\.srt:3: this is no UTF-8; save"):
        parse_subtitles(b"1\n00:01.000 --> 00:02.000\ncaf\xe9\n", "a.srt")
