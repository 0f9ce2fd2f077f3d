"""Doubao's models at Ark look at videos: the Responses API, or the Chat API by configuration."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ...core import ark
from ...core.deadline import RetryPolicy
from ...core.errors import ConfigurationError, MediaError, PolyreelError, UnsupportedError
from ...core.frameplan import family_of
from ...core.media import Modality
from ...core.questions import Handed, Listener, Question, Reply, Shown
from ...core.registry import missing
from ...core.secret import Secret
from ...core.understanding import VideoUnderstanding
from . import chat, limits, responses
from .limits import Api, Handing
from .shape import broken, counts, table, words

if TYPE_CHECKING:
    from .client import Client

_DAY = 86_400.0  # seconds
_ATTEMPTS = 3  # at one question: each whose reply is lost may be paid for


class ArkUnderstanding(VideoUnderstanding):
    """Doubao's models at Ark, a paid service that hears nothing. Contract: `VideoUnderstanding`.

    Args:
        model: As calls name it, or an endpoint `ep-...`.
        family: `seed_1_6` (all models before 1.8) or `seed_1_8`, where the model's name doesn't tell.
        api: `responses`, or `chat`, which knows neither uploaded files nor follow-ups.
        api_key: Of Ark; else ARK_API_KEY holds it.
        base_url: Of the API, with its version.
        hand_over: `auto` sends small files along, larger ones by a public address where they have one, and
            uploads the rest; `file`, `url` and `base64` insist.
        inline_first: Bytes up to which `auto` sends a file along.
        keep_days: How long the service keeps an uploaded file, 1 to 30.
        store: Whether the service keeps answers, so that they can be followed up.
        fps: Frames a second of a video where nobody says, 0.2 to 5.
        at_once: Questions that are on their way at once.
        timeout: Seconds for one question, its retries included.
        upload_timeout: Seconds for one upload, and until the service can use it.
        patience: Seconds without a sign of the service before it counts as gone.
        retry: How what may work later is tried again, three times when left out; `Retry-After` is honoured.

    Raises:
        ConfigurationError: A value is out of range, or there is no key.
    """

    kind = "ark"

    def __init__(
        self,
        *,
        model: str = limits.MODEL,
        family: str | None = None,
        api: Api = Api.RESPONSES,
        api_key: Secret | None = None,
        base_url: str = "https://ark.cn-beijing.volces.com/api/v3",
        hand_over: Handing = Handing.AUTO,
        inline_first: int = 8 << 20,
        keep_days: float = 7.0,
        store: bool = True,
        fps: float = 1.0,
        at_once: int = 2,
        timeout: float = 600.0,
        upload_timeout: float = 1800.0,
        patience: float = 120.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(timeout=timeout, retry=retry or RetryPolicy(attempts=_ATTEMPTS))
        _check_range("fps", fps, *limits.FPS)
        _check_range("keep_days", keep_days, *limits.KEPT_DAYS)
        if at_once < 1:
            raise ConfigurationError(f"at_once is {at_once}; it must be at least 1")
        if api is Api.CHAT and hand_over is Handing.FILE:
            raise ConfigurationError("the Chat API knows no uploaded files", hint='set api = "responses"')
        self.model = model
        self.family = family_of(model, family)
        self.service = f"ark {base_url.rstrip('/')}"
        self.ways = {
            Modality.VIDEO: limits.video_ways(api, hand_over),
            Modality.IMAGE: limits.image_ways(),
        }
        self.max_inline = limits.MAX_INLINE
        self.inline_first = inline_first
        self.fps_range, self.fps = limits.FPS, fps
        self.remembers = store and api is Api.RESPONSES
        self.at_once = at_once
        self.upload_timeout = upload_timeout
        self._api, self._store, self._keep_days = api, store, keep_days
        self._key = ark.api_key(api_key, "`understanding`")
        self._base_url, self._patience = base_url, patience
        self._lock = threading.Lock()
        self._client: Client | None = None

    def _ask(self, question: Question, hear: Listener) -> Reply:
        client = self._opened()
        if self._api is Api.CHAT:
            with client.chat(chat.body(question, self.model)) as (pieces, request_id):
                return chat.read(pieces, hear, request_id)
        with client.responses(responses.body(question, self.model, store=self._store)) as (
            pieces,
            request_id,
        ):
            return responses.read(pieces, hear, request_id, stored=self._store)

    def _hand_over(self, shown: Shown) -> Handed:
        if shown.media.path is None:
            raise UnsupportedError("only a local file can be uploaded")
        expires = time.time() + self._keep_days * _DAY
        fps = self.fps if shown.media.fps is None else shown.media.fps
        made = self._opened().upload(shown.media.path, shown.kind, fps=fps, expires=expires)
        if not (id := words(made.get("id"))):
            raise broken()
        told = counts({"expires": made.get("expire_at")})
        return Handed(id, told.get("expires", expires))

    def _handed(self, id: str) -> bool:
        file = self._opened().file(id)
        if file.get("status") == "failed":
            error = table(file.get("error"))
            why = " ".join(f"{error.get('code') or ''} {error.get('message') or ''}".split())
            raise MediaError(f"Ark can't use the video: {why or 'it says no reason'}"[:300])
        return file.get("status") == "active"

    def _release(self, id: str) -> None:
        self._opened().delete(id)

    def _load(self) -> None:
        self._opened()

    def _translate(self, error: Exception) -> PolyreelError | None:
        return self._client.translate(error) if self._client else None

    def _close(self) -> None:
        with self._lock:
            if self._client:
                self._client.close()

    def _opened(self) -> Client:
        """The client; the vendor's package is loaded with the first question, for a search needs none."""
        with self._lock:
            if self._client is None:
                try:
                    from .client import Client
                except ModuleNotFoundError as error:
                    raise missing(error, "the understanding 'ark'") from error
                self._client = Client(api_key=self._key, base_url=self._base_url, patience=self._patience)
            return self._client


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"{name} is {value:g}; it must be from {low:g} to {high:g}")
