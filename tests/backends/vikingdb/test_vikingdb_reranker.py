"""VikingDB's rerank over the emulator: the contract, the documented body, faults, and the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from polyreel.backends.vikingdb import VikingDBReranker
from polyreel.config import build_stack, load
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.media import Media, Modality
from polyreel.testing.faults import Fault
from polyreel.testing.reranker import RerankerContract
from polyreel.testing.vikingdb import Emulator, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[..., VikingDBReranker]


@pytest.fixture
def make(emulator: Emulator) -> Iterator[Make]:
    """Makes rerankers over the emulator, with an API key where nothing else is said."""
    made: list[VikingDBReranker] = []

    def of(emulated: Emulator = emulator, **keys: Any) -> VikingDBReranker:
        credentials = {} if "access_key" in keys else {"api_key": SecretStr("vk-test")}
        retry = RetryPolicy(attempts=4, base=0.001, cap=0.002)
        made.append(VikingDBReranker(data_endpoint=emulated.url, retry=retry, **{**credentials, **keys}))
        return made[-1]

    yield of
    for reranker in made:
        reranker.close()


def text(words: str) -> list[Media]:
    return [Media(Modality.TEXT, text=words)]


class TestVikingDBReranker(RerankerContract):
    @pytest.fixture
    def reranker(self, make: Make) -> VikingDBReranker:
        return make()


def test_the_body_is_the_documented_one(make: Make) -> None:
    clip = Media(Modality.VIDEO, uri="tos://b/clip.mp4")
    picture = Media(Modality.IMAGE, uri="tos://b/q.jpg")
    with emulating(Settings(resolve=lambda _: b"bytes")) as emulated:
        reranker = make(
            emulated, content=(Modality.TEXT, Modality.VIDEO), project="mine", instruction="Judge."
        )
        reranker.rerank([*text("q"), picture], [text("d1"), [*text("d2"), clip]])
        assert emulated.bodies("rerank") == [
            {
                "model_name": "doubao-seed-rerank",
                "model_version": "251028",
                "data": [[{"text": "d1"}], [{"text": "d2"}, {"video": {"value": "tos://b/clip.mp4"}}]],
                "query": [{"text": "q"}, {"image": "tos://b/q.jpg"}],
                "instruction": "Judge.",
                "project_name": "mine",
            }
        ]


def test_it_signs_where_there_is_no_api_key(emulator: Emulator, make: Make) -> None:
    signing = make(access_key=emulator.access_key, secret_key=SecretStr(emulator.secret_key))
    assert signing.rerank(text("a b"), [text("a")]).scores == (0.5,)
    assert emulator.seen[-1].headers["authorization"].startswith("HMAC-SHA256")
    with pytest.raises(AuthenticationError):
        make(api_key=SecretStr("vk-wrong")).rerank(text("a"), [text("a")])


def test_what_may_work_later_is_tried_again_and_a_refusal_is_not(emulator: Emulator, make: Make) -> None:
    emulator.faults.plan("rerank", Fault(status=503), Fault(status=429, retry_after=0.0), Fault(cut=True))
    assert make().rerank(text("a"), [text("a")]).scores == (1.0,)
    assert emulator.faults.left == 0
    emulator.faults.plan("rerank", Fault(truncate=True))
    assert make().rerank(text("a"), [text("a")]).scores == (1.0,)
    emulator.faults.plan("rerank", *[Fault(hang=30.0)] * 4)
    with pytest.raises(UnavailableError):
        make(patience=0.3).rerank(text("a"), [text("a")])
    asked = len(emulator.bodies("rerank"))
    with pytest.raises(RejectedError, match="there is no model"):
        make(version="1").rerank(text("a"), [text("a")])
    assert len(emulator.bodies("rerank")) == asked + 1


def test_a_medium_that_the_service_can_not_fetch_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "q.jpg").write_bytes(b"jpeg")
    with pytest.raises(UnsupportedError, match="fetches a image by itself, from tos"):
        make().rerank([Media(Modality.IMAGE, path=tmp_path / "q.jpg")], [text("a")])


_TOML = """
[stacks.mine]
preset = "memory"
[stacks.mine.reranker]
kind = "vikingdb"
{keys}
"""


def test_a_stack_gets_its_reranker_from_its_section(tmp_path: Path) -> None:
    file = tmp_path / "polyreel.toml"
    file.write_text(_TOML.format(keys='api_key = "do-not-show"\ncontent = ["text", "video"]'))
    with build_stack(load(file), "mine").reranker as made:  # type: ignore[union-attr]
        assert isinstance(made, VikingDBReranker)
        assert made.documents.keys() == {Modality.TEXT, Modality.VIDEO}
    assert build_stack(load(file), "memory").reranker is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("", "stacks.mine.reranker.*access_key and secret_key, or api_key"),
        ('access_key = "AK"', "access_key and secret_key, or api_key"),
        ('api_key = "do-not-show"\ncontent = ["audio"]', "content takes 'text', 'video' or both"),
        ('api_kee = "do-not-show"', "did you mean 'api_key'"),
    ],
)
def test_a_wrong_section_is_one_clear_line(tmp_path: Path, keys: str, words: str) -> None:
    file = tmp_path / "polyreel.toml"
    file.write_text(_TOML.format(keys=keys))
    with pytest.raises(ConfigurationError, match=words) as caught:
        build_stack(load(file), "mine")
    assert "do-not-show" not in str(caught.value)
