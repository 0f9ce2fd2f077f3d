"""`polyreel explore`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output
from .search_options import Scope
from .searching import condition

if TYPE_CHECKING:
    from ..exploring import Exploration


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explore)


def explore(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write a map with pictures to this HTML file."),
    ] = None,
    clusters: Annotated[
        int | None, typer.Option(help="How many clusters; as many as fit best if left out.")
    ] = None,
    duplicates: Annotated[
        float, typer.Option(help="The least similarity of records that counts as the same.")
    ] = 0.98,
    trend: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="A field of instants; the only declared one if left out."),
    ] = None,
    most: Annotated[int, typer.Option(help="Records that are looked at; a sample of more.")] = 5000,
    seed: Annotated[int, typer.Option(help="Of what is random; the same seed gives the same map.")] = 0,
    where: options.Where = None,
    scope: Scope = "clip",
    stack: options.Stack = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Find clusters, outliers, near-duplicates and trends in the vectors that are stored.

    Takes `pip install "polyreel[explore]"`. Nothing is embedded.

    Example: polyreel explore --out map.html
    """
    from .. import exploring, opening

    if out is not None:
        output.check_writable(out)
    with opening.open(stack, config) as search:
        found = exploring.explore(
            search,
            where=condition(where),
            scope=None if scope == "any" else scope,
            clusters=clusters,
            duplicates=duplicates,
            trend=trend,
            most=most,
            seed=seed,
        )
        if out is not None:
            exploring.write_page(found, search, out)
    if as_json:
        output.document({**found.to_json(), **({"page": str(out)} if out else {})})
        return
    output.table(("", "what", "records"), _rows(found))
    of = f" of {found.total}" if found.sampled < found.total else ""
    output.message(f"{found.sampled} records{of}" + (f"; the map is {out}" if out else ""))


def _rows(found: Exploration) -> Iterator[tuple[str, str, str]]:
    records = found.records

    def named(id: str) -> str:
        return f"{output.name(records[id].uri)} {output.span(records[id].start, records[id].end)}"

    for at, cluster in enumerate(found.clusters):
        words = ", ".join(cluster.words) or "no words in common"
        change = found.trend.change[at] if found.trend else 0.0
        moves = f" ({change:+.0%} over time)" if abs(change) >= 0.05 else ""
        yield f"cluster {at + 1}", f"{words}{moves}", str(cluster.size)
    for outlier in found.outliers:
        yield "outlier", f"{named(outlier.id)}, distance {outlier.distance:.2f}", "1"
    for pair in found.duplicates:
        both = " and ".join(named(id) for id in pair.records)
        yield "the same", f"{both}, similarity {pair.similarity:.3f}", str(2 * pair.clips)
