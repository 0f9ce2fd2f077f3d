"""A Qdrant server or Qdrant Cloud, over REST or gRPC."""

from __future__ import annotations

import contextlib
import math
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from qdrant_client import QdrantClient, models

from ...core.capabilities import Capabilities, Feature
from ...core.deadline import RetryPolicy, poll, time_left
from ...core.errors import (
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    PolyreelError,
    UnavailableError,
    UnsupportedError,
)
from ...core.requests import CheckedRequest
from ...core.secret import Secret
from ...core.space import CollectionMeta, CollectionSpec
from . import points, refusals
from .client import DENSE, QdrantClientStore
from .forms import GRPC, REST
from .indexes import Index, IndexType, wanted
from .options import Hnsw, Options, Quantization, oversampling

_GRPC_PORT = 6334  # Qdrant's default
_OLDEST = (1, 16)  # keeps metadata of collections
_PREFIX = (1, 19)  # has the match by prefix
_BATCH = 5_000_000  # numbers in one upsert
_BODY = 5_000_000  # characters in one write: a server takes 32 MB, and a character at most 6 bytes of JSON
_FLOAT = 22  # characters of a number as JSON

_WITH_WORDS = models.Filter(must=[models.HasVectorCondition(has_vector=points.WORDS)])
_QUANTIZATIONS: dict[str, models.QuantizationConfig] = {
    "scalar": models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)),
    "product": models.ProductQuantization(
        product=models.ProductQuantizationConfig(compression=models.CompressionRatio.X16)
    ),
    "binary": models.BinaryQuantization(binary=models.BinaryQuantizationConfig()),
}


class QdrantServerStore(QdrantClientStore):
    """Collections on a server or a cluster. Contract: `VectorStore`.

    A write returns when it can be searched. Whether it survives a server's loss of power is the server's
    affair. Over gRPC a server that hangs in a write is given up after `timeout`, whatever an outer deadline
    says.

    Args:
        url: Such as `https://host:6333`; 6333 is the port when it has none.
        api_key: For a server that asks for one.
        ca_file: Certificates in PEM to trust for `https`, instead of the system's.
        grpc: Speak gRPC instead of REST.
        grpc_port: The port for gRPC, on the same host.
        hnsw: The graph that makes searches fast.
        quantization: Search in compressed vectors; scores stay those of the whole ones.
        vectors_on_disk: Read vectors from the disk.
        payload_on_disk: Read all that isn't indexed from the disk.
        tenant: A declared string field by which nearly every search filters.
        lexical: Whether to keep the words of the records' texts, so that they are found; what is stored, or
            yes in a new collection, when it is None. Writing takes less without them.
        shards: Parts of the collection on a cluster.
        replicas: Copies of each part.
        write_consistency: Copies that must have a write before it is confirmed.
        timeout: Seconds for one public call, its retries included.
        retry: How retryable errors are tried again.
    """

    forms = (REST, GRPC)

    def __init__(
        self,
        *,
        url: str,
        api_key: Secret | None = None,
        ca_file: Path | None = None,
        grpc: bool = False,
        grpc_port: int = _GRPC_PORT,
        hnsw: Hnsw | None = None,
        quantization: Quantization | None = None,
        vectors_on_disk: bool | None = None,
        payload_on_disk: bool | None = None,
        tenant: str | None = None,
        lexical: bool | None = None,
        shards: int | None = None,
        replicas: int | None = None,
        write_consistency: int | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        shape = (hnsw, quantization, vectors_on_disk, payload_on_disk, tenant, lexical)
        super().__init__(Options(*shape, shards, replicas, write_consistency), timeout=timeout, retry=retry)
        self._url = _checked(url)
        self._key = api_key
        self._ca_file = ca_file
        self._grpc = grpc
        self._grpc_port = grpc_port
        self._client: QdrantClient | None = None

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        self._close()
        self._options.check(spec)
        self._client = client = self._connected()
        number = client.info().version
        self.can = self._abilities(number, spec)
        meta = self._described(client, spec.name)
        if meta is not None:
            self._index(client, meta)
        return meta

    def _connected(self) -> QdrantClient:
        """A client, which connects with its first call."""
        trusted, context = _trusted(self._ca_file) if self._ca_file else (None, True)
        return QdrantClient(
            url=self._url,
            api_key=self._key.get_secret_value() if self._key else None,
            prefer_grpc=self._grpc,
            grpc_port=self._grpc_port,
            grpc_options={"grpc.enable_retries": 0, "root_certificates": trusted},
            timeout=math.ceil(self._timeout),
            check_compatibility=False,  # prints, in a thread of its own; `open` looks at the version
            cloud_inference=True,  # else every vector is looked at for texts to embed in this process
            event_hooks={"request": [_bound]},
            verify=context,
        )

    def _abilities(self, number: str, spec: CollectionSpec) -> Capabilities:
        form, version = GRPC if self._grpc else REST, _parsed(number)
        if version < _OLDEST:
            raise UnsupportedError(
                f"{form.name}: the server is Qdrant {number}, which keeps no metadata of a collection",
                hint="upgrade it to 1.16 or newer",
            )
        features = form.features if version >= _PREFIX else form.features - {Feature.PREFIX}
        batch = max(1, min(500, _BATCH // spec.space.dimension))
        return Capabilities(form.name, features, number, max_batch=batch)

    def _make(self, client: QdrantClient, spec: CollectionSpec, **common: Any) -> None:
        metadata, options = common.pop("metadata"), self._options
        given = options.hnsw
        dense = models.VectorParams(
            **common,
            hnsw_config=_graph(given) if given else None,
            quantization_config=_QUANTIZATIONS[options.quantization] if options.quantization else None,
            on_disk=options.vectors_on_disk,
        )
        try:
            client.create_collection(
                spec.name,
                vectors_config={DENSE: dense},
                sparse_vectors_config=self._words_config(),
                shard_number=options.shards,
                replication_factor=options.replicas,
                write_consistency_factor=options.write_consistency,
                on_disk_payload=options.payload_on_disk,
                metadata=metadata,
                timeout=self._seconds(),
            )
        except refusals.ERRORS as error:
            if not refusals.is_conflict(error):  # else another process was quicker
                raise

    def _index(self, client: QdrantClient, meta: CollectionMeta) -> None:
        name = meta.spec.name
        known = client.get_collection(name).payload_schema
        for path, index in wanted(meta.spec.fields, self._options.tenant).items():
            if path not in known:
                schema = _index(index)
                client.create_payload_index(name, path, schema, wait=True, timeout=self._seconds())
            elif known[path].data_type.value != index.type:
                raise IntegrityError(
                    f"the index on {path!r} of the collection {name!r} is of type "
                    f"{known[path].data_type.value}, where filters need {index.type}",
                    hint="delete that index: the next opening makes the right one",
                )

    def _optimize(self, progress: Callable[[float], None]) -> None:
        """The server builds its index by itself, so this waits until it is done.

        Raises:
            UnavailableError: The server has given it up.
        """
        name = self.meta.spec.name
        words = 0
        if self._words:
            words = self._call(QdrantClient.count, count_filter=_WITH_WORDS, exact=True).count

        def done() -> bool:
            with self._using() as client:
                info = client.get_collection(name)
                if info.status is models.CollectionStatus.GREY:  # since its start it waits to be told
                    client.update_collection(
                        name, optimizers_config=models.OptimizersConfigDiff(), timeout=self._seconds()
                    )
            if info.status is models.CollectionStatus.RED:
                raise UnavailableError(
                    f"Qdrant at {self._url} can't index the collection {name!r}: "
                    f"{getattr(info.optimizer_status, 'error', 'an earlier write failed there')}",
                    hint="look into the server's log",
                )
            # Vectors of words are indexed at once, and counted with the others.
            total, indexed = info.points_count or 0, (info.indexed_vectors_count or 0) - words
            progress(min(1.0, max(0, indexed) / total) if total else 1.0)
            return info.status is models.CollectionStatus.GREEN

        poll(done, what=f"the index of {name!r}, which the server builds", timeout=time_left())
        progress(1.0)

    def _drop(self) -> None:
        with self._using() as client:
            client.delete_collection(self.meta.spec.name, timeout=self._seconds())

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # -- inside -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _using(self) -> Iterator[QdrantClient]:
        if self._client is None:
            raise ConfigurationError("this store is not open", hint="call open(spec, create=...) first")
        yield self._client

    def _seconds(self) -> int:
        return max(1, math.ceil(min(time_left(), 3600)))

    def _bodies(self, batch: list[models.PointStruct], dimension: int) -> Iterator[list[models.PointStruct]]:
        """The points in parts that a server takes."""
        part: list[models.PointStruct] = []
        left = _BODY
        for point in batch:
            size = _FLOAT * dimension + points.characters(point.payload or {})
            if part and size > left:
                yield part
                part, left = [], _BODY
            part.append(point)
            left -= size
        if part:
            yield part

    def _params(self, request: CheckedRequest) -> models.SearchParams:
        more = None
        if self._quantization is not None:
            times = oversampling(self._quantization, request.limit)
            more = models.QuantizationSearchParams(rescore=True, oversampling=times)
        return models.SearchParams(hnsw_ef=self._options.ef, exact=request.exact, quantization=more)

    def _translate(self, error: Exception) -> PolyreelError | None:
        ours = refusals.translate(error, f"Qdrant at {self._url}")
        if isinstance(ours, NotFoundError):
            ours.hint = "another process may have dropped the collection: open the store again"
        return ours


def _checked(url: str) -> str:
    """The address, if it is one of a server and has nothing secret in it."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"url is no address: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError("url must begin with http:// or https://, then a host")
    if parsed.userinfo or parsed.query:
        raise ConfigurationError("url holds a user, a password or a query", hint="set the key as api_key")
    return url


def _trusted(file: Path) -> tuple[bytes, ssl.SSLContext]:
    """The certificates for gRPC, and what REST verifies with."""
    try:
        return file.read_bytes(), ssl.create_default_context(cafile=str(file))
    except OSError as error:  # an ssl.SSLError, for a file without certificates, is one as well
        hint = "give a file with certificates in PEM"
        raise ConfigurationError(
            f"ca_file {file} can't be used: {error.strerror or error}", hint=hint
        ) from error


def _bound(request: httpx.Request) -> None:
    """Give a request what is left of the deadline, to connect, write, read and wait for its turn."""
    left = max(0.001, min(time_left(), 3600.0))
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left)


def _parsed(number: str) -> tuple[int, ...]:
    """`1.19.0-dev` as (1, 19); what can't be read counts as the newest."""
    major, _, rest = number.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (999,)


def _graph(given: Hnsw) -> models.HnswConfigDiff:
    return models.HnswConfigDiff(
        m=given.m,
        ef_construct=given.ef_construct,
        full_scan_threshold=given.full_scan_threshold,
        on_disk=given.on_disk,
    )


def _index(index: Index) -> models.PayloadSchemaParams:
    if index.type is IndexType.INTEGER:
        return models.IntegerIndexParams(
            type=models.IntegerIndexType.INTEGER, lookup=index.lookup, range=True
        )
    if index.type is IndexType.FLOAT:
        return models.FloatIndexParams(type=models.FloatIndexType.FLOAT)
    tenant = True if index.tenant else None
    return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=tenant)
