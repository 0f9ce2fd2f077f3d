"""A batch of records is checked as each of them is: the same records, or the same refusal."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyreel.core import record_checks
from polyreel.core.errors import InvalidQueryError, PolyreelError
from polyreel.core.filters import Op
from polyreel.core.media import Media, Modality
from polyreel.core.record_checks import checked_record, checked_records
from polyreel.core.records import Record, Text, Vector
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.testing.store.rows import DIMENSION, FULL, NOON, SCHEMA, vectors
from polyreel.testing.strategies import records

VECTOR = vectors(1)[0]
EAST = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8)))
ODD: dict[str, list[Any]] = {
    "id": ["", "x" * 65, "x" * 257, "é" * 200, "\ud800", Op.IN, 3, None, ["a"]],
    "video_id": ["", "\ud800", None, Op.IN],
    "uri": ["\udfff", b"x", None],
    "recipe": ["\ud800", 7],
    "scope": ["clip", None],
    "channel": ["fused", 1],
    "start_ms": [-1, True, 1.0, 2**53 + 1, None],
    "end_ms": [-1, 2**60, "1"],
    "text": [None, "x", Text(title="\ud800"), Text(tags=("a", 1)), Text(caption=None)],  # type: ignore[arg-type]
    "content": [
        None,
        [],
        [1.0],
        [0.0] * DIMENSION,
        [math.nan, *VECTOR[1:]],
        [math.inf, *VECTOR[1:]],
        [10**400, *VECTOR[1:]],
        ["1", *VECTOR[1:]],
        [value * 1e9 for value in VECTOR],
        [value * 1e-9 for value in VECTOR],
        tuple(VECTOR),
        np.array(VECTOR, np.float32),
        np.array([VECTOR], np.float32),
        np.array([math.nan, *VECTOR[1:]]),
        Media(Modality.TEXT, text="x"),
        "x" * DIMENSION,
    ],
    "fields": [
        {name: value}
        for name in SCHEMA
        for value in (None, 1, 1.5, -0.0, True, 2**53 + 1, math.nan, "x", "\ud800", Op.IN, EAST)
    ]
    + [{name: value} for name in SCHEMA for value in (("a",), ("a", 1), ("\ud800",), (Op.IN,), ["a"], ())]
    + [{"unknown": 1}, {"unknown": object()}, {3: 1}, {Op.IN: 1}, MappingProxyType({}), None],
    "extra": [
        {"x": value} for value in (None, 2**60, math.nan, [1], {"a": 1}, Op.IN, "\ud800", b"x", True, -0.0)
    ]
    + [{Op.IN: 1}, {3: 1}, {"\ud800": 1}, MappingProxyType({"x": 1}), None],
}


def spec(metric: Metric = Metric.COSINE) -> CollectionSpec:
    return CollectionSpec("videos", Space("test", "test", "1", DIMENSION, metric), SCHEMA)


def outcome(batch: list[Record], each: bool, of: CollectionSpec) -> object:
    """The records, told apart as far as their types, or the error that they get."""
    try:
        found = [checked_record(row, of) for row in batch] if each else checked_records(batch, of)
    except PolyreelError as error:
        return type(error), str(error)
    except Exception as error:  # noqa: BLE001 - what is no error of ours is the same one, too
        return type(error)
    return [(row is given, repr(row)) for row, given in zip(found, batch, strict=True)]


def usual(count: int = 3) -> list[Record]:
    plain = replace(
        FULL, fields={**FULL.fields, "taken": NOON}, extra={"note": "é", "year2": 7, "lens": None}
    )
    return [replace(plain, id=f"r{at}", content=list(vector)) for at, vector in enumerate(vectors(count))]


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize(("part", "value"), [(part, value) for part in ODD for value in ODD[part]])
def test_an_odd_record_in_a_batch_is_checked_as_alone(metric: Metric, part: str, value: Any) -> None:
    batch = usual()
    batch[1] = replace(batch[1], **{part: value})
    assert outcome(batch, each=False, of=spec(metric)) == outcome(batch, each=True, of=spec(metric))


@given(st.lists(records(), max_size=5))
def test_any_batch_is_checked_as_its_records_are(batch: list[Record]) -> None:
    assert outcome(batch, each=False, of=spec()) == outcome(batch, each=True, of=spec())


def test_a_usual_batch_comes_back_itself_and_no_record_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record_checks, "checked_record", None)  # whoever calls it fails
    arrays = [replace(row, content=cast("Vector", np.array(row.content, np.float32))) for row in usual()]
    bare = [replace(row, fields={}, extra={}, text=Text()) for row in usual()]
    for batch in (usual(), arrays, bare):
        assert checked_records(batch, spec()) is batch


def test_of_several_wrong_records_the_first_is_named() -> None:
    batch = usual(4)
    batch[1] = replace(batch[1], content=[0.0] * DIMENSION)
    batch[2] = replace(batch[2], id="")
    with pytest.raises(InvalidQueryError, match="the vector of the record 'r1' is all zeros"):
        checked_records(batch, spec())
