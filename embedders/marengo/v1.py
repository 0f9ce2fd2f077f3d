"""Version 1 of the embedding API, `/embed` and its tasks: only for collections of Marengo-retrieval-2.7.

The vendor's docs no longer name that model. Every request is a form; what isn't given is left out, since the
SDK sends None as an empty field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from ...core.embedder import Embedded
from ...core.errors import MediaError, UnsupportedError
from ...core.media import Media, Modality
from ...core.orders import Failed, Order, Pending, Segments, Ticket
from ...core.recipe import Segmentation
from ...core.records import Scope
from . import answers, orders
from .api import failed, stamp
from .assets import content_type
from .errors import request_id
from .models import Model
from .service import Service, checked_id

_SCOPES = {Scope.CLIP: "clip", Scope.VIDEO: "video"}


class V1:
    """Contract: `Api`.

    Args:
        service: The account.
        model: One that this version serves.
        dimension: Of the vectors.
    """

    def __init__(self, service: Service, model: Model, dimension: int) -> None:
        self._service, self._model, self._dimension = service, model, dimension

    def query(self, parts: Sequence[Media]) -> Embedded:
        """One part; a failure may come as a success with a message."""
        (part,) = parts
        with ExitStack() as files:
            answer = self._service.client.embed.with_raw_response.create(
                model_name=self._model.name,
                **_input(part, files),
                request_options=self._service.options(),
            )
        result = getattr(answer.data, f"{part.modality.value}_embedding", None)
        if result is None or result.error_message or not result.segments:
            said = getattr(result, "error_message", None) or "it sent no vector"
            raise MediaError(f"TwelveLabs can't embed the {part.modality} of the query: {said}")
        vector = answers.checked(result.segments[0].float_, self._dimension)
        return Embedded(vector, {"requests": 1.0}, request_id(answer.headers))

    def uploads(self, order: Order) -> bool:
        """Never: a task takes the file itself."""
        return False

    def submit(self, order: Order, name: str) -> str | None:
        """The file goes with the request where it has no address."""
        orders.asked(order, self._model)
        if order.recipe.segmentation is not Segmentation.FIXED:
            raise UnsupportedError(
                f"{self._model.name} cuts fixed windows only",
                hint='set `segmentation = "fixed"` in the recipe',
            )
        with ExitStack() as files:
            made = self._service.client.embed.tasks.create(
                model_name=self._model.name,
                **_file("video", order.video, name, files),
                video_clip_length=orders.window(order.recipe),
                video_embedding_scope=[_SCOPES[scope] for scope in order.recipe.scopes],
                request_options=self._service.options(),
            )
        return made.id

    def tasks(self, since: float) -> Iterable[Any]:
        """Page by page."""
        return self._service.client.embed.tasks.list(
            started_at=stamp(since), page_limit=50, request_options=self._service.options()
        )

    def collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        """Status and vectors come in one answer."""
        task = self._service.client.embed.tasks.retrieve(
            checked_id(ticket.id, "a task"), request_options=self._service.options()
        )
        if task.status == "failed":
            return failed(None)
        if task.status != "ready":
            return Pending()
        found = answers.segments(
            _pieces(getattr(task.video_embedding, "segments", None) or ()),
            orders.asked(order, self._model).channels,
            scopes=order.recipe.scopes,
            duration_ms=order.info.duration_ms,
            dimension=self._dimension,
        )
        if not found:
            return Failed("the service found nothing to embed in it")
        return Segments(found, {"video_seconds": order.info.duration_ms / 1000}, (ticket.id,))


def _input(part: Media, files: ExitStack) -> dict[str, Any]:
    if part.modality is Modality.TEXT:
        return {"text": part.text}
    return _file(part.modality.value, part, part.path.name if part.path else "", files)


def _file(kind: str, medium: Media, name: str, files: ExitStack) -> dict[str, Any]:
    """An address, or an open file: the SDK would send a path's text as the file."""
    if medium.uri is not None and medium.uri.startswith(("https://", "http://")):
        return {f"{kind}_url": medium.uri}
    if medium.path is None:
        raise MediaError(f"TwelveLabs can't fetch {medium.uri}", hint="give a local file or an https address")
    stream = files.enter_context(medium.path.open("rb"))
    return {f"{kind}_file": (name, stream, content_type(medium.path))}


def _pieces(segments: Iterable[Any]) -> Iterator[answers.Piece]:
    for each in segments:
        yield answers.Piece(
            each.float_,
            each.embedding_option,
            each.embedding_scope,
            each.start_offset_sec,
            each.end_offset_sec,
        )
