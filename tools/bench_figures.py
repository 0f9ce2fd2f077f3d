"""Writes measured figures into docs/benchmarks.md, and the report's picture: `make bench-figures`.

    python -P tools/bench_figures.py 10k=FOLDER 100k=FOLDER --picture 10k

FOLDER is what `polyreel bench --out` has written. A page holds the figures called NAME between
`<!-- figures: NAME -->` and `<!-- end figures -->`; everything else is written by hand. The picture needs
Chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from polyreel.bench import read
from polyreel.bench.report import page, summary
from polyreel.bench.report.drawing import number
from polyreel.bench.results import Measure, Results

ROOT = Path(__file__).resolve().parents[1]
_PART = re.compile(r"(<!-- figures: (?P<name>[\w-]+) -->\n).*?(?=<!-- end figures -->)", re.DOTALL)
_FOLDERS = re.compile(r"(?<!\S)/\S*/")  # of the machine that measured
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WIDTH = 118  # characters of a line
_SIZE = (1280, 1500)  # pixels of the picture: the table, and the first charts


class Row(NamedTuple):
    """A row of a table: what is shown of which measure; of several cases the least."""

    title: str
    step: str
    name: str
    case: str | None = ""


ROWS = (
    Row("write, records/s", "load", "records"),
    Row("flush and index, s", "settle", "optimized"),
    Row("memory of the process, MiB", "settle", "memory"),
    Row("of it grown, MiB", "settle", "memory, grown"),
    Row("disk, MiB", "settle", "disk"),
    Row("open in a new process, s", "cold", "open"),
    Row("recall of ten", "search", "recall"),
    Row("search p50, ms", "search", "p50"),
    Row("search p95, ms", "search", "p95"),
    Row("hundred hits p50, ms", "topk", "p50", "100 hits"),
    Row("a range of 1 % p50, ms", "filtered", "p50", "range 1%"),
    Row("a nested condition of 10 % p50, ms", "filtered", "p50", "nested 10%"),
    Row("least recall under a condition", "filtered", "recall", None),
    Row("best hit of each video p50, ms", "grouped", "p50", "by video"),
    Row("recall of videos", "grouped", "recall", "by video"),
    Row("queries/s, one caller", "concurrency", "queries", "1 at once"),
    Row("queries/s, eight callers", "concurrency", "queries", "8 at once"),
    Row("p50 while others write, ms", "mixed", "p50"),
    Row("overhead of a search, ratio", "overhead", "ratio", "alone"),
    Row("added to a search, ms", "overhead", "added", "alone"),
    Row("overhead in a batch of 50, ratio", "overhead", "ratio", "batch of 50"),
    Row("write speed over the engine's own", "writing", "speed"),
)


def main(arguments: Sequence[str]) -> int:
    """Write the figures, and the picture if it is asked for."""
    parser = argparse.ArgumentParser(description="Write figures of `polyreel bench` into a page.")
    parser.add_argument("figures", nargs="+", metavar="NAME=FOLDER", help="where results.json lies")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--picture", metavar="NAME", help="also draw the report of these figures")
    wanted = parser.parse_args(arguments)
    given = dict(each.partition("=")[::2] for each in wanted.figures)
    found = {name: read(Path(folder)) for name, folder in given.items()}
    text = wanted.page.read_text("utf-8")
    there = {part["name"] for part in _PART.finditer(text)}
    for name in (*found, *([wanted.picture] if wanted.picture else [])):
        if name not in found or name not in there:
            parser.error(f"{name}: name figures that are given, and have their place in {wanted.page}")
    wanted.page.write_text(_PART.sub(_written(found), text), "utf-8")
    if wanted.picture:
        picture(found[wanted.picture], wanted.page.with_name("bench-report.png"))
    return 0


def _written(found: dict[str, Results]) -> Callable[[re.Match[str]], str]:
    """What a part of the page becomes; one of other figures stays."""

    def made(part: re.Match[str]) -> str:
        name = part["name"]
        return f"{part[1]}{figures(found[name])}\n" if name in found else part[0]

    return made


def figures(results: Results) -> str:
    """How it was measured, the table, and what is missing."""
    troubles = [f"- {_FOLDERS.sub('…/', line)}" for line in summary(results).troubles]
    missing = ["", "What is missing:", "", *troubles] if troubles else []
    return "\n".join([_how(results), "", *_table(results), *missing])


def _how(results: Results) -> str:
    told, runs = results.settings, results.runs
    loads = [load for run in runs for load in run.load] or [0.0]
    minutes = sum(run.seconds for run in runs) / 60
    starts = f" in {len(runs)} starts" if len(runs) > 1 else ""
    packages = ", ".join(f"{name} {version}" for name, version in results.machine.packages.items())
    how = (
        f"{number(results.data.records)} records of {results.data.dimension} dimensions",
        f"({results.data.source}; `--rounds {told.rounds} --turn {told.turn:g}`); {runs[0].began[:10]},",
        f"{minutes:.1f} minutes{starts}; {results.machine.processors} processors with a load average of",
        f"{number(min(loads))} to {number(max(loads))} as steps began; Python {results.machine.python},",
        f"{packages}. Medians of turns, and their spread in brackets; what has none was measured once:",
    )
    return textwrap.fill(" ".join(how), _WIDTH, break_on_hyphens=False)


def _table(results: Results) -> Iterator[str]:
    names = [stack.name for stack in results.stacks]
    heads = [f"`{results.label(name)}`" for name in names]
    yield f"| | {' | '.join(heads)} |"
    yield f"|{'---|' * (len(names) + 1)}"
    for row in ROWS:
        cells = [_cell(list(results.find(row.step, row.name, row.case, name))) for name in names]
        if any(cell != "-" for cell in cells):
            yield f"| {row.title} | {' | '.join(cells)} |"


def _cell(found: list[Measure]) -> str:
    if not found:
        return "-"
    measure = min(found, key=lambda each: each.median)
    if len(measure.samples) < 2:
        return number(measure.median)
    return f"{number(measure.median)} ({number(measure.low)} to {number(measure.high)})"


def picture(results: Results, path: Path) -> None:
    """Draw the report as a browser shows it."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("the picture needs Chromium: install it, or leave --picture out")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(page(results), "utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        flags += [f"--user-data-dir={folder}/profile", f"--window-size={_SIZE[0]},{_SIZE[1]}"]
        command = [browser, *flags, f"--screenshot={path.resolve()}", file.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
