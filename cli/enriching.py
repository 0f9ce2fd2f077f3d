"""`polyreel enrich`: let the stack's model caption the videos of the collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output
from .describing import Fps, Thinking, money, thinking_of
from .stopping import EXIT_CODE, stoppable

if TYPE_CHECKING:
    from ..core.enrich_report import Enriched, EnrichReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(enrich)


def enrich(
    video_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="VIDEO_ID...", help="As `polyreel videos` prints them; every video if left out."
        ),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help='What else the model is told, such as "Write in German."')
    ] = None,
    fps: Fps = None,
    thinking: Thinking = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only say what would be asked, its tokens, and by the rates its cost."
        ),
    ] = False,
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Let the stack's model, which is paid, write captions and events, so that words find them.

    Ctrl-C finishes the videos in flight; the same command then goes on, and asks nothing twice.
    Exits with 1 when a video failed.

    Example: polyreel enrich --dry-run
    """
    from .. import opening

    thinks = thinking_of(thinking)
    with opening.open(stack, config) as search, stoppable() as stop:
        report = search.enrich(
            *video_ids or (),
            prompt=prompt,
            fps=fps,
            thinking=thinks,
            dry_run=dry_run,
            stop=stop,
            listener=None if as_json else _tell,
        )
    if as_json:
        output.document(report.to_json())
    else:
        output.line(summary(report))
        if not report.hears:
            output.message("the model sees pictures only: sound is not heard")
    if report.stopped or not report.ok:
        raise typer.Exit(EXIT_CODE if report.stopped else 1)


def summary(report: EnrichReport) -> str:
    """A report in one line."""
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items()) or "nothing"
    if report.dry_run:
        cost = money(report.planned_cost, report.currency)
        return (
            f"would be: {counts}; {report.planned_tokens:,} tokens of frames: {cost}, and the answers on top"
        )
    spent, lost = report.spent, report.spent.lost
    told = f"; {lost} requests were lost and may be paid for, too" if lost else ""
    known = f"; {spent.cached} answers were known" if spent.cached else ""
    return f"{counts}; {spent.submits} requests: {money(spent.cost, report.currency)}{known}{told}"


def _tell(video: Enriched) -> None:
    said = video.reason or f"{video.events} events" if not video.plan else f"{video.plan.tokens:,} tokens"
    output.message(f"{video.outcome.value}: {output.name(video.uri) or video.video_id[:12]}: {said}")
