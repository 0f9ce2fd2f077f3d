"""Asynchronous tasks: how many run at once, how long they take, and how they are listed."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from .files import Medium, new_id, stamp
from .vectors import Clip, shaped
from .wire import RefusedError, Reply, Request

Span = tuple[float, float]


@dataclass(slots=True)
class Task:
    """One task and what was asked of it."""

    model: str
    medium: Medium
    clip: Clip
    spans: list[tuple[str, Span]]
    options: list[str]
    dimension: int
    details: dict[str, Any]
    seconds: float
    error: str | None = None
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    _made: list[dict[str, Any]] | None = None

    def status(self) -> str:
        """As the service says it."""
        if time.monotonic() - self.began < self.seconds:
            return "processing"
        return "failed" if self.error else "ready"

    def vectors(self) -> list[dict[str, Any]]:
        """Each vector with its option, scope and span, in no order."""
        if self._made is None:
            made = [
                {"vector": shaped(vector, self.dimension), "option": option, "scope": scope, "span": span}
                for scope, span in self.spans
                for option in self.options
                if (vector := self.clip.vector(option, *span)) is not None
            ]
            random.Random(7).shuffle(made)  # always alike: chance would leave them in order now and then
            self._made = made
        return self._made

    def head(self) -> dict[str, Any]:
        """What every answer about it begins with."""
        when = stamp(self.created)
        return {"_id": self.id, "status": self.status(), "created_at": when, "updated_at": when}

    def listed(self, *, sources: bool) -> dict[str, Any]:
        """As the listing shows it; `sources` says whether with its address or file name."""
        shown = {**self.head(), "model_name": self.model}
        told = {**(self.medium.shown if sources else {}), "duration": self.clip.seconds}
        return {**shown, "video_embedding": {"metadata": told}}


class Tasks:
    """The tasks of the account.

    Args:
        seconds: That a task takes.
        at_once: How many may run at once; one more is refused with 429.
        retry_after: What such a refusal says.
    """

    def __init__(self, *, seconds: float = 0.0, at_once: int | None = None, retry_after: str = "1") -> None:
        self.seconds, self.at_once, self.retry_after = seconds, at_once, retry_after
        self.names_sources = True
        self.failing: list[str] = []
        self.all: dict[str, Task] = {}
        self.most = 0
        self._guard = threading.Lock()

    def add(self, task: Task) -> Task:
        """Begin a task."""
        with self._guard:
            running = sum(each.status() == "processing" for each in self.all.values())
            if self.at_once is not None and running >= self.at_once:
                message = "You have exceeded the rate limit. Please try again later."
                raise RefusedError("too_many_requests", message, 429, retryAfter=self.retry_after)
            task.error = self.failing.pop(0) if self.failing else None
            self.all[task.id] = task
            self.most = max(self.most, running + 1)
            return task

    def get(self, id: str) -> Task:
        """A task by its id."""
        with self._guard:
            if id not in self.all:
                raise RefusedError("resource_not_exists", f"The task {id} does not exist.", 404)
            return self.all[id]

    def forget(self, id: str) -> None:
        """Let a task vanish, as after seven days."""
        with self._guard:
            del self.all[id]

    def list(self, request: Request) -> Reply:
        """Newest first; a page past the end is empty, else the SDK would never stop."""
        names = {"started_at", "ended_at", "status", "page", "page_limit"}
        for name in request.query.keys() - names:
            raise RefusedError("parameter_unknown", f"The parameter {name} is unknown.")
        page, size = request.number("page", 1, 1, 10**6), request.number("page_limit", 10, 1, 50)
        after, status = request.query.get("started_at", [""])[-1], request.query.get("status", [""])[-1]
        with self._guard:
            newest = sorted(self.all.values(), key=lambda task: task.began, reverse=True)
        chosen = [task for task in newest if stamp(task.created) >= after and status in ("", task.status())]
        shown = chosen[(page - 1) * size : page * size]
        pages = -(-len(chosen) // size)
        info = {"limit_per_page": size, "page": page, "total_page": pages, "total_results": len(chosen)}
        data = [task.listed(sources=self.names_sources) for task in shown]
        return Reply(200, {"data": data, "page_info": info})
