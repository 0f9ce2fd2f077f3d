"""Run a real Milvus 2.3.5 for tests: the standalone server of the package `milvus`, all in one process.

    .servers/milvus/bin/python -P tools/servers/milvus.py --data F [--fast] [--auth] [--cert C --key K]

It prints `READY <address>` once it serves, and ends on SIGTERM or SIGINT. With `--auth` the token is
`root:Milvus`. With `--with-stdin` it also ends, and its folder goes, when standard input does: a pipe that
the starter holds ends with the starter, whatever ended that.

The package alone would unpack 450 MB into each data folder, so the programs are shared by a link; its etcd
would take ports 2379 and 2380 whatever it is told, so etcd gets a file of its own; and its starter goes on
waiting when the server has died, so we look ourselves. A second start on the same folder waits for the lease
of the first one, 20 seconds or more: `--fresh` empties the folder.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from milvus import MilvusServer, MilvusServerConfig

PROGRAMS = Path(sys.prefix) / "milvus-programs"
PORTS = (
    "etcd_port",
    "root_coord_port",
    "proxy_internal_port",
    "query_coord_port",
    "query_node_port",
    "index_coord_port",
    "index_node_port",
    "data_coord_port",
    "data_node_port",
)
ETCD = """\
name: default
data-dir: {folder}
listen-client-urls: http://127.0.0.1:{client}
advertise-client-urls: http://127.0.0.1:{client}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: default=http://127.0.0.1:{peer}
"""


def main() -> None:
    """Start the server, say where it is, and stay until it ends or is ended."""
    options = parsed()
    ending = Ending(with_stdin=options.with_stdin)
    server = configured(options)
    try:
        with unpacking():
            server.start()
        wait_until_healthy(server, options.wait, ending)
        scheme = "https" if options.cert else "http"
        print(f"READY {scheme}://localhost:{server.config.get('proxy_port')}", flush=True)
        while server.server_proc.poll() is None:
            if ending.asked(within=0.2):
                return
        sys.exit(f"Milvus ended with {server.server_proc.wait()}; see {options.data}/logs")
    finally:
        stop(server, options.stop_wait)
        if options.with_stdin:
            shutil.rmtree(options.data, ignore_errors=True)


class Ending:
    """Whether this program was told to end; asked for, so that no start or stop is broken off halfway."""

    def __init__(self, *, with_stdin: bool) -> None:
        self._watched = [sys.stdin.fileno()] if with_stdin else []
        self._signalled = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signal)

    def _signal(self, *_: object) -> None:
        self._signalled = True

    def asked(self, *, within: float) -> bool:
        """By a signal, or by the end of standard input; waits up to so many seconds for it."""
        readable = select.select(self._watched, [], [], within)[0]
        return self._signalled or any(not os.read(each, 4096) for each in readable)


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=lambda path: Path(path).absolute(), required=True, help="folder of its data and logs"
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--auth", action="store_true", help="ask for a token: root:Milvus")
    parser.add_argument("--cert", type=Path, help="TLS: the certificate")
    parser.add_argument("--key", type=Path, help="TLS: its key")
    parser.add_argument(
        "--fast", action="store_true", help="time ticks of 20 ms: strong reads don't take 200"
    )
    parser.add_argument("--fresh", action="store_true", help="empty the folder first")
    parser.add_argument(
        "--with-stdin", action="store_true", help="end, and delete the folder, when standard input ends"
    )
    parser.add_argument("--wait", type=float, default=80.0, help="seconds until it must be healthy")
    parser.add_argument(
        "--stop-wait", type=float, default=1.0, help="seconds for a clean stop, which takes 17 to 31"
    )
    return parser.parse_args()


def configured(options: argparse.Namespace) -> MilvusServer:
    """A server that is not started yet, all of whose ports are free ones."""
    data = options.data
    if options.fresh:
        shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, exist_ok=True)
    share_programs(data)
    *inner, peer, web, port = free_ports(len(PORTS) + 3)
    ports = dict(zip(PORTS, inner, strict=True))
    config = MilvusServerConfig(data_dir=str(data), proxy_port=options.port or port, **ports)
    etcd = data / "etcd.yaml"
    etcd.write_text(ETCD.format(folder=data / "etcd.data", client=ports["etcd_port"], peer=peer))
    os.environ["ETCD_CONFIG_PATH"] = str(etcd)
    server = MilvusServer(config, wait_for_started=False)
    server.webservice_port = web
    configure(config, options)
    return server


def configure(config: MilvusServerConfig, options: argparse.Namespace) -> None:
    """Logins, TLS, and shorter waits."""
    if options.auth:
        config.set("authorization_enabled", True)  # noqa: FBT003 - the package's own signature
    if options.cert:
        config.set("tls_mode", 1)
        config.set("server_pem_path", str(options.cert.absolute()))
        config.set("server_key_path", str(options.key.absolute()))
    if options.fast:
        config.set("proxy.timeTickInterval", 20)
        config.set("common.session.ttl", 5)


def share_programs(data: Path) -> None:
    """One folder of unpacked programs for all data folders."""
    PROGRAMS.mkdir(exist_ok=True)
    link = data / "bin"
    if not link.is_symlink():
        link.symlink_to(PROGRAMS)


@contextmanager
def unpacking() -> Iterator[None]:
    """One start at a time: the first on a machine unpacks the programs, and the next must find them whole."""
    with (PROGRAMS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_ports(count: int) -> list[int]:
    """Ports that nobody has; all are held together until the last is known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until_healthy(server: MilvusServer, seconds: float, ending: Ending) -> None:
    """Return once it serves; end this program when it doesn't."""
    end = time.monotonic() + seconds
    while not healthy(server.webservice_port):
        if server.server_proc.poll() is not None or time.monotonic() > end:
            sys.exit(f"Milvus did not start; see {server.config.base_data_dir}/logs")
        if ending.asked(within=0.1):
            sys.exit(0)


def healthy(port: int) -> bool:
    """Whether it says that it is."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return b"OK" in answer.read()
    except OSError:
        return False


def stop(server: MilvusServer, seconds: float) -> None:
    """End the server, in good order only when that is quick: the folder is of no more use."""
    process = server.server_proc
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    server.stop()


if __name__ == "__main__":
    main()
