"""The exact store against the contract, in memory and in a folder."""

from __future__ import annotations

import errno
import math
import os
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest

from polyreel.backends.memory import MemoryStore
from polyreel.backends.memory.log import Log
from polyreel.core.deadline import RetryPolicy
from polyreel.core.errors import IntegrityError, LockedError, NotFoundError, UnavailableError
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.records import Record
from polyreel.core.requests import NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract
from polyreel.testing.store.base import direction

if TYPE_CHECKING:
    from pathlib import Path


class TestMemory(StoreContract):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self) -> MakeStore:
        store = MemoryStore()
        return lambda: store


class TestFolder(StoreContract):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return partial(MemoryStore, path=tmp_path)


class TestMemoryParity(ParityContract):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        return MemoryStore


class TestFolderParity(ParityContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return partial(MemoryStore, path=tmp_path)


# -- the log of a folder ----------------------------------------------------------------------------------

SPEC = CollectionSpec("clips", Space("k", "m", "1", 4), {"year": FieldType.INT})


def rows(*ids: str) -> list[Record]:
    return [Record(id, "v", "u", content=[1.0, 2.0, 3.0, float(n)]) for n, id in enumerate(ids)]


def opened(path: Path) -> MemoryStore:
    store = MemoryStore(path=path)
    store.open(SPEC, create=True)
    return store


def ids(path: Path) -> set[str]:
    with opened(path) as store:
        return {record.id for record in store.scan()}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a collection with the batches a, b and c, d and e."""
    with opened(tmp_path) as store:
        for batch in (["a"], ["b", "c"], ["d", "e"]):
            store.upsert(rows(*batch))
    return tmp_path / "clips" / "records.log"


def test_a_torn_batch_is_cut_off_whole_and_reported(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = log.read_bytes()
    start = whole.rindex(b"\x89PR1")
    for size in {start + 1, start + 11, start + 12, start + 40, len(whole) - 1}:
        log.write_bytes(whole[:size])
        caplog.clear()
        assert ids(log.parents[1]) == {"a", "b", "c"}
        assert f"cut off {size - start} bytes" in caplog.text
        assert log.stat().st_size == start
        caplog.clear()
        assert ids(log.parents[1]) == {"a", "b", "c"}
        assert not caplog.records


def test_what_is_written_after_a_cut_is_kept(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-3])
    with opened(log.parents[1]) as store:
        store.upsert(rows("f"))
    assert ids(log.parents[1]) == {"a", "b", "c", "f"}


@pytest.mark.parametrize("tail", [b"\x00" * 4096, b"garbage", b"\x89PR1" + b"\xff" * 8, b"\x89PR1"])
def test_garbage_at_the_end_is_cut_off(log: Path, tail: bytes) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole + tail)
    assert ids(log.parents[1]) == set("abcde")
    assert log.read_bytes() == whole


def test_a_damaged_last_batch_is_cut_off(log: Path) -> None:
    data = bytearray(log.read_bytes())
    data[-1] ^= 1
    log.write_bytes(data)
    assert ids(log.parents[1]) == {"a", "b", "c"}


def test_damage_before_the_last_batch_is_refused_and_nothing_is_cut_off(log: Path) -> None:
    whole = log.read_bytes()
    entries = [at for at in range(len(whole)) if whole.startswith(b"\x89PR1", at)]
    assert len(entries) == 4
    for at in (entries[2], entries[2] + 5, entries[2] + 9, entries[2] + 30, entries[1] + 20, entries[0]):
        data = bytearray(whole)
        data[at] ^= 0x40
        log.write_bytes(data)
        with pytest.raises(IntegrityError, match="damaged from byte") as caught:
            ids(log.parents[1])
        assert "truncate -s" in str(caught.value)
        assert log.read_bytes() == data
    log.write_bytes(whole)
    assert ids(log.parents[1]) == set("abcde")


def test_an_empty_log_is_refused(log: Path) -> None:
    log.write_bytes(b"")
    with pytest.raises(IntegrityError, match="empty"):
        ids(log.parents[1])


def test_a_log_that_is_mostly_dead_is_written_anew(tmp_path: Path) -> None:
    log, largest = tmp_path / "clips" / "records.log", 0
    with opened(tmp_path) as store:
        for turn in range(40):
            store.upsert(rows(*(f"r{n}" for n in range(100))))
            store.update_fields(["r1", "r2"], fields={"year": turn})
            store.delete(["r99"])
            largest = max(largest, log.stat().st_size)
        uid, size = store.meta.uid, log.stat().st_size
    assert size < largest
    assert log.stat().st_size == size < 25 * 100 * 200  # of 40 turns, bytes a row at most
    with opened(tmp_path) as store:
        assert store.meta.uid == uid
        assert store.count() == 99
        assert store.fetch(["r2"])["r2"].fields == {"year": 39}
        vector = direction(store.fetch(["r3"], vectors=True)["r3"])
        assert vector == pytest.approx([0.20851, 0.41703, 0.62554, 0.62554], abs=1e-4)
    assert sorted(path.name for path in log.parent.iterdir()) == ["lock", "records.log"]


def test_a_failed_compaction_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, entries: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(tmp_path) as store:
        monkeypatch.setattr(Log, "create", full)
        for _ in range(15):
            store.upsert(rows(*(f"r{n}" for n in range(100))))
        assert "could not be compacted" in caplog.text
    assert len(ids(tmp_path)) == 100


def test_a_full_disk_writes_nothing_of_the_batch_and_says_so(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) < 150:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: len(data) // 2])

    size = log.stat().st_size
    store = MemoryStore(path=log.parents[1], retry=RetryPolicy(attempts=2, sleep=lambda _: None))
    store.open(SPEC, create=False)
    monkeypatch.setattr(os, "write", half)
    with pytest.raises(UnavailableError, match="No space left") as caught:
        store.upsert(rows("f", "g", "h"))
    monkeypatch.undo()
    assert isinstance(caught.value.__cause__, OSError)
    assert store.count() == 5
    assert log.stat().st_size == size
    store.upsert(rows("f"))
    store.close()
    assert ids(log.parents[1]) == set("abcdef")


def test_a_held_folder_is_refused_with_the_process_that_holds_it(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        with pytest.raises(LockedError, match=f"process {os.getpid()}"):
            opened(tmp_path)
        store.upsert(rows("a"))
    assert ids(tmp_path) == {"a"}


def test_flushing_syncs_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    with opened(tmp_path) as store:
        store.upsert(rows("a"))
        monkeypatch.setattr(os, "fsync", synced.append)
        store.flush()
    assert len(synced) == 1


def test_dropping_leaves_no_file(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.upsert(rows("a"))
    store.drop()
    assert list(tmp_path.iterdir()) == []


def test_opening_a_missing_collection_makes_no_folder(tmp_path: Path) -> None:
    with MemoryStore(path=tmp_path / "new") as store, pytest.raises(NotFoundError):
        store.open(SPEC, create=False)
    assert list(tmp_path.iterdir()) == []


# -- in memory --------------------------------------------------------------------------------------------


def test_without_a_path_the_instance_keeps_its_records_and_another_starts_empty() -> None:
    store = MemoryStore()
    store.open(SPEC, create=True)
    store.upsert(rows("a", "b"))
    store.close()
    store.open(SPEC, create=False)
    assert store.count() == 2
    with MemoryStore() as other, pytest.raises(NotFoundError):
        other.open(SPEC, create=False)


def test_equal_scores_come_in_the_order_of_ids() -> None:
    store = MemoryStore()
    store.open(SPEC, create=True)
    same = [
        Record(f"{n:03}", "v", "u", content=[1.0, 2.0, 3.0, 4.0])
        for n in (*range(250, 0, -1), *range(251, 400))
    ]
    store.upsert([*same, Record("near", "v", "u", content=[1.0, 2.0, 3.0, 4.1])])
    (answer,) = store.search([SearchRequest(NearVector([0.1, 0.2, 0.3, 0.4]), limit=150)])
    assert [hit.id for hit in answer.hits] == [f"{n:03}" for n in range(1, 151)]


@pytest.mark.parametrize("metric", Metric)
def test_alone_in_a_batch_and_with_a_condition_the_same_is_found_to_the_last_bit(metric: Metric) -> None:
    some = np.random.default_rng(5).standard_normal((40, 67)).round(1)
    vectors = np.repeat(some, 10, axis=0)[np.random.default_rng(6).permutation(400)].tolist()
    store = MemoryStore()
    store.open(CollectionSpec("wide", Space("k", "m", "1", 67, metric)), create=True)
    store.upsert([Record(f"{n:03}", "v", "u", content=vector) for n, vector in enumerate(vectors)])
    near = [NearVector((vector + 0.01).tolist()) for vector in some]
    plain = [SearchRequest(each, limit=17) for each in near]
    every = [SearchRequest(each, where=F.video_id == "v", limit=17) for each in near]
    batch, conditioned = store.search(plain), store.search(every)
    for at, answer in enumerate(batch):
        assert len(answer.hits) == 17
        (alone,) = store.search([plain[at]])
        found = [(hit.id, hit.score) for hit in answer.hits]
        assert found == [(hit.id, hit.score) for hit in alone.hits]
        assert found == [(hit.id, hit.score) for hit in conditioned[at].hits]
        assert found == sorted(found, key=lambda each: (-each[1], each[0]))
        assert len({score for _, score in found[:10]}) == 1  # ten equal records have one score


def test_what_a_caller_changes_does_not_reach_the_store() -> None:
    store = MemoryStore()
    store.open(SPEC, create=True)
    extra = {"list": [1]}
    store.upsert([Record("a", "v", "u", content=[1.0, 0, 0, 0], fields={"year": 1}, extra=extra)])
    extra["list"].append(2)
    found = store.fetch(["a"], vectors=True)["a"]
    found.extra["list"].append(3)  # type: ignore[attr-defined]
    found.content[0] = 9  # type: ignore[index]
    assert store.fetch(["a"])["a"].extra == {"list": [1]}
    (hit,) = store.search([SearchRequest(NearVector([1.0, 0, 0, 0]))])[0].hits
    assert hit.score == pytest.approx(1)


@pytest.mark.parametrize("metric", Metric)
def test_very_large_and_very_small_vectors_are_compared_without_overflow(metric: Metric) -> None:
    store = MemoryStore()
    spec = CollectionSpec("wide", Space("k", "m", "1", 4, metric))
    store.open(spec, create=True)
    store.upsert([Record(f"{size:g}", "v", "u", content=[size] * 4) for size in (1e-29, 1.0, 1e38)])
    (answer,) = store.search([SearchRequest(NearVector([1e38] * 4))])
    best = answer.hits[0].id
    assert best == ("1" if metric is Metric.COSINE else "1e+38")
    assert all(math.isfinite(hit.score) for hit in answer.hits)
    assert len(answer.hits) == 3
