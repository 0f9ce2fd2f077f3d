"""Paid tasks: what is submitted, when, and what the journal has of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from polyreel.core.errors import (
    MediaError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from polyreel.core.journal import Journal
from polyreel.core.media import Media, Modality, VideoInfo
from polyreel.core.orders import Failed, Order, Pending, Segments, Ticket
from polyreel.core.recipe import Recipe
from polyreel.core.tasks import Pace, Spent, Tasks
from polyreel.testing.embedders import TaskColourEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyreel.core.embedder import Embedder

AGAIN = Failed("unstable", again=True)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    from polyreel import media

    media.render_samples(tmp_path, seconds=1.0, size=(64, 48), fps=10)
    path = tmp_path / "ball_a.mp4"
    return Order("v", Media(Modality.VIDEO, path=path), media.probe(path), Recipe())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


class Clock:
    """Sleeps in no time, and remembers how long it would have taken."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def tasks(embedder: Embedder, journal: Journal, clock: Clock | None = None, *, tries: int = 4) -> Tasks:
    return Tasks(embedder, journal, tries=tries, sleep=clock or Clock())


def work(embedder: Embedder, order: Order) -> str:
    return f"{embedder.space.key}/{order.recipe.key}"


def test_a_ticket_stays_in_the_journal_until_the_records_are_stored(order: Order, journal: Journal) -> None:
    embedder = TaskColourEmbedder()
    tasks(embedder, journal).result(order, Spent())
    task = journal.task("v", work(embedder, order))
    assert task is not None
    assert task.ticket == Ticket("task-1", "v")
    again = Spent()
    tasks(embedder, journal).result(order, again)  # as after a kill before the commit
    assert (embedder.submitted, again) == (["v"], Spent(1, 0))
    tasks(embedder, journal).finish(order)
    assert journal.task("v", work(embedder, order)) is None


def test_an_intent_without_a_ticket_is_looked_for_before_it_is_paid_again(
    order: Order, journal: Journal
) -> None:
    embedder = TaskColourEmbedder()
    journal.intend("v", work(embedder, order))
    embedder.submit(order)  # killed before the ticket was written
    spent = Spent()
    assert isinstance(tasks(embedder, journal).result(order, spent), Segments)
    assert (len(embedder.submitted), spent) == (1, Spent(1, 1))


@pytest.mark.parametrize("failure", [AGAIN, None])
def test_a_task_that_failed_for_the_moment_or_vanished_is_submitted_once_more(
    order: Order, journal: Journal, failure: Failed | None
) -> None:
    embedder, spent = TaskColourEmbedder(failures=[failure]), Spent()
    assert isinstance(tasks(embedder, journal).result(order, spent), Segments)
    assert (len(embedder.submitted), spent) == (2, Spent(2, 0))


def test_a_task_that_fails_for_good_is_not_submitted_again_in_this_run(
    order: Order, journal: Journal
) -> None:
    embedder = TaskColourEmbedder(failures=[Failed("the file is broken")])
    with pytest.raises(MediaError, match="the file is broken"):
        tasks(embedder, journal).result(order, Spent())
    assert len(embedder.submitted) == 1
    assert isinstance(tasks(embedder, journal).result(order, Spent()), Segments)
    assert len(embedder.submitted) == 2


def test_a_task_that_always_fails_for_the_moment_is_given_up(order: Order, journal: Journal) -> None:
    embedder = TaskColourEmbedder(failures=[AGAIN] * 9)
    with pytest.raises(UnavailableError, match="unstable"):
        tasks(embedder, journal, tries=3).result(order, Spent())
    assert len(embedder.submitted) == 3


def test_an_expired_ticket_is_not_asked_for(order: Order, journal: Journal) -> None:
    embedder = TaskColourEmbedder()
    journal.intend("v", work(embedder, order))
    journal.issued(work(embedder, order), Ticket("old", "v", expires=time.time() - 1))
    assert isinstance(tasks(embedder, journal).result(order, Spent()), Segments)
    assert embedder.submitted == ["v"]


def test_a_video_is_handed_over_once_and_released_when_it_is_stored(order: Order, journal: Journal) -> None:
    embedder = TaskColourEmbedder(uploads=True, failures=[AGAIN])
    run = tasks(embedder, journal)
    run.result(order, Spent())
    assert (embedder.uploads, len(embedder.submitted)) == (1, 2)
    assert list(embedder.uploaded) == ["colour://1"]
    run.finish(order)
    assert embedder.uploaded == {}
    assert journal.handed("v", work(embedder, order)) is None


def test_what_was_handed_over_and_is_gone_is_handed_over_anew_by_the_next_run(
    order: Order, journal: Journal
) -> None:
    embedder = TaskColourEmbedder(uploads=True)
    journal.hand("v", work(embedder, order), "colour://gone")
    with pytest.raises(PolyreelError, match="colour://gone"):
        tasks(embedder, journal).result(order, Spent())
    assert isinstance(tasks(embedder, journal).result(order, Spent()), Segments)


class Refusing(TaskColourEmbedder):
    """Raises what a test says before it does its work."""

    errors: list[PolyreelError]

    def _submit(self, order: Order) -> Ticket:
        if self.errors:
            raise self.errors.pop(0)
        return super()._submit(order)


def test_a_service_that_says_when_is_asked_then_and_nothing_is_counted(
    order: Order, journal: Journal
) -> None:
    embedder, clock, spent = Refusing(), Clock(), Spent()
    embedder.errors = [RateLimitedError("too many", retry_after=90.0)]
    assert isinstance(tasks(embedder, journal, clock).result(order, spent), Segments)
    assert 90.0 in clock.slept
    assert spent == Spent(1, 0)


def test_a_service_that_is_full_is_asked_until_it_has_a_place(order: Order, journal: Journal) -> None:
    embedder, clock, spent = Refusing(), Clock(), Spent()
    embedder.errors = [RateLimitedError("full", retry_after=40.0) for _ in range(20)]
    assert isinstance(tasks(embedder, journal, clock).result(order, spent), Segments)
    assert clock.slept.count(40.0) == 20
    assert spent == Spent(1, 0)


def test_a_service_that_is_asked_too_often_for_results_is_left_alone_for_a_while(
    order: Order, journal: Journal
) -> None:
    class Busy(TaskColourEmbedder):
        def _collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
            if len(clock.slept) < 9:
                raise RateLimitedError("too many", retry_after=300.0)
            return super()._collect(ticket, order)

    embedder, clock, spent = Busy(), Clock(), Spent()
    assert isinstance(tasks(embedder, journal, clock).result(order, spent), Segments)
    assert (clock.slept.count(300.0), len(embedder.submitted)) == (8, 1)


def test_a_quota_that_is_used_up_for_longer_than_there_is_time_is_told(
    order: Order, journal: Journal
) -> None:
    embedder, clock = Refusing(), Clock()
    embedder.errors = [RateLimitedError("the day's quota is used up", retry_after=7200.0)]
    with pytest.raises(RateLimitedError, match="quota"):
        tasks(embedder, journal, clock).result(order, Spent())
    assert clock.slept == []
    assert journal.task("v", work(embedder, order)) is None


def test_a_refused_order_leaves_no_intent(order: Order, journal: Journal) -> None:
    embedder = Refusing()
    embedder.errors = [RejectedError("no")]
    with pytest.raises(RejectedError):
        tasks(embedder, journal).result(order, Spent())
    assert journal.task("v", work(embedder, order)) is None


def test_a_task_that_is_never_done_keeps_its_ticket(order: Order, journal: Journal) -> None:
    embedder = TaskColourEmbedder(polls=10**6)
    run = Tasks(embedder, journal, timeout=0.1)
    with pytest.raises(UnavailableError, match="not done after"):
        run.result(order, Spent())
    task = journal.task("v", work(embedder, order))
    assert task is not None
    assert task.ticket is not None


def test_the_pace_follows_the_time_that_has_passed() -> None:
    pace = Pace(first=1.0, share=0.1, longest=30.0)
    assert 0.9 <= pace.wait(0.0, 60.0) <= 1.1
    assert 9.0 <= pace.wait(100.0, 60.0) <= 11.0
    assert 27.0 <= pace.wait(10_000.0, 60.0) <= 33.0
    passed, asked = 0.0, 0
    while passed < 3600:
        passed, asked = passed + pace.wait(passed, 60.0), asked + 1
    assert asked < 200


def test_the_pace_learns_how_long_tasks_take() -> None:
    pace = Pace(first=0.1, share=0.15, longest=300.0)
    for _ in range(3):
        pace.learn(19.0, 21.0, 10.0)  # two seconds for one of video
    assert pace.wait(0.0, 60.0) == pytest.approx(120.0)
    assert pace.wait(120.0, 60.0) < 10
    assert pace.wait(0.0, 600.0) == 300.0
    for _ in range(20):
        pace.learn(4.5, 5.5, 10.0)
    assert 29 <= pace.wait(0.0, 60.0) <= 32


def test_a_pace_that_asks_too_late_comes_back() -> None:
    pace, took = Pace(first=0.1, longest=300.0), 2.0
    pace.learn(40.0, 40.0, 10.0)  # some were slow
    for _ in range(30):
        ready = max(took, pace.wait(0.0, 10.0))
        pace.learn(0.0 if ready > took else took - 0.1, ready, 10.0)
    assert pace.wait(0.0, 10.0) < 1.3 * took


def test_a_known_pace_asks_twice_and_an_unknown_one_more_often(order: Order, journal: Journal) -> None:
    asked: list[int] = []
    pace = Pace(first=0.01)
    for _ in range(4):
        embedder = Lasting(0.4)
        Tasks(embedder, journal, pace=pace).result(order, Spent())
        journal.done("v", work(embedder, order))
        asked.append(embedder.asked)
    assert asked[0] > 8
    assert max(asked[1:]) < asked[0] / 2


class Lasting(TaskColourEmbedder):
    """Its tasks take so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(polls=0)
        self.asked = 0
        self._until = time.monotonic() + seconds

    def _collect(self, ticket: Ticket, order: Order) -> Pending | Failed | Segments:
        self.asked += 1
        return Pending() if time.monotonic() < self._until else super()._collect(ticket, order)


def test_a_video_is_probed_for_its_limits_before_it_is_handed_over(order: Order, journal: Journal) -> None:
    embedder = TaskColourEmbedder(uploads=True)
    info = VideoInfo(61_000, 640, 480, 25.0, "h264", "yuv420p", 0, "mp4", 1)
    long = Order("v", order.video, info, order.recipe)
    with pytest.raises(MediaError, match=r"61\.0 s long"):
        tasks(embedder, journal).result(long, Spent())
    assert (embedder.uploads, embedder.submitted) == (0, [])
