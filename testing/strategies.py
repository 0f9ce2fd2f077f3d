"""Hypothesis strategies: records of the contract's schema, changes of them, and filters of every operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from ..core.fields import BUILT_IN, FieldType
from ..core.filters import OPERATORS, And, Condition, Filter, Not, Op, Or
from ..core.records import Channel, Record, Scope, Text
from .store.rows import HOSTILE, NOON, SCHEMA, vectors

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDS = ("a", "b", "c", "d", "e", "f", "g", "h", *HOSTILE[:8])
_VIDEOS = ("v1", "v2", "v3", "it's", "视频")
_TIMES_MS = (0, 1, 300, 999, 1000, 1500, 60_000)

# Few values each, so that records share them and filters meet them; floats that float32 keeps.
_POOLS: Mapping[FieldType, st.SearchStrategy[Any]] = {
    FieldType.STRING: st.sampled_from(("", "beach", "Beach", "beach house", "北京", *HOSTILE[:12]))
    | st.text(st.characters(codec="utf-8"), max_size=4),
    FieldType.INT: st.sampled_from((0, 1, -1, 2019, 2020, 2**53, -(2**53))),
    FieldType.FLOAT: st.sampled_from((0.0, -0.0, 0.5, 1.5, -3.25, 2.0, 1024.125)),
    FieldType.BOOL: st.booleans(),
    FieldType.DATETIME: st.sampled_from((_EPOCH, _EPOCH - timedelta(microseconds=1), NOON)),
    FieldType.STRINGS: st.sampled_from(("", "sea", "sun", "北京", *HOSTILE[:6])),  # of one item
}
_BUILT_IN_POOLS: Mapping[str, st.SearchStrategy[Any]] = {
    "video_id": st.sampled_from(_VIDEOS),
    "scope": st.sampled_from([scope.value for scope in Scope]),
    "start": st.sampled_from([ms / 1000 for ms in _TIMES_MS]) | st.just(0.2995),
    "end": st.sampled_from([ms / 1000 for ms in _TIMES_MS]),
    "uri": st.sampled_from(("", "file:///a.mp4", "it's.mp4")),
    "channel": st.sampled_from([channel.value for channel in Channel]),
}
_LISTS = frozenset({Op.IN, Op.NOT_IN, Op.ANY, Op.ALL, Op.NONE})


@dataclass(frozen=True, slots=True)
class Change:
    """Records to write, or a filter to delete by, or a patch of ids, or ids to delete."""

    records: Sequence[Record] = ()
    where: Filter | None = None
    ids: Sequence[str] = ()
    patch: Mapping[str, Any] | None = None


def seeded() -> st.SearchStrategy[list[float]]:
    """Vectors; few enough that some are equal."""
    return st.integers(0, 40).map(lambda seed: vectors(1, seed=seed)[0])


def records() -> st.SearchStrategy[Record]:
    """Records with vectors."""
    span = st.tuples(st.sampled_from(_TIMES_MS), st.sampled_from(_TIMES_MS)).map(sorted)
    return st.builds(
        lambda span, **parts: Record(start_ms=span[0], end_ms=span[1], **parts),
        span,
        id=st.sampled_from(_IDS),
        video_id=_BUILT_IN_POOLS["video_id"],
        uri=_BUILT_IN_POOLS["uri"],
        scope=st.sampled_from(Scope),
        channel=st.sampled_from(Channel),
        content=seeded(),
        text=_texts(),
        fields=_fields(),
    )


def changes(where: st.SearchStrategy[Filter]) -> st.SearchStrategy[Change]:
    """Writes, changes and deletions of the ids that `records` uses."""
    ids = st.lists(st.sampled_from(_IDS), min_size=1, max_size=4)
    patches = st.fixed_dictionaries(
        {}, optional={"fields": _fields(), "text": _texts(), "uri": _BUILT_IN_POOLS["uri"]}
    )
    return st.one_of(
        st.builds(Change, records=st.lists(records(), min_size=1, max_size=5)),
        st.builds(Change, where=where),
        st.builds(Change, ids=ids, patch=patches),
        st.builds(Change, ids=ids),
    )


def filters(*, prefix: bool = True) -> st.SearchStrategy[Filter]:
    """Trees over every declared field and built-in column, with every operator."""
    leaves: list[st.SearchStrategy[Filter]] = [
        _leaf(name, type, op)
        for name, type in {**SCHEMA, **BUILT_IN}.items()
        for op in OPERATORS[type]
        if prefix or op is not Op.PREFIX
    ]
    return st.recursive(st.one_of(leaves), _joined, max_leaves=6)


def _joined(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    parts = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(And, parts), st.builds(Or, parts))


def _leaf(name: str, type: FieldType, op: Op) -> st.SearchStrategy[Filter]:
    pool = _BUILT_IN_POOLS.get(name, _POOLS[type])
    values: st.SearchStrategy[Any] = pool
    if op in _LISTS:
        values = st.lists(pool, max_size=3).map(tuple)
    elif op is Op.BETWEEN:
        values = st.tuples(pool, pool)
    elif op is Op.EXISTS:
        values = st.none()
    return st.builds(Condition, st.just(name), st.just(op), values)


def _fields() -> st.SearchStrategy[dict[str, Any]]:
    """Any of the declared fields, and sometimes one that isn't."""
    declared = {
        name: st.lists(_POOLS[type], max_size=3) if type is FieldType.STRINGS else _POOLS[type]
        for name, type in SCHEMA.items()
    }
    return st.fixed_dictionaries({}, optional={**declared, "undeclared": st.lists(st.integers(-9, 9))})


def _texts() -> st.SearchStrategy[Text]:
    short = st.sampled_from(("", "a title", *HOSTILE[:10]))
    return st.builds(Text, short, st.lists(short, max_size=2).map(tuple), short, short)
