"""Conditions on the scope that every record meets, which searches leave out.

Nearly every search asks for clips, and most collections hold nothing else. An engine in process looks at each
record for such a condition, which can take most of a search: on Qdrant's local mode 5 times the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeGuard

from .filters import ALL, And, Condition, F, Filter, Op
from .records import Record

_SCOPE = "scope"


class Scopes:
    """Which scopes the records of a collection have, where no other process writes to it.

    What is written is noted before it is written, and what was there is counted after that: so a record of
    another scope is known of before any search that must not find it.
    """

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._alone: dict[str, bool] = {}  # whether all records were of it when they were counted

    def note(self, records: Iterable[Record]) -> None:
        """Hear of records before they are written."""
        self._written |= {record.scope.value for record in records}

    def needless(self, where: Filter, count: Callable[[Filter], int]) -> str | None:
        """The scope that a condition asks for, where every record has it.

        Args:
            where: A condition that was checked.
            count: How many stored records match one.
        """
        scope = next((str(part.value) for part in _parts(where) if _is_of_scope(part)), None)
        if scope is None or not self._written <= {scope}:
            return None
        if scope not in self._alone:
            self._alone[scope] = count(F.scope != scope) == 0
        return scope if self._alone[scope] else None


def without(where: Filter, scope: str) -> Filter:
    """The condition, but for that on the scope."""
    rest: Filter = ALL
    for part in _parts(where):
        if part != Condition(_SCOPE, Op.EQ, scope):
            rest = rest & part
    return rest


def _parts(where: Filter) -> Sequence[Filter]:
    return where.parts if isinstance(where, And) else (where,)


def _is_of_scope(part: Filter) -> TypeGuard[Condition]:
    return isinstance(part, Condition) and part.field == _SCOPE and part.op is Op.EQ
