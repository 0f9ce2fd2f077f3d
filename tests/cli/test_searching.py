"""The options of `polyreel search`: what to look for, the shape of the answer, and taking it away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.storage.local import LocalObjects

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell


def test_moments_have_a_span_members_and_a_best_one(filled: Shell) -> None:
    found = filled("search", "red ball", "--moments", "--limit", "2", "--json").document
    for hit in found["hits"]:
        assert (hit["start"], hit["end"]) == (0.0, 6.0)
        assert [(member["start"], member["end"]) for member in hit["members"]] == [(0.0, 5.0), (5.0, 6.0)]
        assert hit["best"] == hit["id"] in [member["id"] for member in hit["members"]]
    assert found["explain"]["planner"] == ["moments"]
    short = filled("search", "red ball", "--moments", "--longest", "5", "--limit", "2", "--json").document
    assert [len(hit["members"]) for hit in short["hits"]] == [1, 1]


def test_videos_come_with_their_best_clips(filled: Shell) -> None:
    options = ("--group-by", "video", "--clips", "2", "--limit", "2")
    hits = filled("search", "red ball", *options, "--json").document["hits"]
    assert [len(hit["members"]) for hit in hits] == [2, 2]
    assert len({hit["video_id"] for hit in hits}) == 2
    rows = [line.split("\t") for line in filled("search", "red ball", *options).out.splitlines()]
    assert [row[0] for row in rows] == ["1", "", "2", ""]
    assert [row[-1] for row in rows] == [member["id"] for hit in hits for member in hit["members"]]


def test_a_table_says_how_sure_a_hit_is(filled: Shell) -> None:
    rows = filled("search", "red ball", "--limit", "3").out.splitlines()
    hits = filled("search", "red ball", "--limit", "3", "--json").document["hits"]
    assert [row.split("\t")[2] for row in rows] == [hit["confidence"] for hit in hits]
    assert hits[0]["confidence"] in ("medium", "high")
    fused = filled("search", "red ball", "--hybrid", "--limit", "3", "--json").document["hits"]
    assert {hit["confidence"] for hit in fused} == {None}


def test_a_time_window_and_a_span_of_a_video(filled: Shell, samples: Path) -> None:
    late = filled("search", "ball", "--start", "5.5", "--json").document["hits"]
    assert late
    assert min(hit["end"] for hit in late) > 5.5
    early = filled("search", "ball", "--end", "1", "--json").document["hits"]
    assert max(hit["start"] for hit in early) < 1
    span = filled("search", "--video", f"{samples / 'ball_a.mp4'}#t=1,2.5", "--limit", "1", "--json")
    assert "ball" in span.document["hits"][0]["uri"]
    wrong = filled("search", "--video", f"{samples / 'ball_a.mp4'}#t=1,60")
    assert wrong.code == 2
    assert "ball_a.mp4 is 6 s long, and the span asked for is 1 s to 60 s" in wrong.err


def test_weights_fusion_records_and_channels(filled: Shell, samples: Path) -> None:
    first = filled("search", "red ball", "--limit", "1", "--json").document["hits"][0]["id"]
    said = filled(
        "search", "snow", "--like", first, "--weight", "text=0.2", "--weight", "like=2", "--fusion", "sum",
        "--channel", "fused", "--json",
    ).document  # fmt: skip
    assert said["explain"]["parts"] == {"text": 0.2, "like": 2.0}
    assert said["explain"]["fusion"] == "sum"
    assert said["explain"]["channels"] == {"fused": {"weight": 1.0}}
    assert "ball" in said["hits"][0]["uri"]
    both = filled("search", "snow", "--channel", "fused=2", "--channel", "audio", "--json").document
    assert both["explain"]["channels"]["audio"] == {"weight": 1.0, "candidates": 0}
    refused = filled("search", "--audio", samples / "ball_a.mp4")
    assert refused.code == 2
    assert refused.err == "error: builtin can't embed audio; it takes text, image, video\n"


def test_hits_may_be_unlike_each_other(filled: Shell) -> None:
    every = filled("search", "ball", "--limit", "20", "--json").document["hits"]
    distinct = filled("search", "ball", "--limit", "20", "--distinct", "0.9", "--json").document
    assert 1 < len(distinct["hits"]) < len(every)
    diverse = filled("search", "ball", "--limit", "3", "--diversity", "0.7", "--json").document
    assert diverse["explain"]["planner"] == ["diversity"]
    assert [hit["id"] for hit in diverse["hits"]] != [hit["id"] for hit in every[:3]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--longest", "5"], "add --moments"),
        (["--weight", "text=much"], "write --weight text=0.5"),
        (["--weight", "image=2"], "weights name the part 'image'"),
        (["--channel", "sound"], "channel is 'sound'"),
        (["--clips", "3"], 'use it with group_by="video"'),
        (["--moments", "--longest", "0"], "longest and share"),
        (["--diversity", "2"], "diversity is 2"),
        (["--start", "4", "--end", "3"], "the time from 4 to 3 s is empty"),
        (["--fusion", "magic"], "fusion is 'magic'"),
    ],
)
def test_wrong_options_get_one_clear_line(filled: Shell, options: list[str], message: str) -> None:
    said = filled("search", "ball", *options)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1


def test_addresses_for_a_player_are_printed(filled: Shell, samples: Path) -> None:
    said = filled("search", "red ball", "--limit", "2", "--open")
    urls = [line for line in said.out.splitlines() if line.startswith("file:")]
    assert len(urls) == 2
    assert all(url.startswith(samples.as_uri()) and "#t=" in url for url in urls)
    document = filled("search", "red ball", "--limit", "2", "--open", "--json").document
    assert document["urls"] == urls
    first = document["hits"][0]["id"]
    assert filled("similar", first, "--open", "--limit", "1").out.splitlines()[-1].startswith("file:")


def test_a_presigned_address_is_on_stdout_and_nowhere_else(
    filled: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://bucket.example.com/ball.mp4?X-Amz-Signature=5ec7e7ab"
    monkeypatch.setattr(LocalObjects, "_path", lambda *_: None)
    monkeypatch.setattr(LocalObjects, "_key", lambda *_: "ball.mp4")
    monkeypatch.setattr(LocalObjects, "_url", lambda *_: url)
    said = filled(
        "--log-file", "log.jsonl", "--log-level", "debug", "search", "red ball", "--open", "--explain",
        "--limit", "1",
    )  # fmt: skip
    assert said.code == 0
    assert f"{url}#t=" in said.out
    log = (filled.folder / "log.jsonl").read_text()
    assert log.count("\n") > 1
    assert "5ec7e7ab" not in log + said.err


def test_a_hit_without_an_address_is_told_and_the_others_are_printed(shell: Shell, samples: Path) -> None:
    for name in ("ball_a.mp4", "ball_b.mp4"):
        (shell.folder / name).write_bytes((samples / name).read_bytes())
    shell("ingest", "ball_a.mp4", "ball_b.mp4")
    (shell.folder / "ball_a.mp4").unlink()
    said = shell("search", "ball", "--group-by", "video", "--open")
    assert said.code == 1
    assert [line.rpartition("/")[2].partition("#")[0] for line in said.out.splitlines() if "#t=" in line] == [
        "ball_b.mp4"
    ]
    assert said.err.startswith("no address: the video ")
    assert "ball_a.mp4 isn't there" in said.err
    document = shell("search", "ball", "--group-by", "video", "--open", "--json").document
    assert sorted(url is None for url in document["urls"]) == [False, True]


def test_whole_videos_are_copied_and_moments_are_cut_out(filled: Shell, samples: Path) -> None:
    said = filled("search", "red ball", "--scope", "video", "--limit", "1", "--save-to", "out", "--json")
    (copy,) = said.document["saved"]
    hit = said.document["hits"][0]
    assert (filled.folder / copy).read_bytes() == (samples / hit["uri"].rpartition("/")[2]).read_bytes()
    said = filled("search", "red ball", "--moments", "--limit", "1", "--save-to", "out", "--json")
    (cut,) = said.document["saved"]
    assert media.probe(filled.folder / cut).duration_ms == pytest.approx(6000, abs=100)
    assert json.dumps(said.document)
