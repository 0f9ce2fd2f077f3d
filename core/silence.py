"""Keeping presigned addresses out of the log of the HTTP library, which writes whole URLs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")
_OURS: ContextVar[bool] = ContextVar("polyreel_silence", default=False)


class _Silence(logging.Filter):
    """Drops what is logged while one of our calls runs; other users of the library are heard."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _OURS.get()


_SILENCE = _Silence()


@contextmanager
def silence() -> Iterator[None]:
    """Let httpx log nothing of the calls inside."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_SILENCE)  # a second time changes nothing
    token = _OURS.set(True)
    try:
        yield
    finally:
        _OURS.reset(token)
