"""The planner groups by video as a store would, and reads little for it however many clips each video has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.capabilities import Feature
from polyreel.core.fields import FieldType
from polyreel.core.records import Channel, Hit, Record, ScoreKind, Text
from polyreel.core.search import VideoSearch
from polyreel.core.stack import Stack
from polyreel.storage.local import LocalObjects
from polyreel.testing.embedders import ColourEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyreel.core.requests import Answer, CheckedRequest
    from polyreel.core.result import Result

VIDEOS, CLIPS, DIMENSION = 30, 100, 13


@dataclass
class Reads:
    """What was read of a store: rows that each search asked for, whole or lean, and records fetched by id."""

    whole: list[int] = field(default_factory=list)
    lean: list[int] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)


class CountingStore(MemoryStore):
    """Tells what is read of it; its lean rows hold no more than they must."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = Reads()
        self.forgets = 0
        """How many of the records that are fetched next another process deletes before that."""

    def groups(self) -> CountingStore:
        """By itself, from now on."""
        self.can = replace(self.can, features=self.can.features | {Feature.GROUP})
        return self

    def leaves_grouping(self, *, lean_rows: int) -> CountingStore:
        """To the planner, from now on."""
        self.can = replace(self.can, features=self.can.features - {Feature.GROUP}, lean_rows=lean_rows)
        self.reads = Reads()
        return self

    def _search(self, requests: Sequence[CheckedRequest]) -> list[Answer]:
        for request in requests:
            (self.reads.lean if request.lean else self.reads.whole).append(request.limit)
        answers = zip(requests, super()._search(requests), strict=True)
        return [bare(answer) if request.lean else answer for request, answer in answers]

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:
        self.reads.fetched.append(len(ids))
        self._delete(ids[: self.forgets])
        self.forgets = 0
        return super()._fetch(ids, vectors)


def bare(answer: Answer) -> Answer:
    """The answer with what places its records only."""
    return replace(answer, hits=tuple(replace(hit, record=place(hit.record)) for hit in answer.hits))


def place(record: Record) -> Record:
    return Record(
        record.id, record.video_id, "", record.scope, record.start_ms, record.end_ms, record.channel
    )  # fmt: skip


def crowded() -> tuple[list[Record], list[list[float]]]:
    """Videos of many clips that are alike, in two channels, and queries near one video each."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(VIDEOS, DIMENSION))
    records = [
        Record(
            f"{video}-{clip}", f"v{video}", f"file:///v{video}.mp4", start_ms=clip // 2 * 5000,
            end_ms=clip // 2 * 5000 + 5000, channel=(Channel.VISUAL, Channel.AUDIO)[clip % 2],
            content=row.tolist(), text=Text(title="beach" if video % 3 else "city", caption=f"clip {clip}"),
            fields={"year": 2000 + video}, extra={"at": [clip]},
        )
        for video, centre in enumerate(centres)
        for clip, row in enumerate(centre + 0.3 * rng.normal(size=(CLIPS, DIMENSION)))
    ]  # fmt: skip
    return records, (centres + 0.5 * rng.normal(size=centres.shape)).tolist()


RECORDS, QUERIES = crowded()


@pytest.fixture(scope="module")
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture(scope="module")
def search(store: CountingStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoSearch]:
    """Over the store; not to be changed."""
    folder = tmp_path_factory.mktemp("crowd")
    objects = LocalObjects(path=folder / "objects")
    stack = Stack(
        "crowd", store, ColourEmbedder(), objects, folder / "state", fields={"year": FieldType.INT},
        query_cache_mb=0,
    )  # fmt: skip
    with VideoSearch(stack, media) as search:
        search._opened(create=True).upsert(RECORDS)
        yield search


def pages(result: Result, most: int) -> list[Hit]:
    """The hits of the first pages."""
    found: list[Hit] = []
    for _ in range(most):
        found += result.hits
        result = result.more()
    return found


def told(hit: Hit) -> tuple[Any, ...]:
    """All that a hit tells."""
    members = tuple(told(member) for member in hit.members)
    return hit.record, pytest.approx(hit.score), hit.score_kind, members


ASKED: dict[str, dict[str, Any]] = {
    "a vector": {"vector": QUERIES[0]},
    "a vector with the clips of each video": {"vector": QUERIES[1], "clips": 3},
    "more clips than a round finds": {"vector": QUERIES[1], "clips": 30},
    "good hits only": {"vector": QUERIES[2], "min_score": 0.2},
    "a condition": {"vector": QUERIES[3], "where": {"field": "year", "op": ">=", "value": 2006}},
    "records that are no hits": {"like": ["4-0", "4-1", "7-3"], "clips": 2},
    "one channel": {"vector": QUERIES[4], "channels": "audio"},
    "ranks of two channels": {"vector": QUERIES[5], "channels": {"audio": 1.0, "visual": 0.5}},
    "words beside": {"vector": QUERIES[6], "lexical": "beach", "clips": 2},
    "all the videos that there are": {"vector": QUERIES[7], "limit": VIDEOS + 5},
    "videos unlike each other": {"vector": QUERIES[8], "diversity": 0.5},
}


@pytest.mark.parametrize("lean_rows", [0, 20, 400])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_the_planner_finds_what_the_store_would_group(
    search: VideoSearch, store: CountingStore, asked: dict[str, Any], lean_rows: int
) -> None:
    query = {"group_by": "video", "limit": 6, **asked}
    store.groups()
    expected = [told(hit) for hit in pages(search.search(**query), 2)]
    assert len(expected) > query["limit"] or len(expected) == VIDEOS
    store.leaves_grouping(lean_rows=lean_rows)
    assert [told(hit) for hit in pages(search.search(**query), 2)] == expected
    assert bool(store.reads.lean) == bool(lean_rows)


@pytest.mark.parametrize(
    ("lean_rows", "expected"),
    [
        (0, Reads(whole=[40, 360])),
        (20, Reads(lean=[40, 360], fetched=[10])),
        (400, Reads(lean=[400], fetched=[10])),
    ],
)
def test_ten_videos_of_a_hundred_clips_take_few_reads(
    search: VideoSearch, store: CountingStore, lean_rows: int, expected: Reads
) -> None:
    """Whole records are read of the first few rows at most; all others only say where they belong."""
    store.leaves_grouping(lean_rows=lean_rows)
    result = search.search(vector=QUERIES[0], group_by="video", limit=10)
    assert len({hit.video_id for hit in result}) == 10
    assert store.reads == expected


def test_a_bare_hit_is_one_that_was_made_with_nothing_more() -> None:
    assert Hit.bare(RECORDS[0], 0.5, ScoreKind.IP) == Hit(RECORDS[0], 0.5, ScoreKind.IP)


def test_a_hit_of_a_group_shares_nothing_with_the_store(search: VideoSearch, store: CountingStore) -> None:
    store.leaves_grouping(lean_rows=400)
    first = search.search(vector=QUERIES[0], group_by="video", limit=1).hits[0].record
    first.fields.clear()  # type: ignore[attr-defined]  # which a careless caller does
    first.extra["at"].append(1)  # type: ignore[attr-defined]
    again = search.search(vector=QUERIES[0], group_by="video", limit=1).hits[0].record
    assert again == next(replace(record, content=None) for record in RECORDS if record.id == again.id)


def test_a_page_of_videos_is_full_though_another_process_deletes_some(
    search: VideoSearch, store: CountingStore
) -> None:
    store.leaves_grouping(lean_rows=400)
    before = search.search(vector=QUERIES[9], group_by="video", limit=10)
    store.forgets = 3
    after = search.search(vector=QUERIES[9], group_by="video", limit=10)
    assert [hit.video_id for hit in after] == [hit.video_id for hit in before]
    gone = {hit.id for hit in before.hits[:3]}
    assert gone.isdisjoint(hit.id for hit in after)
    assert [told(hit) for hit in after.hits[3:]] == [told(hit) for hit in before.hits[3:]]
    assert store.reads == Reads(lean=[400, 400], fetched=[10, 10], whole=[40, 360])
    search._opened().upsert(record for record in RECORDS if record.id in gone)
