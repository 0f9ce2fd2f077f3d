"""`polyreel explain`: the plan of a search, which isn't run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from . import options, output
from . import search_options as asked
from .searching import condition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.explaining import Plan
    from ..core.rates import Estimate


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
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
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Print what a search would do and cost. Nothing is embedded, searched or paid for.

    The options are those of `polyreel search`.

    Example: polyreel explain "red flower" --group-by video
    """
    from .. import opening
    from ..core.query import Query

    with opening.open(stack, config) as found_in:
        query = Query(
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
        )
        plan = found_in.explain(query)
    if as_json:
        output.document(plan.to_json())
    else:
        output.table(("", ""), _rows(plan))


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    """The plan for people, a line for each thing."""
    told = plan.to_json()
    yield "store", str(told["store"])
    yield "embedder", str(told["embedder"] or "the store vectorizes")
    yield "fusion", str(told["fusion"])
    for name, weight in plan.explain["parts"].items():  # type: ignore[attr-defined]  # a mapping of weights
        yield "part", f"{name} × {weight:g}"
    yield "condition", _condition(told["where"])
    for each in plan.embeds:
        kept = "kept from before, not embedded" if each.cached else f"one call of {each.by}"
        yield "embed", f"{' + '.join(each.parts)}: {kept}"
    for first in plan.searches:
        yield "search", f"near {first['near']}, {first['limit']} at first"
    if plan.explain.get("rerank"):
        yield "rerank", f"the best {told['rerank']['candidates']}"  # type: ignore[index]  # an object
    yield "natively", ", ".join(told["native"]) or "-"  # type: ignore[arg-type]  # a list of texts
    yield "by polyreel", ", ".join(told["planner"]) or "-"  # type: ignore[arg-type]
    yield "cost", _cost(plan.cost)


def _condition(where: object) -> str:
    from ..core.filter_json import from_json
    from ..core.filter_text import to_text

    return to_text(from_json(where)) or "-"


def _cost(cost: Estimate) -> str:
    if cost.cost is None:
        return f"unknown for {cost.requests} calls; write it down as [rates.KIND]"
    calls = "1 call" if cost.requests == 1 else f"{cost.requests} calls"
    return f"{cost.cost:g} {cost.currency}".strip() + f" for {calls}"
