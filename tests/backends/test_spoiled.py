"""The contract finds what is wrong: each spoiled store fails many of its tests."""

from __future__ import annotations

import pytest

from polyreel.testing.store import StoreContract

pytestmark = pytest.mark.slow
Outcomes = dict[tuple[str, str], str]

_MODULE = """
import pytest
from hypothesis import Phase
from polyreel.testing.parity import ParityContract
from polyreel.testing.spoiled import EmptyStore, FlippedStore, UnfilteredStore
from polyreel.testing.store import StoreContract
from polyreel.testing.store.reading import ReadingTests
from polyreel.testing.store.searching import SearchingTests


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


class SpoiledParity(Spoiled, ParityContract):
    examples, phases = 10, [Phase.generate]


class TestEmptyParity(SpoiledParity):
    spoiled = EmptyStore


class TestUnfilteredParity(SpoiledParity):
    spoiled = UnfilteredStore


class TestFlippedParity(SpoiledParity):
    spoiled = FlippedStore


class TestGap(ReadingTests, SearchingTests):
    gaps = {
        "test_hits_come_best_first": "ours: flipped",
        "test_counting_is_exact": "ours: closed",
        "test_there_are_as_many_hits_as_the_limit_or_the_data_has[29]": "ours: flipped",
    }

    @pytest.fixture
    def make_store(self):
        store = FlippedStore()
        return lambda: store
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What became of each test, by its class and name."""
    module = tmp_path_factory.mktemp("spoiled") / "test_inside.py"
    module.write_text(_MODULE)
    seen = _Seen()
    quick = [
        "-q",
        "--tb=native",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
        "-k",
        "not reads_agree and not hostile and not writers",
    ]
    pytest.main([*quick, f"--rootdir={module.parent}", str(module)], [seen])
    return seen.outcomes


class _Seen:
    """A plugin that remembers what became of each test."""

    def __init__(self) -> None:
        self.outcomes: Outcomes = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            _, name, test = report.nodeid.split("::", 2)
            expected = "xfailed" if hasattr(report, "wasxfail") else report.outcome
            self.outcomes[name, test] = expected


# What failed when this was written: cases, and the tests they belong to. A few slow tests are left out above.
@pytest.mark.parametrize(
    ("name", "cases", "tests"), [("TestEmpty", 165, 36), ("TestUnfiltered", 119, 7), ("TestFlipped", 23, 15)]
)
def test_a_spoiled_store_fails_many_tests_of_the_contract(
    outcomes: Outcomes, name: str, cases: int, tests: int
) -> None:
    failed = [test for (inside, test), outcome in outcomes.items() if (inside, outcome) == (name, "failed")]
    assert len(failed) >= cases
    assert len({test.partition("[")[0] for test in failed}) >= tests


@pytest.mark.parametrize("name", ["TestEmptyParity", "TestUnfilteredParity", "TestFlippedParity"])
def test_a_spoiled_store_disagrees_with_the_exact_one(outcomes: Outcomes, name: str) -> None:
    assert outcomes[name, "test_searches_agree_with_the_exact_store"] == "failed"
    assert outcomes[name, "test_groups_agree_with_the_exact_store"] == "failed"


def test_a_declared_gap_is_expected_to_fail_and_one_that_is_none_fails(outcomes: Outcomes) -> None:
    assert outcomes["TestGap", "test_hits_come_best_first[cosine]"] == "xfailed"
    assert outcomes["TestGap", "test_counting_is_exact"] == "failed"
    limits = "test_there_are_as_many_hits_as_the_limit_or_the_data_has"
    assert outcomes["TestGap", f"{limits}[29]"] == "xfailed"
    assert outcomes["TestGap", f"{limits}[30]"] == "failed"


def test_a_gap_that_names_no_test_is_refused() -> None:
    with pytest.raises(TypeError, match="test_of_nothing"):
        type("TestMine", (StoreContract,), {"gaps": {"test_of_nothing": "ours: a slip"}})
