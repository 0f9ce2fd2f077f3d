"""The embedder contract, on the builtin embedder and on the ones for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import InvalidQueryError
from polyreel.core.media import Media, Modality
from polyreel.embedders.builtin.embedder import BuiltinEmbedder
from polyreel.testing.embedder import EmbedderContract, cosine
from polyreel.testing.embedders import ClipColourEmbedder, ColourEmbedder, TaskColourEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.embedder import Embedder


class TestBuiltin(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with BuiltinEmbedder() as embedder:
            yield embedder

    @pytest.mark.parametrize("text", ["???", "🙂", "--"])
    def test_a_text_of_signs_only_says_so(self, embedder: Embedder, text: str) -> None:
        with pytest.raises(InvalidQueryError, match="no word in the query"):
            embedder.embed_query([Media(Modality.TEXT, text=text)])

    def test_records_without_text_are_not_alike_for_the_want_of_it(
        self, embedder: Embedder, drawn: Path
    ) -> None:
        ball, snow = embedder.embed_frames(
            [self.clip(embedder, drawn / name, (0, 2000)) for name in ("ball_a.mp4", "snow.webm")]
        )
        assert cosine(ball.vector, snow.vector) > 0.5  # both are mostly slack
        assert cosine(embedder.query_of(ball.vector), snow.vector) < 0.3


class TestFrames(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with ColourEmbedder() as embedder:
            yield embedder


class TestClipFiles(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with ClipColourEmbedder() as embedder:
            yield embedder


class TestWholeVideos(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with TaskColourEmbedder(polls=3) as embedder:
            yield embedder
