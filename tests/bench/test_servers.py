"""Servers of the benchmark: they end with it; memory and disk are told as the system tells them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polyreel.bench.servers import Server, family, memory, size, sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB = 1 << 20
_TOOLS = Path(__file__).resolve().parents[2] / "tools"
_PACKAGE = """
import subprocess, sys
from pathlib import Path

SERVES = '''
import http.server, sys

class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"OK")

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever()
'''

class MilvusServerConfig:
    def __init__(self, data_dir, proxy_port, **ports):
        self.base_data_dir, self.port = data_dir, proxy_port

    def get(self, name):
        return self.port

    def set(self, name, value):
        pass

class MilvusServer:
    def __init__(self, config, wait_for_started):
        self.config, self.server_proc = config, None

    def start(self):
        log = Path(self.config.base_data_dir, "log").open("w")
        command = [sys.executable, "-c", SERVES, str(self.webservice_port)]
        self.server_proc = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self):
        pass
"""
"""What the script takes of the package `milvus`, with a server that only says it is healthy."""
_BENCHMARK = """
import sys, time
from pathlib import Path
from polyreel.bench import servers
from polyreel.cli.stopping import stoppable

servers._ROOT = Path(sys.argv[1])
with stoppable("the turn in flight"), servers.serving("milvus") as server:
    print(server.folder, *servers.family(server.pid), flush=True)
    if sys.argv[2] == "waits":
        time.sleep(60)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the script that starts Milvus, and a package for it that starts something small."""
    made = tmp_path / ".servers" / "milvus"
    venv.create(made, symlinks=True)
    (packages,) = made.glob("lib/*/site-packages")
    (packages / "milvus.py").write_text(_PACKAGE)
    (tmp_path / "tools").symlink_to(_TOOLS)
    return tmp_path


@contextmanager
def benchmark(root: Path, does: str = "waits") -> Iterator[tuple[subprocess.Popen[str], Path, list[int]]]:
    """A process with a server: the process, the server's folder and its processes."""
    command = [sys.executable, "-P", "-c", _BENCHMARK, str(root), does]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        folder, *pids = process.stdout.readline().split()
        assert len(pids) >= 2  # the script and what it started
        try:
            yield process, Path(folder), [int(pid) for pid in pids]
        finally:
            process.kill()


def ended(pids: list[int], folder: Path, *, seconds: float = 30.0) -> bool:
    """Whether processes end and the folder goes, in less than so many seconds."""
    end = time.monotonic() + seconds
    while any(map(memory, pids)) or folder.exists():
        if time.monotonic() > end:
            for pid in filter(memory, pids):
                os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
def test_a_server_ends_with_the_context(root: Path) -> None:
    with benchmark(root, "goes on") as (process, folder, pids):
        assert process.wait(30) == 0
        assert ended(pids, folder, seconds=0.0)  # before the context does


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_no_server(root: Path) -> None:
    with benchmark(root) as (process, folder, pids):
        assert all(map(memory, pids))
        assert folder.exists()
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        while "press again to stop at once" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert ended(pids, folder)


@pytest.mark.slow
def test_kill_9_of_the_benchmark_leaves_no_server(root: Path) -> None:
    with benchmark(root) as (process, folder, pids):
        process.kill()
        assert ended(pids, folder)


@pytest.mark.slow
def test_what_a_test_starts_ends_by_a_signal_and_heeds_no_standard_input(root: Path, tmp_path: Path) -> None:
    python, data = root / ".servers" / "milvus" / "bin" / "python", tmp_path / "data"
    command = [str(python), "-P", "tools/servers/milvus.py", "--data", str(data)]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stdin=nothing, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("READY http://localhost:")
        pids = family(process.pid)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()
        assert process.wait(30) == 0
    assert not any(map(memory, pids))
    assert data.exists()


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
