"""The report of an ingest that is written piece by piece is the document that it was when it was whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from polyreel.cli import output
from polyreel.cli.reporting import lines
from polyreel.core.report import IngestReport, Outcome, Totals, VideoReport

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = 'a\n"b"\\ \u2028 视频 😀 \x1b'


def report_of(videos: list[VideoReport]) -> IngestReport:
    totals = Totals()
    for video in videos:
        totals.add(video)
    return IngestReport(tuple(videos), totals, 1.5, undeclared=("mood",))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_pieces_make_the_same_document(count: int) -> None:
    videos = [
        VideoReport(f"{HOSTILE}{number}.mp4", Outcome.INGESTED, "v" * 64, records=3, usage={"tokens": 2.0})
        for number in range(count)
    ]
    heard: list[VideoReport] = []
    with lines() as written:
        for video in videos:
            written.heard(heard.append)(video)
        text = "".join(written.document(report_of([])))
        again = "".join(written.document(report_of([])))
    assert heard == videos
    assert text == again
    assert json.loads(text)["videos"] == [video.to_json() for video in videos]
    whole = report_of([])
    assert {**json.loads(text), "videos": []} == whole.to_json()
    if count:
        with lines() as written:
            for video in videos:
                written.heard(heard.append)(video)
            pieces = "".join(written.document(report_of(videos)))
        assert pieces == json.dumps(report_of(videos).to_json(), ensure_ascii=False, indent=2) + "\n"


def test_a_name_in_another_encoding_is_written_with_escapes(tmp_path: Path) -> None:
    with lines() as written:
        written.heard(lambda _: None)(VideoReport("caf\udce9 é.mp4", Outcome.FAILED, reason="why"))
        output.pieces_file(tmp_path / "report.json", written.document(report_of([])))
    (video,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["videos"]
    assert video["path"] == "caf\udce9 é.mp4"
