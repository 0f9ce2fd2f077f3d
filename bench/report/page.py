"""The report as one HTML file: it fetches nothing, runs no script, and escapes every name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from ..results import Results
from . import words
from .charts import charts
from .drawing import number
from .style import STYLE
from .summary import Summary, summary

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # the file itself forbids to fetch anything


def page(results: Results) -> str:
    """The whole file."""
    found = summary(results)
    parts = [
        *_top(results),
        *_notes(results, found),
        *_legend(results),
        *_headline(found),
        '<h2>Charts</h2><div class="grid">',
        *_figures(results),
        "</div>",
        *_agreement(results),
        *_settings(results),
        *_meanings(results),
        *_everything(results),
    ]
    title = f"Benchmark of {', '.join(results.label(stack.name) for stack in results.stacks)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body>\n</html>\n"
    )


def _top(results: Results) -> Iterator[str]:
    data, machine = results.data, results.machine
    one = "one stack" if len(results.stacks) == 1 else f"{len(results.stacks)} stacks"
    yield f"<h1>Benchmark of {one}</h1>"
    when = ", ".join(run.began[:16].replace("T", " ") for run in results.runs)
    spent = number(sum(run.seconds for run in results.runs) / 60)
    suite = f"<code>{escape(results.suite)}</code>"
    yield f'<p class="soft">polyreel bench, suite {suite}; {escape(when)} UTC; {spent} minutes</p>'
    loads = [load for run in results.runs for load in run.load]
    facts = [
        f"{number(data.records)} {'records' if results.suite == 'vectors' else 'videos'}",
        *([f"{data.dimension} dimensions"] if data.dimension else []),
        f"{data.queries} queries",
        data.source,
        f"{machine.processors} processors, {machine.system}",
        *([f"load average {number(min(loads))} to {number(max(loads))}"] if loads else []),
        f"Python {machine.python}",
    ]
    yield f'<ul class="facts">{"".join(f"<li>{escape(fact)}</li>" for fact in facts)}</ul>'


def _notes(results: Results, found: Summary) -> Iterator[str]:
    if results.emulated:
        names = escape(", ".join(results.emulated))
        why = "How fast an imitation is says nothing of the service."
        yield f'<div class="note"><b>Emulated: {names}.</b> {why}</div>'
    if found.troubles:
        lines = "".join(f"<li>{escape(line)}</li>" for line in found.troubles)
        yield f'<div class="note"><b>Not everything was measured</b><ul>{lines}</ul></div>'


def _legend(results: Results) -> Iterator[str]:
    marks = "".join(
        f'<li><i class="f{at % 8}"></i>{escape(results.label(stack.name))}</li>'
        for at, stack in enumerate(results.stacks)
    )
    yield f'<ul class="legend">{marks}</ul>'


def _headline(found: Summary) -> Iterator[str]:
    yield "<h2>At a glance</h2>"
    heads = "".join(f"<th>{escape(column.title)}</th>" for column in found.columns)
    yield f'<div class="card wide"><table><thead><tr><th>stack</th>{heads}</tr></thead><tbody>'
    for name, cells in found.rows:
        shown = "".join(
            f"<td{' class=best' if cell.best else ''}>{escape(cell.text)}"
            f"<small>{escape(cell.spread)}</small></td>"
            for cell in cells
        )
        yield f"<tr><td>{escape(name)}</td>{shown}</tr>"
    yield "</tbody></table></div>"
    yield (
        '<p class="soft">Medians over turns, which the stacks took in changing order; below them the spread. '
        "A figure in colour is the best with a spread apart from all others; where spreads overlap, or "
        "something was measured once, no stack is called the best.</p>"
    )


def _figures(results: Results) -> Iterator[str]:
    for chart in charts(results):
        yield (
            f"<figure><h3>{escape(chart.title)}</h3><figcaption>{_prose(chart.says)}</figcaption>{chart.svg}</figure>"
        )


def _agreement(results: Results) -> Iterator[str]:
    pairs = [each for each in results.measures if (each.step, each.name) == ("agreement", "same videos")]
    if not pairs:
        return
    rows = []
    for each in pairs:
        (moments,) = results.find("agreement", "same moments", each.case, each.stack)
        rows.append((f"{results.label(each.stack)} {each.case}", number(each.median), number(moments.median)))
    yield f"<h2>Agreement</h2><p>{_prose(words.STEPS['agreement'])} Medians over the queries.</p>"
    yield _table(("stacks", "same videos", "same moments"), rows)


def _settings(results: Results) -> Iterator[str]:
    yield "<h2>Stacks and settings</h2>"
    rows = [
        (
            results.label(stack.name),
            " ".join(filter(None, (stack.store, stack.form))),
            stack.version,
            stack.process or "-",
            ", ".join(f"{key} = {value}" for key, value in stack.settings.items()) or "-",
        )
        for stack in results.stacks
    ]
    yield _table(("stack", "store", "version", "memory is", "settings"), rows)
    told = [(name, _shown(value)) for name, value in results.settings.model_dump().items()]
    told += [(f"version of {name}", version) for name, version in results.machine.packages.items()]
    told += [("fingerprint of the data", results.data.fingerprint)]
    table = _table(("setting", "value"), told)
    yield f"<details><summary>Settings of the run, and versions</summary>{table}</details>"


def _meanings(results: Results) -> Iterator[str]:
    yield '<h2>What the numbers mean</h2><div class="card"><dl>'
    steps = list(dict.fromkeys(each.step for each in results.outcomes))
    for step in steps:
        yield f"<dt>{escape(step)}</dt><dd>{_prose(words.STEPS.get(step, ''))}</dd>"
    for name in dict.fromkeys(each.name for each in results.measures):
        if name in words.NUMBERS:
            yield f"<dt>{escape(name)}</dt><dd>{_prose(words.NUMBERS[name])}</dd>"
    yield (
        "<dt>spread</dt><dd>The least and the greatest of the turns; from ten turns on the tenth and the "
        "ninetieth of a hundred.</dd></dl></div>"
    )


def _everything(results: Results) -> Iterator[str]:
    rows = [
        (
            results.label(each.stack),
            each.step,
            each.name,
            each.case or "-",
            f"{number(each.median)} {each.unit}",
            f"{number(each.low)} to {number(each.high)}",
            str(len(each.samples)),
        )
        for each in results.measures
    ]
    heads = ("stack", "step", "number", "of", "median", "spread", "turns")
    yield f"<details><summary>Every number ({len(rows)})</summary>{_table(heads, rows)}</details>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    whole = f'<table class="left"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="card wide">{whole}</div>'


def _prose(text: str) -> str:
    """Our own words, with what stands between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
