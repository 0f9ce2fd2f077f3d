"""`polyreel bench` as a person types it."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from polyreel.bench import read
from polyreel.bench.results import Results
from polyreel.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
SMALL = "--records 60 --dimension 8 --queries 4 --rounds 2 --steps load,settle,search".split()


def bench(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def test_it_prints_a_table_says_what_it_does_and_writes_both_files(tmp_path: Path) -> None:
    done = bench("--stacks", "memory,edge", *SMALL, "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    rows = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
    assert rows["stack"] == "memory\tedge"
    assert rows["recall"].replace(" *", "") == "1\t1"
    assert {"load: memory done", "search: edge done"} <= {
        " ".join(line.split()[1:4]) for line in done.stderr.splitlines()
    }
    assert read(tmp_path).complete
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_as_json_it_prints_the_document_alone(tmp_path: Path) -> None:
    done = bench("--stacks", "memory", *SMALL, "--out", tmp_path, "--json")
    assert Results.model_validate(json.loads(done.stdout)) == read(tmp_path)


def test_vectors_of_a_file_are_measured_with_a_limit(tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "v.npy", np.random.default_rng(1).standard_normal((200, 5)))
    done = bench("--stacks", "memory", *SMALL, "--data", tmp_path / "v.npy", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    data = read(tmp_path / "out").data
    assert (data.source, data.records, data.dimension, data.queries) == ("v.npy", 60, 5, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "audio"], "there is no suite 'audio'"),
        (["--stacks", "nothing"], "there is no stack 'nothing' to measure"),
        (["--budget", "soon"], "--budget is 'soon'; write it as 90s, 20m or 2h"),
        (["--records", "0"], "records of the benchmark"),
        (["--steps", "load,sing"], "steps"),
        (["--data", "missing.npy"], "there is no file of vectors"),
        (["--seed", "-1"], "seed of the benchmark"),
        (["--videos", "clips"], "--videos is of the suite video"),
        (["--suite", "video", "--records", "5"], "--records is of the suite vectors"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = bench("--out", tmp_path, *arguments)
    assert done.exit_code in (1, 2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cant_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = bench("--stacks", "memory", *SMALL, "--out", tmp_path / "file")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "can't be used" in done.stderr


def test_vectors_that_find_no_room_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    done = bench("--stacks", "memory", *SMALL, "--out", tmp_path)
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert "the vectors can't be written" in done.stderr
    assert "No space left on device" in done.stderr


def test_a_budget_that_is_over_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    first = bench("--stacks", "memory", *SMALL, "--out", tmp_path, "--budget", "0.001s")
    assert (
        "the time that was given is over, or stacks were left out; the same command goes on" in first.stderr
    )
    second = bench("--stacks", "memory", *SMALL, "--out", tmp_path, "--budget", "10m")
    assert (second.exit_code, "measured before" in second.stderr) == (0, False)
    assert read(tmp_path).complete
    assert "all of it was measured before" in bench("--stacks", "memory", *SMALL, "--out", tmp_path).stderr


def test_a_step_that_failed_makes_the_exit_code_1(tmp_path: Path) -> None:
    config = tmp_path / "polyreel.toml"
    config.write_text(
        '[stacks.gone]\npreset = "memory"\n[stacks.gone.store]\nkind = "milvus"\n'
        'url = "http://127.0.0.1:9"\ntimeout = 1.0\n'
    )
    done = bench("--stacks", "memory,gone", *SMALL, "--config", config, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "gone, load: failed: " in done.stderr


def test_fewer_records_than_hits_and_the_same_vector_many_times_are_measured(tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "v.npy", np.repeat(np.random.default_rng(1).standard_normal((2, 5)), 4, axis=0))
    told = "--queries 1 --rounds 1 --turn 0.2 --steps load,search,topk,grouped,overhead".split()
    done = bench("--stacks", "memory,edge", *told, "--data", tmp_path / "v.npy", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert {each.median for each in read(tmp_path / "out").measures if each.name == "recall"} == {1.0}
