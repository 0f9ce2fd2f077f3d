"""The charts of a report, each a drawing with its heading and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..results import Measure, Results
from . import bars
from .drawing import Scale, across, dot, drawing, line, number, path, up, words
from .marks import LEFT, RIGHT, ROW, Chart, colour, named, said


def charts(results: Results) -> Iterator[Chart]:
    """Every chart of which there are figures."""
    for make in _CHARTS:
        chart = make(results)
        if chart is not None:
            yield chart


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
    x = Scale.over([end for speed, _ in points for end in (speed.low, speed.high)], 64, RIGHT, log=True)
    least = min(recall.low for _, recall in points)
    y = Scale(min(0.9, int(least * 10) / 10), 1.0, 272, 34)
    parts = [*across(x, 24, 282, "queries a second, one caller (logarithmic)"), *up(y, 64, RIGHT, "recall")]
    for speed, recall in points:
        tone, main = colour(results, speed.stack), recall.step == "search"
        at = x(speed.median), y(recall.median)
        parts += [
            line(x(speed.low), at[1], x(speed.high), at[1], f"whisker s{tone}"),
            line(at[0], y(recall.low), at[0], y(recall.high), f"whisker s{tone}"),
            dot(
                *at,
                f"f{tone}" if main else f"hollow s{tone}",
                f"{said(speed)}; {said(recall)}",
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
    bottom = 20 + ROW * len(names)
    x = Scale.over([end for each in found for end in (each.low, each.high)], LEFT, RIGHT, log=log)
    parts = across(x, 12, bottom, axis)
    for row, name in enumerate(names):
        y, tone = 20 + ROW * row + ROW / 2, colour(results, name)
        parts += named(results, name, y + 4)
        mine = [each for each in found if each.stack == name]
        parts.append(line(x(mine[0].median), y, x(mine[-1].median), y, f"link s{tone}"))
        for at, each in enumerate(mine):
            parts.append(line(x(each.low), y, x(each.high), y, f"whisker s{tone}"))
            parts.append(
                dot(
                    x(each.median),
                    y,
                    f"f{tone}" if at == 0 else f"hollow s{tone}",
                    said(each),
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
    width = (RIGHT - 56) / len(shapes)
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
    parts.append(words((56 + RIGHT) / 2, 246, "records that match, in percent", kind="axis", anchor="middle"))
    says = "From the narrowest condition to the widest, by shape. Bars are the spread over turns."
    return Chart(title, says, drawing(256, parts, title))


def _series(results: Results, points: Sequence[tuple[float, Measure]], y: Scale) -> Iterator[str]:
    """A line with spreads and marks."""
    if not points:
        return
    tone = colour(results, points[0][1].stack)
    yield path([(x, y(each.median)) for x, each in points], f"series s{tone}")
    for x, each in points:
        yield line(x, y(each.low), x, y(each.high), f"whisker s{tone}")
        yield dot(x, y(each.median), f"f{tone}", said(each), 3.5)


def _concurrency(results: Results) -> Chart | None:
    """Queries a second by callers."""
    found = list(results.find("concurrency", "queries"))
    if not found:
        return None
    callers = sorted({int(each.case.split()[0]) for each in found})
    x = Scale(0, max(1, len(callers) - 1), 84, RIGHT - 20)
    y = Scale.over([end for each in found for end in (each.low, each.high)], 250, 34, log=True)
    parts = up(y, 64, RIGHT, "queries a second (logarithmic)")
    for place, number_ in enumerate(callers):
        parts.append(words(x(place), 270, str(number_), kind="tick", anchor="middle"))
    for stack in results.stacks:
        mine = sorted((int(each.case.split()[0]), each) for each in found if each.stack == stack.name)
        parts += _series(results, [(x(callers.index(number_)), each) for number_, each in mine], y)
    parts.append(words((64 + RIGHT) / 2, 288, "callers at once", kind="axis", anchor="middle"))
    says = (
        "A line that rises answers more when more ask at once; a level one is busy with one caller already."
    )
    return Chart("Queries a second by callers", says, drawing(298, parts, "Queries a second by callers"))


_CHARTS: tuple[Callable[[Results], Chart | None], ...] = (
    _tradeoff,
    _latency,
    _filtered_recall,
    _filtered_latency,
    _concurrency,
    bars.overhead,
    bars.load,
    bars.optimized,
    bars.memory,
    bars.ingest_split,
    bars.query_split,
    bars.quality,
)
