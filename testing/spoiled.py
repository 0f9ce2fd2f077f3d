"""Stores that are wrong in one way each, to prove that the contract finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..backends.memory import MemoryStore
from ..core.filters import ALL
from ..core.lowering import Always
from ..core.requests import Answer, CheckedRequest, Where

_EVERYTHING = Where(ALL, Always())


class EmptyStore(MemoryStore):
    """Finds nothing."""

    kind = "empty"

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        return [Answer(()) for _ in requests]


class UnfilteredStore(MemoryStore):
    """Searches without the filter."""

    kind = "unfiltered"

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        return super()._search([replace(request, where=_EVERYTHING) for request in requests])


class FlippedStore(MemoryStore):
    """Takes the worst hits for the best."""

    kind = "flipped"

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        return [_flipped(answer) for answer in super()._search(requests)]


def _flipped(answer: Answer) -> Answer:
    hits = [replace(hit, score=-hit.score) for hit in reversed(answer.hits)]
    return replace(answer, hits=tuple(hits))
