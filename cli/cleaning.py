"""`polyreel gc`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from ..core.gc import GcReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gc)


def gc(
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is shown.")] = False,
    older_than: Annotated[
        float,
        typer.Option(
            help="Hours of age under which nothing is deleted, since another process may be using it."
        ),
    ] = 1.0,
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Find what nothing needs any more: old leases of queries, and records and files that no manifest names.

    Shows what it finds; deletes it only with --delete. Files that the manifests of any collection name are
    kept, and so are your own videos where they lie. A video whose manifest can't be read keeps all that it
    has: it is named, and the command exits with 1.

    Example: polyreel gc --delete
    """
    from .. import opening

    with opening.open(stack, config) as search:
        report = search.gc(delete=delete, older_than=older_than * 3600)
    if as_json:
        output.document(report.to_json())
    else:
        _print(report, delete=delete)
        for problem in report.problems:
            output.message(f"kept: {problem}")
    if report.problems:
        raise typer.Exit(1)


def _print(report: GcReport, *, delete: bool) -> None:
    rows = [
        (kind.value, str(found.count), str(found.size), str(found.waiting), found.examples[0])
        for kind, found in report.orphans.items()
        if found.count
    ]
    if not rows:
        output.message("nothing to clean up")
        return
    output.table(("kind", "count", "bytes", "too young", "for example"), rows)
    waiting = sum(found.waiting for found in report.orphans.values())
    if delete:
        later = f"; {waiting} are too young, run it again later" if waiting else ""
        output.message(f"deleted {report.deleted}{later}")
    else:
        output.message("nothing was deleted; `polyreel gc --delete` deletes what is not too young")
