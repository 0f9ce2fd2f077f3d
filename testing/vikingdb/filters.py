"""The filter language, as far as the vendor's pages document it; everything else is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from .columns import Column
from .refusal import invalid

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_LISTS = {"string", "int64", "bool", "list<string>", "list<int64>"}
_NUMBERS = {"int64", "float32"}
BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}
"""The bounds of a range and what each says."""


def compiled(node: Any, columns: Mapping[str, Column], indexed: Collection[str]) -> Test:
    """What says whether a row matches.

    Raises:
        Refusal: An operator, field or value that isn't documented, or a field that the index lacks.
    """
    if not isinstance(node, dict):
        raise invalid("a filter is an object")
    match node.get("op"):
        case "and" | "or":
            return _joined(node, columns, indexed)
        case "must" | "must_not":
            return _one_of(node, columns, indexed)
        case "range" | "range_out":
            return _within(node, columns, indexed)
    raise invalid(f"the filter's op {node.get('op')!r} is unknown")


def _joined(node: dict[str, Any], columns: Mapping[str, Column], indexed: Collection[str]) -> Test:
    _only(node, {"op", "conds"})
    conds = node.get("conds")
    if not isinstance(conds, list) or not conds:
        raise invalid("and / or need conds")
    tests = [compiled(cond, columns, indexed) for cond in conds]
    if node["op"] == "and":
        return lambda row: all(test(row) for test in tests)
    return lambda row: any(test(row) for test in tests)


def _one_of(node: dict[str, Any], columns: Mapping[str, Column], indexed: Collection[str]) -> Test:
    _only(node, {"op", "field", "conds"})
    column = _column(node.get("field"), columns, indexed, _LISTS)
    conds = node.get("conds")
    if not isinstance(conds, list) or not conds:
        raise invalid(f"must / must_not on {column.name} need conds")
    wanted = {"bool": bool, "int64": int, "list<int64>": int}.get(column.type, str)
    if any(type(cond) is not wanted for cond in conds):
        raise invalid(f"a value for {column.name} isn't of its type")
    values, name = frozenset(conds), column.name
    if column.type.startswith("list"):
        holds: Test = lambda row: not values.isdisjoint(row[name])  # noqa: E731
    else:
        holds = lambda row: row[name] in values  # noqa: E731
    return holds if node["op"] == "must" else lambda row: not holds(row)


def _within(node: dict[str, Any], columns: Mapping[str, Column], indexed: Collection[str]) -> Test:
    if isinstance(node.get("field"), list):
        return _circle(node, columns, indexed)
    _only(node, {"op", "field", *BOUNDS})
    column = _column(node.get("field"), columns, indexed, _NUMBERS)
    bounds = {name: node[name] for name in BOUNDS if name in node}
    out = node["op"] == "range_out"
    if not bounds or (out and not bounds.keys() <= {"gt", "lt"}):
        raise invalid(f"a range of {column.name} needs bounds")
    for bound in bounds.values():
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise invalid(f"a bound of {column.name} is no number")
    tests = [(BOUNDS[name], bound) for name, bound in bounds.items()]
    join, name = (any if out else all), column.name
    return lambda row: join(holds(row[name], bound) for holds, bound in tests)


def _circle(node: dict[str, Any], columns: Mapping[str, Column], indexed: Collection[str]) -> Test:
    _only(node, {"op", "field", "center", "radius"})
    names = [_column(name, columns, indexed, {"float32"}).name for name in node["field"]]
    center, radius = node.get("center"), node.get("radius")
    if (
        len(names) != 2
        or not isinstance(center, list)
        or len(center) != 2
        or not isinstance(radius, int | float)
    ):
        raise invalid("a circle has two fields, a center of two numbers and a radius")
    return lambda row: sum((row[name] - at) ** 2 for name, at in zip(names, center, strict=True)) <= radius**2


def _column(
    name: Any, columns: Mapping[str, Column], indexed: Collection[str], types: Collection[str]
) -> Column:
    if not isinstance(name, str) or name not in columns:
        raise invalid(f"the filter's field {name!r} doesn't exist")
    if name not in indexed:
        raise invalid(f"the field {name} is not in the index and can't be filtered")
    if columns[name].type not in types:
        raise invalid(f"the field {name} of type {columns[name].type} can't be filtered so")
    return columns[name]


def _only(node: dict[str, Any], keys: Collection[str]) -> None:
    for key in node:
        if key not in keys:
            raise invalid(f"the filter's key {key!r} is unknown")
