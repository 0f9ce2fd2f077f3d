"""Small benchmarks: settings that take seconds, and made-up results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyreel.bench.results import DataInfo, Machine, Measure, Outcome, Results, Run, Sample, StackInfo
from polyreel.bench.settings import VectorSettings

if TYPE_CHECKING:
    from collections.abc import Sequence


def small(**changed: Any) -> VectorSettings:
    """Settings of a run that takes a few seconds."""
    told: dict[str, Any] = {
        "records": 200,
        "dimension": 16,
        "queries": 6,
        "rounds": 2,
        "seconds": 0.1,
        "threads": (1, 2),
        "chunk": 100,
        "written": 50,
        "batch": 4,
        "turn": 0.5,
        "selectivities": (0.01, 0.5),
    }
    return VectorSettings.checked({**told, **changed})


class Made:
    """Results of measures that are written down."""

    def __init__(self, *names: str) -> None:
        machine = Machine(python="3.11", system="Linux", processors=2, memory=1, packages={"polyreel": "1"})
        data = DataInfo(source="clustered", records=200, dimension=16, queries=6, fingerprint="f")
        stacks = [StackInfo(name=name, store="memory") for name in names]
        run = Run(began="2026-11-25T00:00:00+00:00", ended="complete")
        self.results = Results(
            suite="vectors", settings=small(), machine=machine, data=data, stacks=stacks, runs=[run]
        )

    def add(
        self,
        stack: str,
        name: str,
        samples: Sequence[float],
        *,
        step: str = "search",
        unit: str = "ms",
        better: Any = "lower",
    ) -> Made:
        """One measure, and that its step is done."""
        sample = Sample(name=name, value=0, unit=unit, better=better)
        self.results.put(Measure.of(stack, step, sample, list(samples)))
        self.results.keep(Outcome(stack=stack, step=step, state="done", rounds=len(samples)), [])
        return self


@pytest.fixture
def made() -> type[Made]:
    """`made("one", "other").add("one", "p50", [1, 2])`."""
    return Made


@pytest.fixture
def settings() -> Any:
    """`settings(rounds=3)`: those of a run that takes a few seconds, with what is changed."""
    return small
