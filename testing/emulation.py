"""A web server on this machine for emulators that answer with bytes, and that fail on command."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

from .faults import Fault, Faults


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came.

    Args:
        method: Of HTTP.
        path: With its quotes, without a query.
        query: As it came.
        headers: By small letters; `host` is that of a target which names its own.
        body: As it came.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """Method, path and query, by which faults are planned."""
        return f"{self.method} {self.path}?{self.query}"


@dataclass(frozen=True, slots=True)
class Answered:
    """A status, a body and headers.

    Args:
        pieces: The body in pieces, each of which is sent alone, so that a reader has it before the next.
        pause: Seconds between two of them.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    pause: float = 0.0


@contextmanager
def answering(
    answer: Callable[[Seen], Answered], refuse: Callable[[Seen, Fault], Answered], faults: Faults
) -> Iterator[str]:
    """A server at the address that is given, for as long as the context lasts.

    Args:
        answer: What is said to a request.
        refuse: What is said to one that meets a fault with a status.
        faults: What requests meet. Of a body that is cut, the header tells the whole length; of one in
            pieces, half of them are sent.
    """
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 30

        def do_GET(self) -> None:
            seen = self._seen()
            fault = faults.next(seen.target) or Fault()
            done = not (fault.status or fault.cut) or fault.applied or fault.truncate
            answered = answer(seen) if done else Answered(500)
            if fault.status:
                answered = refuse(seen, fault)
            stopped.wait(fault.hang)
            with suppress(ConnectionError, socket.timeout):  # a caller that has waited too long is gone
                self._send(answered, fault)

        do_DELETE = do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names that the library looks for

        def _seen(self) -> Seen:
            """A proxy is asked for a whole address, whose host counts."""
            target, host = self.path, str(self.headers.get("host", ""))
            if "://" in target:
                host, _, target = target.partition("://")[2].partition("/")
                target = f"/{target}"
            path, _, query = target.partition("?")
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            return Seen(self.command, path, query, {**headers, "host": host}, body)

        def _send(self, answered: Answered, fault: Fault) -> None:
            if answered.pieces and not fault.cut:
                _send_pieces(self.wfile, answered, fault, stopped)
            elif not fault.cut:
                lines = [f"HTTP/1.1 {answered.status} {HTTPStatus(answered.status).phrase}"]
                told = {"Content-Length": str(len(answered.body)), **answered.headers}
                lines += [f"{name}: {value}" for name, value in told.items()]
                body = b"" if self.command == "HEAD" else answered.body
                body = body[: len(body) // 2] if fault.truncate else body
                self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)
            if fault.cut or fault.truncate:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            stopped.set()
            server.shutdown()
            thread.join()


def _send_pieces(wfile: BufferedIOBase, answered: Answered, fault: Fault, stopped: threading.Event) -> None:
    """A body in chunks (RFC 9112, 7.1), as it would come from a server that makes it as it goes."""
    told = {"Transfer-Encoding": "chunked", **answered.headers}
    lines = [f"HTTP/1.1 {answered.status} {HTTPStatus(answered.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in told.items()]
    wfile.write("\r\n".join([*lines, "", ""]).encode())
    sent = len(answered.pieces) // 2 if fault.truncate else len(answered.pieces)
    for piece in answered.pieces[:sent]:
        wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        wfile.flush()
        if answered.pause:
            stopped.wait(answered.pause)
    if not fault.truncate:
        wfile.write(b"0\r\n\r\n")
