"""Which of the sources failed in their last try, so that they can be taken again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from .addresses import is_uri
from .sources import Found


def place(source: Found) -> str:
    """The address of a source, or its path from the root on: the same from any working directory."""
    return source.name if is_uri(source.name) else os.path.abspath(source.name)  # noqa: PTH100 - keeps links


def can_be_tried_again(source: Found) -> bool:
    """Whether there is something at its place; a file that isn't there, or a folder, is no failed video."""
    found = place(source)
    return is_uri(found) or os.path.isfile(found)  # noqa: PTH113 - false where it may not even be looked at


def among(sources: Iterable[Found], places: frozenset[str]) -> Iterator[Found]:
    """The sources at these places only."""
    return (source for source in sources if place(source) in places)
