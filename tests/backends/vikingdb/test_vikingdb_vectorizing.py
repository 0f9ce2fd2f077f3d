"""Videos that the service vectorizes, over the emulator, whose model sees real pictures."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.backends.vikingdb.options import Vectorize
from polyreel.core.errors import (
    InvalidQueryError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.media import Media, Modality
from polyreel.core.recipe import Recipe
from polyreel.core.records import Record
from polyreel.core.requests import NearMedia, NearVector, SearchRequest
from polyreel.core.search import VideoSearch
from polyreel.core.space import CollectionSpec
from polyreel.core.stack import Stack
from polyreel.embedders.builtin.embedder import BuiltinEmbedder
from polyreel.storage.local import LocalObjects
from polyreel.testing.vikingdb import Emulator, Settings, emulating
from polyreel.testing.web import send, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from polyreel.backends.vikingdb import VikingDBStore

    StoreOf = Callable[..., Callable[[], VikingDBStore]]

_BUCKET = "tos://bucket/"


class TosFolder(LocalObjects):
    """Files that are named as TOS names objects."""

    schemes = frozenset({"tos"})

    def _uri(self, key: str) -> str:
        return f"{_BUCKET}{key}"

    def _key(self, uri: str) -> str | None:
        return uri.removeprefix(_BUCKET) if uri.startswith(_BUCKET) else None


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered clips of eight scenes."""
    folder = tmp_path_factory.mktemp("videos")
    media.render_samples(folder, seconds=4.0, size=(160, 120), fps=8)
    return folder


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bucket")


def resolver(shelf: Path) -> Callable[[str], bytes]:
    return lambda uri: (shelf / uri.removeprefix(_BUCKET)).read_bytes()


RECIPE = Recipe(window=2.0, fps=2.0)


@pytest.fixture(scope="module")
def stacks(
    videos: Path, shelf: Path, store_of: StoreOf, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The same clips in VikingDB, which vectorizes them, and in memory, with the builtin embedder."""
    state = tmp_path_factory.mktemp("state")
    with ExitStack() as opened:
        emulator = opened.enter_context(emulating(Settings(resolve=resolver(shelf), lag=0.05)))
        store = store_of(emulator, vectorize=Vectorize(dimension=1024))()
        parts: dict[str, Any] = {"fields": {"year": FieldType.INT}, "recipe": RECIPE}
        remote = Stack("vikingdb", store, None, TosFolder(path=shelf), state, **parts)
        local = Stack(
            "memory", MemoryStore(), BuiltinEmbedder(), LocalObjects(path=state / "objects"), state, **parts
        )
        searches = [opened.enter_context(VideoSearch(stack, media)) for stack in (remote, local)]
        for search in searches:
            report = search.ingest(str(videos))
            assert report.ok, report
        yield (*searches, emulator)


@pytest.fixture
def vikingdb(stacks: Any) -> VideoSearch:
    return stacks[0]  # type: ignore[no-any-return]


def best(search: VideoSearch, **query: Any) -> str:
    return search.search(group_by="video", limit=3, **query).hits[0].uri.rpartition("/")[2]


QUERIES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "an image": lambda videos: {"image": videos / "frame.jpg"},
    "a video": lambda videos: {"video": videos / "ball_a.mp4"},
    "another video": lambda videos: {"video": videos / "city_night.mp4"},
    "words of colour": lambda _: {"text": "orange"},
    "words of light": lambda _: {"text": "dark night"},
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_best_video_is_that_of_the_local_stack(stacks: Any, videos: Path, name: str) -> None:
    media.thumbnail(videos / "ball_b.mp4", videos / "frame.jpg", at_ms=1500, size=160)
    vikingdb, local, _ = stacks
    query = QUERIES[name](videos)
    with_its_words_out = best(local, **query)
    assert best(vikingdb, **query) == with_its_words_out


def test_each_clip_was_sent_in_a_call_of_its_own_with_its_frames_a_second(stacks: Any) -> None:
    _, _, emulator = stacks
    bodies = emulator.bodies("data/upsert")
    assert len(bodies) >= 8
    for body in bodies:
        (row,) = body["data"]
        assert row["polyreel_video"]["value"].startswith(f"{_BUCKET}clips/")
        assert row["polyreel_video"]["fps"] == RECIPE.fps
        assert "polyreel_vector" not in row


def test_the_collection_is_made_for_videos_and_the_documented_model(stacks: Any) -> None:
    _, _, emulator = stacks
    (body,) = emulator.bodies("CreateVikingdbCollection")
    assert body["Vectorize"] == {
        "Dense": {
            "ModelName": "doubao-embedding-vision",
            "ModelVersion": "250615",
            "Dim": 1024,
            "VideoField": "polyreel_video",
        }
    }
    assert {"FieldName": "polyreel_video", "FieldType": "video"} in body["Fields"]
    assert not any(field["FieldType"] == "vector" for field in body["Fields"])


def test_a_second_run_vectorizes_nothing(stacks: Any, videos: Path) -> None:
    vikingdb, _, emulator = stacks
    before = len(emulator.bodies("data/upsert"))
    report = vikingdb.ingest(str(videos))
    assert len(emulator.bodies("data/upsert")) == before
    assert report.ok


def test_a_joint_query_is_one_call_with_its_notes(stacks: Any, videos: Path) -> None:
    vikingdb, _, emulator = stacks
    calls = len(emulator.seen)
    result = vikingdb.search("orange", video=videos / "ball_a.mp4", limit=3)
    assert result.explain["fusion"] == "joint"
    searched = [seen for seen in emulator.seen[calls:] if "/search/" in seen.path]
    assert [seen.path for seen in searched] == ["/api/vikingdb/data/search/multi_modal"]
    body = searched[0].json()
    assert body["text"] == "orange"
    assert body["need_instruction"] is True
    assert body["video"]["value"].startswith(f"{_BUCKET}staging/")
    notes = result.notes[0]
    assert notes["real_text_query"] == "根据这个问题，找到能回答这个问题的相应文本或图片：orange"
    assert set(notes["ann_score"]) >= {hit.id for hit in result.hits}
    assert notes["token_usage"]["doubao-embedding-vision__250615"]["total_tokens"] > 0
    assert result.request_ids


def test_the_leases_of_a_query_are_gone_afterwards(vikingdb: VideoSearch, videos: Path, shelf: Path) -> None:
    vikingdb.search(video=videos / "ball_a.mp4", limit=1)
    assert not list((shelf / "staging").rglob("*.mp4")) if (shelf / "staging").exists() else True
    assert list((shelf / "clips").rglob("*.mp4"))


def test_a_query_without_words_asks_for_no_instruction(stacks: Any, videos: Path) -> None:
    vikingdb, _, emulator = stacks
    vikingdb.search(video=videos / "ball_a.mp4", limit=1)
    body = emulator.bodies("multi_modal")[-1]
    assert body["need_instruction"] is False
    assert "text" not in body


def test_weights_and_what_is_unwanted_work_through_the_embedding_call(stacks: Any, videos: Path) -> None:
    vikingdb, _, emulator = stacks
    plain = vikingdb.search(video=videos / "ball_a.mp4", limit=8)
    balls = {hit.uri.rpartition("/")[2] for hit in plain.hits[:2]}
    before = len(emulator.bodies("vikingdb/embedding"))
    result = vikingdb.search(
        video=[videos / "ball_a.mp4", videos / "city_night.mp4"], weights={"video": 0.2}, limit=1
    )
    assert result.explain["fusion"] == "sum"
    assert result.hits[0].uri.endswith("city_night.mp4")
    assert set(result.hits[0].similarity) == {"video", "video_2"}
    assert result.usage["doubao-embedding-vision__250615.image_tokens"] == 20_000
    without = vikingdb.search(
        video=videos / "city_night.mp4", without={"video": videos / "ball_a.mp4"}, limit=20
    )
    assert without.hits[0].uri.endswith("city_night.mp4")
    assert without.hits[-1].uri.rpartition("/")[2] in balls
    sent = emulator.bodies("vikingdb/embedding")[before:]
    assert len(sent) == 2  # what is asked again isn't paid for again
    assert sent[0]["dense_model"] == {"name": "doubao-embedding-vision", "version": "250615", "dim": 1024}


def test_several_media_of_a_kind_are_one_series(stacks: Any, videos: Path) -> None:
    vikingdb, _, emulator = stacks
    result = vikingdb.search(video=[videos / "ball_a.mp4", videos / "ball_b.mp4"], fusion="joint", limit=2)
    (item,) = emulator.bodies("vikingdb/embedding")[-1]["data"]
    assert [list(each) for each in item["full_modal_seq"]] == [["video"], ["video"]]
    assert len(result.hits) == 2
    assert "ball" in result.hits[0].uri


def test_records_like_a_record_and_its_vector(vikingdb: VideoSearch) -> None:
    some = vikingdb.search("orange", limit=1).hits[0]
    alike = vikingdb.search(like=some.id, limit=3)
    assert some.id not in {hit.id for hit in alike.hits}
    store = vikingdb.stack.store
    vector = store.fetch([some.id], vectors=True)[some.id].content
    assert vector is not None
    assert not isinstance(vector, Media)
    (answer,) = store.search([SearchRequest(NearVector(vector), limit=1)])
    assert answer.hits[0].id == some.id
    assert answer.hits[0].score == pytest.approx(1, abs=1e-5)


# -- one store, without the engine ------------------------------------------------------------------------


@pytest.fixture
def opened(store_of: StoreOf, videos: Path) -> Iterator[Callable[..., tuple[VikingDBStore, Emulator]]]:
    """Opens a store that vectorizes, over an emulator with these settings."""
    with ExitStack() as all_of_them:

        def make(settings: dict[str, Any] | None = None, **keys: Any) -> tuple[VikingDBStore, Emulator]:
            given = {
                "resolve": lambda uri: (videos / uri.rpartition("/")[2]).read_bytes(),
                **(settings or {}),
            }
            emulator = all_of_them.enter_context(emulating(Settings(**given)))
            keys = {"vectorize": Vectorize(dimension=1024), **keys}
            store = all_of_them.enter_context(store_of(emulator, **keys)())
            assert store.space is not None
            store.open(CollectionSpec("clips", store.space, {}, store.vectorizes), create=True)
            return store, emulator

        yield make


def clip(name: str, **parts: Any) -> Record:
    medium = Media(Modality.VIDEO, uri=f"tos://bucket/{name}", **parts)
    return Record(name, f"video of {name}", f"tos://bucket/{name}", content=medium)


Opened = Any


def test_usage_is_reported_while_the_service_reports_it(opened: Opened) -> None:
    told, _ = opened()
    receipt = told.upsert([clip("ball_a.mp4")])
    assert receipt.usage["doubao-embedding-vision__250615.image_tokens"] == 10_000
    silent, _ = opened({"background": True})
    receipt = silent.upsert([clip("ball_a.mp4")])
    assert receipt.usage == {}
    silent.wait(receipt)
    assert silent.count() == 1


def test_a_video_that_fails_in_the_background_is_not_taken_for_searchable(opened: Opened) -> None:
    store, _ = opened({"background": True, "resolve": lambda _: b"no video"})
    receipt = store.upsert([clip("ball_a.mp4")])
    with pytest.raises(UnavailableError, match="doesn't show all"):
        store.wait(receipt, timeout=0.3)


@pytest.mark.parametrize("data", [b"no video", b""])
def test_a_video_that_cannot_be_read_is_refused_for_good(opened: Opened, data: bytes) -> None:
    store, emulator = opened({"resolve": lambda _: data})
    with pytest.raises(RejectedError, match="medium can't be read"):
        store.upsert([clip("ball_a.mp4")])
    assert len(emulator.bodies("data/upsert")) == 1


def test_a_video_is_fetched_from_a_web_server_too(opened: Opened, videos: Path) -> None:
    store, _ = opened()
    with serving() as site:
        data = (videos / "ball_a.mp4").read_bytes()
        site.answers["/ball.mp4"] = lambda handler, _: send(handler, 200, data)
        address = site.url("/ball.mp4?X-Tos-Signature=secret")
        record = replace(clip("a"), content=Media(Modality.VIDEO, uri=address))
        store.wait(store.upsert([record]))
        site.answers.clear()
        with pytest.raises(RejectedError) as caught:
            store.upsert([replace(record, id="b")])
    assert store.count() == 1
    assert "secret" not in str(caught.value)


def test_only_what_the_service_can_fetch_is_sent(opened: Opened, videos: Path) -> None:
    store, emulator = opened()
    local = Media(Modality.VIDEO, path=videos / "ball_a.mp4")
    for wrong in (local, Media(Modality.VIDEO, uri="s3://b/k"), Media(Modality.IMAGE, uri="tos://b/k.jpg")):
        with pytest.raises(UnsupportedError):
            store.upsert([replace(clip("a"), content=wrong)])
    with pytest.raises(InvalidQueryError, match="fps"):
        store.upsert([clip("a", fps=30.0)])
    with pytest.raises(UnsupportedError, match="audio"):
        store.search([SearchRequest(NearMedia((Media(Modality.AUDIO, uri="tos://b/k.mp3"),)))])
    assert emulator.bodies("data/upsert") == emulator.bodies("multi_modal") == []


def test_a_change_of_fields_embeds_nothing(opened: Opened) -> None:
    store, emulator = opened()
    store.wait(store.upsert([clip("ball_a.mp4"), clip("ball_b.mp4")]))
    vectors = {id: row.vector for id, row in emulator.control.collections["clips"].rows.items()}
    emulator.faults.plan("upsert")
    store.wait(store.update_fields(["ball_a.mp4", "ball_b.mp4", "nobody"], uri="tos://elsewhere/k.mp4"))
    assert [len(body["data"]) for body in emulator.bodies("data/update")] == [1, 1]
    assert all("polyreel_video" not in body["data"][0] for body in emulator.bodies("data/update"))
    rows = emulator.control.collections["clips"].rows
    assert {id: row.vector for id, row in rows.items()} == vectors
    assert {record.uri for record in store.scan()} == {"tos://elsewhere/k.mp4"}


def test_the_later_model_gets_its_instruction_apart(opened: Opened) -> None:
    store, emulator = opened(vectorize=Vectorize(version="251215", dimension=1024))
    store.wait(store.upsert([clip("ball_a.mp4")]))
    words = Media(Modality.TEXT, text="red")
    (answer,) = store.search([SearchRequest(NearMedia((words,)))])
    assert answer.notes["real_text_query"].startswith("Target_modality: video.\nInstruction:")
    embedder = store.query_embedder()
    assert embedder is not None
    embedder.embed_query([words])
    body = emulator.bodies("vikingdb/embedding")[-1]
    assert body["data"] == [{"text": "red"}]
    assert body["dense_model"]["instruction"]["content"].startswith("Target_modality: video.")


def test_both_ways_of_asking_give_the_same_vector(opened: Opened) -> None:
    store, emulator = opened()
    store.wait(store.upsert([clip("ball_a.mp4"), clip("city_night.mp4")]))
    words = Media(Modality.TEXT, text="dark night")
    (asked,) = store.search([SearchRequest(NearMedia((words,)))])
    embedder = store.query_embedder()
    assert embedder is not None
    embedded = embedder.embed_query([words])
    (searched,) = store.search([SearchRequest(NearVector(embedded.vector))])
    assert [(hit.id, round(hit.score, 5)) for hit in asked.hits] == [
        (hit.id, round(hit.score, 5)) for hit in searched.hits
    ]
    sent = emulator.bodies("vikingdb/embedding")[-1]["data"][0]["text"]
    assert sent == "根据这个问题，找到能回答这个问题的相应文本或图片：dark night"


def test_without_instructions_words_are_sent_bare(opened: Opened) -> None:
    store, emulator = opened(vectorize=Vectorize(dimension=1024, instruct=False))
    store.wait(store.upsert([clip("ball_a.mp4")]))
    (answer,) = store.search([SearchRequest(NearMedia((Media(Modality.TEXT, text="red"),)))])
    assert answer.notes["real_text_query"] == "red"
    assert emulator.bodies("multi_modal")[-1]["need_instruction"] is False
    store.query_embedder().embed_query([Media(Modality.TEXT, text="red")])
    assert emulator.bodies("vikingdb/embedding")[-1]["data"] == [{"text": "red"}]
