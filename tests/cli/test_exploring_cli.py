"""`recommend`, `explain`, `facets` and `explore` as a person types them."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING

import pytest

from polyreel import media
from polyreel.cli import explaining, searching

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell

ONLY_SEARCH = {"save_to", "open_", "explain", "verify", "verify_top"}
"""Options of `search` that say what is done with hits."""


def video(filled: Shell, name: str) -> str:
    videos = filled("videos", "--json").document["videos"]
    return next(str(each["video_id"]) for each in videos if each["uri"].endswith(f"/{name}"))


def names(document: dict[str, list[dict[str, str]]]) -> list[str]:
    return [hit["uri"].rpartition("/")[2] for hit in document["hits"]]


def test_recommend_takes_examples_pictures_and_a_mood(filled: Shell, samples: Path) -> None:
    ball = video(filled, "ball_a.mp4")
    said = filled("recommend", ball[:12], "--limit", "1", "--json")
    assert said.code == 0
    assert names(said.document) == ["ball_b.mp4"]
    media.thumbnail(samples / "sunset_a.mp4", filled.folder / "sunset.jpg", at_ms=1000)
    said = filled("recommend", "sunset.jpg", "--unlike", ball[:12], "--json")
    assert "sunset" in names(said.document)[0]
    assert "ball_a.mp4" not in names(said.document)
    assert "sunset" in names(filled("recommend", "--mood", "sunset on the beach", "--json").document)[0]


def test_recommend_without_a_wish_says_what_to_give(filled: Shell) -> None:
    said = filled("recommend")
    assert said.code == 2
    assert said.err == "error: there is nothing to recommend by; give an example, a profile or a mood\n"


def test_explain_takes_the_options_of_search() -> None:
    search = inspect.signature(searching.search).parameters
    explain = inspect.signature(explaining.explain).parameters
    assert set(explain) == set(search) - ONLY_SEARCH
    for name, parameter in explain.items():
        assert (parameter.default, parameter.annotation) == (search[name].default, search[name].annotation)


def test_explain_prints_the_plan_and_runs_nothing(filled: Shell) -> None:
    said = filled("explain", "red ball", "--where", "start >= 1", "--group-by", "video")
    assert said.code == 0
    lines = dict(line.split("\t") for line in said.out.splitlines())
    assert lines["embedder"] == "builtin"
    assert lines["fusion"] == "joint"
    assert lines["condition"] == 'start >= 1 and scope == "clip"'
    assert lines["embed"] == "text: one call of builtin"
    assert lines["by polyreel"] == "group by video"
    assert lines["cost"] == "0 for 1 call"
    filled("search", "red ball")
    again = filled("explain", "red ball", "--json").document
    assert again["embeds"] == [{"by": "builtin", "parts": ["text"], "seconds": 0, "cached": True}]
    assert again["cost"]["requests"] == 0


def test_explain_says_that_a_price_is_unknown(filled: Shell) -> None:
    (filled.folder / "polyreel.toml").write_text(
        "[rates.builtin]\nprice_per_request = 0.5\ncurrency = 'USD'\n"
    )
    lines = dict(line.split("\t") for line in filled("explain", "red ball").out.splitlines())
    assert lines["cost"] == "0.5 USD for 1 call"


def test_a_second_search_uses_the_vector_of_the_first(filled: Shell) -> None:
    first, second = (filled("search", "red ball", "--json").document for _ in range(2))
    assert (first["explain"]["cached"], second["explain"]["cached"]) == (0, 1)
    assert first["hits"] == second["hits"]
    assert second["timing"]["embed"] == 0


def test_facets_are_counted(shell: Shell, samples: Path) -> None:
    (shell.folder / "polyreel.toml").write_text(
        '[stacks.local]\n[stacks.local.fields]\nyear = "int"\nplace = "string"\ntaken = "datetime"\n'
    )
    known = {
        "ball_a.mp4": {"year": 2019, "place": "sea"},
        "snow.webm": {"place": "sea", "taken": "2024-05-01T00:00:00Z"},
    }
    (shell.folder / "fields.json").write_text(json.dumps(known))
    shell("ingest", samples / "ball_a.mp4", samples / "snow.webm", "--fields", "fields.json")
    said = shell("facets", "place", "year", "taken", "--scope", "video")
    assert said.code == 0
    assert [line.split("\t") for line in said.out.splitlines()] == [
        ["place", "sea", "2"],
        ["year", "2019 to 2021", "2"],
        ["year", "2019", "1"],
        ["year", "2021", "1"],
        ["taken", "2024-05-01T00:00:00+00:00 to 2024-05-01T00:00:00+00:00", "1"],
        ["taken", "2024-05-01T00:00:00+00:00", "1"],
        ["taken", "none", "1"],
    ]
    (facet,) = shell("facets", "year", "--scope", "any", "--json").document["facets"]
    assert (facet["min"], facet["max"]) == (2019, 2021)
    wrong = shell("facets", "yeer")
    assert wrong.code == 2
    assert "did you mean 'year'?" in wrong.err


def test_explore_prints_what_is_there_and_writes_a_map(filled: Shell) -> None:
    pytest.importorskip("sklearn")
    said = filled("explore", "--out", "map.html", "--clusters", "3")
    assert said.code == 0
    assert [line.partition("\t")[0] for line in said.out.splitlines()][:3] == [
        "cluster 1",
        "cluster 2",
        "cluster 3",
    ]
    assert "the map is map.html" in said.err
    assert (filled.folder / "map.html").read_text("utf-8").startswith("<!doctype html>")
    document = filled("explore", "--json").document
    assert document["sampled"] == document["total"] == len(document["points"])


def test_explore_refuses_a_file_that_cannot_be_written_before_it_begins(filled: Shell) -> None:
    said = filled("explore", "--out", "nowhere/map.html")
    assert said.code == 2
    assert "can't be written" in said.err
