"""Models over the emulator of Ark, and a stack that has one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from pydantic import SecretStr

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.deadline import RetryPolicy
from polyreel.core.fields import FieldType
from polyreel.core.rates import Rate
from polyreel.core.recipe import Recipe
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.embedders.builtin.embedder import BuiltinEmbedder
from polyreel.storage.local import LocalObjects
from polyreel.testing.ark import Emulator, emulating
from polyreel.testing.embedders import ColourEmbedder
from polyreel.understanding.ark.adapter import ArkUnderstanding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.embedder import Embedder
    from polyreel.core.store import VectorStore

RATE = Rate(price_per_million_input=2.0, price_per_million_output=20.0, currency="CNY")


class Connect(Protocol):
    """Makes models of one emulator."""

    def __call__(self, emulator: Emulator, **settings: Any) -> ArkUnderstanding: ...


class OpenStack(Protocol):
    """Opens a stack with a model; a second one goes on where the first was closed."""

    def __call__(
        self,
        *,
        rate: Rate = RATE,
        embedder: Embedder | None = None,
        store: VectorStore | None = None,
        **settings: Any,
    ) -> VideoSearch: ...


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with emulating() as emulator:
        yield emulator


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a model would have waited."""
    return []


@pytest.fixture
def connect(waits: list[float]) -> Connect:
    def make(emulator: Emulator, **settings: Any) -> ArkUnderstanding:
        given = {
            "api_key": SecretStr(emulator.settings.api_key),
            "base_url": emulator.url,
            "patience": 20.0,
            "retry": RetryPolicy(attempts=3, base=0.001, cap=0.01, sleep=waits.append),
        }
        return ArkUnderstanding(**{**given, **settings})

    return make


@pytest.fixture
def model(emulator: Emulator, connect: Connect) -> Iterator[ArkUnderstanding]:
    with connect(emulator) as model:
        yield model


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered clips of eight scenes, with sidecars; not to be changed."""
    folder = tmp_path_factory.mktemp("drawn")
    media.render_samples(folder, seconds=4.0, size=(160, 120), fps=8)
    return folder


@pytest.fixture
def videos(drawn: Path, tmp_path: Path) -> Path:
    """Two of the clips, with sidecars that may be changed."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("ball_a.mp4", "ball_a.json", "snow.webm", "snow.json"):
        (folder / name).write_bytes((drawn / name).read_bytes())
    return folder


@pytest.fixture
def open_stack(emulator: Emulator, connect: Connect, tmp_path: Path) -> Iterator[OpenStack]:
    opened: list[VideoSearch] = []

    def make(
        *,
        rate: Rate = RATE,
        embedder: Embedder | None = None,
        store: VectorStore | None = None,
        **settings: Any,
    ) -> VideoSearch:
        stack = Stack(
            name="test",
            store=store or MemoryStore(path=tmp_path / "store"),
            embedder=embedder or ColourEmbedder(),
            objects=LocalObjects(path=tmp_path / "objects"),
            state=tmp_path / "state",
            fields={"year": FieldType.INT},
            recipe=Recipe(window=2.0),
            understanding=connect(emulator, **settings),
            understanding_rate=rate,
        )
        opened.append(VideoSearch(stack, media))
        return opened[-1]

    yield make
    for search in opened:
        search.close()


def as_json(**values: object) -> str:
    return json.dumps(values, ensure_ascii=False)


__all__ = ["BuiltinEmbedder", "Connect", "OpenStack", "as_json"]
