"""Filters: the tree a user writes, its check against a schema, and the reference evaluator.

In Python, `F` makes leaves and `&`, `|`, `~` join them (mind the parentheses):

    (F.year >= 2020) & F.tags.any("beach", "sea") & ~F["place"].exists()

Logic is two-valued, the same on every store. A missing value is null; on null, `!=`, `not in` and `none` are
true and every other operator is false; `~x` is the plain opposite of `x`.
"""

from __future__ import annotations

import keyword
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, TypeVar, cast

from .errors import InvalidQueryError
from .fields import (
    BUILT_IN,
    SPAN,
    FieldType,
    Schema,
    Value,
    check_value,
    did_you_mean,
    exact_ms,
    shown,
    to_ms,
)

T = TypeVar("T")

MAX_DEPTH = 64
"""Levels of `and`, `or` and `not` around a leaf, the leaf included."""

MAX_NODES = 10_000
"""Leaves and joints of one filter; the values of a leaf don't count."""


class Op(StrEnum):
    """What a leaf asks of a field."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "in"
    NOT_IN = "not in"
    BETWEEN = "between"
    PREFIX = "prefix"
    ANY = "any"
    ALL = "all"
    NONE = "none"
    EXISTS = "exists"


_ORDERED = (Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE, Op.IN, Op.NOT_IN, Op.BETWEEN, Op.EXISTS)
OPERATORS: Mapping[FieldType, tuple[Op, ...]] = {
    FieldType.STRING: (Op.EQ, Op.NE, Op.IN, Op.NOT_IN, Op.PREFIX, Op.EXISTS),
    FieldType.INT: _ORDERED,
    FieldType.FLOAT: _ORDERED,
    FieldType.BOOL: (Op.EQ, Op.NE, Op.EXISTS),
    FieldType.DATETIME: _ORDERED,
    FieldType.STRINGS: (Op.ANY, Op.ALL, Op.NONE, Op.EXISTS),
}
"""The operators that each type has."""

TRUE_ON_NULL = frozenset({Op.NE, Op.NOT_IN, Op.NONE})
"""The operators that hold where a value is missing; every other one doesn't."""

TAKES_LIST = frozenset({Op.IN, Op.NOT_IN, Op.BETWEEN, Op.ANY, Op.ALL, Op.NONE})
"""The operators of which the value is a list; that of `between` holds two."""

_NO_TRUTH = (
    "a filter is neither true nor false: join filters with &, | and ~ instead of and, or and not, "
    "and write between(low, high) instead of low <= field <= high"
)
_HOW_TO_FILTER = "write one with F, such as F.year >= 2020, or read one with from_json or from_text"
_HOW_TO_SHRINK = "ask for many values of one field with in or any"


class Filter:
    """A condition on records. Trees are immutable and compare by structure."""

    __slots__ = ()

    def __and__(self, other: Filter) -> Filter:
        if not isinstance(other, Filter):
            return NotImplemented
        parts = [part for side in (self, other) for part in _parts(And, side)]
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def __or__(self, other: Filter) -> Filter:
        if not isinstance(other, Filter):
            return NotImplemented
        parts = [part for side in (self, other) for part in _parts(Or, side)]
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def __invert__(self) -> Filter:
        return Not(self)

    def __bool__(self) -> bool:
        """Refused, because `and`, `or`, `not` and `1 < F.x < 2` would silently drop half of a filter."""
        raise TypeError(_NO_TRUTH)


@dataclass(frozen=True, slots=True)
class And(Filter):
    """All of the parts; with no parts it matches everything."""

    parts: tuple[Filter, ...]

    def __repr__(self) -> str:
        return " & ".join(f"({part!r})" for part in self.parts) or "ALL"


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """At least one of the parts; with no parts it matches nothing."""

    parts: tuple[Filter, ...]

    def __repr__(self) -> str:
        return " | ".join(f"({part!r})" for part in self.parts) or "~ALL"


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """The plain opposite of the part."""

    part: Filter

    def __repr__(self) -> str:
        return f"~({self.part!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Condition(Filter):
    """A leaf. `value` is a scalar, a tuple for the operators that take a list, or None for `exists`."""

    field: str
    op: Op
    value: object = None

    def __post_init__(self) -> None:
        if isinstance(self.value, list):
            object.__setattr__(self, "value", tuple(self.value))

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Condition) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        plain = self.field.isidentifier() and not keyword.iskeyword(self.field)
        name = f"F.{self.field}" if plain else f"F[{self.field!r}]"
        match self.op, self.value:
            case Op.EXISTS, _:
                return f"{name}.exists()"
            case ((Op.IN | Op.NOT_IN), tuple(values)):
                return f"{name}.{'is_in' if self.op == Op.IN else 'not_in'}({list(values)!r})"
            case _, tuple(values):
                return f"{name}.{self.op}({', '.join(map(repr, values))})"
            case Op.PREFIX, value:
                return f"{name}.prefix({value!r})"
        return f"{name} {self.op} {self.value!r}"

    def _key(self) -> tuple[object, ...]:
        # Python takes 1, 1.0 and True for equal; as filters they are not.
        types = map(type, self.value if isinstance(self.value, tuple) else (self.value,))
        return self.field, self.op, self.value, *types


ALL = And(())
"""Matches everything."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field's name, waiting for its operator. Values are checked later, by `check`."""

    name: str
    __hash__: ClassVar[None]  # type: ignore[assignment]  # a name that compares like this is no key

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]  # comparing makes a filter
        return Condition(self.name, Op.EQ, value)

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return Condition(self.name, Op.NE, value)

    def __lt__(self, value: object) -> Filter:
        return Condition(self.name, Op.LT, value)

    def __le__(self, value: object) -> Filter:
        return Condition(self.name, Op.LE, value)

    def __gt__(self, value: object) -> Filter:
        return Condition(self.name, Op.GT, value)

    def __ge__(self, value: object) -> Filter:
        return Condition(self.name, Op.GE, value)

    def __bool__(self) -> bool:
        raise TypeError(_NO_TRUTH)

    def is_in(self, values: Iterable[object]) -> Filter:
        """One of the values."""
        return Condition(self.name, Op.IN, _items(values))

    def not_in(self, values: Iterable[object]) -> Filter:
        """None of the values; true on null."""
        return Condition(self.name, Op.NOT_IN, _items(values))

    def between(self, low: object, high: object) -> Filter:
        """From low to high, both included."""
        return Condition(self.name, Op.BETWEEN, (low, high))

    def prefix(self, text: str) -> Filter:
        """Begins with the text, letter case included."""
        return Condition(self.name, Op.PREFIX, text)

    def any(self, *values: str) -> Filter:
        """The list has at least one of the values."""
        return Condition(self.name, Op.ANY, values)

    def all(self, *values: str) -> Filter:
        """The list has every one of the values."""
        return Condition(self.name, Op.ALL, values)

    def none(self, *values: str) -> Filter:
        """The list has none of the values; true on null."""
        return Condition(self.name, Op.NONE, values)

    def exists(self) -> Filter:
        """The field was given; an empty list or text counts as given."""
        return Condition(self.name, Op.EXISTS)


class _Fields:
    """`F.year` or `F["year"]`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Field:
        if name.startswith("_"):  # no field begins so, but what inspects objects asks for such names
            raise AttributeError(name)
        return Field(name)

    def __getitem__(self, name: str) -> Field:
        if not isinstance(name, str):
            raise TypeError(f"a field's name is text, not {shown(name)}")
        return Field(name)


F = _Fields()


def check(filter: Filter, schema: Schema) -> Filter:
    """The same tree with values in their one API form: instants in UTC, ints of float fields as floats.

    Raises:
        InvalidQueryError: An undeclared field, an operator that its type lacks, a value of another type,
            or a tree beyond `MAX_DEPTH` or `MAX_NODES`.
    """
    types = {**schema, **BUILT_IN}
    return fold(
        filter,
        leaf=lambda leaf: _checked(leaf, types),
        all_of=lambda parts: And(tuple(parts)),
        any_of=lambda parts: Or(tuple(parts)),
        negate=Not,
    )


def matches(filter: Filter, values: Mapping[str, object], schema: Schema) -> bool:
    """The reference evaluator: plain, slow, and the meaning of every filter.

    Args:
        filter: Any tree; it is checked first.
        values: API values by name; what is missing or None is null.
        schema: The declared fields.
    """
    types = {**schema, **BUILT_IN}
    given = {name: check_value(name, type, values.get(name)) for name, type in types.items()}
    return fold(
        check(filter, schema),
        leaf=lambda leaf: _holds(leaf, given[leaf.field]),
        all_of=all,
        any_of=any,
        negate=operator.not_,
    )


def fold(
    filter: Filter,
    *,
    leaf: Callable[[Condition], T],
    all_of: Callable[[list[T]], T],
    any_of: Callable[[list[T]], T],
    negate: Callable[[T], T],
) -> T:
    """Turn a tree into something else from its leaves up, within the limits of depth and size.

    Raises:
        InvalidQueryError: The tree is too deep or too large, or isn't a filter.
    """
    limits = Limits()

    def turn(node: object, depth: int) -> T:
        limits.enter(depth)
        match node:
            case Condition():
                return leaf(node)
            case And(parts):
                return all_of([turn(part, depth + 1) for part in parts])
            case Or(parts):
                return any_of([turn(part, depth + 1) for part in parts])
            case Not(part):
                return negate(turn(part, depth + 1))
        raise InvalidQueryError(f"a filter is expected, not {shown(node)}", hint=_HOW_TO_FILTER)

    return turn(filter, 1)


class Limits:
    """Counts the nodes of one tree."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes = 0

    def enter(self, depth: int) -> None:
        """One node more, at this depth.

        Raises:
            InvalidQueryError: It is too deep, or one too many.
        """
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise InvalidQueryError(f"a filter nests at most {MAX_DEPTH} deep", hint=_HOW_TO_SHRINK)
        if self._nodes > MAX_NODES:
            raise InvalidQueryError(f"a filter has at most {MAX_NODES} nodes", hint=_HOW_TO_SHRINK)


def _parts(kind: type[And | Or], filter: Filter) -> tuple[Filter, ...]:
    return filter.parts if isinstance(filter, kind) else (filter,)


def _items(values: Iterable[object]) -> object:
    return values if isinstance(values, str | bytes) else tuple(values)  # text is no list of letters


def _checked(leaf: Condition, types: Schema) -> Condition:
    if not isinstance(leaf.field, str) or leaf.field not in types:
        raise InvalidQueryError(
            f"unknown field {shown(leaf.field)} in a filter", hint=did_you_mean(leaf.field, types)
        )
    type = types[leaf.field]
    for op in OPERATORS[type]:
        if op == leaf.op:
            return Condition(leaf.field, op, _operand(leaf, op, type))
    names = ", ".join(OPERATORS[type])
    message = f"field {leaf.field!r} of type {type} has no operator {shown(leaf.op)}"
    raise InvalidQueryError(message, hint=f"it has {names}")


def _operand(leaf: Condition, op: Op, type: FieldType) -> object:
    """The leaf's value, checked for its operator."""
    if op is Op.EXISTS and leaf.value is not None:
        _refuse(leaf, "no value")
    if op is Op.EXISTS:
        return None
    if op not in TAKES_LIST:
        return _scalar(leaf, type, leaf.value)
    if not isinstance(leaf.value, tuple):
        return _refuse(leaf, "a list")
    if op is Op.BETWEEN and len(leaf.value) != 2:
        return _refuse(leaf, "a list of two, low and high,")
    item = FieldType.STRING if type is FieldType.STRINGS else type
    return tuple(_scalar(leaf, item, value) for value in leaf.value)


def _scalar(leaf: Condition, type: FieldType, value: object) -> Value:
    checked = check_value(leaf.field, type, value)
    if checked is None:
        raise InvalidQueryError(
            f"field {leaf.field!r} can't be compared with null", hint="use exists, or not exists"
        )
    return checked


def _refuse(leaf: Condition, expected: str) -> NoReturn:
    raise InvalidQueryError(f"field {leaf.field!r}: {leaf.op} takes {expected}, not {shown(leaf.value)}")


_TESTS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.IN: lambda given, values: given in values,
    Op.NOT_IN: lambda given, values: given not in values,
    Op.BETWEEN: lambda given, span: span[0] <= given <= span[1],
    Op.PREFIX: lambda given, text: given.startswith(text),
    Op.ANY: lambda given, values: any(value in given for value in values),
    Op.ALL: lambda given, values: all(value in given for value in values),
    Op.NONE: lambda given, values: not any(value in given for value in values),
    Op.EXISTS: lambda _given, _nothing: True,
}


def _holds(leaf: Condition, given: Value | None) -> bool:
    if given is None:
        return leaf.op in TRUE_ON_NULL
    if leaf.field not in SPAN:
        return _TESTS[leaf.op](given, leaf.value)
    return _TESTS[leaf.op](to_ms(cast("float", given)), _in_ms(leaf.value))


def _in_ms(value: object) -> object:
    """The value of a leaf over `start` or `end`: seconds, two or more of them, or nothing."""
    if isinstance(value, tuple):
        return tuple(map(exact_ms, value))
    return exact_ms(value) if isinstance(value, float) else value
