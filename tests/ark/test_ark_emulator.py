"""The emulator of Ark is strict, and the vendor's own runtime package is content with it."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

import pytest
import volcenginesdkarkruntime as runtime
from volcenginesdkarkruntime import _exceptions as errors

from polyreel.core.media import Media, Modality
from polyreel.testing.ark import Emulator, Settings, emulating
from polyreel.testing.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Connect

MODEL = "doubao-embedding-vision-250615"
TEXT: dict[str, Any] = {"type": "text", "text": "red ball"}


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Any]:
    client = runtime.Ark(base_url=emulator.url, api_key="ark-test", max_retries=0)
    yield client
    client.close()


def video(clips: Path) -> dict[str, Any]:
    data = base64.b64encode((clips / "ball_a.mp4").read_bytes()).decode()
    return {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}", "fps": 1.0}}


def test_the_runtime_package_gets_the_vector_that_our_embedder_gets(
    emulator: Emulator, client: Any, connect: Connect, clips: Path
) -> None:
    theirs = client.multimodal_embeddings.create(model=MODEL, input=[video(clips), TEXT], dimensions=1024)
    clip = Media(Modality.VIDEO, path=clips / "ball_a.mp4", fps=1.0)
    with connect(emulator, dimension=1024, instruct=False) as embedder:
        ours = embedder.embed_query([clip, Media(Modality.TEXT, text="red ball")]).vector
    assert [value / 2 for value in theirs.data.embedding] == pytest.approx(list(ours))
    assert theirs.usage["total_tokens"] == 10_008
    assert emulator.bodies[0]["instructions"] is None  # what isn't said goes as null
    assert {k: v for k, v in emulator.bodies[0].items() if v is not None} == emulator.bodies[1]


def test_a_vector_may_be_asked_for_as_base64(client: Any) -> None:
    plain = client.multimodal_embeddings.create(model=MODEL, input=[TEXT]).data.embedding
    packed = client.multimodal_embeddings.create(model=MODEL, input=[TEXT], encoding_format="base64")
    numbers = struct.unpack("<2048f", base64.b64decode(packed.data.embedding))
    assert list(numbers) == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"dimensions": 512}, errors.ArkBadRequestError),
        ({"model": "doubao-embedding-vision-1"}, errors.ArkNotFoundError),
        ({"input": []}, errors.ArkBadRequestError),
        ({"input": [{"type": "text", "text": ""}]}, errors.ArkBadRequestError),
        ({"input": [{"type": "text", "text": "a", "fps": 1}]}, errors.ArkBadRequestError),
        ({"input": [{"type": "audio_url", "audio_url": {"url": "x"}}]}, errors.ArkBadRequestError),
        ({"input": [{"type": "image_url", "image_url": {"url": "tos://b/k"}}]}, errors.ArkBadRequestError),
        ({"instructions": "for a later version"}, errors.ArkBadRequestError),
        ({"extra_body": {"dimension": 1024}}, errors.ArkBadRequestError),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "data:IMAGE/JPEG;base64,AA=="}}]},
            errors.ArkBadRequestError,
        ),
        (
            {"input": [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,?"}}]},
            errors.ArkBadRequestError,
        ),
        (
            {"input": [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA==", "fps": 9}}]},
            errors.ArkBadRequestError,
        ),
    ],
)
def test_what_the_documents_do_not_allow_is_refused(
    client: Any, body: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        client.multimodal_embeddings.create(**{"model": MODEL, "input": [TEXT], **body})
    assert caught.value.code  # type: ignore[attr-defined]


def test_a_version_that_takes_no_frames_a_second_refuses_them(clips: Path) -> None:
    with emulating(Settings(frames=frozenset({"251215"}))) as emulator:
        client = runtime.Ark(base_url=emulator.url, api_key="ark-test", max_retries=0)
        with client, pytest.raises(errors.ArkBadRequestError, match="not for this model"):
            client.multimodal_embeddings.create(model=MODEL, input=[video(clips)])


def test_an_unknown_key_is_refused(emulator: Emulator) -> None:
    client = runtime.Ark(base_url=emulator.url, api_key="other", max_retries=0)
    with client, pytest.raises(errors.ArkAuthenticationError):
        client.multimodal_embeddings.create(model=MODEL, input=[TEXT])


def test_faults_come_when_they_are_asked_for(emulator: Emulator, client: Any) -> None:
    emulator.faults.plan("multimodal", Fault(429, "ServerOverloaded"))
    with pytest.raises(errors.ArkRateLimitError):
        client.multimodal_embeddings.create(model=MODEL, input=[TEXT])
    assert client.multimodal_embeddings.create(model=MODEL, input=[TEXT]).data.embedding
