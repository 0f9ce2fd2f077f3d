"""The imitation of `polyreel.testing.qdrant` over gRPC; for the transport alone, and NOT a Qdrant server."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from qdrant_client import grpc as wire
from qdrant_client import models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

from .qdrant import Imitation, RefusedError

Fault = Callable[[grpc.ServicerContext], None]
"""Ends one call in the place of the server."""

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
}
_DONE = wire.UpdateResult(operation_id=0, status=wire.UpdateStatus.Completed)


@contextmanager
def imitation_over_grpc(server: Imitation, faults: deque[Fault] | None = None) -> Iterator[int]:
    """The port of a server that holds what `server` holds; its next calls end with `faults`."""
    pool = ThreadPoolExecutor(16)
    listening = grpc.server(pool, options=[("grpc.max_receive_message_length", -1)])
    calls = _Calls(server, deque() if faults is None else faults)
    for service, methods in _METHODS.items():
        handlers = {name: calls.handler(request, action) for name, (request, action) in methods.items()}
        listening.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    if server.tls:
        pem = server.tls.read_bytes()
        port = listening.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    else:
        port = listening.add_insecure_port("127.0.0.1:0")
    listening.start()
    try:
        yield port
    finally:
        listening.stop(None).wait()
        pool.shutdown()


class _Calls:
    """Makes a handler of each method: the key, the faults, the lock, and errors as codes."""

    def __init__(self, server: Imitation, faults: deque[Fault]) -> None:
        self._server = server
        self._faults = faults

    def handler(self, request: Any, action: Callable[[Imitation, Any], Any]) -> grpc.RpcMethodHandler:
        def answer(message: Any, context: grpc.ServicerContext) -> Any:
            if self._faults:
                self._faults.popleft()(context)
            try:
                self._check_key(context, request)
                with self._server.lock:
                    return action(self._server, message)
            except RefusedError as error:
                context.abort(_CODES[error.status], str(error))
            except (ValueError, KeyError) as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {error}")

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=request.FromString,
            response_serializer=lambda made: made.SerializeToString(),
        )

    def _check_key(self, context: grpc.ServicerContext, request: Any) -> None:
        key = dict(context.invocation_metadata()).get("api-key", "")
        if self._server.api_key not in ("", key) and request is not wire.HealthCheckRequest:
            raise RefusedError(401, "Invalid API key or JWT")


# -- what each call does ----------------------------------------------------------------------------------


def _create(server: Imitation, asked: Any) -> Any:
    made = models.CreateCollection(
        vectors=GrpcToRest.convert_vectors_config(asked.vectors_config),
        sparse_vectors=GrpcToRest.convert_sparse_vector_config(asked.sparse_vectors_config),
        metadata=GrpcToRest.convert_payload(asked.metadata),
    )
    return wire.CollectionOperationResponse(result=server.create(asked.collection_name, made))


def _describe(server: Imitation, asked: Any) -> Any:
    info = server.local.get_collection(server.known(asked.collection_name))
    info.payload_schema = server.indexes[asked.collection_name]
    return wire.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))


def _change(server: Imitation, asked: Any) -> Any:
    metadata = GrpcToRest.convert_payload(asked.metadata)
    server.local.update_collection(server.known(asked.collection_name), metadata=metadata)
    return wire.CollectionOperationResponse(result=True)


def _exists(server: Imitation, asked: Any) -> Any:
    there = server.local.collection_exists(asked.collection_name)
    return wire.CollectionExistsResponse(result=wire.CollectionExists(exists=there))


def _drop(server: Imitation, asked: Any) -> Any:
    return wire.CollectionOperationResponse(result=server.local.delete_collection(asked.collection_name))


def _index(server: Imitation, asked: Any) -> Any:
    schema = GrpcToRest.convert_payload_schema_params(asked.field_index_params)
    server.index(
        asked.collection_name, models.CreateFieldIndex(field_name=asked.field_name, field_schema=schema)
    )
    return wire.PointsOperationResponse(result=_DONE)


def _upsert(server: Imitation, asked: Any) -> Any:
    points = [GrpcToRest.convert_point_struct(point) for point in asked.points]
    server.local.upsert(server.known(asked.collection_name), points)
    return wire.PointsOperationResponse(result=_DONE)


def _retrieve(server: Imitation, asked: Any) -> Any:
    found = server.local.retrieve(
        server.known(asked.collection_name),
        [GrpcToRest.convert_point_id(id) for id in asked.ids],
        with_payload=asked.with_payload.enable,
        with_vectors=_vectors(asked),
    )
    return wire.GetResponse(result=[_record(each) for each in found])


def _patch(server: Imitation, asked: Any) -> Any:
    which = GrpcToRest.convert_points_selector(asked.points_selector)
    server.local.set_payload(
        server.known(asked.collection_name), GrpcToRest.convert_payload(asked.payload), which
    )
    return wire.PointsOperationResponse(result=_DONE)


def _revector(server: Imitation, asked: Any) -> Any:
    points = [GrpcToRest.convert_point_vectors(point) for point in asked.points]
    server.local.update_vectors(server.known(asked.collection_name), points)
    return wire.PointsOperationResponse(result=_DONE)


def _unvector(server: Imitation, asked: Any) -> Any:
    which = GrpcToRest.convert_points_selector(asked.points_selector)
    server.local.delete_vectors(server.known(asked.collection_name), list(asked.vectors.names), which)
    return wire.PointsOperationResponse(result=_DONE)


def _erase(server: Imitation, asked: Any) -> Any:
    server.local.delete(server.known(asked.collection_name), GrpcToRest.convert_points_selector(asked.points))
    return wire.PointsOperationResponse(result=_DONE)


def _search(server: Imitation, asked: Any) -> Any:
    name = server.known(asked.collection_name)
    found = [
        server.local.query_points(
            name,
            query=GrpcToRest.convert_query(one.query),
            using=one.using,
            query_filter=_filter(one, "filter"),
            limit=one.limit,
            with_payload=one.with_payload.enable,
        )
        for one in asked.query_points
    ]
    batches = [wire.BatchResult(result=map(RestToGrpc.convert_scored_point, one.points)) for one in found]
    return wire.QueryBatchResponse(result=batches)


def _group(server: Imitation, asked: Any) -> Any:
    found = server.local.query_points_groups(
        server.known(asked.collection_name),
        group_by=asked.group_by,
        query=GrpcToRest.convert_query(asked.query),
        using=asked.using,
        query_filter=_filter(asked, "filter"),
        limit=asked.limit,
        group_size=asked.group_size,
        with_payload=asked.with_payload.enable,
    )
    return wire.QueryGroupsResponse(result=RestToGrpc.convert_groups_result(found))


def _scroll(server: Imitation, asked: Any) -> Any:
    page, following = server.local.scroll(
        server.known(asked.collection_name),
        scroll_filter=_filter(asked, "filter"),
        limit=asked.limit,
        offset=GrpcToRest.convert_point_id(asked.offset) if asked.HasField("offset") else None,
        with_payload=asked.with_payload.enable,
        with_vectors=_vectors(asked),
    )
    following = None if following is None else RestToGrpc.convert_extended_point_id(following)
    return wire.ScrollResponse(result=map(_record, page), next_page_offset=following)


def _count(server: Imitation, asked: Any) -> Any:
    counted = server.local.count(server.known(asked.collection_name), _filter(asked, "filter"))
    return wire.CountResponse(result=wire.CountResult(count=counted.count))


def _facet(server: Imitation, asked: Any) -> Any:
    name, where = server.known(asked.collection_name), _filter(asked, "filter")
    found = server.local.facet(name, asked.key, facet_filter=where, limit=asked.limit, exact=True)
    hits = [RestToGrpc.convert_facet_value_hit(hit) for hit in found.hits]
    return wire.FacetResponse(hits=hits)


def _filter(asked: Any, name: str) -> models.Filter | None:
    return GrpcToRest.convert_filter(getattr(asked, name)) if asked.HasField(name) else None


def _vectors(asked: Any) -> bool | list[str]:
    return list(asked.with_vectors.include.names) if asked.with_vectors.HasField("include") else False


def _record(point: models.Record) -> Any:
    point.payload = point.payload or {}
    return RestToGrpc.convert_record(point)


_METHODS: dict[str, dict[str, tuple[Any, Callable[[Imitation, Any], Any]]]] = {
    "qdrant.Qdrant": {
        "HealthCheck": (
            wire.HealthCheckRequest,
            lambda server, _: wire.HealthCheckReply(title="an imitation", version=server.version),
        ),
    },
    "qdrant.Collections": {
        "Create": (wire.CreateCollection, _create),
        "Get": (wire.GetCollectionInfoRequest, _describe),
        "Update": (wire.UpdateCollection, _change),
        "CollectionExists": (wire.CollectionExistsRequest, _exists),
        "Delete": (wire.DeleteCollection, _drop),
    },
    "qdrant.Points": {
        "CreateFieldIndex": (wire.CreateFieldIndexCollection, _index),
        "Upsert": (wire.UpsertPoints, _upsert),
        "Get": (wire.GetPoints, _retrieve),
        "SetPayload": (wire.SetPayloadPoints, _patch),
        "UpdateVectors": (wire.UpdatePointVectors, _revector),
        "DeleteVectors": (wire.DeletePointVectors, _unvector),
        "Delete": (wire.DeletePoints, _erase),
        "QueryBatch": (wire.QueryBatchPoints, _search),
        "QueryGroups": (wire.QueryPointGroups, _group),
        "Scroll": (wire.ScrollPoints, _scroll),
        "Count": (wire.CountPoints, _count),
        "Facet": (wire.FacetCounts, _facet),
    },
}
