"""The clip embedder over a tiny pair of towers, by the code that loads real ones."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from PIL import Image as Pillow

from polyreel.core import registry
from polyreel.core.embedder import ClipInput
from polyreel.core.errors import ConfigurationError, RejectedError, UnsupportedError
from polyreel.core.media import Frame, Media, Modality
from polyreel.embedders.clip.embedder import ClipEmbedder
from polyreel.testing.embedder import EmbedderContract, cosine

from . import tiny_clip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.embedder import Embedder
    from polyreel.core.records import Vector

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220), "white": (240, 240, 240)}


class TestTwoRepositories(EmbedderContract):
    @pytest.fixture
    def embedder(self, tiny: Path) -> Iterator[Embedder]:
        with ClipEmbedder(model_path=tiny) as embedder:
            yield embedder


class TestOneRepository(EmbedderContract):
    @pytest.fixture
    def embedder(self, tiny_in_one: Path) -> Iterator[Embedder]:
        with ClipEmbedder(model="siglip2-base-patch16-224", model_path=tiny_in_one) as embedder:
            yield embedder


@pytest.fixture
def clip(tiny: Path) -> Iterator[ClipEmbedder]:
    with ClipEmbedder(model_path=tiny) as embedder:
        yield embedder


@pytest.fixture
def own(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the pair, to be changed."""
    return shutil.copytree(tiny, tmp_path / "own")


def plain(colour: str, height: int = 252, width: int = 448) -> Frame:
    return Frame(0, np.full((height, width, 3), COLOURS[colour], np.uint8))


def of_text(embedder: ClipEmbedder, text: str) -> Vector:
    return embedder.embed_query([Media(Modality.TEXT, text=text)]).vector


def of_frames(embedder: ClipEmbedder, *frames: Frame) -> Vector:
    return embedder.embed_frames([ClipInput(frames)])[0].vector


def nearest_colour(embedder: ClipEmbedder, vector: Vector) -> str:
    return max(COLOURS, key=lambda colour: cosine(vector, of_text(embedder, colour)))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_sentence_is_most_like_the_pictures_that_it_describes(clip: ClipEmbedder, colour: str) -> None:
    assert nearest_colour(clip, of_frames(clip, plain(colour))) == colour
    sentence = of_text(clip, f"A photo of the {colour} ball")
    likeness = {other: cosine(sentence, of_frames(clip, plain(other))) for other in COLOURS}
    assert max(likeness, key=likeness.__getitem__) == colour
    assert likeness[colour] > 0.8


def test_the_vector_of_a_clip_is_the_mean_of_its_frames_unit_vectors_at_unit_length(
    clip: ClipEmbedder,
) -> None:
    frames = [plain("red"), plain("white"), plain("white")]
    alone = np.array([of_frames(clip, frame) for frame in frames])
    assert np.linalg.norm(alone, axis=1) == pytest.approx(1.0)
    mean = alone.mean(axis=0)
    assert np.array(of_frames(clip, *frames)) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_a_clips_text_has_no_part_in_its_vector(clip: ClipEmbedder) -> None:
    silent, described = clip.embed_frames([ClipInput([plain("red")]), ClipInput([plain("red")], "blue")])
    assert not clip.reads_text
    assert silent.vector == pytest.approx(described.vector)


def test_several_parts_are_left_to_the_planner(clip: ClipEmbedder) -> None:
    with pytest.raises(UnsupportedError, match="doesn't join"):
        clip.embed_query([Media(Modality.TEXT, text="red"), Media(Modality.TEXT, text="blue")])


def test_a_text_beyond_the_models_limit_is_cut_off(clip: ClipEmbedder) -> None:
    filler = "photo " * 75  # with the marks of start and end, 77 tokens
    assert of_text(clip, f"{filler} red") == pytest.approx(of_text(clip, filler))
    assert nearest_colour(clip, of_text(clip, f"red {filler}")) == "red"


def test_a_query_template_is_put_round_texts_only_and_belongs_to_the_space(
    clip: ClipEmbedder, tiny: Path
) -> None:
    with ClipEmbedder(model_path=tiny, query_template="blue {query}") as embedder:
        assert of_text(embedder, "red") == pytest.approx(of_text(clip, "blue red"))
        assert of_frames(embedder, plain("red")) == pytest.approx(of_frames(clip, plain("red")))
        (difference,) = embedder.space.differences(clip.space)
        assert "templates" in difference


class TestPreprocessing:
    """Pictures are prepared as each model's own settings say."""

    @pytest.fixture
    def flag(self) -> Frame:
        """Twice as wide as high: the middle half is green, the sides are red."""
        picture = np.full((224, 448, 3), COLOURS["red"], np.uint8)
        picture[:, 112:336] = COLOURS["green"]
        return Frame(0, picture)

    def test_a_model_that_crops_sees_the_middle_square(self, clip: ClipEmbedder, flag: Frame) -> None:
        assert of_frames(clip, flag) == pytest.approx(of_frames(clip, plain("green")), abs=0.02)

    def test_a_model_that_squeezes_sees_the_whole(self, tiny_in_one: Path, flag: Frame) -> None:
        with ClipEmbedder(model="siglip2-base-patch16-224", model_path=tiny_in_one) as embedder:
            seen = of_frames(embedder, flag)
            assert cosine(seen, of_text(embedder, "red")) > 0.5
            assert cosine(seen, of_text(embedder, "green")) > 0.5

    def test_the_values_are_those_of_a_preprocessing_written_out(
        self, clip: ClipEmbedder, tiny: Path, drawn_picture: Frame
    ) -> None:
        picture = Pillow.fromarray(drawn_picture.image).resize((398, 224), Pillow.Resampling.BICUBIC)
        middle = np.asarray(picture)[:, 87:311].astype(np.float32) / 255
        pixels = (middle - np.array(tiny_clip.MEAN)) / np.array(tiny_clip.STD)
        session = onnxruntime.InferenceSession(tiny / "vision" / "model.onnx")
        (row,) = session.run(None, {"pixel_values": pixels.transpose(2, 0, 1)[None].astype(np.float32)})[0]
        assert of_frames(clip, drawn_picture) == pytest.approx(row / np.linalg.norm(row), abs=1e-4)

    @pytest.fixture
    def drawn_picture(self) -> Frame:
        noise = np.random.default_rng(3).integers(0, 256, (9, 16, 3), dtype=np.uint8)
        return Frame(0, noise.repeat(28, axis=0).repeat(28, axis=1))


class TestSpace:
    def test_the_same_files_elsewhere_are_the_same_space(self, clip: ClipEmbedder, own: Path) -> None:
        (own / "README.md").write_text("of no account")
        with ClipEmbedder(model_path=own) as embedder:
            assert embedder.space == clip.space
        assert clip.space.dimension == tiny_clip.DIMENSION

    @pytest.mark.parametrize(
        "file",
        ["text/model.onnx", "vision/model.onnx", "vision/preprocessor_config.json", "text/config.json"],
    )
    def test_another_file_is_another_space(
        self, clip: ClipEmbedder, own: Path, tmp_path: Path, file: str
    ) -> None:
        if file.endswith(".onnx"):
            shutil.copy(tiny_clip.build(tmp_path / "other", seed=2) / file, own / file)
        else:
            (own / file).write_text(json.dumps({**json.loads((own / file).read_text()), "more": 1}))
        with ClipEmbedder(model_path=own) as embedder:
            (difference,) = embedder.space.differences(clip.space)
            assert difference.startswith("version is")

    def test_weights_outside_of_the_network_file_count(self, clip: ClipEmbedder, own: Path) -> None:
        (own / "vision" / "model.onnx_data").write_bytes(b"weights")
        with ClipEmbedder(model_path=own) as embedder:
            assert embedder.space.version != clip.space.version

    def test_towers_of_two_models_are_refused(self, tmp_path: Path) -> None:
        folder = tiny_clip.build(tmp_path / "odd", vision_dimension=24)
        with (
            ClipEmbedder(model_path=folder) as embedder,
            pytest.raises(ConfigurationError, match=r"gives 16 numbers and the vision tower 24: .* no pair"),
        ):
            of_frames(embedder, plain("red"))


class TestFolders:
    def opened(self, folder: Path) -> str:
        """What a user is told of a folder."""
        with ClipEmbedder(model_path=folder) as embedder, pytest.raises(ConfigurationError) as caught:
            of_frames(embedder, plain("red"))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        said = self.opened(tmp_path / "nowhere")
        assert "nowhere is no folder" in said
        assert "docs/clip.md" in said

    @pytest.mark.parametrize(
        "file", ["text/tokenizer.json", "text/tokenizer_config.json", "vision/preprocessor_config.json"]
    )
    def test_a_missing_file_is_named_with_where_to_get_it(self, own: Path, file: str) -> None:
        (own / file).unlink()
        tower, _, name = file.partition("/")
        said = self.opened(own)
        assert f"{own / tower} lacks {name} of the {tower} tower Qdrant/clip-ViT-B-32-{tower}" in said
        assert f"copy the repository Qdrant/clip-ViT-B-32-{tower} to {own / tower}" in said

    def test_an_empty_folder_lacks_everything(self, tmp_path: Path) -> None:
        assert "lacks model.onnx, tokenizer.json, tokenizer_config.json" in self.opened(tmp_path)

    @pytest.mark.parametrize("file", ["text/tokenizer.json", "vision/preprocessor_config.json"])
    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
    def test_a_damaged_file_of_settings_is_named(self, own: Path, file: str, content: bytes) -> None:
        (own / file).write_bytes(content)
        assert f"{own / file} can't be read" in self.opened(own)

    @pytest.mark.parametrize(
        ("file", "content"),
        [
            ("text/model.onnx", b"no network"),
            ("vision/model.onnx", b""),
            ("text/tokenizer.json", b"{}"),
            ("text/tokenizer_config.json", b"{}"),
            ("vision/preprocessor_config.json", b'{"do_resize": true}'),
            ("vision/preprocessor_config.json", b'{"do_resize": true, "size": 224}'),
            ("vision/preprocessor_config.json", b'{"image_processor_type": "OtherProcessor"}'),
        ],
    )
    def test_a_tower_that_cannot_be_loaded_is_named(self, own: Path, file: str, content: bytes) -> None:
        (own / file).write_bytes(content)
        tower = file.partition("/")[0]
        assert f"the {tower} tower in {own / tower} can't be loaded: " in self.opened(own)

    def test_a_network_that_does_not_fit_its_files_is_named(self, own: Path) -> None:
        shutil.copy(own / "vision" / "model.onnx", own / "text" / "model.onnx")
        assert f"the text tower in {own / 'text'} can't be loaded: Required inputs" in self.opened(own)


class TestSettings:
    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"model": "clip-vit-b32"}, "did you mean 'clip-vit-b-32'"),
            ({"query_template": "a photo"}, "must hold {query} once"),
            ({"query_template": "{query} {query}"}, "must hold {query} once"),
            ({"threads": 0}, "threads is 0"),
            ({"batch_size": 0}, "batch_size is 0"),
            ({"device": "cuda"}, "has no device 'cuda', it has .*cpu; .*onnxruntime-gpu"),
            ({"device": "cpu:x"}, "has no device 'cpu:x'"),
        ],
    )
    def test_a_wrong_one_is_refused_before_anything_is_loaded(self, keys: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            ClipEmbedder(**keys)

    def test_the_device_and_its_number_reach_the_runtime(
        self, tiny: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: dict[str, Any] = {}
        real = onnxruntime.InferenceSession

        def session(path: str, *, providers: Any, sess_options: Any) -> Any:
            seen.update(providers=providers, threads=sess_options.intra_op_num_threads)
            return real(path, sess_options=sess_options, providers=["CPUExecutionProvider"])

        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        monkeypatch.setattr(
            onnxruntime,
            "get_available_providers",
            lambda: ["CoreMLExecutionProvider", "CPUExecutionProvider"],
        )
        with (
            ClipEmbedder(model_path=tiny, device="CoreML:1", threads=1) as embedder,
            pytest.raises(
                ConfigurationError, match="can't start CoreMLExecutionProvider: it would run on CPU"
            ),
        ):
            of_text(embedder, "red")
        assert seen == {"providers": [("CoreMLExecutionProvider", {"device_id": "1"})], "threads": 1}


@pytest.mark.parametrize("package", ["fastembed", "huggingface_hub", "onnxruntime"])
def test_a_missing_package_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("polyreel.embedders.clip")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=r'pip install "polyreel\[clip\]"'):
        registry.load("embedder", "clip")


class TestRunning:
    @pytest.fixture
    def runs(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many rows each run of a session had."""
        seen: list[int] = []
        real = onnxruntime.InferenceSession.run

        def run(self: Any, names: Any, inputs: dict[str, Any], *more: Any) -> Any:
            seen.append(len(next(iter(inputs.values()))))
            return real(self, names, inputs, *more)

        monkeypatch.setattr(onnxruntime.InferenceSession, "run", run)
        return seen

    @pytest.fixture
    def sessions(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The networks that were loaded."""
        seen: list[str] = []
        real = onnxruntime.InferenceSession

        def session(path: str, **more: Any) -> Any:
            seen.append("/".join(path.split("/")[-2:]))
            return real(path, **more)

        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        return seen

    def test_the_frames_of_several_clips_share_a_run(self, clip: ClipEmbedder, runs: list[int]) -> None:
        of_frames(clip, plain("red"))  # the towers are loaded, and tried, on first use
        runs.clear()
        clip.embed_frames([ClipInput([plain("red")] * 3), ClipInput([plain("blue")] * 4)])
        assert runs == [7]

    def test_no_run_has_more_frames_than_the_batch_size(self, tiny: Path, runs: list[int]) -> None:
        with ClipEmbedder(model_path=tiny, batch_size=3) as embedder:
            of_frames(embedder, plain("red"))
            runs.clear()
            embedder.embed_frames([ClipInput([plain("red")] * 3), ClipInput([plain("blue")] * 4)])
        assert runs == [3, 3, 1]

    def test_a_text_query_does_without_the_vision_tower(
        self, clip: ClipEmbedder, sessions: list[str]
    ) -> None:
        assert clip.space.version
        of_text(clip, "red")
        assert sessions == ["text/model.onnx"]

    def test_nothing_is_loaded_before_it_is_needed(self, tmp_path: Path, sessions: list[str]) -> None:
        ClipEmbedder(model_path=tmp_path / "nowhere").close()
        assert sessions == []

    def test_threads_share_one_session_and_get_what_one_alone_gets(
        self, clip: ClipEmbedder, sessions: list[str]
    ) -> None:
        together = threading.Barrier(4)

        def embedded(colour: str) -> list[tuple[Vector, Vector]]:
            together.wait(10)
            return [(of_frames(clip, plain(colour)), of_text(clip, colour)) for _ in range(8)]

        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(COLOURS, pool.map(embedded, COLOURS), strict=True))
        assert sorted(sessions) == ["text/model.onnx", "vision/model.onnx"]
        for colour, pairs in found.items():
            alone = (of_frames(clip, plain(colour)), of_text(clip, colour))
            assert all(np.array(pair) == pytest.approx(np.array(alone), abs=1e-6) for pair in pairs)

    def test_what_the_runtime_raises_is_one_line_and_not_tried_again(
        self, clip: ClipEmbedder, runs: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_frames(clip, plain("red"))

        def run(*_: Any) -> Any:
            runs.append(0)
            raise RuntimeException("bad allocation\nat node 7")

        monkeypatch.setattr(onnxruntime.InferenceSession, "run", run)
        runs.clear()
        with pytest.raises(RejectedError, match="ONNX Runtime failed: bad allocation; try a smaller batch"):
            of_frames(clip, plain("red"))
        assert runs == [0]

    def test_a_closed_one_holds_no_session_and_says_so(self, tiny: Path) -> None:
        embedder = ClipEmbedder(model_path=tiny)
        of_text(embedder, "red")
        embedder.close()
        assert embedder._sessions is None
        with pytest.raises(ConfigurationError, match="was closed"):
            of_text(embedder, "red")
