"""The headline figures: a row for each stack, and no best where the spreads overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..results import Measure, Results
from ..spread import Verdict, verdict
from .drawing import number

Pick = Callable[[Sequence[Measure]], Measure]


def _only(found: Sequence[Measure]) -> Measure:
    return found[0]


def _most(found: Sequence[Measure]) -> Measure:
    return max(found, key=lambda each: each.median)


def _least(found: Sequence[Measure]) -> Measure:
    return min(found, key=lambda each: each.median)


@dataclass(frozen=True, slots=True)
class Column:
    """A headline figure.

    Args:
        title: With its unit.
        step: Where it was measured.
        name: The measure.
        case: Of which case; None takes all of them.
        pick: Chooses among the cases.
        ranked: Whether a best stack is named; what polyreel adds says nothing of which stack is better.
    """

    title: str
    step: str
    name: str
    case: str | None = ""
    pick: Pick = _only
    ranked: bool = True

    def of(self, results: Results, stack: str) -> Measure | None:
        """The stack's figure; None where it wasn't measured."""
        found = list(results.find(self.step, self.name, self.case, stack))
        return self.pick(found) if found else None


COLUMNS = (
    Column("records/s", "load", "records"),
    Column("optimized s", "settle", "optimized"),
    Column("memory MiB", "settle", "memory"),
    Column("disk MiB", "settle", "disk"),
    Column("recall", "search", "recall"),
    Column("p50 ms", "search", "p50"),
    Column("p95 ms", "search", "p95"),
    Column("p99 ms", "search", "p99"),
    Column("queries/s, most", "concurrency", "queries", None, _most),
    Column("filtered recall, least", "filtered", "recall", None, _least),
    Column("overhead", "overhead", "ratio", "alone", ranked=False),
    Column("added ms", "overhead", "added", "alone", ranked=False),
    Column("write speed", "writing", "speed", ranked=False),
    Column("videos/min", "ingest", "videos"),
    Column("query p50 ms", "query", "total", "p50"),
    Column("nDCG@10", "quality", "ndcg@10", None),
    Column("cost", "ingest", "cost"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a stack.

    Args:
        measure: None where it wasn't measured.
        best: Whether it is the best, with a spread apart from all others.
    """

    measure: Measure | None
    best: bool = False

    @property
    def text(self) -> str:
        """The median."""
        return "-" if self.measure is None else number(self.measure.median)

    @property
    def spread(self) -> str:
        """The spread; empty where it was measured once."""
        if self.measure is None or len(self.measure.samples) < 2:
            return ""
        return f"{number(self.measure.low)} to {number(self.measure.high)}"


@dataclass(frozen=True, slots=True)
class Summary:
    """The table.

    Args:
        columns: Those of which anything was measured.
        rows: The label of each stack, and its cells.
        verdicts: Of each column.
        troubles: A line for each step that failed, can't be done, or isn't finished.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    verdicts: tuple[Verdict, ...]
    troubles: tuple[str, ...]

    def texts(self) -> Iterator[tuple[str, ...]]:
        """A row for each figure, and a column for each stack: a star behind what is best."""
        for at, column in enumerate(self.columns):
            cells = (cells[at] for _, cells in self.rows)
            yield column.title, *(f"{cell.text}{' *' if cell.best else ''}" for cell in cells)

    @property
    def heads(self) -> tuple[str, ...]:
        """What stands over the columns of `texts`."""
        return "stack", *(label for label, _ in self.rows)


def summary(results: Results) -> Summary:
    """The headline figures of results."""
    names = [stack.name for stack in results.stacks]
    columns = tuple(
        column for column in COLUMNS if any(column.of(results, name) is not None for name in names)
    )
    figures = {name: [column.of(results, name) for column in columns] for name in names}
    verdicts = tuple(
        verdict([found for name in names if (found := figures[name][at]) is not None])
        if column.ranked
        else Verdict(None)
        for at, column in enumerate(columns)
    )
    rows = tuple(
        (
            results.label(name),
            tuple(
                Cell(found, judged.best == name)
                for found, judged in zip(figures[name], verdicts, strict=True)
            ),
        )
        for name in names
    )
    return Summary(columns, rows, verdicts, tuple(troubles(results)))


def troubles(results: Results) -> Iterator[str]:
    """What failed, can't be done or isn't finished, and why; of what is done what went wrong in it."""
    for each in results.outcomes:
        if each.state != "done" or each.reason:
            done = f" after {each.rounds} turns" if each.state == "unfinished" and each.rounds else ""
            why = f": {each.reason}" if each.reason else ""
            yield f"{results.label(each.stack)}, {each.step}: {each.state}{done}{why}"
    if results.runs and results.runs[-1].ended in ("budget", "stopped"):
        budget = "the time that was given is over, or stacks were left out"
        why = budget if results.runs[-1].ended == "budget" else "it was stopped"
        yield f"not complete: {why}; the same command goes on"
