"""Filters in VikingDB's language, of which only the documented, undisputed part is used.

That part is `must`, `must_not`, `range`, `and` and `or`. There is no group for `not`, and none is needed: the
normal form negates its leaves only. Numbers of `float32` columns are brought to float32 here as they were
when they were stored, so that equal values stay equal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, assert_never

from ...core import lowering
from ...core.errors import UnsupportedError
from ...core.lowering import (
    Always,
    And,
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
)

_LARGEST = 3.4028234663852886e38  # of float32
_OPPOSITE = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}


def condition(node: Node) -> dict[str, Any] | None:
    """The filter of a call; None where every row matches. `Never` is answered without a call."""
    return None if isinstance(node, Always) else _written(node)


def float32(value: float) -> float:
    """The nearest number that a `float32` column holds; what is too large becomes the largest."""
    near = max(-_LARGEST, min(_LARGEST, value))
    return float(struct.unpack("<f", struct.pack("<f", near))[0])


def _written(node: Node) -> dict[str, Any]:
    match node:
        case And(nodes):
            return {"op": "and", "conds": [_written(inner) for inner in nodes]}
        case Or(nodes):
            return {"op": "or", "conds": [_written(inner) for inner in nodes]}
        case In(column, values):
            return _equal(column, values)
        case NotIn(column, values):
            return _unequal(column, values)
        case lowering.Any(column, values):
            return {"op": "must", "field": column, "conds": list(values)}
        case NotAny(column, values):
            return {"op": "must_not", "field": column, "conds": list(values)}
        case Range():
            return {"op": "range", "field": node.column, **_bounds(node)}
        case NotRange():
            sides = [
                {"op": "range", "field": node.column, _OPPOSITE[name]: bound}
                for name, bound in _bounds(node).items()
            ]
            return sides[0] if len(sides) == 1 else {"op": "or", "conds": sides}
        case Prefix() | NotPrefix():
            raise UnsupportedError("VikingDB can't filter by prefix", hint="use == or in")
        case Always() | Never():
            raise AssertionError("a constant is a whole filter, which is answered without this")
    assert_never(node)


def _equal(column: str, values: tuple[lowering.Scalar, ...]) -> dict[str, Any]:
    """One of the values; `must` takes no float, so a float is a range of one number."""
    if not isinstance(values[0], float):
        return {"op": "must", "field": column, "conds": list(values)}
    spans = [{"op": "range", "field": column, "gte": each, "lte": each} for each in _numbers(values)]
    return spans[0] if len(spans) == 1 else {"op": "or", "conds": spans}


def _unequal(column: str, values: tuple[lowering.Scalar, ...]) -> dict[str, Any]:
    if not isinstance(values[0], float):
        return {"op": "must_not", "field": column, "conds": list(values)}
    sides = [
        {
            "op": "or",
            "conds": [
                {"op": "range", "field": column, "lt": each},
                {"op": "range", "field": column, "gt": each},
            ],
        }
        for each in _numbers(values)
    ]
    return sides[0] if len(sides) == 1 else {"op": "and", "conds": sides}


def _numbers(values: Iterable[lowering.Scalar]) -> list[float]:
    return list(dict.fromkeys(float32(float(each)) for each in values))


def _bounds(node: Range | NotRange) -> dict[str, float]:
    named = {"gt": node.gt, "gte": node.gte, "lt": node.lt, "lte": node.lte}
    return {
        name: float32(bound) if isinstance(bound, float) else bound
        for name, bound in named.items()
        if bound is not None
    }
