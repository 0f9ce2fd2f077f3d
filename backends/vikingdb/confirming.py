"""Rows that were written, and waiting until the index shows them as the collection holds them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

from ...core.deadline import poll
from ...core.errors import RetryableError
from .reading import parts

Late = Callable[[Sequence[str]], set[str]]
"""One look at rows: those of which the index shows an older state."""


class Unconfirmed:
    """The rows that this process wrote and hasn't seen in the index yet. Threads share it.

    Args:
        pause: Seconds before the index is looked at again; a tenth at first, growing to twice that.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._lock = threading.Lock()
        self._ids: set[str] = set()

    def add(self, ids: Collection[str]) -> None:
        """Rows that are about to be written, which counts even where the reply is lost."""
        with self._lock:
            self._ids.update(ids)

    def ids(self) -> set[str]:
        """All of them."""
        with self._lock:
            return set(self._ids)

    def confirm(self, ids: set[str], late: Late, *, name: str, timeout: float) -> None:
        """Return once the index shows what the collection holds of these rows.

        Args:
            ids: Of the rows.
            late: Looks at them; what may work later is tried again, as long as there is time.
            name: Of the collection, for messages.
            timeout: Seconds.

        Raises:
            UnavailableError: It doesn't within the time.
        """
        left = set(ids)

        def caught_up() -> bool:
            try:
                for part in parts(sorted(left)):
                    left.difference_update(set(part) - late(part))
            except RetryableError:
                return False  # to be asked again, as long as there is time
            return not left

        what = f"the index of {name!r}, which doesn't show all of {len(ids)} written rows,"
        poll(caught_up, what=what, timeout=timeout, first=self._pause / 10, cap=self._pause * 2)
        with self._lock:
            self._ids -= ids
