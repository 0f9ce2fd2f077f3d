"""Lists that Milvus Lite keeps as texts: none is lost, and an item is found where it is, and nowhere else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyreel.backends.milvus import MilvusStore, forms, lists
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.records import Record
from polyreel.core.requests import NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIGNS = st.text(st.sampled_from("ab|~%_\\\n\r\"'0123456"), max_size=5)
TEXTS = st.text(max_size=5) | SIGNS
SPEC = CollectionSpec("clips", Space("test", "made-up", "1", 4), {"tags": FieldType.STRINGS})


@given(st.lists(TEXTS, max_size=5))
@example([])
@example([""])
@example(["", ""])
@example(["|", "~", "~1", "%", "_", "\\", "\n", "\r"])
def test_a_list_is_read_as_it_was_written(texts: list[str]) -> None:
    assert lists.unpacked(lists.packed(texts)) == texts


@given(st.lists(SIGNS, max_size=4), SIGNS)
@example(["a", "b"], "a|b")
@example(["a|b"], "a")
@example(["~1"], "|")
@example([], "")
@example(["ab"], "a_")
@example(["ab"], "a%")
def test_an_item_is_found_where_it_is_and_nowhere_else(texts: list[str], asked: str) -> None:
    patterns: list[str] = []

    def literal(pattern: str) -> str:
        patterns.append(pattern)
        return "it"

    assert lists.holding("tags", [asked], literal) == "tags like it"
    (found,) = pc.match_like(pa.array([lists.packed(texts)]), patterns[0]).to_pylist()
    assert found is (asked in texts)


def record(at: int, *tags: str) -> Record:
    return Record(str(at), "v", "file:///v.mp4", content=[1.0, 2.0, 3.0, 4.0], fields={"tags": tags})


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], MilvusStore]:
    return partial(MilvusStore, path=tmp_path / "clips.db")


def found(store: MilvusStore, *tags: str) -> list[str]:
    request = SearchRequest(NearVector([1.0, 2.0, 3.0, 4.0]), F.tags.any(*tags))
    return sorted(hit.id for hit in store.search([request])[0].hits)


def kind(store: MilvusStore, column: str) -> str:
    assert store._connection is not None
    described: Any = store._connection.client.describe_collection("clips")
    return str(next(field["type"].name for field in described["fields"] if field["name"] == column))


def test_a_new_collection_keeps_them_as_texts_and_one_of_before_its_lists(
    make: Callable[[], MilvusStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before, make() as store:
        before.setattr(forms, "packs_lists", lambda _: False)
        store.open(SPEC, create=True)
        store.upsert([record(1, "sea", "sun"), record(2, "sun")])
    with make() as store:
        store.open(SPEC, create=False)
        store.upsert([record(3, "sea")])
        store.update_fields(["2"], fields={"tags": ["sand"]})
        assert {kind(store, "f_tags"), kind(store, "present")} == {"ARRAY"}
        assert found(store, "sea") == ["1", "3"]
        assert found(store, "sand", "none") == ["2"]
        store.drop()
    with make() as store:
        store.open(SPEC, create=True)
        assert {kind(store, "f_tags"), kind(store, "present")} == {"VARCHAR"}
        store.upsert([record(1, "sea", "sun"), record(2)])
        assert found(store, "sea") == ["1"]
        assert store.fetch(["2"])["2"].fields == {"tags": ()}


def test_a_list_is_as_long_as_on_a_server(make: Callable[[], MilvusStore]) -> None:
    longest = [f"{at:05}" + "海" * 100 for at in range(4_096)]
    with make() as store:
        store.open(SPEC, create=True)
        store.upsert([record(1, *longest), record(2)])
        store.update_fields(["1"], uri="file:///moved.mp4")
        assert store.fetch(["1"])["1"].fields == {"tags": tuple(longest)}
        assert found(store, longest[4_000]) == ["1"]
        assert found(store, *longest[:500]) == ["1"]
