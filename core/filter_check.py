"""Filters against a schema and against values: the check before any call, and the reference evaluator."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, cast

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
    return fold(
        check(filter, schema),
        leaf=lambda leaf: _test(leaf, types[leaf.field]),
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


def _all_of(tests: Sequence[Test]) -> Test:
    return lambda values: all(test(values) for test in tests)


def _any_of(tests: Sequence[Test]) -> Test:
    return lambda values: any(test(values) for test in tests)


def _negate(test: Test) -> Test:
    return lambda values: not test(values)


def _test(leaf: Condition, type: FieldType) -> Test:
    name, holds, on_null = leaf.field, _TESTS[leaf.op], leaf.op in TRUE_ON_NULL
    spans = name in SPAN
    wanted = _in_ms(leaf.value) if spans else leaf.value

    def test(values: Mapping[str, object]) -> bool:
        given = check_value(name, type, values.get(name))
        if given is None:
            return on_null
        return holds(to_ms(cast("float", given)) if spans else given, wanted)

    return test


def _in_ms(value: object) -> object:
    """The value of a leaf over `start` or `end`: seconds, two or more of them, or nothing."""
    if isinstance(value, tuple):
        return tuple(map(exact_ms, value))
    return exact_ms(value) if isinstance(value, float) else value
