"""Charts of bars: writing, memory and overhead, and where the time of whole stacks goes."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Measure, Results
from .drawing import Scale, across, bar, drawing, line, number, words
from .marks import LEFT, RIGHT, ROW, Chart, colour, in_order, named, said

_SPLITS = {
    "ingest": ("probe", "hand over", "embed", "store", "other"),
    "query": ("embed", "search", "fetch", "other"),
}


def _bars(
    results: Results, found: Sequence[Measure], title: str, axis: str, says: str, *, mark: float | None = None
) -> Chart | None:
    """A bar for each stack, with its spread."""
    if not found:
        return None
    bottom = 20 + ROW * len(found)
    x = Scale.over([each.high for each in found] + ([mark] if mark else []), LEFT, RIGHT - 40)
    parts = across(x, 12, bottom, axis)
    for row, each in enumerate(in_order(results, found)):
        y, tone = 20 + ROW * row + 5, colour(results, each.stack)
        end = x(max(each.median, 0.0))
        parts += [
            *named(results, each.stack, y + 14),
            bar(LEFT, y, end - LEFT, ROW - 10, kind=f"f{tone} pale", title=said(each)),
            line(x(max(each.low, 0.0)), y + 10, x(max(each.high, 0.0)), y + 10, f"whisker s{tone}"),
            words(max(end, x(max(each.high, 0.0))) + 6, y + 14, number(each.median), kind="value"),
        ]
    if mark is not None:
        parts.append(line(x(mark), 12, x(mark), bottom, "mark"))
    return Chart(title, says, drawing(bottom + 44, parts, title))


def load(results: Results) -> Chart | None:
    """Records a second."""
    found = list(results.find("load", "records"))
    says = "Through polyreel, piece by piece; more is better. Lines are the spread over pieces."
    return _bars(results, found, "Writing", "records a second", says)


def optimized(results: Results) -> Chart | None:
    """Seconds until the indexes are built."""
    found = list(results.find("settle", "optimized"))
    says = "Flush and building indexes after the last write. A store that compares all vectors has none."
    return _bars(results, found, "Time to optimized", "seconds", says)


def memory(results: Results) -> Chart | None:
    """Memory of the process that holds the engine."""
    found = list(results.find("settle", "memory"))
    says = "Of the process that holds the engine, indexes built; with Python where that is the stack's own."
    return _bars(results, found, "Memory", "MiB", says)


def overhead(results: Results) -> Chart | None:
    """What polyreel adds."""
    found = list(results.find("overhead", "ratio", "alone"))
    says = "A search through polyreel over the engine's own best call, in turns. 1 would be no overhead."
    return _bars(results, found, "Overhead of polyreel", "times as long", says, mark=1.0)


def ingest_split(results: Results) -> Chart | None:
    """The parts of an ingest."""
    return _split(results, "ingest", "Where the time of an ingest goes", "seconds, median of the videos")


def query_split(results: Results) -> Chart | None:
    """The parts of a search."""
    return _split(results, "query", "Where the time of a search goes", "milliseconds, mean")


def _split(results: Results, step: str, title: str, axis: str) -> Chart | None:
    """A bar for each stack, of one piece for each part of the work."""
    names = [each.name for each in results.stacks if any(results.find(step, "split", None, each.name))]
    if not names:
        return None
    parts_ = _SPLITS[step]
    pieces = {
        name: [next(results.find(step, "split", part, name), None) for part in parts_] for name in names
    }
    totals = [sum(each.median for each in found if each) for found in pieces.values()]
    bottom = 44 + ROW * len(names)
    x = Scale.over(totals, LEFT, RIGHT)
    parts = across(x, 36, bottom, axis)
    for at, part in enumerate(parts_):
        left = LEFT + at * 86
        parts += [bar(left, 6, 12, 12, kind=f"p{at}", title=part), words(left + 17, 16, part, kind="tick")]
    for row, name in enumerate(names):
        y, done = 44 + ROW * row + 5, 0.0
        parts += named(results, name, y + 14)
        for at, each in enumerate(pieces[name]):
            if each is not None and each.median > 0:
                parts.append(
                    bar(
                        x(done),
                        y,
                        x(done + each.median) - x(done),
                        ROW - 10,
                        kind=f"f{at}",
                        title=said(each),
                    )
                )
                done += each.median
    return Chart(
        title,
        "Each piece is the time within one part, what it called taken out.",
        drawing(bottom + 44, parts, title),
    )


def quality(results: Results) -> Chart | None:
    """How good the order is that a stack finds."""
    found = list(results.find("quality", "ndcg@10"))
    return _bars(results, found, "Quality", "nDCG@10", "Against the evaluation file; 1 is a perfect order.")
