"""Two results against each other: what counts as worse, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from polyreel.bench import compare
from polyreel.bench.results import Outcome, write
from polyreel.cli.main import app
from polyreel.core.errors import InvalidQueryError

if TYPE_CHECKING:
    from pathlib import Path


def verdict(made: Any, before: list[float], after: list[float], **told: Any) -> str:
    one, other = (made("s").add("s", "x", samples, **told).results for samples in (before, after))
    (change,) = compare(one, other).changes
    return change.verdict


def test_a_change_counts_beyond_the_threshold_and_the_spread(made: Any) -> None:
    assert verdict(made, [10, 11], [20, 21]) == "worse"
    assert verdict(made, [20, 21], [10, 11]) == "better"
    assert verdict(made, [10, 10.1], [10.5, 10.6]) == "same"  # by less than a tenth
    assert verdict(made, [10, 22], [20, 21]) == "same"  # the spreads overlap
    assert verdict(made, [10, 11], [20, 21], better="higher", unit="1/s") == "better"
    assert verdict(made, [10, 11], [20, 21], better="") == "same"


def test_a_time_that_was_measured_once_is_no_regression_but_memory_is(made: Any) -> None:
    assert verdict(made, [10], [20], unit="s") == "same"
    assert verdict(made, [10], [20], unit="MiB") == "worse"


def test_recall_counts_absolutely(made: Any) -> None:
    assert verdict(made, [1.0, 1.0], [0.98, 0.98], unit="share", better="higher") == "worse"
    assert verdict(made, [1.0, 1.0], [0.995, 0.995], unit="share", better="higher") == "same"


def test_failures_where_there_were_none_are_worse(made: Any) -> None:
    assert verdict(made, [0, 0], [3, 3], unit="count") == "worse"


def test_a_step_that_fails_now_is_lost(made: Any) -> None:
    one, other = (made("s").add("s", "p50", [1, 2]).results for _ in range(2))
    other.keep(Outcome(stack="s", step="search", state="failed", reason="it broke"), [])
    found = compare(one, other)
    assert found.lost == ("s search: it broke",)
    assert not found.ok


def test_results_of_different_benchmarks_are_refused(made: Any) -> None:
    one, other = made("s").results, made("s").results
    other.data.fingerprint = "another"
    with pytest.raises(InvalidQueryError, match="different data"):
        compare(one, other)


def test_the_same_data_in_another_place_can_be_compared(made: Any) -> None:
    one, other = (made("s").add("s", "p50", [1, 2]).results for _ in range(2))
    other.settings = other.settings.model_copy(update={"data": "elsewhere/v.npy"})
    assert compare(one, other).ok
    other.settings = other.settings.model_copy(update={"limit": 20})
    with pytest.raises(InvalidQueryError, match="different settings"):
        compare(one, other)


def test_results_without_a_number_in_common_are_no_success(made: Any) -> None:
    one, other = made("s").add("s", "p50", [1, 2]).results, made("s").results
    with pytest.raises(InvalidQueryError, match="no number in common"):
        compare(one, other)


def test_a_step_that_isnt_finished_is_noted(made: Any) -> None:
    one, other = (made("s").add("s", "p50", [1, 2]).results for _ in range(2))
    other.keep(Outcome(stack="s", step="search", state="unfinished", rounds=1), [])
    assert compare(one, other).notes == ("s search isn't finished in the second",)


def test_a_negative_threshold_is_refused() -> None:
    done = CliRunner().invoke(app, ["bench", "compare", "a", "b", "--threshold", "-1"])
    assert done.exit_code == 2


def test_other_versions_and_stacks_are_noted(made: Any) -> None:
    one, other = (made(*names).add("s", "p50", [1, 2]).results for names in ("st", "s"))
    other.machine.packages = {"polyreel": "2"}
    assert compare(one, other).notes == ("polyreel: 1, then 2", "t is in one of the two only")


@pytest.mark.parametrize(
    ("after", "code", "said"),
    [([1.0, 1.1], 0, "0 worse"), ([5.0, 5.1], 1, "1 worse"), ([0.1, 0.11], 0, "1 better")],
)
def test_the_exit_code_says_whether_something_became_worse(
    after: list[float], code: int, said: str, made: Any, tmp_path: Path
) -> None:
    write(made("s").add("s", "p50", [1.0, 1.1]).results, tmp_path / "a.json")
    write(made("s").add("s", "p50", after).results, tmp_path / "b.json")
    done = CliRunner().invoke(app, ["bench", "compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert (done.exit_code, done.exception is None or isinstance(done.exception, SystemExit)) == (code, True)
    assert said in done.stdout


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 2}', b"\xff\xfe"])
def test_a_file_that_holds_no_results_is_one_clear_line(content: bytes, made: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    write(made("s").results, tmp_path / "b.json")
    done = CliRunner().invoke(app, ["bench", "compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert done.exit_code == 2
    assert "no results file of format 1" in done.stderr
    missing = CliRunner().invoke(
        app, ["bench", "compare", str(tmp_path / "c.json"), str(tmp_path / "b.json")]
    )
    assert (missing.exit_code, "there is no file" in missing.stderr) == (1, True)
