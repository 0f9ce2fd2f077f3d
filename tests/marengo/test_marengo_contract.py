"""The embedder contract on Marengo, through the vendor's SDK and the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from polyreel import media
from polyreel.core.media import Media, Modality
from polyreel.core.recipe import Recipe
from polyreel.core.records import Channel
from polyreel.embedders.marengo.embedder import MarengoEmbedder
from polyreel.testing.embedder import EmbedderContract, cosine
from polyreel.testing.twelvelabs import Emulator, emulating

from .conftest import QUICK, write_tone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.embedder import Embedder
    from polyreel.core.orders import Order


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn larger than elsewhere, since the service takes 360 pixels and more; once for all models."""
    folder = tmp_path_factory.mktemp("large")
    media.render_samples(folder, size=(640, 360), fps=6)
    return folder


class MarengoTests(EmbedderContract):
    model: ClassVar[str] = "marengo3.0"
    channels: ClassVar[tuple[Channel, ...]] = (Channel.VISUAL, Channel.AUDIO)

    @pytest.fixture
    def drawn(self, large: Path) -> Path:
        return large

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with (
            emulating(Emulator(task_seconds=0.05, asset_seconds=0.05, retired=True)) as service,
            MarengoEmbedder(
                base_url=service.base_url, api_key=service.secret, model=self.model, retry=QUICK
            ) as made,
        ):
            yield made

    @pytest.fixture
    def order(self, drawn: Path) -> Order:
        return self.ordered(drawn / "ball_a.mp4", Recipe(channels=self.channels))

    @pytest.fixture
    def queries(self, embedder: Embedder, drawn: Path, tmp_path: Path) -> dict[Modality, Media]:
        picture = tmp_path / "picture.jpg"
        media.thumbnail(drawn / "ball_a.mp4", picture, at_ms=3000)
        known = {
            Modality.TEXT: Media(Modality.TEXT, text="a red ball"),
            Modality.IMAGE: Media(Modality.IMAGE, path=picture),
            Modality.VIDEO: Media(Modality.VIDEO, path=drawn / "ball_a.mp4"),
            Modality.AUDIO: Media(Modality.AUDIO, path=write_tone(tmp_path / "tone.wav", 440)),
        }
        return {modality: part for modality, part in known.items() if modality in embedder.accepts}

    def test_several_parts_are_one_vector_or_refused(
        self, embedder: Embedder, queries: dict[Modality, Media]
    ) -> None:
        text, picture = queries[Modality.TEXT], queries[Modality.IMAGE]
        if not embedder.joins([Modality.TEXT, Modality.IMAGE]):
            super().test_several_parts_are_one_vector_or_refused(embedder, queries)
            return
        joint = embedder.embed_query([text, picture]).vector
        self.check(embedder, joint)
        alone = [embedder.embed_query([part]).vector for part in (text, picture)]
        assert all(0.3 < cosine(joint, vector) < 0.999 for vector in alone)


class TestMarengo30(MarengoTests):
    channels = (Channel.VISUAL, Channel.AUDIO, Channel.TRANSCRIPTION, Channel.FUSED)


class TestMarengo35(MarengoTests):
    model = "marengo3.5"


class TestMarengo27(MarengoTests):
    model = "Marengo-retrieval-2.7"
