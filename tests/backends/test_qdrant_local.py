"""The client's local mode, in a folder and in memory: the contract, and what a folder and a lock add."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from polyreel.backends.qdrant import QdrantLocalStore
from polyreel.core.errors import IntegrityError, LockedError, NotFoundError
from polyreel.core.records import Record, Text, Vector
from polyreel.core.requests import Group, NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests


class _Folder(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, quick_folder: Path) -> MakeStore:
        return partial(QdrantLocalStore, path=quick_folder / "stores", lock_wait=0.2)


class _Memory(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self) -> MakeStore:
        store = QdrantLocalStore()
        return lambda: store


class TestQdrantFolder(_Folder, StoreContract):
    pass


class TestQdrantMemory(_Memory, StoreContract):
    pass


@pytest.mark.slow
class TestQdrantFolderAgreesWithMemory(_Folder, ParityContract):
    examples = 8


class TestQdrantMemoryAgreesWithMemory(_Memory, ParityContract):
    examples = 25


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder in memory, where the system has one: a point takes four calls of fsync."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


# -- a folder, and threads --------------------------------------------------------------------------------

SPEC = CollectionSpec("clips", Space("test", "made-up", "1", 4))


def records(first: int, count: int) -> list[Record]:
    return [Record(str(n), "v", "u", content=[1.0, n, 0.0, 0.0]) for n in range(first, first + count)]


def test_what_eight_threads_write_is_all_there_after_opening_again(quick_folder: Path) -> None:
    with QdrantLocalStore(path=quick_folder) as store:
        store.open(SPEC, create=True)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.upsert(records(n * 20, 20)), range(8)))
        assert store.count() == 160
    with QdrantLocalStore(path=quick_folder) as store:
        store.open(SPEC, create=False)
        assert {record.id for record in store.scan()} == {str(n) for n in range(160)}


def test_one_lock_is_round_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    store, inside = QdrantLocalStore(), []
    store.open(SPEC, create=True)
    client: Any = store._client

    def watched(name: str, real: Any) -> Any:
        def call(*args: Any, **parts: Any) -> Any:
            with ThreadPoolExecutor(1) as other:  # the lock is ours, so another thread can't have it
                inside.append((name, other.submit(store._lock.acquire, blocking=False).result()))
            return real(*args, **parts)

        return call

    for name in ("upsert", "set_payload", "retrieve", "update_vectors", "delete_vectors", "delete"):
        monkeypatch.setattr(client._client, name, watched(name, getattr(client._client, name)))
    for name in ("query_points", "query_batch_points", "query_points_groups", "scroll", "count"):
        monkeypatch.setattr(client._client, name, watched(name, getattr(client._client, name)))
    store.upsert(records(0, 3))
    store.update_fields(["1"], text=Text("a title"))
    store.update_fields(["1"], text=Text())
    near = NearVector([1.0, 2.0, 0.0, 0.0])
    store.search([SearchRequest(near), SearchRequest(near, group=Group())])
    store.search([SearchRequest(near), SearchRequest(near)])
    list(store.scan())
    store.fetch(["1"])
    store.delete(["1"])
    assert store.count() == 2
    assert len({name for name, _ in inside}) == 11
    assert not any(taken for _, taken in inside)
    store.close()


def upserted(store: QdrantLocalStore, monkeypatch: pytest.MonkeyPatch, batch: list[Record]) -> list[Any]:
    """The points of which the client hears."""
    client: Any = store._client
    heard, real = list[Any](), client._client.upsert

    def upsert(collection_name: str, points: list[Any], **parts: Any) -> Any:
        heard.extend(points)
        return real(collection_name, points, **parts)

    monkeypatch.setattr(client._client, "upsert", upsert)
    store.upsert(batch)
    return heard


def test_vectors_reach_the_client_as_arrays_in_memory_and_as_lists_where_they_are_kept(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [replace(row, text=Text("a red dog beside a cat")) for row in records(1, 2)]
    batch.append(replace(batch[0], id="array", content=cast("Vector", np.array(batch[0].content))))
    for path, kind in ((None, np.ndarray), (quick_folder, list)):
        with QdrantLocalStore(path=path) as store:
            store.open(SPEC, create=True)
            points = upserted(store, monkeypatch, batch)
            assert {type(point.vector["dense"]) for point in points} == {kind}
            for point, row in zip(points, batch, strict=True):
                vector = np.array(row.content)
                assert point.vector["dense"] == pytest.approx(vector / np.linalg.norm(vector))
            words = [point.vector["words"].indices for point in points]
            assert len(words[0]) > 3
            assert all(indices == sorted(indices) for indices in words)  # others would be made anew
            assert store.fetch([row.id for row in batch], vectors=True).keys() == {row.id for row in batch}


class _Before(QdrantLocalStore):
    """As cosines were kept once: by the client, which makes all vectors unit ones in each search."""

    def _make(self, client: QdrantClient, spec: CollectionSpec, **common: Any) -> None:
        metadata = common.pop("metadata")
        client.create_collection(
            spec.name,
            vectors_config={"dense": models.VectorParams(**common)},
            sparse_vectors_config={"words": models.SparseVectorParams()},
            metadata=metadata,
        )


def distance(store: QdrantLocalStore) -> models.Distance:
    with store._using() as client:
        config: Any = client.get_collection(SPEC.name).config
        found: models.Distance = config.params.vectors["dense"].distance
        return found


def test_a_collection_made_before_unit_vectors_is_used_as_it_is(quick_folder: Path) -> None:
    rows = records(0, 20)
    with _Before(path=quick_folder / "before") as old, QdrantLocalStore(path=quick_folder / "now") as new:
        old.open(SPEC, create=True)
        old.upsert(rows[:10])
        new.open(SPEC, create=True)
        new.upsert(rows)
        assert (distance(old), distance(new)) == (models.Distance.COSINE, models.Distance.DOT)
        old.close()
        with QdrantLocalStore(path=quick_folder / "before") as store:
            store.open(SPEC, create=False)
            store.upsert(rows[10:])
            request = SearchRequest(NearVector(rows[3].content), limit=20)  # type: ignore[arg-type]
            hits, expected = (each.search([request])[0].hits for each in (store, new))
            assert len(hits) == 20
            scores = {hit.id: hit.score for hit in expected}
            assert {hit.id: hit.score for hit in hits} == pytest.approx(scores, abs=1e-5)
            assert distance(store) == models.Distance.COSINE


# The client leaves its files open when it can't open the folder.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_that_another_program_has_open_is_locked(quick_folder: Path) -> None:
    with QdrantLocalStore(path=quick_folder) as store:
        store.open(SPEC, create=True)
        store.upsert(records(0, 3))
    code = (
        "import sys; from qdrant_client import QdrantClient; client = QdrantClient(path=sys.argv[1]);"
        "print('open', flush=True); input(); client.close()"
    )
    command = [sys.executable, "-c", code, str(quick_folder / "clips" / "qdrant")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        with (
            QdrantLocalStore(path=quick_folder, lock_wait=0.1) as store,
            pytest.raises(LockedError, match="another program has this folder open"),
        ):
            store.open(SPEC, create=False)
        gc.collect()
        other.communicate("\n")
    with QdrantLocalStore(path=quick_folder, lock_wait=0.1) as store:
        store.open(SPEC, create=False)
        assert store.count() == 3


def test_collections_of_one_folder_are_open_side_by_side(quick_folder: Path) -> None:
    with QdrantLocalStore(path=quick_folder) as one, QdrantLocalStore(path=quick_folder) as other:
        one.open(SPEC, create=True)
        other.open(replace(SPEC, name="others"), create=True)
        one.upsert(records(0, 3))
        assert (one.count(), other.count()) == (3, 0)
        other.drop()
        assert [file.name for file in quick_folder.iterdir()] == ["clips"]
        with (
            QdrantLocalStore(path=quick_folder, lock_wait=0.1) as third,
            pytest.raises(LockedError, match=r"'clips' in .* is in use by process"),
        ):
            third.open(SPEC, create=False)


# The client leaves its files open when it can't open the folder.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damaged", ["meta.json", "storage.sqlite", "point"])
def test_a_damaged_folder_is_one_clear_line(quick_folder: Path, damaged: str) -> None:
    with QdrantLocalStore(path=quick_folder) as store:
        store.open(SPEC, create=True)
        store.upsert(records(0, 3))
    if damaged == "point":
        (file,) = quick_folder.rglob("storage.sqlite")
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("UPDATE points SET point = ?", (b"no pickle",))
    else:
        (file,) = quick_folder.rglob(damaged)
        file.write_bytes(b"no " + file.read_bytes()[: file.stat().st_size // 2])
    with QdrantLocalStore(path=quick_folder, lock_wait=0.1) as store:
        for _ in range(2):  # the lock was given back
            with pytest.raises(IntegrityError, match=r"clips is damaged: .*; restore the folder"):
                store.open(SPEC, create=True)
            gc.collect()


def test_close_frees_every_file(quick_folder: Path) -> None:
    def files() -> list[str]:
        links = []
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the one that lists this folder
                links.append(str(descriptor.readlink()))
        return [name for name in links if "/clips/" in name]

    store = QdrantLocalStore(path=quick_folder)
    store.open(SPEC, create=True)
    store.upsert(records(0, 3))
    assert files()
    store.close()
    assert files() == []
    store.open(SPEC, create=False)
    store.drop()
    assert files() == []
    assert list(quick_folder.iterdir()) == []


def test_a_missing_collection_leaves_no_folder(quick_folder: Path) -> None:
    with QdrantLocalStore(path=quick_folder / "none") as store, pytest.raises(NotFoundError):
        store.open(SPEC, create=False)
    assert list(quick_folder.iterdir()) == []
