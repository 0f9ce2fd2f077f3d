"""The emulator as a web server on 127.0.0.1."""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from .embedding import Embedding
from .faults import Fault, Faults
from .files import Files
from .legacy import Legacy
from .tasks import Tasks
from .vectors import Seen
from .wire import RefusedError, Reply, Request, error_body

Route = Callable[[Request, re.Match[str]], Reply]
_ID = r"(?P<id>[0-9a-f]{24})"


class _Key:
    """A key that shows itself to nobody, as an adapter wants it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value


class Emulator:
    """One account of the emulated service.

    Args:
        task_seconds: That a task takes.
        at_once: Tasks that may run at once; one more is refused with 429.
        asset_seconds: Until an upload can be used.
        retired: Whether Marengo 2.7 is still served.
        rates: Faults, and how often each strikes, from 0 to 1.
        seed: Of the faults.
    """

    key = "tlk_emulated_0123456789"

    def __init__(
        self,
        *,
        task_seconds: float = 0.0,
        at_once: int | None = None,
        asset_seconds: float = 0.0,
        retired: bool = False,
        rates: Sequence[tuple[Fault, float]] = (),
        seed: int = 0,
    ) -> None:
        self.files = Files(asset_seconds=asset_seconds)
        self.tasks = Tasks(seconds=task_seconds, at_once=at_once)
        self.faults = Faults(rates, seed)
        self.asked: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.refused: list[str] = []
        self.secret = _Key(self.key)
        self.base_url = ""
        self.flat_errors = False
        seen = Seen()
        embedding = Embedding(self.files, self.tasks, seen)
        legacy = Legacy(self.files, self.tasks, seen, retired=retired)
        self._routes = self._made(embedding, legacy)

    def plan(self, call: str, *faults: Fault) -> None:
        """Let the next requests that begin like `POST /embed-v2/tasks` fail in turn."""
        self.faults.plan(call, *faults)

    def answer(self, request: Request) -> Reply:
        """Do what a request asks."""
        nested = request.path.startswith("/embed-v2") and not self.flat_errors
        if not request.path.startswith("/s3/") and request.headers.get("x-api-key") != self.key:
            wrong = RefusedError("api_key_invalid", "API Key is either invalid or expired.", 401)
            return Reply(401, error_body(wrong, nested=False))
        try:
            return self._routed(request)
        except RefusedError as error:
            self.refused.append(f"{error.status} {request.method} {request.path}: {error.message}")
            limited = {"Retry-After": self.tasks.retry_after} if error.status == 429 else {}
            return Reply(error.status, error_body(error, nested=nested), limited)

    def _routed(self, request: Request) -> Reply:
        for method, pattern, route in self._routes:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return route(request, match)
        raise RefusedError("resource_not_exists", f"There is nothing at {request.path}.", 404)

    def _made(self, embedding: Embedding, legacy: Legacy) -> list[tuple[str, str, Route]]:
        files, tasks = self.files, self.tasks
        return [
            ("POST", "/embed-v2", lambda request, _: embedding.create(request)),
            ("POST", "/embed-v2/tasks", lambda request, _: embedding.begin(request)),
            ("GET", "/embed-v2/tasks", lambda request, _: tasks.list(request)),
            ("GET", f"/embed-v2/tasks/{_ID}", lambda _, match: embedding.retrieve(match["id"])),
            ("POST", "/embed", lambda request, _: legacy.create(request)),
            ("POST", "/embed/tasks", lambda request, _: legacy.begin(request)),
            ("GET", "/embed/tasks", lambda request, _: tasks.list(request)),
            ("GET", f"/embed/tasks/{_ID}", lambda _, match: legacy.retrieve(match["id"], with_vectors=True)),
            (
                "GET",
                f"/embed/tasks/{_ID}/status",
                lambda _, match: legacy.retrieve(match["id"], with_vectors=False),
            ),
            ("POST", "/assets", lambda request, _: files.create(request)),
            ("GET", f"/assets/{_ID}", lambda _, match: files.retrieve(match["id"])),
            ("DELETE", f"/assets/{_ID}", lambda _, match: files.delete(match["id"])),
            ("POST", "/assets/multipart-uploads", lambda request, _: files.begin_upload(request)),
            ("POST", f"/assets/multipart-uploads/{_ID}", lambda request, m: files.report(m["id"], request)),
            (
                "POST",
                f"/assets/multipart-uploads/{_ID}/presigned-urls",
                lambda request, match: files.more_urls(match["id"], request),
            ),
            (
                "PUT",
                rf"/s3/{_ID}/(?P<index>\d+)",
                lambda request, match: files.put(match["id"], int(match["index"]), request),
            ),
        ]


@contextmanager
def emulating(emulator: Emulator | None = None) -> Iterator[Emulator]:
    """Serve an emulator on a free port of 127.0.0.1, for as long as the context lasts."""
    service = emulator or Emulator()
    handler = type("Handler", (_Handler,), {"emulator": service})
    with _Server(("127.0.0.1", 0), handler) as server:
        service.base_url = f"http://127.0.0.1:{server.server_port}/v1.3"
        service.files.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent where the client has gone, as one that a test kills."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    emulator: ClassVar[Emulator]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names are those of the methods

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request.read(self.command, self.path, dict(self.headers), body)
        call = f"{request.method} {re.sub(r'[0-9a-f]{24}', 'ID', request.path)}"
        self.emulator.asked[call] += 1
        self.emulator.requests.append(request)
        fault = self.emulator.faults.next(call)
        if fault is None:
            self._send(self.emulator.answer(request))
            return
        time.sleep(fault.seconds)
        reply = self.emulator.answer(request) if fault.works else None
        if reply:
            self.emulator.faults.worked(call, fault, reply.status)
        if fault.status is None:
            self._cut(reply.content() if reply else b"", fault.keep)
            return
        code = {429: "too_many_requests", 500: "INTERNAL_SERVER_ERROR"}.get(fault.status, "unknown")
        error = RefusedError(code, "It was told to fail.", fault.status)
        nested = request.path.startswith("/embed-v2") and not self.emulator.flat_errors
        content = None if fault.body is None else fault.body.encode()
        self._send(Reply(fault.status, error_body(error, nested=nested), fault.headers), content)

    def _send(self, reply: Reply, content: bytes | None = None) -> None:
        body = reply.content() if content is None else content
        with suppress(ConnectionError):  # the client may have gone
            self.send_response(reply.status)
            headers = {"X-Api-Version": "1.3", "Content-Type": "application/json", **reply.headers}
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def _cut(self, body: bytes, keep: float) -> None:
        """End the connection, after a part of the reply where there is one."""
        with suppress(OSError):
            if keep:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: int(len(body) * keep)])
                self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
