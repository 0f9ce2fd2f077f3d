from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from polyreel.core.discovery import discover
from polyreel.core.fields import FieldType, Schema, check_fields
from polyreel.core.inference import Inferred, infer

if TYPE_CHECKING:
    from pathlib import Path


def inferred(tmp_path: Path, *rows: dict[str, object], declared: Schema | None = None) -> Inferred:
    for number in range(len(rows)):
        (tmp_path / f"{number}.mp4").write_bytes(b"x")
    lines = [json.dumps({"uri": f"{number}.mp4", **row}) for number, row in enumerate(rows)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    return infer(discover([], rows=[tmp_path / "rows.jsonl"]), declared or {})


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([1, None, -5], "int"),
        ([1, 2.5], "float"),
        ([0.5], "float"),
        ([True, False], "bool"),
        (["2020-01-01T10:00:00Z", "2020-01-01T10:00:00+02:00"], "datetime"),
        (["2020-01-01T10:00:00"], "string"),
        (["2020-01-01T10:00:00Z", "yesterday"], "string"),
        (["a", ""], "string"),
        ([["a", "b"], []], "list[string]"),
    ],
)
def test_the_type_that_holds_all_values_is_inferred(tmp_path: Path, values: list[object], type: str) -> None:
    found = inferred(tmp_path, *({"x": value} for value in values))
    assert found.fields == {"x": type}
    assert found.notes == {}
    assert found.videos == len(values)


@pytest.mark.parametrize(
    "values", [[1, "one"], [True, 1], [{"a": 1}], [[1]], [2**60], ["a", ["a"]], [1, 2.5, "x"]]
)
def test_values_that_no_type_holds_get_a_note(tmp_path: Path, values: list[object]) -> None:
    found = inferred(tmp_path, *({"x": value} for value in values))
    assert found.fields == {}
    assert "x" in found.notes


def test_a_name_that_cannot_be_a_field_gets_a_note_and_declared_ones_stay(tmp_path: Path) -> None:
    found = inferred(
        tmp_path, {"my key": 1, "uri_": 2, "scope": 3, "year": "2020"}, declared={"year": FieldType.STRING}
    )
    assert found.fields == {"year": "string", "uri_": "int"}
    assert set(found.notes) == {"my key", "scope"}


def test_every_inferred_schema_takes_the_values_it_was_inferred_from(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"a": 1, "b": 1, "c": "2020-01-01T00:00:00Z", "d": ["x"], "e": True},
        {"a": 2, "b": 2.5, "c": "2020-01-01T00:00:00-01:00", "d": [], "e": None},
    ]
    found = inferred(tmp_path, *rows)
    assert len(found.fields) == 5
    for row in rows:
        fields, extra = check_fields(found.fields, row)
        assert fields
        assert extra == {}
