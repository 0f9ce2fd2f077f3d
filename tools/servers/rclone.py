"""rclone's S3 server on a folder, for the tests: prints `READY <address>` once it serves; ends on SIGTERM."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_RCLONE = Path(sys.executable).with_name("rclone")  # the wheel brings it


def main() -> int:
    """Run it until it ends or is told to."""
    wanted = _arguments()
    if wanted.fresh:
        shutil.rmtree(wanted.data, ignore_errors=True)
    wanted.data.mkdir(parents=True, exist_ok=True)
    port = wanted.port or _free_port()
    address = f"127.0.0.1:{port}"
    command = [
        _RCLONE,
        "serve",
        "s3",
        "--addr",
        address,
        "--auth-key",
        f"{wanted.access_key},{wanted.secret_key}",
    ]
    if wanted.cert:
        command += ["--cert", wanted.cert, "--key", wanted.key]
    environment = {**os.environ, "RCLONE_CONFIG": os.devnull}
    with subprocess.Popen([*command, wanted.data], env=environment, stdout=sys.stderr) as server:
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        signal.signal(signal.SIGINT, lambda *_: server.terminate())
        if _listens(port, server):
            print(f"READY {'https' if wanted.cert else 'http'}://{address}", flush=True)
        return server.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder; a bucket is a folder in it")
    parser.add_argument("--fresh", action="store_true", help="empty the folder first")
    parser.add_argument("--port", type=int, help="a free one when left out")
    parser.add_argument("--access-key", default="test-access")
    parser.add_argument("--secret-key", default="test-secret")
    parser.add_argument("--cert", help="serve https with this certificate (PEM)")
    parser.add_argument("--key", help="its private key")
    return parser.parse_args()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _listens(port: int, server: subprocess.Popen[bytes], *, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    server.terminate()
    return False


if __name__ == "__main__":
    sys.exit(main())
