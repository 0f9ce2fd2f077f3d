"""The contract finds what is wrong: each spoiled store fails many of its tests."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_MODULE = """
import pytest
from polyreel.testing.parity import ParityContract
from polyreel.testing.spoiled import EmptyStore, FlippedStore, UnfilteredStore
from polyreel.testing.store import StoreContract


class Spoiled:
    @pytest.fixture
    def make_store(self):
        store = self.spoiled()
        return lambda: store


class TestEmpty(Spoiled, StoreContract):
    spoiled = EmptyStore


class TestUnfiltered(Spoiled, StoreContract):
    spoiled = UnfilteredStore


class TestFlipped(Spoiled, StoreContract):
    spoiled = FlippedStore


class TestEmptyParity(Spoiled, ParityContract):
    spoiled, examples = EmptyStore, 10


class TestUnfilteredParity(Spoiled, ParityContract):
    spoiled, examples = UnfilteredStore, 10


class TestFlippedParity(Spoiled, ParityContract):
    spoiled, examples = FlippedStore, 10


class TestGap(StoreContract):
    gaps = {
        "test_hits_come_best_first": "ours: flipped",
        "test_a_filter_finds[and]": "ours: there is no such gap",
    }

    @pytest.fixture
    def make_store(self):
        store = FlippedStore()
        return lambda: store
"""


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], str]:
    """What became of each test, by its class and name."""
    module = tmp_path_factory.mktemp("spoiled") / "test_inside.py"
    module.write_text(_MODULE)
    seen = _Seen()
    pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:terminal", f"--rootdir={module.parent}", str(module)], [seen])
    return seen.outcomes


class _Seen:
    """A plugin that remembers what became of each test."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            _, name, test = report.nodeid.split("::", 2)
            expected = "xfailed" if hasattr(report, "wasxfail") else report.outcome
            self.outcomes[name, test] = expected


# The floors are a little under what failed when they were written.
@pytest.mark.parametrize(("name", "floor"), [("TestEmpty", 15), ("TestUnfiltered", 10), ("TestFlipped", 5)])
def test_a_spoiled_store_fails_many_tests_of_the_contract(
    outcomes: dict[tuple[str, str], str], name: str, floor: int
) -> None:
    failed = [test for (inside, test), outcome in outcomes.items() if (inside, outcome) == (name, "failed")]
    print(name, len(failed), len([t for t in failed if "filter_finds" not in t]), len({t.partition("[")[0] for t in failed}))
    assert len(failed) >= floor
