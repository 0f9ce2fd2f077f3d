"""Marengo as an embedder: queries at once, whole videos as paid tasks of TwelveLabs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import ClassVar

from twelvelabs.core.api_error import ApiError

from ... import media
from ...core.deadline import RetryPolicy
from ...core.embedder import Embedded, Embedder, Takes
from ...core.errors import ConfigurationError, MediaError, PolyreelError, UnsupportedError
from ...core.logs import conceal
from ...core.media import Media, Modality
from ...core.orders import Failed, Order, Pending, Segments, Ticket
from ...core.secret import Secret
from ...core.space import Space, digest
from . import errors, models, orders
from .api import Api, same_task
from .assets import DIRECT, Assets
from .service import Service, checked_id
from .v1 import V1
from .v2 import V2

_KEYS = ("TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY")
_PLAIN = "{query}"
_JOINED = 10  # media in one query
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


class Handing(StrEnum):
    """How videos reach TwelveLabs."""

    AUTO = "auto"
    URL = "url"
    UPLOAD = "upload"


_WAYS = {
    Handing.AUTO: {"schemes": frozenset({"https", "file"}), "public_only": True},
    Handing.URL: {"schemes": frozenset({"https"}), "public_only": False},
    Handing.UPLOAD: {"schemes": frozenset({"file"})},
}


class MarengoEmbedder(Embedder):
    """TwelveLabs Marengo, a paid service: text, pictures, sounds and whole videos. Contract: `Embedder`.

    Args:
        model: `marengo3.0`, `marengo3.5`, or `Marengo-retrieval-2.7` for collections that hold such vectors.
        api_key: Of TwelveLabs; else TWELVELABS_API_KEY, or TWELVE_LABS_API_KEY, holds it.
        base_url: Of the API, with its version.
        dimension: Length of the vectors, where the model offers several.
        query_template: Put round the words of every query; `{query}` stands for them.
        hand_over: `auto` lets TwelveLabs fetch a video that has a public address, or an object store that
            can presign one, and uploads any other; `url` and `upload` insist.
        timeout: Seconds for one call, its retries included.
        patience: Seconds without a sign of the service before it counts as gone.
        upload_timeout: Seconds for handing one video over.
        direct: Bytes up to which a file is uploaded in one request.
        retry: How what may work later is tried again; `Retry-After` is honoured.
    """

    kind: ClassVar[str] = "marengo"
    takes = Takes.WHOLE_VIDEO
    joint = False  # `joins` says of which parts

    def __init__(
        self,
        *,
        model: str = "marengo3.0",
        api_key: Secret | None = None,
        base_url: str = "https://api.twelvelabs.io/v1.3",
        dimension: int | None = None,
        query_template: str = _PLAIN,
        hand_over: Handing = Handing.AUTO,
        timeout: float = 120.0,
        patience: float = 60.0,
        upload_timeout: float = 3600.0,
        direct: int = DIRECT,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry)
        self._model = models.model(model)
        if query_template.count(_PLAIN) != 1:
            raise ConfigurationError(
                f"query_template is {query_template!r}; it must hold {_PLAIN} once",
                hint='such as "Recommend - {query}"',
            )
        self._template = query_template
        self.space = Space(
            self.kind,
            self._model.name,
            "1",
            self._length(dimension),
            templates={} if query_template == _PLAIN else {"query": query_template},
        )
        self.accepts = self._model.queries
        if self._model.legacy:
            self.retired = f"{self._model.name} is retired, and only serves collections that hold its vectors"
        self.whole_video = replace(self._model.whole_video, **_WAYS[hand_over])  # type: ignore[arg-type]
        self.upload_timeout = upload_timeout
        self._service = Service(api_key=_key(api_key), base_url=base_url, patience=patience)
        self._assets = Assets(self._service, direct)
        self._api: Api = (
            V1(self._service, self._model, self.space.dimension)
            if self._model.legacy
            else V2(self._service, self._assets, self._model, self.space.dimension)
        )

    def joins(self, modalities: Sequence[Modality]) -> bool:
        """One text and up to ten media of one kind; of several kinds only beside a text (Marengo 3.5)."""
        shown = [each for each in modalities if each is not Modality.TEXT]
        texts = len(modalities) - len(shown)
        if len(modalities) == 1:
            return True
        return (
            texts <= 1
            and len(shown) <= _JOINED
            and self._model.joins >= set(modalities)
            and (texts == 1 or len(set(shown)) == 1)
        )

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        return self._api.query([self._prepared(part) for part in parts])

    def _prepared(self, part: Media) -> Media:
        """The words in their template; a picture or video only if the service takes such a one."""
        if part.text is not None:
            return replace(part, text=self._template.replace(_PLAIN, part.text))
        if part.modality is Modality.VIDEO and part.path is not None:
            orders.check_video(media.probe(part.path), self.accepts[Modality.VIDEO].max_seconds)
        if part.modality is Modality.IMAGE and part.path is not None:
            with part.path.open("rb") as stream:
                start = stream.read(8)
            if not any(start.startswith(magic) for magic in _MAGIC):
                raise MediaError(f"{part.path.name} is neither JPEG nor PNG", hint="convert the picture")
        return part

    # -- whole videos -------------------------------------------------------------------------------------

    def _check(self, order: Order) -> None:
        orders.check_video(order.info)
        orders.asked(order, self._model)
        orders.segmentation(order.recipe, self._model)

    def _hand_over(self, order: Order) -> str | None:
        if not self._api.uploads(order):
            return None
        if "file" not in self.whole_video.schemes or order.video.path is None:
            raise UnsupportedError(
                "the video has no address that TwelveLabs could fetch",
                hint='set `hand_over = "upload"`, or an object store that presigns addresses',
            )
        return self._assets.upload(order.video.path, self._name(order), Modality.VIDEO, self._attempt)

    def _handed(self, address: str) -> bool:
        return self._assets.ready(address)

    def _submit(self, order: Order) -> Ticket:
        id = checked_id(self._api.submit(order, self._name(order)), "a task")
        return Ticket(id, order.video_id, expires=time.time() + models.RESULTS_LAST)

    def _find(self, order: Order, since: float) -> Ticket | None:
        name, model = self._name(order), self._model.name
        for task in self._api.tasks(since):
            if same_task(task, order, name=name, model=model, since=since):
                return Ticket(
                    checked_id(task.id, "a task"), order.video_id, expires=since + models.RESULTS_LAST
                )
        return None

    def _collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        return self._api.collect(ticket, order)

    def _release(self, address: str) -> None:
        try:
            self._assets.delete(address)
        except ApiError as error:
            if error.status_code not in (404, 410):
                raise

    # -- inside -------------------------------------------------------------------------------------------

    def _name(self, order: Order) -> str:
        """What the file is called there: by it, a task whose reply was lost is known again."""
        work = digest([self.space.key, order.recipe.key])[:8]
        suffix = order.video.path.suffix.lower() if order.video.path else ""
        return f"polyreel-{order.video_id[:32]}-{work}{suffix}"

    def _length(self, dimension: int | None) -> int:
        known = self._model.dimensions
        if dimension is not None and dimension not in known:
            raise ConfigurationError(
                f"dimension is {dimension}; {self._model.name} gives {', '.join(map(str, known))}"
            )
        return known[0] if dimension is None else dimension

    def _translate(self, error: Exception) -> PolyreelError | None:
        return errors.translate(error)

    def _close(self) -> None:
        self._service.close()


def _key(given: Secret | None) -> str:
    """The key that was given, or that of the environment, which the SDK reads by another name than it says.

    Raises:
        ConfigurationError: There is none.
    """
    key = given.get_secret_value() if given else next(filter(None, map(os.environ.get, _KEYS)), "")
    if not key.strip():
        raise ConfigurationError(
            "TwelveLabs needs a key", hint=f"set `api_key` of the embedder, or the variable {_KEYS[0]}"
        )
    conceal(key)
    return key.strip()
