"""Nothing lost and nothing twice: busy and failing services, lost answers, and an index that lags behind."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.backends.vikingdb.limits import Pace, Rates
from polyreel.backends.vikingdb.options import Vectorize
from polyreel.core.deadline import RetryPolicy, within
from polyreel.core.errors import ConfigurationError, RateLimitedError, UnavailableError
from polyreel.core.filters import ALL, F
from polyreel.core.media import Media, Modality
from polyreel.core.records import Record
from polyreel.core.space import CollectionSpec
from polyreel.testing.vikingdb import Emulator, Fault, Part, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyreel.backends.vikingdb import VikingDBStore

    StoreOf = Callable[..., Callable[[], VikingDBStore]]

FAULTS = (
    Fault(status=429, code="TooManyRequests", retry_after=0.5),
    Fault(status=429, code="TooManyRequests"),
    Fault(status=500),
    Fault(status=500, applied=True),
    Fault(status=503, code="ServiceUnavailable", retry_after=2),
    Fault(cut=True),
    Fault(cut=True, applied=True),
    Fault(truncate=True),
    Fault(hang=0.4, applied=True),
)


class FakeClock:
    """Time that only passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)


def counted(parts: Sequence[Part], query: bool) -> list[float]:
    return [1.0, float(len(parts[0].data)), 2.0]


def video(n: int) -> Record:
    return Record(f"r{n}", f"v{n}", f"tos://b/{n}.mp4", content=Media(Modality.VIDEO, uri=f"tos://b/{n}.mp4"))


def media_spec(store: VikingDBStore) -> CollectionSpec:
    assert store.space is not None
    return CollectionSpec("clips", store.space, {}, store.vectorizes)


def test_of_200_upserts_with_faults_of_every_kind_none_is_lost_and_none_there_twice(
    store_of: StoreOf,
) -> None:
    clock = FakeClock()
    settings = Settings(
        vectorize=counted, resolve=lambda uri: uri.encode(), videos_per_second=1.0, clock=clock, lag=20.0
    )
    retry = RetryPolicy(attempts=6, sleep=clock.sleep)
    keys = {
        "vectorize": Vectorize(dimension=1024),
        "rates": Rates(),
        "retry": retry,
        "patience": 0.2,
        "clock": clock,
        "sleep": clock.sleep,
    }
    with emulating(settings) as emulator, store_of(emulator, **keys)() as store:
        store.open(media_spec(store), create=True)
        for n in range(60):
            emulator.faults.plan("data/upsert", FAULTS[n % len(FAULTS)], None, None)
        receipt = store.upsert(video(n) for n in range(200))
        assert emulator.faults.left == 0
        assert receipt.upserted == tuple(f"r{n}" for n in range(200))
        assert len(receipt.request_ids) == len(set(receipt.request_ids)) == 200
        kept = emulator.control.collections["clips"].rows
        assert sorted(kept) == sorted(receipt.upserted)
        clock.now += 30
        store.wait(receipt)
        assert store.count() == 200
        assert sorted(record.id for record in store.scan()) == sorted(receipt.upserted)
        assert clock.now - 1000 >= 199, "the videos came faster than the account allows"


def test_the_pace_alone_keeps_the_service_from_refusing(store_of: StoreOf) -> None:
    clock = FakeClock()
    settings = Settings(
        vectorize=counted, resolve=lambda uri: uri.encode(), videos_per_second=1.0, clock=clock
    )
    keys = {"rates": Rates(), "retry": RetryPolicy(attempts=1), "clock": clock, "sleep": clock.sleep}
    with emulating(settings) as emulator, store_of(emulator, **keys)() as store:
        store.open(media_spec(store), create=True)
        store.upsert(video(n) for n in range(30))
        assert len(emulator.bodies("data/upsert")) == 30
        assert 29 <= clock.now - 1000 < 31


def test_a_time_to_wait_that_the_service_names_is_kept(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    slept: list[float] = []
    with store_of(emulator, retry=RetryPolicy(sleep=slept.append))() as store:
        store.open(plain, create=True)
        emulator.faults.plan("data/agg", Fault(status=429, code="TooManyRequests", retry_after=7))
        assert store.count() == 0
    assert len(slept) == 1
    assert slept[0] >= 7


def test_a_service_that_is_silent_is_left_in_time(
    emulator: Emulator, store_of: StoreOf, plain: CollectionSpec
) -> None:
    with store_of(emulator, patience=0.5, retry=RetryPolicy(attempts=2, sleep=lambda _: None))() as store:
        store.open(plain, create=True)
        emulator.faults.plan("data/agg", Fault(hang=30), Fault(hang=30))
        with pytest.raises(UnavailableError, match="doesn't answer"):
            store.count()
        assert store.count() == 0


def test_a_service_that_is_not_there_is_one_clear_line(store_of: StoreOf, plain: CollectionSpec) -> None:
    with emulating() as emulator:
        make = store_of(emulator, retry=RetryPolicy(attempts=2, sleep=lambda _: None))
    with pytest.raises(UnavailableError, match=r"can't be reached: .*; check the network"), make() as store:
        store.open(plain, create=True)


# -- the index lags ---------------------------------------------------------------------------------------


@pytest.fixture
def lagging(store_of: StoreOf, plain: CollectionSpec) -> Any:
    clock = FakeClock()
    with emulating(Settings(lag=20, clock=clock)) as emulator, store_of(emulator)() as store:
        store.open(plain, create=True)
        yield store, emulator, clock


def row(id: str, year: int = 0) -> Record:
    return Record(id, "v", "u", content=[1.0, 2.0, 3.0, 4.0], fields={"year": year})


def test_waiting_ends_when_the_index_shows_each_kind_of_write(
    lagging: tuple[VikingDBStore, Emulator, FakeClock],
) -> None:
    store, _, clock = lagging
    writes: list[tuple[Callable[[], Any], Callable[[], bool]]] = [
        (lambda: store.upsert([row("a", 1), row("b", 1)]), lambda: store.count() == 2),
        (lambda: store.upsert([row("a", 2)]), lambda: store.count(F["year"] == 2) == 1),
        (lambda: store.update_fields(["b"], fields={"year": 3}), lambda: store.count(F["year"] == 3) == 1),
        (lambda: store.delete(["a"]), lambda: store.count() == 1),
        (lambda: store.delete(where=ALL), lambda: store.count() == 0),
    ]
    for write, shown in writes:
        receipt = write()
        assert not shown()
        with pytest.raises(UnavailableError, match="not ready"):
            store.wait(receipt, timeout=0.1)
        clock.now += 21
        store.wait(receipt, timeout=5)
        assert shown()


def test_waiting_gives_the_index_as_long_as_is_configured(store_of: StoreOf, plain: CollectionSpec) -> None:
    with emulating(Settings(lag=60)) as emulator, store_of(emulator, settle=0.2)() as store:
        store.open(plain, create=True)
        receipt = store.upsert([row("a")])
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="not ready"):
            store.wait(receipt)
        assert time.monotonic() - began < 20


def test_what_was_written_can_be_fetched_before_it_can_be_found(
    lagging: tuple[VikingDBStore, Emulator, FakeClock],
) -> None:
    store, _, _ = lagging
    store.upsert([row("a", 7)])
    assert store.fetch(["a"])["a"].fields == {"year": 7}
    assert store.count() == 0


def test_deleting_by_filter_waits_for_what_this_store_has_written(
    lagging: tuple[VikingDBStore, Emulator, FakeClock],
) -> None:
    store, emulator, clock = lagging
    store.upsert([row("a", 1), row("b", 2)])
    timer = threading.Timer(0.2, lambda: clock.sleep(21))
    timer.start()
    receipt = store.delete(where=F["year"] == 1)
    timer.join()
    assert receipt.deleted == ("a",)
    assert emulator.control.collections["clips"].rows.keys() == {"b"}


def test_waiting_survives_a_service_that_is_busy_for_a_while(
    lagging: tuple[VikingDBStore, Emulator, FakeClock],
) -> None:
    store, emulator, clock = lagging
    receipt = store.upsert([row("a")])
    clock.now += 21
    busy = Fault(status=429, code="TooManyRequests")
    emulator.faults.plan("fetch_in", busy, Fault(status=500), Fault(cut=True), None, Fault(truncate=True))
    store.wait(receipt, timeout=5)
    assert emulator.faults.left == 0
    assert store.count() == 1


# -- pacing -----------------------------------------------------------------------------------------------


def test_turns_are_spaced_and_threads_share_them() -> None:
    clock = FakeClock()
    pace = Pace(2.0, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        pace.turn()
    assert clock.now == pytest.approx(1002)
    clock.now += 100
    pace.turn(4)
    assert clock.now == pytest.approx(1102)
    pace.turn()
    assert clock.now == pytest.approx(1104)


def test_a_turn_that_comes_too_late_is_not_waited_for() -> None:
    clock = FakeClock()
    pace = Pace(0.1, clock=clock, sleep=clock.sleep)
    pace.turn()
    with within(5), pytest.raises(RateLimitedError) as caught:
        pace.turn()
    assert caught.value.retry_after == pytest.approx(10)
    assert clock.slept == []


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="videos"):
        Rates(videos=0)
