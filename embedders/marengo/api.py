"""What both versions of the TwelveLabs API are asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from ...core.addresses import same_file
from ...core.embedder import Embedded
from ...core.media import Media
from ...core.orders import Failed, Order, Pending, Segments, Ticket

_SLACK = 60.0  # seconds by which two clocks may differ
_MOMENTARY = ("temporarily unstable", "please try again later")


class Api(Protocol):
    """One version of the API, for one model. Each call is one request, or raises the SDK's errors."""

    def query(self, parts: Sequence[Media]) -> Embedded:
        """The vector of parts that the model joins."""

    def uploads(self, order: Order) -> bool:
        """Whether the file must be brought there before `submit`."""

    def submit(self, order: Order, name: str) -> str | None:
        """Start a task; returns its id. `name` is what to call the file."""

    def tasks(self, since: float) -> Iterable[Any]:
        """The tasks since then, the newest first."""

    def collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        """One look at a task."""


def same_task(task: Any, order: Order, *, name: str, model: str, since: float) -> bool:
    """Whether a listed task is that of an order: by the address or the name of its file, never by a guess."""
    details = getattr(task.video_embedding, "metadata", None)
    if details is None or task.status == "failed" or task.model_name not in (None, model):
        return False
    if task.created_at is not None and task.created_at.timestamp() < since - _SLACK:
        return False
    url = getattr(details, "input_url", None)
    if url and order.video.uri and same_file(url) == same_file(order.video.uri):
        return True
    return bool(getattr(details, "input_filename", None) == name)


def stamp(since: float) -> str:
    """A time as the listing takes it (RFC 3339), a little earlier since clocks differ."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since - _SLACK))


def failed(reason: str | None) -> Failed:
    """A task that ended without a result; some reasons pass."""
    words = " ".join((reason or "no reason is given").split())[:300]
    return Failed(words, again=any(each in words.lower() for each in _MOMENTARY))
