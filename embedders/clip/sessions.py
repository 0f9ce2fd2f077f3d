"""Both towers of a model in ONNX Runtime, each loaded on first use and shared by all threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from fastembed import ImageEmbedding, TextEmbedding
from onnxruntime.capi import onnxruntime_pybind11_state as state
from PIL import Image as Pillow

from ...core.errors import ConfigurationError
from .weights import Tower, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...core.media import Image

    Rows = NDArray[np.float32]

RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    state.EPFail,
    state.EngineError,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.ModelLoadCanceled,
    state.ModelLoaded,
    state.ModelRequiresCompilation,
    state.NoModel,
    state.NoSuchFile,
    state.NotFound,
    state.NotImplemented,
    state.RuntimeException,
)
"""What ONNX Runtime raises; it gives them no base of their own."""

_LOADING_ERRORS = (*RUNTIME_ERRORS, ValueError, KeyError, TypeError)  # fastembed, of settings it can't use
_SUFFIX = "ExecutionProvider"


class Sessions:
    """Sentences and pictures to vectors of length 1.

    Args:
        weights: Both towers.
        provider: From `provider_of`.
        threads: Threads of one session; None lets ONNX Runtime choose, which is one for each core.
        batch_size: Pictures in one run.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        provider: str | tuple[str, dict[str, str]],
        threads: int | None,
        batch_size: int,
    ) -> None:
        self.weights = weights
        self._provider = provider
        self._threads = threads
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._text: _Loaded | None = None
        self._vision: _Loaded | None = None

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._text_tower().dimension

    def sentence(self, text: str) -> Rows:
        """The vector of one text; what is longer than the model's limit is cut off by its tokenizer."""
        row: Rows = self._text_tower().rows([text], 1)[0]
        return row

    def pictures(self, images: Sequence[Image]) -> Rows:
        """A row for each picture (height x width x 3, RGB, uint8), prepared as the model's settings say."""
        return self._vision_tower().rows([Pillow.fromarray(image) for image in images], self._batch_size)

    def _text_tower(self) -> _Loaded:
        with self._lock:
            if self._text is None:
                self._text = self._load(
                    TextEmbedding, self.weights.text, self.weights.text_folder, "a picture"
                )
            return self._text

    def _vision_tower(self) -> _Loaded:
        dimension = self.dimension
        with self._lock:
            if self._vision is None:
                grey = Pillow.new("RGB", (256, 256), (128, 128, 128))
                loaded = self._load(ImageEmbedding, self.weights.vision, self.weights.vision_folder, grey)
                if loaded.dimension != dimension:
                    raise ConfigurationError(
                        f"the text tower gives {dimension} numbers and the vision tower {loaded.dimension}: "
                        "they are no pair",
                        hint="take both from one model",
                    )
                self._vision = loaded
            return self._vision

    def _load(self, make: Any, tower: Tower, folder: Path, probe: object) -> _Loaded:
        """Load a tower and run it once, which shows whether its network fits its settings."""
        with _loading(tower, folder):
            loaded = make(
                tower.model,
                cache_dir=str(folder),  # unused, but fastembed makes the folder that it would use else
                specific_model_path=str(folder),
                threads=self._threads,
                providers=[self._provider],
            )
            dimension = len(next(iter(loaded.embed([probe]))))
        wanted = self._provider if isinstance(self._provider, str) else self._provider[0]
        running = loaded.model.model.get_providers()
        if wanted not in running:
            raise ConfigurationError(
                f"ONNX Runtime can't start {wanted}: it would run on {running[0]}",
                hint="install the libraries that it needs, or set device to 'cpu'",
            )
        return _Loaded(loaded, dimension)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A loaded tower and the length of its vectors."""

    tower: TextEmbedding | ImageEmbedding
    dimension: int

    def rows(self, inputs: list[Any], batch_size: int) -> Rows:
        """A row of length 1 for each text or picture; zeros stay zeros, which the base refuses."""
        # fastembed brings the pictures of some models to that length, and no texts.
        rows = np.stack(list(self.tower.embed(inputs, batch_size=batch_size)))
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def provider_of(device: str) -> str | tuple[str, dict[str, str]]:
    """What ONNX Runtime calls a device: `cpu`, `cuda`, `cuda:1`, `coreml`, ...

    Raises:
        ConfigurationError: The installed ONNX Runtime has no such device.
    """
    name, _, number = device.partition(":")
    known = {each.removesuffix(_SUFFIX).lower(): each for each in onnxruntime.get_available_providers()}
    if name.lower() not in known or (number and not number.isdecimal()):
        raise ConfigurationError(
            f"the installed ONNX Runtime has no device {device!r}, it has {', '.join(known)}",
            hint="for NVIDIA, install onnxruntime-gpu in place of onnxruntime; or set device to 'cpu'",
        )
    provider = known[name.lower()]
    return (provider, {"device_id": number}) if number else provider


@contextmanager
def _loading(tower: Tower, folder: Path) -> Iterator[None]:
    """Says which files can't be loaded. The tokenizers' library raises bare `Exception`."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _LOADING_ERRORS) and type(error) is not Exception:
            raise
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigurationError(
            f"the {tower.name} tower in {folder} can't be loaded: {said}",
            hint=f"its files must be those of {tower.repository}, or made in the same way",
        ) from error
