"""The suite `video`: whole stacks over rendered clips."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from polyreel.bench import VideoBench, VideoSettings
from polyreel.bench.report import summary
from polyreel.cli.main import app
from polyreel.core.errors import InvalidQueryError
from polyreel.core.running import Stop
from polyreel.testing.samples import drawn_samples

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.bench.results import Outcome, Results
    from polyreel.bench.turns import Turn

QUERIES = [
    {"id": "snow", "text": "Falling snow", "relevant": ["snow.webm"]},
    {"id": "ball", "text": "Red ball", "relevant": ["ball_a.mp4", "ball_b.mp4"]},
    {"id": "night", "text": "City at night", "relevant": [{"video": "city_night.mp4", "start": 0, "end": 6}]},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered clips in `videos`, and an evaluation file."""
    where = tmp_path_factory.mktemp("video_bench")
    shutil.copytree(drawn_samples(tmp_path_factory), where / "videos")
    (where / "queries.jsonl").write_text("\n".join(map(json.dumps, QUERIES)))
    return where


def told(folder: Path, **changed: Any) -> VideoSettings:
    given = {"videos": str(folder / "videos"), "evaluation": str(folder / "queries.jsonl"), "rounds": 2}
    return VideoSettings.checked({**given, **changed})


def value(results: Results, stack: str, step: str, name: str, case: str = "") -> float:
    (found,) = results.find(step, name, case, stack)
    return found.median


def test_ingest_latency_quality_and_agreement_are_measured(folder: Path, tmp_path: Path) -> None:
    results = VideoBench(told(folder), ["local", "memory"], tmp_path).run()
    assert results.complete
    assert {each.state for each in results.outcomes} == {"done"}
    for stack in ("local", "memory"):
        split = {each.case: sum(each.samples) for each in results.find("ingest", "split", stack=stack)}
        (whole,) = results.find("ingest", "seconds", "", stack)
        assert set(split) == {"probe", "hand over", "embed", "store", "other"}
        assert sum(split.values()) == pytest.approx(sum(whole.samples), rel=0.1)
        assert all(seconds > 0 for seconds in split.values())
        assert value(results, stack, "ingest", "cost") == 0  # the builtin embedder is free
        assert value(results, stack, "quality", "mrr@10") == 1
        assert value(results, stack, "quality", "recall@5") == 1
        assert value(results, stack, "query", "total", "p50") > 0
    assert value(results, "local", "agreement", "same videos", "with memory") == 1
    assert value(results, "local", "agreement", "same moments", "with memory") == 1
    assert not (tmp_path / "work").exists()


def test_it_goes_on_where_it_was_stopped(folder: Path, tmp_path: Path) -> None:
    stop = Stop()

    def listener(heard: Turn | Outcome) -> None:
        if getattr(heard, "at", None) == 3:
            stop.ask()

    first = VideoBench(told(folder), ["local"], tmp_path, stop=stop, listener=listener).run()
    assert first.runs[-1].ended == "stopped"
    second = VideoBench(told(folder), ["local"], tmp_path).run()
    assert second.complete
    (whole,) = second.find("ingest", "seconds")
    assert len(whole.samples) == 8
    assert value(second, "local", "quality", "mrr@10") == 1


def test_a_video_that_fails_is_named_with_its_reason_and_counts_as_no_quick_one(
    folder: Path, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "broken.mp4").write_bytes(b"nothing")
    for name in ("snow.webm", "ball_a.mp4"):
        (clips / name).write_bytes((folder / "videos" / name).read_bytes())
    (tmp_path / "queries.jsonl").write_text(json.dumps(QUERIES[0]))
    settings = told(folder, videos=str(clips), evaluation=str(tmp_path / "queries.jsonl"))
    results = VideoBench(settings, ["memory"], tmp_path / "out").run()
    (trouble,) = summary(results).troubles
    assert trouble.startswith("memory, ingest: done: broken.mp4: ")
    (seconds,) = results.find("ingest", "seconds")
    (errors,) = results.find("ingest", "errors")
    assert (len(seconds.samples), sum(errors.samples)) == (2, 1)


def test_queries_that_are_asked_again_are_embedded_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyreel.core.embedder import Embedder

    calls: list[int] = []
    embed = Embedder.embed_query

    def counted(self: Embedder, parts: Any) -> Any:
        calls.append(len(parts))
        return embed(self, parts)

    monkeypatch.setattr(Embedder, "embed_query", counted)
    VideoBench(told(folder, rounds=4), ["memory"], tmp_path).run()
    asked = 4 * (len(QUERIES) + 1)  # turns, in each of which the first query warms up
    assert len(calls) >= asked


def test_the_stacks_own_records_are_left_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polyreel

    monkeypatch.chdir(tmp_path)
    with polyreel.open("local") as search:
        search.ingest(folder / "videos" / "snow.webm")
    VideoBench(told(folder, rounds=1), ["local"], tmp_path / "out").run()
    with polyreel.open("local") as search:
        assert len(search.videos()) == 1


def test_an_empty_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidQueryError, match="there is no video in"):
        VideoBench(told(folder, videos=str(tmp_path)), ["memory"], tmp_path / "out").run()


def test_the_command_prints_a_table_and_writes_the_page(folder: Path, tmp_path: Path) -> None:
    given = ["bench", "--suite", "video", "--stacks", "memory", "--out", str(tmp_path), "--rounds", "1"]
    missing = CliRunner().invoke(app, given)
    assert (missing.exit_code, "--videos and --evaluation" in missing.stderr) == (2, True)
    queries = str(folder / "queries.jsonl")
    done = CliRunner().invoke(app, [*given, "--videos", str(folder / "videos"), "--evaluation", queries])
    assert done.exit_code == 0, done.stderr
    assert "nDCG@10\t1" in done.stdout
    text = (tmp_path / "report.html").read_text()
    assert "Where the time of an ingest goes" in text
    assert "Where the time of a search goes" in text
