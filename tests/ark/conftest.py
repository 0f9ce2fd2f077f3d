"""Embedders over the emulator of Ark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from pydantic import SecretStr

from polyreel import media
from polyreel.core.deadline import RetryPolicy
from polyreel.embedders.ark.embedder import ArkEmbedder
from polyreel.testing.ark import Emulator, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Connect(Protocol):
    """Makes embedders of one emulator."""

    def __call__(self, emulator: Emulator, **settings: Any) -> ArkEmbedder: ...


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with emulating() as emulator:
        yield emulator


@pytest.fixture
def waits() -> list[float]:
    """The seconds that an embedder would have waited."""
    return []


@pytest.fixture
def connect(waits: list[float]) -> Connect:
    def make(emulator: Emulator, **settings: Any) -> ArkEmbedder:
        given = {
            "api_key": SecretStr(emulator.settings.api_key),
            "base_url": emulator.url,
            "patience": 20.0,
            "retry": RetryPolicy(attempts=3, base=0.001, cap=0.01, sleep=waits.append),
        }
        return ArkEmbedder(**{**given, **settings})

    return make


@pytest.fixture
def embedder(emulator: Emulator, connect: Connect) -> Iterator[ArkEmbedder]:
    with connect(emulator) as embedder:
        yield embedder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered clips of eight scenes."""
    folder = tmp_path_factory.mktemp("clips")
    media.render_samples(folder, seconds=4.0, size=(160, 120), fps=8)
    return folder
