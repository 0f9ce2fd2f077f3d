"""Which of the sources failed in their last try, so that they can be taken again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from .addresses import is_uri
from .discovery import Described, discover
from .errors import AuthenticationError
from .journal import Failure, Journal
from .objects import ObjectStore
from .sources import Found, Unreadable


def place(source: Found) -> str:
    """The address of a source, or its path from the root on: the same from any working directory."""
    name = source.place if isinstance(source, Unreadable) and source.place else source.name
    return name if is_uri(name) else os.path.abspath(name)  # noqa: PTH100 - keeps links


def can_be_tried_again(source: Found) -> bool:
    """Whether there is something at its place; a file that isn't there, or a folder, is no failed video."""
    found = place(source)
    return is_uri(found) or os.path.isfile(found)  # noqa: PTH113 - false where it may not even be looked at


def remember(source: Found, reason: str | None, journal: Journal) -> None:
    """Note a failure with what the call said of the source, or that it is over, where there is no reason.

    What isn't there can't be tried again; and of what only lacks its signature nothing new is known.
    """
    if isinstance(source, Unreadable) and source.signed:
        return
    if reason is not None and can_be_tried_again(source):
        journal.failed(place(source), reason, source.given, signed=source.signed)
    else:
        journal.succeeded(place(source))


def retried(
    failures: Sequence[Failure],
    paths: Sequence[str | Path],
    rows: Sequence[str | Path],
    described: Described | None,
    objects: ObjectStore,
) -> Iterator[Found]:
    """Of the sources those that failed, of all where none are given, with what was said of them then."""
    earlier = {failure.path: failure.given for failure in failures}
    if paths or rows:
        found = discover(paths, described, rows=rows, objects=objects, earlier=earlier)
        yield from (source for source in found if place(source) in earlier)
        return
    yield from (_unsigned(failure) for failure in failures if failure.signed)
    fetchable = [failure.path for failure in failures if not failure.signed]
    yield from discover(fetchable, described, objects=objects, earlier=earlier)


def _unsigned(failure: Failure) -> Unreadable:
    """A URL whose signature is gone: fetching it would fail, or bring something else."""
    error = AuthenticationError(
        f"{failure.path} can't be fetched again: it was given with a signature, which is never stored",
        hint="give its whole address again beside --retry-failed; what was said of it is kept",
    )
    return Unreadable(failure.path, error, signed=True)
