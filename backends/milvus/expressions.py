"""Filters in Milvus' expressions. A value enters one through `literal` alone, which escapes it.

pymilvus pastes the `ids=` of its own calls unescaped, so ids go through `among`, too. What is written here is
read alike by Lite and by servers: lower-case words, no chained comparison, no templates, no `like` but for
lists that are kept as texts (escaped wildcards are read differently; a prefix is a range of strings), and
`not` round a whole test in parentheses.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterable

from ...core.fields import BUILT_IN, PRESENT
from ...core.lowering import (
    Always,
    And,
    Any,
    In,
    Never,
    Node,
    NotAny,
    NotIn,
    NotPrefix,
    NotRange,
    Or,
    Prefix,
    Range,
    Scalar,
    negate,
)
from . import lists

ID = "id"
EVERYTHING = f'{ID} != ""'  # no id is empty
NOTHING = f"{ID} in []"

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
_SURROGATES = range(0xD800, 0xE000)


def column(field: str) -> str:
    """The stored column of a field; a declared one's name has a prefix, for it may be a word of Milvus'."""
    return field if field in BUILT_IN or field == PRESENT else f"f_{field}"


def literal(value: Scalar) -> str:
    """A value as an expression has it; the only function that writes one."""
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    return repr(value)


def among(ids: Iterable[str]) -> str:
    """The rows of these ids."""
    return f"{ID} in {_list(ids)}"


def after(id: str, expression: str) -> str:
    """What matches beyond an id, in the order of ids."""
    bound = f"{ID} > {literal(id)}"
    return f"{bound} and ({expression})" if expression else bound


def expression(node: Node, *, packs: bool) -> str:
    """The expression of a filter; empty where every row matches.

    Args:
        node: The filter.
        packs: Whether the collection keeps lists as texts (`lists`).
    """
    return "" if isinstance(node, Always) else _expression(node, packs)


def _expression(node: Node, packs: bool) -> str:  # noqa: FBT001  # once for each node
    match node:
        case And(nodes):
            return " and ".join(f"({_expression(part, packs)})" for part in nodes)
        case Or(nodes):
            return " or ".join(f"({_expression(part, packs)})" for part in nodes)
        case In(name, values):
            return f"{column(name)} in {_list(values)}"
        case Any(name, texts) if packs:
            return lists.holding(column(name), texts, literal)
        case Any(name, texts):
            return f"array_contains_any({column(name)}, {_list(texts)})"
        case Prefix(name, text):
            return _begins(column(name), text)
        case Range(name):
            bounds = {">": node.gt, ">=": node.gte, "<": node.lt, "<=": node.lte}
            given = (
                f"{column(name)} {sign} {literal(bound)}"
                for sign, bound in bounds.items()
                if bound is not None
            )
            return " and ".join(given)
        case NotIn() | NotAny() | NotPrefix() | NotRange():
            return f"not ({_expression(negate(node), packs)})"
        case Always():
            return EVERYTHING
        case Never():
            return NOTHING
    typing.assert_never(node)


def _begins(name: str, text: str) -> str:
    """From the text on, and before the next that doesn't begin with it; texts are ordered by code points."""
    beyond = _beyond(text)
    lower = f"{name} >= {literal(text)}"
    return f"{lower} and {name} < {literal(beyond)}" if beyond else lower


def _beyond(text: str) -> str:
    """The smallest text above all that begin with this one; empty where there is none."""
    head = text.rstrip(chr(sys.maxunicode))
    if not head:
        return ""
    last = ord(head[-1]) + 1
    return head[:-1] + chr(_SURROGATES.stop if last in _SURROGATES else last)


def _list(values: Iterable[Scalar]) -> str:
    return f"[{', '.join(map(literal, values))}]"
