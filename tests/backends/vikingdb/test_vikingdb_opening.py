"""Making collections, waiting for their indexes, adding columns, and bulk tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.backends.vikingdb.control import Field, TaskConfig, TaskType
from polyreel.backends.vikingdb.options import IndexOptions, IndexType, Quant, Vectorize
from polyreel.core.errors import (
    ConfigurationError,
    IntegrityError,
    InvalidQueryError,
    NotFoundError,
    PolyreelError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.media import Modality
from polyreel.core.records import Record, Text
from polyreel.core.requests import NearVector, SearchRequest
from polyreel.core.space import Metric
from polyreel.testing.vikingdb import Emulator, Fault, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyreel.backends.vikingdb import VikingDBStore
    from polyreel.core.space import CollectionSpec

    StoreOf = Callable[..., Callable[[], VikingDBStore]]


def row(id: str, **parts: Any) -> Record:
    return Record(id, "v", "tos://b/v.mp4", **{"content": [1.0, 2.0, 3.0, 4.0], **parts})


@pytest.mark.parametrize(
    "words",
    [("CREATING", "ACTIVE"), ("CREATING", "READY"), ("初始化中", "已就绪"), ("creating", "ready"), None],
    ids=str,
)
def test_an_index_is_ready_in_whichever_words_the_service_says_so(
    store_of: StoreOf, plain: CollectionSpec, words: tuple[str, str] | None
) -> None:
    with emulating(Settings(ready_after=3, words=words)) as emulator, store_of(emulator)() as store:
        store.open(plain, create=True)
        assert len(emulator.bodies("GetVikingdbIndex")) >= 3
        store.wait(store.upsert([row("a")]))
        assert store.count() == 1


@pytest.mark.parametrize("word", ["FAILED", "失败"])
def test_an_index_that_failed_is_not_waited_for(store_of: StoreOf, plain: CollectionSpec, word: str) -> None:
    settings = Settings(ready_after=3, words=(word, "ACTIVE"))
    with emulating(settings) as emulator, store_of(emulator)() as store:
        with pytest.raises(RejectedError, match="couldn't build"):
            store.open(plain, create=True)
        assert len(emulator.bodies("GetVikingdbIndex")) == 2


def test_an_index_that_is_never_ready_ends_with_the_deadline(
    store_of: StoreOf, plain: CollectionSpec
) -> None:
    with emulating(Settings(ready_after=10**6)) as emulator, store_of(emulator, timeout=2.0)() as store:
        with pytest.raises(UnavailableError, match="not ready"):
            store.open(plain, create=True)
        assert emulator.control.collections.keys() == {"clips"}


def test_a_creation_that_was_cut_short_is_finished_by_the_next_opening(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    emulator.faults.plan("CreateVikingdbIndex", *[Fault(status=403, code="AccessDenied")])
    with pytest.raises(PolyreelError, match="AccessDenied"), store_of(emulator)() as store:
        store.open(plain, create=True)
    with store_of(emulator)() as store:
        store.open(plain, create=False)
        store.wait(store.upsert([row("a")]))
        assert store.count() == 1


@pytest.mark.parametrize("action", ["CreateVikingdbCollection", "CreateVikingdbIndex"])
def test_a_creation_whose_answer_was_lost_is_not_made_twice(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec, action: str
) -> None:
    emulator.faults.plan(action, Fault(cut=True, applied=True))
    with store_of(emulator)() as store:
        store.open(plain, create=True)
        made = json.loads(emulator.control.collections["clips"].body["Description"].partition(" ")[2])
        assert store.meta.uid == made["uid"]
        assert store.count() == 0


def test_of_two_that_create_it_the_later_takes_what_the_earlier_made(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    with store_of(emulator)() as first, store_of(emulator)() as second:
        first.open(plain, create=True)
        emulator.faults.plan("GetVikingdbCollection", Fault(status=404, code="NotFound.VikingdbCollection"))
        second.open(plain, create=True)
        assert second.meta.uid == first.meta.uid


@pytest.mark.parametrize("description", ["", "mine", "polyreel {", 'polyreel {"format": 9}'])
def test_a_collection_of_another_program_is_left_alone(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec, description: str
) -> None:
    with store_of(emulator)() as store:
        store.open(plain, create=True)
        emulator.control.collections["clips"].body["Description"] = description
        for create in (False, True):
            with pytest.raises(IntegrityError, match="clips"):
                store.open(plain, create=create)


def test_the_columns_are_typed_and_none_is_ever_missing(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    with store_of(emulator)() as store:
        store.open(plain, create=True)
    columns = emulator.control.collections["clips"].columns
    kinds = {name: column.type for name, column in columns.items()}
    assert kinds["polyreel_id"] == kinds["video_id"] == "string"
    assert kinds["present"] == "list<string>"
    assert (kinds["year"], kinds["rating"], kinds["start"]) == ("int64", "float32", "int64")
    assert columns["polyreel_vector"].dim == 4
    for column in columns.values():
        assert column.default is not None or column.name in ("polyreel_id", "polyreel_vector")
    (body,) = emulator.bodies("CreateVikingdbIndex")
    assert body["VectorIndex"] == {"IndexType": "hnsw", "Distance": "cosine", "Quant": "float"}
    assert {"present", "year", "rating", "polyreel_place"} <= set(body["ScalarIndex"])
    assert "polyreel_text" not in body["ScalarIndex"]


WRONG_SPECS: dict[str, tuple[dict[str, Any], type[PolyreelError]]] = {
    "a name that begins with _": ({"name": "_clips"}, ConfigurationError),
    "a field like our own columns": ({"fields": {"Polyreel_id": FieldType.INT}}, ConfigurationError),
    "media without a model for them": ({"media": frozenset({Modality.AUDIO})}, UnsupportedError),
}


@pytest.mark.parametrize("name", WRONG_SPECS)
def test_a_collection_that_cannot_be_made_is_refused_before_anything_is(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec, name: str
) -> None:
    parts, kind = WRONG_SPECS[name]
    with store_of(emulator)() as store, pytest.raises(kind):
        store.open(replace(plain, **parts), create=True)
    assert emulator.control.collections == {}


def test_l2_and_odd_dimensions_are_refused(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    for space in (replace(plain.space, metric=Metric.L2), replace(plain.space, dimension=6)):
        with store_of(emulator)() as store, pytest.raises(UnsupportedError):
            store.open(replace(plain, space=space), create=True)
    assert emulator.control.collections == {}


def test_adding_fields_that_was_cut_short_is_finished_by_the_next_opening(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    wider = replace(plain, fields={**plain.fields, "place": FieldType.STRING})
    with store_of(emulator)() as store:
        store.open(plain, create=True)
        store.wait(store.upsert([row("old")]))
        for action in ("UpdateVikingdbIndex", "Version"):
            emulator.faults.plan(action, *[None] * 5 if action == "Version" else [])
        emulator.faults.plan("UpdateVikingdbIndex", Fault(status=403, code="AccessDenied"))
        with pytest.raises(PolyreelError, match="AccessDenied"):
            store.open(wider, create=False)
        store.open(plain, create=False)
        assert "place" not in store.schema
        store.open(wider, create=False)
        store.wait(store.upsert([row("new", fields={"place": "here"})]))
        assert {one.id for one in store.scan(~F["place"].exists())} == {"old"}
        assert {one.id for one in store.scan(F["place"] == "here")} == {"new"}


def test_what_an_index_was_made_with_decides_what_the_store_can(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    flat = IndexOptions(type=IndexType.FLAT, quant=Quant.INT8)
    with store_of(emulator, index=flat)() as store:
        store.open(plain, create=True)
        rows = [row(f"r{n}", content=[1.0, n, -n, 0.5]) for n in range(40)]
        store.wait(store.upsert(rows))
        rough = {hit.id: hit.score for hit in store.search([_near(1.0, 3.0, 2.0, 1.0)])[0].hits}
        assert store.can.tolerance == 1e-2
    with store_of(emulator)() as again:  # whose own options are others
        again.open(plain, create=False)
        assert again.can.tolerance == 1e-2
        assert len(rough) == 40
        again.drop()
    with store_of(emulator)() as exact:
        exact.open(plain, create=True)
        exact.wait(exact.upsert(rows))
        scores = {hit.id: hit.score for hit in exact.search([_near(1.0, 3.0, 2.0, 1.0)])[0].hits}
        assert rough == pytest.approx(scores, abs=1e-2)
        assert rough != pytest.approx(scores, abs=1e-5)


def _near(*values: float) -> SearchRequest:
    return SearchRequest(NearVector(values), limit=50)


@pytest.mark.parametrize("endpoint", ["vikingdb.example", "ftp://host", "https://host/path", "https://?x"])
def test_an_endpoint_that_is_none_is_refused(emulator: Emulator, store_of: StoreOf, endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="https://host"):
        store_of(emulator, data_endpoint=endpoint)()
    with pytest.raises(ConfigurationError, match="sparse"):
        store_of(emulator, index=IndexOptions(type=IndexType.HNSW_HYBRID))()


def test_what_is_longer_than_a_column_is_refused_by_name(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    tagged = replace(plain, fields={"tags": FieldType.STRINGS})
    with store_of(emulator)() as store:
        store.open(tagged, create=True)
        for parts in ({"text": Text(transcript="x" * 70_000)}, {"fields": {"tags": ["海" * 400]}}):
            with pytest.raises(InvalidQueryError, match="'long'"):
                store.upsert([row("short"), row("long", **parts)])
        with pytest.raises(InvalidQueryError, match="text"):
            store.update_fields(["short"], text=Text(transcript="x" * 70_000))
        assert store.count() == 0
        assert emulator.bodies("data/upsert") == []


def test_a_float_comes_back_exactly_and_is_compared_as_float32(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    third = 1 / 3
    with store_of(emulator)() as store:
        store.open(plain, create=True)
        store.wait(store.upsert([row("a", fields={"rating": third}), row("b", fields={"rating": 1e300})]))
        found = {one.id: one.fields["rating"] for one in store.scan()}
        assert found == {"a": third, "b": 1e300}
        near = third + 1e-12  # the same float32: the declared gap
        assert {one.id for one in store.scan(F["rating"] == near)} == {"a"}
        assert store.count(F["rating"] == third) == store.count(F["rating"] > 1) == 1
        store.wait(store.update_fields(["a"], fields={"rating": 0.5}))
        assert store.fetch(["a"])["a"].fields == {"rating": 0.5}


def test_a_scan_goes_on_where_several_rows_share_a_place(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyreel.backends.vikingdb.reading._PAGE", 4)
    monkeypatch.setattr("polyreel.backends.vikingdb.rows.place", lambda id: int(id) // 3)
    with store_of(emulator)() as store:
        store.open(plain, create=True)
        store.wait(store.upsert([row(str(n)) for n in range(40)]))
        assert sorted(int(one.id) for one in store.scan()) == list(range(40))
        monkeypatch.setattr("polyreel.backends.vikingdb.reading._PAGE", 3)
        with pytest.raises(IntegrityError, match="share one place"):
            list(store.scan())


def test_bulk_tasks_import_change_and_export(store_of: StoreOf, plain: CollectionSpec) -> None:
    files = {"tos://b/rows.json": b'{"key": "1", "year": 5}\n{"key": "2", "year": 6}'}
    with (
        emulating(Settings(resolve=lambda address: files[address])) as emulator,
        store_of(emulator)() as store,
    ):
        store.open(plain, create=True)
        control = store.control
        control.create_collection("bulk", [Field("key", "string", primary=True), Field("year", "int64")])
        config = TaskConfig(tos_path="b/rows.json", file_type="json", need_confirm=True)
        task = control.create_task("bulk", TaskType.IMPORT, config)
        assert control.wait_task(task, timeout=10, first=0.01)["TaskStatus"] == "confirm"
        control.confirm_task(task)
        done = control.wait_task(task, timeout=10, first=0.01)
        assert (done["TaskStatus"], done["TaskProcessInfo"]["ScanDataCount"]) == ("done", 2)
        out = TaskConfig(
            tos_path="b/out/",
            file_type="json",
            output_fields=["key"],
            filter_conds=[{"op": "range", "field": "year", "gt": 5}],
        )
        control.wait_task(control.create_task("bulk", TaskType.EXPORT, out), timeout=10, first=0.01)
        assert emulator.tasks.exported["b/out/"] == [{"key": "2"}]
        missing = TaskConfig(tos_path="b/nothing.json", file_type="json")
        failed = control.create_task("bulk", TaskType.IMPORT, missing)
        with pytest.raises(RejectedError, match="failed"):
            control.wait_task(failed, timeout=10, first=0.01)
        assert len(list(control.tasks("bulk"))) == 3
        control.delete_task(failed)
        with pytest.raises(NotFoundError):
            control.task(failed)


def test_a_partition_goes_with_every_read_of_the_index(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    with store_of(emulator, partition="default")() as store:
        store.open(plain, create=True)
        store.wait(store.upsert([row("a")]))
        assert store.count() == len(list(store.scan())) == len(store.search([_near(1, 2, 3, 4)])) == 1
    for part in ("fetch_in_index", "data/agg", "data/search"):
        bodies = emulator.bodies(part)
        assert bodies
        assert {body.get("partition") for body in bodies} == {"default"}


def test_own_vectors_need_no_model(emulator: Emulator, store_of: StoreOf, plain: CollectionSpec) -> None:
    with store_of(emulator, vectorize=Vectorize())() as store:
        store.open(plain, create=True)
        assert store.query_embedder() is None
        assert not store.can.vectorizes
        assert (store.can.max_batch, store.can.max_ids) == (100, 100)
