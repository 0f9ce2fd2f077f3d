"""Searches in Milvus' words: which requests one call can answer, what it is given, and what its hits say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pymilvus import MilvusClient

from ...core import lexical
from ...core.checks import SCORE_KIND
from ...core.fields import Schema
from ...core.records import Hit, ScoreKind, floats
from ...core.requests import Answer, CheckedRequest, Lexical, NearVector
from ...core.space import CollectionSpec
from . import rows
from .connection import limit
from .index import METRICS, Index

_QUERIES = 16_384  # of one search (Milvus' limit)
_ANSWERS = 65_536  # hits in one message


def search(
    client: MilvusClient,
    spec: CollectionSpec,
    index: Index,
    alike: Sequence[CheckedRequest],
    where: str,
    *,
    sifting: int,
) -> list[Answer]:
    """The answers to requests that differ in what they look for only, by one call.

    Args:
        client: The client.
        spec: Of the collection.
        index: Of the vectors.
        alike: The requests.
        where: The expression of their condition.
        sifting: Candidates at which a graph looks where there is a condition.
    """
    first = alike[0]
    by_words = isinstance(first.near, Lexical)
    metric = spec.space.metric
    parameters = {} if by_words else index.search(first.limit, sifting=sifting if where else 0)
    found = client.search(
        spec.name,
        data=[_sought(request) for request in alike],
        anns_field=rows.WORDS if by_words else rows.VECTOR,
        filter=where,
        limit=first.limit,
        output_fields=rows.output_fields(spec.fields),
        search_params={"metric_type": "IP" if by_words else METRICS[metric], "params": parameters},
        timeout=limit(),
    )
    kind = ScoreKind.WEIGHTED if by_words else SCORE_KIND[metric]
    return [_answer(hits, kind, spec.fields) for hits in found]


def batches(requests: Sequence[CheckedRequest]) -> list[list[int]]:
    """Places of requests that one call can answer: alike but in what they look for."""
    alike: dict[tuple[object, ...], list[list[int]]] = {}
    for at, request in enumerate(requests):
        key = (isinstance(request.near, Lexical), request.where.node, request.limit)
        found = alike.setdefault(key, [[]])
        if len(found[-1]) >= max(1, min(_QUERIES, _ANSWERS // request.limit)):
            found.append([])
        found[-1].append(at)
    return [batch for batches in alike.values() for batch in batches]


def _sought(request: CheckedRequest) -> list[float] | dict[int, float]:
    if isinstance(request.near, Lexical):
        return dict(lexical.query(request.near.text))
    near = cast("NearVector", request.near)  # the base resolves ids, and refuses media
    return floats(near.vector)


def _score(score: float, kind: ScoreKind) -> float:
    """A similarity, higher for better; Milvus gives L2 as the square of the distance."""
    if kind is ScoreKind.NEG_L2:
        return 0.0 - math.sqrt(max(score, 0.0))
    return max(-1.0, min(1.0, score)) if kind is ScoreKind.COSINE else score


def _answer(found: Sequence[Mapping[str, Any]], kind: ScoreKind, schema: Schema) -> Answer:
    hits = [
        Hit.bare(rows.record(hit["entity"], schema), _score(hit["distance"], kind), kind) for hit in found
    ]
    return Answer(tuple(sorted(hits, key=lambda hit: (-hit.score, hit.id))))
