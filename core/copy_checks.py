"""Whether a collection can be copied into a stack's, found out before anything is written."""

from __future__ import annotations

from .copy_ledger import Ledger
from .copy_sources import Source
from .errors import ConfigurationError, UnsupportedError
from .reshaping import Reshaper, Survey
from .stack import Stack


def check_space(source: Source, stack: Stack) -> None:
    """Refuse a stack whose vectors are of another space, or whose store makes them itself.

    Raises:
        ConfigurationError: The space differs; the message names each part.
        UnsupportedError: The store takes no vectors.
    """
    if stack.spec.media:
        raise UnsupportedError(
            f"the store of the stack {stack.name!r} vectorizes media by itself and takes no vectors",
            hint="ingest the videos into that stack",
        )
    differences = stack.space.differences(source.spec.space)
    if differences:
        raise ConfigurationError(
            f"the vectors of {source.what} are of another space than those of the stack "
            f"{stack.name!r}: {'; '.join(differences)}",
            hint="give that stack the same embedder, or ingest the videos into it",
        )


def check_unused(source: Source, stack: Stack, there: int, ledger: Ledger | None) -> None:
    """Refuse a collection with more records than this copy can have brought.

    Args:
        source: What is copied.
        stack: The target's.
        there: Records in the target.
        ledger: Of an earlier run of this copy.

    Raises:
        ConfigurationError: There are more.
    """
    ours = max(ledger.listed or 0, source.count()) if ledger else 0
    if there > ours:
        known = f"{ours} of which may be this copy's" if ours else "none of which this copy brought"
        what = f"the collection {stack.collection!r} of the stack {stack.name!r}"
        raise ConfigurationError(
            f"{what} holds {there} records, {known}",
            hint="name another collection in that stack, or say --merge, which replaces records of the "
            "same ids and keeps all others",
        )


def survey(source: Source, reshaper: Reshaper) -> Survey:
    """What becomes of the fields.

    Raises:
        ConfigurationError: Values of a changed type would lose something; they are counted by field.
    """
    found = Survey() if reshaper.alike else reshaper.survey(source.scan())
    if found.refused:
        lines = [
            f"{name!r} is {was.value}, in the target {wanted.value}: {found.refused[name]} of "
            f"{found.records} values can't be kept without loss, such as {found.examples[name]}"
            for name, (was, wanted) in reshaper.changed.items()
            if found.refused[name]
        ]
        raise ConfigurationError(
            f"fields have other types: {'; '.join(lines)}",
            hint="give the field another name in the target, or its old type",
        )
    return found
