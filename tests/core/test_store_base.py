"""What the base of the stores does round every hook: retries, deadlines, translation, batches, thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.core.deadline import RetryPolicy, time_left, within
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filters import ALL
from polyreel.core.requests import (
    NearVector,
    SearchRequest,
)
from polyreel.testing.scripted import META, SPEC, DriverError, ScriptedStore, row

if TYPE_CHECKING:
    from collections.abc import Callable

NEAR = NearVector([1.0, 0.0])


class Clock:
    """A sleep that only remembers, and moves the clock that deadlines read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        monkeypatch.setattr("polyreel.core.deadline.time.monotonic", lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def make(clock: Clock) -> Callable[..., ScriptedStore]:
    """Makes open stores whose sleep is the clock's."""

    def make(*, timeout: float = 60, attempts: int = 4, **settings: Any) -> ScriptedStore:
        retry = RetryPolicy(attempts=attempts, base=0.5, cap=8, sleep=clock.sleep)
        store = ScriptedStore(timeout=timeout, retry=retry, **settings)
        store.open(SPEC, create=False)
        store.calls.clear()
        return store

    return make


@pytest.fixture
def store(make: Callable[..., ScriptedStore]) -> ScriptedStore:
    return make()


def names(store: ScriptedStore) -> list[str]:
    return [call[0] for call in store.calls]


# -- retries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [UnavailableError("down"), RateLimitedError("slow"), DriverError("down")])
def test_a_retryable_error_is_tried_again_until_it_works(
    store: ScriptedStore, clock: Clock, error: Exception
) -> None:
    store.script = [error, error, 7]
    assert store.count() == 7
    assert names(store) == ["count"] * 3
    assert len(clock.slept) == 2
    assert all(0 <= seconds <= 8 for seconds in clock.slept)


def test_the_last_error_is_raised_when_attempts_run_out(store: ScriptedStore, clock: Clock) -> None:
    store.script = [UnavailableError(f"number {n}") for n in range(9)]
    with pytest.raises(UnavailableError, match="number 3"):
        store.count()
    assert len(store.calls) == 4
    assert len(clock.slept) == 3


def test_one_attempt_means_no_retry(make: Callable[..., ScriptedStore], clock: Clock) -> None:
    store = make(attempts=1)
    store.script = [UnavailableError("down"), 7]
    with pytest.raises(UnavailableError):
        store.count()
    assert clock.slept == []


@pytest.mark.parametrize(
    "error", [RejectedError("no"), AuthenticationError("no"), NotFoundError("no"), ValueError("ours")]
)
def test_any_other_error_is_not_tried_again(store: ScriptedStore, clock: Clock, error: Exception) -> None:
    store.script = [error, 7]
    with pytest.raises(type(error)) as caught:
        store.count()
    assert caught.value is error
    assert clock.slept == []


def test_waits_grow_within_their_cap(make: Callable[..., ScriptedStore], clock: Clock) -> None:
    store = make(attempts=9, timeout=1000)
    for _ in range(20):
        store.script = [UnavailableError("down")] * 8 + [7]
        assert store.count() == 7
    turns = [clock.slept[at::8] for at in range(8)]
    assert all(0 <= seconds <= min(8, 0.5 * 2**at) for at, turn in enumerate(turns) for seconds in turn)
    assert max(turns[0]) < max(turns[3]) < max(turns[7]) * 1.5


def test_the_wait_that_the_service_asks_for_is_honoured(store: ScriptedStore, clock: Clock) -> None:
    store.script = [RateLimitedError("slow", retry_after=30), 7]
    assert store.count() == 7
    assert clock.slept == [30]


def test_a_wait_beyond_the_deadline_is_not_begun(store: ScriptedStore, clock: Clock) -> None:
    store.script = [RateLimitedError("slow", retry_after=61), 7]
    with pytest.raises(RateLimitedError):
        store.count()
    assert clock.slept == []


def test_the_deadline_ends_the_retries(make: Callable[..., ScriptedStore], clock: Clock) -> None:
    store = make(attempts=1000, timeout=20)
    store.script = [UnavailableError("down")] * 999
    with pytest.raises(UnavailableError):
        store.count()
    assert 1 < len(store.calls) < 200
    assert sum(clock.slept) < 20


def test_an_earlier_deadline_of_the_caller_stays_in_force(store: ScriptedStore, clock: Clock) -> None:
    store.script = [RateLimitedError("slow", retry_after=10), 7]
    with within(5), pytest.raises(RateLimitedError):
        store.count()
    assert clock.slept == []


def test_a_hook_sees_the_deadline_of_its_call(
    make: Callable[..., ScriptedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, seen = make(timeout=12), list[float]()

    def count(where: object) -> int:
        seen.append(time_left())
        return 1

    monkeypatch.setattr(store, "_count", count)
    store.count()
    with within(3):
        store.count()
    assert seen == [12, 3]
    assert time_left() == float("inf")


def test_each_batch_has_its_own_attempts(store: ScriptedStore, clock: Clock) -> None:
    down = UnavailableError("down")
    store.script = [down, down, down, None, down, down, down, None]
    assert store.upsert([row(f"r{n}") for n in range(6)]).upserted == tuple(f"r{n}" for n in range(6))
    assert len(clock.slept) == 6


# -- translation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.count(),
        lambda store: store.upsert([row("a")]),
        lambda store: store.search([SearchRequest(NEAR)]),
        lambda store: store.fetch(["a"]),
        lambda store: store.delete(["a"]),
        lambda store: store.delete(where=ALL),
        lambda store: store.update_fields(["a"], uri="x"),
        lambda store: list(store.scan()),
        lambda store: store.wait(),
        lambda store: store.drop(),
    ],
)
def test_a_drivers_error_is_translated_and_is_the_cause(
    make: Callable[..., ScriptedStore], call: Callable[[ScriptedStore], object]
) -> None:
    store = make(attempts=1)
    error = DriverError("socket")
    store.script = [error]
    with pytest.raises(UnavailableError, match="driver: socket") as caught:
        call(store)
    assert caught.value.__cause__ is error


def test_our_own_bug_passes_unchanged(store: ScriptedStore) -> None:
    for bug in (TypeError("a bug"), KeyError("a bug"), AssertionError("a bug")):
        store.script = [bug]
        with pytest.raises(type(bug)) as caught:
            store.count()
        assert caught.value is bug
        assert caught.value.__cause__ is None


def test_an_error_of_our_own_tree_is_not_translated_again(store: ScriptedStore) -> None:
    error = RejectedError("as it is", request_id="r-1")
    store.script = [error]
    with pytest.raises(RejectedError) as caught:
        store.count()
    assert caught.value is error


# -- opening ----------------------------------------------------------------------------------------------


def test_a_store_that_can_not_be_opened_lets_go_of_everything() -> None:
    other = replace(SPEC, space=replace(SPEC.space, model="other"))
    cases = [
        (META, other, ConfigurationError, []),
        (None, SPEC, NotFoundError, []),
        (META, SPEC, DriverError, [RuntimeError("no")]),
    ]
    for stored, spec, _, script in cases:
        store = ScriptedStore(retry=RetryPolicy(attempts=1))
        store.stored, store.script = stored, script
        with pytest.raises((PolyreelError, RuntimeError)):
            store.open(spec, create=False)
        assert names(store)[-1] == "close"
        with pytest.raises(ConfigurationError, match="not open"):
            _ = store.meta


def test_the_error_of_a_failed_creation_closes_too() -> None:
    store = ScriptedStore(retry=RetryPolicy(attempts=1))
    store.stored, store.script = None, [None, DriverError("disk")]
    with pytest.raises(UnavailableError, match="disk"):
        store.open(SPEC, create=True)
    assert names(store) == ["open", "create", "close"]


def test_fields_that_can_not_be_added_are_refused_with_what_to_do() -> None:
    store = ScriptedStore()
    with pytest.raises(UnsupportedError) as caught:
        store.open(replace(SPEC, fields={**SPEC.fields, "place": FieldType.STRING}), create=True)
    assert caught.value.hint
