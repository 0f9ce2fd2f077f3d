"""Records whose text, fields and extra are read when somebody looks at them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import IntegrityError
from polyreel.core.records import Channel, Record, Scope, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyreel.core.records import Rest

WHOLE = Record(
    "id",
    "video",
    "file:///a.mp4",
    Scope.CLIP,
    0,
    5000,
    Channel.FUSED,
    "w5",
    None,
    Text("sea"),
    {"year": 1},
    {"a": 2},
)


def later(read: Callable[[], Rest] = lambda: (WHOLE.text, WHOLE.fields, WHOLE.extra)) -> Record:
    return Record.read_later(("id", "video", "file:///a.mp4", Scope.CLIP, 0, 5000, Channel.FUSED, "w5"), read)


def test_nothing_is_read_until_one_of_them_is_looked_at_and_then_once() -> None:
    reads: list[int] = []

    def read() -> Rest:
        reads.append(1)
        return WHOLE.text, WHOLE.fields, WHOLE.extra

    record = later(read)
    assert (record.id, record.video_id, record.start, record.end, record.content) == (
        "id",
        "video",
        0,
        5,
        None,
    )
    assert not reads
    assert record.fields == {"year": 1}
    assert (record.text, record.extra) == (Text("sea"), {"a": 2})
    assert reads == [1]


@pytest.mark.parametrize(
    "made",
    [
        lambda record: record,
        copy.copy,
        copy.deepcopy,
        lambda record: pickle.loads(pickle.dumps(record)),
        lambda record: replace(replace(record, uri="elsewhere"), uri=record.uri),
    ],
    ids=["itself", "a copy", "a deep copy", "pickled", "replaced"],
)
def test_it_is_the_record_that_was_stored_whatever_is_made_of_it(made: Callable[[Record], Record]) -> None:
    assert made(later()) == WHOLE
    assert repr(made(later())) == repr(WHOLE)
    assert asdict(made(later())) == asdict(WHOLE)


@pytest.mark.parametrize("record", [WHOLE, later()], ids=["whole", "read later"])
def test_any_other_name_is_no_attribute(record: Record) -> None:
    with pytest.raises(AttributeError, match="'Record' object has no attribute 'title'"):
        _ = record.title  # type: ignore[attr-defined]


def test_what_cannot_be_read_is_told_by_whoever_looks_and_told_again() -> None:
    def read() -> Rest:
        raise IntegrityError("a stored column holds nonsense")

    record = later(read)
    for _ in range(2):
        with pytest.raises(IntegrityError, match="nonsense"):
            _ = record.text
    assert record.uri == "file:///a.mp4"
