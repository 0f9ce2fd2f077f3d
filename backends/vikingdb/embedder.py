"""Query parts in the space of a collection that vectorizes, by the call `/api/vikingdb/embedding`.

So they can be weighted and taken away, which one call for all of them can't do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...core.deadline import RetryPolicy
from ...core.embedder import Embedded, Embedder, HandOver, Takes
from ...core.errors import IntegrityError, PolyreelError, UnsupportedError
from ...core.media import Media, Modality
from .data import Data
from .limits import MAX_VIDEO
from .models import Model
from .options import Vectorize
from .rows import SCHEMES, address
from .wire import translate

_MAX_BYTES = {Modality.VIDEO: MAX_VIDEO}


class VikingDBQueryEmbedder(Embedder):
    """Embeds query parts with the model of a collection. Made by `VikingDBStore.query_embedder`.

    Args:
        data: The calls.
        vectorize: The collection's model.
        turn: Waits for the turn of a call with these modalities.
        timeout: Seconds for one call, its retries included.
        retry: How retryable errors are tried again.
    """

    kind = "vikingdb"
    takes = Takes.CLIP_FILES
    joint = True

    def __init__(
        self,
        data: Data,
        vectorize: Vectorize,
        turn: Callable[[Sequence[Modality]], None],
        *,
        timeout: float,
        retry: RetryPolicy,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._data = data
        self._vectorize = vectorize
        self._turn = turn
        self.space = vectorize.space
        self.query_settings = {"fps": vectorize.fps}
        self.accepts = {
            one: HandOver(SCHEMES, max_bytes=_MAX_BYTES.get(one)) for one in vectorize.known.modalities
        }

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        model = self._vectorize.known
        template = self.space.templates.get("query", "")
        text = next((part for part in parts if part.modality is Modality.TEXT), None)
        dense: dict[str, Any] = {"name": model.name, "dim": self.space.dimension}
        if model.version:
            dense["version"] = model.version
        if template and text and not model.prefixes:
            dense["instruction"] = {"content": template}
        prefix = template if model.prefixes else ""
        self._turn([part.modality for part in parts])
        reply = self._data.embedding([item(parts, model, prefix, self._vectorize.fps)], dense_model=dense)
        try:
            vector = [float(value) for value in reply.result["data"][0]["dense"]]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise IntegrityError(
                "VikingDB answered an embedding without a vector", request_id=reply.request_id
            ) from error
        return Embedded(vector, usage(reply.result), reply.request_id)

    def _translate(self, error: Exception) -> PolyreelError | None:
        return translate(error)


def item(parts: Sequence[Media], model: Model, prefix: str, fps: float | None) -> dict[str, Any]:
    """The item of an embedding's `data` that several parts make together.

    Raises:
        UnsupportedError: Two parts are of one kind, and the model takes no series.
    """
    named = list(_named(parts, prefix, fps))
    if max(Counter(name for name, _ in named).values()) == 1:
        return dict(named)
    if not model.sequences:
        raise UnsupportedError(
            f"{model.name} {model.version} takes one text and one image at most", hint="use fusion='sum'"
        )
    return {"full_modal_seq": [{name: value} for name, value in named]}


def usage(result: Mapping[str, Any]) -> dict[str, float]:
    """What a call counted, where the service still reports it: `MODEL__VERSION.total_tokens` and so on."""
    counted = result.get("token_usage")
    if not isinstance(counted, dict):
        return {}
    return {
        f"{model}.{name}": amount
        for model, amounts in counted.items()
        if isinstance(amounts, dict)
        for name, amount in amounts.items()
        if isinstance(amount, int | float) and amount
    }


def _named(parts: Sequence[Media], prefix: str, fps: float | None) -> Iterator[tuple[str, object]]:
    for part in parts:
        value = address(part, fps)
        yield part.modality.value, f"{prefix}{value}" if part.modality is Modality.TEXT else value
