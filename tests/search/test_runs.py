"""Runs over many videos: memory, stopping, retrying what failed, estimates."""

from __future__ import annotations

import gc
import itertools
import shutil
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.cli.progress import estimated
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import UnavailableError
from polyreel.core.rates import Estimate, Rate
from polyreel.core.recipe import Recipe, Segmentation
from polyreel.core.report import Outcome, VideoReport
from polyreel.core.running import KeyLocks, Stop, concurrently
from polyreel.testing.embedders import ClipColourEmbedder, ColourEmbedder, TaskColourEmbedder

from .conftest import write_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from polyreel.core.embedder import ClipInput, Embedded, Embedder
    from polyreel.core.space import CollectionMeta, CollectionSpec

    from .conftest import OpenSearch

# -- the pool ------------------------------------------------------------------------------------------------


def test_items_are_taken_only_as_the_workers_need_them() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = concurrently(lambda number: number * 2, items(), workers=2, stop=Stop())
    first = next(results)
    assert first in range(0, 20, 2)
    assert 1 <= len(taken) <= 8
    assert sorted([first, *results]) == list(range(0, 200, 2))


def test_a_stop_lets_work_in_flight_finish_and_begins_nothing_new() -> None:
    stop, begun, release = Stop(), threading.Semaphore(0), threading.Event()
    worked: list[int] = []

    def work(number: int) -> int:
        begun.release()
        assert release.wait(10)
        worked.append(number)
        return number

    def ask() -> None:
        for _ in range(2):
            begun.acquire()
        assert stop.in_flight == 2
        stop.ask()
        release.set()

    asking = threading.Thread(target=ask)
    asking.start()
    done = list(concurrently(work, range(50), workers=2, stop=stop))
    asking.join()
    assert sorted(done) == sorted(worked) == [0, 1]
    assert stop.in_flight == 0


def test_a_closed_run_waits_for_what_has_begun_drops_the_rest_and_leaves_no_thread() -> None:
    release, begun, finished = threading.Event(), threading.Semaphore(0), []

    def work(number: int) -> int:
        begun.release()
        if number > 1:
            assert release.wait(10)
        finished.append(number)
        return number

    results = concurrently(work, range(1, 50), workers=2, stop=Stop())
    assert next(results) == 1
    for _ in range(3):
        assert begun.acquire(timeout=10)
    timer = threading.Timer(0.2, release.set)
    timer.start()
    results.close()
    assert sorted(finished) == [1, 2, 3]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("polyreel-ingest")]


def test_a_lock_that_nobody_holds_is_forgotten() -> None:
    locks, inside, most = KeyLocks(), [0], [0]

    def work(number: int) -> None:
        for turn in range(50):
            with locks.held("one" if turn % 2 else f"{number}/{turn}"):
                if turn % 2:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert len(locks) == 0


# -- stopping ------------------------------------------------------------------------------------------------


def test_a_stopped_run_reports_what_was_done_and_the_next_one_goes_on(
    open_search: OpenSearch, videos: Path
) -> None:
    search, stop = open_search(), Stop()
    report = search.ingest(videos, workers=1, listener=lambda _: stop.ask(), stop=stop)
    assert report.stopped
    assert 1 <= len(report.videos) < 3
    assert report.to_json()["stopped"] is True
    again = search.ingest(videos)
    assert not again.stopped
    assert again.counts["skipped"] == len(report.videos)
    assert search.count() == 9


def test_ctrl_c_without_the_command_line_leaves_no_thread_and_whole_videos(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search()

    def interrupted(_: VideoReport) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.ingest(videos, workers=2, listener=interrupted)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("polyreel-ingest")]
    begun = len(search.videos())
    assert 1 <= begun <= 3
    assert search.ingest(videos).counts.get("skipped") == begun
    assert search.count() == 9


# -- what failed ---------------------------------------------------------------------------------------------


class FailingEmbedder(ColourEmbedder):
    """Fails while it is told to."""

    fails = True

    def __init__(self) -> None:
        super().__init__()
        self._retry = type(self._retry)(attempts=1)

    def _embed_frames(self, clips: Sequence[ClipInput]) -> list[Embedded]:
        if self.fails:
            raise UnavailableError("the embedder went away")
        return super()._embed_frames(clips)


def test_what_failed_is_remembered_and_taken_again_until_it_succeeds(
    open_search: OpenSearch, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = FailingEmbedder()
    search = open_search(embedder=embedder)
    embedder.fails = False
    search.ingest(videos / "sea.mp4")
    embedder.fails = True
    monkeypatch.chdir(videos)
    assert search.ingest("chess.mp4").counts == {"failed": 1}
    (failure,) = search.failures()
    assert failure.path == str(videos / "chess.mp4")
    assert "the embedder went away" in failure.reason
    assert failure.failed == pytest.approx(time.time(), abs=60)
    search.close()

    monkeypatch.chdir("/")
    search = open_search(embedder=embedder)
    assert search.ingest(retry_failed=True).counts == {"failed": 1}
    embedder.fails = False
    report = search.ingest(retry_failed=True)
    assert [(video.path, video.outcome) for video in report.videos] == [
        (str(videos / "chess.mp4"), Outcome.INGESTED)
    ]
    assert search.failures() == []
    assert search.ingest(retry_failed=True).videos == ()


def test_of_given_paths_only_those_that_failed_are_taken_again(open_search: OpenSearch, videos: Path) -> None:
    embedder = FailingEmbedder()
    search = open_search(embedder=embedder)
    search.ingest(videos / "sea.mp4", videos / "chess.mp4")
    embedder.fails = False
    other = write_clip(videos / "deep" / "own.mp4", ["red", "blue"])
    search.ingest(videos / "sea.mp4")
    assert [failure.path for failure in search.failures()] == [str(videos / "chess.mp4")]
    assert search.ingest(other.parent, retry_failed=True).videos == ()
    (video,) = search.ingest(videos, retry_failed=True).videos
    assert video.path == str(videos / "chess.mp4")


def test_what_is_not_there_is_not_remembered_and_what_went_away_is_forgotten(
    open_search: OpenSearch, videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (videos / "broken.mp4").write_text("this is text")
    search = open_search()
    report = search.ingest(videos / "broken.mp4", videos / "missing.mp4", tmp_path / "empty")
    assert report.counts == {"failed": 3}
    assert [failure.path for failure in search.failures()] == [str(videos / "broken.mp4")]
    (videos / "broken.mp4").unlink()
    assert search.ingest(retry_failed=True).counts == {"failed": 1}
    assert search.failures() == []


def test_a_dry_run_forgets_no_failure(open_search: OpenSearch, videos: Path) -> None:
    search = open_search(embedder=FailingEmbedder())
    search.ingest(videos / "sea.mp4")
    assert search.ingest(retry_failed=True, dry_run=True).counts == {"ingested": 1}
    assert len(search.failures()) == 1


# -- estimates -----------------------------------------------------------------------------------------------


def test_a_rate_gives_cost_and_time_and_says_what_it_does_not_know() -> None:
    rate = Rate(price_per_minute=0.6, price_per_request=0.01, currency="USD", speed=4.0)
    one = rate.estimate(seconds=90, clips=18, requests=3)
    assert one.cost == pytest.approx(0.93)
    assert one.seconds == pytest.approx(22.5)
    unknown = Rate().estimate(seconds=90, clips=18, requests=3)
    assert (unknown.cost, unknown.seconds) == (None, None)
    assert Rate(price_per_request=2).estimate(seconds=90, clips=18, requests=3).cost == 6
    assert Rate(price_per_minute=0).estimate(seconds=90, clips=18, requests=3).cost == 0
    both = sum([one, one], Estimate())
    assert both.cost == pytest.approx(1.86)
    assert (both.clips, both.video_seconds, both.currency) == (36, 180, "USD")
    assert (one + unknown).cost is None
    assert (one + unknown).to_json()["seconds"] is None


@pytest.mark.parametrize(
    ("embedder", "requests"),
    [(ColourEmbedder(), 2), (ClipColourEmbedder(), 2), (TaskColourEmbedder(), 1)],
    ids=["frames", "clip files", "whole video"],
)
def test_a_dry_run_estimates_each_video_and_all(
    open_search: OpenSearch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    embedder: Embedder,
    requests: int,
) -> None:
    long = write_clip(tmp_path / "own" / "long.mp4", ["red", "blue"] * 5)  # 20 s, 40 clips of 0.5 s
    write_clip(tmp_path / "own" / "short.mp4", ["green"], seconds=1.0)
    monkeypatch.setattr(type(embedder), "max_batch", 20)
    search = open_search(embedder=embedder, recipe=Recipe(window=0.5, shortest=0.2))
    rate = Rate(price_per_request=0.5, currency="EUR", speed=10)
    search.stack = replace(search.stack, rate=rate)
    report = search.ingest(tmp_path / "own", dry_run=True)
    estimates = {video.path: video.estimate for video in report.videos}
    whole = estimates[str(long)]
    assert whole is not None
    assert (whole.clips, whole.requests, whole.cost) == (40, requests, requests * 0.5)
    assert whole.video_seconds == pytest.approx(20, abs=0.2)
    total = report.estimate
    assert total is not None
    assert (total.clips, total.requests) == (42, requests + 1)
    assert total.seconds == pytest.approx(2.1, abs=0.05)
    document = report.to_json()
    assert document["estimate"] == total.to_json()
    assert all(video["estimate"] for video in document["videos"])  # type: ignore[attr-defined]


def test_only_what_would_be_embedded_is_estimated(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    search.ingest(videos)
    (videos / "sea.json").write_text('{"caption": "waves"}')
    report = search.ingest(videos, dry_run=True)
    assert report.counts == {"skipped": 2, "updated": 1}
    assert report.estimate == Estimate()
    assert [video.estimate for video in report.videos] == [None] * 3
    search.close()
    finer = open_search(recipe=Recipe(window=1.0))
    estimate = finer.ingest(videos, dry_run=True).estimate
    assert estimate is not None
    assert estimate.clips == 12
    assert estimate.cost is None


def test_a_dry_run_over_shots_says_that_it_counts_windows(open_search: OpenSearch, videos: Path) -> None:
    shots = Recipe(window=2.0, segmentation=Segmentation.SHOTS)
    for recipe, approximate in ((Recipe(window=2.0), False), (shots, True)):
        search = open_search(recipe=recipe)
        estimate = search.ingest(videos, dry_run=True).estimate
        assert estimate is not None
        assert estimate.approximate is approximate
        assert estimate.to_json()["approximate"] is approximate
        assert ("about 6 clips, about 3 requests" in estimated(estimate)) is approximate
        search.close()


# -- the report ----------------------------------------------------------------------------------------------


def test_without_details_only_what_went_wrong_is_held_and_the_sums_stay(
    open_search: OpenSearch, videos: Path
) -> None:
    (videos / "broken.mp4").write_text("this is text")
    search = open_search()
    heard: list[VideoReport] = []
    report = search.ingest(videos, details=False, listener=heard.append)
    assert len(heard) == 4
    assert [video.path for video in report.videos] == [str(videos / "broken.mp4")]
    assert report.counts == {"ingested": 3, "failed": 1}
    assert not report.ok
    assert (report.totals.records, report.totals.embedded) == (9, 6)
    assert report.to_json()["records"] == 9


def test_a_run_without_details_holds_no_video(open_search: OpenSearch, videos: Path) -> None:
    search = open_search()
    alive: list[int] = []
    heard = itertools.count(1)

    def listener(video: VideoReport) -> None:
        if next(heard) % 5 == 0:  # what is held would pile up, and each look at all objects takes long
            gc.collect()
            alive.append(sum(isinstance(each, VideoReport) for each in gc.get_objects()))

    for number in range(20):
        shutil.copy(videos / "sea.mp4", videos / f"sea{number}.mp4")
    report = search.ingest(videos, workers=1, details=False, listener=listener)
    assert sum(report.counts.values()) == 23
    assert len(alive) == 4
    assert max(alive) <= 4


class ReadingEmbedder(ColourEmbedder):
    """Reads the text, and can't swap it."""

    reads_text = True


def test_a_new_caption_is_estimated_where_the_embedder_reads_it(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search(embedder=ReadingEmbedder())
    search.ingest(videos)
    (videos / "sea.json").write_text('{"caption": "waves"}')
    estimate = search.ingest(videos, dry_run=True).estimate
    assert estimate is not None
    assert estimate.clips == 1
    assert sum(video.embedded for video in search.ingest(videos).videos) == 1


# -- memory --------------------------------------------------------------------------------------------------


def test_a_report_of_a_video_is_small(open_search: OpenSearch, videos: Path) -> None:
    import tracemalloc

    search = open_search(store=MemoryStore())
    search.ingest(videos)
    gc.collect()
    tracemalloc.start()
    try:
        kept = [search.ingest(videos) for _ in range(20)]
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) * 3 == 60
    assert size / 60 < 3000  # bytes, with all that a run of three videos leaves behind


class SettlingStore(MemoryStore):
    """Says how it was settled; fails where it is told to."""

    def __init__(self, *, flush_each: bool, fails: bool = False) -> None:
        super().__init__(retry=RetryPolicy(attempts=1))
        self.flush_each, self.fails = flush_each, fails
        self.calls: list[str] = []

    def _open(self, spec: CollectionSpec) -> CollectionMeta | None:
        meta = super()._open(spec)
        self.can = replace(self.can, flush_each=self.flush_each)
        return meta

    def _flush(self) -> None:
        self.calls.append("flush")

    def _optimize(self, progress: Callable[[float], None]) -> None:
        self.calls.append("optimize")
        if self.fails:
            raise UnavailableError("the index went away")
        progress(0.5)
        progress(1.0)


@pytest.mark.parametrize(("flush_each", "flushes"), [(True, 4), (False, 1)])
def test_an_ingest_settles_the_store_once_or_after_each_video(
    open_search: OpenSearch, videos: Path, *, flush_each: bool, flushes: int
) -> None:
    store = SettlingStore(flush_each=flush_each)
    heard: list[float] = []
    assert open_search(store=store).ingest(videos, optimizing=heard.append).ok
    assert store.calls == ["flush"] * flushes + ["optimize"]
    assert heard == [0.5, 1.0]


def test_an_ingest_leaves_indexes_alone_when_asked(open_search: OpenSearch, videos: Path) -> None:
    store = SettlingStore(flush_each=False)
    assert open_search(store=store).ingest(videos, optimize=False).ok
    assert store.calls == ["flush"]


def test_what_fails_after_the_videos_are_in_stands_in_the_report(
    open_search: OpenSearch, videos: Path
) -> None:
    search = open_search(store=SettlingStore(flush_each=True, fails=True))
    report = search.ingest(videos)
    assert not report.ok
    assert report.unsettled == "the index went away"
    assert report.to_json()["unsettled"] == "the index went away"
    assert report.counts == {"ingested": 3}
    assert search.ingest(videos).counts == {"skipped": 3}
