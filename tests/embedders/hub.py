"""As much of the Hugging Face hub as its client needs to fetch a repository, over loopback."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_COMMIT = "0123456789abcdef" * 2 + "01234567"


class Hub(ThreadingHTTPServer):
    """Serves folders as repositories.

    Args:
        repositories: Folders by the names of repositories; may be changed while it serves.
    """

    daemon_threads = True

    def __init__(self, repositories: Mapping[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = dict(repositories)
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(repositories: Mapping[str, Path]) -> Iterator[Hub]:
    with Hub(repositories) as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        body, headers = self._found(urlsplit(self.path).path.strip("/"), count=with_body)
        self.send_response(404 if body is None else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if with_body:
            self.wfile.write(body or b"")

    def _found(self, path: str, *, count: bool) -> tuple[bytes | None, dict[str, str]]:
        parts = path.removeprefix("api/models/").split("/")
        if len(parts) < 4:  # the client also asks which programs it may be running in
            return None, {}
        repository, verb, file = "/".join(parts[:2]), parts[2], "/".join(parts[4:])
        folder = self.server.repositories.get(repository)
        if folder is None:
            return None, {"X-Error-Code": "RepoNotFound"}
        files = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
        if verb == "revision":
            return json.dumps({"id": repository, "sha": _COMMIT, "siblings": []}).encode(), {}
        if verb == "tree":
            listed = [
                {"type": "file", "path": name, "size": each.stat().st_size, "oid": _etag(each)}
                for name, each in files.items()
            ]
            return json.dumps(listed).encode(), {}
        if count:
            self.server.fetched.append(f"{repository}/{file}")
        return files[file].read_bytes(), {"ETag": f'"{_etag(files[file])}"', "X-Repo-Commit": _COMMIT}


def _etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
