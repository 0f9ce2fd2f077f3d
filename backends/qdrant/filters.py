"""Filters in Qdrant's conditions; never `MatchExcept`, which drops rows that have no value.

The engine in process and the client have classes of their own for the same conditions: `Vocabulary` holds
what differs, and each form brings its own.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...core.lowering import (
    Always,
    And,
    Any,
    In,
    Never,
    Node,
    NotAny,
    NotIn,
    NotPrefix,
    NotRange,
    Or,
    Prefix,
    Range,
    Scalar,
    negate,
)
from ...core.values import MAX_INT
from .points import path

Condition = typing.Any
"""A condition or a filter of one of the two packages."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How one of Qdrant's packages spells a condition; keys are paths into the payload.

    Args:
        every: All of the conditions hold; of none, everything matches.
        some: At least one of the conditions holds, of which there is at least one.
        no: None of the conditions holds.
        equal: A value is this text or integer.
        among: A value is one of these.
        prefix: A value begins with the text.
        within: A value lies within bounds, by `gt`, `gte`, `lt` and `lte`.
        ids: The point is one of these.
    """

    every: Callable[[Sequence[Condition]], Condition]
    some: Callable[[Sequence[Condition]], Condition]
    no: Callable[[Sequence[Condition]], Condition]
    equal: Callable[[str, str | int], Condition]
    among: Callable[[str, list[str] | list[int]], Condition]
    prefix: Callable[[str, str], Condition]
    within: Callable[[str, Mapping[str, float]], Condition]
    ids: Callable[[Sequence[typing.Any]], Condition]

    def condition(self, node: Node) -> Condition | None:
        """The filter of a request; None where every record matches."""
        return None if isinstance(node, Always) else self.every([self._condition(node)])

    def _condition(self, node: Node) -> Condition:
        match node:
            case And(nodes):
                return self.every([self._condition(part) for part in nodes])
            case Or(nodes):
                return self.some([self._condition(part) for part in nodes])
            case In(column, values):
                return self._equal(path(column), values)
            case Any(column, texts):
                return self.among(path(column), list(texts))
            case Prefix(column, text):
                return self.prefix(path(column), text)
            case Range():
                return self._within(node)
            case NotIn() | NotAny() | NotPrefix() | NotRange():
                return self.no([self._condition(negate(node))])
            case Always():
                return self.every([])
            case Never():
                return self.ids([])
        typing.assert_never(node)

    def _equal(self, key: str, values: tuple[Scalar, ...]) -> Condition:
        """One of the values; a float only matches by a range, for Qdrant has no equality of floats."""
        if isinstance(values[0], float):
            floats = typing.cast("tuple[float, ...]", values)
            return self.some([self.within(key, {"gte": each, "lte": each}) for each in floats])
        if len(values) == 1:
            return self.equal(key, values[0])
        return self.among(key, typing.cast("list[str] | list[int]", list(values)))

    def _within(self, node: Range) -> Condition:
        key = path(node.column)
        named = {"gt": node.gt, "gte": node.gte, "lt": node.lt, "lte": node.lte}
        bounds = {name: bound for name, bound in named.items() if bound is not None}
        if all(isinstance(bound, float) or abs(bound) < MAX_INT for bound in bounds.values()):
            return self.within(key, bounds)
        return self.every([self._side(key, name, int(bound)) for name, bound in bounds.items()])

    def _side(self, key: str, name: str, bound: int) -> Condition:
        """One bound that Qdrant, whose bounds are floats, would round: an instant after 2255.

        The range begins behind the next float, and the few integers up to there are named.
        """
        last = bound + {"gt": 1, "lt": -1}.get(name, 0)
        near = _float_beyond(last, -math.inf if name.startswith("l") else math.inf)
        step = int(math.ulp(near))
        if name.startswith("l"):
            beyond, between = {"lt": near}, range(int(near) - step, last + 1)
        else:
            beyond, between = {"gt": near}, range(last, int(near) + step + 1)
        return self.some([self.within(key, beyond), self.among(key, list(between))])


def _float_beyond(bound: int, towards: float) -> float:
    """The float nearest to an integer, itself or further in a direction."""
    near = float(bound)
    passed = near > bound if towards < 0 else near < bound
    return math.nextafter(near, towards) if passed else near
