"""`polyreel copy`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from ..core.copying import CopyReport, Progress
    from ..core.search import VideoSearch

_BUNDLE = "bundle:"
_STEP = 10  # percent between two lines where there is no terminal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(copy)


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A stack's name, or bundle:FOLDER.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="A stack's name, or bundle:FOLDER, a new one.")],
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", help="Also into a collection with other records; those of the same ids are replaced."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check whether it can be done, and count.")
    ] = False,
    optimize: Annotated[
        bool,
        typer.Option(
            "--optimize/--no-optimize", help="Afterwards build the search indexes, where that pays."
        ),
    ] = True,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Copy a collection to another store, or to and from a bundle on the disk. Nothing is embedded again.

    Vectors, texts, fields and manifests are copied, and compared at the end; videos that the object store of
    FROM keeps are carried over where TO has another one. The same command goes on after a crash, and copies
    what is new once it was done. Exits with 1 when a file or manifest of FROM couldn't be read.

    Example: polyreel copy local bundle:backup
    """
    from ..core.errors import InvalidQueryError

    if source == target:
        raise InvalidQueryError("FROM and TO are the same", hint="name another stack, or bundle:FOLDER")
    with ExitStack() as opened, _progress(quiet=as_json or dry_run) as progress:
        there, here = _end(target, config, opened), _end(source, config, opened)
        if not isinstance(here, Path):
            report = here.copy_to(there, merge=merge, dry_run=dry_run, optimize=optimize, progress=progress)
        elif not isinstance(there, Path):
            report = there.copy_from(here, merge=merge, dry_run=dry_run, optimize=optimize, progress=progress)
        else:
            raise InvalidQueryError(
                "both are bundles", hint="copy the folder as any other; a stack's name has no `bundle:`"
            )
    _tell(report, as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)


def _end(given: str, config: Path | None, opened: ExitStack) -> VideoSearch | Path:
    """The stack, open until the command is done, or the folder of the bundle."""
    from .. import opening
    from ..core.errors import InvalidQueryError

    if not given.startswith(_BUNDLE):
        return opened.enter_context(opening.open(given, config))
    if not (folder := given.removeprefix(_BUNDLE)):
        raise InvalidQueryError(f"{given!r} names no folder", hint="write bundle:FOLDER")
    return Path(folder).expanduser().absolute()


def _tell(report: CopyReport, *, as_json: bool) -> None:
    if as_json:
        output.document(report.to_json())
        return
    for note in report.notes:
        output.message(f"note: {note}")
    for problem in report.problems:
        output.message(f"problem: {problem}")
    counts = f"{report.records} of {report.total} records, {report.videos} videos, {report.files} files"
    if report.dry_run:
        output.line(f"would copy {counts}")
    else:
        output.line(f"copied {counts}; compared {report.compared}; {report.seconds:.1f} s")


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """A bar on a terminal, a line for each tenth elsewhere."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield _Lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.completed} {task.description}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("records", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


class _Lines:
    """Says how far it is, now and then."""

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Hear it; the end is told by the report."""
        if total and done < total and (percent := done * 100 // total) >= self._said + _STEP:
            self._said = percent
            output.message(f"{done} of {total} {what}")
