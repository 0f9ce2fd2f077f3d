"""The suite `vectors` over real stores: every step, what it keeps, and going on after an end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.bench import VectorBench, read
from polyreel.bench.lane import Lane
from polyreel.bench.results import Outcome
from polyreel.bench.settings import STEPS
from polyreel.core.errors import ConfigurationError, LockedError
from polyreel.core.locks import FolderLock
from polyreel.core.running import Stop

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.bench.results import Results
    from polyreel.bench.turns import Turn

pytestmark = pytest.mark.slow


def medians(results: Results, step: str, name: str) -> dict[str, float]:
    return {f"{each.stack} {each.case}".strip(): each.median for each in results.find(step, name)}


@pytest.mark.parametrize("stacks", [("memory", "edge"), ("milvus_lite", "qdrant_local")])
def test_every_step_is_measured_on_every_stack(
    stacks: tuple[str, str], settings: Any, tmp_path: Path
) -> None:
    results = VectorBench(settings(), stacks, tmp_path).run()
    assert results.complete
    forgets = {"memory", "qdrant_local"}
    for stack in stacks:
        states = {step: results.outcome(stack, step) for step in STEPS}
        assert {step for step, each in states.items() if each and each.state == "done"} == set(STEPS) - (
            {"cold"} if stack in forgets else set()
        ), states
    for step, name in (
        ("search", "recall"),
        ("filtered", "recall"),
        ("grouped", "recall"),
        ("topk", "recall"),
    ):
        assert set(medians(results, step, name).values()) == {1.0}, step  # all of these compare every vector
    assert set(medians(results, "concurrency", "errors").values()) == {0}
    assert all(value > 0 for value in medians(results, "mixed", "rewritten").values())
    assert all(value > 0 for value in medians(results, "overhead", "ratio").values())
    assert all(value > 0 for value in medians(results, "settle", "memory").values())
    assert medians(results, "settle", "disk").keys() == set(stacks) - forgets
    assert not (tmp_path / "work").exists()


def test_a_server_that_the_benchmark_starts_is_measured_too(settings: Any, need: Any, tmp_path: Path) -> None:
    from polyreel.bench.servers import installed

    if not installed("milvus"):
        need("milvus-server", "`make servers` installs it")
    steps = ("load", "settle", "cold", "search")
    results = VectorBench(settings(steps=steps), ("memory", "milvus_server"), tmp_path).run()
    done = {each.step for each in results.outcomes if (each.stack, each.state) == ("milvus_server", "done")}
    assert done == set(steps)
    assert medians(results, "settle", "memory")["milvus_server"] > 100
    assert medians(results, "settle", "disk")["milvus_server"] > 0.01
    assert medians(results, "search", "recall")["milvus_server"] == 1
    (info,) = (each for each in results.stacks if each.name == "milvus_server")
    assert (info.process, info.settings["url"]) == ("the server's", "started by the benchmark")


def test_a_stack_of_ones_own_server_is_measured_and_left_clean(
    serve: Any, settings: Any, tmp_path: Path
) -> None:
    url = serve("milvus", "--data", str(tmp_path / "milvus"), "--fast", "--fresh")
    config = tmp_path / "polyreel.toml"
    config.write_text(
        f'[stacks.mine]\npreset = "memory"\n[stacks.mine.store]\nkind = "milvus"\nurl = "{url}"\n'
    )
    results = VectorBench(settings(steps=("load", "search")), ["mine"], tmp_path / "out", config).run()
    assert results.complete
    assert medians(results, "search", "recall") == {"mine": 1}
    from pymilvus import MilvusClient

    client = MilvusClient(url)
    try:
        assert client.list_collections() == []
    finally:
        client.close()


def test_stacks_take_turns_in_an_order_that_changes(settings: Any, tmp_path: Path) -> None:
    heard: list[tuple[str, int, str]] = []

    def listener(each: Turn | Outcome) -> None:
        if not isinstance(each, Outcome):
            heard.append((each.step, each.at, each.stack))

    told = settings(steps=("load", "search"), rounds=6)
    bench = VectorBench(told, ("memory", "edge"), tmp_path, listener=listener)
    bench.run()
    rounds = [[name for step, number, name in heard if (step, number) == ("search", at)] for at in range(6)]
    assert all(sorted(each) == ["edge", "memory"] for each in rounds)
    assert len({tuple(each) for each in rounds}) == 2


def test_a_run_goes_on_where_it_was_stopped_and_measures_nothing_twice(settings: Any, tmp_path: Path) -> None:
    stop, told = Stop(), settings(steps=("load", "settle", "search"), rounds=3)
    turns: list[tuple[str, str, int]] = []

    def listener(each: Turn | Outcome) -> None:
        if not isinstance(each, Outcome):
            turns.append((each.stack, each.step, each.at))
            if (each.step, each.at) == ("search", 1):
                stop.ask()

    first = VectorBench(told, ("memory", "edge"), tmp_path, stop=stop, listener=listener).run()
    assert not first.complete
    assert first.runs[-1].ended == "stopped"
    second = VectorBench(told, ("memory", "edge"), tmp_path, listener=listener).run()
    assert second.complete
    assert len(second.runs) == 2
    assert len(set(turns)) == len(turns) == 2 * (2 + 1 + 3)
    assert all(len(each.samples) == 3 for each in second.find("search", "p50"))
    assert set(medians(second, "search", "recall").values()) == {1.0}
    kept = next(first.find("load", "records", stack="edge")).samples
    assert next(second.find("load", "records", stack="edge")).samples == kept


def test_what_the_time_was_too_short_for_is_named_and_done_by_the_next_start(
    settings: Any, tmp_path: Path
) -> None:
    told = settings(steps=("load", "search"))
    first = VectorBench(told, ["memory"], tmp_path, budget=0.0).run()
    assert first.runs[-1].ended == "budget"
    assert not first.measures
    assert VectorBench(told, ["memory"], tmp_path).run().complete


def test_a_stack_that_takes_too_long_can_be_left_out_and_the_others_go_on(
    settings: Any, tmp_path: Path
) -> None:
    told, stop = settings(steps=("load", "search")), Stop()

    def listener(each: Turn | Outcome) -> None:
        if not isinstance(each, Outcome) and each.step == "search":
            stop.ask()

    VectorBench(told, ("memory", "edge"), tmp_path, stop=stop, listener=listener).run()
    some = VectorBench(told, ["edge"], tmp_path).run()
    assert some.outcome("edge", "search").state == "done"  # type: ignore[union-attr]
    assert not some.complete
    assert VectorBench(told, ("memory", "edge"), tmp_path).run().complete


def test_other_settings_stacks_or_data_are_refused_in_the_same_folder(settings: Any, tmp_path: Path) -> None:
    VectorBench(settings(steps=("load",)), ["memory"], tmp_path).run()
    for told, names in (
        (settings(steps=("load",), rounds=4), ["memory"]),
        (settings(steps=("load",)), ["edge"]),
        (settings(steps=("load",), seed=2), ["memory"]),
    ):
        with pytest.raises(ConfigurationError, match="results of a benchmark with other"):
            VectorBench(told, names, tmp_path).run()


def test_two_benchmarks_dont_run_in_one_folder(settings: Any, tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, what="the benchmark")
    lock.acquire()
    try:
        with pytest.raises(LockedError, match="the benchmark"):
            VectorBench(settings(), ["memory"], tmp_path).run()
    finally:
        lock.release()


@pytest.mark.parametrize(
    ("names", "message"),
    [(["nothing"], "no stack 'nothing'"), (["edge", "edge"], "each stack once"), ([], "each stack once")],
)
def test_stacks_that_arent_there_are_named(
    names: list[str], message: str, settings: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        VectorBench(settings(), names, tmp_path).run()


def test_a_process_that_dies_is_a_failure_with_its_reason_and_stops_no_other(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Lane.take

    def killed(lane: Lane, step: str, at: int, end: float) -> Any:
        if (lane.chosen.name, step) == ("edge", "search"):
            assert lane._process is not None
            lane._process.kill()
        return take(lane, step, at, end)

    monkeypatch.setattr(Lane, "take", killed)
    results = VectorBench(settings(steps=("load", "search", "grouped")), ("memory", "edge"), tmp_path).run()
    lost = results.outcome("edge", "search")
    assert lost is not None
    assert (lost.state, lost.reason) == ("failed", "the process ended by signal 9")
    assert medians(results, "search", "recall") == {"memory": 1}
    assert medians(results, "grouped", "recall") == {"memory by video": 1, "edge by video": 1}


def test_a_store_that_cant_be_written_is_shown_as_failed_in_every_step(settings: Any, tmp_path: Path) -> None:
    config = tmp_path / "polyreel.toml"
    config.write_text(
        '[stacks.gone]\npreset = "memory"\n[stacks.gone.store]\nkind = "milvus"\n'
        'url = "http://127.0.0.1:9"\ntimeout = 1.0\n'
    )
    results = VectorBench(
        settings(steps=("load", "search")), ("memory", "gone"), tmp_path / "out", config
    ).run()
    assert {(each.step, each.state) for each in results.outcomes if each.stack == "gone"} == {
        ("load", "failed"),
        ("search", "failed"),
    }
    assert results.outcome("memory", "search").state == "done"  # type: ignore[union-attr]


CHILD = """
import sys
from polyreel.cli.main import main
sys.argv = ["polyreel", "bench", "--stacks", "memory,edge", "--records", "400", "--dimension", "16",
            "--queries", "8", "--rounds", "40", "--steps", "load,settle,search", "--out", sys.argv[1]]
main()
"""


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "out" / "results.json"
    command = [sys.executable, "-P", "-c", CHILD, str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        end = time.monotonic() + 60
        while not (file.exists() and '"p50"' in file.read_text()):
            assert child.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=60)[1]
    assert child.returncode == 130, said
    assert "finishing the turn in flight" in said
    before = read(file)
    assert before.runs[-1].ended == "stopped"
    assert (tmp_path / "out" / "report.html").exists()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert again.returncode == 0, again.stderr
    after = read(file)
    assert after.complete
    for each in before.measures:
        (same,) = after.find(each.step, each.name, each.case, each.stack)
        assert same.samples[: len(each.samples)] == each.samples
    assert all(len(each.samples) == 40 for each in after.find("search", "p50"))


def test_kill_9_leaves_a_whole_file_and_no_process(tmp_path: Path) -> None:
    file = tmp_path / "out" / "results.json"
    command = [sys.executable, "-P", "-c", CHILD, str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as child:
        end = time.monotonic() + 60
        while not (file.exists() and '"p50"' in file.read_text()):
            assert time.monotonic() < end
            time.sleep(0.02)
        child.kill()
    json.loads(file.read_text())
    assert read(file).runs[-1].ended == ""
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert again.returncode == 0, again.stderr  # the folders are free: the stacks' processes have ended
