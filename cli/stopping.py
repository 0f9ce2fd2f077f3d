"""Ctrl-C in long work: the first lets what is in flight finish, the second ends the process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.running import Stop

EXIT_CODE = 130  # as shells have it for a command that SIGINT ended

_SHOW_CURSOR = b"\x1b[?25h"  # the progress bar hides it


@contextmanager
def stoppable(finishing: str | None = None) -> Iterator[Stop]:
    """A stop that ctrl-C asks. Signals are the main thread's; in any other they stay as they are.

    Args:
        finishing: What is in flight then, in words; the number of videos when left out.
    """
    from ..core.running import Stop  # here: the help of commands needs no threads

    stop = Stop()

    def heard(_signal: int, _frame: FrameType | None) -> None:
        if stop.asked:
            _tell(_SHOW_CURSOR if sys.stderr.isatty() else b"")
            os._exit(EXIT_CODE)  # what was committed stays, and the next run goes on from there
        stop.ask()
        count = stop.in_flight
        what = finishing or f"{count} video{'s' * (count != 1)}"
        _tell(f"\nfinishing {what}; press again to stop at once\n".encode())

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, heard)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(words: bytes) -> None:
    """Write to stderr past its buffer, which a signal may find half written."""
    os.write(2, words)
