"""`polyreel ingest` and `polyreel delete`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output
from .inferring import propose, undeclared
from .progress import estimated, indexing, progress, trouble
from .reporting import lines
from .stopping import EXIT_CODE, stoppable

if TYPE_CHECKING:
    from ..core.report import IngestReport, Listener
    from ..core.search import VideoSearch


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ingest)
    app.command()(delete)


def ingest(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Files, folders, patterns such as '*.mp4', https addresses, addresses and prefixes (which "
            "end in / or *) of the stack's object store; - reads the standard input, a source or row a line.",
        ),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help='A JSONL file, {"uri": "a.mp4", "title": "…", …} in each line; tags, captions, fields, too.',
        ),
    ] = None,
    stack: options.Stack = None,
    config: options.Config = None,
    fields: Annotated[
        Path | None,
        typer.Option(
            help='A JSON file with titles, tags, captions and fields by file name: {"a.mp4": {"title": "…"}}.'
        ),
    ] = None,
    infer_fields: Annotated[
        bool,
        typer.Option("--infer-fields", help="Only print a section that declares the fields found."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and by the rates its cost.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Take only what failed before; SOURCE may be left out.")
    ] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Also write the report as JSON to a file.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Videos taken in at once.")] = None,
    optimize: Annotated[
        bool,
        typer.Option(
            "--optimize/--no-optimize", help="Afterwards build the search indexes, where that pays."
        ),
    ] = True,
    as_json: options.Json = False,
) -> None:
    """Take in videos, and bring those that are there up to date.

    Ctrl-C finishes the videos in flight, and stops at once when pressed again; the same command then goes on.
    Exits with 1 when a file failed or only a part of it could be read.

    Example: polyreel ingest holiday/ talk.mp4 --from rows.jsonl
    """
    from .. import opening

    described = _described(fields) if fields else None
    if report_file:
        output.check_writable(report_file)
    if infer_fields:
        with opening.open(stack, config) as search:
            propose(search, paths or (), rows=rows or (), described=described, as_json=as_json)
        return
    with opening.open(stack, config) as search, stoppable() as stop, lines() as written:
        if search.stack.embedder:
            _ = search.stack.embedder.space  # may fetch weights, under a bar of its own
        total = None if as_json or dry_run or rows else _total(search, paths or [], retry_failed=retry_failed)
        with _listening(total, as_json=as_json, dry_run=dry_run) as listener, indexing() as optimizing:
            report = search.ingest(
                *paths or (),
                rows=rows or (),
                described=described,
                workers=workers,
                dry_run=dry_run,
                retry_failed=retry_failed,
                optimize=optimize,
                details=False,
                listener=written.heard(listener) if as_json or report_file else listener,
                optimizing=optimizing,
                stop=stop,
            )
        kind = (search.stack.embedder or search.stack.store).kind
        if report_file:
            output.pieces_file(report_file, written.document(report))
        if as_json:
            output.pieces(written.document(report))
        else:
            output.line(summary(report))
    _tell(report, kind)
    if report.stopped or not report.ok:
        raise typer.Exit(EXIT_CODE if report.stopped else 1)


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
    if report.estimate:
        return f"would be: {counts}; to embed: {estimated(report.estimate)}"
    return f"{counts}; {report.totals.records} records; {report.seconds:.1f} s"


def _tell(report: IngestReport, kind: str) -> None:
    """What the person may want to do next; `kind` is the rate's."""
    if report.undeclared:
        output.message(undeclared(report.undeclared))
    if report.estimate and report.estimate.is_unknown:
        output.message(f"what is unknown can be set in the section [rates.{kind}] of the configuration")
    if report.totals.frame_tokens:
        output.message(
            f"`enrich` would then show {report.totals.frame_tokens:,} tokens of frames to the model"
        )
    if report.unsettled:
        output.message(f"the videos are in, but the store isn't settled: {report.unsettled}")
    if report.stopped:
        output.message("stopped; run the same command again to go on")


def _listening(total: int | None, *, as_json: bool, dry_run: bool) -> AbstractContextManager[Listener]:
    return nullcontext(trouble) if as_json else progress(total=total, lines=dry_run)


def _total(search: VideoSearch, paths: list[str], *, retry_failed: bool) -> int | None:
    """How many videos there are, where that is known at once."""
    from ..core.discovery import count

    if not retry_failed:
        return count(paths)
    return None if paths else len(search.failures())


def _described(path: Path) -> dict[str, dict[str, object]]:
    from ..core.errors import InvalidQueryError
    from ..core.sidecars import read_json_object

    described = read_json_object(path)
    for name, value in described.items():
        if not isinstance(value, dict):
            raise InvalidQueryError(
                f"{path}: {name!r} must be an object of titles, tags, captions and fields"
            )
    return described  # type: ignore[return-value]  # just checked
