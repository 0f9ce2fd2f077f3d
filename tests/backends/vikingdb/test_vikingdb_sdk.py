"""The vendor's own SDKs against the emulator, so that neither side is only our own idea of the service."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import volcenginesdkcore
import volcenginesdkvikingdb
from volcenginesdkcore.rest import ApiException

from polyreel.testing.vikingdb import Emulator, Fault, Part, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from polyreel.backends.vikingdb import VikingDBStore
    from polyreel.core.space import CollectionSpec

    StoreOf = Callable[..., Callable[[], VikingDBStore]]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # one of its models shadows a method of pydantic's
    from vikingdb import APIKey
    from vikingdb.auth import IAM
    from vikingdb.request_options import RequestOptions
    from vikingdb.vector import VikingDB
    from vikingdb.vector.exceptions import VikingVectorException

_ONCE = RequestOptions(max_attempts=1)


def sized(parts: Sequence[Part], query: bool) -> list[float]:
    size = len(parts[0].data or parts[0].text)
    return [1.0 if n == size % 5 else 0.1 for n in range(5)]


@dataclass
class Vendor:
    """Both SDKs over one emulator."""

    emulator: Emulator
    control: Any
    data: Any


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with emulating(Settings(vectorize=sized, resolve=lambda uri: uri.encode())) as emulator:
        yield of(emulator)


def of(emulator: Emulator, auth: Any = None) -> Vendor:
    host = emulator.url.removeprefix("http://")
    settings = volcenginesdkcore.Configuration()
    settings.ak, settings.sk, settings.region = emulator.access_key, emulator.secret_key, "cn-beijing"
    settings.host, settings.scheme = host, "http"
    control = volcenginesdkvikingdb.VIKINGDBApi(volcenginesdkcore.ApiClient(settings))
    auth = auth or IAM(ak=emulator.access_key, sk=emulator.secret_key)
    return Vendor(emulator, control, VikingDB(host=host, region="cn-beijing", auth=auth, scheme="http"))


def practice(vendor: Vendor) -> None:
    """Make the collection and index of the vendor's video search practice."""
    sdk = volcenginesdkvikingdb
    dense = sdk.DenseForCreateVikingdbCollectionInput(
        model_name="doubao-embedding-vision",
        model_version="250615",
        dim=2048,
        video_field="landscape_video",
    )
    vendor.control.create_vikingdb_collection(
        sdk.CreateVikingdbCollectionRequest(
            collection_name="video_demo1",
            project_name="default",
            description="d",
            fields=[
                sdk.FieldForCreateVikingdbCollectionInput(
                    field_name="video_id", field_type="string", is_primary_key=True
                ),
                sdk.FieldForCreateVikingdbCollectionInput(field_name="landscape_video", field_type="video"),
            ],
            vectorize=sdk.VectorizeForCreateVikingdbCollectionInput(dense=dense),
        )
    )
    vendor.control.create_vikingdb_index(
        sdk.CreateVikingdbIndexRequest(
            collection_name="video_demo1",
            index_name="video_demo1",
            cpu_quota=1,
            scalar_index=["video_id"],
            vector_index=sdk.VectorIndexForCreateVikingdbIndexInput(
                index_type="hnsw", distance="cosine", quant="int8"
            ),
        )
    )


def test_the_vendor_s_practice_runs_with_the_vendor_s_sdks(vendor: Vendor) -> None:
    practice(vendor)
    sdk = volcenginesdkvikingdb
    place = {"collection_name": "video_demo1", "index_name": "video_demo1"}
    index = vendor.control.get_vikingdb_index(sdk.GetVikingdbIndexRequest(**place))
    assert (index.status, index.vector_index.quant) == ("ACTIVE", "int8")
    found = vendor.control.get_vikingdb_collection(
        sdk.GetVikingdbCollectionRequest(collection_name="video_demo1")
    )
    assert found.vectorize.dense.video_field == "landscape_video"

    videos = vendor.data.collection(collection_name="video_demo1")
    for n in range(3):
        row = {"video_id": str(n), "landscape_video": {"value": f"tos://b/{'k' * n}.mp4", "fps": 1.0}}
        written = videos.upsert({"data": [row]})
        assert written.result.token_usage["doubao-embedding-vision__250615"]["total_tokens"] == 10_000
    kept = videos.fetch({"ids": ["1", "9"]})
    assert [item.id for item in kept.result.items] == ["1"]
    assert kept.result.ids_not_exist == ["9"]

    searches = vendor.data.index(**place)
    by_text = searches.search_by_multi_modal({"text": "cat", "need_instruction": True, "limit": 2})
    assert by_text.result.real_text_query == "根据这个问题，找到能回答这个问题的相应文本或图片：cat"
    assert len(by_text.result.data) == 2
    video = {"value": "tos://b/kk.mp4", "fps": 1.0}
    by_video = searches.search_by_multi_modal({"video": video, "need_instruction": False, "limit": 1})
    assert by_video.result.data[0].id == "2"
    assert by_video.result.data[0].fields["landscape_video"] == video
    assert searches.search_by_id({"id": "0", "limit": 3}).result.total_return_count == 3
    assert searches.search_by_random({"limit": 1}).result.total_return_count == 1
    assert searches.aggregate({"op": "count"}).result.agg == {"__TOTAL__": 3}
    shown = searches.fetch({"ids": ["0"], "output_fields": []})
    assert len(shown.result.items[0].dense_vector) == 2048
    videos.delete({"ids": ["0"]})
    assert searches.aggregate({"op": "count"}).result.agg == {"__TOTAL__": 2}


def test_models_are_called_through_the_sdk(vendor: Vendor) -> None:
    model = {"name": "doubao-embedding-vision", "version": "250615", "dim": 1024}
    made = vendor.data.embedding().embedding({"data": [{"text": "x"}], "dense_model": model})
    assert made.result.data[0].dense[:6] == [0.1, 1.0, 0.1, 0.1, 0.1, 0.0]
    ranked = vendor.data.rerank().rerank(
        {
            "model_name": "doubao-seed-rerank",
            "model_version": "251028",
            "data": [[{"text": "d"}], [{"text": "q"}]],
            "query": [{"text": "q"}],
        }
    )
    assert ranked.result.data[0].id == 1


def test_the_sdk_comes_in_with_a_key_of_the_data_plane(emulator: Emulator) -> None:
    vendor = of(emulator, APIKey(api_key="vk-test"))
    with pytest.raises(VikingVectorException) as caught:
        vendor.data.collection(collection_name="nothing").fetch({"ids": ["1"]}, request_options=_ONCE)
    assert caught.value.code == "NotFound.VikingdbCollection"
    assert caught.value.status_code == 404
    wrong = of(emulator, APIKey(api_key="vk-other"))
    with pytest.raises(VikingVectorException) as caught:
        wrong.data.collection(collection_name="nothing").fetch({"ids": ["1"]}, request_options=_ONCE)
    assert caught.value.status_code == 401


def test_the_sdks_understand_how_the_emulator_refuses(vendor: Vendor) -> None:
    practice(vendor)
    with pytest.raises(ApiException) as caught:
        practice(vendor)
    assert caught.value.status == 409
    assert "AlreadyExists" in str(caught.value.body)
    videos = vendor.data.collection(collection_name="video_demo1")
    with pytest.raises(VikingVectorException) as wrong:
        videos.upsert({"data": [{"video_id": 1}]}, request_options=_ONCE)
    assert (wrong.value.code, wrong.value.status_code) == ("InvalidParameter", 400)
    assert wrong.value.request_id.startswith("emulated-")
    vendor.emulator.faults.plan("data/upsert", Fault(status=429, code="TooManyRequests"))
    with pytest.raises(VikingVectorException) as busy:
        videos.upsert({"data": [{"video_id": "1"}]}, request_options=_ONCE)
    assert (busy.value.code, busy.value.status_code) == ("TooManyRequests", 429)


def test_signatures_of_both_sdks_are_checked(vendor: Vendor) -> None:
    practice(vendor)
    signed = {
        seen.path: seen.headers["authorization"] for seen in vendor.emulator.seen if seen.method == "POST"
    }
    assert "x-sdk-invocation-id" in signed["/"]
    vendor.data.collection(collection_name="video_demo1").fetch({"ids": ["1"]})
    last = vendor.emulator.seen[-1].headers["authorization"]
    assert "SignedHeaders=content-type;x-content-sha256;x-date," in last
    vendor.emulator.settings.secret_key = "other"
    with pytest.raises(VikingVectorException) as caught:
        vendor.data.collection(collection_name="video_demo1").fetch({"ids": ["1"]}, request_options=_ONCE)
    assert (caught.value.code, caught.value.status_code) == ("SignatureDoesNotMatch", 401)


def test_what_the_store_wrote_is_read_by_the_vendor_s_sdk(
    vendor: Vendor, store_of: StoreOf, plain: CollectionSpec
) -> None:
    from polyreel.core.records import Record

    with store_of(vendor.emulator)() as store:
        store.open(plain, create=True)
        record = Record("a", "v", "u", content=[3.0, 0.0, 4.0, 0.0], fields={"year": 2020})
        store.wait(store.upsert([record]))
        index = vendor.data.index(collection_name="clips", index_name="clips")
        found = index.search_by_vector(
            {
                "dense_vector": [0.6, 0.0, 0.8, 0.0],
                "limit": 1,
                "filter": {"op": "must", "field": "year", "conds": [2020]},
            }
        )
        assert found.result.data[0].id == "a"
        assert found.result.data[0].fields["year"] == 2020
        assert found.result.data[0].score == pytest.approx(1)
        vendor.data.collection(collection_name="clips").delete({"ids": ["a"]})
        assert store.count() == 0


def test_bulk_tasks_are_driven_by_the_vendor_s_sdk(vendor: Vendor) -> None:
    practice(vendor)
    sdk = volcenginesdkvikingdb
    config = sdk.TaskConfigForCreateVikingdbTaskInput(tos_path="b/out/", file_type="json", export_all=True)
    made = vendor.control.create_vikingdb_task(
        sdk.CreateVikingdbTaskRequest(
            collection_name="video_demo1", task_type="data_export", task_config=config
        )
    )
    states: list[str] = []
    while not states or states[-1] != "done":
        states.append(
            vendor.control.get_vikingdb_task(sdk.GetVikingdbTaskRequest(task_id=made.task_id)).task_status
        )
        time.sleep(0.01)
    assert states == ["queued", "running", "done"]
    assert vendor.emulator.tasks.exported == {"b/out/": []}
