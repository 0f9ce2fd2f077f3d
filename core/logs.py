"""Logs without secrets, and what every shown message goes through.

A library user gets the standard logger `polyreel` and nothing else. The command line writes a file if asked.
What is masked stands in `core.masking`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from .errors import ConfigurationError
from .masking import Redactor

LOGGER = logging.getLogger("polyreel")
LOGGER.addHandler(logging.NullHandler())  # a library prints nothing unless the program wants it
LEVELS = ("debug", "info", "warning", "error")


@contextmanager
def logged(
    file: Path | None = None, level: str = "info", redactor: Redactor | None = None
) -> Iterator[Redactor]:
    """Log to a file for as long as the context lasts; without a file only secrets are collected.

    Args:
        file: JSON lines; put aside at 10 MB, with 5 older ones kept.
        level: One of `LEVELS`; tracebacks come with `debug` only.
        redactor: Learns the secrets; one of its own when left out.

    Raises:
        ConfigurationError: The file can't be written, or the level is none of `LEVELS`.
    """
    if level not in LEVELS:
        raise ConfigurationError(f"the log level is {level!r}", hint=f"choose {', '.join(LEVELS)}")
    handlers: list[logging.Handler] = [collector := _Collector(redactor or Redactor())]
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

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(sys.stderr)
        self.redactor = redactor
        self.setLevel(logging.WARNING)
        self.addFilter(lambda record: record.name != LOGGER.name)

    def format(self, record: logging.LogRecord) -> str:
        """One line, as every message of the command line."""
        return f"{record.levelname.lower()}: {self.redactor(record.getMessage())}"
