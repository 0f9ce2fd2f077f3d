"""The log file: JSON lines without secrets, in a file that rotates."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from .errors import ConfigurationError
from .masking import MASK, Redactor, is_secret_name

BYTES = 10_000_000
"""Size at which a log file is put aside."""
KEPT = 5
"""How many older files stay."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def file_handler(file: Path, level: str, redactor: Redactor) -> logging.Handler:
    """A handler that writes to a file.

    Raises:
        ConfigurationError: The file can't be written.
    """
    try:
        handler = _LogFile(file.expanduser())
    except OSError as error:
        raise ConfigurationError(f"the log file {file} can't be written: {error.strerror}") from error
    handler.setFormatter(JsonLines(redactor, traceback=level == "debug"))
    return handler


class JsonLines(logging.Formatter):
    """One JSON object a record: time (UTC), level, logger, event, extra values, and the chain of errors."""

    def __init__(self, redactor: Redactor, *, traceback: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._traceback = traceback

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1]:
            line["error"] = list(_chain(record.exc_info[1]))
            if self._traceback:
                line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(_clean(line, self._redactor), ensure_ascii=False, allow_nan=False)


class _LogFile(RotatingFileHandler):
    """A log file; a record that can't be written is told on stderr once, and the work goes on."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=BYTES, backupCount=KEPT, encoding="utf-8", errors="backslashreplace")
        self._told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """Say once that the log is not complete."""
        if not self._told:
            self._told = True
            sys.stderr.write(f"the log file {self.baseFilename} can't be written: {sys.exc_info()[1]}\n")


def _chain(error: BaseException | None) -> Iterator[str]:
    """An error and what it came from, each once and with its kind, in one line."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{type(error).__name__}: {' '.join(str(error).split())}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _clean(value: object, redactor: Redactor) -> object:
    """A value as JSON has it, without secrets, without bytes, and without numbers that JSON lacks."""
    if isinstance(value, dict):
        return {redactor(str(name)): _named(str(name), each, redactor) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each, redactor) for each in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    return value if isinstance(value, int | float) or value is None else redactor(str(value))


def _named(name: str, value: object, redactor: Redactor) -> object:
    """The value behind a name, which may say that it is a secret."""
    hidden = is_secret_name(name) and value is not None and not isinstance(value, bool)
    return MASK if hidden else _clean(value, redactor)
