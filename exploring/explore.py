"""Exploring a collection: what is wrong with a wish is told before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.errors import InvalidQueryError
from ..core.fields import FieldType, shown
from ..core.filters import Filter
from ..core.query import Query
from ..core.records import Scope
from ..core.registry import missing, nearest
from .report import Exploration

if TYPE_CHECKING:
    from types import ModuleType

    from ..core.search import VideoSearch

_FEWEST = 3  # records of which anything can be said


def explore(
    search: VideoSearch,
    *,
    where: Filter | Mapping[str, object] | None = None,
    scope: Scope | str | None = Scope.CLIP,
    clusters: int | None = None,
    duplicates: float = 0.98,
    trend: str | None = None,
    most: int = 5000,
    seed: int = 0,
) -> Exploration:
    """Look at the vectors of a collection. Nothing is embedded; the same call gives the same answer.

    Args:
        search: An open stack.
        where: Only among records that match.
        scope: `clip`, `video`, or None for both.
        clusters: How many; as many as fit best when left out.
        duplicates: The least similarity (a cosine) of two videos' records that counts as the same.
        trend: A field of instants; the only declared one when left out.
        most: Records that are looked at: a sample that is the same in every run. Memory is bounded by it.
        seed: Of what is random in clusters and map.

    Raises:
        InvalidQueryError: An argument is wrong, or there are too few records.
        UnsupportedError: The store gives no vectors away.
        ConfigurationError: scikit-learn isn't installed.
    """
    _check(clusters, duplicates, most)
    finding = _finding()
    from .sampling import sample

    taken = sample(search, Query(where=where, scope=scope).condition(), most)
    field = _field_of_instants(search.stack.store.schema, trend)
    if len(taken.records) < _FEWEST:
        raise InvalidQueryError(
            f"there are {len(taken.records)} records with vectors; exploring takes at least {_FEWEST}",
            hint="ingest more videos, or take a wider condition",
        )
    found: Exploration = finding.find(
        taken, finding.Wish(clusters=clusters, duplicates=duplicates, trend=field, seed=seed)
    )
    return found


def _finding() -> ModuleType:
    """What needs scikit-learn."""
    try:
        from . import finding
    except ModuleNotFoundError as error:
        raise missing(error, "exploring") from error
    return finding


def _check(clusters: object, duplicates: object, most: object) -> None:
    for name, value, least in (("clusters", clusters, 1), ("most", most, _FEWEST)):
        if value is None and name == "clusters":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidQueryError(
                f"{name} is {shown(value)}; it must be a whole number of at least {least}"
            )
    if isinstance(duplicates, bool) or not isinstance(duplicates, int | float) or not -1 <= duplicates <= 1:
        raise InvalidQueryError(f"duplicates is {shown(duplicates)}; it must be a cosine, from -1 to 1")


def _field_of_instants(schema: Mapping[str, FieldType], name: str | None) -> str | None:
    known = [each for each, kind in schema.items() if kind is FieldType.DATETIME]
    if name is None:
        return known[0] if len(known) == 1 else None
    if name not in known:
        raise InvalidQueryError(f"there is no field {name!r} of instants", hint=nearest(name, known))
    return name
