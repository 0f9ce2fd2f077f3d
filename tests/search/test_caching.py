"""Vectors of queries are kept on the disk, answers in memory: when they serve, and when they must not."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyreel import media
from polyreel.backends.memory import MemoryStore
from polyreel.core.cache_keys import parts_key
from polyreel.core.capabilities import Feature
from polyreel.core.embedder import Embedded
from polyreel.core.errors import InvalidQueryError
from polyreel.core.filters import F
from polyreel.core.media import Media, Modality
from polyreel.core.query_cache import QueryCache
from polyreel.core.result_cache import MAX_AGE, MAX_ANSWERS, ResultCache
from polyreel.core.search import VideoSearch
from polyreel.testing.embedders import ColourEmbedder

from .conftest import write_clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyreel.core.result import Result
    from polyreel.core.space import CollectionMeta, CollectionSpec

    from .conftest import OpenSearch, PictureOf


class Counting(ColourEmbedder):
    """Counts the queries that it embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        self.asked += 1
        return replace(super()._embed_query(parts), usage={"calls": 1})


class CountingStore(MemoryStore):
    """Counts the searches, and may serve several processes."""

    shared = False
    searches = 0

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        if self.shared:
            self.can = replace(self.can, features=self.can.features | {Feature.SHARED})
        return meta

    def _search(self, requests: Any) -> Any:
        self.searches += len(requests)
        return super()._search(requests)


class SharedStore(CountingStore):
    shared = True


def keeping(search: VideoSearch) -> VideoSearch:
    """The same stack, with answers kept."""
    search.close()
    return VideoSearch(replace(search.stack, cache_results=True), media)


@pytest.fixture
def embedder() -> Counting:
    return Counting()


@pytest.fixture
def search(open_search: OpenSearch, videos: Path, embedder: Counting, tmp_path: Path) -> VideoSearch:
    opened = open_search(embedder=embedder, store=CountingStore(path=tmp_path / "store"))
    opened.ingest(videos)
    return opened


# -- vectors of queries -----------------------------------------------------------------------------------


def test_a_query_is_embedded_once(search: VideoSearch, embedder: Counting, picture: PictureOf) -> None:
    first = search.search(image=picture("red"))
    again = search.search(image=picture("red"))
    assert embedder.asked == 1
    assert [(hit.id, hit.score) for hit in again] == [(hit.id, hit.score) for hit in first]
    assert (first.explain["cached"], again.explain["cached"]) == (0, 1)
    assert (first.usage, again.usage) == ({"calls": 1}, {})
    assert first.timing["embed"] > 0
    assert again.timing["embed"] == 0
    assert again.timing["cache"] > 0


def test_another_process_uses_what_this_one_embedded(
    search: VideoSearch, open_search: OpenSearch, embedder: Counting, picture: PictureOf
) -> None:
    search.search(image=picture("red"))
    search.close()
    later = Counting()
    assert open_search(embedder=later).search(image=picture("red")).explain["cached"] == 1
    assert later.asked == 0


def test_a_file_with_another_content_is_another_query(
    search: VideoSearch, embedder: Counting, picture: PictureOf, tmp_path: Path
) -> None:
    file = tmp_path / "query.jpg"
    for colour in ("red", "blue"):
        file.write_bytes(picture(colour).read_bytes())
        best = search.search(image=file, limit=1).hits[0]
        assert best.uri.endswith({"red": "traffic.mp4", "blue": "sea.mp4"}[colour])
    assert embedder.asked == 2
    (tmp_path / "elsewhere.jpg").write_bytes(file.read_bytes())
    search.search(image=tmp_path / "elsewhere.jpg")
    assert embedder.asked == 2


def test_each_part_of_a_sum_is_kept_by_itself(
    search: VideoSearch, embedder: Counting, picture: PictureOf
) -> None:
    search.search(image=[picture("red"), picture("blue")])
    assert search.search(image=[picture("blue"), picture("green")]).explain["cached"] == 1
    assert embedder.asked == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "grid2"},
        {"version": "2"},
        {"dimension": 14},
        {"kind": "other"},
        {"templates": {"query": "find: {query}"}},
    ],
)
def test_another_space_never_meets_it(changed: dict[str, Any]) -> None:
    one, other = Counting(), Counting()
    parts = [Media(Modality.TEXT, text="sea")]
    assert parts_key(one, parts) == parts_key(other, parts)
    other.space = replace(other.space, **changed)
    assert parts_key(one, parts) != parts_key(other, parts)


def test_what_decides_beside_the_space_is_part_of_the_key() -> None:
    one, other = Counting(), Counting()
    other.query_settings = {"fps": 2.0}
    parts = [Media(Modality.TEXT, text="sea")]
    assert parts_key(one, parts) != parts_key(other, parts)


def test_the_span_the_order_and_the_kind_of_parts_count(tmp_path: Path) -> None:
    embedder = Counting()
    file = tmp_path / "a"
    file.write_bytes(b"content")
    video, image = Media(Modality.VIDEO, path=file), Media(Modality.IMAGE, path=file)
    different = [
        [video],
        [image],
        [replace(video, start_ms=1)],
        [replace(video, end_ms=1)],
        [replace(video, fps=1.0)],
        [video, image],
        [image, video],
    ]
    keys = [parts_key(embedder, parts) for parts in different]
    assert None not in keys
    assert len(set(keys)) == len(different)


def test_what_lies_behind_an_address_is_not_known_and_not_kept() -> None:
    assert parts_key(Counting(), [Media(Modality.IMAGE, uri="https://example.com/a.jpg")]) is None


def test_a_query_cannot_be_read_out_of_the_file(tmp_path: Path) -> None:
    cache = QueryCache(tmp_path / "cache", 1 << 20)
    key = parts_key(Counting(), [Media(Modality.TEXT, text="a very private question")])
    assert key
    cache.put(key, [1.0] * 13)
    cache.close()
    assert all(b"private" not in file.read_bytes() for file in tmp_path.iterdir())


def test_the_file_stays_within_its_bound_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    limit = 512 << 10
    cache = QueryCache(tmp_path / "cache", limit)
    cache.put(b"favourite", [0.5] * 768)
    for number in range(300):  # 1.8 MB
        cache.put(f"other {number}".encode(), [float(number)] * 768)
        assert cache.get(b"favourite", 768) == [0.5] * 768
    cache.close()
    assert (tmp_path / "cache").stat().st_size < limit * 1.2
    again = QueryCache(tmp_path / "cache", limit)
    assert again.get(b"other 299", 768) == [299.0] * 768
    assert again.get(b"other 0", 768) is None
    again.close()


def test_a_broken_file_costs_the_cache_and_not_the_search(
    search: VideoSearch, open_search: OpenSearch, picture: PictureOf, tmp_path: Path
) -> None:
    search.search(image=picture("red"))
    search.close()
    (file,) = (tmp_path / "state").glob("query-vectors.sqlite")
    file.write_bytes(b"no database at all" * 1000)
    assert len(open_search().search(image=picture("red"), limit=2)) == 2


def test_a_vector_that_was_cut_short_is_not_used(tmp_path: Path) -> None:
    with QueryCacheFile(tmp_path) as cache:
        cache.put(b"key", [1.0, 2.0])
        assert cache.get(b"key", 3) is None
        assert cache.get(b"key", 2) == [1.0, 2.0]


class QueryCacheFile:
    """A cache in a folder, closed afterwards."""

    def __init__(self, folder: Path) -> None:
        self._cache = QueryCache(folder / "cache", 1 << 20)

    def __enter__(self) -> QueryCache:
        return self._cache

    def __exit__(self, *error: object) -> None:
        self._cache.close()
        self._cache.close()


def test_a_folder_that_cannot_be_written_costs_the_cache_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = QueryCache(tmp_path / "file" / "cache", 1 << 20)
    cache.put(b"key", [1.0])
    assert cache.get(b"key", 1) is None
    cache.close()


def test_threads_share_one_cache(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    with QueryCacheFile(tmp_path) as cache:

        def work(seed: int) -> None:
            try:
                for number in range(50):
                    key = f"{(seed * 7 + number) % 20}".encode()
                    cache.put(key, [float(key)] * 8)
                    assert cache.get(key, 8) in (None, [float(key)] * 8)
            except BaseException as error:  # noqa: BLE001  # told to the test below
                failures.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_nothing_is_kept_where_it_is_turned_off(
    search: VideoSearch, embedder: Counting, picture: PictureOf, tmp_path: Path
) -> None:
    search.close()
    with VideoSearch(replace(search.stack, query_cache_mb=0), media) as off:
        for _ in range(2):
            assert off.search(image=picture("red")).explain["cached"] == 0
    assert embedder.asked == 2
    assert not (tmp_path / "state" / "query-vectors.sqlite").exists()


def test_a_picture_beside_words_is_embedded_once_where_nothing_is_kept(
    search: VideoSearch, embedder: Counting, picture: PictureOf
) -> None:
    search.close()
    with VideoSearch(replace(search.stack, query_cache_mb=0), media) as off:
        result = off.search(image=picture("red"), lexical="red")
    assert set(result.hits[0].similarity) == {"image", "lexical"}
    assert result.usage == {"calls": 1}
    assert embedder.asked == 1


def test_a_search_that_was_closed_leaves_no_file_open(search: VideoSearch, tmp_path: Path) -> None:
    search.search(vector=[1.0] * 13)
    assert "query-vectors.sqlite" in _open_files(tmp_path)
    search.close()
    with pytest.raises(InvalidQueryError, match="is closed"):
        search.search("sea")
    assert _open_files(tmp_path) == set()


def _open_files(folder: Path) -> set[str]:
    """Names of the files of a folder that this process holds."""
    held = {file.resolve() for file in Path("/proc/self/fd").iterdir()}
    return {file.name for file in held if file.is_relative_to(folder)}


# -- answers ----------------------------------------------------------------------------------------------


def searches(search: VideoSearch) -> int:
    store = search.stack.store
    assert isinstance(store, CountingStore)
    return store.searches


def test_answers_are_kept_only_if_asked_for(search: VideoSearch, picture: PictureOf) -> None:
    for _ in range(2):
        search.search(image=picture("red"))
    assert searches(search) == 2


def test_the_same_question_is_answered_from_memory(search: VideoSearch, picture: PictureOf) -> None:
    with keeping(search) as kept:
        first = kept.search(image=picture("red"), limit=2, where=F.start >= 0)
        again = kept.search(image=picture("red"), limit=2, where=F.start >= 0)
        assert searches(kept) == 1
        assert again.hits == first.hits
        assert "answer" not in first.explain
        assert again.explain["answer"] == "cached"
        assert again.usage == {}
        assert again.timing["search"] == 0 < again.timing["total"]
        assert [hit.id for hit in again.more()] == [hit.id for hit in first.more()]
        assert searches(kept) == 2  # the second page, once


def test_what_a_caller_writes_into_an_answer_is_not_in_the_next_one(
    search: VideoSearch, picture: PictureOf
) -> None:
    red = picture("red")
    with keeping(search) as kept:
        result = kept.search(image=red, group_by="video", clips=2)
        for _ in range(3):
            for each in _mappings(result):
                each["mine"] = 1.0
            result = kept.search(image=red, group_by="video", clips=2)
            assert result.explain["answer"] == "cached"
            assert not any("mine" in each for each in _mappings(result))


def _mappings(result: Result) -> list[Any]:
    """What a caller could write into."""
    found = [result.hits[0], *result.hits[0].members]
    own = [each for hit in found for each in (hit.record.fields, hit.record.extra, hit.similarity)]
    return [result.explain["parts"], *own]


@pytest.mark.parametrize(
    "other",
    [
        {"limit": 3},
        {"where": F.start >= 2},
        {"scope": None},
        {"group_by": "video"},
        {"min_score": 0.1},
        {"exact": True},
    ],
)
def test_another_question_is_asked(search: VideoSearch, picture: PictureOf, other: dict[str, Any]) -> None:
    with keeping(search) as kept:
        kept.search(image=picture("red"), limit=2)
        before = searches(kept)
        kept.search(image=picture("red"), **{"limit": 2, **other})
        assert searches(kept) == before + 1


def test_a_write_of_this_process_is_seen_at_once(
    search: VideoSearch, picture: PictureOf, tmp_path: Path
) -> None:
    with keeping(search) as kept:
        red = picture("red")
        assert len(kept.search(image=red, group_by="video")) == 3
        kept.ingest(write_clip(tmp_path / "more" / "red.mp4", ["red"]))
        assert len(kept.search(image=red, group_by="video")) == 4
        kept.delete(kept.videos()[0].video_id)
        assert len(kept.search(image=red, group_by="video")) == 3
        (hit, *_) = kept.search(image=red)
        kept.stack.store.update_fields([hit.id], fields={"year": 2030})
        assert kept.search(image=red).hits[0].record.fields["year"] == 2030


def test_a_write_of_others_is_seen_by_the_number_of_records_or_after_a_while(
    open_search: OpenSearch, videos: Path, picture: PictureOf
) -> None:
    search = open_search(embedder=Counting(), store=SharedStore())
    search.ingest(videos)
    store, now = search.stack.store, [0.0]
    assert isinstance(store, CountingStore)
    answers = ResultCache(clock=lambda: now[0])
    planner = replace(search._planner(), answers=answers)
    queries = [_query(picture)]

    def hits() -> int:
        return len(planner.answer(queries)[0].hits)

    assert (hits(), hits(), store.searches) == (6, 6, 1)
    store._delete([next(store.scan(F.scope == "clip")).id])  # as from another process
    assert (hits(), store.searches) == (5, 2)
    (first, *_) = store.scan(F.scope == "clip")
    store._update([first.id], _patch())
    assert (hits(), store.searches) == (5, 2)  # not seen yet: the documented limit
    now[0] = MAX_AGE + 1
    assert (hits(), store.searches) == (5, 3)


def _query(picture: PictureOf) -> Any:
    from polyreel.core.query import Query

    return Query(image=picture("red"))


def _patch() -> Any:
    from polyreel.core.requests import Patch

    return Patch(uri="file:///moved.mp4")


def test_an_answer_that_a_write_overtook_is_not_kept(search: VideoSearch, picture: PictureOf) -> None:
    with keeping(search) as kept:
        planner, store = kept._planner(), kept.stack.store
        queries = [_query(picture)]
        answers = planner.answers
        assert answers is not None

        def ask(asked: Any, seen: Any) -> Any:
            pages = planner._asked(asked, seen)
            store.delete(where=F.start >= 2)
            return pages

        assert len(answers.through(store, queries, (), ask)[0].hits) == 6
        assert len(planner.answer(queries)[0].hits) == 3


def test_no_more_answers_are_kept_than_a_bound(search: VideoSearch) -> None:
    with keeping(search) as kept:
        for number in range(MAX_ANSWERS + 5):
            kept.search(vector=[1.0] * 12 + [float(number)], limit=1)
        answers = kept._planner().answers
        assert answers is not None
        assert len(answers._kept) == MAX_ANSWERS
