"""Doubao's multimodal embedding at Ark: text, images and clips in one space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from typing import Any

from ...core import ark, doubao
from ...core.deadline import RetryPolicy
from ...core.embedder import Embedded, Embedder, HandOver, Takes
from ...core.errors import ConfigurationError, IntegrityError, PolyreelError
from ...core.media import Media, Modality
from ...core.secret import Secret
from ...core.space import Space
from . import models
from .items import item, whole
from .service import Service, translate

_PATH = "/embeddings/multimodal"


class Handing(StrEnum):
    """How media reach Ark."""

    AUTO = "auto"
    URL = "url"
    BASE64 = "base64"


_SCHEMES = {
    Handing.AUTO: frozenset({"file", "https"}),
    Handing.URL: frozenset({"https"}),
    Handing.BASE64: frozenset({"file"}),
}


class ArkEmbedder(Embedder):
    """`doubao-embedding-vision` at Ark, a paid service. Contract: `Embedder`.

    A call makes one vector of all that it carries, so each clip is a call of its own. Vectors are brought to
    length 1. Instructions are those that VikingDB uses with the same model.

    Args:
        version: `250615` or `251215`.
        model: What the calls name instead of `doubao-embedding-vision-VERSION`, such as an endpoint `ep-...`.
        api_key: Of Ark; else ARK_API_KEY holds it.
        base_url: Of the API, with its version.
        dimension: 2048 or 1024.
        content: What records are made of; a part of the instructions of 251215.
        instruct: Whether the model's own instructions are used.
        hand_over: `auto` sends what has an https address by it, files as base64, and a video too large for it
            by a presigned address of the object store; `url` and `base64` insist.
        fps: Frames a second of a video that says nothing of its own; clips say the recipe's.
        send_fps: Whether frames a second are said at all.
        at_once: Clips that are on their way at once.
        timeout: Seconds for one call, its retries included.
        patience: Seconds without a sign of the service before it counts as gone.
        retry: How what may work later is tried again; `Retry-After` is honoured.
    """

    kind = "ark"
    takes = Takes.CLIP_FILES
    joint = True
    max_batch = 1

    def __init__(
        self,
        *,
        version: str = "250615",
        model: str | None = None,
        api_key: Secret | None = None,
        base_url: str = "https://ark.cn-beijing.volces.com/api/v3",
        dimension: int = 2048,
        content: tuple[Modality, ...] = (Modality.VIDEO,),
        instruct: bool = True,
        hand_over: Handing = Handing.AUTO,
        fps: float | None = None,
        send_fps: bool = True,
        at_once: int = 4,
        timeout: float = 120.0,
        patience: float = 60.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        known = models.find(version)
        if dimension not in known.dimensions:
            lengths = " or ".join(map(str, known.dimensions))
            raise ConfigurationError(f"dimension is {dimension}; {models.NAME} has {lengths}")
        if at_once < 1:
            raise ConfigurationError(f"at_once is {at_once}; it must be at least 1")
        if not content or Modality.AUDIO in content:
            raise ConfigurationError("content is made of text, image and video")
        made = doubao.templates(known.query, known.document, content) if instruct else {}
        self.space = Space(self.kind, models.NAME, version, dimension, templates=made)
        schemes = _SCHEMES[hand_over]
        self.accepts = {
            Modality.TEXT: HandOver(frozenset({"data"})),
            Modality.IMAGE: HandOver(schemes, max_bytes=models.MAX_IMAGE),
            Modality.VIDEO: HandOver(
                schemes, max_bytes=models.MAX_VIDEO, inline_bytes=models.MAX_INLINE_VIDEO
            ),
        }
        self.at_once = at_once
        self._known = known
        self._model = model or f"{models.NAME}-{version}"
        self._fps, self._send_fps = fps, send_fps
        self.query_settings = {"fps": fps, "send_fps": send_fps}
        key = ark.api_key(api_key, "the embedder")
        self._service = Service(api_key=key, base_url=base_url, patience=patience)

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        texts = any(part.modality is Modality.TEXT for part in parts)
        return self._embed(parts, self.space.templates.get("query", "") if texts else "")

    def _embed_clips(self, clips: Sequence[Media]) -> list[Embedded]:
        return [self._embed([clip], self.space.templates.get("document", "")) for clip in clips]

    def _embed(self, parts: Sequence[Media], instruction: str) -> Embedded:
        """One call; the instruction of an older version stands before the first text."""
        prefix = "" if self._known.instructs else instruction
        body: dict[str, Any] = {"model": self._model, "encoding_format": "float"}
        body |= {"dimensions": self.space.dimension}
        if instruction and self._known.instructs:
            body["instructions"] = instruction
        with ExitStack() as files:
            body["input"] = []
            for part in parts:
                body["input"].append(self._item(files.enter_context(whole(part)), prefix))
                prefix = "" if part.modality is Modality.TEXT else prefix
            answer, request_id = self._service.call(_PATH, body)
        return Embedded(_vector(answer, request_id), _usage(answer), request_id)

    def _item(self, part: Media, prefix: str) -> dict[str, Any]:
        made = item(part, prefix=prefix, fps=self._fps)
        if not self._send_fps:
            made.get("video_url", {}).pop("fps", None)
        return made

    def _translate(self, error: Exception) -> PolyreelError | None:
        return translate(error)

    def _close(self) -> None:
        self._service.close()


def _vector(answer: Mapping[str, Any], request_id: str | None) -> list[float]:
    """The vector at length 1; `data` is an object, and a list of one is taken as well.

    Raises:
        IntegrityError: There is none in the answer.
    """
    data = answer.get("data")
    one: Any = data[0] if isinstance(data, list) and data else data
    try:
        values = [float(value) for value in one["embedding"]]
        length = math.hypot(*values)
        return [value / length for value in values]
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise IntegrityError("Ark answered without a vector", request_id=request_id) from error


def _usage(answer: Mapping[str, Any]) -> dict[str, float]:
    """Calls and tokens, as far as they are told: `total_tokens`, `image_tokens` and so on."""
    usage = answer.get("usage")
    told: dict[str, Any] = usage if isinstance(usage, dict) else {}
    details = told.get("prompt_tokens_details")
    every = {**told, **(details if isinstance(details, dict) else {})}
    counted = {name: float(amount) for name, amount in every.items() if isinstance(amount, int | float)}
    return {"requests": 1.0, **{name: amount for name, amount in counted.items() if amount}}
