"""Records compared in Python give what the exact store gives, for each of several queries."""

from __future__ import annotations

import numpy as np
import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.backends.milvus import comparing
from polyreel.core.records import Record
from polyreel.core.requests import NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space


@pytest.mark.parametrize("metric", Metric)
def test_the_nearest_to_each_query_are_those_of_the_exact_store(metric: Metric) -> None:
    rows = np.random.default_rng(5).normal(size=(2_500, 8))  # more than are compared at once
    records = [Record(f"r{at}", "v", "file:///v.mp4", content=row.tolist()) for at, row in enumerate(rows)]
    queries = [(row * scale).tolist() for row, scale in zip(rows[:3] + 0.1, (1, 0.5, 3), strict=True)]
    with MemoryStore() as exact:
        exact.open(CollectionSpec("clips", Space("test", "made-up", "1", 8, metric)), create=True)
        exact.upsert(records)
        expected = exact.search([SearchRequest(NearVector(query), limit=7) for query in queries])
    found = comparing.nearest(records, queries, metric, 7)
    assert [[hit.id for hit in answer.hits] for answer in found] == [
        [hit.id for hit in answer.hits] for answer in expected
    ]
    for answer, right in zip(found, expected, strict=True):
        assert [hit.score for hit in answer.hits] == pytest.approx(
            [hit.score for hit in right.hits], abs=1e-5
        )
        assert all(
            hit.record.content is None and hit.score_kind == right.hits[0].score_kind for hit in answer.hits
        )
    assert [answer.hits for answer in comparing.nearest([], queries, metric, 7)] == [(), (), ()]
