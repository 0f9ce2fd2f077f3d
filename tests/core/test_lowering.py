"""The normal form that adapters translate means what the user's filter means, on every row."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain, product
from random import Random
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from polyreel.core import lowering
from polyreel.core.errors import InvalidQueryError
from polyreel.core.fields import BUILT_IN, SPAN, FieldType, Schema, check_fields, row, to_ms
from polyreel.core.filter_check import check, matches
from polyreel.core.filter_json import from_json, to_json
from polyreel.core.filters import ALL, OPERATORS, And, Condition, F, Filter, Not, Op, Or
from polyreel.core.lowering import (
    Always,
    In,
    Never,
    NotAny,
    NotIn,
    Prefix,
    Range,
    columns,
    compile_node,
    leaves,
    lower,
    negate,
)
from polyreel.core.values import MAX_INT

SCHEMA: Schema = {
    "place": FieldType.STRING,
    "year": FieldType.INT,
    "rating": FieldType.FLOAT,
    "public": FieldType.BOOL,
    "shot_at": FieldType.DATETIME,
    "tags": FieldType.STRINGS,
}
SECOND = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def _present(name: str) -> lowering.Any:
    return lowering.Any("present", (name,))


def _both(*nodes: lowering.Node) -> lowering.And:
    return lowering.And(nodes)


def _either(*nodes: lowering.Node) -> lowering.Or:
    return lowering.Or(nodes)


FORMS: list[tuple[Filter, lowering.Node]] = [
    (ALL, Always()),
    (~ALL, Never()),
    (Or(()), Never()),
    (F.year == 2020, In("year", (2020,))),
    (F.year == 0, _both(_present("year"), In("year", (0,)))),
    (F.year != 2020, NotIn("year", (2020,))),
    (F.year != 0, _either(NotAny("present", ("year",)), NotIn("year", (0,)))),
    (~(F.year != 2020), In("year", (2020,))),
    (F.year.exists(), _present("year")),
    (~F.year.exists(), NotAny("present", ("year",))),
    (F.year.is_in([]), Never()),
    (F.year.not_in([]), Always()),
    (F.year.is_in([3, 1, 3]), In("year", (3, 1))),
    (F.year.is_in([3, 0]), _both(_present("year"), In("year", (3, 0)))),
    (F.rating.is_in([0, -0.0]), _both(_present("rating"), In("rating", (0.0,)))),
    (F.rating < 1, _both(_present("rating"), Range("rating", lt=1.0))),
    (F.year.between(1, 2), Range("year", gte=1, lte=2)),
    (F.year.between(0, 2), _both(_present("year"), Range("year", gte=0, lte=2))),
    (F.rating > 5e-324, _both(_present("rating"), Range("rating", gt=5e-324))),  # 0 in 32 bits
    (F.rating >= 0.5, Range("rating", gte=0.5)),
    (F.place == "", _both(_present("place"), In("place", ("",)))),
    (F.place.prefix("a"), Prefix("place", "a")),
    (F.year.exists() & (F.year > 3), Range("year", gt=3)),
    (F.year.exists() & (F.rating > 3), _both(_present("year"), Range("rating", gt=3.0))),
    (F.year.between(2, 1), Never()),
    (~F.year.between(2, 1), Always()),
    (~(F.year > 1), lowering.NotRange("year", gt=1)),
    (F.year.exists() & (F.year != 5), _both(_present("year"), NotIn("year", (5,)))),
    (F.public == True, In("public", (1,))),  # noqa: E712 - this is a filter
    (F.shot_at > SECOND, Range("shot_at", gt=1_000_000)),
    (F.place.prefix(""), _present("place")),
    (~F.uri.prefix("s3://"), lowering.NotPrefix("uri", "s3://")),
    (F.uri.prefix("s3://"), Prefix("uri", "s3://")),
    (F.uri.prefix(""), Always()),
    (F.uri.exists(), Always()),
    (F.scope == "clip", In("scope", ("clip",))),
    (F.tags.any("a", "b", "a"), lowering.Any("tags", ("a", "b"))),
    (F.tags.any(), Never()),
    (F.tags.all(), _present("tags")),
    (
        F.tags.all("a", "b"),
        _both(lowering.Any("tags", ("a",)), lowering.Any("tags", ("b",))),
    ),
    (F.tags.none("a"), NotAny("tags", ("a",))),
    (F.tags.none(), Always()),
    ((F.year > 1) & (F.year < 9), _both(Range("year", gt=1), Range("year", lt=9))),
    (And((F.year.exists(), And((F.year.exists(), ALL)))), _present("year")),
    (Or((F.scope == "clip", Or((F.scope == "clip",)))), In("scope", ("clip",))),
    ((F.scope == "clip") | F.uri.exists(), Always()),
    ((F.scope == "clip") & F.tags.any(), Never()),
    # Seconds become whole milliseconds.
    (F.start == 1.5, In("start", (1500,))),
    (F.start == 0.1 + 0.2, In("start", (300,))),
    (F.start == 1.0005, Never()),
    (F.start != 1.0005, Always()),
    (F.start.is_in([1.0005, 2]), In("start", (2000,))),
    (F.start == 1e300, Never()),
    (F.start > 1.0005, Range("start", gt=1000)),
    (F.start >= 1.0005, Range("start", gte=1001)),
    (F.start < 1.0005, Range("start", lt=1001)),
    (F.start <= 1.0005, Range("start", lte=1000)),
    (F.end.between(1.0001, 1.0009), Never()),
    (F.end < 1e300, Range("end", lt=2**60)),
]


@pytest.mark.parametrize(("filter", "form"), FORMS, ids=repr)
def test_a_filter_has_this_normal_form(filter: Filter, form: lowering.Node) -> None:
    assert lower(filter, SCHEMA) == form
    assert lower(~filter, SCHEMA) == negate(form)
    assert negate(negate(form)) == form
    assert hash(lower(filter, SCHEMA)) == hash(form)


def test_lowering_checks_the_filter() -> None:
    with pytest.raises(InvalidQueryError, match="did you mean 'year'"):
        lower(F.yaer == 1, SCHEMA)


def test_columns_and_leaves_name_all_that_a_store_must_read() -> None:
    node = lower((F.year == 1) & ~(F.uri.prefix("a") | F.tags.any("b")), SCHEMA)
    assert columns(node) == {"year", "uri", "tags"}
    assert columns(lower(F.year < 1, SCHEMA)) == {"year", "present"}
    assert lowering.NotPrefix("uri", "a") in set(leaves(node))
    assert columns(Always()) == set()


def test_a_row_without_a_column_is_as_one_whose_field_was_not_given() -> None:
    """A row written before a field was declared has no column of it."""
    old: dict[str, list[str]] = {"present": []}
    assert compile_node(lower(F.year != 1, SCHEMA))(old)
    for refused in (
        F.year > 1,
        F.year == 0,
        F.tags.all("a"),
        F.place.prefix("a"),
        F.place == "",
        F.rating < 1,
    ):
        assert not compile_node(lower(refused, SCHEMA))(old)
        assert compile_node(lower(~refused, SCHEMA))(old)


def test_a_large_flat_filter_is_compiled_without_deep_recursion() -> None:
    wide = Or(tuple(F.year == year for year in range(5000)))
    test = compile_node(lower(wide, SCHEMA))
    assert test(row(SCHEMA, {"year": 4999}))
    assert not test(row(SCHEMA, {"year": 5000}))


# The property: for any schema, row and filter, both evaluators agree.

_TEXT = st.sampled_from(
    ["", "a", "A", "ab", "\0", "é", "e\u0301", "%", "_", '" or 1==1', "\\", "\n", "𝕏", "present"]
)
_TEXTS = _TEXT | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
_INTS = st.sampled_from([0, 1, -1, 2, MAX_INT, -MAX_INT, MAX_INT - 1]) | st.integers(-MAX_INT, MAX_INT)
_FLOATS = st.sampled_from([0.0, -0.0, 0.1, 0.1 + 0.2, 1.0, 5e-324, -5e-324, 1e308, 2**53, 1]) | st.floats(
    allow_nan=False, allow_infinity=False
)
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-11, seconds=-7))])
_NEAR_EPOCH = st.builds(
    lambda micros, zone: (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).astimezone(zone),
    st.sampled_from([0, 1, -1, 10**6, 2**53 + 1]),
    _ZONES,
)
_DATETIMES = _NEAR_EPOCH | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=_ZONES)  # noqa: DTZ001
_ISO = _DATETIMES.map(datetime.isoformat)
_VALUES: Mapping[FieldType, st.SearchStrategy[object]] = {
    FieldType.STRING: _TEXTS,
    FieldType.INT: _INTS,
    FieldType.FLOAT: _FLOATS,
    FieldType.BOOL: st.booleans(),
    FieldType.DATETIME: _DATETIMES | _ISO,
    FieldType.STRINGS: st.lists(_TEXT, max_size=3),
}
_MS = st.sampled_from([0, 1, 300, 1000, 1001]) | st.integers(0, 10**11)
_SECONDS = _MS.map(lambda ms: ms / 1000)
_TIMES = _SECONDS | st.sampled_from([1.0005, 0.1 + 0.2, 1, -0.0, -1, 1e300, 5e-324]) | _FLOATS
_RANDOM = Random(7)
_SCHEMAS: list[Schema] = [SCHEMA, *({name: _RANDOM.choice([*FieldType]) for name in "abc"} for _ in range(7))]


def _leaves(schema: Schema, *, plain: bool) -> st.SearchStrategy[Filter]:
    """Leaves over all columns; with `plain`, only values that JSON keeps as they are."""
    types = {**BUILT_IN, **schema}
    values = {**_VALUES, FieldType.DATETIME: _ISO} if plain else _VALUES

    def leaf(name: str, op: Op) -> st.SearchStrategy[Filter]:
        value = _TIMES if name in SPAN else _TEXT if op in LISTS_OF_TEXT else values[types[name]]
        return _operand(op, value).map(lambda operand: Condition(name, op, operand))

    return st.one_of([leaf(name, op) for name in types for op in OPERATORS[types[name]]])


LISTS_OF_TEXT = (Op.ANY, Op.ALL, Op.NONE)


def _operand(op: Op, value: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    match op:
        case Op.EXISTS:
            return st.none()
        case Op.BETWEEN:
            return st.tuples(value, value)
        case Op.IN | Op.NOT_IN | Op.ANY | Op.ALL | Op.NONE:
            return st.lists(value, max_size=3).map(tuple)
    return value


def _trees(schema: Schema, *, plain: bool = False) -> st.SearchStrategy[Filter]:
    def joined(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
        parts = st.lists(inner, max_size=3).map(tuple)
        return st.builds(And, parts) | st.builds(Or, parts) | st.builds(Not, inner)

    return st.recursive(_leaves(schema, plain=plain), joined, max_leaves=8)


def _rows(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    built_in = {name: _SECONDS if name in SPAN else _TEXTS for name in BUILT_IN}
    declared = {name: st.none() | _VALUES[type] for name, type in schema.items()}
    return st.fixed_dictionaries(dict(built_in), optional=declared)


def _stored(schema: Schema, values: Mapping[str, Any]) -> dict[str, object]:
    fields, _ = check_fields(schema, {name: values[name] for name in schema if name in values})
    built_in = {name: to_ms(values[name]) if name in SPAN else values[name] for name in BUILT_IN}
    return {**row(schema, fields), **built_in}


def _case(schema: Schema) -> st.SearchStrategy[tuple[Schema, Filter, list[dict[str, Any]]]]:
    return st.tuples(st.just(schema), _trees(schema), st.lists(_rows(schema), min_size=1, max_size=4))


def test_the_normal_form_and_the_reference_agree_on_every_row() -> None:
    answers: dict[bool, int] = {True: 0, False: 0}

    @settings(derandomize=True, max_examples=400, deadline=None)
    @given(st.one_of([_case(schema) for schema in _SCHEMAS]))
    def agree(case: tuple[Schema, Filter, list[dict[str, Any]]]) -> None:
        schema, tree, rows = case
        node = lower(check(tree, schema), schema)
        _check_normal(node)
        test, opposite = compile_node(node), compile_node(negate(node))
        for values in rows:
            expected = matches(tree, values, schema)
            answers[expected] += 1
            event(f"{expected}")
            stored = _stored(schema, values)
            assert test(stored) is expected
            assert opposite(stored) is not expected
            assert matches(Not(Not(tree)), values, schema) is expected

    agree()
    assert min(answers.values()) > 200, answers


def _both_trees(schema: Schema) -> st.SearchStrategy[tuple[Schema, Filter, Filter]]:
    return st.tuples(st.just(schema), _trees(schema), _trees(schema, plain=True))


_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
_POOLS: Mapping[FieldType, list[Any]] = {
    FieldType.STRING: ["", "a", "A", "ab", "e\u0301", "é", "%"],
    FieldType.INT: [0, 1, -1, MAX_INT, -MAX_INT],
    FieldType.FLOAT: [0.0, -0.0, 1, 0.1, 5e-324, -1e308],
    FieldType.BOOL: [True, False],
    FieldType.DATETIME: [datetime(1970, 1, 1, tzinfo=UTC), _NOON, "2024-05-01T21:00:00+09:00", SECOND],
    FieldType.STRINGS: [[], ["a"], ["a", "b"], ["", "é"]],
}
_TIMES_SEEN = [0, 0.3, 1.0, 1.001, 1.002]
_TIMES_ASKED = [0, -0.0, 0.1 + 0.2, 1.0, 1.0005, 1.001, -1, 1e300]
_TABLE = [(name, op) for name, type in {**SCHEMA, **BUILT_IN}.items() for op in OPERATORS[type]]


def _operands(op: Op, pool: list[Any]) -> Iterator[object]:
    match op:
        case Op.EXISTS:
            yield None
        case Op.BETWEEN:
            yield from product(pool, pool)
        case Op.IN | Op.NOT_IN | Op.ANY | Op.ALL | Op.NONE:
            yield from chain([()], product(pool), product(pool, pool))
        case _:
            yield from pool


@pytest.mark.parametrize(("name", "op"), _TABLE)
def test_every_operator_agrees_on_every_pair_of_values_and_null(name: str, op: Op) -> None:
    type = {**SCHEMA, **BUILT_IN}[name]
    texts = type in (FieldType.STRING, FieldType.STRINGS)
    asked = _TIMES_ASKED if name in SPAN else _POOLS[FieldType.STRING if texts else type]
    seen: list[Any] = _TIMES_SEEN if name in SPAN else _POOLS[type]
    answers = set()
    for operand in _operands(op, asked):
        test = compile_node(lower(Condition(name, op, operand), SCHEMA))
        for value in seen if name in BUILT_IN else [*seen, None]:
            values = {**dict.fromkeys(BUILT_IN, ""), "start": 0, "end": 0, name: value}
            expected = matches(Condition(name, op, operand), values, SCHEMA)
            assert test(_stored(SCHEMA, values)) is expected, (operand, value)
            answers.add(expected)
    assert answers == ({True} if name in BUILT_IN and op is Op.EXISTS else {True, False})


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.one_of([_both_trees(schema) for schema in _SCHEMAS]))
def test_the_json_form_gives_every_tree_back(case: tuple[Schema, Filter, Filter]) -> None:
    schema, tree, plain = case
    assert from_json(json.loads(json.dumps(to_json(plain)))) == plain
    assert check(from_json(to_json(tree)), schema) == check(tree, schema)
    assert check(check(tree, schema), schema) == check(tree, schema)
    assert hash(check(from_json(to_json(tree)), schema)) == hash(check(tree, schema))


def _check_normal(node: lowering.Node, *, root: bool = True) -> None:
    """What the docstrings of the nodes promise."""
    if isinstance(node, lowering.And | lowering.Or):
        assert len(node.nodes) == len(set(node.nodes)) >= 2
        assert not any(isinstance(inner, type(node)) for inner in node.nodes)
        for inner in node.nodes:
            _check_normal(inner, root=False)
    elif isinstance(node, Always | Never):
        assert root
    else:
        _check_leaf(node)


def _check_leaf(leaf: lowering.Leaf) -> None:
    match leaf:
        case In(_, values) | NotIn(_, values) | lowering.Any(_, values) | NotAny(_, values):
            assert len(values) == len(set(values)) >= 1
            assert len(set(map(type, values))) == 1
            assert not any(isinstance(value, bool) for value in values)
            assert not any(
                isinstance(value, float) and math.copysign(1, value) < 0 == value for value in values
            )
        case Range() | lowering.NotRange():
            assert set(_bounds(leaf)) != {None}
        case Prefix(_, text) | lowering.NotPrefix(_, text):
            assert text


def _bounds(leaf: Range | lowering.NotRange) -> Iterator[float | None]:
    yield from (leaf.gt, leaf.gte, leaf.lt, leaf.lte)
