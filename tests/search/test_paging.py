"""Pages are whole and repeat nothing, however little a store gives at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.core.capabilities import Feature
from polyreel.core.records import Channel, Record, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyreel.core.result import Result
    from polyreel.core.space import CollectionMeta, CollectionSpec

    from .conftest import OpenSearch

QUERY = [1.0, *[0.1] * 12]


class MeagreStore(MemoryStore):
    """Gives at most 20 hits a search."""

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        self.can = replace(self.can, max_limit=20)
        return meta


class MeagreUngroupedStore(MeagreStore):
    """Nor does it group."""

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        self.can = replace(self.can, features=self.can.features - {Feature.GROUP})
        return meta


class ForgetfulStore(MemoryStore):
    """Another process deletes a hit between the search and the fetch."""

    def _fetch(self, ids: Sequence[str], vectors: bool) -> dict[str, Record]:
        return super()._fetch(ids[1:] if len(ids) > 1 else ids, vectors)


def all_pages(result: Result) -> list[str]:
    """The videos of this page and of all after it."""
    found = []
    while result.hits:
        found += [hit.video_id for hit in result]
        result = result.more()
    return found


def segment(at: int, *, distance: float, channel: Channel = Channel.FUSED, title: str = "") -> Record:
    vector = [1.0, 0.1 + distance, *[0.1] * 11]
    return Record(
        f"{at}-{channel}", f"v{at}", f"file:///v{at}.mp4", end_ms=1000, channel=channel, content=vector,
        text=Text(title=title),
    )  # fmt: skip


@pytest.mark.parametrize("store", [MeagreStore, MeagreUngroupedStore])
def test_groups_fill_a_page_that_takes_more_hits_than_a_search_gives(
    open_search: OpenSearch, store: type[MemoryStore]
) -> None:
    search = open_search(store=store())
    rng = np.random.default_rng(1)
    clips = (
        Record(
            f"{video}-{at}",
            f"v{video}",
            "file:///v",
            start_ms=at,
            end_ms=at + 1,
            content=list(rng.random(13)),
        )
        for video in range(50)
        for at in range(5)
    )
    search._opened(create=True).upsert(clips)
    whole = search.search(vector=QUERY, group_by="video", limit=40)
    assert len({hit.video_id for hit in whole}) == len(whole) == 40
    assert len(set(all_pages(whole))) == 50
    small = all_pages(search.search(vector=QUERY, group_by="video", limit=9))
    assert len(small) == len(set(small)) == 50


def test_fused_groups_may_be_as_many_as_a_search_gives_hits(open_search: OpenSearch) -> None:
    search = open_search(store=MeagreStore())
    search._opened(create=True).upsert(segment(at, distance=at / 10, title="beach") for at in range(30))
    result = search.search(vector=QUERY, lexical="beach", group_by="video", limit=15)
    assert len(result) == 15


def test_a_segment_is_shown_once_though_another_of_its_rows_is_found_later(open_search: OpenSearch) -> None:
    """The words find its sound on the first page, the vector its picture in the deeper pool of the second."""
    search = open_search(store=MemoryStore())
    sought = [
        segment(999, distance=2.0, channel=Channel.VISUAL, title="beach"),
        segment(999, distance=3.0, channel=Channel.AUDIO, title="beach"),
    ]
    others = (segment(at, distance=at / 100) for at in range(100))
    search._opened(create=True).upsert([*sought, *others])
    first = search.search(vector=QUERY, lexical="beach", limit=20)
    assert "v999" in [hit.video_id for hit in first]
    shown = all_pages(first)
    assert len(shown) == len(set(shown)) == 101


def test_a_hit_that_is_deleted_meanwhile_is_no_crash(open_search: OpenSearch) -> None:
    search = open_search(store=ForgetfulStore())
    search._opened(create=True).upsert(segment(at, distance=at / 10) for at in range(5))
    result = search.search(vector=QUERY, like="0-fused", limit=3)
    assert len(result) == 3
    assert [hit.similarity for hit in result] == [{}, {}, {}]
