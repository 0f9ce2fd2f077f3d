"""The bundle: what plain tools read in it, and what is refused before a record of it is used."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyreel.core import bundle_rows, bundle_writer
from polyreel.core.bundle import Bundle
from polyreel.core.bundle_rows import Rows
from polyreel.core.bundle_writer import BundleWriter
from polyreel.core.errors import (
    ConfigurationError,
    IntegrityError,
    LockedError,
    NotFoundError,
    PolyreelError,
    UnavailableError,
)
from polyreel.core.fields import FieldType
from polyreel.core.manifest import Manifest
from polyreel.core.record_checks import checked_record
from polyreel.core.records import Record
from polyreel.core.space import CollectionSpec, Space
from polyreel.testing.store.rows import DIMENSION, FULL, HOSTILE, SCHEMA, vectors
from polyreel.testing.strategies import records

from .conftest import many

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SPEC = CollectionSpec("videos", Space("toy", "hash", "1", DIMENSION), SCHEMA)


def same(one: Record, other: Record) -> bool:
    """Equal in every part, the vector to the last bit of its float32."""
    parts = [name for name in Record.__slots__ if name != "content"]
    vectors_ = [[float(value) for value in record.content] for record in (one, other)]  # type: ignore[union-attr]
    return vectors_[0] == vectors_[1] and all(getattr(one, name) == getattr(other, name) for name in parts)


def manifests(count: int) -> list[Manifest]:
    return [
        Manifest(f"{number:064x}", "file:///a.mp4", "s", "r", "t", "f", ("a",)) for number in range(count)
    ]


def written(path: Path, rows: Sequence[Record], *, size: int = 500, videos: int = 2) -> Bundle:
    writer = BundleWriter(path, "source", SPEC)
    batches = [(at + size, list(rows[at : at + size])) for at in range(0, len(rows), size)]
    for at in range(0, len(batches), 2):
        writer.write(batches[at : at + 2])
    writer.write_manifests(manifests(videos))
    writer.complete()
    writer.finish()
    return Bundle(path)


def full() -> Record:
    return Record(
        **{name: getattr(FULL, name) for name in Record.__slots__ if name != "content"}, content=vectors(1)[0]
    )


# -- what is in it ---------------------------------------------------------------------------------------


@given(st.lists(records(), max_size=8), st.sampled_from(HOSTILE), st.text(max_size=20))
def test_any_record_comes_back_as_it_was(rows: list[Record], hostile: str, text: str) -> None:
    given_ = [
        replace(row, id=f"{hostile[:100]}{at}", uri=text, extra={text: [hostile, None, 2**60]})
        for at, row in enumerate(rows)
    ]
    checked = [checked_record(row, SPEC) for row in given_]
    back = Rows(SPEC).records(Rows(SPEC).table(checked))
    assert len(back) == len(checked)
    assert all(same(one, other) for one, other in zip(checked, back, strict=True))


def test_a_record_with_every_part_comes_back_and_its_instant_is_one() -> None:
    checked = checked_record(full(), SPEC)
    (back,) = Rows(SPEC).records(Rows(SPEC).table([checked]))
    assert same(checked, back)
    assert back.fields["taken"] == FULL.fields["taken"]
    assert set(back.fields) == set(SCHEMA)


@pytest.mark.parametrize("instant", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_first_and_the_last_instant_are_kept(instant: datetime) -> None:
    record = many(1)[0]
    row = Record(id="a", video_id="v", uri="", content=record.content, fields={"taken": instant})
    assert Rows(SPEC).records(Rows(SPEC).table([row]))[0].fields == {"taken": instant}


def test_plain_pyarrow_and_json_read_what_the_page_describes(tmp_path: Path) -> None:
    written(tmp_path / "b", [full(), *many(3)])
    about = json.loads((tmp_path / "b" / "polyreel.json").read_text("utf-8"))
    assert (about["format"], about["version"], about["counts"]) == (
        "polyreel-bundle",
        1,
        {"records": 4, "videos": 2},
    )
    assert about["collection"] == SPEC.to_json()
    table = pq.read_table(tmp_path / "b" / about["records"][0]["name"])
    assert table.schema.field("vector").type == pa.list_(
        pa.field("item", pa.float32(), nullable=False), DIMENSION
    )
    kinds = {name: str(table.schema.field(f"field_{name}").type) for name in SCHEMA}
    assert kinds == {
        "year": "int64",
        "rating": "double",
        "place": "string",
        "outdoors": "bool",
        "taken": "timestamp[us, tz=UTC]",
        "tags": "list<element: string>",
    }
    rows = table.to_pylist()
    assert rows[0]["text_title"] == "A title"
    assert rows[0]["field_tags"] == ["sea", "sea", ""]
    assert json.loads(rows[0]["extra"]) == FULL.extra
    assert rows[1]["field_place"] is None
    lines = (tmp_path / "b" / about["manifests"][0]["name"]).read_text("utf-8").splitlines()
    assert [Manifest.from_json(json.loads(line)) for line in lines] == manifests(2)
    names = {"polyreel.json", "records-00000.parquet", "manifests"}
    assert {path.name for path in (tmp_path / "b").iterdir()} == names
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_records_are_found_by_row_by_id_and_from_a_place_on(tmp_path: Path) -> None:
    rows = many(23)
    bundle = written(tmp_path / "b", rows, size=5)
    assert bundle.records == 23
    assert [record.id for record in bundle.at([22, 0, 5, 4])] == [rows[at].id for at in (0, 4, 5, 22)]
    assert bundle.fetch([rows[11].id, "unknown"]).keys() == {rows[11].id}
    ends = [end for end, _ in bundle.batches()]
    assert ends == [5, 10, 15, 20, 23]
    for start in (0, *ends):
        assert [record.id for _, batch in bundle.batches(start) for record in batch] == [
            row.id for row in rows[start:]
        ]


def test_an_empty_collection_makes_a_bundle_too(tmp_path: Path) -> None:
    bundle = written(tmp_path / "b", [], videos=0)
    assert (bundle.records, bundle.videos, list(bundle.batches()), bundle.at([])) == (0, 0, [], [])


def test_many_manifests_are_written_to_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_writer, "_LINES", 3)
    bundle = written(tmp_path / "b", many(1), videos=7)
    assert list(bundle.manifests()) == manifests(7)
    assert sorted(path.name for path in (tmp_path / "b" / "manifests").iterdir()) == [
        "00000.jsonl", "00001.jsonl", "00002.jsonl",
    ]  # fmt: skip


# -- what is refused -------------------------------------------------------------------------------------


def _truncate(path: Path) -> None:
    part = path / "records-00000.parquet"
    os.truncate(part, part.stat().st_size - 7)


def _flip(path: Path) -> None:
    part = path / "records-00000.parquet"
    data = bytearray(part.read_bytes())
    data[100] ^= 1
    part.write_bytes(data)


def _index(change: Callable[[dict[str, object]], object]) -> Callable[[Path], object]:
    def spoil(path: Path) -> None:
        about = json.loads((path / "polyreel.json").read_text("utf-8"))
        change(about)
        (path / "polyreel.json").write_text(json.dumps(about))

    return spoil


SPOILED: dict[str, tuple[Callable[[Path], object], type[PolyreelError], str]] = {
    "truncated": (_truncate, IntegrityError, "records-00000.parquet has .* bytes, not"),
    "a bit flipped": (_flip, IntegrityError, "records-00000.parquet changed"),
    "a file missing": (
        lambda path: (path / "manifests/00000.jsonl").unlink(),
        IntegrityError,
        "00000.jsonl is missing",
    ),
    "no index": (lambda path: (path / "polyreel.json").unlink(), NotFoundError, "there is no bundle"),
    "gone": (shutil.rmtree, NotFoundError, "there is no bundle"),
    "not JSON": (lambda path: (path / "polyreel.json").write_text("{"), IntegrityError, "can't be read"),
    "a list": (lambda path: (path / "polyreel.json").write_text("[1]"), IntegrityError, "can't be read"),
    "a later version": (_index(lambda about: about.update(version=2)), IntegrityError, "upgrade polyreel"),
    "a store's own file": (_index(lambda about: about.update(format=1)), IntegrityError, "is no bundle"),
    "without its parts": (_index(lambda about: about.pop("records")), IntegrityError, "can't be read"),
    "without its space": (
        _index(lambda about: about["collection"].pop("space")),  # type: ignore[attr-defined]
        IntegrityError,
        "the bundle .*/b can't be read",
    ),
    "a name that is none": (
        _index(lambda about: about["collection"].update(name="a b")),  # type: ignore[attr-defined]
        IntegrityError,
        "the bundle .*/b can't be read",
    ),
    "another dimension": (
        _index(lambda about: about["collection"]["space"].update(dimension=9)),  # type: ignore[index]
        IntegrityError,
        "other columns",
    ),
}


@pytest.mark.parametrize(("spoil", "kind", "words"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_bundle_is_one_clear_error(
    tmp_path: Path, spoil: Callable[[Path], object], kind: type[PolyreelError], words: str
) -> None:
    written(tmp_path / "b", many(3))
    spoil(tmp_path / "b")
    with pytest.raises(kind, match=words) as caught:
        list(Bundle(tmp_path / "b").batches())
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_an_unfinished_bundle_says_so(tmp_path: Path) -> None:
    BundleWriter(tmp_path / "b", "source", SPEC).close()
    with pytest.raises(NotFoundError, match="cut short: run it again"):
        Bundle(tmp_path / "b")


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    written(tmp_path / "b", many(1))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match="there is a bundle at"):
        BundleWriter(tmp_path / "b", "source", SPEC)
    with pytest.raises(ConfigurationError, match="there is something at"):
        BundleWriter(tmp_path / "file", "source", SPEC)


def test_an_unfinished_bundle_goes_on_only_with_its_own_source(tmp_path: Path) -> None:
    first = BundleWriter(tmp_path / "b", "source", SPEC)
    first.write([(2, many(2))])
    with pytest.raises(LockedError, match="an unfinished bundle"):
        BundleWriter(tmp_path / "b", "source", SPEC)
    first.close()
    with pytest.raises(ConfigurationError, match="unfinished bundle of another collection"):
        BundleWriter(tmp_path / "b", "another", SPEC)
    second = BundleWriter(tmp_path / "b", "source", SPEC)
    assert second.place == 2
    second.close()


def test_a_full_disk_is_told_and_what_was_whole_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = BundleWriter(tmp_path / "b", "source", SPEC)
    writer.write([(2, many(2))])

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("polyreel.core.locks.os.fsync", full_disk)
        with pytest.raises(UnavailableError, match="No space left on device; free some space"):
            writer.write([(4, many(4)[2:])])
    writer.close()
    again = BundleWriter(tmp_path / "b", "source", SPEC)
    assert again.place == 2
    again.write([(4, many(4)[2:])])
    again.write_manifests([])
    again.complete()
    again.finish()
    assert [record.id for _, batch in Bundle(tmp_path / "b").batches() for record in batch] == [
        record.id for record in many(4)
    ]


def test_without_pyarrow_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"a bundle needs .*pip install \"polyreel\[bundle\]\""):
        bundle_rows.pyarrow()


def test_a_field_may_be_called_as_any_column() -> None:
    names = ("id", "vector", "text_title", "extra", "field_id")
    fields = dict.fromkeys(names, FieldType.STRING)
    spec = CollectionSpec("videos", SPEC.space, fields)
    row = Record("a", "v", "u", content=vectors(1)[0], fields={name: f"my {name}" for name in names})
    assert same(Rows(spec).records(Rows(spec).table([row]))[0], row)


def test_a_bundle_older_than_the_generated_texts_is_read() -> None:
    rows = Rows(SPEC)
    older = rows.table([full()]).drop_columns(["text_generated"])
    assert rows.reads(older.schema)
    assert not rows.reads(older.drop_columns(["text_caption"]).schema)
    (found,) = rows.records(older)
    assert found.text == replace(full().text, generated="")
