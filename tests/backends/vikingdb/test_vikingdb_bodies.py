"""The very bodies that are sent, against those that the vendor's pages and SDKs show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from polyreel.backends.vikingdb import filters, rows
from polyreel.backends.vikingdb.control import Control, Field, TaskConfig, TaskType
from polyreel.backends.vikingdb.data import Asked, Data
from polyreel.backends.vikingdb.embedder import item
from polyreel.backends.vikingdb.models import MODELS, find
from polyreel.backends.vikingdb.options import IndexOptions, IndexType, Quant, ShardPolicy, Vectorize
from polyreel.backends.vikingdb.wire import Reply
from polyreel.core.errors import ConfigurationError, InvalidQueryError, UnsupportedError
from polyreel.core.fields import FieldType
from polyreel.core.filters import F, Filter
from polyreel.core.lowering import lower
from polyreel.core.media import Media, Modality
from polyreel.core.space import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyreel.backends.vikingdb.wire import Wire


@dataclass
class Recorder:
    """Stands for the wire."""

    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def control(self, action: str, body: dict[str, Any]) -> Reply:
        self.sent.append((action, body))
        return Reply({"TaskId": "t1"})

    def data(self, path: str, body: dict[str, Any]) -> Reply:
        self.sent.append((path, body))
        return Reply()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def data(recorder: Recorder, collection: str = "video_demo1", index: str = "video_demo1") -> Data:
    return Data(cast("Wire", recorder), collection, index)


DEMO = {"collection_name": "video_demo1"}
INDEXED = {"collection_name": "video_demo1", "index_name": "video_demo1"}
ROW = {"video_id": "1", "landscape_video": {"value": "tos://b/k.mp4", "fps": 1.0}}
ASKED = Asked({"op": "must", "field": "c", "conds": ["a"]}, ["title"], 5, advance={"dense_weight": 0.5})

CALLS: dict[str, tuple[Callable[[Data], object], str, dict[str, Any]]] = {
    "upsert": (
        lambda d: d.upsert([ROW], ttl=3600, slow=True),
        "data/upsert",
        {**DEMO, "data": [ROW], "ttl": 3600, "async": True},
    ),
    "update": (
        lambda d: d.update([{"video_id": "1", "title": "中"}]),
        "data/update",
        {**DEMO, "data": [{"video_id": "1", "title": "中"}]},
    ),
    "delete": (lambda d: d.delete(["1"]), "data/delete", {**DEMO, "ids": ["1"]}),
    "delete all": (lambda d: d.delete_all(), "data/delete", {**DEMO, "del_all": True}),
    "fetch": (lambda d: d.fetch(["1", "2"]), "data/fetch_in_collection", {**DEMO, "ids": ["1", "2"]}),
    "fetch in index": (
        lambda d: d.fetch_in_index(["1"], output_fields=["title"]),
        "data/fetch_in_index",
        {**INDEXED, "ids": ["1"], "output_fields": ["title"]},
    ),
    "multi_modal": (
        lambda d: d.search_multi_modal(
            ASKED, text="风景", video={"value": "tos://b/k.mp4", "fps": 1.0}, need_instruction=True
        ),
        "data/search/multi_modal",
        {
            **INDEXED,
            "filter": {"op": "must", "field": "c", "conds": ["a"]},
            "output_fields": ["title"],
            "limit": 5,
            "advance": {"dense_weight": 0.5},
            "text": "风景",
            "video": {"value": "tos://b/k.mp4", "fps": 1.0},
            "need_instruction": True,
        },
    ),
    "vector": (
        lambda d: d.search_vector([0.1, 0.2], Asked(limit=2, offset=0), sparse={"x": 0.5}),
        "data/search/vector",
        {**INDEXED, "dense_vector": [0.1, 0.2], "sparse_vector": {"x": 0.5}, "limit": 2, "offset": 0},
    ),
    "id": (lambda d: d.search_id("1", Asked(limit=2)), "data/search/id", {**INDEXED, "id": "1", "limit": 2}),
    "scalar": (
        lambda d: d.search_scalar("ts", Asked(limit=2)),
        "data/search/scalar",
        {**INDEXED, "field": "ts", "order": "desc", "limit": 2},
    ),
    "keywords": (
        lambda d: d.search_keywords(Asked(limit=2, more={"bm25_k1": 1.2}), keywords=["a"]),
        "data/search/keywords",
        {**INDEXED, "keywords": ["a"], "limit": 2, "bm25_k1": 1.2},
    ),
    "random": (lambda d: d.search_random(Asked(limit=2)), "data/search/random", {**INDEXED, "limit": 2}),
    "no columns": (
        lambda d: d.search_random(Asked(limit=1, output_fields=[])),
        "data/search/random",
        {**INDEXED, "output_fields": [], "limit": 1},
    ),
    "agg": (lambda d: d.aggregate(), "data/agg", {**INDEXED, "op": "count"}),
    "agg by value": (
        lambda d: d.aggregate(field="city", cond={"gt": 1000}),
        "data/agg",
        {**INDEXED, "op": "count", "field": "city", "cond": {"gt": 1000}},
    ),
    "embedding": (
        lambda d: d.embedding(
            [{"text": "x"}],
            dense_model={"name": "doubao-embedding-vision", "version": "250615", "dim": 1024},
        ),
        "embedding",
        {
            "data": [{"text": "x"}],
            "dense_model": {"name": "doubao-embedding-vision", "version": "250615", "dim": 1024},
        },
    ),
    "rerank": (
        lambda d: d.rerank([{"text": "q"}], [[{"text": "d"}]]),
        "rerank",
        {
            "model_name": "doubao-seed-rerank",
            "model_version": "251028",
            "data": [[{"text": "d"}]],
            "query": [{"text": "q"}],
        },
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_body_of_the_data_plane_is_the_documented_one(recorder: Recorder, name: str) -> None:
    call, path, body = CALLS[name]
    call(data(recorder))
    assert recorder.sent == [(path, body)]


def test_a_project_goes_with_every_call(recorder: Recorder) -> None:
    wire = cast("Wire", recorder)
    calls = Data(wire, "c", "i", "mine")
    calls.fetch(["1"])
    calls.embedding([{"text": "x"}])
    Control(wire, "mine").collection("c")
    assert [body.get("project_name") for _, body in recorder.sent[:2]] == ["mine", "mine"]
    assert recorder.sent[2][1] == {"ProjectName": "mine", "CollectionName": "c"}


def test_the_bodies_of_the_vendor_s_practice_are_those_of_its_own_sdk(recorder: Recorder) -> None:
    control = Control(cast("Wire", recorder), "default")
    columns = {Modality.VIDEO: "landscape_video"}
    control.create_collection(
        "video_demo1",
        [Field("video_id", "string", primary=True), Field("landscape_video", "video")],
        vectorize=Vectorize(dimension=2048).body(columns),
        description="d",
    )
    control.create_index(
        "video_demo1",
        "video_demo1",
        options=IndexOptions(quant=Quant.INT8, cpu_quota=1).body(Metric.COSINE),
        scalars=["video_id"],
    )
    assert recorder.sent == [
        (
            "CreateVikingdbCollection",
            {
                "ProjectName": "default",
                "CollectionName": "video_demo1",
                "Description": "d",
                "Fields": [
                    {"FieldName": "video_id", "FieldType": "string", "IsPrimaryKey": True},
                    {"FieldName": "landscape_video", "FieldType": "video"},
                ],
                "Vectorize": {
                    "Dense": {
                        "Dim": 2048,
                        "ModelName": "doubao-embedding-vision",
                        "ModelVersion": "250615",
                        "VideoField": "landscape_video",
                    }
                },
            },
        ),
        (
            "CreateVikingdbIndex",
            {
                "ProjectName": "default",
                "CollectionName": "video_demo1",
                "IndexName": "video_demo1",
                "CpuQuota": 1,
                "ScalarIndex": ["video_id"],
                "VectorIndex": {"Distance": "cosine", "IndexType": "hnsw", "Quant": "int8"},
            },
        ),
    ]


def test_every_documented_option_of_an_index_is_sent_in_its_spelling() -> None:
    options = IndexOptions(
        type=IndexType.DISKANN,
        quant=Quant.PQ,
        cpu_quota=4,
        shard_policy=ShardPolicy.CUSTOM,
        shard_count=8,
        hnsw_m=20,
        hnsw_cef=400,
        hnsw_sef=800,
        diskann_m=64,
        diskann_cef=200,
        pq_code_ratio=0.125,
        cache_ratio=0.1,
    )
    assert options.body(Metric.COSINE) == {
        "CpuQuota": 4,
        "ShardPolicy": "custom",
        "ShardCount": 8,
        "VectorIndex": {
            "IndexType": "diskann",
            "Distance": "cosine",
            "Quant": "pq",
            "HnswM": 20,
            "HnswCef": 400,
            "HnswSef": 800,
            "DiskannM": 64,
            "DiskannCef": 200,
            "PqCodeRatio": 0.125,
            "CacheRatio": 0.1,
        },
    }
    usual = IndexOptions().body(Metric.COSINE)
    assert usual == {"VectorIndex": {"IndexType": "hnsw", "Distance": "cosine", "Quant": "float"}}


WRONG_OPTIONS: dict[str, dict[str, Any]] = {
    "pq without diskann": {"quant": Quant.PQ},
    "int8 with diskann": {"quant": Quant.INT8, "type": IndexType.DISKANN},
    "a count of shards without the policy": {"shard_count": 2},
    "the policy without a count": {"shard_policy": ShardPolicy.CUSTOM},
    "too many shards": {"shard_policy": ShardPolicy.CUSTOM, "shard_count": 257},
    "no core": {"cpu_quota": 0},
    "a ratio of 0": {"pq_code_ratio": 0.0},
    "too large a cache": {"cache_ratio": 0.3},
}


@pytest.mark.parametrize("name", WRONG_OPTIONS)
def test_options_that_do_not_go_together_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        IndexOptions(**WRONG_OPTIONS[name])


def test_the_other_calls_of_the_control_plane_name_what_they_are_for(recorder: Recorder) -> None:
    control = Control(cast("Wire", recorder))
    control.enable_index("c", "i")
    control.disable_index("c", "i")
    control.update_index("c", "i", scalars=["a"], cpu_quota=2)
    control.update_collection("c", fields=[Field("a", "int64", default=0)], description="d")
    assert list(control.indexes("c")) == list(control.collections("vid")) == list(control.tasks("c")) == []
    control.delete_index("c", "i")
    control.delete_collection("c")
    one = {"CollectionName": "c", "IndexName": "i"}
    paging = {"PageNumber": 1, "PageSize": 100}
    added = {"FieldName": "a", "FieldType": "int64", "DefaultValue": 0}
    assert recorder.sent == [
        ("EnableVikingdbIndex", one),
        ("DisableVikingdbIndex", one),
        ("UpdateVikingdbIndex", {**one, "ScalarIndex": ["a"], "CpuQuota": 2}),
        ("UpdateVikingdbCollection", {"CollectionName": "c", "Fields": [added], "Description": "d"}),
        ("ListVikingdbIndex", {"Filter": {"CollectionName": ["c"]}, **paging}),
        ("ListVikingdbCollection", {"Filter": {"CollectionNameKeyword": "vid"}, **paging}),
        ("ListVikingdbTask", {"CollectionName": "c", **paging}),
        ("DeleteVikingdbIndex", one),
        ("DeleteVikingdbCollection", {"CollectionName": "c"}),
    ]


def test_a_task_s_configuration_is_sent_in_the_documented_spelling(recorder: Recorder) -> None:
    control = Control(cast("Wire", recorder))
    config = TaskConfig("b/k/", "json", [{"op": "must"}], {"a": 1}, ["a"], True, False, True)
    assert control.create_task("c", TaskType.EXPORT, config) == "t1"
    control.confirm_task("t1")
    control.delete_task("t1")
    assert recorder.sent == [
        (
            "CreateVikingdbTask",
            {
                "CollectionName": "c",
                "TaskType": "data_export",
                "TaskConfig": {
                    "TosPath": "b/k/",
                    "FileType": "json",
                    "FilterConds": [{"op": "must"}],
                    "UpdateFields": {"a": 1},
                    "OutputFields": ["a"],
                    "ExportAll": True,
                    "IgnoreError": False,
                    "NeedConfirm": True,
                },
            },
        ),
        ("UpdateVikingdbTask", {"TaskId": "t1", "TaskStatus": "confirmed"}),
        ("DeleteVikingdbTask", {"TaskId": "t1"}),
    ]


# -- filters ----------------------------------------------------------------------------------------------

SCHEMA = {
    "year": FieldType.INT,
    "rating": FieldType.FLOAT,
    "place": FieldType.STRING,
    "open": FieldType.BOOL,
    "tags": FieldType.STRINGS,
}
_THIRD = 0.3333333432674408  # the float32 next to 1/3


def present(name: str) -> dict[str, Any]:
    return {"op": "must", "field": "present", "conds": [name]}


def absent(name: str) -> dict[str, Any]:
    return {"op": "must_not", "field": "present", "conds": [name]}


def a_range(name: str, **bounds: float) -> dict[str, Any]:
    return {"op": "range", "field": name, **bounds}


FILTERS: dict[str, tuple[Filter, dict[str, Any]]] = {
    "one of": (
        F.scope.is_in(["clip", "video"]),
        {"op": "must", "field": "scope", "conds": ["clip", "video"]},
    ),
    "none of": (F.uri != "a", {"op": "must_not", "field": "uri", "conds": ["a"]}),
    "a bool is a number": (
        F.open == True,  # noqa: E712 - this makes a filter
        {"op": "must", "field": "open", "conds": [1]},
    ),
    "what may be null": (
        F.open == False,  # noqa: E712 - this makes a filter
        {"op": "and", "conds": [present("open"), {"op": "must", "field": "open", "conds": [0]}]},
    ),
    "a list": (
        F.tags.any("sea", "sun"),
        {"op": "must", "field": "tags", "conds": ["sea", "sun"]},
    ),
    "a range": (F.start.between(1, 2.5), a_range("start", gte=1000, lte=2500)),
    "the opposite of a range": (
        ~F.start.between(1, 2.5),
        {"op": "or", "conds": [a_range("start", lt=1000), a_range("start", gt=2500)]},
    ),
    "the opposite of one bound": (~(F.start > 1), a_range("start", lte=1000)),
    "a float is a range of one float32": (
        F.rating == 1 / 3,
        a_range("rating", gte=_THIRD, lte=_THIRD),
    ),
    "no such float": (
        F.rating != 1 / 3,
        {"op": "or", "conds": [a_range("rating", lt=_THIRD), a_range("rating", gt=_THIRD)]},
    ),
    "beyond float32": (
        F.rating < 1e300,
        {"op": "and", "conds": [present("rating"), a_range("rating", lt=3.4028234663852886e38)]},
    ),
    "nested": (
        (F.year > 2019) & ((F.place == "x") | ~F.tags.exists()),
        {
            "op": "and",
            "conds": [
                a_range("year", gt=2019),
                {
                    "op": "or",
                    "conds": [
                        {"op": "must", "field": "place", "conds": ["x"]},
                        absent("tags"),
                    ],
                },
            ],
        },
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_written_in_the_undisputed_part_of_the_language(name: str) -> None:
    where, written = FILTERS[name]
    assert filters.condition(lower(where, SCHEMA)) == written


def test_a_prefix_is_refused() -> None:
    for where in (F.uri.prefix("a"), ~F.uri.prefix("a")):
        with pytest.raises(UnsupportedError, match="prefix"):
            filters.condition(lower(where, SCHEMA))


# -- media and models -------------------------------------------------------------------------------------

TOS = "tos://b/k.mp4"
ADDRESSES: dict[str, tuple[Media, float | None, object]] = {
    "a text": (Media(Modality.TEXT, text="海"), None, "海"),
    "an image": (Media(Modality.IMAGE, uri="https://h/k.jpg?sign=1"), 2.0, "https://h/k.jpg?sign=1"),
    "a video": (Media(Modality.VIDEO, uri=TOS), None, {"value": TOS}),
    "a video with its own fps": (Media(Modality.VIDEO, uri=TOS, fps=0.2), 2.0, {"value": TOS, "fps": 0.2}),
    "a video with the store's": (Media(Modality.VIDEO, uri=TOS), 2.0, {"value": TOS, "fps": 2.0}),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_medium_is_sent_by_its_address(name: str) -> None:
    medium, fps, sent = ADDRESSES[name]
    assert rows.address(medium, fps) == sent


def test_a_medium_that_the_service_cannot_see_is_refused() -> None:
    for uri in (None, "s3://b/k", "file:///k", "k.mp4"):
        with pytest.raises(UnsupportedError, match="tos://"):
            rows.address(Media(Modality.VIDEO, uri=uri))
    with pytest.raises(UnsupportedError, match="whole files"):
        rows.address(Media(Modality.VIDEO, uri=TOS, start_ms=5))
    for fps in (0.1, 5.1):
        with pytest.raises(InvalidQueryError, match=r"0\.2 to 5"):
            rows.address(Media(Modality.VIDEO, uri=TOS, fps=fps))


def test_parts_of_an_embedding_stand_beside_each_other_or_in_a_series() -> None:
    vision = find("doubao-embedding-vision", "250615")
    text, first = Media(Modality.TEXT, text="猫"), Media(Modality.IMAGE, uri="tos://b/1.jpg")
    second = Media(Modality.IMAGE, uri="tos://b/2.jpg")
    assert item([text, first], vision, "P:", None) == {"text": "P:猫", "image": "tos://b/1.jpg"}
    assert item([first, second], vision, "P:", None) == {
        "full_modal_seq": [{"image": "tos://b/1.jpg"}, {"image": "tos://b/2.jpg"}]
    }
    with pytest.raises(UnsupportedError, match="sum"):
        item([first, second], find("doubao-embedding-vision", "250328"), "", None)


def test_the_instructions_of_each_model_are_part_of_the_space() -> None:
    spaces = {
        version: Vectorize("doubao-embedding-vision", version, 1024, content).space
        for version, content in (
            ("250328", (Modality.IMAGE,)),
            ("250615", (Modality.VIDEO,)),
            ("251215", (Modality.VIDEO, Modality.TEXT)),
        )
    }
    question = "根据这个问题，找到能回答这个问题的相应文本或图片："
    assert spaces["250328"].templates == spaces["250615"].templates == {"query": question}
    assert spaces["251215"].templates == {
        "query": "Target_modality: text and video.\nInstruction:"
        "根据这个问题，找到能回答这个问题的相应文本或图片\nQuery:",
        "document": "Instruction:Compress the text and video into one word.\nQuery:",
    }
    assert Vectorize(instruct=False).space.templates == {}
    assert len({space.key for space in (*spaces.values(), Vectorize(instruct=False).space)}) == 4
    assert not any(model.instructs for model in MODELS if model.name in ("bge-m3", "bge-visualized-m3"))


def test_a_model_that_does_not_exist_or_cannot_do_it_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean"):
        Vectorize(version="250616")
    with pytest.raises(ConfigurationError, match="512"):
        Vectorize(dimension=512)
    with pytest.raises(ConfigurationError, match="video"):
        Vectorize(version="250328")
    with pytest.raises(ConfigurationError, match="fps"):
        Vectorize(fps=6)


def test_the_later_model_is_told_whether_to_instruct_what_is_stored() -> None:
    columns = {Modality.VIDEO: "v"}
    told = Vectorize(version="251215").body(columns)["Dense"]["Instruction"]
    assert told == {"AutoFill": True}
    assert Vectorize(version="251215", instruct=False).body(columns)["Dense"]["Instruction"] == {
        "AutoFill": False
    }
    assert "Instruction" not in Vectorize().body(columns)["Dense"]
