"""The clip embedder: semantic search on this machine, without a key, by a model of CLIP's kind.

The vector of a clip is the mean of the unit vectors of its frames, at unit length again: the parameter-free
pooling of CLIP4Clip (Luo et al. 2021, arXiv:2104.08860). Movement and sound have no part in it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...core.embedder import ClipInput, Embedded, Embedder, HandOver, Takes
from ...core.errors import ConfigurationError, PolyreelError, RejectedError
from ...core.media import Media, Modality
from ...core.space import Space
from ..querying import pictures
from .sessions import RUNTIME_ERRORS, Sessions, provider_of
from .weights import in_cache, in_folder, pair

if TYPE_CHECKING:
    from .sessions import Rows

_FILE = HandOver(schemes=frozenset({"file"}))
_PLACE = "{query}"
_QUERY_FPS = 2.0
_QUERY_FRAMES = 64  # of a query video, or of one piece of a longer one
_VIDEO = replace(_FILE, max_seconds=_QUERY_FRAMES / _QUERY_FPS)


class ClipEmbedder(Embedder):
    """Pictures and sentences in one space, by a pair of networks in ONNX Runtime.

    Nothing is fetched or loaded before the first vector, or the space, is asked for.

    Args:
        model: A key of `weights.PAIRS`.
        model_path: A folder with the weights, laid out as in `docs/clip.md`; nothing is fetched then.
        cache: Where weights are fetched to; None is the cache of the Hugging Face hub's client.
        query_template: Put round a text query, as in `a photo of {query}`.
        device: What ONNX Runtime runs on: `cpu`, `cuda`, `cuda:1`, `coreml`, ...
        threads: Threads of one run; None is one for each core.
        batch_size: Frames in one run.

    Raises:
        ConfigurationError: A value is wrong, or the installed ONNX Runtime lacks the device.
    """

    kind: ClassVar[str] = "clip"
    takes = Takes.FRAMES
    free = True
    frame_size = 448
    """Twice what the models look at, so that the short side of a frame up to 2:1 needn't be enlarged."""
    max_batch = 8

    def __init__(
        self,
        *,
        model: str = "clip-vit-b-32",
        model_path: Path | None = None,
        cache: Path | None = None,
        query_template: str | None = None,
        device: str = "cpu",
        threads: int | None = None,
        batch_size: int = 32,
    ) -> None:
        super().__init__()
        pair(model)
        if query_template is not None and query_template.count(_PLACE) != 1:
            raise ConfigurationError(
                f"query_template is {query_template!r}, which must hold {_PLACE} once",
                hint=f"as in 'a photo of {_PLACE}'",
            )
        for name, number in (("threads", threads), ("batch_size", batch_size)):
            if number is not None and number < 1:
                raise ConfigurationError(f"{name} is {number}; it must be at least 1")
        self.accepts = {Modality.TEXT: _FILE, Modality.IMAGE: _FILE, Modality.VIDEO: _VIDEO}
        self._model = model
        self._model_path = model_path
        self._cache = cache
        self._template = query_template
        self._provider = provider_of(device)
        self._threads = threads
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._sessions: Sessions | None = None
        self._closed = False

    @cached_property
    def space(self) -> Space:  # type: ignore[override]  # as writable as the base's, but made when asked for
        """Its version is a digest of the weights, so that other weights are another space."""
        sessions = self._opened()
        templates = {} if self._template is None else {"query": self._template}
        return Space(
            self.kind, self._model, sessions.weights.version, sessions.dimension, templates=templates
        )

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        (part,) = parts  # several parts are refused, since a model of this kind can't read them together
        if part.modality is Modality.TEXT:
            text = (self._template or _PLACE).replace(_PLACE, part.text or "")
            return _embedded(self._opened().sentence(text))
        sampled = pictures(part, kind=self.kind, size=self.frame_size, fps=_QUERY_FPS, most=_QUERY_FRAMES)
        return _embedded(_pooled(self._opened().pictures(list(sampled))))

    def _embed_frames(self, clips: Sequence[ClipInput]) -> list[Embedded]:
        rows = self._opened().pictures([frame.image for clip in clips for frame in clip.frames])
        embedded, at = [], 0
        for clip in clips:
            embedded.append(_embedded(_pooled(rows[at : at + len(clip.frames)])))
            at += len(clip.frames)
        return embedded

    def _opened(self) -> Sessions:
        """The sessions, over weights that are found, or fetched, now."""
        with self._lock:
            if self._closed:
                raise ConfigurationError(f"this {self.kind} embedder was closed")
            if self._sessions is None:
                found = (
                    in_cache(self._model, self._cache)
                    if self._model_path is None
                    else in_folder(self._model, self._model_path)
                )
                self._sessions = Sessions(
                    found, provider=self._provider, threads=self._threads, batch_size=self._batch_size
                )
            return self._sessions

    def _close(self) -> None:
        with self._lock:
            self._sessions, self._closed = None, True

    def _translate(self, error: Exception) -> PolyreelError | None:
        if not isinstance(error, RUNTIME_ERRORS):
            return None
        said = str(error).strip().splitlines()[0]
        return RejectedError(
            f"ONNX Runtime failed: {said}", hint="try a smaller batch_size, or device = 'cpu'"
        )


def _pooled(rows: Rows) -> Rows:
    """The mean of unit rows; `_embedded` brings it to unit length."""
    mean: Rows = rows.mean(axis=0)
    return mean


def _embedded(vector: Rows) -> Embedded:
    length = float((vector @ vector) ** 0.5) or 1.0
    return Embedded((vector / length).tolist())
