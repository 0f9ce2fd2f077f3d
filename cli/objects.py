"""`polyreel objects`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from ..core.objects import ObjectInfo, ObjectStore


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at the stack's object store.", no_args_is_help=True)
    group.command()(export)
    app.add_typer(group, name="objects")


def export(
    prefix: Annotated[str, typer.Argument(help="What keys begin with; all of them if left out.")] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write here, not to the standard output."),
    ] = None,
    videos: Annotated[
        bool, typer.Option("--videos", help="Only files whose names end as those of videos do.")
    ] = False,
    stack: options.Stack = None,
    config: options.Config = None,
) -> None:
    """List objects as JSON lines: key, uri, size and modified. `ingest --from` takes such a file.

    Example: polyreel objects export raw/ --videos --out raw.jsonl
    """
    from ..config import build_stack, load

    if out is not None:
        output.check_writable(out)
    settings = load(config, stack=stack)
    built = build_stack(settings, settings.default_stack)
    try:
        rows = _rows(built.objects, prefix, videos=videos)
        if out is None:
            output.pieces(rows)
        else:
            output.pieces_file(out, rows)
    finally:
        built.objects.close()


def _rows(objects: ObjectStore, prefix: str, *, videos: bool) -> Iterator[str]:
    from ..core.sources import SUFFIXES

    for info in objects.list(prefix):
        if not videos or Path(info.key).suffix.lower() in SUFFIXES:
            yield f"{json.dumps(_row(objects, info), ensure_ascii=False)}\n"


def _row(objects: ObjectStore, info: ObjectInfo) -> dict[str, object]:
    modified = datetime.fromtimestamp(info.modified, UTC).isoformat(timespec="seconds")
    return {"key": info.key, "uri": objects.uri(info.key), "size": info.size, "modified": modified}
