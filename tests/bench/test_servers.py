"""Memory and disk as the system tells them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from polyreel.bench.servers import Server, family, memory, size, sizes

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1 << 20


def test_holes_and_links_take_no_room_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "full").write_bytes(os.urandom(2 * _MIB))
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(50 * _MIB)
    (tmp_path / "link").symlink_to(tmp_path / "full")
    assert 1.9 < size(tmp_path) < 2.5


def test_a_server_takes_what_its_folders_have_grown_by(tmp_path: Path) -> None:
    log, data = tmp_path / "data" / "log", tmp_path / "data" / "rows"
    log.mkdir(parents=True)
    (log / "before").write_bytes(os.urandom(3 * _MIB))
    server = Server("", os.getpid(), tmp_path, sizes(tmp_path))
    assert server.disk() == 0
    (log / "before").unlink()
    data.mkdir()
    (data / "rows").write_bytes(os.urandom(2 * _MIB))
    assert 1.9 < server.disk() < 2.5


def test_memory_is_that_of_the_whole_family() -> None:
    own = memory()
    assert own is not None
    assert own[0] > own[1] > 1
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(family(os.getpid()))
        child.communicate(b"\n")
    assert memory(2**22 + 1) is None
