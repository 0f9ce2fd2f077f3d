"""OpenStack Swift with its S3 API, for the tests: prints `READY <address>` once it serves; ends on SIGTERM.

The four real servers (account, container, object, proxy) over one folder with one replica, on loopback only.
Users come from `tempauth`; the S3 access key is `account:user`. The disk must have extended attributes.
"""

from __future__ import annotations

import argparse
import configparser
import getpass
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

_KINDS = ("account", "container", "object")
_PIPELINE = (
    "catch_errors cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes proxy-server"
)
_MODULES = {"cache": "memcache"}  # a filter's module, where it has another name
_LIMIT = 60.0  # seconds until all of them must listen


def main() -> int:
    """Run them until one ends or all are told to."""
    wanted = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    folder = wanted.data.resolve()
    if wanted.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    ports = dict(zip((*_KINDS, "proxy"), _free_ports(4), strict=True))
    ports["proxy"] = wanted.port or ports["proxy"]
    _write(folder, wanted, ports)
    with ExitStack() as running:
        servers = [running.enter_context(_Server(kind, folder)) for kind in ports]
        for port in ports.values():
            _await(port, servers)
        print(f"READY {'https' if wanted.cert else 'http'}://127.0.0.1:{ports['proxy']}", flush=True)
        while all(server.runs for server in servers):
            time.sleep(0.2)
    return 1


class _Server:
    """One of the four as a process."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self._folder = folder

    def __enter__(self) -> Self:
        program = Path(sys.executable).with_name(f"swift-{self._kind}-server")
        with (self._folder / f"{self._kind}.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, program, self._folder / f"{self._kind}.conf", "-v"], stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of all data and settings")
    parser.add_argument("--fresh", action="store_true", help="empty the folder first")
    parser.add_argument("--port", type=int, help="a free one when left out")
    parser.add_argument("--access-key", default="test:tester", help="account:user")
    parser.add_argument("--secret-key", default="testing")
    parser.add_argument("--cert", help="serve https with this certificate (PEM)")
    parser.add_argument("--key", help="its private key")
    return parser.parse_args()


def _write(folder: Path, wanted: argparse.Namespace, ports: dict[str, int]) -> None:
    (folder / "devices" / "disk").mkdir(parents=True, exist_ok=True)
    shared = {
        "swift-hash": {"swift_hash_path_prefix": "test", "swift_hash_path_suffix": "test"},
        "storage-policy:0": {"name": "one", "default": "yes"},
    }
    _config(folder / "swift.conf", shared)
    for kind in _KINDS:
        app = {"use": f"egg:swift#{kind}"}
        pipeline = {"pipeline": f"{kind}-server"}
        common = _common(folder, ports[kind])
        _config(
            folder / f"{kind}.conf", {"DEFAULT": common, "pipeline:main": pipeline, f"app:{kind}-server": app}
        )
        _ring(folder, kind, ports[kind])
    _config(folder / "proxy.conf", _proxy(folder, wanted, ports["proxy"]))


def _common(folder: Path, port: int) -> dict[str, str]:
    return {
        "bind_ip": "127.0.0.1",
        "bind_port": str(port),
        "workers": "0",
        "user": getpass.getuser(),
        "swift_dir": str(folder),
        "devices": str(folder / "devices"),
        "mount_check": "false",
        "log_level": "WARNING",
        "log_address": str(folder / "nowhere"),
        "fallocate_reserve": "0",
    }


def _proxy(folder: Path, wanted: argparse.Namespace, port: int) -> dict[str, dict[str, str]]:
    default = _common(folder, port)
    if wanted.cert:
        default |= {
            "cert_file": str(Path(wanted.cert).resolve()),
            "key_file": str(Path(wanted.key).resolve()),
        }
    *filters, app = _PIPELINE.split()
    sections = {
        "DEFAULT": default,
        "pipeline:main": {"pipeline": _PIPELINE},
        **{f"filter:{name}": {"use": f"egg:swift#{_MODULES.get(name, name)}"} for name in filters},
        f"app:{app}": {
            "use": "egg:swift#proxy",
            "allow_account_management": "true",
            "account_autocreate": "true",
        },
    }
    user = f"user_{wanted.access_key.replace(':', '_', 1)}"
    sections["filter:tempauth"][user] = f"{wanted.secret_key} .admin .reseller_admin"
    sections["filter:s3api"]["location"] = "us-east-1"
    sections["filter:versioned_writes"]["allow_versioned_writes"] = "true"
    return sections


def _config(file: Path, sections: dict[str, dict[str, str]]) -> None:
    config = configparser.RawConfigParser()
    config.read_dict(sections)
    with file.open("w") as out:
        config.write(out)


def _ring(folder: Path, kind: str, port: int) -> None:
    """Where the data lies: one replica on the one device."""
    sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]  # else it is this file
    from swift.common.ring import RingBuilder

    builder = RingBuilder(4, 1, 0)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "disk", "meta": "", **place})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_sockets:
        free = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in free:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in free]


def _await(port: int, servers: list[_Server]) -> None:
    end = time.monotonic() + _LIMIT
    while time.monotonic() < end and all(server.runs for server in servers):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("a Swift server doesn't listen; see the logs beside its data")


if __name__ == "__main__":
    sys.exit(main())
