"""Copies between stores and bundles: equal record for record, and refused before anything is written."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyreel.backends.memory import MemoryStore
from polyreel.core import copy_verifying, copying
from polyreel.core.copying import CopyOptions, copy
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    ConfigurationError,
    IntegrityError,
    InvalidQueryError,
    LockedError,
    NotFoundError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.media import Modality
from polyreel.core.records import Record, Text
from polyreel.core.reshaping import converted
from polyreel.testing.store.rows import HOSTILE, SCHEMA
from polyreel.testing.strategies import records

from .conftest import OpenStack, Small, contents, many, put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from polyreel.core.requests import Receipt

NUMBERS = count()
MEMORY = "the stack 'b' keeps its records until this process ends"


def hostile(rows: Sequence[Record], text: str) -> list[Record]:
    """The same rows with ids and texts that break what isn't careful; each id once."""
    ids = [f"{HOSTILE[at % len(HOSTILE)][:80]}{at}" for at in range(len(rows))]
    return [
        replace(row, id=id, text=Text(text, (text,), text, text)) for id, row in zip(ids, rows, strict=True)
    ]


# -- there and back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [("memory", "edge", "memory"), ("edge", "memory", "edge")])
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(records(), min_size=1, max_size=12), text=st.text(max_size=12))
def test_any_records_are_the_same_after_a_store_a_bundle_and_another_store(
    open_stack: OpenStack, tmp_path: Path, kinds: Sequence[str], *, rows: list[Record], text: str
) -> None:
    name = f"try{next(NUMBERS)}"
    source, target, last = (open_stack(f"{name}{at}", kind) for at, kind in enumerate(kinds))
    put(source, hostile(rows, text))
    wanted = contents(source)
    assert len(wanted) == len(rows)
    assert source.copy_to(target).records == len(rows)
    assert target.copy_to(tmp_path / name).compared == len(rows)
    assert last.copy_from(tmp_path / name).records == len(rows)
    assert contents(target) == wanted
    assert contents(last) == wanted
    for search in (source, target, last):
        search.close()


def test_it_goes_piece_by_piece_and_says_how_far_it_is(
    open_stack: OpenStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_CHUNK", 2)
    source, target = open_stack("a"), open_stack("b")
    put(source, many(2600))
    heard: list[tuple[str, int, int | None]] = []
    source.copy_to(tmp_path / "bundle", progress=lambda *step: heard.append(step))
    assert heard == [("records", done, 2600) for done in (1000, 2000, 2600)]
    assert len(list((tmp_path / "bundle").glob("*.parquet"))) == 3
    assert target.copy_from(tmp_path / "bundle").compared == 200
    assert contents(target) == contents(source)


def test_a_second_copy_does_nothing_and_a_bundle_is_never_changed(
    open_stack: OpenStack, tmp_path: Path
) -> None:
    source, target, other = open_stack("a"), open_stack("b"), open_stack("c")
    put(source, many(30))
    source.copy_to(tmp_path / "bundle")
    for again, wanted in ((False, 30), (True, 0), (True, 0)):
        assert source.copy_to(target, dry_run=True).records == wanted, again
        for report in (source.copy_to(target), other.copy_from(tmp_path / "bundle")):
            assert report.records == wanted, again
            assert report.total == 30
    with pytest.raises(ConfigurationError, match="there is a bundle at"):
        source.copy_to(tmp_path / "bundle")
    with pytest.raises(ConfigurationError, match="there is a bundle at"):
        source.copy_to(tmp_path / "bundle", dry_run=True)


def test_a_dry_run_counts_and_writes_nothing(open_stack: OpenStack, tmp_path: Path) -> None:
    source, target = open_stack("a"), open_stack("b")
    put(source, many(30))
    for there in (target, tmp_path / "bundle"):
        report = source.copy_to(there, dry_run=True)
        assert (report.records, report.total, report.dry_run) == (30, 30, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    with pytest.raises(NotFoundError):
        target.count()


# -- what does not fit -----------------------------------------------------------------------------------


def test_another_space_is_refused_part_by_part_and_nothing_is_made(
    open_stack: OpenStack, tmp_path: Path
) -> None:
    source = open_stack("a")
    put(source, many(3))
    target = open_stack("b", embedder=Small("2", 9))
    for dry_run in (True, False):
        with pytest.raises(ConfigurationError, match=r"version is '2', stored '1'; dimension is 9, stored 8"):
            source.copy_to(target, dry_run=dry_run)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_store_that_vectorizes_takes_no_vectors(open_stack: OpenStack) -> None:
    source, store = open_stack("a"), MemoryStore()
    put(source, many(3))
    store.vectorizes = frozenset({Modality.VIDEO})
    store.space = Small().space
    with pytest.raises(UnsupportedError, match=r"vectorizes media by itself .*ingest the videos"):
        source.copy_to(open_stack("b", store=store))


def test_a_store_that_keeps_its_vectors_to_itself_is_refused(open_stack: OpenStack, tmp_path: Path) -> None:
    class Miser(MemoryStore):
        def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:
            return super()._fetch(ids, vectors=False)

    source = open_stack("a", store=Miser())
    put(source, many(3))
    with pytest.raises(UnsupportedError, match="doesn't give its vectors away"):
        source.copy_to(tmp_path / "bundle")


def test_nothing_to_copy_and_the_same_collection_are_told(open_stack: OpenStack, tmp_path: Path) -> None:
    source = open_stack("a")
    with pytest.raises(NotFoundError, match="there is no collection to copy in the stack 'a'"):
        source.copy_to(tmp_path / "bundle")
    put(source, many(3))
    with pytest.raises(InvalidQueryError, match="the same collection"):
        source.copy_to(source)
    with pytest.raises(NotFoundError, match="there is no bundle"):
        source.copy_from(tmp_path / "bundle")
    source.copy_to(tmp_path / "bundle")
    with pytest.raises(InvalidQueryError, match="both are bundles"):
        copy(tmp_path / "bundle", tmp_path / "other", CopyOptions())


def test_a_target_with_records_of_others_is_refused_unless_told(open_stack: OpenStack) -> None:
    source, target = open_stack("a"), open_stack("b")
    put(source, many(20))
    put(target, [replace(many(1)[0], id="mine"), replace(many(1)[0], fields={"year": 1})])
    for dry_run in (True, False):
        with pytest.raises(
            ConfigurationError, match=r"holds 2 records, none of which this copy brought.*--merge"
        ):
            source.copy_to(target, dry_run=dry_run)
    assert target.count() == 2
    assert source.copy_to(target, merge=True).records == 20
    assert target.count() == 21
    assert contents(target).items() >= contents(source).items()


def test_a_target_in_use_by_another_is_locked(open_stack: OpenStack) -> None:
    source, held, target = open_stack("a"), open_stack("b"), open_stack("b")
    put(source, many(3))
    put(held, many(3))
    with pytest.raises(LockedError, match="is in use by process"):
        source.copy_to(target)


def test_two_copies_into_one_target_at_once_are_refused(open_stack: OpenStack, tmp_path: Path) -> None:
    source, target = open_stack("a"), open_stack("b")
    put(source, many(3))
    source.copy_to(target)
    (ledger,) = (tmp_path / "b" / "state").glob("copy-*.sqlite")
    with sqlite3.connect(ledger, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LockedError, match="another process is at the same copy"):
            source.copy_to(target)
        other.execute("ROLLBACK")
    other.close()
    assert source.copy_to(target).records == 0


def test_the_targets_indexes_are_built_where_records_came_and_a_failure_is_only_told(
    open_stack: OpenStack,
) -> None:
    class Slow(MemoryStore):
        optimized = 0

        def _optimize(self, progress: Callable[[float], None]) -> None:
            self.optimized += 1
            progress(0.5)
            raise UnavailableError("no room for an index")

    store, heard = Slow(retry=RetryPolicy(attempts=1)), list[tuple[str, int, int | None]]()
    source, target = open_stack("a"), open_stack("b", store=store)
    put(source, many(3))
    assert source.copy_to(target, optimize=False).notes == (MEMORY,)
    assert store.optimized == 0
    report = source.copy_to(target, progress=lambda *step: heard.append(step))
    assert report.notes == ("the search indexes could not be built: no room for an index", MEMORY)
    assert (report.ok, store.optimized, heard) == (True, 1, [("% of the indexes", 50, 100)])


# -- another schema --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "value", "wanted"),
    [
        (FieldType.FLOAT, 5, 5.0),
        (FieldType.FLOAT, -(2**53), -(2.0**53)),
        (FieldType.INT, 5.0, 5),
        (FieldType.INT, 5.5, None),
        (FieldType.INT, 1e300, None),
        (FieldType.INT, True, None),
        (FieldType.BOOL, 1, None),
        (FieldType.STRING, 5, None),
        (FieldType.STRING, datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (FieldType.DATETIME, "2024-01-02T00:00:00Z", datetime(2024, 1, 2, tzinfo=UTC)),
        (FieldType.DATETIME, "2024-01-02", None),
        (FieldType.STRINGS, "one", None),
        (FieldType.STRINGS, ["one"], ("one",)),
        (FieldType.STRING, None, None),
    ],
)
def test_a_value_becomes_another_type_only_where_nothing_is_lost(
    type: FieldType, value: object, wanted: object
) -> None:
    result = converted(type, value)
    assert (result, result.__class__) == (wanted, wanted.__class__)


def test_a_changed_type_is_converted_where_every_value_keeps_all(open_stack: OpenStack) -> None:
    source = open_stack("a")
    put(source, many(5))
    target = open_stack("b", fields={**SCHEMA, "year": FieldType.FLOAT})
    assert source.copy_to(target).compared == 5
    assert [type(record.fields["year"]) for record, _ in contents(target).values()] == [float] * 5


def test_a_changed_type_that_loses_something_is_refused_with_a_count_and_nothing_is_written(
    open_stack: OpenStack, tmp_path: Path
) -> None:
    source = open_stack("a")
    rows = many(5)
    put(source, [replace(row, fields={"rating": at / 2, "year": at}) for at, row in enumerate(rows)])
    target = open_stack("b", fields={"rating": FieldType.INT, "year": FieldType.STRING})
    source.copy_to(tmp_path / "bundle")
    wanted = (
        "'rating' is float, in the target int: 2 of 5 .*'year' is int, in the target string: 5 of 5 values"
    )
    for dry_run in (True, False):
        with pytest.raises(ConfigurationError, match=wanted):
            source.copy_to(target, dry_run=dry_run)
        with pytest.raises(ConfigurationError, match=wanted):
            target.copy_from(tmp_path / "bundle", dry_run=dry_run)
    assert not (tmp_path / "b").exists()


def test_fields_move_to_and_from_extra_as_they_are_declared(open_stack: OpenStack) -> None:
    source = open_stack("a", fields={"taken": FieldType.DATETIME, "tags": FieldType.STRINGS})
    taken = datetime(2024, 1, 2, tzinfo=UTC)
    rows = [replace(row, fields={"taken": taken, "tags": ["x"]}) for row in many(3)]
    put(source, [replace(row, extra={"year": 1990 + at, "place": at}) for at, row in enumerate(rows)])
    target = open_stack("b", fields={"year": FieldType.INT, "place": FieldType.STRING})
    report = source.copy_to(target)
    all_ = "(3 of 3 records)"
    assert sorted(report.notes) == [
        f"the field 'place' is newly declared, but of another type than in `extra`, where it stays {all_}",
        "the field 'tags' isn't declared by the target and goes to `extra` (3 of 3 records)",
        "the field 'taken' isn't declared by the target and goes to `extra` (3 of 3 records)",
        "the field 'year' is newly declared and filled from `extra` (3 of 3 records)",
    ]
    for at, (record, _) in enumerate(sorted(contents(target).values(), key=lambda pair: pair[0].id)):
        assert record.fields == {"year": 1990 + at}
        assert record.extra == {"place": at, "tags": ["x"], "taken": "2024-01-02T00:00:00+00:00"}
    back = open_stack("c", fields={"taken": FieldType.DATETIME, "tags": FieldType.STRINGS})
    target.copy_to(back)
    assert contents(back) == contents(source)


# -- what goes wrong on the way --------------------------------------------------------------------------


class Fragile(MemoryStore):
    """Fails after some records, as often as told."""

    left = 1500
    failures = 1

    def _upsert(self, rows: Sequence[Record]) -> Receipt:
        self.left -= len(rows)
        if self.left < 0 and self.failures:
            self.failures -= 1
            raise UnavailableError("the disk is full")
        return super()._upsert(rows)


def test_a_copy_that_failed_goes_on_where_it_was(
    open_stack: OpenStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_CHUNK", 1)
    source, target = open_stack("a"), open_stack("b", store=Fragile(retry=RetryPolicy(attempts=1)))
    put(source, many(3000))
    with pytest.raises(UnavailableError, match="the disk is full"):
        source.copy_to(target)
    assert target.count() == 1500
    report = source.copy_to(target)
    assert (report.records, report.total, report.compared) == (1500, 3000, 200)
    assert contents(target) == contents(source)


def test_a_copy_that_came_out_otherwise_is_told_and_the_next_run_mends_it(open_stack: OpenStack) -> None:
    class Forgetful(MemoryStore):
        forgets = True

        def _upsert(self, rows: Sequence[Record]) -> Receipt:
            return super()._upsert([replace(row, text=Text()) for row in rows] if self.forgets else rows)

    store = Forgetful()
    source, target = open_stack("a"), open_stack("b", store=store)
    put(source, [replace(row, text=Text("a title")) for row in many(3)])
    with pytest.raises(IntegrityError, match="came out otherwise: its text differs"):
        source.copy_to(target)
    store.forgets = False
    assert source.copy_to(target).records == 3
    assert contents(target) == contents(source)


@pytest.mark.parametrize("part", ["content", "fields", "uri", "extra", "recipe"])
def test_a_difference_in_any_part_is_seen(part: str) -> None:
    row = replace(many(1)[0], content=[1.0, 0.0])
    others: dict[str, Any] = {
        "content": [1.0, 0.01],
        "fields": {},
        "uri": "x",
        "extra": {"a": 1},
        "recipe": "x",
    }
    other = replace(row, **{part: others[part]})
    assert copy_verifying._difference(row, row, cosine=True) is None
    assert copy_verifying._difference(row, replace(row, content=[2.0, 0.0]), cosine=True) is None
    assert copy_verifying._difference(row, replace(row, content=[2.0, 0.0]), cosine=False)
    assert copy_verifying._difference(row, other, cosine=True)
    assert copy_verifying._difference(row, None, cosine=True) == "it is missing"


def test_records_missing_at_the_end_are_counted(open_stack: OpenStack) -> None:
    source, target = open_stack("a"), open_stack("b")
    put(source, many(5))
    source.copy_to(target)
    target._opened().delete(["record 3"])
    with pytest.raises(IntegrityError, match=r"holds 4 records of the copy, .* has 5"):
        source.copy_to(target)
    assert source.copy_to(target).records == 5
    assert contents(target) == contents(source)
