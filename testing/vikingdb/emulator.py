"""The emulator: who may call, which call it is, and what is answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from ..faults import Faults
from .control import ControlPlane
from .data import DataPlane
from .media import Resolve, Vectorizer, no_objects, picture_space
from .refusal import Refusal, invalid
from .tasks import Tasks
from .vectors import Vectors
from .verify import check_key, check_signature

_VERSION = "2025-06-09"
_MOST_BYTES = 4 << 20  # of an embedding's body


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Settings:
    """How the emulator behaves.

    Args:
        region: A part of signatures.
        access_key: Who may call.
        secret_key: With it.
        api_key: Of the data plane; None lets no key in.
        lag: Seconds until an index shows a write; about 20 at the service.
        ready_after: How often a new index is looked at until it serves.
        words: An index's `Status` while it is built, and when it serves; None leaves it out.
        background: Rows are taken before their media are seen, and no usage is told (newer pages).
        videos_per_second: More are refused with 429; None takes all.
        vectorize: The model that is played.
        resolve: The bytes of `tos://` addresses.
        clock: Seconds.
        now: Of signatures.
    """

    region: str = "cn-beijing"
    access_key: str = "AKTEST"
    secret_key: str = "SKTEST"  # noqa: S105 - made up, as is the next one
    api_key: str | None = "vk-test"
    lag: float = 0.0
    ready_after: int = 0
    words: tuple[str, str] | None = ("CREATING", "ACTIVE")
    background: bool = False
    videos_per_second: float | None = None
    vectorize: Vectorizer = picture_space
    resolve: Resolve = no_objects
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answered:
    """A status, headers and JSON."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Emulator:
    """Both planes. `emulating` serves it; `answer` is what it says to one request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = ""
        self.faults = Faults()
        self.seen: list[Seen] = []
        self._numbers = count(1)
        self._lock = threading.RLock()
        self._free = float("-inf")
        vectors = Vectors(settings.vectorize, settings.resolve)
        self.control = ControlPlane(settings.ready_after, settings.words)
        self.data = DataPlane(
            self.control,
            vectors,
            ready_after=settings.ready_after,
            clock=settings.clock,
            lag=lambda: settings.lag,
            background=settings.background,
        )
        self.tasks = Tasks(self.control, self.data.calls, settings.resolve)

    @property
    def access_key(self) -> str:
        """Who may call."""
        return self.settings.access_key

    @property
    def secret_key(self) -> str:
        """With it."""
        return self.settings.secret_key

    def bodies(self, part: str) -> list[Any]:
        """The JSON of every request whose target has the part, in the order in which they came."""
        with self._lock:
            return [seen.json() for seen in self.seen if part in seen.target]

    def answer(self, seen: Seen) -> Answered:
        """Check and do what is asked."""
        request_id = f"emulated-{next(self._numbers):06d}"
        with self._lock:
            self.seen.append(seen)
            try:
                if seen.path == "/api/vikingdb/Ping":
                    return Answered(200, {"code": "Success", "request_id": request_id})
                if seen.path == "/":
                    return self._controlled(seen, request_id)
                return self._asked(seen, request_id)
            except Refusal as refusal:
                return refused(seen, refusal, request_id)

    def refusing(self, seen: Seen, refusal: Refusal) -> Answered:
        """A refusal on command."""
        return refused(seen, refusal, f"emulated-{next(self._numbers):06d}")

    # -- inside -------------------------------------------------------------------------------------------

    def _controlled(self, seen: Seen, request_id: str) -> Answered:
        self._check_caller(seen)
        query = dict(part.partition("=")[::2] for part in seen.query.split("&"))
        if query.get("Version") != _VERSION or query.get("Action") not in self.control.actions:
            raise Refusal(400, "InvalidActionOrVersion", "the action or its version is unknown")
        result = self.control.actions[query["Action"]](_object(seen))
        return Answered(200, {"ResponseMetadata": _metadata(seen, request_id), "Result": result})

    def _asked(self, seen: Seen, request_id: str) -> Answered:
        if not check_key(seen.headers, self.settings.api_key):
            self._check_caller(seen)
        call = seen.path.removeprefix("/api/vikingdb/")
        if seen.method != "POST" or call not in self.data.calls:
            raise Refusal(404, "InvalidPath", "there is no such path")
        if call == "embedding" and len(seen.body) > _MOST_BYTES:
            raise invalid("the request is larger than 4 MB")
        body = _object(seen)
        self._check_rate(call, body)
        result = self.data.calls[call](body)
        message = "The API call was executed successfully."
        return Answered(
            200, {"code": "Success", "message": message, "request_id": request_id, "result": result}
        )

    def _check_caller(self, seen: Seen) -> None:
        settings = self.settings
        check_signature(
            (seen.method, seen.path, seen.query),
            seen.headers,
            seen.body,
            keys={settings.access_key: settings.secret_key},
            region=settings.region,
            now=settings.now(),
        )

    def _check_rate(self, call: str, body: Mapping[str, Any]) -> None:
        """Refuse a video that comes too early."""
        rate = self.settings.videos_per_second
        carries = "video" in body or any('"value"' in json.dumps(row) for row in body.get("data") or ())
        if rate is None or not carries or call not in ("data/upsert", "data/search/multi_modal", "embedding"):
            return
        now = self.settings.clock()
        if now < self._free - 1e-6:
            raise Refusal(429, "TooManyRequests", "too many videos a second", retry_after=1.0)
        self._free = max(now, self._free) + 1 / rate


def refused(seen: Seen, refusal: Refusal, request_id: str) -> Answered:
    """The answer of a plane that refuses."""
    headers = {} if refusal.retry_after is None else {"Retry-After": f"{refusal.retry_after:g}"}
    if seen.path == "/":
        error = {"Code": refusal.code, "Message": refusal.message}
        return Answered(
            refusal.status, {"ResponseMetadata": {**_metadata(seen, request_id), "Error": error}}, headers
        )
    flat = {"code": refusal.code, "message": refusal.message, "request_id": request_id, "result": None}
    return Answered(refusal.status, flat, headers)


def _metadata(seen: Seen, request_id: str) -> dict[str, Any]:
    action = next((part[7:] for part in seen.query.split("&") if part.startswith("Action=")), "")
    return {
        "Action": action,
        "Region": "cn-beijing",
        "RequestId": request_id,
        "Service": "vikingdb",
        "Version": _VERSION,
    }


def _object(seen: Seen) -> dict[str, Any]:
    if seen.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise invalid("the content type is not application/json")
    try:
        body = json.loads(seen.body)
    except ValueError as error:
        raise invalid("the body is no JSON") from error
    if not isinstance(body, dict):
        raise invalid("the body is no object")
    return body
