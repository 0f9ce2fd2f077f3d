"""Serving the emulator on a free port of 127.0.0.1."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..faults import Fault
from .emulator import Answered, Emulator, Seen, Settings
from .refusal import Refusal


@contextmanager
def emulating(settings: Settings | None = None) -> Iterator[Emulator]:
    """An emulator at `emulator.url`, for as long as the context lasts."""
    emulator = Emulator(settings or Settings())
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 30

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, path, query, headers, body)
            fault = emulator.faults.next(self.path)
            answered = _answered(emulator, seen, fault)
            if fault is not None:
                stopped.wait(fault.hang)
            with suppress(ConnectionError, socket.timeout):  # a caller that has waited too long is gone
                self._send(answered, fault or Fault())

        def _send(self, answered: Answered, fault: Fault) -> None:
            if fault.cut:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            content = json.dumps(answered.body, ensure_ascii=False).encode()
            content = content[: len(content) // 2] if fault.truncate else content
            lines = [f"HTTP/1.1 {answered.status} {HTTPStatus(answered.status).phrase}"]
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
            lines += [f"{name}: {value}" for name, value in answered.headers.items()]
            head = "\r\n".join(lines) + "\r\n\r\n"
            self.wfile.write(head.encode() + content)  # in one piece, which a small answer needs to be quick

        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        emulator.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield emulator
        finally:
            stopped.set()
            server.shutdown()
            thread.join()


def _answered(emulator: Emulator, seen: Seen, fault: Fault | None) -> Answered:
    if fault is None or fault.truncate or fault.applied or not (fault.status or fault.cut or fault.hang):
        answered = emulator.answer(seen)
        if fault is None or not fault.status:
            return answered
    refusal = Refusal(fault.status or 500, fault.code, "on command", retry_after=fault.retry_after)
    return emulator.refusing(seen, refusal)
