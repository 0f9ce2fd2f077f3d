"""Exploring finds the clusters, outliers, duplicates and trends that were put there; always the same."""

from __future__ import annotations

import json
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyreel import exploring
from polyreel.backends.memory import MemoryStore
from polyreel.core.errors import ConfigurationError, InvalidQueryError, UnsupportedError
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.records import Record, Scope, Text
from polyreel.embedders.builtin.embedder import BuiltinEmbedder
from polyreel.exploring.trends import trend
from polyreel.exploring.words import typical_words

from .conftest import START, copied, scenes

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyreel.core.search import VideoSearch

    from .conftest import Fill


def test_scenes_become_clusters_named_by_their_words(fill: Fill) -> None:
    found = exploring.explore(fill(scenes()))
    assert [(each.size, each.videos) for each in found.clusters] == [(12, 4)] * 3
    labels = {each.typical[0].partition("-")[0]: set(each.words) for each in found.clusters}
    assert {"sea", "sand"} <= labels["beach"]
    assert {"night", "cars"} <= labels["city"]
    assert "trees" in labels["forest"]
    for point in found.points:
        typical = found.clusters[point.cluster].typical[0]
        assert point.record.id.partition("-")[0] == typical.partition("-")[0]
    assert all(0 <= point.x <= 1 and 0 <= point.y <= 1 for point in found.points)


def test_points_of_a_cluster_lie_together_on_the_map(fill: Fill) -> None:
    found = exploring.explore(fill(scenes()))
    places = np.array([(point.x, point.y) for point in found.points])
    labels = np.array([point.cluster for point in found.points])
    middles = np.array([places[labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(places[:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.95


def test_points_beyond_those_that_are_placed_first_lie_with_their_own(
    fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyreel.exploring import analysis

    monkeypatch.setattr(analysis, "MAPPED", 18)
    found = exploring.explore(fill(scenes()))
    middles = {
        label: np.mean([(p.x, p.y) for p in found.points[:18] if p.cluster == label], axis=0)
        for label in range(3)
    }
    for point in found.points[18:]:
        far = {label: np.hypot(point.x - x, point.y - y) for label, (x, y) in middles.items()}
        assert min(far, key=lambda label: far[label]) == point.cluster


def test_what_is_like_nothing_else_is_an_outlier(fill: Fill) -> None:
    odd = Record("odd", "odd video", "file:///o.mp4", content=(np.eye(13)[7] * 3).tolist())
    found = exploring.explore(fill([*scenes(), odd]))
    assert found.outliers[0].id == "odd"
    assert found.outliers[0].distance > 3 * found.outliers[0].usual


def test_many_clips_of_one_odd_video_are_outliers_all_the_same(fill: Fill) -> None:
    odd = [
        Record(f"odd{n}", "odd video", "file:///o.mp4", end_ms=n, content=(np.eye(13)[7] * 3).tolist())
        for n in range(8)
    ]
    found = exploring.explore(fill([*scenes(), *odd]))
    assert {each.id for each in found.outliers} >= {each.id for each in odd}


def test_two_videos_that_show_the_same_are_near_duplicates(fill: Fill) -> None:
    rows = scenes()
    copies = [copied(row, f"copy of {row.id}", "the copy") for row in rows[:2]]
    found = exploring.explore(fill([*rows, *copies]), duplicates=0.9999)
    (pair,) = found.duplicates
    assert set(pair.videos) == {"the copy", rows[0].video_id}
    assert pair.similarity == pytest.approx(1.0, abs=1e-5)
    assert pair.clips == 2
    assert {id.removeprefix("copy of ") for id in pair.records} in ({rows[0].id}, {rows[1].id})


def test_neighbouring_clips_of_one_video_are_no_duplicates(fill: Fill) -> None:
    row = scenes()[0]
    same = [copied(row, f"clip {n}", row.video_id) for n in range(5)]
    assert exploring.explore(fill([*scenes(), *same]), duplicates=0.9999).duplicates == ()


def test_a_cluster_that_grows_over_time_rises(fill: Fill) -> None:
    found = exploring.explore(fill(scenes()))
    assert found.trend is not None
    assert (found.trend.field, found.trend.period) == ("taken", "month")
    assert (found.trend.periods[0], found.trend.periods[-1]) == ("2024-01", "2024-08")
    assert sum(map(sum, found.trend.counts)) == 36
    change = dict(zip([each.typical[0][:4] for each in found.clusters], found.trend.change, strict=True))
    assert change["fore"] == pytest.approx(1.0)
    assert change["beac"] == pytest.approx(-0.5)


def test_the_same_collection_gives_the_same_answer_whatever_its_order(
    open_stack: Callable[..., VideoSearch],
) -> None:
    documents = []
    for order in (1, 2):
        rows = scenes()
        random.Random(order).shuffle(rows)
        search = open_stack(store=MemoryStore())
        search.stack.store.upsert(rows)
        documents.append(exploring.explore(search, seed=5).to_json())
    assert documents[0] == documents[1]


def test_a_sample_is_bounded_stated_and_always_the_same(fill: Fill) -> None:
    search = fill(scenes(40))
    found = exploring.explore(search, most=30)
    assert (found.total, found.sampled, len(found.points)) == (120, 30, 30)
    again = exploring.explore(search, most=30)
    assert [point.record.id for point in again.points] == [point.record.id for point in found.points]
    assert len({point.record.id.partition("-")[0] for point in found.points}) == 3


def test_memory_is_bounded_by_the_sample(fill: Fill) -> None:
    from polyreel.exploring.sampling import sample

    search = fill(scenes(1000))

    def peak() -> int:
        tracemalloc.start()
        try:
            taken = sample(search, F.scope == "clip", 50)
            assert (taken.total, len(taken.records)) == (3000, 50)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    least = min(peak() for _ in range(3))  # a thread that another test has left may count in one of them
    assert least < 1_500_000  # 3000 records take 6 MB


def test_only_what_matches_is_explored(fill: Fill) -> None:
    rows = scenes()
    whole = [Record("whole", "v", "file:///w.mp4", Scope.VIDEO, content=[1.0] * 13)]
    search = fill([*rows, *whole])
    assert exploring.explore(search).sampled == 36
    assert exploring.explore(search, scope=None).sampled == 37
    assert exploring.explore(search, where=F.start >= 10).sampled == 12


def test_as_many_clusters_as_were_asked_for(fill: Fill) -> None:
    assert len(exploring.explore(fill(scenes()), clusters=5).clusters) == 5


def test_records_that_are_all_the_same_are_one_cluster(fill: Fill) -> None:
    same = [Record(f"r{n}", f"v{n}", "file:///a.mp4", content=[1.0] * 13) for n in range(9)]
    found = exploring.explore(fill(same))
    assert len(found.clusters) == 1
    assert found.outliers == ()
    assert found.trend is None


def test_a_record_is_compared_as_the_embedder_compares_it(open_stack: Callable[..., VideoSearch]) -> None:
    """The builtin embedder's records share a part that says nothing."""
    search = open_stack(embedder=BuiltinEmbedder())
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(6, 768))
    search.stack.store.upsert(
        [Record(f"r{n}", f"v{n}", "file:///a.mp4", content=row.tolist()) for n, row in enumerate(vectors)]
    )
    from polyreel.exploring.sampling import sample

    taken = sample(search, F.scope == "clip", 10)
    embedder = search.stack.embedder
    assert embedder is not None
    for record, row in zip(taken.records, taken.rows, strict=True):
        stored = search.stack.store.fetch([record.id], vectors=True)[record.id].content
        expected = np.asarray(embedder.query_of(stored), np.float64)  # type: ignore[arg-type]
        assert row == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


class Withholding(MemoryStore):
    """Gives no vectors away."""

    def _fetch(self, ids: Any, vectors: Any) -> Any:
        return super()._fetch(ids, False)


def test_a_store_that_gives_no_vectors_away_is_refused_by_name(
    open_stack: Callable[..., VideoSearch],
) -> None:
    search = open_stack(store=Withholding())
    search.stack.store.upsert(scenes())
    with pytest.raises(UnsupportedError, match="memory gives no vectors away"):
        exploring.explore(search)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clusters": 0}, "clusters is 0"),
        ({"clusters": True}, "clusters is True"),
        ({"most": 2}, "most is 2"),
        ({"duplicates": 1.5}, "duplicates is 1.5"),
        ({"trend": "takn"}, "no field 'takn' of instants; did you mean 'taken'"),
        ({"where": F.start > 1000}, "there are 0 records"),
        ({"where": F.nothing == 1}, "nothing"),
    ],
)
def test_a_wrong_wish_is_refused(fill: Fill, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        exploring.explore(fill(scenes()), **given)


def test_without_the_extra_it_is_told_what_to_install(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    search = fill(scenes())
    for name in ("analysis", "finding"):
        monkeypatch.delitem(sys.modules, f"polyreel.exploring.{name}", raising=False)
        monkeypatch.delattr(exploring, name, raising=False)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ConfigurationError, match=r"polyreel\[explore\]"):
        exploring.explore(search)


def test_the_field_of_instants_must_be_named_where_there_are_several(
    open_stack: Callable[..., VideoSearch],
) -> None:
    fields = {"taken": FieldType.DATETIME, "aired": FieldType.DATETIME}
    search = open_stack(fields=fields)
    search.stack.store.upsert(scenes())
    assert exploring.explore(search).trend is None
    named = exploring.explore(search, trend="taken").trend
    assert named is not None
    assert exploring.explore(search, trend="aired").trend is None  # no record has one


def test_words_of_han_and_of_tags_with_spaces_are_kept_whole() -> None:
    texts = [
        Text("", ("red panda",), "海辺の動画。随后切换到水族箱里的彩色小鱼"),
        Text("", ("snow",), "city"),
    ]
    first, second = typical_words(texts, [0, 1])
    assert "red panda" in first
    assert "海辺" in first
    assert max(map(len, first)) <= len("red panda")
    assert second == ("city", "snow")


def test_periods_have_no_gaps_and_suit_the_span() -> None:
    from datetime import timedelta

    def periods(*days: float) -> tuple[str, tuple[str, ...]]:
        found = trend("taken", [START + timedelta(days=day) for day in days], [0] * len(days))
        assert found is not None
        return found.period, found.periods

    assert periods(0, 0.1) == ("hour", ("2024-01-01T00", "2024-01-01T01", "2024-01-01T02"))
    assert periods(0, 3) == ("day", ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"))
    assert periods(0, 100) == ("month", ("2024-01", "2024-02", "2024-03", "2024-04"))
    assert periods(0, 1500) == ("year", ("2024", "2025", "2026", "2027", "2028"))


def test_the_document_is_json(fill: Fill) -> None:
    document = json.loads(json.dumps(exploring.explore(fill(scenes())).to_json()))
    assert set(document) == {"total", "sampled", "clusters", "outliers", "duplicates", "trend", "points"}
    assert len(document["points"]) == 36
