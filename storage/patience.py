"""Clients whose timeouts are fixed when they are made, and yet fit the deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ..core.deadline import time_left

C = TypeVar("C")
_SHORTEST = 0.25  # seconds that a call may take, however little time is left


class Patient(Generic[C]):
    """Makes clients when they are needed, one at a time, since only made ones may be shared by threads.

    With little time left until the deadline a call gets a client with shorter timeouts: half of the patience,
    a quarter, and so on.

    Args:
        patience: Seconds without a sign of the server before it counts as gone.
        make: A client with such timeouts.
        end: Lets go of a client's connections.
    """

    def __init__(self, patience: float, make: Callable[[float], C], end: Callable[[C], None]) -> None:
        self._patience = patience
        self._make = make
        self._end = end
        self._lock = threading.Lock()
        self._made: dict[float, C] = {}

    def get(self) -> C:
        """The client whose timeouts the deadline allows."""
        patience = self._patience
        while patience > max(time_left(), _SHORTEST):
            patience /= 2
        with self._lock:
            if patience not in self._made:
                self._made[patience] = self._make(patience)
            return self._made[patience]

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""
        with self._lock:
            made, self._made = self._made, {}
        for client in made.values():
            self._end(client)
