"""`polyreel search` and `polyreel similar`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.logs import redacted
from . import options, output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.errors import PolyreelError
    from ..core.filters import Filter
    from ..core.result import Result
    from ..core.search import VideoSearch

Scope = Annotated[str, typer.Option(help="clip, video, or any.")]
SaveTo = Annotated[
    Path | None, typer.Option("--save-to", metavar="DIR", help="Cut the hits out into files in this folder.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Print how the query was answered.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(search)
    app.command()(similar)


def search(
    text: Annotated[str | None, typer.Argument(help="What to look for, in words.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="A picture like the moment; may be given again.")
    ] = None,
    video: Annotated[
        list[str] | None, typer.Option(help="A video like the moment; may be given again.")
    ] = None,
    lexical: Annotated[
        str | None, typer.Option(help="Words that title, tags, captions or transcript should hold.")
    ] = None,
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help="Look TEXT up as words, too, and fuse both rankings.")
    ] = False,
    without: Annotated[str | None, typer.Option(help="Words for what it should not be like.")] = None,
    where: options.Where = None,
    scope: Scope = "clip",
    within: Annotated[str | None, typer.Option(metavar="VIDEO_ID", help="Only in this video.")] = None,
    group_by: Annotated[
        str | None, typer.Option("--group-by", help="video: the best hit of each video.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="Only hits of at least this score.")
    ] = None,
    limit: options.Limit = 10,
    rerank: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Let the stack's reranker order the best N, which --limit may not exceed."
        ),
    ] = None,
    save_to: SaveTo = None,
    explain: Explain = False,
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Find moments by words, a picture, or another video.

    Example: polyreel search "red flower" --group-by video
    """
    from .. import opening

    with opening.open(stack, config) as found_in:
        result = found_in.search(
            text,
            image=image or (),
            video=video or (),
            lexical=lexical,
            hybrid=hybrid,
            without=without,
            where=condition(where),
            scope=None if scope == "any" else scope,
            within=found_in.video_id(within) if within else None,
            group_by=group_by,
            min_score=min_score,
            limit=limit,
            rerank=rerank,
        )
        _print(found_in, result, save_to=save_to, explain=explain, as_json=as_json)


def similar(
    id: Annotated[str, typer.Argument(help="A record's id as `search` prints it, or a video's.")],
    where: options.Where = None,
    limit: options.Limit = 10,
    save_to: SaveTo = None,
    explain: Explain = False,
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Find more like a record or a video.

    Example: polyreel similar bd9e950aa3ac
    """
    from .. import opening

    with opening.open(stack, config) as found_in:
        result = found_in.similar(id, limit=limit, where=condition(where))
        _print(found_in, result, save_to=save_to, explain=explain, as_json=as_json)


def condition(where: str | None) -> Filter | None:
    """The condition in the text of an option: the text form, or JSON."""
    if where is None:
        return None
    from ..core.errors import InvalidQueryError
    from ..core.filter_json import from_json
    from ..core.filter_text import from_text

    if not where.lstrip().startswith("{"):
        return from_text(where)
    try:
        return from_json(json.loads(where))
    except (ValueError, RecursionError) as error:
        raise InvalidQueryError(f"--where can't be read as JSON: {error}") from error


def _print(
    search: VideoSearch, result: Result, *, save_to: Path | None, explain: bool, as_json: bool
) -> None:
    missed: dict[str, PolyreelError] = {}
    saved = (
        search.save(result.hits, save_to, missed=lambda hit, error: missed.update({hit.id: error}))
        if save_to
        else []
    )
    if as_json:
        output.document({**result.to_json(), **(_saved(saved, missed) if save_to else {})})
    else:
        output.hits(result)
        if explain:
            output.line(json.dumps(result.explain, ensure_ascii=False))
        for path in saved:
            output.line(str(path))
        output.message(f"{len(result)} hits in {result.timing['total'] * 1000:.0f} ms")
    _tell_missed(result, missed)
    if missed:
        raise typer.Exit(1)


def _tell_missed(result: Result, missed: Mapping[str, PolyreelError]) -> None:
    """A line for each reason, with the ranks of the hits that it kept from being saved."""
    reasons: dict[str, list[str]] = {}
    for rank, hit in enumerate(result, start=1):
        if hit.id in missed:
            reasons.setdefault(str(missed[hit.id]), []).append(str(rank))
    for reason, ranks in reasons.items():
        output.message(f"not saved: hit {', '.join(ranks)}: {reason}")


def _saved(saved: list[Path], missed: Mapping[str, PolyreelError]) -> dict[str, object]:
    reasons = {id: redacted(error) for id, error in missed.items()}
    return {"saved": [str(path) for path in saved], **({"not_saved": reasons} if reasons else {})}
