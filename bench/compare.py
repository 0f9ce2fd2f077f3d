"""Two results of the same benchmark: what became worse or better by more than a threshold and the spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..core.errors import InvalidQueryError
from .results import Measure, Results

_STEADY = frozenset({"MiB", "share", "count"})  # units of what is the same when it is measured again


@dataclass(frozen=True, slots=True)
class Change:
    """One measure in both results.

    Args:
        before: In the first.
        after: In the second.
        verdict: `worse` and `better` only where it differs by more than the threshold, and the spreads lie
            apart.
    """

    before: Measure
    after: Measure
    verdict: Literal["worse", "better", "same"]

    @property
    def ratio(self) -> float | None:
        """The second over the first; None where that was 0."""
        return self.after.median / self.before.median if self.before.median else None

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        step, name, case = self.before.key
        return {
            "verdict": self.verdict,
            "stack": self.before.stack,
            "step": step,
            "name": name,
            "case": case,
            "unit": self.before.unit,
            "before": self.before.median,
            "after": self.after.median,
            "ratio": self.ratio,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it.

    Args:
        changes: What both have, in the order of the first.
        lost: Steps that were done in the first and aren't in the second, as `stack step: why`.
        notes: What should be known when reading it, such as another machine.
    """

    changes: tuple[Change, ...]
    lost: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What became worse."""
        return tuple(each for each in self.changes if each.verdict == "worse")

    @property
    def ok(self) -> bool:
        """Whether nothing became worse, and nothing was lost."""
        return not self.regressions and not self.lost

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel bench compare --json`."""
        return {
            "ok": self.ok,
            "changes": [each.to_json() for each in self.changes if each.verdict != "same"],
            "compared": len(self.changes),
            "lost": list(self.lost),
            "notes": list(self.notes),
        }


def compare(before: Results, after: Results, *, threshold: float = 0.1, shares: float = 0.01) -> Comparison:
    """Compare two results.

    Args:
        before: The older ones.
        after: The newer ones.
        threshold: A change by more than this part counts: 0.1 for a tenth.
        shares: The same for recall and other shares, absolutely: 0.01 for one of a hundred.

    Raises:
        InvalidQueryError: They are of different benchmarks, or have nothing in common.
    """
    for what, one, other in (
        ("suites", before.suite, after.suite),
        ("data", before.data.fingerprint, after.data.fingerprint),
        ("settings", before.settings.model_dump(exclude=_FREE), after.settings.model_dump(exclude=_FREE)),
    ):
        if one != other:
            raise InvalidQueryError(f"the two results have different {what}", hint="measure both alike")
    later = {(each.stack, *each.key): each for each in after.measures}
    pairs = [
        (each, later[each.stack, *each.key]) for each in before.measures if (each.stack, *each.key) in later
    ]
    lost = tuple(_lost(before, after))
    if not pairs and not lost:
        raise InvalidQueryError(
            "the two results have no number in common", hint="measure the same stacks and steps in both"
        )
    changes = [Change(one, other, _verdict(one, other, threshold, shares)) for one, other in pairs]
    return Comparison(tuple(changes), lost, tuple(_notes(before, after)))


_FREE = {"rounds", "steps", "data", "videos", "evaluation"}
"""Settings that may differ: more turns give the same medians, and data have a fingerprint."""


def _verdict(
    before: Measure, after: Measure, threshold: float, shares: float
) -> Literal["worse", "better", "same"]:
    if not before.better or before.median == after.median:
        return "same"
    apart = after.low > before.high or after.high < before.low
    once = min(len(before.samples), len(after.samples)) < 2
    if not apart or (once and before.unit not in _STEADY):
        return "same"
    difference = abs(after.median - before.median)
    if difference <= (shares if before.unit == "share" else threshold * abs(before.median)):
        return "same"
    return "better" if (after.median > before.median) == (before.better == "higher") else "worse"


def _lost(before: Results, after: Results) -> Iterator[str]:
    for each in before.outcomes:
        now = after.outcome(each.stack, each.step)
        if each.state == "done" and now is not None and now.state in ("failed", "unsupported"):
            yield f"{each.stack} {each.step}: {now.reason}"


def _notes(before: Results, after: Results) -> Iterator[str]:
    one, other = before.machine, after.machine
    if (one.system, one.processors, one.python) != (other.system, other.processors, other.python):
        yield "the machines differ, so that times can't be compared"
    for name in sorted({*one.packages, *other.packages}):
        if one.packages.get(name) != other.packages.get(name):
            was, now = (each.packages.get(name, "not there") for each in (one, other))
            yield f"{name}: {was}, then {now}"
    for name in sorted({*before.emulated, *after.emulated}):
        yield f"{name} is an emulator: its figures say nothing of the service"
    for each in before.outcomes:
        later = after.outcome(each.stack, each.step)
        if each.state == "done" and later is not None and later.state == "unfinished":
            yield f"{each.stack} {each.step} isn't finished in the second"
    here = {each.name for each in before.stacks} ^ {each.name for each in after.stacks}
    for name in sorted(here):
        yield f"{name} is in one of the two only"
