"""What the service takes and how fast, as data, and waiting for one's turn.

Figures without a remark are those of the vendor's quota page (doc 1478243, 2026-01-27). An account may have
others, so the rates are keys of the configuration.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...core.deadline import time_left
from ...core.errors import ConfigurationError, RateLimitedError
from ...core.media import Modality

MAX_ROWS = 100
"""Rows in one upsert or update of a collection that is handed vectors."""

MAX_VECTORIZED_ROWS = 1
"""Rows in one upsert or update of a collection that vectorizes."""

MAX_IDS = 100
"""Ids in one fetch or deletion."""

MAX_LIMIT = 5000
"""Hits of one search. Pages disagree (5000 or 100000); this is the smaller figure."""

MAX_STRING = 65_535
"""Bytes of a string column (doc 1791154)."""

MAX_ITEMS = 20_000
"""Strings of a list column (doc 1791154)."""

MAX_ITEM = 1024
"""Bytes of a string in a list column (doc 1791154)."""

MAX_VIDEO = 50_000_000
"""Bytes of a video (doc 1791154 says 50 MB; this is the smaller reading of it)."""

VIDEO_ENDINGS = frozenset({".mp4", ".avi", ".mov"})
"""Of the names of videos (doc 1791161: MP4, AVI, MOV)."""

MIN_FPS, MAX_FPS = 0.2, 5.0
"""Frames a second at which a video may be sampled."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The section `[stacks.NAME.store.rates]`: calls are spaced to stay below, so that none is refused.

    Args:
        rows: Written, changed or deleted in a second, in one collection.
        fetches: Rows fetched by id in a second.
        control: Calls of the control plane in a second, of the account.
        videos: Vectorized in a second, of the account.
        images: The same for images.
    """

    rows: float = 1500.0
    fetches: float = 1000.0
    control: float = 50.0
    videos: float = 1.0
    images: float = 15.0

    def __post_init__(self) -> None:
        """Refuse what would never come round.

        Raises:
            ConfigurationError: A rate isn't above 0.
        """
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"rates.{name} is {getattr(self, name)}; it must be above 0")


class Pace:
    """Gives turns at most so often. Threads share it; each waits outside the lock.

    Args:
        rate: Turns in a second.
        clock: Seconds, rising; tests put their own here.
        sleep: Waits for seconds; tests put their own here.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._step = 1.0 / rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free = float("-inf")

    def turn(self, count: int = 1) -> None:
        """Wait until as many turns are due.

        Raises:
            RateLimitedError: They are due after the deadline; nothing was taken.
        """
        with self._lock:
            now = self._clock()
            wait = max(0.0, self._free - now)
            if wait > time_left():
                raise RateLimitedError(f"VikingDB's limits allow the call in {wait:.0f} s", retry_after=wait)
            self._free = max(self._free, now) + count * self._step
        if wait > 0:
            self._sleep(wait)


class Paces:
    """A pace for each rate; the members have the names of `Rates`.

    Args:
        rates: What the account may do.
        make: Makes the pace of a rate.
    """

    def __init__(self, rates: Rates, make: Callable[[float], Pace]) -> None:
        self.rows = make(rates.rows)
        self.fetches = make(rates.fetches)
        self.control = make(rates.control)
        self._media = {Modality.VIDEO: make(rates.videos), Modality.IMAGE: make(rates.images)}

    def vectorizing(self, kinds: Sequence[Modality]) -> None:
        """Wait until the account may vectorize media of these kinds; a text waits for nothing.

        Raises:
            RateLimitedError: It may after the deadline.
        """
        for kind in kinds:
            if kind in self._media:
                self._media[kind].turn()
