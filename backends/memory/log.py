"""An append-only log of one collection: what a store in memory writes so that a folder keeps it.

A log is a row of entries, one for each batch: a mark, the length and CRC-32 of the payload, the payload. That
is one line of JSON and raw bytes after it. An entry is written by one system call, so a killed process leaves
whole entries and at most one torn one at the end, which nobody was told of: reading cuts it off. Damage with
whole entries behind it is no torn write but a broken disk or a stranger's hand, and is refused.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from struct import Struct
from typing import Any

from ...core.errors import IntegrityError
from ...core.fields import Column, Schema, Value, from_column, to_column
from ...core.locks import replacing
from ...core.records import Channel, Record, Scope, Text
from ...core.requests import Patch

Entry = tuple[Mapping[str, Any], bytes]
"""A JSON object, and bytes that aren't worth writing as JSON."""

_HEAD = Struct("<4sII")  # mark, length of the payload, its CRC-32
_MARK = b"\x89PR1"  # no UTF-8 text holds it; the digit is the version of the format
_LOGGER = logging.getLogger(__name__)


class Log:
    """One log file, open for appending. The caller holds the folder's lock.

    Args:
        path: A file that `create` made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = os.open(path, os.O_RDWR | os.O_APPEND)

    @classmethod
    def create(cls, path: Path, entries: Iterable[Entry]) -> Log:
        """Write a new log, whole and safe from a loss of power, in place of any old one."""
        with replacing(path) as stream:
            for entry in entries:
                stream.write(_packed(entry))
        return cls(path)

    def read(self) -> Iterator[Entry]:
        """Every entry from the beginning; a torn tail is cut off the file, and reported by logging.

        Raises:
            IntegrityError: An entry is damaged, and whole ones follow it.
        """
        size = os.fstat(self._open).st_size
        if not size:
            return
        with mmap.mmap(self._open, size, access=mmap.ACCESS_READ) as data:
            at = 0
            while (payload := _payload_at(data, at)) is not None:
                yield _unpacked(payload)
                at += _HEAD.size + len(payload)
            self._refuse_damage(data, at)
        if at < size:
            os.ftruncate(self._open, at)
            _LOGGER.warning("%s: cut off %d bytes of a write that was never finished", self.path, size - at)

    def append(self, entry: Entry) -> None:
        """Write one entry whole, or nothing of it; afterwards it survives the end of the process."""
        size = os.fstat(self._open).st_size
        rest = memoryview(_packed(entry))
        try:
            while rest:  # the system takes 2 GiB at once at most
                rest = rest[os.write(self._open, rest) :]
        except BaseException:
            os.ftruncate(self._open, size)
            raise

    def flush(self) -> None:
        """Make every entry survive a loss of power."""
        os.fsync(self._open)

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    @property
    def _open(self) -> int:
        assert self._file is not None, "the log is closed"
        return self._file

    def _refuse_damage(self, data: mmap.mmap, at: int) -> None:
        """Refuse when a whole entry lies behind this offset, which begins none."""
        later = data.find(_MARK, at + 1)
        while later >= 0:
            if _payload_at(data, later) is not None:
                raise IntegrityError(
                    f"the log {self.path} is damaged from byte {at} to {later}, with good entries after it",
                    hint=f"put a backup in its place, or keep what is before the damage: "
                    f"truncate -s {at} '{self.path}'",
                )
            later = data.find(_MARK, later + 1)


def _packed(entry: Entry) -> bytes:
    head, blob = entry
    payload = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" + blob
    return _HEAD.pack(_MARK, len(payload), zlib.crc32(payload)) + payload


def _payload_at(data: mmap.mmap, at: int) -> bytes | None:
    """The payload of the entry that begins at this offset; None where no whole one does."""
    head = data[at : at + _HEAD.size]
    if len(head) < _HEAD.size:
        return None
    mark, length, checksum = _HEAD.unpack(head)
    start = at + _HEAD.size
    if mark != _MARK or start + length > len(data):
        return None
    payload = data[start : start + length]
    return payload if zlib.crc32(payload) == checksum else None


def _unpacked(payload: bytes) -> Entry:
    line, _, blob = payload.partition(b"\n")
    return json.loads(line), blob


def record_to_json(record: Record, schema: Schema) -> dict[str, Any]:
    """Everything but the vector."""
    return {
        "id": record.id,
        "video_id": record.video_id,
        "uri": record.uri,
        "scope": record.scope.value,
        "start_ms": record.start_ms,
        "end_ms": record.end_ms,
        "channel": record.channel.value,
        "recipe": record.recipe,
        "text": record.text.to_json(),
        "fields": _columns(record.fields, schema),
        "extra": dict(record.extra),
    }


def record_from_json(row: Mapping[str, Any], schema: Schema) -> Record:
    """The opposite of `record_to_json`."""
    typed = {
        "scope": Scope(row["scope"]),
        "channel": Channel(row["channel"]),
        "text": Text.from_json(row["text"]),
        "fields": _values(row["fields"], schema),
    }
    return Record(**{**row, **typed})


def patch_to_json(patch: Patch, schema: Schema) -> dict[str, Any]:
    """Only what the patch changes."""
    parts = {
        "fields": _columns(patch.fields, schema) if patch.fields is not None else None,
        "extra": patch.extra,
        "text": patch.text.to_json() if patch.text is not None else None,
        "uri": patch.uri,
    }
    return {name: part for name, part in parts.items() if part is not None}


def patch_from_json(parts: Mapping[str, Any], schema: Schema) -> Patch:
    """The opposite of `patch_to_json`."""
    return Patch(
        fields=_values(parts["fields"], schema) if "fields" in parts else None,
        extra=parts.get("extra"),
        text=Text.from_json(parts["text"]) if "text" in parts else None,
        uri=parts.get("uri"),
    )


def _columns(fields: Mapping[str, object], schema: Schema) -> dict[str, Column]:
    return {name: to_column(schema[name], value) for name, value in fields.items()}


def _values(columns: Mapping[str, object], schema: Schema) -> dict[str, Value]:
    return {name: from_column(schema[name], column) for name, column in columns.items()}
