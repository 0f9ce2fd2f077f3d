"""The user's filters: Python and JSON forms, the check against a schema, and what each operator means."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyreel.core.errors import IntegrityError, InvalidQueryError
from polyreel.core.fields import (
    FieldType,
    check_extra,
    check_fields,
    check_schema,
    check_value,
    default_column,
    exact_ms,
    from_column,
    read_row,
    row,
    to_column,
    to_ms,
)
from polyreel.core.filter_check import check, matches
from polyreel.core.filter_json import from_json, to_json
from polyreel.core.filters import ALL, MAX_DEPTH, MAX_NODES, And, Condition, F, Filter, Not, Op, Or
from polyreel.core.values import MAX_INT

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
NOON_IN_TOKYO = NOON.astimezone(timezone(timedelta(hours=9)))
SCHEMA = check_schema(
    {
        "place": "string",
        "year": "int",
        "rating": "float",
        "public": "bool",
        "shot_at": "datetime",
        "tags": "list[string]",
    }
)
GIVEN = {
    "place": "Oslo",
    "year": 2020,
    "rating": 4.5,
    "public": False,
    "shot_at": NOON,
    "tags": ["sea", "dusk"],
    "start": 1.5,
    "end": 3.0,
    "channel": "visual",
}
LATER = NOON + timedelta(microseconds=1)

# filter, whether it holds on GIVEN, whether it holds where every declared field is null
MEANING = [
    (F.place == "Oslo", True, False),
    (F.place == "oslo", False, False),
    (F.place == "", False, False),
    (F.place != "Oslo", False, True),
    (F.place != "", True, True),
    (F.place.is_in(["Rome", "Oslo"]), True, False),
    (F.place.is_in([""]), False, False),
    (F.place.is_in([]), False, False),
    (F.place.not_in(["Rome"]), True, True),
    (F.place.not_in(["Oslo"]), False, True),
    (F.place.not_in([]), True, True),
    (F.place.prefix("Os"), True, False),
    (F.place.prefix("os"), False, False),
    (F.place.prefix(""), True, False),
    (F.place.exists(), True, False),
    (F.year == 2020, True, False),
    (F.year == 0, False, False),
    (F.year != 2020, False, True),
    (F.year < 2021, True, False),
    (F.year < 2020, False, False),
    (F.year <= 2020, True, False),
    (F.year > 2020, False, False),
    (F.year > -1, True, False),
    (F.year >= 2020, True, False),
    (F.year.between(2020, 2021), True, False),
    (F.year.between(2019, 2020), True, False),
    (F.year.between(2021, 2019), False, False),
    (F.year.is_in([1, 2020]), True, False),
    (F.year.not_in([1, 2020]), False, True),
    (F.year.exists(), True, False),
    (F.rating == 4.5, True, False),
    (F.rating > 4, True, False),
    (F.rating <= 4.25, False, False),
    (F.rating >= -0.0, True, False),
    (F.rating.between(-1, 1), False, False),
    (F.rating != 0, True, True),
    (F.public == False, True, False),  # noqa: E712 - this is a filter
    (F.public == True, False, False),  # noqa: E712
    (F.public != False, False, True),  # noqa: E712
    (F.public.exists(), True, False),
    (F.shot_at == NOON_IN_TOKYO, True, False),
    (F.shot_at == "2024-05-01T14:00:00+02:00", True, False),
    (F.shot_at < LATER, True, False),
    (F.shot_at >= LATER, False, False),
    (F.shot_at >= datetime(1970, 1, 1, tzinfo=UTC), True, False),
    (F.shot_at.is_in([LATER, NOON]), True, False),
    (F.tags.any("sea", "city"), True, False),
    (F.tags.any("city"), False, False),
    (F.tags.any(), False, False),
    (F.tags.all("sea", "dusk"), True, False),
    (F.tags.all("sea", "city"), False, False),
    (F.tags.all(), True, False),
    (F.tags.none("city"), True, True),
    (F.tags.none("city", "dusk"), False, True),
    (F.tags.none(), True, True),
    (F.tags.exists(), True, False),
    (F.start == 1.5, True, True),
    (F.start > 1.4999, True, True),
    (F.start > 1.5, False, False),
    (F.end < 3, False, False),
    (F.channel == "visual", True, True),
    (F.channel.exists(), True, True),
    (ALL, True, True),
    (Or(()), False, False),
    ((F.year > 2000) & F.tags.any("sea"), True, False),
    ((F.year > 2020) | F.tags.any("sea"), True, False),
    (~(F.year > 2020), True, True),
    (~(F.year.exists() & F.place.exists()), False, True),
]


@pytest.mark.parametrize(("filter", "on_given", "on_null"), MEANING, ids=lambda case: repr(case)[:60])
def test_an_operator_means_what_the_table_says(filter: Filter, on_given: bool, on_null: bool) -> None:
    null = {name: GIVEN[name] for name in ("start", "end", "channel")}
    assert matches(filter, GIVEN, SCHEMA) is on_given
    assert matches(filter, null, SCHEMA) is on_null
    assert matches(filter, {**null, "year": None, "tags": None}, SCHEMA) is on_null


@pytest.mark.parametrize("filter", [case[0] for case in MEANING], ids=repr)
def test_not_is_the_plain_opposite_also_on_null(filter: Filter) -> None:
    for values in (GIVEN, {"start": 1.5, "end": 3.0, "channel": "visual"}):
        assert matches(~filter, values, SCHEMA) is not matches(filter, values, SCHEMA)
        assert matches(~~filter, values, SCHEMA) is matches(filter, values, SCHEMA)


@pytest.mark.parametrize("filter", [case[0] for case in MEANING], ids=repr)
def test_json_and_repr_give_the_same_filter_back(filter: Filter) -> None:
    again = from_json(json.loads(json.dumps(to_json(filter))))
    assert check(again, SCHEMA) == check(filter, SCHEMA)
    names = {"F": F, "ALL": ALL, "datetime": __import__("datetime"), "__builtins__": {}}
    # The repr of an instant names its module, as Python writes it.
    assert matches(eval(repr(filter), names), GIVEN, SCHEMA) is matches(filter, GIVEN, SCHEMA)


def test_an_empty_list_and_an_empty_text_count_as_given() -> None:
    values = {"tags": [], "place": "", "year": 0, "public": False}
    for filter in (F.tags.exists(), F.tags.all(), F.place == "", F.place.prefix(""), F.year == 0):
        assert matches(filter, values, SCHEMA)
    assert matches(F.public == False, values, SCHEMA)  # noqa: E712
    assert not matches(F.tags.any("x"), values, SCHEMA)


def test_joining_the_same_way_stays_flat() -> None:
    a, b, c = F.year == 1, F.year == 2, F.year == 3
    assert a & b & c == a & (b & c) == And((a, b, c))
    assert a | b | c == a | (b | c) == Or((a, b, c))
    assert (a & b) | c == Or((And((a, b)), c))
    assert ALL & a == a
    assert ALL & ALL == ALL
    assert ~a == Not(a)


def test_filters_compare_and_hash_by_structure_and_type() -> None:
    assert Condition("year", Op.EQ, 1) == (F["year"] == 1)
    same = {F.tags.any("a"), F["tags"].any("a"), from_json({"field": "tags", "op": "any", "value": ["a"]})}
    assert len(same) == 1
    assert Condition("x", Op.EQ, 1) != Condition("x", Op.EQ, True)
    assert Condition("x", Op.EQ, 1) != Condition("x", Op.EQ, 1.0)
    assert F.x.is_in([1, 2]) != F.x.is_in([True, 2])
    assert F.x.is_in(iter([1, 2])) == Condition("x", Op.IN, [1, 2])  # any iterable


@pytest.mark.parametrize(
    "use",
    [
        lambda: bool(F.year > 1),
        lambda: (F.year > 1) and (F.year < 3),
        lambda: not (F.year > 1),
        lambda: 1 < F.year < 3,
        lambda: bool(F.public),
    ],
)
def test_a_filter_has_no_truth_value(use: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=re.escape("join filters with &, | and ~")):
        use()


def test_joining_with_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        (F.year > 1) & True  # type: ignore[operator]
    with pytest.raises(TypeError):
        (F.year > 1) | F.public  # type: ignore[operator]
    with pytest.raises(TypeError):
        F[0]  # type: ignore[index]
    with pytest.raises(AttributeError):
        F.__wrapped__  # noqa: B018 - inspect asks for it


WRONG: list[tuple[Any, str]] = [
    (F.yaer == 2020, "unknown field 'yaer' in a filter; did you mean 'year'?"),
    (F.zzz == 2020, "known: .*place"),
    (Condition(3, Op.EQ, 1), "unknown field 3"),  # type: ignore[arg-type]
    (F.tags == "sea", r"'tags' of type list\[string\] has no operator '=='; it has any, all, none, exists"),
    (F.place < "b", "'place' of type string has no operator '<'"),
    (F.public > False, "has no operator '>'; it has ==, !=, exists"),
    (F.year.prefix("2"), "has no operator 'prefix'"),
    (Condition("year", "~=", 2), "has no operator '~='"),  # type: ignore[arg-type]
    (F.year == "2020", "field 'year' takes an int .*, not '2020'"),
    (F.year == True, r"field 'year' takes an int .*, not True \(bool\)"),  # noqa: E712
    (F.year == 2020.0, r"not 2020.0 \(float\)"),
    (F.year == 2**53 + 1, "an int within ±2\\^53"),
    (F.year == 10**5000, "an int within ±2\\^53"),
    (Condition("rating", Op.GT, math.nan), "a finite float or an int"),
    (F.rating > math.inf, "a finite float or an int"),
    (F.rating > 10**400, "a finite float or an int"),
    (F.rating > True, "a finite float or an int"),
    (F.public == 1, "true or false"),
    (F.place == "\ud800", "a string that UTF-8 can encode"),
    (F.place == b"Oslo", "a string that UTF-8 can encode"),
    (F.shot_at > datetime(2024, 5, 1), "a datetime with a time zone"),  # noqa: DTZ001 - that is the mistake
    (F.shot_at > "2024-05-01", "a datetime with a time zone"),
    (F.shot_at > "noon", "a datetime with a time zone"),
    (F.shot_at > 1714557600, "a datetime with a time zone"),
    (F.shot_at > "0001-01-01T00:00:00+14:00", "a datetime with a time zone"),
    (F.year == None, "'year' can't be compared with null; use exists"),  # noqa: E711
    (F.year.is_in([2020, None]), "can't be compared with null"),
    (F.year.is_in([2020, "2021"]), "not '2021'"),
    (F.place.is_in("Oslo"), "in takes a list, not 'Oslo'"),
    (Condition("year", Op.BETWEEN, (1, 2, 3)), "between takes a list of two"),
    (Condition("year", Op.EXISTS, True), "exists takes no value"),
    (F.tags.any(["a", "b"]), "'tags' takes a string"),  # type: ignore[arg-type]
    (F.year == F.rating, "an int within"),
    (F.year, "a filter is expected"),
    ("year > 2020", "a filter is expected, not 'year > 2020'"),
    (None, "a filter is expected"),
    (And((F.year > 1, True)), "a filter is expected, not True"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("filter", "message"), WRONG)
def test_a_wrong_filter_is_refused_in_one_line_before_any_call(filter: Any, message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message) as caught:
        check(filter, SCHEMA)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400
    str(caught.value).encode()


def test_the_check_gives_values_their_one_form_and_changes_nothing_else() -> None:
    tree = (F.rating >= 4) & ~F.shot_at.between("2024-05-01T12:00:00Z", NOON_IN_TOKYO)
    checked = check(tree, SCHEMA)
    assert checked == And((F.rating >= 4.0, Not(F.shot_at.between(NOON, NOON))))
    assert check(checked, SCHEMA) == checked


DEEP = 200_000


def _deep(kind: Callable[[Filter], Filter], levels: int) -> Filter:
    tree: Filter = F.year == 1
    for _ in range(levels):
        tree = kind(tree)
    return tree


def _deep_json(key: str, levels: int) -> object:
    document: object = {"field": "year", "op": "exists"}
    for _ in range(levels):
        document = {key: document if key == "not" else [document]}
    return document


@pytest.mark.parametrize("key", ["and", "or", "not"])
def test_depth_has_a_limit_and_never_exhausts_the_stack(key: str) -> None:
    assert check(from_json(_deep_json(key, MAX_DEPTH - 1)), SCHEMA) != ALL
    for levels in (MAX_DEPTH, DEEP):
        with pytest.raises(InvalidQueryError, match="nests at most 64 deep"):
            from_json(_deep_json(key, levels))


def test_a_deep_tree_from_python_is_refused_as_well() -> None:
    for act in (lambda tree: check(tree, SCHEMA), to_json, lambda tree: matches(tree, GIVEN, SCHEMA)):
        with pytest.raises(InvalidQueryError, match="nests at most 64 deep"):
            act(_deep(Not, MAX_DEPTH))
    check(_deep(Not, MAX_DEPTH - 1), SCHEMA)


def test_size_has_a_limit() -> None:
    leaf = {"field": "year", "op": "exists"}
    assert isinstance(from_json({"or": [leaf] * (MAX_NODES - 1)}), Or)
    with pytest.raises(InvalidQueryError, match="at most 10000 nodes"):
        from_json({"or": [leaf] * MAX_NODES})
    with pytest.raises(InvalidQueryError, match="at most 10000 nodes"):
        check(Or((F.year == 1,) * MAX_NODES), SCHEMA)
    doubled = F.year.exists()
    for _ in range(60):  # a small object, but 2^60 leaves
        doubled = Or((doubled, doubled))
    with pytest.raises(InvalidQueryError, match="at most 10000 nodes"):
        check(doubled, SCHEMA)
    many = F.year.is_in(range(50_000))  # values are no nodes
    assert matches(many, GIVEN, SCHEMA)


def test_the_json_form_reads_as_documented() -> None:
    document = {
        "and": [
            {"field": "year", "op": ">=", "value": 2020},
            {
                "or": [
                    {"field": "tags", "op": "any", "value": ["a"]},
                    {"not": {"field": "place", "op": "exists"}},
                ]
            },
            {"field": "shot_at", "op": "between", "value": ["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"]},
        ]
    }
    shot = F.shot_at.between("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
    tree = And((F.year >= 2020, F.tags.any("a") | ~F.place.exists(), shot))
    assert from_json(document) == tree
    assert to_json(tree) == document
    assert from_json({}) == from_json(None) == from_json({"and": []}) == ALL
    assert to_json(ALL) == {}
    assert from_json({"not": {}}) == ~ALL


MISREAD: list[tuple[object, str]] = [
    ([], r"filter at its top: an object is expected, not \[\]"),
    ("year > 1", "filter at its top: an object is expected"),
    (
        {"and": [{}, {"field": "year", "op": "=>", "value": 1}]},
        r"filter at and\[1\].op: unknown operator '=>'; did you",
    ),
    ({"not": {"field": "tags", "op": "anny", "value": []}}, "filter at not.op: .*; did you mean 'any'"),
    ({"or": [{"not": {"and": 3}}]}, r"filter at or\[0\].not.and: a list is expected, not 3"),
    ({"and": {}}, "filter at and: a list is expected"),
    ({"adn": []}, "unknown key 'adn'; did you mean 'and'"),
    ({1: []}, "unknown key 1"),
    ({"and": [], "or": []}, "'and' stands alone in its object"),
    ({"field": "year", "op": "exists", "not": {}}, "'not' stands alone in its object"),
    ({"field": "year"}, "filter at its top: 'op' is missing"),
    ({"op": "==", "value": 1}, "filter at its top: 'field' is missing"),
    ({"field": "year", "op": "=="}, "filter at its top: == takes a value"),
    ({"field": "year", "op": "exists", "value": None}, "exists takes no value"),
    ({"field": 3, "op": "=="}, "filter at field: text is expected, not 3"),
    ({"field": "year", "op": None}, "filter at op: text is expected"),
    ({"field": "year", "op": "==", "value": None}, "filter at value: text, a finite number"),
    ({"field": "year", "op": "==", "value": {}}, "filter at value: text, a finite number"),
    ({"field": "year", "op": "in", "value": [1, [2]]}, "filter at value: text, a finite number"),
    ({"field": "year", "op": ">", "value": math.nan}, "filter at value: text, a finite number"),
]


@pytest.mark.parametrize(("document", "message"), MISREAD)
def test_wrong_json_is_refused_with_its_place(document: object, message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message) as caught:
        from_json(document)
    assert len(str(caught.value).splitlines()) == 1


def test_what_json_cannot_hold_is_refused_when_it_is_written() -> None:
    for value in (b"x", math.nan, None, [object()]):
        with pytest.raises(InvalidQueryError, match="takes text, finite numbers"):
            to_json(Condition("year", Op.EQ, value))


_WORDS = st.sampled_from(["and", "or", "not", "field", "op", "value", "year", "tags", "x", *Op])
_ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS
_JUNK = st.recursive(
    _ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_WORDS | st.text(max_size=3), inner, max_size=3)
        | st.fixed_dictionaries({"field": _ATOMS, "op": _WORDS, "value": inner})
        | st.fixed_dictionaries({"and": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=20,
)


def test_any_json_is_a_filter_or_one_clear_error() -> None:
    seen = {"read": 0, "checked": 0}
    refusals: list[str] = []

    @settings(derandomize=True, max_examples=400, deadline=None)
    @given(_JUNK)
    def read(document: object) -> None:
        try:
            tree = from_json(document)
            seen["read"] += 1
            check(tree, SCHEMA)
            seen["checked"] += 1
        except InvalidQueryError as error:
            refusals.append(str(error))

    read()
    assert min(*seen.values(), len(refusals)) > 20
    assert all(len(refusal.splitlines()) == 1 for refusal in refusals)


# Fields.


@pytest.mark.parametrize(
    "name", ["", "2x", "a b", "a.b", "ä", "year\n", "_x", "a" * 65, "start", "present", 3]
)
def test_a_name_that_some_engine_cannot_keep_is_refused(name: Any) -> None:
    with pytest.raises(InvalidQueryError, match="can't be a field"):
        check_schema({name: "int"})
    with pytest.raises(InvalidQueryError, match="did you mean 'string'"):
        check_schema({"title": "strin"})
    assert check_schema({"a" * 64: "int", "Year_2": "bool"})["Year_2"] is FieldType.BOOL


def test_metadata_splits_into_checked_fields_and_plain_extra() -> None:
    metadata = {
        "year": 2020,
        "rating": 4,
        "place": None,
        "tags": ["a"],
        "crew": {"a": (1, None)},
        "note": "é",
    }
    fields, extra = check_fields(SCHEMA, metadata)
    assert fields == {"year": 2020, "rating": 4.0, "tags": ("a",)}
    assert isinstance(fields["rating"], float)
    assert extra == {"crew": {"a": [1, None]}, "note": "é"}


@pytest.mark.parametrize("value", [object(), {1, 2}, math.nan, b"x", "\ud800", {"a": ["\udfff"]}, NOON])
def test_extra_that_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidQueryError, match="undeclared field 'x' takes a JSON value"):
        check_fields(SCHEMA, {"x": value})


def test_extra_that_is_too_deep_or_has_a_strange_key_is_refused() -> None:
    deep: list[object] = []
    for _ in range(DEEP):
        deep = [deep]
    with pytest.raises(InvalidQueryError, match="undeclared field 'x'"):
        check_fields(SCHEMA, {"x": deep})
    for key in (3, "\ud800", None):
        with pytest.raises(InvalidQueryError):
            check_fields(SCHEMA, {key: 1})  # type: ignore[dict-item]


STORED = [
    (FieldType.STRING, "é", "é"),
    (FieldType.INT, -MAX_INT, -MAX_INT),
    (FieldType.FLOAT, 5e-324, 5e-324),
    (FieldType.BOOL, True, 1),
    (FieldType.DATETIME, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), -1),
    (FieldType.DATETIME, datetime.max.replace(tzinfo=UTC), 253402300799999999),
    (FieldType.STRINGS, ("a", ""), ["a", ""]),
]


@pytest.mark.parametrize(("type", "value", "column"), STORED)
def test_a_column_gives_its_value_back(type: FieldType, value: Any, column: object) -> None:
    assert to_column(type, value) == column
    assert to_column(type, value).__class__ is column.__class__
    assert from_column(type, column) == value
    assert from_column(type, column).__class__ is value.__class__
    assert check_value("x", type, value) == value


def test_no_negative_zero_is_stored() -> None:
    assert str(to_column(FieldType.FLOAT, -0.0)) == "0.0"


@pytest.mark.parametrize("type", FieldType)
def test_a_column_of_another_type_is_an_integrity_error(type: FieldType) -> None:
    with pytest.raises(IntegrityError):
        from_column(type, None)
    assert to_column(type, from_column(type, default_column(type))) == default_column(type)


def test_a_row_has_every_column_and_names_what_was_given() -> None:
    stored = row(SCHEMA, {"year": 0, "tags": ()})
    assert stored == {
        "place": "",
        "year": 0,
        "rating": 0.0,
        "public": 0,
        "shot_at": 0,
        "tags": [],
        "present": ["year", "tags"],
    }
    assert read_row(SCHEMA, {**stored, "uri": "x"}) == {"year": 0, "tags": ()}
    assert default_column(FieldType.STRINGS) is not default_column(FieldType.STRINGS)


def test_metadata_that_is_right_as_it_is_comes_back_itself() -> None:
    metadata = {"year": 2020, "rating": 4.5, "tags": ("a", "\u6d77"), "place": "caf\u00e9", "shot_at": NOON}
    assert check_fields(SCHEMA, metadata)[0] is metadata
    extra = {"note": "\u6d77", "camera": 7, "iris": -0.0, "wide": False, "lens": None}
    assert check_extra(extra) is extra


@pytest.mark.parametrize(
    "metadata",
    [{"year": None}, {"tags": ["a"]}, {"rating": 4}, {"place": Op.IN}, {"tags": (Op.IN,)}, {"x": 1}],
)
def test_metadata_that_the_check_changes_comes_back_as_a_copy(metadata: dict[str, object]) -> None:
    given = dict(metadata)
    fields, _ = check_fields(SCHEMA, metadata)
    assert fields is not metadata
    assert metadata == given
    assert all(type(value) in (int, float, str, tuple) for value in fields.values())


@pytest.mark.parametrize("extra", [{"x": [1]}, {"x": Op.IN}, {Op.IN: 1}, {"x": 2**60}])
def test_extra_that_can_change_or_is_no_plain_value_comes_back_as_a_copy(extra: dict[str, object]) -> None:
    checked = check_extra(extra)
    assert checked == extra
    assert checked is not extra
    assert {type(key) for key in checked} == {str}
    assert Op not in map(type, checked.values())


@pytest.mark.parametrize("tags", [(None,), ("a", 1), ["a", None], ("\ud800",), "a", {"a"}])
def test_a_list_of_anything_but_texts_is_refused(tags: object) -> None:
    with pytest.raises(InvalidQueryError, match="field 'tags' takes a list of strings"):
        check_fields(SCHEMA, {"tags": tags})


def test_an_enum_and_other_subclasses_become_plain_values() -> None:
    assert type(check_value("x", FieldType.STRING, Op.IN)) is str
    assert check_value("x", FieldType.STRING, Op.IN) == "in"


@pytest.mark.parametrize(
    ("seconds", "ms"),
    [(0.1 + 0.2, 300), (1.0005, 1000.5), (-0.0, 0), (10_000_000.001, 10_000_000_001), (4, 4000)],
)
def test_seconds_become_milliseconds_without_noise(seconds: float, ms: float) -> None:
    assert exact_ms(seconds) == ms
    assert abs(to_ms(seconds) - ms) <= 0.5
