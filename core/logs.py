"""Logs without secrets, and what every shown message goes through.

A library user gets the standard logger `polyreel` and nothing else. The command line writes a file if asked.
Masked are the secrets of the configuration, credentials and queries of addresses (a presigned one is as good
as a key), and headers that authorize.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOGGER = logging.getLogger("polyreel")
LOGGER.addHandler(logging.NullHandler())  # a library prints nothing unless the program wants it
MASK = "***"
LEVELS = ("debug", "info", "warning", "error")
_SHORTEST = 4  # a known secret of fewer characters would tear up every text
_RULES = (
    # https://user:password@host/path?query#fragment
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#@\"'<>]*@", re.IGNORECASE), rf"\1{MASK}@"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#\"'<>]*)[?#][^\s\"'<>]*", re.IGNORECASE), rf"\1?{MASK}"),
    # Authorization: Bearer ..., "x-api-key": "...", secret_key=...
    (re.compile(r"((?:authorization|cookie)[\"']?\s*[:=]\s*)[^\r\n]*", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(
            r"(\b[\w-]*(?:signature|token|secret|password|credential|(?:api|access)[_-]?key)[\w-]*"
            r"[\"']?\s*[:=]\s*)(?:\"[^\"\r\n]*\"?|'[^'\r\n]*'?|[^\s,;&\"')}\]]+)",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
)


class Redactor:
    """Masks what must not be shown."""

    def __init__(self) -> None:
        self._known: tuple[str, ...] = ()

    def learn(self, secret: str) -> None:
        """Mask this text from now on, wherever it stands."""
        if len(secret) >= _SHORTEST:
            self._known = tuple(sorted({*self._known, secret}, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        for pattern, masked in _RULES:
            text = pattern.sub(masked, text)
        return text


@contextmanager
def logged(file: Path | None = None, level: str = "info") -> Iterator[Redactor]:
    """Log to a file for as long as the context lasts; without a file only secrets are collected.

    Args:
        file: JSON lines; put aside at 10 MB, with 5 older ones kept.
        level: One of `LEVELS`; tracebacks come with `debug` only.

    Raises:
        ConfigurationError: The file can't be written.
    """
    handlers: list[logging.Handler] = [collector := _Collector()]
    if file is not None:
        from .logfile import file_handler  # here, since most runs write none

        handlers.append(file_handler(file, level, collector.redactor))
    before = LOGGER.level
    LOGGER.setLevel(level.upper() if file is not None else before)
    for handler in handlers:
        LOGGER.addHandler(handler)
    try:
        yield collector.redactor
    finally:
        LOGGER.setLevel(before)
        for handler in handlers:
            LOGGER.removeHandler(handler)
            handler.close()


def redacted(text: object) -> str:
    """A text as it may be shown: without the secrets that are known, and without signed addresses."""
    known = [handler.redactor for handler in LOGGER.handlers if isinstance(handler, _Collector)]
    shown = str(text)
    for redactor in known or [Redactor()]:
        shown = redactor(shown)
    return shown


def conceal(secret: str) -> None:
    """Tell every log in force that this text must not be shown."""
    for handler in LOGGER.handlers:
        if isinstance(handler, _Collector):
            handler.redactor.learn(secret)


class _Collector(logging.StreamHandler[TextIO]):
    """Knows the secrets, and tells a person what a store warns of; events are for the file."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.redactor = Redactor()
        self.setLevel(logging.WARNING)
        self.addFilter(lambda record: record.name != LOGGER.name)

    def format(self, record: logging.LogRecord) -> str:
        """One line, as every message of the command line."""
        return f"{record.levelname.lower()}: {self.redactor(record.getMessage())}"
