"""`polyreel evaluate`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output
from .progress import counting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.evaluating import Evaluation, Progress
    from ..core.levels import Measured
    from ..core.measures import Interval
    from ..core.media import Modality
    from .progress import Counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A JSONL file of queries and what is right for them; - is stdin."
        ),
    ],
    stacks: Annotated[
        str | None,
        typer.Option(
            "--stacks",
            "-s",
            metavar="A,B",
            help="Names of stacks; each is compared with the first. The configured default if left out.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write all results as JSON to a file.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals: the same seed, the same ones.")] = 0,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Measure how well stacks find what they should, by queries with known answers.

    Prints the mean of each measure with its interval of 95 %, for every stack but the first the paired
    difference with the first, and levels of confidence for polyreel.toml where enough queries ask by one
    medium alone. docs/evaluate.md has the format of FILE.

    Example: polyreel evaluate queries.jsonl --stacks local,local_clip
    """
    from .. import opening
    from ..core import evaluating
    from ..core.judgements import read_judgements

    if out:
        output.check_writable(out)
    names = _names(stacks)
    judged = read_judgements(file)
    with ExitStack() as opened, counting("queries", quiet=as_json) as progress:
        searches = [opened.enter_context(opening.open(name, config)) for name in names]
        named = {search.stack.name: search for search in searches}
        found = evaluating.evaluate(named, judged, seed=seed, progress=_telling(progress))
    if out:
        output.pieces_file(out, [f"{json.dumps(found.to_json(), ensure_ascii=False, indent=2)}\n"])
    if as_json:
        output.document(found.to_json())
    else:
        _show(found)
        for stack in found.scored:
            _show_levels(stack, found.levels(stack))
        output.message(f"{len(judged)} queries, intervals of 95 % by {found.resamples} resamples")


def _telling(progress: Counted | None) -> Progress | None:
    """What hears of queries asked, from what counts things in words."""
    return (lambda stack, done, of: progress(f"queries of {stack}", done, of)) if progress else None


def _names(stacks: str | None) -> list[str | None]:
    from ..core.errors import InvalidQueryError

    if stacks is None:
        return [None]
    names = [name.strip().replace("-", "_") for name in stacks.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise InvalidQueryError(
            f"--stacks is {stacks!r}", hint="write different names: --stacks local,memory"
        )
    return [*names]


def _show(found: Evaluation) -> None:
    """The measures of every stack, then how far each is from the first."""
    first, *others = found.scored
    measures = {name: found.measures(name) for name in found.scored}
    output.table(
        ("measure", *found.scored, "queries"),
        [
            (name, *(_mean(each[name]) for each in measures.values()), str(mean.queries))
            for name, mean in measures[first].items()
        ],
    )
    for other in others:
        output.line()
        output.table(
            ("measure", f"{other} - {first}", ""),
            [(name, _signed(each), _verdict(each)) for name, each in found.difference(other, first).items()],
        )


def _show_levels(stack: str, measured: Mapping[Modality, Measured]) -> None:
    """The sections that give a stack the levels that were measured, or why there are none."""
    from ..core.levels import called

    if not measured:
        output.message(f"no levels for {stack}: no query asks by one medium alone and is scored by cosine")
    for medium, each in measured.items():
        if each.levels is None:
            output.message(f"no levels for {stack} by {medium.value}: {each.why}")
            continue
        output.line()
        for name, cosines in (("right", each.right), ("wrong", each.wrong)):
            labels = ", ".join(f"{many} {label}" for label, many in called(cosines, each.levels).items())
            output.line(f"# best {name} video of {len(cosines)} queries: {labels}")
        output.line(f"[stacks.{stack}.levels.{medium.value}]")
        output.line(f"medium = {each.levels.medium:g}")
        output.line(f"high = {each.levels.high:g}")


def _mean(each: Interval) -> str:
    return f"{each.mean:.3f} [{each.low:.3f}, {each.high:.3f}]"


def _signed(each: Interval) -> str:
    return f"{each.mean:+.3f} [{each.low:+.3f}, {each.high:+.3f}]"


def _verdict(each: Interval) -> str:
    if not each.excludes_zero:
        return "may be chance"
    return "better" if each.mean > 0 else "worse"
