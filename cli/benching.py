"""`polyreel bench` and `polyreel bench compare`."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output
from .stopping import EXIT_CODE, stoppable

if TYPE_CHECKING:
    from ..bench.compare import Comparison
    from ..bench.results import Outcome, Results
    from ..bench.turns import Listener, Turn

_OF = {
    "vectors": ("data", "records", "dimension", "queries", "payload", "steps", "turn"),
    "video": ("videos", "evaluation"),
}
"""Options that one suite alone heeds."""
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer()
    group.callback(invoke_without_command=True)(bench)
    group.command()(compare)
    app.add_typer(group, name="bench")


def bench(
    ctx: typer.Context,
    stacks: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="Stacks of the configuration, and memory, edge, qdrant_local, qdrant_folder, milvus_lite, "
            "milvus_server; those that are installed if left out.",
        ),
    ] = None,
    suite: Annotated[
        str,
        typer.Option(help="vectors: stores, with vectors that are given. video: whole stacks, with videos."),
    ] = "vectors",
    config: options.Config = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where results.json and report.html go; a run goes on there.")
    ] = Path("polyreel-bench"),
    data: Annotated[
        str, typer.Option(help="clustered, or a file of vectors: .hdf5, .parquet, .npy, .npz, or a folder.")
    ] = "clustered",
    records: Annotated[int, typer.Option(help="Records to store; of a file the first so many.")] = 10_000,
    dimension: Annotated[int, typer.Option(help="Of clustered vectors.")] = 512,
    queries: Annotated[int, typer.Option(help="Different vectors to ask with.")] = 100,
    limit: options.Limit = 10,
    payload: Annotated[
        bool, typer.Option("--payload/--no-payload", help="Whether records carry text beside fields.")
    ] = True,
    steps: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these steps of vectors, in this order.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Turns of each stack in a step.")] = 5,
    turn: Annotated[float, typer.Option(help="Seconds after which a turn asks no further query.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 1,
    videos: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The suite video: the folder of videos.")
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The suite video: queries and what should be found.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop after this long, such as 90s, 20m or 2h.")
    ] = None,
    allow_emulators: Annotated[
        bool, typer.Option("--allow-emulators", help="Also measure imitations of services, and label them.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Measure stacks: the same work on each, in turns, with spreads, and a report in one HTML file.

    Ctrl-C keeps what is done; the same command goes on. Exits with 1 when a step failed.

    Example: polyreel bench --stacks memory,edge --records 2000 --out bench
    """
    if ctx.invoked_subcommand is not None:
        return
    from ..bench import VectorBench, VectorSettings, VideoBench, VideoSettings, usual
    from ..core.errors import InvalidQueryError

    _check_options(ctx, suite)
    shared = {"seed": seed, "limit": limit, "rounds": rounds, "turn": turn}
    names = stacks.split(",") if stacks else list(usual()) if suite == "vectors" else ["local"]
    seconds = _seconds(budget)
    with stoppable("the turn in flight") as stop, _listening(as_json=as_json) as listener:
        if suite == "vectors":
            told = {"data": data, "records": records, "dimension": dimension, "queries": queries}
            told |= {"payload": payload, **({"steps": tuple(steps.split(","))} if steps else {})}
            settings = VectorSettings.checked({**shared, **told})
            results = VectorBench(
                settings, names, out, config, seconds, allow_emulators, stop, listener
            ).run()
        elif suite == "video":
            if videos is None or evaluation is None:
                raise InvalidQueryError("the suite video needs --videos and --evaluation")
            of_videos = VideoSettings.checked(
                {**shared, "videos": str(videos), "evaluation": str(evaluation)}
            )
            results = VideoBench(
                of_videos, names, out, config, seconds, allow_emulators, stop, listener
            ).run()
        else:
            raise InvalidQueryError(f"there is no suite {suite!r}", hint="known are vectors and video")
    _tell(results, out, as_json=as_json)


def _check_options(ctx: typer.Context, suite: str) -> None:
    """Refuse options that the suite would not heed."""
    from ..core.errors import InvalidQueryError

    for other, names in _OF.items():
        for name in names if other != suite else ():
            source = ctx.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                raise InvalidQueryError(
                    f"--{name} is of the suite {other}", hint=f"leave it out, or choose --suite {other}"
                )


def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="Older results, or their folder.")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="Newer ones.")],
    threshold: Annotated[
        float, typer.Option(min=0, help="A change by more than this part counts, where spreads lie apart.")
    ] = 0.1,
    shares: Annotated[float, typer.Option(min=0, help="The same for recall, absolutely.")] = 0.01,
    as_json: options.Json = False,
) -> None:
    """Compare two results of the same benchmark. Exits with 1 when something became worse or failed.

    Example: polyreel bench compare before/results.json after/results.json
    """
    from ..bench.compare import compare as compared
    from ..bench.results import read

    found = compared(read(before), read(after), threshold=threshold, shares=shares)
    if as_json:
        output.document(found.to_json())
    else:
        _print(found)
    if not found.ok:
        raise typer.Exit(1)


def _seconds(budget: str | None) -> float:
    """Seconds of a span as people write it."""
    from ..core.errors import InvalidQueryError

    if budget is None:
        return float("inf")
    matched = _SPAN.fullmatch(budget.strip())
    if not matched or not float(matched[1]):
        raise InvalidQueryError(f"--budget is {budget!r}", hint="write it as 90s, 20m or 2h")
    return float(matched[1]) * _SECONDS[matched[2]]


def _tell(results: Results, out: Path, *, as_json: bool) -> None:
    """The table or the document, what went wrong, and the exit code."""
    from ..bench.report import summary, write

    found, report = summary(results), write(results, out)
    if as_json:
        output.document(results.model_dump(mode="json"))
    else:
        if not sys.stdout.isatty():
            output.line(
                "\t".join(found.heads)
            )  # elsewhere tables have no heads, but here these are the stacks
        output.table(found.heads, found.texts())
        output.line(f"{out / 'results.json'}  {report}")
    if any(cell.best for _, cells in found.rows for cell in cells) and not as_json:
        output.message("* best, with a spread apart from all others")
    if results.complete and not results.runs[-1].load:
        output.message(
            f"all of it was measured before; delete {out}, or choose another --out, to do it again"
        )
    for line in found.troubles:
        output.message(line)
    if results.runs[-1].ended == "stopped":
        raise typer.Exit(EXIT_CODE)
    if any(each.state == "failed" for each in results.outcomes):
        raise typer.Exit(1)


def _print(found: Comparison) -> None:
    from ..bench.report.drawing import number

    rows = [
        (
            each.verdict,
            each.before.stack,
            " ".join(filter(None, each.before.key)),
            f"{number(each.before.median)} {each.before.unit}",
            f"{number(each.after.median)} {each.after.unit}",
            "-" if each.ratio is None else f"x{each.ratio:.2f}",
        )
        for each in found.changes
        if each.verdict != "same"
    ]
    if rows:
        output.table(("", "stack", "number", "before", "after", "ratio"), rows)
    for line in found.lost:
        output.message(f"lost: {line}")
    for note in found.notes:
        output.message(f"note: {note}")
    worse, better = (sum(each.verdict == what for each in found.changes) for what in ("worse", "better"))
    output.line(
        f"{worse} worse, {better} better, {len(found.changes) - worse - better} without a clear difference"
    )


@contextmanager
def _listening(*, as_json: bool) -> Iterator[Listener]:
    """A bar on a terminal, a line for each step of a stack elsewhere."""
    if as_json or not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from ..bench.results import Outcome

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting")

        def listener(heard: Turn | Outcome) -> None:
            if isinstance(heard, Outcome):
                _line(heard)
            else:
                said = f"{heard.step} {heard.at + 1}/{heard.rounds}: {heard.stack}"
                bar.update(task, total=heard.total, completed=heard.done, description=said)

        yield listener


def _line(heard: Turn | Outcome) -> None:
    from ..bench.results import Outcome

    if isinstance(heard, Outcome):
        why = f": {heard.reason}" if heard.reason else f" ({heard.seconds:.1f} s)"
        output.message(f"{time.strftime('%H:%M:%S')} {heard.step}: {heard.stack} {heard.state}{why}")
