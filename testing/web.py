"""A web server on this machine that answers as a test says, and counts what it was asked."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler, int], object]
"""Answers a request; hears which one of this path it is, from 1 on."""


@dataclass
class Site:
    """What the server answers, and what it was asked.

    Args:
        address: Host and port.
        answers: By path, without a query.
        asked: How often, by path.
        headers: Of each request.
    """

    address: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    headers: list[dict[str, str]] = field(default_factory=list)

    def url(self, path: str) -> str:
        """The whole address of a path."""
        return f"http://{self.address}{path}"


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """Answer with a status, headers (`Retry_After` is `Retry-After`) and a body."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command != "HEAD":
        with suppress(ConnectionError):  # the client may not want the body
            handler.wfile.write(body)


def cut(handler: BaseHTTPRequestHandler, body: bytes, after: int) -> None:
    """Begin to send a body and cut the connection after some bytes."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:after])
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@contextmanager
def serving() -> Iterator[Site]:
    """A server on a free port of 127.0.0.1, for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            site.asked[path] += 1
            site.headers.append(dict(self.headers))
            answer = site.answers.get(path)
            if answer:
                answer(self, site.asked[path])
            else:
                send(self, 404)

        do_DELETE = do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names that the library looks for

        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
