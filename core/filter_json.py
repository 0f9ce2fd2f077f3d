"""The JSON form of filters, for HTTP and for what is stored; datetimes are ISO 8601 text.

A condition alone, and what it takes:

{"field": "year", "op": ">=", "value": 2020}            a leaf
{"field": "tags", "op": "any", "value": ["beach"]}      in, not in, any, all, none and between take a list
{"field": "place", "op": "exists"}                      exists takes no value
{"and": [...]}   {"or": [...]}   {"not": {...}}         joined
{}   null                                               ALL, which matches everything
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from .errors import InvalidQueryError
from .fields import did_you_mean, shown
from .filters import ALL, And, Condition, Filter, Limits, Not, Op, Or, fold

_LEAF_KEYS = ("field", "op", "value")
_JOINTS = ("and", "or", "not")


def to_json(filter: Filter) -> dict[str, object]:
    """The JSON form (see the module's docstring); instants become ISO 8601 text.

    Raises:
        InvalidQueryError: A value that no field can hold, or a tree beyond the limits.
    """
    if filter is ALL:  # as of most searches
        return {}
    return fold(
        filter,
        leaf=_leaf_to_json,
        all_of=lambda parts: {"and": parts} if parts else {},
        any_of=lambda parts: {"or": parts},
        negate=lambda part: {"not": part},
    )


def from_json(document: object) -> Filter:
    """Read the JSON form. Types are left to `check`, so instants stay text here.

    Raises:
        InvalidQueryError: With the place in the document, such as `and[1].op`.
    """
    return _parse(document, "", 1, Limits())


def _leaf_to_json(leaf: Condition) -> dict[str, object]:
    named: dict[str, object] = {"field": leaf.field, "op": str(leaf.op)}
    if leaf.op == Op.EXISTS:
        return named
    if isinstance(leaf.value, tuple):
        return {**named, "value": [_plain(leaf, value) for value in leaf.value]}
    return {**named, "value": _plain(leaf, leaf.value)}


def _plain(leaf: Condition, value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if not _is_json(value):
        takes = f"field {shown(leaf.field)}: {leaf.op} takes text, finite numbers, booleans and instants"
        raise InvalidQueryError(f"{takes}, not {shown(leaf.value)}")
    return value


def _is_json(value: object) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _parse(document: object, path: str, depth: int, limits: Limits) -> Filter:
    limits.enter(depth)
    if document is None:
        return ALL
    if not isinstance(document, dict):
        raise _misread(path, f"an object is expected, not {shown(document)}")
    for key in document:
        if key not in _LEAF_KEYS and key not in _JOINTS:
            hint = did_you_mean(key, (*_LEAF_KEYS, *_JOINTS))
            raise _misread(path, f"unknown key {shown(key)}", hint)
    joints = [key for key in document if key in _JOINTS]
    if joints and len(document) > 1:
        raise _misread(path, f"{joints[0]!r} stands alone in its object")
    if joints:
        return _parse_joint(joints[0], document[joints[0]], path, depth, limits)
    return _parse_leaf(document, path) if document else ALL


def _parse_joint(joint: str, inside: object, path: str, depth: int, limits: Limits) -> Filter:
    here = _under(path, joint)
    if joint == "not":
        return Not(_parse(inside, here, depth + 1, limits))
    if not isinstance(inside, list):
        raise _misread(here, f"a list is expected, not {shown(inside)}")
    parts = tuple(_parse(part, f"{here}[{i}]", depth + 1, limits) for i, part in enumerate(inside))
    return And(parts) if joint == "and" else Or(parts)


def _parse_leaf(document: Mapping[str, object], path: str) -> Filter:
    field, op = (_required_text(document, key, path) for key in ("field", "op"))
    if op not in tuple(Op):
        raise _misread(_under(path, "op"), f"unknown operator {shown(op)}", did_you_mean(op, Op))
    if op == Op.EXISTS and "value" not in document:
        return Condition(field, Op.EXISTS)
    if op == Op.EXISTS or "value" not in document:
        raise _misread(path, f"{op} takes {'no' if op == Op.EXISTS else 'a'} value")
    value = document["value"]
    if not all(map(_is_json, value if isinstance(value, list) else [value])):
        expected = "text, a finite number, a boolean or a list of them"
        raise _misread(_under(path, "value"), f"{expected} is expected, not {shown(value)}")
    return Condition(field, Op(op), value)


def _required_text(document: Mapping[str, object], key: str, path: str) -> str:
    if key not in document:
        raise _misread(path, f"{key!r} is missing")
    value = document[key]
    if not isinstance(value, str):
        raise _misread(_under(path, key), f"text is expected, not {shown(value)}")
    return value


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _misread(path: str, problem: str, hint: str | None = None) -> InvalidQueryError:
    return InvalidQueryError(f"filter at {path or 'its top'}: {problem}", hint=hint)
