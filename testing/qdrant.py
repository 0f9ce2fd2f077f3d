"""An imitation of Qdrant's REST interface, for the transport alone: it is NOT a Qdrant server.

It answers real HTTP with the client's own local mode, and refuses what the interface's models don't know:
other paths, other query parameters, other keys in a body, a wrong API key, a body of more than 32 MB. So it
shows that requests are well made and answers well read, and how a store bears a server that fails; what a
server makes of a filter or an index it can't show.

    with imitation() as qdrant:
        store = QdrantServerStore(url=qdrant.url)
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python
from qdrant_client import QdrantClient, models

from .web import send

Fault = Callable[[BaseHTTPRequestHandler], None]
"""Answers one request in the place of the server."""

_LARGEST = 32 << 20  # bytes of a body, Qdrant's default
_QUERY = {"wait", "timeout", "ordering", "consistency"}


class RefusedError(Exception):
    """A status of HTTP and a reason in place of an answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Imitation:
    """What the server holds and was asked.

    Args:
        local: Where the collections are; they outlive the server.
        version: What it says it is.
        api_key: What a request must bring; nothing when empty.
        port: Where it listens.
        tls: A certificate with its key, in one file in PEM; plain HTTP without.
        faults: What the next requests get instead of an answer.
        asked: How often, by method and path with `{name}` for the collection's.
        timeouts: The `timeout` of each request that had one.
        indexes: Indexes on payload, by collection and path.
    """

    local: QdrantClient
    version: str = "1.20.0"
    api_key: str = ""
    port: int = 0
    tls: Path | None = None
    faults: deque[Fault] = field(default_factory=deque)
    asked: Counter[str] = field(default_factory=Counter)
    timeouts: list[int] = field(default_factory=list)
    indexes: dict[str, dict[str, models.PayloadIndexInfo]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def reply(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        try:
            result, status = self._answer(method, target, headers, body), 200
        except RefusedError as error:
            result, status = {"status": {"error": str(error)}, "time": 0.0}, error.status
        except (ValidationError, ValueError, KeyError) as error:
            result, status = {"status": {"error": f"Wrong input: {error}"}, "time": 0.0}, 400
        return status, json.dumps(to_jsonable_python(result)).encode()

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> object:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/":
            return {"title": "an imitation", "version": self.version}
        if self.api_key and headers.get("api-key") != self.api_key:
            raise RefusedError(401, "Invalid API key or JWT")
        if query.keys() - _QUERY or len(body) > _LARGEST:
            raise RefusedError(
                413 if len(body) > _LARGEST else 400, "the request is larger than allowed or odd"
            )
        self.timeouts += [int(query["timeout"])] if "timeout" in query else []
        for pattern, (model, action) in _ROUTES.items():
            found = re.fullmatch(pattern.replace("{name}", "(?P<name>[^/]+)"), f"{method} {parts.path}")
            if found:
                self.asked[pattern] += 1
                parsed = TypeAdapter(model).validate_json(body) if model else None
                with self.lock:
                    result = action(self, unquote(found.groupdict().get("name", "")), parsed)
                return {"result": result, "status": "ok", "time": 0.0}
        raise RefusedError(404, f"there is no {method} {parts.path}")

    def create(self, name: str, asked: models.CreateCollection) -> bool:
        """Make a collection."""
        if self.local.collection_exists(name):
            raise RefusedError(409, f"Wrong input: Collection `{name}` already exists!")
        self.indexes[name] = {}
        return self.local.create_collection(
            name,
            vectors_config=asked.vectors,
            sparse_vectors_config=asked.sparse_vectors,
            metadata=asked.metadata,
        )

    def index(self, name: str, asked: models.CreateFieldIndex) -> object:
        """Take note of an index; local mode has none."""
        schema: Any = asked.field_schema
        plain = isinstance(schema, models.PayloadSchemaType)
        self.indexes[self.known(name)][asked.field_name] = models.PayloadIndexInfo(
            data_type=models.PayloadSchemaType(schema if plain else schema.type.value),
            params=None if plain else schema,
            points=0,
        )
        return models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)

    def known(self, name: str) -> str:
        """The name, if there is such a collection."""
        if not self.local.collection_exists(name):
            raise RefusedError(404, f"Not found: Collection `{name}` doesn't exist!")
        return name


@contextmanager
def imitation(server: Imitation | None = None) -> Iterator[Imitation]:
    """A server in this process; one that was there before comes back on its port with what it held."""
    here = server or Imitation(QdrantClient(":memory:"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # an answer in one piece

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if here.faults:
                here.faults.popleft()(self)
                return
            status, answer = here.reply(self.command, self.path, dict(self.headers), body)
            send(self, status, answer, Content_Type="application/json")

        do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  # names of the standard library's

        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", here.port), Handler) as http:
        here.port = http.server_port
        if here.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(here.tls)
            http.socket = context.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield here
        finally:
            http.shutdown()
            thread.join()


# -- what each request does -------------------------------------------------------------------------------


def _describe(server: Imitation, name: str, _: None) -> object:
    info = server.local.get_collection(server.known(name))
    return {**to_jsonable_python(info), "payload_schema": server.indexes[name]}


def _change(server: Imitation, name: str, asked: models.UpdateCollection) -> bool:
    server.local.update_collection(server.known(name), metadata=asked.metadata)
    return True


def _drop(server: Imitation, name: str, _: None) -> bool:
    return server.local.delete_collection(name)


def _upsert(server: Imitation, name: str, asked: models.PointsList | models.PointsBatch) -> object:
    points = asked.points if isinstance(asked, models.PointsList) else asked.batch
    return server.local.upsert(server.known(name), points)


def _retrieve(server: Imitation, name: str, asked: models.PointRequest) -> object:
    payload, vectors = asked.with_payload, asked.with_vector
    return server.local.retrieve(
        server.known(name),
        asked.ids,
        with_payload=True if payload is None else payload,
        with_vectors=vectors or False,
    )


def _patch(server: Imitation, name: str, asked: models.SetPayload) -> object:
    which: Any = asked.filter if asked.points is None else asked.points
    return server.local.set_payload(server.known(name), asked.payload, which)


def _erase(server: Imitation, name: str, asked: models.PointIdsList | models.FilterSelector) -> object:
    return server.local.delete(server.known(name), asked)


def _revector(server: Imitation, name: str, asked: models.UpdateVectors) -> object:
    return server.local.update_vectors(server.known(name), asked.points)


def _unvector(server: Imitation, name: str, asked: models.DeleteVectors) -> object:
    which: Any = asked.filter if asked.points is None else asked.points
    return server.local.delete_vectors(server.known(name), asked.vector, which)


def _search(server: Imitation, name: str, asked: models.QueryRequestBatch) -> object:
    for one in asked.searches:
        one.params = None  # local mode has no index to search by them
    return server.local.query_batch_points(server.known(name), asked.searches)


def _group(server: Imitation, name: str, asked: models.QueryGroupsRequest) -> object:
    return server.local.query_points_groups(
        server.known(name),
        group_by=asked.group_by,
        query=asked.query,
        using=asked.using,
        query_filter=asked.filter,
        limit=asked.limit or 10,
        group_size=asked.group_size or 3,
        with_payload=bool(asked.with_payload),
    )


def _scroll(server: Imitation, name: str, asked: models.ScrollRequest) -> object:
    page, following = server.local.scroll(
        server.known(name),
        scroll_filter=asked.filter,
        limit=asked.limit or 10,
        offset=asked.offset,
        with_payload=bool(asked.with_payload),
        with_vectors=asked.with_vector or False,
    )
    return {"points": page, "next_page_offset": following}


def _facet(server: Imitation, name: str, asked: models.FacetRequest) -> object:
    if asked.key not in server.indexes[server.known(name)]:
        raise RefusedError(400, f'Bad request: Index required but not found for "{asked.key}"')
    return server.local.facet(name, asked.key, facet_filter=asked.filter, limit=asked.limit or 10, exact=True)


def _count(server: Imitation, name: str, asked: models.CountRequest) -> object:
    return server.local.count(server.known(name), count_filter=asked.filter, exact=True)


_Action = Callable[[Imitation, str, Any], object]
_ROUTES: Mapping[str, tuple[Any, _Action]] = {
    "GET /collections": (None, lambda server, *_: server.local.get_collections()),
    "GET /collections/{name}/exists": (
        None,
        lambda server, name, _: {"exists": server.local.collection_exists(name)},
    ),
    "GET /collections/{name}": (None, _describe),
    "PUT /collections/{name}": (models.CreateCollection, lambda server, *asked: server.create(*asked)),
    "PATCH /collections/{name}": (models.UpdateCollection, _change),
    "DELETE /collections/{name}": (None, _drop),
    "PUT /collections/{name}/index": (models.CreateFieldIndex, lambda server, *asked: server.index(*asked)),
    "PUT /collections/{name}/points": (models.PointsList | models.PointsBatch, _upsert),
    "POST /collections/{name}/points": (models.PointRequest, _retrieve),
    "PUT /collections/{name}/points/vectors": (models.UpdateVectors, _revector),
    "POST /collections/{name}/points/vectors/delete": (models.DeleteVectors, _unvector),
    "POST /collections/{name}/points/payload": (models.SetPayload, _patch),
    "POST /collections/{name}/points/delete": (models.PointIdsList | models.FilterSelector, _erase),
    "POST /collections/{name}/points/query/batch": (models.QueryRequestBatch, _search),
    "POST /collections/{name}/points/query/groups": (models.QueryGroupsRequest, _group),
    "POST /collections/{name}/points/scroll": (models.ScrollRequest, _scroll),
    "POST /collections/{name}/facet": (models.FacetRequest, _facet),
    "POST /collections/{name}/points/count": (models.CountRequest, _count),
}
