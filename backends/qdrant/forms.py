"""The forms of the kind `qdrant`, as data: which keys choose and refine each, and which class it is.

Nothing here imports one of Qdrant's packages: the engine in process loads in 20 ms, the client in 2 seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...core.capabilities import Feature, Form

_ANY = frozenset({Feature.EXACT, Feature.PREFIX, Feature.ADD_FIELD, Feature.LEXICAL, Feature.FACET})
_CLIENT = _ANY | {Feature.GROUP}
_SERVER = _CLIENT | {Feature.DURABLE, Feature.SHARED}
_BY_HAND = "qdrant-client 1.20.0; {} by hand, else an imitation of the transport"

EDGE = Form(
    name="engine in process",
    configure="path",
    features=_ANY | {Feature.DURABLE},
    tried="qdrant-edge-py 0.9.0",
    notes="One process at a time. Searches are exact until `optimize` has built an index.",
)
FOLDER = Form(
    name="client, in a folder",
    configure="client_path",
    features=_CLIENT | {Feature.DURABLE},
    tried="qdrant-client 1.20.0",
    notes="Qdrant's imitation in Python, for code that needs it: the engine in process is 15 times faster.",
)
MEMORY = Form(
    name="client, in memory",
    configure="client_memory",
    features=_CLIENT,
    tried="qdrant-client 1.20.0",
    notes="As in a folder, and gone when the process ends.",
)
REST = Form(
    name="server or cloud, REST",
    configure="url",
    features=_SERVER,
    tried=_BY_HAND.format("servers 1.18.3 and 1.19.0"),
    notes="Qdrant 1.16 or newer; prefixes from 1.19 on.",
)
GRPC = Form(
    name="server or cloud, gRPC",
    configure="url and grpc",
    features=_SERVER,
    tried=_BY_HAND.format("a server 1.18.3"),
    notes="As REST; answers are smaller and quicker to read.",
)


@dataclass(frozen=True, slots=True)
class Way:
    """A class of the kind.

    Args:
        key: The key of the configuration that chooses it.
        forms: The forms of the class.
        module: Its module in this folder, which imports one of Qdrant's packages.
        name: Its name there.
        place: Its argument for the key's value; empty where the key only chooses.
        takes: The other keys that it takes, beside `timeout`, which all take.
    """

    key: str
    forms: tuple[Form, ...]
    module: str
    name: str
    place: str
    takes: frozenset[str]


_SHAPE = frozenset({"hnsw", "quantization", "vectors_on_disk", "payload_on_disk", "tenant", "lexical"})
_CLUSTER = frozenset({"shards", "replicas", "write_consistency"})
_ACCESS = frozenset({"api_key", "ca_file", "grpc", "grpc_port"})

WAYS: tuple[Way, ...] = (
    Way("path", (EDGE,), "edge", "QdrantEdgeStore", "path", _SHAPE | {"search_threads", "lock_wait"}),
    Way("client_path", (FOLDER,), "local", "QdrantLocalStore", "path", frozenset({"lexical", "lock_wait"})),
    Way("client_memory", (MEMORY,), "local", "QdrantLocalStore", "", frozenset({"lexical"})),
    Way("url", (REST, GRPC), "server", "QdrantServerStore", "url", _SHAPE | _CLUSTER | _ACCESS),
)
FORMS: tuple[Form, ...] = tuple(form for way in WAYS for form in way.forms)
