"""What a store is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .filters import ALL, Filter
from .lowering import Node
from .media import Media
from .records import Hit, Text, Vector


@dataclass(frozen=True, slots=True, eq=False)
class NearVector:
    """Records whose vectors are like this one."""

    vector: Vector


@dataclass(frozen=True, slots=True)
class NearMedia:
    """Records like these media together, which the store vectorizes in one call."""

    parts: tuple[Media, ...]


@dataclass(frozen=True, slots=True)
class NearRecord:
    """Records like a stored one, which isn't among the hits itself."""

    id: str


@dataclass(frozen=True, slots=True)
class Lexical:
    """Records that hold the words of a text."""

    text: str


Near = NearVector | NearMedia | NearRecord | Lexical


@dataclass(frozen=True, slots=True)
class Group:
    """At most `size` hits of each video, counted within the page of `limit` videos."""

    size: int = 1


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search.

    Args:
        near: What to look for.
        where: Only records that match.
        limit: Hits at most; videos at most when grouped. Paging belongs to the planner.
        group: At most so many hits of each video.
        min_score: Hits of at least this score; only for similarities.
        exact: Brute force, where an index would only come near.
        lean: Of the records only what places them is asked for: id, video, scope, span and channel. The rest
            may be missing, so who shows a hit fetches its record.
    """

    near: Near
    where: Filter = ALL
    limit: int = 10
    group: Group | None = None
    min_score: float | None = None
    exact: bool = False
    lean: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """A checked condition in both its forms: the user's tree and the normal form that adapters translate."""

    filter: Filter
    node: Node


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """What `_search` gets: a request whose every part was checked."""

    near: Near
    where: Where
    limit: int
    group: Group | None
    exact: bool
    lean: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits of one request, best first, and what the store said beside them.

    Args:
        hits: Best first.
        notes: What the service reports (usage, rewritten query, …), by its own names.
        request_id: The provider's id of the call.
    """

    hits: tuple[Hit, ...]
    notes: Mapping[str, object] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a write did; `wait` takes it.

    Args:
        upserted: Ids written, in order.
        deleted: Ids deleted; a deletion by filter may leave them out.
        usage: What the provider counted (tokens, calls), by its names.
        request_ids: The provider's ids of the calls.
    """

    upserted: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()

    def __add__(self, other: Receipt) -> Receipt:
        """Both writes in one receipt."""
        return Receipt.of((self, other))

    @classmethod
    def of(cls, receipts: Sequence[Receipt]) -> Receipt:
        """All writes in one receipt."""
        usage: dict[str, float] = {}
        for receipt in receipts:
            for name, count in receipt.usage.items():
                usage[name] = usage.get(name, 0) + count
        return cls(
            tuple(id for receipt in receipts for id in receipt.upserted),
            tuple(id for receipt in receipts for id in receipt.deleted),
            usage,
            tuple(id for receipt in receipts for id in receipt.request_ids),
        )


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of records without a new vector: a part given replaces the stored one whole; None keeps it."""

    fields: Mapping[str, object] | None = None
    extra: Mapping[str, object] | None = None
    text: Text | None = None
    uri: str | None = None
