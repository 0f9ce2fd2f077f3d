"""The emulator is strict: what the vendor's pages don't allow is refused, and nothing is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from polyreel.testing.vikingdb import Emulator, Part, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Client:
    """Calls with an API key; the control plane without HTTP, since its signature has tests of its own."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._http = httpx.Client(base_url=emulator.url, headers={"Authorization": "Bearer vk-test"})

    def data(self, path: str, body: object) -> tuple[int, Any]:
        answer = self._http.post(f"/api/vikingdb/{path}", json=body)
        return answer.status_code, answer.json()

    def control(self, action: str, body: dict[str, Any]) -> Any:
        return self.emulator.control.actions[action](body)

    def close(self) -> None:
        self._http.close()


def first(parts: Sequence[Part], query: bool) -> list[float]:
    return [1.0, *(float(len(part.text)) for part in parts)]


VIDEO = {"value": "tos://b/k.mp4", "fps": 1.0}
PLAIN: dict[str, Any] = {
    "CollectionName": "plain",
    "Fields": [
        {"FieldName": "key", "FieldType": "string", "IsPrimaryKey": True},
        {"FieldName": "v", "FieldType": "vector", "Dim": 4},
        {"FieldName": "city", "FieldType": "string"},
        {"FieldName": "ts", "FieldType": "int64"},
        {"FieldName": "hidden", "FieldType": "int64"},
        {"FieldName": "tags", "FieldType": "list<string>"},
        {"FieldName": "open", "FieldType": "bool"},
        {"FieldName": "x", "FieldType": "float32"},
        {"FieldName": "y", "FieldType": "float32"},
    ],
}
DENSE = {
    "ModelName": "doubao-embedding-vision",
    "ModelVersion": "250615",
    "Dim": 1024,
    "VideoField": "landscape_video",
}
PRACTICE: dict[str, Any] = {
    "CollectionName": "video_demo1",
    "Fields": [
        {"FieldName": "video_id", "FieldType": "int64", "IsPrimaryKey": True},
        {"FieldName": "landscape_video", "FieldType": "video"},
    ],
    "Vectorize": {"Dense": DENSE},
}
INDEX: dict[str, Any] = {
    "CollectionName": "plain",
    "IndexName": "i",
    "ScalarIndex": ["city", "ts", "tags", "open", "x", "y"],
    "VectorIndex": {"IndexType": "hnsw", "Distance": "cosine", "Quant": "float"},
}
ROWS = [
    {"key": "a", "v": [1, 0, 0, 0], "city": "beijing", "ts": 5, "tags": ["sea", "sun"], "x": 1, "y": 1},
    {"key": "b", "v": [0, 1, 0, 0], "city": "shanghai", "ts": 7, "open": True, "x": 9, "y": 9},
    {"key": "c", "v": [0.9, 0.1, 0, 0], "city": "beijing", "ts": 9},
]


@pytest.fixture
def client() -> Iterator[Client]:
    with emulating(Settings(vectorize=first, resolve=lambda _: b"")) as emulator:
        client = Client(emulator)
        client.control("CreateVikingdbCollection", PLAIN)
        client.control("CreateVikingdbCollection", PRACTICE)
        client.control("CreateVikingdbIndex", INDEX)
        practice = {**INDEX, "CollectionName": "video_demo1", "ScalarIndex": []}
        client.control("CreateVikingdbIndex", practice)
        status, _ = client.data("data/upsert", {"collection_name": "plain", "data": ROWS})
        assert status == 200
        yield client
        client.close()


def with_field(**field: Any) -> dict[str, Any]:
    return {**PLAIN, "CollectionName": "other", "Fields": [*PLAIN["Fields"], field]}


def vectorized(**dense: Any) -> dict[str, Any]:
    given = {name: value for name, value in {**DENSE, **dense}.items() if value is not None}
    return {**PRACTICE, "CollectionName": "other", "Vectorize": {"Dense": given}}


def indexed(vector: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    return {**INDEX, "IndexName": "j", "VectorIndex": {**INDEX["VectorIndex"], **(vector or {})}, **parts}


WRONG_CONTROL: dict[str, tuple[str, dict[str, Any]]] = {
    "a taken name": ("CreateVikingdbCollection", PLAIN),
    "a name with a dash": ("CreateVikingdbCollection", {**PLAIN, "CollectionName": "a-b"}),
    "no fields": ("CreateVikingdbCollection", {"CollectionName": "other"}),
    "an unknown key": ("CreateVikingdbCollection", {**PLAIN, "CollectionName": "other", "fields": []}),
    "an unknown type": ("CreateVikingdbCollection", with_field(FieldName="z", FieldType="float64")),
    "two vectors": ("CreateVikingdbCollection", with_field(FieldName="w", FieldType="vector", Dim=4)),
    "a vector without Dim": ("CreateVikingdbCollection", with_field(FieldName="w", FieldType="vector")),
    "an odd Dim": ("CreateVikingdbCollection", with_field(FieldName="w", FieldType="vector", Dim=6)),
    "a default for a video": (
        "CreateVikingdbCollection",
        with_field(FieldName="w", FieldType="video", DefaultValue="x"),
    ),
    "two keys": (
        "CreateVikingdbCollection",
        with_field(FieldName="w", FieldType="int64", IsPrimaryKey=True),
    ),
    "a field twice": ("CreateVikingdbCollection", with_field(FieldName="city", FieldType="int64")),
    "Vectorize with a vector": (
        "CreateVikingdbCollection",
        {
            **with_field(FieldName="landscape_video", FieldType="video"),
            "Vectorize": {"Dense": DENSE},
        },
    ),
    "a model without its version": ("CreateVikingdbCollection", vectorized(ModelVersion=None)),
    "an unknown model": ("CreateVikingdbCollection", vectorized(ModelName="doubao-embedding-video")),
    "a dimension that it lacks": ("CreateVikingdbCollection", vectorized(Dim=512)),
    "a model that sees no video": ("CreateVikingdbCollection", vectorized(ModelVersion="250328")),
    "a column that isn't there": ("CreateVikingdbCollection", vectorized(VideoField="cover")),
    "a column of another type": ("CreateVikingdbCollection", vectorized(TextField="video_id")),
    "cpu_quota, as the vendor's script writes it": ("CreateVikingdbIndex", indexed(cpu_quota=2)),
    "Vector_index, as it writes it": ("CreateVikingdbIndex", {**INDEX, "IndexName": "j", "Vector_index": {}}),
    "Index_type, as it writes it": ("CreateVikingdbIndex", indexed({"Index_type": "hnsw"})),
    "quant, as it writes it": ("CreateVikingdbIndex", indexed({"quant": "int8"})),
    "int8 with l2": ("CreateVikingdbIndex", indexed({"Quant": "int8", "Distance": "l2"})),
    "pq with hnsw": ("CreateVikingdbIndex", indexed({"Quant": "pq"})),
    "a hybrid without a sparse vector": ("CreateVikingdbIndex", indexed({"IndexType": "hnsw_hybrid"})),
    "shards without the policy": ("CreateVikingdbIndex", indexed(ShardCount=2)),
    "an index of a field that isn't there": ("CreateVikingdbIndex", indexed(ScalarIndex=["nothing"])),
    "an index of a vector": ("CreateVikingdbIndex", indexed(ScalarIndex=["v"])),
    "an index that isn't there": ("GetVikingdbIndex", {"CollectionName": "plain", "IndexName": "j"}),
    "a collection that isn't there": ("GetVikingdbCollection", {"CollectionName": "nothing"}),
    "a collection with an index": ("DeleteVikingdbCollection", {"CollectionName": "plain"}),
    "an added key": (
        "UpdateVikingdbCollection",
        {
            "CollectionName": "plain",
            "Fields": [{"FieldName": "w", "FieldType": "int64", "IsPrimaryKey": True}],
        },
    ),
    "an added field that is there": (
        "UpdateVikingdbIndex",
        {"CollectionName": "plain", "IndexName": "i", "ScalarIndex": ["city"]},
    ),
    "an import from nowhere": (
        "CreateVikingdbTask",
        {"CollectionName": "plain", "TaskType": "data_import", "TaskConfig": {}},
    ),
}


@pytest.mark.parametrize("name", WRONG_CONTROL)
def test_the_control_plane_refuses(client: Client, name: str) -> None:
    from polyreel.testing.vikingdb.refusal import Refusal

    action, body = WRONG_CONTROL[name]
    with pytest.raises(Refusal) as caught:
        client.control(action, body)
    assert 400 <= caught.value.status < 500
    assert client.emulator.control.collections.keys() == {"plain", "video_demo1"}


def upserted(**row: Any) -> tuple[str, dict[str, Any]]:
    return "data/upsert", {"collection_name": "plain", "data": [ROWS[0], {**ROWS[1], **row}]}


def video(**row: Any) -> tuple[str, dict[str, Any]]:
    given = {"video_id": 1, "landscape_video": VIDEO, **row}
    return "data/upsert", {"collection_name": "video_demo1", "data": [given]}


def searched(**parts: Any) -> tuple[str, dict[str, Any]]:
    body = {"collection_name": "plain", "index_name": "i", "dense_vector": [1, 0, 0, 0], **parts}
    return "data/search/vector", body


def filtered(**node: Any) -> tuple[str, dict[str, Any]]:
    return searched(filter=node)


def asked(**parts: Any) -> tuple[str, dict[str, Any]]:
    body = {"collection_name": "video_demo1", "index_name": "i", "need_instruction": True, **parts}
    return "data/search/multi_modal", body


MODEL = {"name": "doubao-embedding-vision", "version": "250615", "dim": 1024}
WRONG_DATA: dict[str, tuple[tuple[str, Any], str]] = {
    "an unknown field": (upserted(colour="red"), "InvalidParameter"),
    "a field of another type": (upserted(ts="5"), "InvalidParameter"),
    "a number for a bool": (upserted(open=1), "InvalidParameter"),
    "a vector that is too short": (upserted(v=[1, 2]), "InvalidParameter"),
    "a null": (upserted(city=None), "InvalidParameter"),
    "a key of 257 bytes": (upserted(key="k" * 257), "InvalidParameter"),
    "no key": (
        ("data/upsert", {"collection_name": "plain", "data": [{"v": [1, 2, 3, 4]}]}),
        "MissingParameter",
    ),
    "no vector": (("data/upsert", {"collection_name": "plain", "data": [{"key": "z"}]}), "MissingParameter"),
    "101 rows": (("data/upsert", {"collection_name": "plain", "data": [ROWS[0]] * 101}), "InvalidParameter"),
    "an unknown key of the body": (
        ("data/upsert", {"collection_name": "plain", "data": ROWS, "mode": 1}),
        "InvalidParameter",
    ),
    "no collection": (("data/upsert", {"data": ROWS}), "MissingParameter"),
    "two videos at once": (
        ("data/upsert", {"collection_name": "video_demo1", "data": [{}, {}]}),
        "InvalidParameter",
    ),
    "a text for an int64 key, as the vendor's script writes it": (video(video_id="1"), "InvalidParameter"),
    "a key of 0": (video(video_id=0), "InvalidParameter"),
    "too many frames a second": (video(landscape_video={**VIDEO, "fps": 6}), "InvalidParameter"),
    "a path for an address": (video(landscape_video={"value": "/k.mp4"}), "InvalidParameter"),
    "a text for a video": (video(landscape_video="tos://b/k.mp4"), "InvalidParameter"),
    "no video": (
        ("data/upsert", {"collection_name": "video_demo1", "data": [{"video_id": 1}]}),
        "MissingParameter",
    ),
    "an update of a row that isn't there": (
        ("data/update", {"collection_name": "plain", "data": [{"key": "z", "ts": 1}]}),
        "InvalidParameter",
    ),
    "a deletion of ids and of all": (
        ("data/delete", {"collection_name": "plain", "ids": ["a"], "del_all": True}),
        "InvalidParameter",
    ),
    "a deletion of nothing": (("data/delete", {"collection_name": "plain"}), "InvalidParameter"),
    "101 ids": (
        ("data/fetch_in_collection", {"collection_name": "plain", "ids": ["a"] * 101}),
        "InvalidParameter",
    ),
    "a query of another length": (searched(dense_vector=[1, 0]), "InvalidParameter"),
    "a query of zeros": (searched(dense_vector=[0, 0, 0, 0]), "InvalidParameter"),
    "a limit of 0": (searched(limit=0), "InvalidParameter"),
    "a limit of 5001": (searched(limit=5001), "InvalidParameter"),
    "an unknown output field": (searched(output_fields=["colour"]), "InvalidParameter"),
    "an unknown advance": (searched(advance={"ef": 5}), "InvalidParameter"),
    "an unknown op": (filtered(op="prefix", field="city", prefix="b"), "InvalidParameter"),
    "a field that isn't in the index": (filtered(op="must", field="hidden", conds=[1]), "InvalidParameter"),
    "a field that isn't there": (filtered(op="must", field="colour", conds=["r"]), "InvalidParameter"),
    "empty conds": (filtered(op="must", field="city", conds=[]), "InvalidParameter"),
    "an empty and": (filtered(op="and", conds=[]), "InvalidParameter"),
    "a cond of another type": (filtered(op="must", field="ts", conds=["5"]), "InvalidParameter"),
    "a number for a bool's cond": (filtered(op="must", field="open", conds=[1]), "InvalidParameter"),
    "must on a float": (filtered(op="must", field="x", conds=[1.0]), "InvalidParameter"),
    "a range of a text": (filtered(op="range", field="city", gt=1), "InvalidParameter"),
    "a range without bounds": (filtered(op="range", field="ts"), "InvalidParameter"),
    "an unknown key of a filter": (filtered(op="range", field="ts", gt=1, to=2), "InvalidParameter"),
    "an index that isn't there": (searched(index_name="j"), "NotFound.VikingdbIndex"),
    "a collection that isn't there": (searched(collection_name="nothing"), "NotFound.VikingdbCollection"),
    "no need_instruction": (
        ("data/search/multi_modal", {"collection_name": "video_demo1", "index_name": "i", "text": "x"}),
        "MissingParameter",
    ),
    "no medium": (asked(), "MissingParameter"),
    "a path for a query's video": (asked(video="tos://b/k.mp4"), "InvalidParameter"),
    "a multi_modal search of given vectors": (asked(collection_name="plain", text="x"), "InvalidParameter"),
    "a scalar search by a text": (
        ("data/search/scalar", {"collection_name": "plain", "index_name": "i", "field": "city"}),
        "InvalidParameter",
    ),
    "keywords without FullText": (
        ("data/search/keywords", {"collection_name": "plain", "index_name": "i", "keywords": ["a"]}),
        "InvalidParameter",
    ),
    "11 keywords": (
        ("data/search/keywords", {"collection_name": "plain", "index_name": "i", "keywords": ["a"] * 11}),
        "InvalidParameter",
    ),
    "a count by a float": (
        ("data/agg", {"collection_name": "plain", "index_name": "i", "op": "count", "field": "x"}),
        "InvalidParameter",
    ),
    "11 items to embed": (
        ("embedding", {"data": [{"text": "x"}] * 11, "dense_model": MODEL}),
        "InvalidParameter",
    ),
    "no model": (("embedding", {"data": [{"text": "x"}]}), "MissingParameter"),
    "a series beside another item": (
        ("embedding", {"data": [{"full_modal_seq": [{"text": "a"}]}, {"text": "b"}], "dense_model": MODEL}),
        "InvalidParameter",
    ),
    "a list for a body": (("data/agg", []), "InvalidParameter"),
    "a path that isn't there": (("data/nothing", {}), "InvalidPath"),
}


@pytest.mark.parametrize("name", WRONG_DATA)
def test_the_data_plane_refuses_and_writes_nothing(client: Client, name: str) -> None:
    (path, body), code = WRONG_DATA[name]
    before = {name: dict(one.rows) for name, one in client.emulator.control.collections.items()}
    status, answer = client.data(path, body)
    assert (status >= 400, answer["code"], answer["result"]) == (True, code, None)
    assert answer["request_id"]
    assert {name: dict(one.rows) for name, one in client.emulator.control.collections.items()} == before


FOUND: dict[str, tuple[dict[str, Any], str]] = {
    "must": ({"op": "must", "field": "city", "conds": ["beijing"]}, "ac"),
    "must_not": ({"op": "must_not", "field": "city", "conds": ["beijing"]}, "b"),
    "must of a list": ({"op": "must", "field": "tags", "conds": ["sun", "x"]}, "a"),
    "must_not of a list": ({"op": "must_not", "field": "tags", "conds": ["sun"]}, "bc"),
    "must of a default": ({"op": "must", "field": "open", "conds": [False]}, "ac"),
    "range": ({"op": "range", "field": "ts", "gt": 5, "lte": 9}, "bc"),
    "range_out": ({"op": "range_out", "field": "ts", "gt": 7, "lt": 6}, "ac"),
    "circle": ({"op": "range", "field": ["x", "y"], "center": [8.0, 8.0], "radius": 2.0}, "b"),
    "and": (
        {
            "op": "and",
            "conds": [
                {"op": "must", "field": "city", "conds": ["beijing"]},
                {"op": "range", "field": "ts", "gte": 9},
            ],
        },
        "c",
    ),
    "or": (
        {
            "op": "or",
            "conds": [
                {"op": "must", "field": "open", "conds": [True]},
                {"op": "range", "field": "ts", "lt": 6},
            ],
        },
        "ab",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_documented_filter_is_evaluated(client: Client, name: str) -> None:
    node, ids = FOUND[name]
    status, answer = client.data(*searched(filter=node))
    assert status == 200
    assert {item["id"] for item in answer["result"]["data"]} == set(ids)


def test_a_search_answers_in_the_documented_shape(client: Client) -> None:
    _, answer = client.data(*searched(limit=2, output_fields=["city"], offset=1))
    assert answer["code"] == "Success"
    assert [item["id"] for item in answer["result"]["data"]] == ["c", "b"]
    (second, third) = answer["result"]["data"]
    assert second["fields"] == {"city": "beijing"}
    assert second["score"] == second["ann_score"] > third["score"] == 0
    assert (answer["result"]["total_return_count"], answer["result"]["filter_matched_count"]) == (2, 3)


def test_every_way_of_searching_finds(client: Client) -> None:
    place = {"collection_name": "plain", "index_name": "i"}
    ways: dict[str, tuple[dict[str, Any], list[str]]] = {
        "id": ({"id": "a"}, ["a", "c", "b"]),
        "scalar": ({"field": "ts"}, ["c", "b", "a"]),
        "vector": ({"dense_vector": [0, 1, 0, 0], "advance": {"ids_not_in": ["c"]}}, ["b", "a"]),
    }
    for way, (near, ids) in ways.items():
        _, answer = client.data(f"data/search/{way}", {**place, **near})
        assert [item["id"] for item in answer["result"]["data"]] == ids
    _, answer = client.data("data/search/random", {**place, "limit": 2})
    assert len(answer["result"]["data"]) == 2
    full = {"CollectionName": "plain", "FullText": [{"Field": "city"}]}
    client.control("UpdateVikingdbCollection", full)
    _, answer = client.data("data/search/keywords", {**place, "keywords": ["shang"]})
    assert [item["id"] for item in answer["result"]["data"]] == ["b"]
    _, answer = client.data("data/agg", {**place, "op": "count", "field": "city", "cond": {"gt": 1}})
    assert answer["result"]["agg"] == {"beijing": 2}


def test_what_is_written_is_fetched_and_unknown_ids_are_named(client: Client) -> None:
    _, answer = client.data("data/fetch_in_collection", {"collection_name": "plain", "ids": ["a", "z"]})
    assert answer["result"]["ids_not_exist"] == ["z"]
    (item,) = answer["result"]["fetch"]
    assert item["fields"]["tags"] == ["sea", "sun"]
    assert "v" not in item["fields"]
    body = {"collection_name": "plain", "index_name": "i", "ids": ["a"], "output_fields": []}
    _, answer = client.data("data/fetch_in_index", body)
    assert answer["result"]["fetch"] == [
        {"id": "a", "fields": {}, "dense_dim": 4, "dense_vector": [1.0, 0.0, 0.0, 0.0]}
    ]


def test_a_vector_may_be_packed(client: Client) -> None:
    import base64
    import struct

    packed = base64.b64encode(struct.pack("<4f", 0, 0, 1, 0)).decode()
    client.data("data/upsert", {"collection_name": "plain", "data": [{"key": "p", "v": packed}]})
    _, answer = client.data(*searched(dense_vector=[0, 0, 1, 0], limit=1))
    assert answer["result"]["data"][0]["id"] == "p"


def test_an_index_that_is_not_ready_answers_nothing() -> None:
    with emulating(Settings(ready_after=1)) as emulator:
        client = Client(emulator)
        client.control("CreateVikingdbCollection", PLAIN)
        client.control("CreateVikingdbIndex", INDEX)
        status, answer = client.data(*searched())
        assert (status, answer["code"]) == (400, "InvalidStatus.VikingdbIndex")
        place = {"CollectionName": "plain", "IndexName": "i"}
        assert client.control("GetVikingdbIndex", place)["Status"] == "CREATING"
        assert client.control("GetVikingdbIndex", place)["Status"] == "ACTIVE"
        assert client.data(*searched())[0] == 200
        client.close()


def test_a_call_without_a_known_key_is_refused(emulator: Emulator) -> None:
    for key, plane in (("Bearer nobody", "/api/vikingdb/data/agg"), ("Bearer vk-test", "/?Action=X")):
        answer = httpx.post(f"{emulator.url}{plane}", json={}, headers={"Authorization": key})
        assert answer.status_code == 401
    assert httpx.get(f"{emulator.url}/api/vikingdb/Ping").status_code == 200


def test_reranking_says_which_document_fits_best(client: Client) -> None:
    body = {
        "model_name": "doubao-seed-rerank",
        "data": [[{"text": "a cat"}], [{"text": "red dog"}]],
        "query": [{"text": "red dog"}],
    }
    _, answer = client.data("rerank", body)
    assert [(one["id"], one["score"]) for one in answer["result"]["data"]] == [(1, 1.0), (0, 0.0)]


def test_every_request_has_an_id_of_its_own(client: Client) -> None:
    answers = [client.data(*searched())[1] for _ in range(5)]
    assert len({answer["request_id"] for answer in answers}) == 5
    assert json.dumps(answers)
