"""Filters: the tree a user writes.

In Python, `F` makes leaves and `&`, `|`, `~` join them (mind the parentheses):

    (F.year >= 2020) & F.tags.any("beach", "sea") & ~F["place"].exists()

Logic is two-valued, the same on every store. A missing value is null; on null, `!=`, `not in` and `none` are
true and every other operator is false; `~x` is the plain opposite of `x`.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeVar

from .errors import InvalidQueryError
from .fields import (
    FieldType,
    shown,
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
        if self is ALL or other is ALL:
            return other if self is ALL else self
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
