"""An inverted list over the texts of records: which of them hold a term, and with what weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ...core import lexical
from ...core.records import Record


class Words:
    """The terms of records by id. Made when words are first searched, and kept up from then on."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._holders: dict[int, dict[str, float]] = defaultdict(dict)
        self._terms: dict[str, tuple[int, ...]] = {}
        for record in records:
            self.put(record)

    def put(self, record: Record) -> None:
        """Take a record in, in place of the one of its id."""
        self.remove(record.id)
        weights = lexical.document(record.text)
        self._terms[record.id] = tuple(weights)
        for term, weight in weights.items():
            self._holders[term][record.id] = weight

    def remove(self, id: str) -> None:
        """Forget a record; an unknown one is fine."""
        for term in self._terms.pop(id, ()):
            del self._holders[term][id]

    def scores(self, query: lexical.Sparse) -> dict[str, float]:
        """The score of every record that holds a term of the query, by id."""
        found: dict[str, float] = defaultdict(float)
        for term, weight in query.items():
            for id, held in self._holders.get(term, {}).items():
                found[id] += weight * held
        return found
