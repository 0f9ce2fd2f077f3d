"""`polyreel ingest --infer-fields`: a section of the configuration, ready to paste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import output

if TYPE_CHECKING:
    from ..core.inference import Inferred
    from ..core.search import VideoSearch


def propose(
    search: VideoSearch,
    paths: Sequence[str],
    *,
    rows: Sequence[str],
    described: Mapping[str, Mapping[str, object]] | None,
    as_json: bool,
) -> None:
    """Print the fields that could be declared for what stands beside the videos. Nothing is taken in."""
    inferred = search.infer_fields(*paths, rows=rows, described=described)
    for each in inferred.unreadable:
        output.message(f"not looked at: {each.name}: {each.error}")
    if as_json:
        output.document({"stack": search.stack.name, **inferred.to_json()})
        return
    for line in section(search.stack.name, inferred):
        output.line(line)
    if not inferred.fields and not inferred.notes:
        output.message(f"nothing to declare; videos looked at: {inferred.videos}")


def section(stack: str, inferred: Inferred) -> list[str]:
    """The lines of the TOML section, a comment for each name that can't be declared."""
    fields = [f'{name} = "{type.value}"' for name, type in inferred.fields.items()]
    notes = [f"# {' '.join(name.split())}: {note}" for name, note in inferred.notes.items()]
    return [f"[stacks.{stack}.fields]", *fields, *notes]


def undeclared(names: Sequence[str]) -> str:
    """What to tell of values that no declared field holds."""
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (
        f"not declared: {listed}; hits return these values, but no --where can use them; "
        "`polyreel ingest --infer-fields` with the same sources prints a section to declare them"
    )
