"""What a lock tells of its holder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import LockedError
from polyreel.core.locks import FolderLock

if TYPE_CHECKING:
    from pathlib import Path


def test_the_holders_command_is_kept_and_told_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["polyreel", "ingest", "https://me:hunter2@host/a.mp4?sig=5ec7e7" + "x" * 200, "--json"]
    monkeypatch.setattr(sys, "orig_argv", command)
    lock = FolderLock(tmp_path, what="the collection")
    lock.acquire()
    try:
        with pytest.raises(LockedError) as caught:
            FolderLock(tmp_path, what="the collection").acquire()
        kept = "".join(file.read_text() for file in tmp_path.iterdir())
    finally:
        lock.release()
    for text in (str(caught.value), kept):
        assert "polyreel ingest https://***@host/a.mp4?*** --json" in text
