"""`polyreel evaluate` as a person types it."""

from __future__ import annotations

import json
import tomllib
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


_WORDS = {
    "ball_a.mp4": ("red ball", "first half", "ball", "a red thing that moves"),
    "city_night.mp4": ("city at night", "city", "lit windows", "houses by night"),
    "desert_then_fish.mp4": ("dunes then fish", "fish", "dunes", "a desert of sand"),
    "meadow.mp4": ("green meadow", "grass in the wind", "meadow", "green"),
    "snow.webm": ("falling snow", "winter hills", "snow", "white flakes"),
}


def test_levels_to_paste_are_printed_and_labels_are_read_off_them(filled: Shell) -> None:
    texts = [(word, name) for name, words in _WORDS.items() for word in words]
    lines = [{"text": text, "relevant": [name]} for text, name in texts]
    said = filled("evaluate", _written(filled, *lines))
    assert said.code == 0, said.err
    assert "no levels" not in said.err
    _, block = said.out.split("\n\n")
    right, wrong, *_ = block.splitlines()
    assert right.startswith("# best right video of 20 queries: ")
    assert wrong == "# best wrong video of 20 queries: 0 high, 1 medium, 19 low"
    levels = tomllib.loads(block)["stacks"]["local"]["levels"]["text"]
    assert levels["medium"] < levels["high"]
    document = filled("evaluate", _written(filled, *lines), "--json").document["stacks"]["local"]
    measured = document["levels"]["text"]
    assert {name: measured[name] for name in levels} == levels
    assert measured["wrong"] == {"high": 0, "medium": 1, "low": 19}
    (filled.folder / "polyreel.toml").write_text(block, "utf-8")
    for text, _ in texts[::4]:
        hits = filled("search", text, "--limit", "20", "--json").document["hits"]
        for hit in hits:
            score = hit["score"]
            wanted = "high" if score >= levels["high"] else "medium" if score >= levels["medium"] else "low"
            assert hit["confidence"] == wanted
    (filled.folder / "polyreel.toml").unlink()


def test_why_there_are_no_levels_is_one_line_for_each_medium(filled: Shell) -> None:
    said = filled("evaluate", _written(filled, *_LINES))
    why = "no levels for local by text: queries with a wrong video among those found: 2, of 20 needed\n"
    assert why in said.err
    assert "[stacks" not in said.out
    said = filled("evaluate", _written(filled, {**_LINES[1], "hybrid": True}))
    assert "no levels for local: no query asks by one medium alone" in said.err


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
