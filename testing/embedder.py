"""The contract of embedders as tests.

Authors of adapters inherit it, with one fixture; videos are drawn by the package itself:

    class TestMyEmbedder(EmbedderContract):
        @pytest.fixture
        def embedder(self):
            with MyEmbedder() as embedder:
                yield embedder
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from .. import media
from ..core.embedder import ClipInput, Embedder, Takes
from ..core.errors import InvalidQueryError, MediaError, NotFoundError, UnsupportedError
from ..core.media import Frame, Media, Modality
from ..core.orders import Failed, Order, Pending, Segments, Ticket
from ..core.recipe import Recipe
from ..core.records import Scope, Vector
from .samples import drawn_samples

_SPANS = ((0, 2000), (2000, 4000), (4000, 6000))


def cosine(one: Vector, other: Vector) -> float:
    """The likeness of two vectors."""
    product = sum(float(a) * float(b) for a, b in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other))


class EmbedderContract:
    """One test for each line of `core.embedder`. An author writes the fixture `embedder`."""

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        """The embedder to test; every author writes it."""
        raise NotImplementedError("write the fixture embedder")

    @pytest.fixture(scope="session")
    @classmethod
    def drawn(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder of drawn videos, not to be changed."""
        return drawn_samples(tmp_path_factory)

    @pytest.fixture
    def queries(self, embedder: Embedder, drawn: Path, tmp_path: Path) -> dict[Modality, Media]:
        """A query of each modality that the embedder accepts and that can be drawn."""
        picture = tmp_path / "picture.jpg"
        media.thumbnail(drawn / "ball_a.mp4", picture, at_ms=3000)
        known = {
            Modality.TEXT: Media(Modality.TEXT, text="a red ball"),
            Modality.IMAGE: Media(Modality.IMAGE, path=picture),
            Modality.VIDEO: Media(Modality.VIDEO, path=drawn / "ball_a.mp4"),
        }
        return {modality: part for modality, part in known.items() if modality in embedder.accepts}

    def test_says_what_it_takes(self, embedder: Embedder) -> None:
        assert embedder.takes in Takes
        assert embedder.accepts
        assert embedder.space.dimension > 0
        assert embedder.max_batch >= 1

    def test_every_query_is_a_vector_of_the_space(
        self, embedder: Embedder, queries: dict[Modality, Media]
    ) -> None:
        assert queries
        for part in queries.values():
            self.check(embedder, embedder.embed_query([part]).vector)

    def test_the_same_query_gives_the_same_vector(
        self, embedder: Embedder, queries: dict[Modality, Media]
    ) -> None:
        for part in queries.values():
            once, again = (embedder.embed_query([part]).vector for _ in range(2))
            assert cosine(once, again) == pytest.approx(1.0, abs=1e-5)

    def test_a_query_without_parts_is_wrong(self, embedder: Embedder) -> None:
        with pytest.raises(InvalidQueryError):
            embedder.embed_query([])

    @pytest.mark.parametrize("text", ["", "   ", "\n"])
    def test_a_text_without_words_is_wrong(self, embedder: Embedder, text: str) -> None:
        wrong = InvalidQueryError if Modality.TEXT in embedder.accepts else UnsupportedError
        with pytest.raises(wrong):
            embedder.embed_query([Media(Modality.TEXT, text=text)])

    def test_a_modality_that_it_lacks_is_refused(self, embedder: Embedder, drawn: Path) -> None:
        for modality in set(Modality) - embedder.accepts.keys():
            part = Media(modality, text="words", path=drawn / "ball_a.mp4")
            with pytest.raises(UnsupportedError, match=embedder.kind):
                embedder.embed_query([part])

    def test_several_parts_are_one_vector_or_refused(
        self, embedder: Embedder, queries: dict[Modality, Media]
    ) -> None:
        parts = list(queries.values())[:2]
        if embedder.joint and len(parts) == 2:
            joint = embedder.embed_query(parts).vector
            self.check(embedder, joint)
            assert all(cosine(joint, embedder.embed_query([part]).vector) < 0.999 for part in parts)
        else:
            with pytest.raises(UnsupportedError):
                embedder.embed_query([*parts, *parts])

    def test_frames_become_a_vector_for_each_clip_whatever_stands_beside_it(
        self, embedder: Embedder, drawn: Path
    ) -> None:
        clips = [
            self.clip(embedder, drawn / name, span) for name in ("ball_a.mp4", "snow.webm") for span in _SPANS
        ]
        if embedder.takes is not Takes.FRAMES:
            with pytest.raises(UnsupportedError):
                embedder.embed_frames(clips)
            return
        together = [each.vector for each in embedder.embed_frames(clips)]
        alone = [embedder.embed_frames([clip])[0].vector for clip in clips]
        self.check_same(embedder, together, alone)
        assert embedder.embed_frames([]) == []

    def test_a_clip_without_frames_is_wrong(self, embedder: Embedder) -> None:
        wrong = InvalidQueryError if embedder.takes is Takes.FRAMES else UnsupportedError
        with pytest.raises(wrong):
            embedder.embed_frames([ClipInput([])])

    def test_clip_files_become_a_vector_for_each(
        self, embedder: Embedder, drawn: Path, tmp_path: Path
    ) -> None:
        pieces = [
            media.cut(drawn / name, tmp_path / f"{name}.mp4", start_ms=1000, end_ms=3000)
            for name in ("ball_a.mp4", "snow.webm")
        ]
        clips = [Media(Modality.VIDEO, path=piece.path) for piece in pieces]
        if embedder.takes is not Takes.CLIP_FILES:
            with pytest.raises(UnsupportedError):
                embedder.embed_clips(clips)
            return
        together = [each.vector for each in embedder.embed_clips(clips)]
        self.check_same(embedder, together, [embedder.embed_clips([clip])[0].vector for clip in clips])

    def test_a_whole_video_becomes_segments_inside_it(self, embedder: Embedder, order: Order) -> None:
        if embedder.takes is not Takes.WHOLE_VIDEO:
            for refused in (
                lambda: embedder.check(order),
                lambda: embedder.hand_over(order),
                lambda: embedder.submit(order),
                lambda: embedder.find(order, 0.0),
                lambda: embedder.collect(Ticket("t", "v"), order),
                lambda: embedder.release("address"),
            ):
                with pytest.raises(UnsupportedError):
                    refused()
            return
        result = self.collected(embedder, order)
        assert {segment.scope for segment in result.segments} == set(order.recipe.scopes)
        for segment in result.segments:
            self.check(embedder, segment.vector)
            assert 0 <= segment.start_ms < segment.end_ms <= order.info.duration_ms + 1000
        spans = [(each.start_ms, each.end_ms, each.scope, each.channel) for each in result.segments]
        assert len(set(spans)) == len(spans)

    def test_collecting_twice_gives_the_same(self, embedder: Embedder, order: Order) -> None:
        if embedder.takes is not Takes.WHOLE_VIDEO:
            pytest.skip("only where a service takes whole videos")
        ticket = embedder.submit(self.handed(embedder, order))
        once, again = (self.awaited(embedder, ticket, order).segments for _ in range(2))
        key = lambda each: (each.scope, each.channel, each.start_ms, each.end_ms)  # noqa: E731
        assert list(map(key, once)) == list(map(key, again))
        for one, other in zip(once, again, strict=True):
            assert cosine(one.vector, other.vector) == pytest.approx(1.0, abs=1e-5)

    def test_a_video_beyond_the_limits_is_refused_before_anything_is_sent(
        self, embedder: Embedder, order: Order
    ) -> None:
        if embedder.takes is not Takes.WHOLE_VIDEO:
            pytest.skip("only where a service takes whole videos")
        embedder.check(order)
        if embedder.whole_video.max_seconds is not None:
            long = round(embedder.whole_video.max_seconds * 1000) + 1
            with pytest.raises(MediaError, match="long"):
                embedder.check(replace(order, info=replace(order.info, duration_ms=long)))

    def test_a_task_that_is_not_there_is_not_found(self, embedder: Embedder, order: Order) -> None:
        if embedder.takes is not Takes.WHOLE_VIDEO:
            pytest.skip("only where a service takes whole videos")
        with pytest.raises(NotFoundError):
            embedder.collect(Ticket("0" * 24, order.video_id), order)
        found = embedder.find(replace(order, video_id="0" * 64), time.time() + 60)
        assert found is None or found.video_id == "0" * 64

    def test_a_picture_finds_the_segment_that_it_was_taken_from(
        self, embedder: Embedder, drawn: Path, order: Order, tmp_path: Path
    ) -> None:
        if embedder.takes is not Takes.WHOLE_VIDEO or Modality.IMAGE not in embedder.accepts:
            pytest.skip("only where a service takes whole videos and pictures")
        other = self.ordered(drawn / "snow.webm", order.recipe)
        clips = {each.video_id: self.collected(embedder, each).segments for each in (order, other)}
        for each in (order, other):
            assert each.video.path is not None
            media.thumbnail(each.video.path, tmp_path / "picture.jpg", at_ms=3000)
            query = embedder.embed_query([Media(Modality.IMAGE, path=tmp_path / "picture.jpg")]).vector
            best = {
                video_id: max(cosine(query, clip.vector) for clip in found if clip.scope is Scope.CLIP)
                for video_id, found in clips.items()
            }
            assert max(best, key=best.__getitem__) == each.video_id

    def test_a_picture_is_most_like_its_own_video(
        self, embedder: Embedder, drawn: Path, tmp_path: Path
    ) -> None:
        if embedder.takes is not Takes.FRAMES or Modality.IMAGE not in embedder.accepts:
            pytest.skip("only where frames and pictures share a way in")
        names = ("ball_a.mp4", "snow.webm", "city_night.mp4", "sunset_a.mp4")
        clips = embedder.embed_frames([self.clip(embedder, drawn / name, (2000, 4000)) for name in names])
        for name in names:
            media.thumbnail(drawn / name, tmp_path / "picture.jpg", at_ms=3000)
            query = embedder.embed_query([Media(Modality.IMAGE, path=tmp_path / "picture.jpg")]).vector
            likeness = {other: cosine(query, clip.vector) for other, clip in zip(names, clips, strict=True)}
            assert max(likeness, key=likeness.__getitem__) == name

    def test_a_swapped_text_is_as_if_it_had_always_been_there(self, embedder: Embedder, drawn: Path) -> None:
        if not embedder.swaps_text:
            with pytest.raises(UnsupportedError):
                embedder.swap_text([1.0] * embedder.space.dimension, "words")
            return
        old, new = (
            self.clip(embedder, drawn / "snow.webm", (0, 2000), text) for text in ("winter", "a red ball")
        )
        made = embedder.embed_frames([old, new])
        swapped = embedder.swap_text(made[0].vector, "a red ball")
        assert cosine(swapped, made[1].vector) == pytest.approx(1.0, abs=1e-5)
        assert cosine(swapped, made[0].vector) < 0.999
        assert cosine(embedder.swap_text(swapped, "a red ball"), swapped) == pytest.approx(1.0, abs=1e-6)

    def test_a_record_becomes_a_query_that_finds_it(self, embedder: Embedder, drawn: Path) -> None:
        if embedder.takes is not Takes.FRAMES:
            pytest.skip("the clips of this one are made elsewhere")
        names = ("ball_a.mp4", "snow.webm", "city_night.mp4")
        clips = embedder.embed_frames([self.clip(embedder, drawn / name, (0, 2000)) for name in names])
        for clip in clips:
            query = embedder.query_of(clip.vector)
            self.check(embedder, query)
            assert max(clips, key=lambda other: cosine(query, other.vector)) is clip

    def test_closing_twice_is_fine(self, embedder: Embedder) -> None:
        embedder.close()
        embedder.close()

    @pytest.fixture
    def order(self, drawn: Path) -> Order:
        """A drawn video for a service that takes whole ones."""
        return self.ordered(drawn / "ball_a.mp4", Recipe())

    @staticmethod
    def ordered(path: Path, recipe: Recipe) -> Order:
        """An order of a local file."""
        video = Media(Modality.VIDEO, path=path)
        return Order(path.stem.ljust(64, "0"), video, media.probe(path), recipe)

    def handed(self, embedder: Embedder, order: Order) -> Order:
        """The order once its video is where the service reads it."""
        address = embedder.hand_over(order)
        if address is None:
            return order
        embedder.await_handed(address)
        return replace(order, video=replace(order.video, uri=address))

    def collected(self, embedder: Embedder, order: Order) -> Segments:
        """The result of a new task."""
        return self.awaited(embedder, embedder.submit(self.handed(embedder, order)), order)

    @staticmethod
    def awaited(embedder: Embedder, ticket: Ticket, order: Order) -> Segments:
        """The result of a task."""
        end = time.monotonic() + 30
        while isinstance(look := embedder.collect(ticket, order), Pending):
            assert time.monotonic() < end
            time.sleep(0.02 if look.after is None else look.after)
        assert not isinstance(look, Failed), look.reason
        assert look.segments
        return look

    @staticmethod
    def clip(embedder: Embedder, path: Path, span: tuple[int, int], text: str = "") -> ClipInput:
        """A span of a video as the embedder is handed it."""
        with media.frames(path, fps=2, size=embedder.frame_size, start_ms=span[0], end_ms=span[1]) as frames:
            return ClipInput([Frame(frame.time_ms, frame.image) for frame in frames], text)

    @staticmethod
    def check(embedder: Embedder, vector: Vector) -> None:
        """A vector is finite, not zero, and of the space's length."""
        assert len(vector) == embedder.space.dimension
        assert all(map(math.isfinite, vector))
        assert math.hypot(*vector) > 0

    def check_same(self, embedder: Embedder, some: Sequence[Vector], others: Sequence[Vector]) -> None:
        """Two lists of vectors are the same, and not all of one list are alike."""
        assert len(some) == len(others) > 1
        for one, other in zip(some, others, strict=True):
            self.check(embedder, one)
            assert cosine(one, other) == pytest.approx(1.0, abs=1e-5)
        assert min(cosine(some[0], other) for other in some) < 0.9999
