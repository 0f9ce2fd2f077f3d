"""Ark when it refuses, fails and falls silent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    IntegrityError,
    MediaError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from polyreel.core.media import Media, Modality
from polyreel.testing.faults import Fault
from polyreel.testing.web import send, serving

if TYPE_CHECKING:
    from pathlib import Path

    from polyreel.embedders.ark.embedder import ArkEmbedder
    from polyreel.testing.ark import Emulator

    from .conftest import Connect

WORDS = Media(Modality.TEXT, text="red ball")


def failure(embedder: ArkEmbedder) -> PolyreelError:
    with pytest.raises(PolyreelError) as caught:
        embedder.embed_query([WORDS])
    assert "\n" not in str(caught.value)
    assert "ark-test" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidParameter", RejectedError),
        (400, "InvalidImageURL.Format", MediaError),
        (400, "InputVideoRiskDetection", MediaError),
        (400, "InputImageSensitiveContentDetected", MediaError),
        (401, "AuthenticationError", AuthenticationError),
        (403, "AccountOverdueError", AuthenticationError),
        (404, "ModelNotOpen", ConfigurationError),
        (413, "RequestTooLarge", MediaError),
        (422, "Unheard", RejectedError),
        (429, "QuotaExceeded", RejectedError),
        (429, "SetLimitExceeded", RejectedError),
    ],
)
def test_what_fails_for_good_is_asked_once(
    emulator: Emulator, embedder: ArkEmbedder, status: int, code: str, error: type[PolyreelError]
) -> None:
    emulator.faults.plan("multimodal", *[Fault(status, code)] * 5)
    said = failure(embedder)
    assert type(said) is error
    assert said.message == f"Ark answered {status}: {code} on command"
    assert said.request_id is not None
    assert emulator.faults.left == 4


def test_a_service_that_is_not_there_says_what_to_check(emulator: Emulator, connect: Connect) -> None:
    with connect(emulator, base_url="http://127.0.0.1:9/api/v3", retry=RetryPolicy(attempts=1)) as embedder:
        assert "check the network and base_url" in str(failure(embedder))


@pytest.mark.parametrize("fault", [Fault(500), Fault(503), Fault(408), Fault(cut=True), Fault(truncate=True)])
def test_what_may_pass_is_tried_again(emulator: Emulator, embedder: ArkEmbedder, fault: Fault) -> None:
    emulator.faults.plan("multimodal", fault, fault)
    assert len(embedder.embed_query([WORDS]).vector) == 2048
    emulator.faults.plan("multimodal", *[fault] * 9)
    assert type(failure(embedder)) is UnavailableError
    assert emulator.faults.left == 6


def test_a_service_that_wants_fewer_requests_is_asked_after_its_wait(
    emulator: Emulator, embedder: ArkEmbedder, waits: list[float]
) -> None:
    emulator.faults.plan(
        "multimodal", Fault(429, "RateLimitExceeded.EndpointRPMExceeded", retry_after=3), Fault(429)
    )
    embedder.embed_query([WORDS])
    assert waits[0] == 3.0
    assert len(waits) == 2
    emulator.faults.plan("multimodal", *[Fault(429)] * 3)
    assert isinstance(failure(embedder), RateLimitedError)


def test_a_service_that_falls_silent_is_left_in_time(emulator: Emulator, connect: Connect) -> None:
    emulator.faults.plan("multimodal", *[Fault(hang=30.0)] * 2)
    for settings in ({"patience": 0.2}, {"timeout": 0.4}):
        begun = time.monotonic()
        with connect(emulator, retry=RetryPolicy(attempts=1), **settings) as embedder:
            assert "doesn't answer" in str(failure(embedder))
        assert time.monotonic() - begun < 10


def test_only_the_clip_that_failed_is_embedded_again(
    emulator: Emulator, connect: Connect, clips: Path
) -> None:
    given = [Media(Modality.VIDEO, path=file, fps=1.0) for file in sorted(clips.glob("*.mp4"))[:5]]
    emulator.faults.plan("multimodal", None, Fault(500), Fault(429))
    with connect(emulator, at_once=3) as embedder:
        assert len(embedder.embed_clips(given)) == 5
    assert len(emulator.seen) == 5  # those that the faults met weren't served at all


def test_a_clip_that_fails_for_good_ends_the_batch(emulator: Emulator, connect: Connect, clips: Path) -> None:
    given = [Media(Modality.VIDEO, path=file, fps=1.0) for file in sorted(clips.glob("*.mp4"))[:5]]
    emulator.faults.plan("multimodal", None, *[Fault(400)] * 9)
    with connect(emulator, at_once=2) as embedder, pytest.raises(RejectedError):
        embedder.embed_clips(given)
    assert emulator.faults.left >= 5


@pytest.mark.parametrize("data", [b'{"data":{}}', b'{"data":null}', b'{"data":{"embedding":[0,0]}}'])
def test_an_answer_without_a_vector_is_told(connect: Connect, emulator: Emulator, data: bytes) -> None:
    with serving() as site:
        site.answers["/embeddings/multimodal"] = lambda handler, _: send(handler, 200, data)
        with connect(emulator, base_url=f"http://{site.address}") as embedder:
            assert isinstance(failure(embedder), IntegrityError)


def test_a_list_in_the_place_of_the_object_is_taken_as_well(connect: Connect, emulator: Emulator) -> None:
    numbers = ",".join(["1"] * 1024)
    with serving() as site:
        body = f'{{"data":[{{"embedding":[{numbers}]}}]}}'.encode()
        site.answers["/embeddings/multimodal"] = lambda handler, _: send(handler, 200, body)
        with connect(emulator, base_url=f"http://{site.address}", dimension=1024) as embedder:
            made = embedder.embed_query([WORDS])
    assert made.vector[0] == pytest.approx(1 / 32)
    assert made.usage == {"requests": 1.0}


def test_a_wrong_key_is_told_and_never_shown(emulator: Emulator, connect: Connect) -> None:
    with connect(emulator, api_key=SecretStr("ark-wrong")) as embedder:
        said = failure(embedder)
    assert isinstance(said, AuthenticationError)
    assert "ark-wrong" not in repr(said)
