"""`polyreel recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .search_options import Scope
from .searching import Explain, Open, SaveTo, Shown, condition, show

if TYPE_CHECKING:
    from ..core.recommending import Example


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(recommend)


def recommend(
    like: Annotated[
        list[str] | None, typer.Argument(help="What is liked: ids of records or videos, or picture files.")
    ] = None,
    unlike: Annotated[
        list[str] | None, typer.Option(help="What isn't liked, in the same way; may be given again.")
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option(help="What interests the person, in words; may be given again.")
    ] = None,
    mood: Annotated[str | None, typer.Option(help="What it should feel like, in words.")] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Only of this category; may be given again.")
    ] = None,
    category_field: Annotated[
        str, typer.Option("--category-field", metavar="FIELD", help="The declared field that holds it.")
    ] = "category",
    where: options.Where = None,
    scope: Scope = "video",
    limit: options.Limit = 10,
    save_to: SaveTo = None,
    open_: Open = False,
    explain: Explain = False,
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Recommend videos by examples, a profile and a mood; never the examples themselves.

    Example: polyreel recommend bd9e950aa3ac --unlike 4b1f09c2d7e8 --mood calm
    """
    from .. import opening

    with opening.open(stack, config) as found_in:
        result = found_in.recommend(
            [_example(each) for each in like or ()],
            unlike=[_example(each) for each in unlike or ()],
            profile=profile or (),
            mood=mood,
            category=category or (),
            category_field=category_field,
            where=condition(where),
            scope=None if scope == "any" else scope,
            limit=limit,
        )
        show(found_in, result, Shown(save_to, open_, explain, as_json))


def _example(given: str) -> Example:
    """An id, or a picture where there is such a file."""
    return {"image": given} if given and Path(given).expanduser().is_file() else given
