"""Queries: what is sent, how it is handed over, and what is refused before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.core.errors import ConfigurationError, MediaError, RejectedError, UnsupportedError
from polyreel.core.media import Media, Modality
from polyreel.embedders.marengo.models import MODELS
from polyreel.testing.embedder import cosine
from polyreel.testing.twelvelabs import Emulator, emulating
from polyreel.testing.web import send, serving

from .conftest import BLUE, GREEN, RED, write_clip, write_picture, write_tone

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeEmbedder

TEXT = Media(Modality.TEXT, text="red")


def sent(service: Emulator, path: str = "/embed-v2") -> list[dict[str, Any]]:
    """The JSON bodies that arrived."""
    return [
        json.loads(request.body)
        for request in service.requests
        if (request.method, request.path) == ("POST", path)
    ]


def test_a_text_is_asked_for_as_each_model_wants_it(service: Emulator, make_embedder: MakeEmbedder) -> None:
    make_embedder().embed_query([TEXT])
    make_embedder(model="marengo3.5").embed_query([TEXT])
    make_embedder(model="marengo3.5", dimension=256).embed_query([TEXT])
    assert sent(service) == [
        {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": "red"}},
        {"input_type": "multi_input", "model_name": "marengo3.5", "multi_input": {"input_text": "red"}},
        {
            "input_type": "multi_input",
            "model_name": "marengo3.5",
            "embedding_dimension": 256,
            "multi_input": {"input_text": "red"},
        },
    ]


@pytest.mark.parametrize("model", MODELS)
def test_colour_words_find_pictures_of_the_colour(
    make_embedder: MakeEmbedder, tmp_path: Path, model: str
) -> None:
    with emulating(Emulator(retired=True)) as service:
        embedder = make_embedder(service, model=model)
        vectors = {
            name: embedder.embed_query(
                [Media(Modality.IMAGE, path=write_picture(tmp_path / f"{name}.jpg", colour))]
            )
            for name, colour in (("red", RED), ("green", GREEN), ("blue", BLUE))
        }
        for name in vectors:
            query = embedder.embed_query([Media(Modality.TEXT, text=f"something {name}")]).vector
            assert max(vectors, key=lambda each: cosine(query, vectors[each].vector)) == name


def test_a_shorter_vector_is_the_beginning_of_the_longer(make_embedder: MakeEmbedder) -> None:
    whole = make_embedder(model="marengo3.5").embed_query([TEXT]).vector
    short = make_embedder(model="marengo3.5", dimension=128).embed_query([TEXT]).vector
    assert list(whole[:128]) == pytest.approx(list(short))


def test_the_template_goes_round_the_words_and_belongs_to_the_space(
    service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path
) -> None:
    embedder = make_embedder(query_template="Recommend - {query}")
    assert embedder.space.templates == {"query": "Recommend - {query}"}
    assert embedder.space.differences(make_embedder().space)
    picture = Media(Modality.IMAGE, path=write_picture(tmp_path / "red.jpg"))
    embedder.embed_query([Media(Modality.TEXT, text="{0} red {query}")])
    embedder.embed_query([TEXT, picture])
    alone, joint = sent(service)
    assert alone["text"] == {"input_text": "Recommend - {0} red {query}"}
    assert joint["input_type"] == "text_image"
    assert joint["text_image"]["input_text"] == "Recommend - red"


@pytest.mark.parametrize("template", ["Recommend", "{query} and {query}", ""])
def test_a_template_without_a_place_for_the_words_is_wrong(
    make_embedder: MakeEmbedder, template: str
) -> None:
    with pytest.raises(ConfigurationError, match="query_template"):
        make_embedder(query_template=template)


def test_a_small_picture_travels_inside_the_request_and_a_large_one_is_uploaded_meanwhile(
    service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path
) -> None:
    small = write_picture(tmp_path / "red.jpg")
    large = tmp_path / "large.jpg"
    large.write_bytes(small.read_bytes() + bytes(5_000_001))
    embedder = make_embedder()
    vectors = [embedder.embed_query([Media(Modality.IMAGE, path=path)]).vector for path in (small, large)]
    assert cosine(*vectors) == pytest.approx(1.0)
    inside, uploaded = (body["image"]["media_source"] for body in sent(service))
    assert list(inside) == ["base64_string"]
    assert list(uploaded) == ["asset_id"]
    assert service.files.assets == {}
    assert service.asked["DELETE /assets/ID"] == 1


def test_the_upload_of_a_query_is_removed_when_the_query_fails(
    service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff" + bytes(5_000_001))
    with pytest.raises(MediaError, match="image_file_broken"):
        make_embedder().embed_query([Media(Modality.IMAGE, path=broken)])
    assert service.asked["POST /assets"] == 1
    assert service.files.assets == {}


def test_a_picture_with_an_address_is_not_sent(
    service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path
) -> None:
    content = write_picture(tmp_path / "red.jpg").read_bytes()
    with serving() as site:
        site.answers["/red.jpg"] = lambda handler, _: send(handler, 200, content)
        make_embedder().embed_query([Media(Modality.IMAGE, uri=site.url("/red.jpg"))])
        (body,) = sent(service)
        assert body["image"] == {"media_source": {"url": site.url("/red.jpg")}}
        assert site.asked["/red.jpg"] == 1


@pytest.mark.parametrize("hertz", [440, None])
def test_a_video_is_one_vector_of_all_that_it_has(
    service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path, hertz: int | None
) -> None:
    clip = write_clip(tmp_path / "red.mp4", hertz=hertz)
    make_embedder().embed_query([Media(Modality.VIDEO, path=clip)])
    (body,) = sent(service)
    asked = {name: value for name, value in body["video"].items() if name != "media_source"}
    fused = {
        "embedding_option": ["visual", "audio", "transcription"],
        "embedding_scope": ["asset"],
        "embedding_type": ["fused_embedding"],
    }
    silent = {"embedding_option": ["visual"], "embedding_scope": ["asset"]}
    assert asked == (fused if hertz else silent)


def test_only_the_ends_that_were_given_are_sent(
    service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "two.mp4", [RED, BLUE], seconds=8.0)
    embedder = make_embedder()
    late = embedder.embed_query([Media(Modality.VIDEO, path=clip, start_ms=5000)]).vector
    early = embedder.embed_query([Media(Modality.VIDEO, path=clip, end_ms=3000)]).vector
    bodies = [body["video"] for body in sent(service)]
    assert [{name for name in body if name.endswith("_sec")} for body in bodies] == [
        {"start_sec"},
        {"end_sec"},
    ]
    red = embedder.embed_query([TEXT]).vector
    assert cosine(red, early) > cosine(red, late) + 0.2
    with pytest.raises(MediaError, match="whole files"):
        make_embedder(model="marengo3.5").embed_query([Media(Modality.VIDEO, path=clip, start_ms=1000)])


def test_a_tone_is_most_like_the_same_tone(make_embedder: MakeEmbedder, tmp_path: Path) -> None:
    embedder = make_embedder()
    high, low, again = (
        embedder.embed_query(
            [Media(Modality.AUDIO, path=write_tone(tmp_path / f"{hertz}.wav", hertz, seconds=seconds))]
        ).vector
        for hertz, seconds in ((2000, 4.5), (200, 4.5), (2000, 5.0))
    )
    assert cosine(high, again) > cosine(high, low) + 0.2


@pytest.mark.parametrize(
    ("model", "together", "joined"),
    [
        ("marengo3.0", "text image", True),
        ("marengo3.0", "text image image", True),
        ("marengo3.0", "image image", True),
        ("marengo3.0", "text video", False),
        ("marengo3.0", "text text", False),
        ("marengo3.5", "text video", True),
        ("marengo3.5", "text image audio", True),
        ("marengo3.5", "image video", False),
        ("marengo3.5", " ".join(["image"] * 11), False),
        ("Marengo-retrieval-2.7", "text image", False),
    ],
)
def test_the_model_says_which_parts_it_joins(
    *, service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path, model: str, together: str, joined: bool
) -> None:
    known = {
        "text": TEXT,
        "image": Media(Modality.IMAGE, path=write_picture(tmp_path / "red.jpg")),
        "video": Media(Modality.VIDEO, path=write_clip(tmp_path / "red.mp4")),
        "audio": Media(Modality.AUDIO, path=write_tone(tmp_path / "tone.wav", 440)),
    }
    parts = [known[name] for name in together.split()]
    embedder = make_embedder(model=model)
    assert embedder.joins([part.modality for part in parts]) is joined
    if joined:
        assert len(embedder.embed_query(parts).vector) == 512
    else:
        with pytest.raises(UnsupportedError, match="doesn't join"):
            embedder.embed_query(parts)
        assert service.requests == []


@pytest.mark.parametrize(
    ("seconds", "size", "model", "reason"),
    [
        (2.0, (480, 360), "marengo3.0", "4 s or more"),
        (4.4, (480, 352), "marengo3.0", "360 x 360 or more"),
        (4.4, (960, 360), "marengo3.0", r"2\.4 times"),
        (31.0, (480, 360), "marengo3.5", "30 s of a query"),
    ],
)
def test_a_video_that_would_be_refused_is_not_sent(
    *,
    service: Emulator,
    make_embedder: MakeEmbedder,
    tmp_path: Path,
    seconds: float,
    size: tuple[int, int],
    model: str,
    reason: str,
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", seconds=seconds, size=size, hertz=None)
    with pytest.raises(MediaError, match=reason):
        make_embedder(model=model).embed_query([Media(Modality.VIDEO, path=clip)])
    assert service.requests == []


def test_a_picture_of_another_kind_or_too_large_is_not_sent(
    service: Emulator, make_embedder: MakeEmbedder, tmp_path: Path
) -> None:
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + bytes(100))
    with pytest.raises(MediaError, match="neither JPEG nor PNG"):
        make_embedder().embed_query([Media(Modality.IMAGE, path=tmp_path / "a.gif")])
    with (tmp_path / "large.jpg").open("wb") as out:
        out.truncate(32_000_001)
    with pytest.raises(MediaError, match="32,000,000"):
        make_embedder().embed_query([Media(Modality.IMAGE, path=tmp_path / "large.jpg")])
    assert service.requests == []


def test_what_the_service_alone_can_judge_is_told_in_its_words(make_embedder: MakeEmbedder) -> None:
    with pytest.raises(RejectedError, match="input_text is too long"):
        make_embedder().embed_query([Media(Modality.TEXT, text="word " * 501)])


def test_tokens_are_reported_where_the_service_counts_them(make_embedder: MakeEmbedder) -> None:
    assert make_embedder().embed_query([TEXT]).usage == {"requests": 1.0}
    assert make_embedder(model="marengo3.5").embed_query([TEXT]).usage == {"requests": 1.0, "text_tokens": 3}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "marengo3"}, "marengo3.0"),
        ({"model": "Marengo-retrieval-2.6"}, "Marengo-retrieval-2.7"),
        ({"dimension": 256}, "512"),
        ({"model": "marengo3.5", "dimension": 100}, "512, 256, 128"),
    ],
)
def test_a_wrong_setting_names_what_there_is(
    make_embedder: MakeEmbedder, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make_embedder(**settings)
