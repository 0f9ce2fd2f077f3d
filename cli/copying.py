"""`polyreel copy`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output
from .progress import counting

if TYPE_CHECKING:
    from ..core.copying import CopyReport
    from ..core.search import VideoSearch

_BUNDLE = "bundle:"


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
    with ExitStack() as opened, counting("records", quiet=as_json or dry_run) as progress:
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
