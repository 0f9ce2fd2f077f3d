"""`polyreel facets`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output
from .search_options import Scope
from .searching import condition

if TYPE_CHECKING:
    from ..core.facets import Facet


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(facets)


def facets(
    fields: Annotated[
        list[str] | None,
        typer.Argument(help="Fields, or columns that every record has; all declared fields."),
    ] = None,
    where: options.Where = None,
    scope: Scope = "clip",
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many values of each field.")] = 20,
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Count the values of fields among the records that match; numbers and instants have a min and a max.

    Example: polyreel facets place --where 'year >= 2020'
    """
    from .. import opening

    with opening.open(stack, config) as search:
        chosen = None if scope == "any" else scope
        found = search.facets(*(fields or ()), where=condition(where), scope=chosen, limit=limit)
    if as_json:
        output.document({"facets": [facet.to_json() for facet in found.values()]})
    else:
        output.table(("field", "value", "records"), _rows(found.values()))


def _rows(found: Iterable[Facet]) -> Iterator[tuple[str, str, str]]:
    for facet in found:
        told = facet.to_json()
        if facet.least is not None:
            yield facet.name, f"{told['min']} to {told['max']}", str(facet.records)
        for value in told["values"]:  # type: ignore[attr-defined]  # a list of objects
            yield facet.name, str(value["value"]), str(value["records"])
        if facet.distinct is None:
            yield facet.name, "too many values to count", ""
        elif facet.distinct > len(facet.values):
            yield facet.name, f"and {facet.distinct - len(facet.values)} more values", ""
        if facet.missing:
            yield facet.name, "none", str(facet.missing)
