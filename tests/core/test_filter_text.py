"""The text form of filters: what it reads, how it refuses, and that nothing is lost on the way."""

import math
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyreel.core.errors import InvalidQueryError
from polyreel.core.fields import check_schema
from polyreel.core.filter_check import check
from polyreel.core.filter_text import MAX_TEXT, from_text, to_text
from polyreel.core.filters import (
    ALL,
    MAX_DEPTH,
    MAX_NODES,
    TAKES_LIST,
    And,
    Condition,
    F,
    Filter,
    Not,
    Op,
    Or,
)


class Size(IntEnum):
    SMALL = 1


A, B, C = F.a == 1, F.b == 2, F.c == 3

# text, tree
READINGS: list[tuple[str, Filter]] = [
    ("", ALL),
    (" \n\t", ALL),
    ("true", ALL),
    ("false", Or(())),
    ("not true", Not(ALL)),
    ('year >= 2020 and tags any ["beach", "dog"]', (F.year >= 2020) & F.tags.any("beach", "dog")),
    ('not (indoor == true) or title prefix "The "', ~(F.indoor == True) | F.title.prefix("The ")),  # noqa: E712
    (
        'taken between "2020-01-01T00:00:00Z" and "2021-01-01T00:00:00Z"',
        F.taken.between("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    ),
    ("year in [2019, 2020]", F.year.is_in([2019, 2020])),
    ("year not in [1]", F.year.not_in([1])),
    ("year not  \n in[]", F.year.not_in([])),
    ('tags none ["x"]', F.tags.none("x")),
    ("tags all ['x','y']", F.tags.all("x", "y")),
    ("rating exists", F.rating.exists()),
    ("not rating exists", ~F.rating.exists()),
    ("a==1", A),
    ("a != 1 and a<1 and a<=1", And((F.a != 1, F.a < 1, F.a <= 1))),
    ("a > 1 or a>=1", Or((F.a > 1, F.a >= 1))),
    ("a == 1 or b == 2 and c == 3", Or((A, And((B, C))))),
    ("a == 1 and b == 2 or c == 3", Or((And((A, B)), C))),
    ("(a == 1 or b == 2) and c == 3", And((Or((A, B)), C))),
    ("(a == 1 and b == 2) and c == 3", And((And((A, B)), C))),
    ("((a == 1))", A),
    ("not a == 1 and b == 2", And((Not(A), B))),
    ("not not a == 1", Not(Not(A))),
    ("not (a == 1 and b == 2)", Not(And((A, B)))),
    ("a between 1 and 2 and b == 2", And((F.a.between(1, 2), B))),
    ("a == 1 AND NOT b == 2 OR c == 3", Or((And((A, Not(B))), C))),
    ("year NOT IN [1] OR rating EXISTS", F.year.not_in([1]) | F.rating.exists()),
    ("x == TRUE or x == false", Or((F.x == True, F.x == False))),  # noqa: E712
    ("x == -1", F.x == -1),
    ("x>+1", F.x > 1),
    ("x == 0", F.x == 0),
    ("x == 1.0", F.x == 1.0),
    ("x == -.5e-3", F.x == -0.0005),
    ("x == 2E3", F.x == 2000.0),
    ("x == 9007199254740993", F.x == 9007199254740993),
    ("""x == 'it"s'""", F.x == 'it"s'),
    ('x == "it\'s"', F.x == "it's"),
    (r'x == "\\ \" \' \n \t \r \u00e9 \U0001F600"', F.x == "\\ \" ' \n \t \r é 😀"),
    ('x == "a\nb 海滩"', F.x == "a\nb 海滩"),
    ('x == "not (a == 1) and"', F.x == "not (a == 1) and"),
    ("`or` == 1 and `a b` exists", And((F["or"] == 1, F["a b"].exists()))),
    (r"`\u0060` exists", F["`"].exists()),
    (
        "any any [] and in in [1] and exists exists",
        And((F["any"].any(), F["in"].is_in([1]), F.exists.exists())),
    ),
    ("And == 1", F.And == 1),
    ("地点　==　'x'", F["地点"] == "x"),
]


@pytest.mark.parametrize(("text", "tree"), READINGS)
def test_a_text_reads_as_the_table_says(text: str, tree: Filter) -> None:
    assert from_text(text) == tree
    assert from_text(to_text(tree)) == tree


# tree, text
WRITINGS: list[tuple[Filter, str]] = [
    (ALL, "true"),
    (Or(()), "false"),
    (~ALL, "not true"),
    (And((A,)), "a == 1"),
    (~Or((And((A,)),)), "not (a == 1)"),
    ((A & B) | ~C, "a == 1 and b == 2 or not (c == 3)"),
    ((A | B) & C, "(a == 1 or b == 2) and c == 3"),
    (~~(A | B), "not not (a == 1 or b == 2)"),
    (F.x.between(-1, 2.5), "x between -1 and 2.5"),
    (F.x.is_in([True, 1, 1.0, 1e300]), "x in [true, 1, 1.0, 1e+300]"),
    (F.tags.any(), "tags any []"),
    (F.x == 'a"\\\n\x00\u2028é', r'x == "a\"\\\n\u0000\u2028é"'),
    (F["NOT"].exists(), "`NOT` exists"),
    (F["a-b`\n"].exists(), r"`a-b\u0060\n` exists"),
    (F.at >= datetime(2024, 5, 1, 12, tzinfo=UTC), 'at >= "2024-05-01T12:00:00+00:00"'),
    (Condition("x", Op.EQ, Op.NOT_IN), 'x == "not in"'),
    (Condition("x", Op.EQ, Size.SMALL), "x == 1"),
]


@pytest.mark.parametrize(("tree", "text"), WRITINGS)
def test_a_tree_is_written_as_the_table_says(tree: Filter, text: str) -> None:
    assert to_text(tree) == text


def test_an_instant_reads_back_as_the_same_instant() -> None:
    schema = check_schema({"at": "datetime"})
    tokyo = timezone(timedelta(hours=9))
    tree = F.at.between(datetime(2024, 5, 1, tzinfo=tokyo), datetime(2024, 5, 2, 0, 0, 0, 1, tzinfo=UTC))
    assert check(from_text(to_text(tree)), schema) == check(tree, schema)


KNOWN = "known: ==, !=, <, <=, >, >=, in, not in, between, prefix, any, all, none, exists"
BOOL = "write a == true if it is a bool"
LIST = 'a list looks like ["beach", "dog"] or [2019, 2020]'
LEFT = "the field stands on the left, as in year >= 2020"
SPAN = "write between 1 and 2"
ESCAPE = r"a backslash is written \\"
QUOTE = "put dates and other text in quotes: "
NULL = "a missing value is found with exists, as in not (year exists)"
GO_ON = "expected 'and', 'or' or the end after"

# text with the spot, problem, hint
ERRORS: list[tuple[str, str, str]] = [
    ("year >= ▸", "expected a value after '>='", ""),
    ("a▸", "expected an operator after 'a'", BOOL),
    ("not a ▸and b", "expected an operator after 'a', not 'and'", BOOL),
    ("in ▸[1]", "expected an operator after 'in', not '['", KNOWN),
    ("a ▸= 3", "expected an operator after 'a', not '='", "did you mean '=='?"),
    ("a ▸=> 3", "expected an operator after 'a', not '=>'", "did you mean '>='?"),
    ("a ▸<> 3", "expected an operator after 'a', not '<>'", "did you mean '!='?"),
    ("a ▸is 3", "expected an operator after 'a', not 'is'", "did you mean '=='?"),
    ("a▸:3", "expected an operator after 'a', not ':'", "did you mean '=='?"),
    ("a ▸betwen 1 and 2", "expected an operator after 'a', not 'betwen'", "did you mean 'between'?"),
    ("a ▸startswith 'x'", "expected an operator after 'a', not 'startswith'", "did you mean 'prefix'?"),
    ("a ▸Exists", "expected an operator after 'a', not 'Exists'", "did you mean 'exists'?"),
    ("a not ▸exists", "expected 'in' after 'not', not 'exists'", "any other not stands before the field"),
    ("a == 1 ▸&& b == 2", f"{GO_ON} '1', not '&&'", "did you mean 'and'?"),
    ("a == 1 ▸|| b == 2", f"{GO_ON} '1', not '||'", "did you mean 'or'?"),
    ("a == 1▸, b == 2", f"{GO_ON} '1', not ','", "did you mean 'and'?"),
    ("a == 1 ▸And b == 2", f"{GO_ON} '1', not 'And'", "did you mean 'and'?"),
    ("a == 1 ▸b == 2", f"{GO_ON} '1', not 'b'", ""),
    ("a == 1▸)", f"{GO_ON} '1', not ')'", ""),
    ("▸1 < a < 3", "expected a field, not '1'", LEFT),
    ("a < 3 ▸< 4", f"{GO_ON} '3', not '<'", ""),
    ("▸'a' == 1", "expected a field, not ''a''", LEFT),
    ("▸!(a == 1)", "expected a field, not '!'", "did you mean 'not'?"),
    ("a == 1 and▸", "expected a field after 'and'", ""),
    ("a == 1 and ▸or", "expected a field after 'and', not 'or'", ""),
    ("(▸)", "expected a field after '(', not ')'", ""),
    ("(a == 1▸", "expected 'and', 'or' or ')' after '1'", ""),
    ("a == ▸beach", "expected a value after '==', not 'beach'", 'put text in quotes: "beach"'),
    ("a == ▸True", "expected a value after '==', not 'True'", "did you mean 'true'?"),
    ("a == ▸null", "expected a value after '==', not 'null'", NULL),
    ("a in [1, ▸None]", "expected a value after ',', not 'None'", NULL),
    ("a == ▸not b", "expected a value after '==', not 'not'", ""),
    ("a == ▸[1]", "expected a value after '==', not '['", "in and not in take a list"),
    ("a == ▸“x”", "expected a value after '==', not '“'", "text stands in straight quotes"),
    ("a in ▸(1, 2)", "expected '[' after 'in', not '('", LIST),
    ("a any ▸'x'", "expected '[' after 'any', not ''x''", LIST),
    ("a in [1, ▸]", "expected a value after ',', not ']'", ""),
    ("a in [1 ▸2]", "expected ',' or ']' after '1', not '2'", ""),
    ("a in [1▸", "expected ',' or ']' after '1'", ""),
    ("a between ▸[1, 2]", "expected a value after 'between', not '['", SPAN),
    ("a between 1▸, 2", "expected 'and' after '1', not ','", SPAN),
    ("a == ▸'x", "the quote ' is never closed", ""),
    (r'a == ▸"x\"', 'the quote " is never closed', ""),
    ("▸`a == 1", "the quote ` is never closed", ""),
    (r'a == "C:▸\dir"', r"'\d' stands for no character", ESCAPE),
    (r'a == "▸\u12"', r"'\u' stands for no character", ESCAPE),
    (r'a == "▸\ud83d"', r"'\ud83d' stands for no character", ESCAPE),
    (r'a == "▸\U00110000"', r"'\U00110000' stands for no character", ESCAPE),
    ("a == ▸007", "'007' is no number", f'{QUOTE}"007"'),
    ("a > ▸2020-01-01", "'2020-01-01' is no number", f'{QUOTE}"2020-01-01"'),
    ("a > ▸1e999", "'1e999' is more than a field can hold", ""),
]


@pytest.mark.parametrize(("marked", "problem", "hint"), ERRORS)
def test_a_text_that_cannot_be_read_is_refused_at_its_column(marked: str, problem: str, hint: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        from_text(marked.replace("▸", ""))
    where = f"the filter can't be read at column {marked.index('▸') + 1}"
    assert str(caught.value) == f"{where}: {problem} ({marked})" + (f"; {hint}" if hint else "")


# text, column, excerpt
EXCERPTS = [
    ("a == 1 \x07", 8, r"(a == 1 ▸\u0007)"),
    ('a == "\udcff"', 7, r'(a == "▸\udcff")'),
    ("a == 1 and\nb == 2\n\nand c == 3 or (d", 36, r"(…b == 2\n\nand c == 3 or (d▸)"),
    ("a == " + "b" * 90, 6, f"(a == ▸{'b' * 24}…)"),
    ("(" * 65 + "a", 65, f"(…{'(' * 24}▸(a)"),
    ("not " * 64 + "(a", 257, f"(…{'not ' * 6}▸(a)"),
]


@pytest.mark.parametrize(("text", "column", "excerpt"), EXCERPTS)
def test_an_excerpt_is_short_and_printable(text: str, column: int, excerpt: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        from_text(text)
    assert f"at column {column}: " in str(caught.value)
    assert excerpt in str(caught.value)
    assert str(caught.value).isprintable()


def test_what_is_no_text_is_refused() -> None:
    for other in (None, 3, b"a == 1", {"field": "a"}):
        with pytest.raises(InvalidQueryError, match="a filter's text is expected, not"):
            from_text(other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "leaf",
    [
        Condition("x", Op.EQ, None),
        Condition("x", Op.EQ, math.nan),
        Condition("x", Op.EQ, -math.inf),
        Condition("x", Op.EQ, 10**5000),
        Condition("x", Op.EQ, b"x"),
        Condition("x", Op.EQ, (1, 2)),
        Condition("x", Op.EQ, "\ud800"),
        Condition("x", Op.IN, "x"),
        Condition("x", Op.IN, [[1]]),
        Condition("x", Op.BETWEEN, [1, 2, 3]),
        Condition("x", Op.EXISTS, value=True),
        Condition("x", "~=", 1),  # type: ignore[arg-type]
        Condition(3, Op.EQ, 1),  # type: ignore[arg-type]
        Condition("\ud800", Op.EQ, 1),
    ],
)
def test_what_no_field_can_hold_is_not_written(leaf: Condition) -> None:
    with pytest.raises(InvalidQueryError, match="can't be written as text; check says") as caught:
        to_text(leaf)
    assert len(str(caught.value).splitlines()) == 1


# Limits.


def _deep(levels: int) -> Filter:
    tree: Filter = A
    for level in range(levels):
        tree = (And((B, tree)), Or((tree, C)), Not(tree))[level % 3]
    return tree


def test_the_limits_are_those_of_the_tree() -> None:
    assert from_text(to_text(_deep(MAX_DEPTH - 1))) == _deep(MAX_DEPTH - 1)
    for tree in (_deep(MAX_DEPTH), Or((A,) * MAX_NODES)):
        with pytest.raises(InvalidQueryError, match="at most"):
            to_text(tree)
    assert from_text(to_text(Or((A,) * (MAX_NODES - 1)))) == Or((A,) * (MAX_NODES - 1))
    side_by_side = "(a == 1) and not (b == 2) and " * (2 * MAX_DEPTH) + "true"
    assert from_text(side_by_side) == And((*(A, Not(B)) * (2 * MAX_DEPTH), ALL))
    with pytest.raises(InvalidQueryError, match=r"at column 1: a filter nests at most 64 deep"):
        from_text("not " * (MAX_DEPTH - 1) + "(a == 1 and b == 2)")
    with pytest.raises(InvalidQueryError, match=r"at column 90001: a filter has at most 10000 nodes"):
        from_text("a==1 and " * MAX_NODES + "a==1")
    with pytest.raises(InvalidQueryError, match=r"at column 155: a filter nests at most 64 deep"):
        from_text("a==1 and (b==1 or " * 40 + "c==1 and d==1" + ")" * 40)


def test_a_long_text_is_refused_and_any_other_one_is_read_in_no_time() -> None:
    assert from_text("a == 1".ljust(MAX_TEXT)) == A
    with pytest.raises(InvalidQueryError, match=r"at column 100001: a filter has at most 100000 characters"):
        from_text("a == 1".ljust(MAX_TEXT + 1))
    began = time.perf_counter()
    pieces = [*"([\"'\\`9-a =\0", "not ", '"\\', "'\"", "a.", "a==1 or ", "a in [", "a==1 and ("]
    for text in (*(piece * (MAX_TEXT // len(piece)) for piece in pieces), "a in [" + "1, " * 33_000 + "1]"):
        _read_or_refuse(text)
    assert time.perf_counter() - began < 10


# Everything else.

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
_SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS
    | st.sampled_from(["and", "true", '"', "'", "\\", "`", "1", "]", "\\u0041"])
)
_FIELDS = st.sampled_from(["year", "_x", "and", "NOT", "true", "any", "in", "exists", "a b", "`"]) | _TEXTS


def _leaves(op: Op) -> st.SearchStrategy[Filter]:
    values: st.SearchStrategy[Any] = _SCALARS
    if op is Op.BETWEEN:
        values = st.tuples(_SCALARS, _SCALARS)
    elif op in TAKES_LIST:
        values = st.lists(_SCALARS, max_size=3)
    return st.builds(Condition, _FIELDS, st.just(op), st.none() if op is Op.EXISTS else values)


def _joints(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, parts)


_LEAVES = st.sampled_from(Op).flatmap(_leaves) | st.sampled_from([ALL, Or(())])
_TREES = st.recursive(_LEAVES, _joints, max_leaves=20)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(_TREES)
def test_every_tree_comes_back_from_its_text(tree: Filter) -> None:
    text = to_text(tree)
    assert from_text(text) == tree
    assert to_text(from_text(text)) == text
    assert text.isprintable()


def _read_or_refuse(text: str) -> bool:
    try:
        tree = from_text(text)
    except InvalidQueryError as error:
        message = str(error)
        message.encode()
        assert message.startswith("the filter can't be read at column ")
        assert message.isprintable()
        assert len(message) < 1000
        return False
    assert from_text(to_text(tree)) == tree
    return True


_PIECES = [
    *"()[],\"'`\\=<>!&|~.:-+_ \n\t\0\x1b\x7f\u2028\u202e\ud800\udfff\U0010ffff“，（é海0",
    *("and or not AND true false null year 1 -2.5e3 1e999 [1] (a==1) ((((".split()),
    *r"""'x' "x" `x` \u12 \U00110000""".split(),
    *map(str, Op),
    "9" * 5000,
]


def _mutated(random: Random) -> str:
    text = random.choice(READINGS)[0]
    for _ in range(random.randrange(4)):
        at, skip = random.randint(0, len(text)), random.choice((0, 0, 1, 2, 8))
        text = text[:at] + "".join(random.choices(_PIECES, k=random.randrange(3))) + text[at + skip :]
    return text


def _noise(random: Random) -> str:
    top = random.choice((0x80, 0x3000, sys.maxunicode + 1))
    return "".join(chr(random.randrange(top)) for _ in range(random.randrange(40)))


def _heap(random: Random) -> str:
    return random.choice(("", " ")).join(random.choices(_PIECES, k=random.randrange(30)))


def test_ten_thousand_hostile_texts_give_a_tree_or_one_line() -> None:
    random, began = Random(7), time.perf_counter()
    read = [
        _read_or_refuse(random.choice((_mutated, _mutated, _noise, _heap))(random)) for _ in range(10_000)
    ]
    assert min(sum(read), len(read) - sum(read)) > 1000
    assert time.perf_counter() - began < 20
