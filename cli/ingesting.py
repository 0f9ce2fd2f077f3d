"""`polyreel ingest` and `polyreel delete`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from ..core.report import IngestReport, Listener, VideoReport


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ingest)
    app.command()(delete)


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Video files, and folders of them.")],
    stack: options.Stack = None,
    config: options.Config = None,
    fields: Annotated[
        Path | None,
        typer.Option(
            help='A JSON file with titles, tags, captions and fields by file name: {"a.mp4": {"title": "…"}}.'
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    workers: Annotated[int | None, typer.Option(help="Videos taken in at once.")] = None,
    as_json: options.Json = False,
) -> None:
    """Take in videos, and bring those that are there up to date.

    Exits with 1 when a file failed or only a part of it could be read.

    Example: polyreel ingest holiday/ talk.mp4
    """
    from .. import opening

    described = _described(fields) if fields else None
    with opening.open(stack, config) as search, _progress(quiet=as_json) as listener:
        report = search.ingest(
            *paths, described=described, workers=workers, dry_run=dry_run, listener=listener
        )
    if as_json:
        output.document(report.to_json())
    else:
        output.line(summary(report))
    if not report.ok:
        raise typer.Exit(1)


def delete(
    video_ids: Annotated[
        list[str], typer.Argument(metavar="VIDEO_ID...", help="As `polyreel videos` prints them.")
    ],
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Forget videos. The files themselves stay where they are.

    Example: polyreel delete bd9e950aa3ac
    """
    from .. import opening

    with opening.open(stack, config) as search:
        whole = [search.video_id(each) for each in video_ids]
        search.delete(*whole)
    if as_json:
        output.document({"deleted": whole})
    else:
        output.line(f"deleted {len(whole)} videos")


def summary(report: IngestReport) -> str:
    """A report in one line."""
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items()) or "nothing"
    records = sum(video.records for video in report.videos)
    verb = "would be: " if report.dry_run else ""
    return f"{verb}{counts}; {records} records; {report.seconds:.1f} s"


def _described(path: Path) -> dict[str, dict[str, object]]:
    from ..core.errors import InvalidQueryError
    from ..core.sources import read_json_object

    described = read_json_object(path)
    for name, value in described.items():
        if not isinstance(value, dict):
            raise InvalidQueryError(
                f"{path}: {name!r} must be an object of titles, tags, captions and fields"
            )
    return described  # type: ignore[return-value]  # just checked


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Listener]:
    """A listener that counts on a terminal and prints a line for what went wrong; lines elsewhere."""
    if not sys.stderr.isatty() or quiet:
        yield trouble if quiet else _line
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("ingest", total=None)

        def listener(video: VideoReport) -> None:
            bar.update(task, advance=1, description=Path(video.path).name[:40])
            trouble(video)

        yield listener


def trouble(video: VideoReport) -> None:
    """Say what went wrong with a video, if anything did."""
    outcome = f"{video.outcome}, damaged" if video.damage else video.outcome
    if video.damage or video.reason:
        output.message(f"{outcome}: {video.path}: {video.damage or video.reason}")


def _line(video: VideoReport) -> None:
    """Say what became of a video."""
    if video.damage or video.reason:
        trouble(video)
    else:
        output.message(f"{video.outcome}: {video.path} ({video.records} records, {video.seconds:.1f} s)")
