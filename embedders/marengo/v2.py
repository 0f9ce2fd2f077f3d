"""Version 2 of the embedding API: `/embed-v2` and its tasks, for Marengo 3.0 and 3.5."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from twelvelabs.core.api_error import ApiError

from ... import media
from ...core.deadline import poll
from ...core.embedder import Embedded
from ...core.errors import MediaError
from ...core.media import Media, Modality
from ...core.orders import Failed, Order, Pending, Segments, Ticket
from . import answers, orders
from .api import failed, stamp
from .assets import Assets, asset_id, is_asset
from .errors import request_id
from .models import Model
from .service import Service, checked_id

_Query = tuple[str, Any]


class V2:
    """Contract: `Api`.

    Args:
        service: The account.
        assets: Its uploads.
        model: One that this version serves.
        dimension: Of the vectors.
    """

    def __init__(self, service: Service, assets: Assets, model: Model, dimension: int) -> None:
        self._service, self._assets, self._model, self._dimension = service, assets, model, dimension

    def query(self, parts: Sequence[Media]) -> Embedded:
        """Embed at once; a file too large to travel in the request is uploaded for as long as it takes."""
        with ExitStack() as uploads:
            sources = {part: uploads.enter_context(self._source(part)) for part in parts if part.text is None}
            kind, body = self._body(parts, sources)
            asked: dict[str, Any] = {kind: body, **self._shortened()}
            answer = self._service.client.embed.v_2.with_raw_response.create(
                input_type=kind,
                model_name=self._model.name,
                **asked,
                request_options=self._service.options(),
            )
        vector = answers.best(_pieces(answer.data.data), self._dimension)
        counted = {"requests": 1.0, **answers.usage(answer.data)}
        return Embedded(vector, counted, request_id(answer.headers))

    def uploads(self, order: Order) -> bool:
        """Unless it has an address: a task takes no file."""
        return order.video.uri is None

    def submit(self, order: Order, name: str) -> str | None:
        """The name is that of the upload."""
        asked, uri = orders.asked(order, self._model), str(order.video.uri)
        video: dict[str, Any] = {
            "media_source": {"asset_id": asset_id(uri)} if is_asset(uri) else {"url": uri},
            "segmentation": orders.segmentation(order.recipe, self._model),
            "embedding_option": list(asked.options),
            "embedding_scope": [orders.SCOPES[scope] for scope in order.recipe.scopes],
        }
        if asked.types:
            video["embedding_type"] = list(asked.types)
        made = self._service.client.embed.v_2.tasks.create(
            input_type="video",
            model_name=self._model.name,
            video=video,  # type: ignore[arg-type]  # a dict makes the same request
            **self._shortened(),
            request_options=self._service.options(),
        )
        return made.id

    def tasks(self, since: float) -> Iterable[Any]:
        """Page by page."""
        return self._service.client.embed.v_2.tasks.list(
            started_at=stamp(since), page_limit=50, request_options=self._service.options()
        )

    def collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        """Status and vectors come in one answer."""
        task = self._service.client.embed.v_2.tasks.retrieve(
            checked_id(ticket.id, "a task"), request_options=self._service.options()
        )
        if task.status == "failed":
            return failed(task.error.message if task.error else None)
        if task.status != "ready":
            return Pending()
        found = answers.segments(
            _pieces(task.data or ()),
            orders.asked(order, self._model).channels,
            scopes=order.recipe.scopes,
            duration_ms=order.info.duration_ms,
            dimension=self._dimension,
        )
        if not found:
            return Failed("the service found nothing to embed in it")
        counted = {"video_seconds": order.info.duration_ms / 1000, **answers.usage(task)}
        return Segments(found, counted, (ticket.id,))

    # -- a query ------------------------------------------------------------------------------------------

    def _body(self, parts: Sequence[Media], sources: dict[Media, dict[str, Any]]) -> _Query:
        text = next((part.text for part in parts if part.text is not None), None)
        seen = [part for part in parts if part.text is None]
        if self._model.multi or len(seen) > 1:
            if any(map(_span, seen)):
                raise MediaError(f"{self._model.name} takes whole files", hint="cut the piece out of it")
            listed = [{"media_type": part.modality.value, **sources[part]} for part in seen]
            body: dict[str, Any] = {"input_text": text} if text is not None else {}
            return "multi_input", {**body, **({"media_sources": listed} if listed else {})}
        if not seen:
            return "text", {"input_text": text}
        (part,) = seen
        source = {"media_source": sources[part]}
        if part.modality is Modality.IMAGE:
            return ("text_image", {**source, "input_text": text}) if text is not None else ("image", source)
        return part.modality.value, {**source, **_span(part), **self._whole(part)}

    def _whole(self, part: Media) -> dict[str, Any]:
        """One vector of all that a video or sound has."""
        if part.modality is Modality.AUDIO:
            return {"embedding_option": ["audio"], "embedding_scope": ["asset"]}
        if part.path is not None and media.probe(part.path).audio_codec is None:
            return {"embedding_option": ["visual"], "embedding_scope": ["asset"]}
        options = list(self._model.options.values())
        return {
            "embedding_option": options,
            "embedding_scope": ["asset"],
            "embedding_type": ["fused_embedding"],
        }

    @contextmanager
    def _source(self, part: Media) -> Iterator[dict[str, Any]]:
        """Where the service finds a file: at its address, inside the request, or uploaded meanwhile."""
        if part.uri is not None and urlsplit(part.uri).scheme in ("https", "http"):
            yield {"url": part.uri}
            return
        if part.path is None:
            raise MediaError(
                f"TwelveLabs can't fetch {part.uri}", hint="give a local file or an https address"
            )
        if part.path.stat().st_size <= self._model.inline[part.modality]:
            yield {"base64_string": base64.b64encode(part.path.read_bytes()).decode()}
            return
        name = f"polyreel-query-{uuid.uuid4().hex}{part.path.suffix.lower()}"
        address = self._assets.upload(part.path, name, part.modality, lambda action: action())
        try:
            poll(lambda: self._assets.ready(address), what="the upload of the query", timeout=600.0)
            yield {"asset_id": asset_id(address)}
        finally:
            with suppress(ApiError):  # a lease that stays is no reason to fail the query
                self._assets.delete(address)

    def _shortened(self) -> dict[str, Any]:
        """Only said where it isn't the model's own length: Marengo 3.0 refuses it."""
        standard = self._dimension == self._model.dimensions[0]
        return {} if standard else {"embedding_dimension": self._dimension}


def _span(part: Media) -> dict[str, float]:
    """Only the ends that were given: the SDK sends None as null."""
    start = {"start_sec": part.start_ms / 1000} if part.start_ms else {}
    return start if part.end_ms is None else {**start, "end_sec": part.end_ms / 1000}


def _pieces(data: Iterable[Any]) -> Iterator[answers.Piece]:
    for each in data:
        yield answers.Piece(
            each.embedding, each.embedding_option, each.embedding_scope, each.start_sec, each.end_sec
        )
