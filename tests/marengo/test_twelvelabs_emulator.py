"""The emulator takes what the vendor documents, and nothing else; else it would prove nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from polyreel.testing.twelvelabs import Emulator, Fault, emulating

from .conftest import write_clip, write_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def client(service: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.base_url, headers={"x-api-key": service.key}) as made:
        yield made


@pytest.fixture
def asset(service: Emulator, client: httpx.Client, tmp_path: Path) -> str:
    content = write_clip(tmp_path / "red.mp4", seconds=12.0).read_bytes()
    made = client.post("/assets", data={"method": "direct"}, files={"file": ("a.mp4", content, "video/mp4")})
    assert made.status_code == 201
    return str(made.json()["_id"])


def text(**changed: object) -> dict[str, object]:
    body = {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": "red"}, **changed}
    return {name: value for name, value in body.items() if value != "left out"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (text(surprise=1), "parameter_unknown"),
        (text(engine_name="Marengo-retrieval-2.6"), "parameter_unknown"),
        (text(text={"input_text": "red", "language": "en"}), "parameter_unknown"),
        (text(model_name="left out"), "parameter_not_provided"),
        (text(text="left out"), "parameter_not_provided"),
        (text(text={}), "parameter_not_provided"),
        (text(image={"media_source": {"url": "http://127.0.0.1:9"}}), "parameter_not_provided"),
        (text(model_name="Marengo-retrieval-2.7"), "parameter_invalid"),
        (text(input_type="words"), "parameter_invalid"),
        (text(text={"input_text": None}), "parameter_invalid"),
        (text(embedding_dimension=512), "VALIDATION_ERROR"),
        (text(auto_truncate=True), "VALIDATION_ERROR"),
        (text(model_name="marengo3.5"), "VALIDATION_ERROR"),
        (text(text={"input_text": " "}), "VALIDATION_ERROR"),
        (text(text={"input_text": "word " * 501}), "VALIDATION_ERROR"),
    ],
)
def test_a_wrong_query_is_refused(client: httpx.Client, body: dict[str, object], code: str) -> None:
    answer = client.post("/embed-v2", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"url": "http://127.0.0.1:9/a.jpg", "asset_id": "0" * 24},
        {"url": ""},
        {"url": "file:///etc/hostname"},
        {"base64_string": "data:image/jpeg;base64,AAAA"},
        {"base64_string": "AAAA"},
        {"path": "a.jpg"},
        None,
    ],
)
def test_a_wrong_source_is_refused(client: httpx.Client, source: object) -> None:
    body = {"input_type": "image", "model_name": "marengo3.0", "image": {"media_source": source}}
    assert client.post("/embed-v2", json=body).status_code == 400


def video(asset: str, model: str = "marengo3.0", **options: object) -> dict[str, Any]:
    return {
        "input_type": "video",
        "model_name": model,
        "video": {"media_source": {"asset_id": asset}, **options},
    }


FIXED = {"strategy": "fixed", "fixed": {"duration_sec": 5}}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("marengo3.0", {"segmentation": {"temporal": FIXED}}),
        ("marengo3.5", {"segmentation": FIXED}),
        ("marengo3.0", {"segmentation": {"strategy": "fixed", "fixed": {"duration_sec": 1}}}),
        ("marengo3.0", {"segmentation": {"strategy": "fixed", "fixed": {"duration_sec": 11}}}),
        ("marengo3.0", {"segmentation": {"strategy": "fixed", "fixed": {"duration_sec": 5.0}}}),
        ("marengo3.0", {"segmentation": {"strategy": "dynamic", "dynamic": {"min_duration_sec": 6}}}),
        ("marengo3.0", {"segmentation": {"strategy": "dynamic", "fixed": {"duration_sec": 5}}}),
        ("marengo3.0", {"embedding_option": []}),
        ("marengo3.0", {"embedding_option": ["visual", "visual"]}),
        ("marengo3.0", {"embedding_option": ["visual-text"]}),
        ("marengo3.5", {"embedding_option": ["transcription"]}),
        ("marengo3.0", {"embedding_scope": ["video"]}),
        ("marengo3.0", {"embedding_scope": ["local"]}),
        ("marengo3.0", {"embedding_option": ["visual"], "embedding_type": ["fused_embedding"]}),
        ("marengo3.5", {"embedding_type": ["fused_embedding"]}),
        ("marengo3.0", {"start_sec": 5, "end_sec": 5}),
        ("marengo3.0", {"start_sec": "0"}),
        ("marengo3.0", {"end_sec": 99}),
        ("marengo3.0", {"video_clip_length": 6}),
    ],
)
def test_a_wrong_order_is_refused(
    service: Emulator, client: httpx.Client, asset: str, model: str, options: dict[str, object]
) -> None:
    answer = client.post("/embed-v2/tasks", json=video(asset, model, **options))
    assert answer.status_code == 400, answer.json()
    assert service.tasks.all == {}


def test_a_task_goes_its_way(service: Emulator, client: httpx.Client, asset: str) -> None:
    service.tasks.seconds = 3600.0
    begun = client.post("/embed-v2/tasks", json=video(asset, segmentation=FIXED, embedding_scope=["clip"]))
    assert (begun.status_code, begun.json()["status"], begun.json()["data"]) == (202, "processing", None)
    place = begun.headers["location"].removeprefix("/v1.3")
    assert client.get(place).json()["status"] == "processing"
    (task,) = service.tasks.all.values()
    task.began -= 3600.0
    done = client.get(place).json()
    assert done["status"] == "ready"
    spans = sorted({(each["start_sec"], each["end_sec"]) for each in done["data"]})
    assert [round(end, 1) for _, end in spans] == [5.0, 10.0, 12.0]  # the short tail is kept
    assert [each["start_sec"] for each in done["data"]] != sorted(each["start_sec"] for each in done["data"])
    assert done["metadata"]["input_filename"] == "a.mp4"
    assert client.get("/embed-v2/tasks", params={"page": 2}).json()["data"] == []
    (listed,) = client.get("/embed-v2/tasks").json()["data"]
    assert listed["_id"] == done["_id"]


def test_an_asset_is_processing_before_it_is_ready(
    client: httpx.Client, service: Emulator, asset: str
) -> None:
    assert client.get(f"/assets/{asset}").json()["status"] == "ready"
    service.files.asset_seconds = 60
    made = client.post("/assets", data={"method": "direct"}, files={"file": ("b.mp4", b"x", "video/mp4")})
    fresh = made.json()["_id"]
    assert made.json()["status"] == "processing"
    assert client.post("/embed-v2/tasks", json=video(fresh)).json()["error"]["code"] == "asset_not_ready"
    assert client.delete(f"/assets/{fresh}").status_code == 204
    assert client.get(f"/assets/{fresh}").status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"method": "direct"},
        {"method": "url"},
        {"method": "direct", "url": "http://127.0.0.1:9/a.mp4"},
        {"method": "direct", "enable_hls": "maybe"},
        {"method": "direct", "name": "a.mp4"},
    ],
)
def test_a_wrong_upload_is_refused(client: httpx.Client, service: Emulator, form: dict[str, str]) -> None:
    parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in form.items()]
    if len(form) > 1:
        parts.append(("file", ("a.mp4", b"x", "video/mp4")))
    assert client.post("/assets", files=parts or None).status_code == 400
    assert service.files.assets == {}


def test_more_tasks_than_may_run_are_refused_with_a_time_to_wait(
    service: Emulator, client: httpx.Client, asset: str
) -> None:
    service.tasks.seconds, service.tasks.at_once = 60, 2
    answers = [client.post("/embed-v2/tasks", json=video(asset)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert answers[2].json()["error"]["code"] == "too_many_requests"


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_a_wrong_key_is_refused(service: Emulator, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key}
    answer = httpx.post(f"{service.base_url}/embed-v2", json=text(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/embed", {"model_name": "marengo3.0"}),
        ("/embed", {"text": "red"}),
        ("/embed", {"model_name": "marengo3.0", "text": ""}),
        ("/embed", {"model_name": "Marengo-retrieval-2.7", "text": "red"}),
        ("/embed", {"engine_name": "marengo3.0", "text": "red"}),
        ("/embed/tasks", {"model_name": "marengo3.0", "video_file": "v.mp4"}),
        ("/embed/tasks", {"model_name": "marengo3.0", "video_url": "v.mp4"}),
    ],
)
def test_a_wrong_form_is_refused(client: httpx.Client, path: str, form: dict[str, str]) -> None:
    parts = [(name, (None, value)) for name, value in form.items()]
    assert client.post(path, files=parts).status_code == 400
    assert client.post(path, json=form).status_code == 400


def test_the_same_medium_has_the_same_vector_however_it_came(
    service: Emulator, client: httpx.Client, tmp_path: Path
) -> None:
    import base64

    content = write_picture(tmp_path / "red.jpg").read_bytes()
    parts = {"file": ("a.jpg", content, "image/jpeg")}
    made = client.post("/assets", data={"method": "direct"}, files=parts).json()["_id"]
    vectors = [
        client.post(
            "/embed-v2",
            json={"input_type": "image", "model_name": "marengo3.0", "image": {"media_source": source}},
        ).json()["data"][0]["embedding"]
        for source in ({"base64_string": base64.b64encode(content).decode()}, {"asset_id": made})
    ]
    assert vectors[0] == vectors[1]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1.0)


def test_faults_strike_as_often_as_they_should() -> None:
    rates = ((Fault.limited(), 0.2), (Fault.broken(500), 0.1))
    with emulating(Emulator(rates=rates, seed=1)) as service:
        calls = 400
        with httpx.Client(base_url=service.base_url, headers={"x-api-key": service.key}) as client:
            codes = [client.get("/embed-v2/tasks").status_code for _ in range(calls)]
    assert 0.15 < codes.count(429) / calls < 0.25
    assert 0.06 < codes.count(500) / calls < 0.14
    assert service.faults.struck["429"] == codes.count(429)
