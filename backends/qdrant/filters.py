"""Filters in Qdrant's conditions; never `MatchExcept`, which drops rows that have no value."""

from __future__ import annotations

import math
import typing

from qdrant_edge import (
    FieldCondition,
    Filter,
    HasIdCondition,
    MatchAny,
    MatchPrefix,
    MatchValue,
    RangeFloat,
)

from ...core.fields import MAX_INT
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
from .points import path

if typing.TYPE_CHECKING:
    from qdrant_edge import ConditionType


def condition(node: Node) -> Filter | None:
    """The filter of a request; None where every record matches."""
    return None if isinstance(node, Always) else Filter(must=[_condition(node)])


def _condition(node: Node) -> ConditionType:
    match node:
        case And(nodes):
            return Filter(must=[_condition(part) for part in nodes])
        case Or(nodes):
            return Filter(should=[_condition(part) for part in nodes])
        case In(column, values):
            return _equal(column, values)
        case Any(column, texts):
            return FieldCondition(path(column), match=MatchAny(list(texts)))
        case Prefix(column, text):
            return FieldCondition(path(column), match=MatchPrefix(text))
        case Range():
            return _within(node)
        case NotIn() | NotAny() | NotPrefix() | NotRange():
            return Filter(must_not=[_condition(negate(node))])
        case Always():
            return Filter()
        case Never():
            return HasIdCondition(set())
    typing.assert_never(node)


def _equal(column: str, values: tuple[Scalar, ...]) -> ConditionType:
    """One of the values; a float only matches by a range, for Qdrant has no equality of floats."""
    key = path(column)
    if isinstance(values[0], float):
        spans = [RangeFloat(gte=each, lte=each) for each in typing.cast("tuple[float, ...]", values)]
        return Filter(should=[FieldCondition(key, range=span) for span in spans])
    if len(values) == 1:
        return FieldCondition(key, match=MatchValue(values[0]))
    return FieldCondition(key, match=MatchAny(typing.cast("list[str] | list[int]", list(values))))


def _within(node: Range) -> ConditionType:
    named = {"gt": node.gt, "gte": node.gte, "lt": node.lt, "lte": node.lte}
    bounds = {name: bound for name, bound in named.items() if bound is not None}
    if all(isinstance(bound, float) or abs(bound) < MAX_INT for bound in bounds.values()):
        return FieldCondition(path(node.column), range=RangeFloat(**bounds))
    return Filter(must=[_side(node.column, name, int(bound)) for name, bound in bounds.items()])


def _side(column: str, name: str, bound: int) -> Filter:
    """One bound that Qdrant, whose bounds are floats, would round: an instant after 2255.

    The range begins behind the next float, and the few integers up to there are named.
    """
    last = bound + {"gt": 1, "lt": -1}.get(name, 0)
    near = _float_beyond(last, -math.inf if name.startswith("l") else math.inf)
    step = int(math.ulp(near))
    if name.startswith("l"):
        span, between = RangeFloat(lt=near), range(int(near) - step, last + 1)
    else:
        span, between = RangeFloat(gt=near), range(last, int(near) + step + 1)
    beyond = FieldCondition(path(column), range=span)
    return Filter(should=[beyond, FieldCondition(path(column), match=MatchAny(list(between)))])


def _float_beyond(bound: int, towards: float) -> float:
    """The float nearest to an integer, itself or further in a direction."""
    near = float(bound)
    passed = near > bound if towards < 0 else near < bound
    return math.nextafter(near, towards) if passed else near
