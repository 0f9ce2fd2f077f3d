"""The contract of models that look at videos as tests.

Authors of adapters inherit it, with two fixtures; the video is drawn by the package itself:

    class TestMine(UnderstandingContract):
        @pytest.fixture
        def model(self):
            with MyUnderstanding(url=...) as model:
                yield model

        @pytest.fixture
        def asked(self):
            return lambda: the number of questions that the service has had

The service behind it may be a stand-in; what it answers doesn't matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from .. import media
from ..core.errors import InvalidQueryError, MediaError, NotFoundError, UnsupportedError
from ..core.media import Media, Modality
from ..core.questions import Piece, Question, Shown, Way
from ..core.understanding import VideoUnderstanding


class UnderstandingContract:
    """Every line of `VideoUnderstanding`'s docstrings."""

    @pytest.fixture
    def model(self) -> VideoUnderstanding:
        """The model under test."""
        raise NotImplementedError

    @pytest.fixture
    def asked(self) -> Callable[[], int]:
        """How many questions the service has had so far."""
        raise NotImplementedError

    @pytest.fixture(scope="session")
    @classmethod
    def clip(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A rendered video of two seconds, as MP4."""
        folder = tmp_path_factory.mktemp("contract")
        return media.render_samples(folder, seconds=2.0, size=(160, 120), fps=8)[0]

    @pytest.fixture
    def shown(self, clip: Path, model: VideoUnderstanding) -> Shown:
        """That video on its way."""
        size = clip.stat().st_size
        way = model.way(Modality.VIDEO, size, address=False)
        return Shown(Media(Modality.VIDEO, path=clip, fps=model.fps), way, "video/mp4", size)

    # -- plan ---------------------------------------------------------------------------------------------

    def test_a_plan_is_made_without_asking(
        self, model: VideoUnderstanding, clip: Path, asked: Callable[[], int]
    ) -> None:
        """Frames and tokens of a real file."""
        plan = model.plan(media.probe(clip))
        assert plan.frames > 0
        assert plan.tokens >= plan.frames
        assert asked() == 0

    def test_frames_a_second_out_of_range_are_refused(self, model: VideoUnderstanding, clip: Path) -> None:
        """Both ends of the range are in it."""
        info, (low, high) = media.probe(clip), model.fps_range
        assert model.plan(info, low).fps == low
        assert model.plan(info, high).fps == high
        for fps in (low / 2, high * 2):
            with pytest.raises(InvalidQueryError, match="fps"):
                model.plan(info, fps)

    # -- way ----------------------------------------------------------------------------------------------

    def test_a_file_goes_by_a_way_that_takes_its_size(self, model: VideoUnderstanding) -> None:
        """Whatever the size, up to the largest that any way takes."""
        ways = model.ways[Modality.VIDEO]
        for size in sorted({1, *(hand.max_bytes or 1 << 40 for hand in ways.values())}):
            way = model.way(Modality.VIDEO, size, address=True)
            limit = ways[way].max_bytes
            assert limit is None or size <= limit

    def test_a_file_without_an_address_never_goes_by_one(self, model: VideoUnderstanding) -> None:
        """Only what the service can fetch goes by its address."""
        for size in (1, model.inline_first + 1):
            assert model.way(Modality.VIDEO, size, address=False) is not Way.URL

    def test_a_file_that_no_way_takes_is_refused(self, model: VideoUnderstanding) -> None:
        """With the limits of each way."""
        limits = [hand.max_bytes for hand in model.ways[Modality.VIDEO].values()]
        largest = max(limit for limit in limits if limit is not None)
        with pytest.raises(MediaError, match="bytes"):
            model.way(Modality.VIDEO, largest + 1, address=True)

    def test_a_modality_that_is_not_seen_is_refused(self, model: VideoUnderstanding) -> None:
        """Nothing hears a text."""
        with pytest.raises(UnsupportedError):
            model.way(Modality.TEXT, 1, address=False)

    # -- check and ask ------------------------------------------------------------------------------------

    def test_what_is_refused_is_not_sent(
        self, model: VideoUnderstanding, shown: Shown, asked: Callable[[], int]
    ) -> None:
        """Words, sizes, types, frames a second."""
        limit = model.ways[Modality.VIDEO][shown.way].max_bytes or 0
        for question, error in (
            (Question(" "), InvalidQueryError),
            (Question("What?", (replace(shown, size=limit + 1),)), MediaError),
            (Question("What?", (replace(shown, kind="video/x-matroska"),)), MediaError),
            (
                Question("What?", (replace(shown, media=replace(shown.media, fps=model.fps_range[1] * 2)),)),
                InvalidQueryError,
            ),
            (Question("What?", (replace(shown, media=Media(Modality.AUDIO)),)), UnsupportedError),
        ):
            with pytest.raises(error):
                model.ask(question)
        assert asked() == 0

    def test_files_that_do_not_fit_into_one_request_together_are_refused(
        self, model: VideoUnderstanding, shown: Shown, asked: Callable[[], int]
    ) -> None:
        """Each alone would."""
        if Way.BASE64 not in model.ways[Modality.VIDEO]:
            pytest.skip("only where files go along in the request")
        half = replace(shown, way=Way.BASE64, size=model.max_inline // 2 + 1)
        with pytest.raises(MediaError, match="request"):
            model.ask(Question("What differs?", (half, half)))
        assert asked() == 0

    def test_an_answer_is_heard_whole_and_once(self, model: VideoUnderstanding, shown: Shown) -> None:
        """Piece by piece, the reasoning apart."""
        pieces: list[Piece] = []
        reply = model.ask(Question("What happens?", (self.usable(model, shown),)), pieces.append)
        assert reply.text
        assert "".join(piece.text for piece in pieces if not piece.reasoning) == reply.text
        assert "".join(piece.text for piece in pieces if piece.reasoning) == reply.reasoning

    def test_an_answer_says_what_it_took(
        self, model: VideoUnderstanding, shown: Shown, asked: Callable[[], int]
    ) -> None:
        """One request, with its tokens."""
        reply = model.ask(Question("What happens?", (self.usable(model, shown),)))
        assert (reply.submits, reply.lost, asked()) == (1, 0, 1)
        assert reply.usage["input_tokens"] > 0
        assert reply.usage["output_tokens"] > 0
        assert reply.hears is type(model).hears

    def test_a_question_may_follow_up_where_that_is_remembered(
        self, model: VideoUnderstanding, shown: Shown, asked: Callable[[], int]
    ) -> None:
        """Else it is refused."""
        first = model.ask(Question("What happens?", (self.usable(model, shown),)))
        assert (first.id is not None) is model.remembers
        if model.remembers:
            assert model.ask(Question("And then?", after=first.id)).text
        else:
            with pytest.raises(UnsupportedError):
                model.ask(Question("And then?", after="any"))
            assert asked() == 1

    # -- uploads ------------------------------------------------------------------------------------------

    def test_a_file_is_handed_over_used_and_let_go(self, model: VideoUnderstanding, shown: Shown) -> None:
        """Once it is gone, it can't be let go again."""
        if Way.FILE not in model.ways[Modality.VIDEO]:
            pytest.skip("only where files are uploaded")
        handed = model.hand_over(replace(shown, way=Way.FILE))
        model.await_handed(handed.id)
        there = replace(shown, way=Way.FILE, media=replace(shown.media, uri=handed.id))
        assert model.ask(Question("What happens?", (there,))).text
        model.release(handed.id)
        for again in (model.release, model.await_handed):
            with pytest.raises(NotFoundError):
                again(handed.id)

    def test_a_file_that_can_not_be_read_is_told(
        self, model: VideoUnderstanding, shown: Shown, tmp_path: Path
    ) -> None:
        """As soon as the service knows it."""
        if Way.FILE not in model.ways[Modality.VIDEO]:
            pytest.skip("only where files are uploaded")
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"no video at all")
        medium = replace(shown.media, path=broken)
        handed = model.hand_over(replace(shown, way=Way.FILE, media=medium, size=15))
        with pytest.raises(MediaError):
            model.await_handed(handed.id)

    # -- inside -------------------------------------------------------------------------------------------

    def usable(self, model: VideoUnderstanding, shown: Shown) -> Shown:
        """The video where the model can see it."""
        if shown.way is not Way.FILE:
            return shown
        handed = model.hand_over(shown)
        model.await_handed(handed.id)
        return replace(shown, media=replace(shown.media, uri=handed.id))
