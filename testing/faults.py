"""Faults on command: an answer that isn't a success, a long silence, a cut connection, half an answer."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of one request.

    Args:
        status: Answered instead; 0 answers as usual.
        code: With it.
        retry_after: Seconds in the header `Retry-After`.
        hang: Seconds of silence before the answer.
        cut: Close the connection instead of answering.
        truncate: Send half of the JSON as if it were all.
        applied: Do what was asked first, so that only the answer is lost; always so for `truncate`.
    """

    status: int = 0
    code: str = "InternalError"
    retry_after: float | None = None
    hang: float = 0.0
    cut: bool = False
    truncate: bool = False
    applied: bool = False


class Faults:
    """Faults that wait for a request, by a part of its path or its action."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Fault | None]] = {}
        self._lock = threading.Lock()

    def plan(self, part: str, *faults: Fault | None) -> None:
        """Let the next requests that have the part in their target meet these, in turn; None is no fault."""
        with self._lock:
            self._waiting.setdefault(part, deque()).extend(faults)

    def next(self, target: str) -> Fault | None:
        """What the request meets."""
        with self._lock:
            for part, waiting in self._waiting.items():
                if part in target and waiting:
                    return waiting.popleft()
        return None

    @property
    def left(self) -> int:
        """How many are still waiting."""
        with self._lock:
            return sum(map(len, self._waiting.values()))
