"""`polyreel search` and `polyreel similar`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.logs import redacted
from . import describing, options, output
from . import search_options as asked
from .progress import saving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.errors import PolyreelError
    from ..core.filters import Filter
    from ..core.records import Hit
    from ..core.result import Result
    from ..core.search import VideoSearch

SaveTo = Annotated[
    Path | None,
    typer.Option(
        "--save-to",
        metavar="DIR",
        help="Cut the hits and their --clips out, or copy whole videos, into this folder.",
    ),
]
Open = Annotated[
    bool, typer.Option("--open", help="Print an address of each hit that a player opens at its time.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Print how the query was answered.")]
Verify = Annotated[
    list[str] | None,
    typer.Option(help="A criterion that a paid model checks on the best hits' moments; may be given again."),
]
VerifyTop = Annotated[int, typer.Option("--verify-top", help="How many hits are checked.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(search)
    app.command()(similar)


def search(
    text: asked.Text = None,
    image: asked.Image = None,
    video: asked.Video = None,
    audio: asked.Audio = None,
    like: asked.Like = None,
    lexical: asked.Lexical = None,
    hybrid: asked.Hybrid = False,
    without: asked.Without = None,
    weight: asked.Weight = None,
    fusion: asked.Fusion = None,
    channel: asked.Channel = None,
    where: options.Where = None,
    scope: asked.Scope = "clip",
    within: asked.Within = None,
    start: asked.Start = None,
    end: asked.End = None,
    group_by: asked.GroupBy = None,
    clips: asked.Clips = 1,
    moments: asked.Joined = False,
    longest: asked.Longest = None,
    diversity: asked.Diversity = 0.0,
    distinct: asked.Distinct = None,
    min_score: asked.MinScore = None,
    limit: options.Limit = 10,
    rerank: asked.Rerank = None,
    save_to: SaveTo = None,
    open_: Open = False,
    explain: Explain = False,
    verify: Verify = None,
    verify_top: VerifyTop = 5,
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
            audio=audio or (),
            like=like or (),
            lexical=lexical,
            hybrid=hybrid,
            weights=asked.numbers("weight", weight),
            without=without,
            where=condition(where),
            scope=None if scope == "any" else scope,
            within=within,
            group_by=group_by,
            limit=limit,
            rerank=rerank,
            min_score=min_score,
            fusion=fusion,
            start=start,
            end=end,
            moments=asked.moments(longest, wanted=moments),
            clips=clips,
            diversity=diversity,
            distinct=distinct,
            channels=asked.numbers("channel", channel) or None,
            verify=verify or (),
            verify_top=verify_top,
        )
        show(found_in, result, Shown(save_to, open_, explain, as_json))


def similar(
    id: Annotated[str, typer.Argument(help="A record's id as `search` prints it, or a video's.")],
    where: options.Where = None,
    limit: options.Limit = 10,
    save_to: SaveTo = None,
    open_: Open = False,
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
        show(found_in, result, Shown(save_to, open_, explain, as_json))


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


@dataclass(frozen=True, slots=True)
class Shown:
    """What is printed of a result, and written."""

    save_to: Path | None
    playable: bool
    explain: bool
    as_json: bool


def show(search: VideoSearch, result: Result, wanted: Shown) -> None:
    """Print the hits, and save them where that was asked for."""
    missed: dict[str, PolyreelError] = {}
    saved = _save(search, result, wanted.save_to, missed) if wanted.save_to else []
    urls = {hit.id: _url(search, hit) for hit in result} if wanted.playable else {}
    if wanted.as_json:
        played = {"urls": [urls[hit.id] for hit in result]} if wanted.playable else {}
        output.document({**result.to_json(), **played, **(_saved(saved, missed) if wanted.save_to else {})})
    else:
        output.hits(result)
        describing.verdicts(result)
        if wanted.explain:
            output.line(json.dumps(result.explain, ensure_ascii=False))
        for text in (*filter(None, urls.values()), *map(str, saved)):
            output.line(text)
        output.message(f"{len(result)} hits in {result.timing['total'] * 1000:.0f} ms")
    _tell_missed(result, missed)
    if missed or None in urls.values():
        raise typer.Exit(1)


def _save(search: VideoSearch, result: Result, folder: Path, missed: dict[str, PolyreelError]) -> list[Path]:
    with saving() as progress:
        return search.save(
            result.hits,
            folder,
            missed=lambda hit, error: missed.update({hit.id: error}),
            progress=progress,
        )


def _url(search: VideoSearch, hit: Hit) -> str | None:
    """An address for a player; None, and a line why, where there is none."""
    from ..core.errors import PolyreelError

    try:
        return search.url(hit)
    except PolyreelError as error:
        output.message(f"no address: {error}")
        return None


def _tell_missed(result: Result, missed: Mapping[str, PolyreelError]) -> None:
    """A line for each reason, with the ranks of the hits that it kept from being saved."""
    reasons: dict[str, dict[str, None]] = {}
    for rank, hit in enumerate(result, start=1):
        for piece in hit.pieces:
            if piece.id in missed:
                reasons.setdefault(str(missed[piece.id]), {})[str(rank)] = None
    for reason, ranks in reasons.items():
        output.message(f"not saved: hit {', '.join(ranks)}: {reason}")


def _saved(saved: list[Path], missed: Mapping[str, PolyreelError]) -> dict[str, object]:
    reasons = {id: redacted(error) for id, error in missed.items()}
    return {"saved": [str(path) for path in saved], **({"not_saved": reasons} if reasons else {})}
