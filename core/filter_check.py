"""Filters against a schema and against values: the check before any call, and the reference evaluator."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, cast

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
from .filters import OPERATORS, TAKES_LIST, TRUE_ON_NULL, And, Condition, Filter, Not, Op, Or, fold

T = TypeVar("T")

Test = Callable[[Mapping[str, object]], bool]
"""Says whether a record's values match; what is missing or None is null."""


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
    return matcher(filter, schema)(values)


def matcher(filter: Filter, schema: Schema) -> Test:
    """The same evaluator for many records: the filter is checked once.

    Args:
        filter: Any tree; it is checked first.
        schema: The declared fields.
    """
    types = {**schema, **BUILT_IN}

    def read(name: str) -> Callable[[Mapping[str, object]], object]:
        return lambda values: _compared(name, check_value(name, types[name], values.get(name)))

    return tester(filter, schema, read)


def tester(
    filter: Filter, schema: Schema, read: Callable[[str], Callable[[T], object]]
) -> Callable[[T], bool]:
    """The same evaluator for whatever has values that were checked before.

    Args:
        filter: Any tree; it is checked first.
        schema: The declared fields.
        read: Makes, for a field's name, the function that reads its value: None for null, and milliseconds of
            `start` and `end`.
    """
    return fold(
        check(filter, schema),
        leaf=lambda leaf: _test(leaf, read(leaf.field)),
        all_of=_all_of,
        any_of=_any_of,
        negate=_negate,
    )


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


def _all_of(tests: Sequence[Callable[[T], bool]]) -> Callable[[T], bool]:
    def test(values: T) -> bool:
        for each in tests:  # noqa: SIM110 - `all` of a generator takes twice as long
            if not each(values):
                return False
        return True

    return test


def _any_of(tests: Sequence[Callable[[T], bool]]) -> Callable[[T], bool]:
    return lambda values: any(test(values) for test in tests)


def _negate(test: Callable[[T], bool]) -> Callable[[T], bool]:
    return lambda values: not test(values)


def _test(leaf: Condition, read: Callable[[T], object]) -> Callable[[T], bool]:
    holds, on_null = _TESTS[leaf.op], leaf.op in TRUE_ON_NULL
    wanted = _in_ms(leaf.value) if leaf.field in SPAN else leaf.value
    if leaf.op in (Op.IN, Op.NOT_IN):
        wanted = frozenset(cast("tuple[Value, ...]", wanted))  # there may be many

    def test(values: T) -> bool:
        given = read(values)
        return on_null if given is None else holds(given, wanted)

    return test


def _compared(name: str, value: Value | None) -> object:
    """A checked value as it is compared."""
    return to_ms(cast("float", value)) if name in SPAN and value is not None else value


def _in_ms(value: object) -> object:
    """The value of a leaf over `start` or `end`: seconds, two or more of them, or nothing."""
    if isinstance(value, tuple):
        return tuple(map(exact_ms, value))
    return exact_ms(value) if isinstance(value, float) else value
