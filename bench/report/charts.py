"""The charts of a report, each a drawing with its heading and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..results import Measure, Results
from .drawing import WIDTH, Scale, across, bar, dot, drawing, line, number, path, up, words

_LEFT, _RIGHT = 128, WIDTH - 18
_ROW = 30


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing.

    Args:
        title: Its heading.
        says: How it is read.
        svg: The drawing.
    """

    title: str
    says: str
    svg: str


def charts(results: Results) -> Iterator[Chart]:
    """Every chart of which there are figures."""
    for make in _CHARTS:
        chart = make(results)
        if chart is not None:
            yield chart


def _colour(results: Results, stack: str) -> int:
    return [each.name for each in results.stacks].index(stack) % 8


def _said(measure: Measure) -> str:
    """What a mark says when one points at it."""
    case = f", {measure.case}" if measure.case else ""
    turns = f"{number(measure.low)} to {number(measure.high)} in {len(measure.samples)} turns"
    once = "measured once" if len(measure.samples) == 1 else turns
    return f"{measure.stack}: {measure.name}{case} {number(measure.median)} {measure.unit} ({once})"


# -- recall and speed -------------------------------------------------------------------------------------


def _tradeoff(results: Results) -> Chart | None:
    """Recall against queries a second: each stack with one caller, for every number of hits."""
    points = [
        (speed, recall)
        for step in ("search", "topk")
        for recall in results.find(step, "recall")
        for speed in results.find(step, "queries", recall.case, recall.stack)
    ]
    if not points:
        return None
    x = Scale.over([end for speed, _ in points for end in (speed.low, speed.high)], 64, _RIGHT, log=True)
    least = min(recall.low for _, recall in points)
    y = Scale(min(0.9, int(least * 10) / 10), 1.0, 272, 34)
    parts = [*across(x, 24, 282, "queries a second, one caller (logarithmic)"), *up(y, 64, _RIGHT, "recall")]
    for speed, recall in points:
        colour, main = _colour(results, speed.stack), recall.step == "search"
        at = x(speed.median), y(recall.median)
        parts += [
            line(x(speed.low), at[1], x(speed.high), at[1], f"whisker s{colour}"),
            line(at[0], y(recall.low), at[0], y(recall.high), f"whisker s{colour}"),
            dot(
                *at,
                f"f{colour}" if main else f"hollow s{colour}",
                f"{_said(speed)}; {_said(recall)}",
                6 if main else 4,
            ),
        ]
    says = (
        "Up and to the right is better. Full marks are the step `search`, hollow ones other numbers of "
        "hits; lines are the spread over turns."
    )
    return Chart(
        "Recall against queries a second", says, drawing(326, parts, "Recall against queries a second")
    )


def _latency(results: Results) -> Chart | None:
    """Latency with spread."""
    found = [each for name in ("p50", "p95", "p99") for each in results.find("search", name)]
    return _rows(
        results,
        found,
        "Latency of a search",
        "milliseconds (logarithmic)",
        "One caller: full mark p50, then p95 and p99 from left to right; lines are the spread over turns. "
        "Left is better.",
        log=True,
    )


def _rows(
    results: Results, found: Sequence[Measure], title: str, axis: str, says: str, *, log: bool
) -> Chart | None:
    """A row of marks for each stack."""
    if not found:
        return None
    names = [each.name for each in results.stacks if each.name in {one.stack for one in found}]
    bottom = 20 + _ROW * len(names)
    x = Scale.over([end for each in found for end in (each.low, each.high)], _LEFT, _RIGHT, log=log)
    parts = across(x, 12, bottom, axis)
    for row, name in enumerate(names):
        y, colour = 20 + _ROW * row + _ROW / 2, _colour(results, name)
        parts.append(words(_LEFT - 10, y + 4, name, kind="label", anchor="end"))
        mine = [each for each in found if each.stack == name]
        parts.append(line(x(mine[0].median), y, x(mine[-1].median), y, f"link s{colour}"))
        for at, each in enumerate(mine):
            parts.append(line(x(each.low), y, x(each.high), y, f"whisker s{colour}"))
            parts.append(
                dot(
                    x(each.median),
                    y,
                    f"f{colour}" if at == 0 else f"hollow s{colour}",
                    _said(each),
                    6 - at / 2,
                )
            )
    return Chart(title, says, drawing(bottom + 44, parts, title))


# -- by case ----------------------------------------------------------------------------------------------


def _filtered_recall(results: Results) -> Chart | None:
    return _panels(results, "recall", "Recall under a condition", "recall", log=False)


def _filtered_latency(results: Results) -> Chart | None:
    return _panels(results, "p50", "Latency under a condition", "p50, ms (logarithmic)", log=True)


def _panels(results: Results, name: str, title: str, axis: str, *, log: bool) -> Chart | None:
    """A panel for each shape of condition, with a line for each stack over the selectivities."""
    found = list(results.find("filtered", name))
    if not found:
        return None
    shapes = list(dict.fromkeys(each.case.split()[0] for each in found))
    parts_ = sorted({float(each.case.split()[1].rstrip("%")) for each in found})
    ends = [end for each in found for end in (each.low, each.high)]
    y = (
        Scale.over(ends, 210, 44, log=True)
        if log
        else Scale(min(0.9, int(min(ends) * 10) / 10), 1.0, 210, 44)
    )
    parts = [words(16, 14, axis, kind="axis")]
    width = (_RIGHT - 56) / len(shapes)
    for at, shape in enumerate(shapes):
        left = 56 + width * at
        x = Scale(0, max(1, len(parts_) - 1), left + 14, left + width - 22)
        parts.append(words(left + width / 2 - 4, 34, shape, kind="label", anchor="middle"))
        for tick in y.ticks:
            parts.append(line(left + 6, y(tick), left + width - 12, y(tick), "grid"))
            if at == 0:
                parts.append(words(left - 2, y(tick) + 4, number(tick), kind="tick", anchor="end"))
        for place, part in enumerate(parts_):
            parts.append(words(x(place), 228, f"{part:g}", kind="tick", anchor="middle"))
        for stack in results.stacks:
            mine = {
                float(each.case.split()[1].rstrip("%")): each
                for each in found
                if (each.stack, each.case.split()[0]) == (stack.name, shape)
            }
            parts += _series(results, [(x(parts_.index(part)), mine[part]) for part in sorted(mine)], y)
    parts.append(
        words((56 + _RIGHT) / 2, 246, "records that match, in percent", kind="axis", anchor="middle")
    )
    says = "From the narrowest condition to the widest, by shape. Bars are the spread over turns."
    return Chart(title, says, drawing(256, parts, title))


def _series(results: Results, points: Sequence[tuple[float, Measure]], y: Scale) -> Iterator[str]:
    """A line with spreads and marks."""
    if not points:
        return
    colour = _colour(results, points[0][1].stack)
    yield path([(x, y(each.median)) for x, each in points], f"series s{colour}")
    for x, each in points:
        yield line(x, y(each.low), x, y(each.high), f"whisker s{colour}")
        yield dot(x, y(each.median), f"f{colour}", _said(each), 3.5)


def _concurrency(results: Results) -> Chart | None:
    """Queries a second by callers."""
    found = list(results.find("concurrency", "queries"))
    if not found:
        return None
    callers = sorted({int(each.case.split()[0]) for each in found})
    x = Scale(0, max(1, len(callers) - 1), 84, _RIGHT - 20)
    y = Scale.over([end for each in found for end in (each.low, each.high)], 250, 34, log=True)
    parts = up(y, 64, _RIGHT, "queries a second (logarithmic)")
    for place, number_ in enumerate(callers):
        parts.append(words(x(place), 270, str(number_), kind="tick", anchor="middle"))
    for stack in results.stacks:
        mine = sorted((int(each.case.split()[0]), each) for each in found if each.stack == stack.name)
        parts += _series(results, [(x(callers.index(number_)), each) for number_, each in mine], y)
    parts.append(words((64 + _RIGHT) / 2, 288, "callers at once", kind="axis", anchor="middle"))
    says = (
        "A line that rises answers more when more ask at once; a level one is busy with one caller already."
    )
    return Chart("Queries a second by callers", says, drawing(298, parts, "Queries a second by callers"))


# -- bars -------------------------------------------------------------------------------------------------


def _bars(
    results: Results, found: Sequence[Measure], title: str, axis: str, says: str, *, mark: float | None = None
) -> Chart | None:
    """A bar for each stack, with its spread."""
    if not found:
        return None
    bottom = 20 + _ROW * len(found)
    x = Scale.over([each.high for each in found] + ([mark] if mark else []), _LEFT, _RIGHT - 40)
    parts = across(x, 12, bottom, axis)
    for row, each in enumerate(found):
        y, colour = 20 + _ROW * row + 5, _colour(results, each.stack)
        end = x(max(each.median, 0.0))
        parts += [
            words(_LEFT - 10, y + 14, each.stack, kind="label", anchor="end"),
            bar(_LEFT, y, end - _LEFT, _ROW - 10, kind=f"f{colour} pale", title=_said(each)),
            line(x(max(each.low, 0.0)), y + 10, x(max(each.high, 0.0)), y + 10, f"whisker s{colour}"),
            words(max(end, x(max(each.high, 0.0))) + 6, y + 14, number(each.median), kind="value"),
        ]
    if mark is not None:
        parts.append(line(x(mark), 12, x(mark), bottom, "mark"))
    return Chart(title, says, drawing(bottom + 44, parts, title))


def _load(results: Results) -> Chart | None:
    found = list(results.find("load", "records"))
    says = "Through polyreel, piece by piece; more is better. Lines are the spread over pieces."
    return _bars(results, found, "Writing", "records a second", says)


def _optimized(results: Results) -> Chart | None:
    found = list(results.find("settle", "optimized"))
    says = "Flush and building indexes after the last write. A store that compares all vectors has none."
    return _bars(results, found, "Time to optimized", "seconds", says)


def _memory(results: Results) -> Chart | None:
    found = list(results.find("settle", "memory"))
    says = "Of the process that holds the engine, indexes built; with Python where that is the stack's own."
    return _bars(results, found, "Memory", "MiB", says)


def _overhead(results: Results) -> Chart | None:
    found = list(results.find("overhead", "ratio", "alone"))
    says = "A search through polyreel over the engine's own best call, in turns. 1 would be no overhead."
    return _bars(results, found, "Overhead of polyreel", "times as long", says, mark=1.0)


# -- the suite `video` ------------------------------------------------------------------------------------

_SPLITS = {
    "ingest": ("probe", "hand over", "embed", "store", "other"),
    "query": ("embed", "search", "fetch", "other"),
}


def _ingest_split(results: Results) -> Chart | None:
    return _split(results, "ingest", "Where the time of an ingest goes", "seconds of work")


def _query_split(results: Results) -> Chart | None:
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
    bottom = 44 + _ROW * len(names)
    x = Scale.over(totals, _LEFT, _RIGHT)
    parts = across(x, 36, bottom, axis)
    for at, part in enumerate(parts_):
        left = _LEFT + at * 86
        parts += [bar(left, 6, 12, 12, kind=f"f{at}", title=part), words(left + 17, 16, part, kind="tick")]
    for row, name in enumerate(names):
        y, done = 44 + _ROW * row + 5, 0.0
        parts.append(words(_LEFT - 10, y + 14, name, kind="label", anchor="end"))
        for at, each in enumerate(pieces[name]):
            if each is not None and each.median > 0:
                parts.append(
                    bar(
                        x(done),
                        y,
                        x(done + each.median) - x(done),
                        _ROW - 10,
                        kind=f"f{at}",
                        title=_said(each),
                    )
                )
                done += each.median
    return Chart(
        title,
        "Each piece is the time within one part, what it called taken out.",
        drawing(bottom + 44, parts, title),
    )


def _quality(results: Results) -> Chart | None:
    found = list(results.find("quality", "ndcg@10"))
    return _bars(results, found, "Quality", "nDCG@10", "Against the evaluation file; 1 is a perfect order.")


_CHARTS: tuple[Callable[[Results], Chart | None], ...] = (
    _tradeoff,
    _latency,
    _filtered_recall,
    _filtered_latency,
    _concurrency,
    _overhead,
    _load,
    _optimized,
    _memory,
    _ingest_split,
    _query_split,
    _quality,
)
