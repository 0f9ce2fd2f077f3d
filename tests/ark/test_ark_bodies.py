"""What Ark is sent, by the documented bodies, and that it agrees with VikingDB about the same model."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from polyreel import media
from polyreel.backends.vikingdb.options import Vectorize
from polyreel.core.errors import (
    ConfigurationError,
    InvalidQueryError,
    MediaError,
    UnsupportedError,
)
from polyreel.core.media import Media, Modality
from polyreel.embedders.ark import items
from polyreel.testing.web import send, serving

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.embedders.ark.embedder import ArkEmbedder
    from polyreel.testing.ark import Emulator

    from .conftest import Connect

QUESTION = "根据这个问题，找到能回答这个问题的相应文本或图片："
WORDS = Media(Modality.TEXT, text="red ball")


def test_a_text_is_sent_behind_the_question_of_the_model(embedder: ArkEmbedder, emulator: Emulator) -> None:
    made = embedder.embed_query([WORDS])
    assert emulator.bodies == [
        {
            "model": "doubao-embedding-vision-250615",
            "encoding_format": "float",
            "dimensions": 2048,
            "input": [{"type": "text", "text": f"{QUESTION}red ball"}],
        }
    ]
    assert emulator.seen[0].path == "/api/v3/embeddings/multimodal"
    assert emulator.seen[0].headers["authorization"] == "Bearer ark-test"
    assert made.usage == {
        "requests": 1.0,
        "prompt_tokens": 33.0,
        "total_tokens": 33.0,
        "text_tokens": 33.0,
    }
    assert made.request_id is not None


def test_the_later_version_gets_its_instruction_as_a_parameter(emulator: Emulator, connect: Connect) -> None:
    clip = Media(Modality.VIDEO, uri="http://127.0.0.1:9/none.mp4")
    with connect(emulator, version="251215", dimension=1024) as embedder:
        embedder.embed_query([WORDS])
        with pytest.raises(MediaError):
            embedder.embed_clips([clip])
    query, document = emulator.bodies
    assert query["instructions"] == (
        "Target_modality: video.\nInstruction:根据这个问题，找到能回答这个问题的相应文本或图片\nQuery:"
    )
    assert query["input"] == [{"type": "text", "text": "red ball"}]
    assert document["instructions"] == "Instruction:Compress the video into one word.\nQuery:"
    assert (query["model"], query["dimensions"]) == ("doubao-embedding-vision-251215", 1024)


@pytest.mark.parametrize("version", ["250615", "251215"])
@pytest.mark.parametrize("content", [(Modality.VIDEO,), (Modality.VIDEO, Modality.TEXT)])
def test_the_instructions_are_those_of_vikingdb(
    emulator: Emulator, connect: Connect, version: str, content: tuple[Modality, ...]
) -> None:
    theirs = Vectorize(version=version, content=content).space
    with connect(emulator, version=version, content=content) as embedder:
        assert embedder.space.templates == theirs.templates
        assert (embedder.space.model, embedder.space.version) == (theirs.model, theirs.version)
    with connect(emulator, version=version, instruct=False) as embedder:
        assert embedder.space.templates == {}
        assert embedder.space.templates == Vectorize(version=version, instruct=False).space.templates


def test_text_image_and_video_are_one_vector_of_one_call(
    embedder: ArkEmbedder, emulator: Emulator, clips: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.jpg"
    media.thumbnail(clips / "ball_a.mp4", picture, at_ms=1000)
    video = Media(Modality.VIDEO, path=clips / "ball_a.mp4", fps=2.0)
    embedder.embed_query([WORDS, Media(Modality.IMAGE, path=picture), video, WORDS])
    (body,) = emulator.bodies
    first, image, film, second = body["input"]
    assert first["text"] == f"{QUESTION}red ball"
    assert second["text"] == "red ball"  # the question is asked once
    encoded = base64.b64encode(picture.read_bytes()).decode()
    assert image == {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{encoded}"}}
    assert film["video_url"]["fps"] == 2.0
    assert film["video_url"]["url"].startswith("data:video/mp4;base64,")


def test_what_has_an_address_is_sent_by_it(embedder: ArkEmbedder, emulator: Emulator, clips: Path) -> None:
    with serving() as site:
        data = (clips / "ball_a.mp4").read_bytes()
        site.answers["/a.mp4"] = lambda handler, _: send(handler, 200, data)
        clip = Media(Modality.VIDEO, uri=site.url("/a.mp4"))
        by_address = embedder.embed_clips([clip])[0].vector
    by_file = embedder.embed_clips([Media(Modality.VIDEO, path=clips / "ball_a.mp4")])[0].vector
    assert emulator.bodies[0]["input"][0]["video_url"] == {"url": clip.uri}
    assert by_address == by_file


def test_every_clip_is_a_call_and_several_are_on_their_way_at_once(
    emulator: Emulator, connect: Connect, clips: Path
) -> None:
    files = sorted(clips.glob("*.mp4"))[:6]
    given = [Media(Modality.VIDEO, path=file, fps=1.0) for file in files]
    with connect(emulator, at_once=1) as embedder:
        one_by_one = [made.vector for made in embedder.embed_clips(given)]
    assert emulator.busiest == 1
    with connect(emulator, at_once=3) as embedder:
        together = [made.vector for made in embedder.embed_clips(given)]
    assert 1 < emulator.busiest <= 3
    assert together == one_by_one
    assert len(emulator.seen) == 2 * len(given)
    assert all(len(body["input"]) == 1 for body in emulator.bodies)


def test_vectors_have_length_1(embedder: ArkEmbedder) -> None:
    vector = embedder.embed_query([WORDS]).vector
    assert sum(value * value for value in vector) == pytest.approx(1)


def test_frames_a_second_are_said_in_order_of_who_knows_best(
    emulator: Emulator, connect: Connect, clips: Path
) -> None:
    known = Media(Modality.VIDEO, path=clips / "ball_a.mp4", fps=2.0)
    unknown = Media(Modality.VIDEO, path=clips / "ball_a.mp4")
    with connect(emulator, fps=0.5) as embedder:
        embedder.embed_clips([known, unknown])
        with pytest.raises(InvalidQueryError, match=r"0\.2 to 5"):
            embedder.embed_clips([Media(Modality.VIDEO, path=known.path, fps=24.0)])
    rates = [body["input"][0]["video_url"].get("fps") for body in emulator.bodies]
    assert sorted(rates) == [0.5, 2.0]
    with connect(emulator, send_fps=False) as embedder:
        embedder.embed_clips([known])
    assert "fps" not in emulator.bodies[-1]["input"][0]["video_url"]


@pytest.mark.parametrize("piece", [(1000, 2000), (0, 1500), (1000, None)])
def test_a_piece_of_a_video_is_cut_out_first(
    embedder: ArkEmbedder, emulator: Emulator, clips: Path, piece: tuple[int, int | None], tmp_path: Path
) -> None:
    start, end = piece
    embedder.embed_query([Media(Modality.VIDEO, path=clips / "ball_a.mp4", start_ms=start, end_ms=end)])
    sent = emulator.bodies[0]["input"][0]["video_url"]["url"].removeprefix("data:video/mp4;base64,")
    (tmp_path / "sent.mp4").write_bytes(base64.b64decode(sent))
    length = media.probe(tmp_path / "sent.mp4").duration_ms
    assert length == pytest.approx((end or 4000) - start, abs=150)


def test_another_container_is_brought_to_mp4(embedder: ArkEmbedder, emulator: Emulator, clips: Path) -> None:
    embedder.embed_query([Media(Modality.VIDEO, path=clips / "snow.webm")])
    assert emulator.bodies[0]["input"][0]["video_url"]["url"].startswith("data:video/mp4;base64,")


def test_what_ark_would_refuse_is_refused_before_it_is_sent(
    embedder: ArkEmbedder, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "large.mp4").write_bytes(bytes(2000))
    monkeypatch.setattr(items, "MAX_INLINE_VIDEO", 1000)
    piece = Media(Modality.VIDEO, uri="https://example.com/a.mp4", start_ms=5)
    wrong: list[tuple[type[Exception], Media]] = [
        (MediaError, Media(Modality.IMAGE, path=tmp_path / "a.jpg")),
        (MediaError, Media(Modality.VIDEO, path=tmp_path / "large.mp4")),
        (UnsupportedError, piece),
        (UnsupportedError, Media(Modality.AUDIO, path=tmp_path / "a.jpg")),
    ]
    for error, part in wrong:
        with pytest.raises(error):
            embedder.embed_query([part])
    assert emulator.seen == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"version": "250328"}, "no doubao-embedding-vision of version"),
        ({"dimension": 512}, "2048 or 1024"),
        ({"at_once": 0}, "at least 1"),
        ({"content": ()}, "text, image and video"),
        ({"api_key": None}, "ARK_API_KEY"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(
    emulator: Emulator,
    connect: Connect,
    settings: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ARK_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=said):
        connect(emulator, **settings)


def test_an_endpoint_of_ones_own_is_called_by_its_name(
    emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARK_API_KEY", "ark-test")
    with connect(emulator, model="ep-test", api_key=None) as embedder:
        embedder.embed_query([WORDS])
    assert emulator.bodies[0]["model"] == "ep-test"
