"""Ark keeps the contract of embedders, over the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyreel.testing.embedder import EmbedderContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyreel.embedders.ark.embedder import ArkEmbedder
    from polyreel.testing.ark import Emulator

    from .conftest import Connect


class TestArk(EmbedderContract):
    @pytest.fixture(params=[{"version": "250615"}, {"version": "251215", "dimension": 1024}], ids=str)
    def embedder(
        self, emulator: Emulator, connect: Connect, request: pytest.FixtureRequest
    ) -> Iterator[ArkEmbedder]:
        settings: dict[str, Any] = request.param
        with connect(emulator, **settings) as embedder:
            yield embedder
