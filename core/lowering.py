"""The normal form of a filter that adapters translate: eight leaves over stored columns, `And` and `Or`.

A lowered filter has no negation but in its leaves, no empty `And` or `Or`, none directly in its own kind, and
no constant but a whole `Always` or `Never`. Columns and values are those of a store (`fields.to_column`):
datetimes are microseconds, booleans 0 or 1, `start` and `end` whole milliseconds.

Columns are never missing; what a row lacks all the same, for its field was declared later, fails every test.
Null is kept by the hidden list column `present`: `x == 0` becomes `Any(present, [x])` and `In(x, [0])`, its
negation `NotAny(present, [x])` or `NotIn(x, [0])`. So an adapter needs two-valued logic over typed columns
only, and may put its own `not` around a leaf for the `Not` one. `x == 5` is `In(x, [5])` alone, for what is
stored as 5 was given, and engines that have no index look through lists slowly.
"""

from __future__ import annotations

import math
import operator
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never, cast

from . import filters
from .fields import BUILT_IN, PRESENT, SPAN, FieldType, Schema, default_column, exact_ms, to_column
from .filter_check import check
from .filters import Op
from .values import MAX_INT

Scalar = str | int | float
Number = int | float
Row = Mapping[str, typing.Any]
"""Stored columns by name."""


@dataclass(frozen=True, slots=True)
class Always:
    """Matches every row."""


@dataclass(frozen=True, slots=True)
class Never:
    """Matches no row."""


@dataclass(frozen=True, slots=True)
class And:
    """All of two nodes or more, none of them an `And`, `Always` or `Never`."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two nodes or more, none of them an `Or`, `Always` or `Never`."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class In:
    """The column equals one of the values, of which there is at least one and none twice."""

    column: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class NotIn:
    """The opposite of `In`."""

    column: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The column lies within the bounds that aren't None, of which there is at least one."""

    column: str
    gt: Number | None = None
    gte: Number | None = None
    lt: Number | None = None
    lte: Number | None = None


@dataclass(frozen=True, slots=True)
class NotRange:
    """The opposite of `Range`."""

    column: str
    gt: Number | None = None
    gte: Number | None = None
    lt: Number | None = None
    lte: Number | None = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """The text column begins with the text, which isn't empty; letter case counts."""

    column: str
    text: str


@dataclass(frozen=True, slots=True)
class NotPrefix:
    """The opposite of `Prefix`."""

    column: str
    text: str


@dataclass(frozen=True, slots=True)
class Any:
    """The list column has one of the values, of which there is at least one and none twice."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAny:
    """The opposite of `Any`."""

    column: str
    values: tuple[str, ...]


Leaf = In | NotIn | Range | NotRange | Prefix | NotPrefix | Any | NotAny
Node = And | Or | Always | Never | Leaf


def lower(filter: filters.Filter, schema: Schema) -> Node:
    """Check a filter and bring it to the normal form.

    Raises:
        InvalidQueryError: As `filter_check.check`.
    """
    return lower_checked(check(filter, schema), schema)


def lower_checked(filter: filters.Filter, schema: Schema) -> Node:
    """Bring a filter that `filter_check.check` gave to the normal form."""
    types = {**schema, **BUILT_IN}
    whole = filters.fold(
        filter,
        leaf=lambda leaf: _leaf(leaf, types[leaf.field]),
        all_of=all_of,
        any_of=any_of,
        negate=negate,
    )
    return _without_needless(whole, schema)


def all_of(nodes: Iterable[Node]) -> Node:
    """The conjunction in normal form; of nothing, `Always`."""
    return _join(And, nodes, unit=Always(), zero=Never())


def any_of(nodes: Iterable[Node]) -> Node:
    """The disjunction in normal form; of nothing, `Never`."""
    return _join(Or, nodes, unit=Never(), zero=Always())


def negate(node: Node) -> Node:
    """The opposite, in normal form."""
    match node:
        case Always() | Never():
            return Never() if isinstance(node, Always) else Always()
        case And(nodes):
            return Or(tuple(map(negate, nodes)))
        case Or(nodes):
            return And(tuple(map(negate, nodes)))
        case In(column, values):
            return NotIn(column, values)
        case NotIn(column, values):
            return In(column, values)
        case Range(column, gt, gte, lt, lte):
            return NotRange(column, gt, gte, lt, lte)
        case NotRange(column, gt, gte, lt, lte):
            return Range(column, gt, gte, lt, lte)
        case Prefix(column, text):
            return NotPrefix(column, text)
        case NotPrefix(column, text):
            return Prefix(column, text)
        case Any(column, texts):
            return NotAny(column, texts)
        case NotAny(column, texts):
            return Any(column, texts)
    assert_never(node)


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf, in the order of the filter."""
    if isinstance(node, And | Or):
        for inner in node.nodes:
            yield from leaves(inner)
    elif not isinstance(node, Always | Never):
        yield node


def columns(node: Node) -> set[str]:
    """The columns that the node reads, `present` included."""
    return {leaf.column for leaf in leaves(node)}


def compile_node(node: Node) -> Callable[[Row], bool]:
    """A function that says whether a row of stored columns matches; one that it lacks fails every test."""
    match node:
        case Always() | Never():
            constant = isinstance(node, Always)
            return lambda _row: constant
        case And(nodes):
            return _every([compile_node(inner) for inner in nodes])
        case Or(nodes):
            return _opposite(_every([_opposite(compile_node(inner)) for inner in nodes]))
        case In(column, values):
            scalars = frozenset(values)
            return lambda row: row.get(column) in scalars
        case Range():
            return _within(node)
        case Prefix(column, text):
            return lambda row: bool(row.get(column, "").startswith(text))
        case Any(column, texts):
            wanted = frozenset(texts)
            return lambda row: not wanted.isdisjoint(row.get(column, ()))
        case NotIn() | NotRange() | NotPrefix() | NotAny():
            return _opposite(compile_node(negate(node)))
    assert_never(node)


_OPPOSITE = {Op.NE: Op.EQ, Op.NOT_IN: Op.IN, Op.NONE: Op.ANY}
_BOUNDS = {Op.LT: ("lt",), Op.LE: ("lte",), Op.GT: ("gt",), Op.GE: ("gte",), Op.BETWEEN: ("gte", "lte")}
_FAR = 2**60
"""Milliseconds beyond every stored time, and within 64 bits."""
_TINY = 1e-30
"""A smaller number may be 0 where floats have 32 bits."""


def _join(kind: type[And | Or], nodes: Iterable[Node], *, unit: Node, zero: Node) -> Node:
    flat = (inner for node in nodes for inner in (node.nodes if isinstance(node, kind) else (node,)))
    distinct = tuple(dict.fromkeys(node for node in flat if node != unit))
    if zero in distinct:
        return zero
    return kind(distinct) if len(distinct) > 1 else next(iter(distinct), unit)


def _leaf(leaf: filters.Condition, type: FieldType) -> Node:
    if leaf.op in _OPPOSITE:
        return negate(_leaf(replace(leaf, op=_OPPOSITE[leaf.op]), type))
    given = Always() if leaf.field in BUILT_IN else Any(PRESENT, (leaf.field,))
    return all_of([given, _test(leaf, type)])


def _without_needless(node: Node, schema: Schema) -> Node:
    """Without asking whether a field is given where a test beside it refuses null by itself."""
    match node:
        case And(nodes):
            given = {Any(PRESENT, (leaf.column,)) for leaf in nodes if _refuses_null(leaf, schema)}
            return all_of(_without_needless(inner, schema) for inner in nodes if inner not in given)
        case Or():
            return negate(_without_needless(negate(node), schema))
    return node


def _refuses_null(node: Node, schema: Schema) -> typing.TypeGuard[Leaf]:
    """Whether it is a test of a declared field that doesn't match what is stored for null."""
    if not isinstance(node, In | Range | Prefix | Any) or node.column not in schema:
        return False
    if isinstance(node, In | Range) and any(0 < abs(number) < _TINY for number in _floats(node)):
        return False
    return not compile_node(node)({node.column: default_column(schema[node.column])})


def _floats(node: In | Range) -> Iterator[float]:
    numbers = node.values if isinstance(node, In) else (node.gt, node.gte, node.lt, node.lte)
    return (number for number in numbers if isinstance(number, float))


def _test(leaf: filters.Condition, type: FieldType) -> Node:
    """What a leaf asks of the stored column where the field is given."""
    operands = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    match leaf.op:
        case Op.EXISTS:
            return Always()
        case Op.EQ | Op.IN:
            scalars = _scalars(leaf.field, type, operands)
            return In(leaf.field, scalars) if scalars else Never()
        case Op.PREFIX:
            return Prefix(leaf.field, *operands) if leaf.value else Always()
        case Op.ANY:
            return Any(leaf.field, tuple(dict.fromkeys(operands))) if operands else Never()
        case Op.ALL:
            return all_of(Any(leaf.field, (text,)) for text in operands)
    return _range(leaf.field, type, dict(zip(_BOUNDS[leaf.op], operands, strict=True)))


def _scalars(column: str, type: FieldType, values: Iterable[object]) -> tuple[Scalar, ...]:
    """The distinct stored forms; a time that is no whole millisecond has none."""
    if column in SPAN:
        exact = (exact_ms(cast("float", value)) for value in values)
        return tuple(dict.fromkeys(int(ms) for ms in exact if ms.denominator == 1 and abs(ms) <= MAX_INT))
    return tuple(dict.fromkeys(cast("Scalar", to_column(type, value)) for value in values))


def _range(column: str, type: FieldType, values: Mapping[str, object]) -> Node:
    bounds = {name: _bound(column, type, name, value) for name, value in values.items()}
    if len(bounds) > 1 and bounds["gte"] > bounds["lte"]:
        return Never()
    return Range(column, **bounds)


def _bound(column: str, type: FieldType, name: str, value: object) -> Number:
    if column not in SPAN:
        return cast("Number", to_column(type, value))
    exact = exact_ms(cast("float", value))
    whole = math.floor(exact) if name in ("gt", "lte") else math.ceil(exact)
    return max(-_FAR, min(_FAR, whole))


def _every(tests: list[Callable[[Row], bool]]) -> Callable[[Row], bool]:
    def every(row: Row) -> bool:
        for test in tests:  # noqa: SIM110 - twice as fast as all() over a generator
            if not test(row):
                return False
        return True

    return every


def _opposite(test: Callable[[Row], bool]) -> Callable[[Row], bool]:
    return lambda row: not test(row)


def _within(node: Range) -> Callable[[Row], bool]:
    bounds = {operator.gt: node.gt, operator.ge: node.gte, operator.lt: node.lt, operator.le: node.lte}
    tests = [_compare(node.column, holds, bound) for holds, bound in bounds.items() if bound is not None]
    return tests[0] if len(tests) == 1 else _every(tests)


def _compare(column: str, holds: Callable[..., bool], bound: Number) -> Callable[[Row], bool]:
    return lambda row: column in row and holds(row[column], bound)
