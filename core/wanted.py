"""A checked query: what each part of the work needs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter, is_

from .capabilities import Feature
from .checks import check_vector
from .errors import InvalidQueryError, UnsupportedError
from .filters import Filter
from .query import Query
from .query_parts import Fusion, Part
from .records import Channel, Hit
from .requests import NearVector, SearchRequest
from .shape import Shape
from .store import VectorStore

_NOTHING = NearVector(())  # of a request that is still to be filled in
_BESIDE = attrgetter(*(each.name for each in fields(Query) if each.name not in ("vector", "weights")))
_CONSTANT = (str, int, float, tuple, Filter)  # nobody can change them, as a list or a mapping could be


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked query.

    Args:
        parts: With their weights.
        fusion: How they are joined, where that was asked for.
        base: All that its requests have in common.
        shape: Of the page.
        channels: With their weights; empty where all may be found.
        seen: Hits that were shown already.
    """

    parts: Sequence[Part]
    fusion: Fusion | None
    base: SearchRequest
    shape: Shape
    channels: Mapping[Channel, float]
    seen: Sequence[Hit]

    @property
    def lists(self) -> bool:
        """Whether it is a vector alone, which the store's own list of segments answers."""
        if len(self.parts) > 1 or self.fusion is not None or self.channels or self.seen:
            return False
        part = self.parts[0]
        return part.vector is not None and part.weight > 0 and self.shape.lists_segments


@dataclass(frozen=True, slots=True)
class Listing:
    """What a vector alone is asked with, and how its page is explained: the same for any vector.

    Args:
        base: Its request, with another vector.
        explain: Of its page.
    """

    base: SearchRequest
    explain: Mapping[str, object]


class Wishes:
    """Checks queries before anything is asked or paid for.

    What is beside a vector alone, as a library asks it in a loop, isn't checked again where it is the same as
    in the query before: that takes longer than anything else that is done for one. The store checks vectors.
    """

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._last: tuple[tuple[object, ...], Listing] | None = None

    def known(self, query: Query) -> Listing | None:
        """What was kept of a query that differs from this one in nothing but the vector."""
        last = self._last
        if last is None or query.vector is None or query.weights != {}:
            return None
        return last[1] if all(map(is_, _BESIDE(query), last[0])) else None

    def keep(self, query: Query, listing: Listing) -> None:
        """Keep what a query of a vector alone is asked with, where nobody can change what is beside it."""
        beside = _BESIDE(query)
        if query.weights == {} and all(each is None or isinstance(each, _CONSTANT) for each in beside):
            self._last = beside, listing

    def of(self, query: Query, seen: Sequence[Hit] = ()) -> Wanted:
        """The query, checked.

        Args:
            query: What is asked.
            seen: What was shown already.

        Raises:
            InvalidQueryError: A part or a wish is wrong.
            UnsupportedError: The store can't do it.
            NotFoundError: A file isn't there.
        """
        parts, fusion, shape = query.parts(), query.chosen_fusion(), query.shape()
        channels, can = query.chosen_channels(), self._store.can
        if len(seen) + shape.limit > can.max_limit and not shape.by_video:
            message = f"{can.form} gives at most {can.max_limit} hits"
            raise InvalidQueryError(message, hint="narrow the search with a condition")
        if any(part.words for part in parts) and Feature.LEXICAL not in can.features:
            raise UnsupportedError(
                f"this collection ({can.form}) has no lexical search",
                hint="search without lexical and hybrid",
            )
        if len(parts) > 1:  # a vector alone is checked by the store; beside others it is summed, or paid for
            for part in parts:
                self._check_vector(part)
        base = SearchRequest(_NOTHING, query.condition(), min_score=query.min_score, exact=query.exact)
        return Wanted(parts, fusion, base, shape, channels, seen)

    def _check_vector(self, part: Part) -> None:
        if part.vector is not None:
            dimension = self._store.meta.spec.space.dimension
            check_vector(part.vector, dimension, f"the {part.name} of the query")
