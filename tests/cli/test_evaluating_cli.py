"""`polyreel evaluate` as a person types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Shell

_LINES = (
    {"text": "Falling snow", "relevant": [{"video": "snow.webm", "start": 0, "end": 5}]},
    {"text": "City at night", "relevant": ["city_night.mp4"]},
)


def _written(shell: Shell, *lines: object) -> str:
    (shell.folder / "q.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return "q.jsonl"


def test_measures_are_printed_with_intervals(filled: Shell) -> None:
    said = filled("evaluate", _written(filled, *_LINES))
    assert said.code == 0
    rows = dict(line.split("\t", 1) for line in said.out.splitlines())
    assert rows["recall@1"] == "1.000 [1.000, 1.000]\t2"
    assert rows["r@1 iou=0.5"] == "1.000 [1.000, 1.000]\t1"
    assert "2 queries, intervals of 95 %" in said.err


def test_the_document_goes_to_stdout_and_into_a_file(filled: Shell) -> None:
    said = filled("evaluate", _written(filled, *_LINES), "--json", "--out", "results.json", "--seed", "3")
    assert said.code == 0
    assert said.document == json.loads((filled.folder / "results.json").read_text("utf-8"))
    assert said.document["seed"] == 3
    assert [each["id"] for each in said.document["stacks"]["local"]["queries"]] == ["1", "2"]
    assert said.document["differences"] == []


_TWIN = """
[stacks.twin]
preset = "memory"
state = "twin"
[stacks.twin.store]
path = "twin/store"
"""


def test_stacks_stand_side_by_side_and_differences_below(filled: Shell) -> None:
    (filled.folder / "polyreel.toml").write_text(_TWIN, "utf-8")
    assert filled("copy", "local", "twin").code == 0
    said = filled("evaluate", _written(filled, *_LINES), "--stacks", "local,twin")
    assert said.code == 0, said.err
    above, below = said.out.split("\n\n")
    assert "recall@1\t1.000 [1.000, 1.000]\t1.000 [1.000, 1.000]\t2" in above
    assert "recall@1\t+0.000 [+0.000, +0.000]\tmay be chance" in below


def test_a_wrong_line_or_name_is_one_line(filled: Shell) -> None:
    for lines, options, part in (
        ([*_LINES, {"text": "x", "relevant": ["lost.mp4"]}], (), "q.jsonl:3: there is no video 'lost.mp4'"),
        (
            [{"txt": "x", "relevant": ["snow.webm"]}],
            (),
            "q.jsonl:1: there is no key 'txt'; did you mean 'text'?",
        ),
        (_LINES, ("--stacks", "local,local"), "--stacks is 'local,local'"),
        (_LINES, ("--stacks", "lokal"), "did you mean 'local'?"),
        (_LINES, ("--out", "lost/results.json"), "can't be written"),
    ):
        said = filled("evaluate", _written(filled, *lines), *options)
        assert said.code in (1, 2)
        assert part in said.err
        assert said.out == ""
        assert said.err.count("\n") == 1
