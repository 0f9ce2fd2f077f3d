"""Qdrant's engine in process: the contract of stores, and what a folder and an embedded engine add to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import qdrant_edge

from polyreel.backends.qdrant import QdrantEdgeStore, edge, folder, points
from polyreel.backends.qdrant.options import Hnsw, Quantization
from polyreel.core.errors import (
    ConfigurationError,
    IntegrityError,
    LockedError,
    NotFoundError,
    PolyreelError,
    UnavailableError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filter_check import matches
from polyreel.core.filters import ALL, F, Filter
from polyreel.core.records import Record, Text
from polyreel.core.requests import Lexical, NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.core.store import VectorStore
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests

FIELDS = {
    "year": FieldType.INT,
    "rating": FieldType.FLOAT,
    "place": FieldType.STRING,
    "tags": FieldType.STRINGS,
    "public": FieldType.BOOL,
    "taken": FieldType.DATETIME,
}
FAR = datetime(2500, 1, 1, tzinfo=UTC)  # no float holds each of its microseconds


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory, where the system has one: making a collection takes 50 calls of fsync."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def make_store(root: Path) -> MakeStore:
    return partial(QdrantEdgeStore, path=root / "stores", lock_wait=0.2)


class _Edge(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, root: Path) -> MakeStore:
        return partial(QdrantEdgeStore, path=root / "stores", lock_wait=0.2)


class TestQdrantEdge(_Edge, StoreContract):
    pass


class TestQdrantEdgeAgreesWithMemory(_Edge, ParityContract):
    examples = 25


def spec(
    name: str = "clips",
    *,
    fields: dict[str, FieldType] = FIELDS,
    dimension: int = 4,
    metric: Metric = Metric.COSINE,
) -> CollectionSpec:
    return CollectionSpec(name, Space("test", "made-up", "1", dimension, metric), fields)


def record(id: str, **parts: object) -> Record:
    given = {"video_id": "v", "uri": "file:///v.mp4", "content": [1.0, 2.0, 3.0, 4.0], **parts}
    return Record(id=id, **given)  # type: ignore[arg-type]


def various(count: int = 60) -> list[Record]:
    """Records of which every third lacks each field."""
    rng = np.random.default_rng(3)

    def fields(n: int) -> dict[str, object]:
        given = {
            "year": 2000 + n % 7 - (n % 5) * 2**50,
            "rating": [0.0, 1, -1.5, 1e300, 0.1][n % 5],
            "place": ["", "a", "ab", "AB", "a%b", "海"][n % 6],
            "tags": [["x"], ["x", "y"], [], ["", "xy"]][n % 4],
            "public": n % 2 == 0,
            "taken": FAR + timedelta(microseconds=n % 9),
        }
        return {name: value for at, (name, value) in enumerate(given.items()) if (n + at) % 3}

    return [
        record(
            f"r{n}",
            video_id=f"v{n % 4}",
            start_ms=n * 100,
            end_ms=n * 100 + 50,
            content=rng.standard_normal(4),
            fields=fields(n),
        )
        for n in range(count)
    ]


FILTERS: Sequence[Filter] = [
    ALL,
    ~ALL,
    F.year == 2003,
    F.year != 2003,
    F.year > 2002,
    F.year <= -(2**50) + 2001,
    F.year.is_in([2000, 2001, 2004 - 2**50]),
    F.rating == 1,
    F.rating == 0.1,
    F.rating.is_in([0.0, 1e300]),
    F.rating.not_in([0.0, 1e300]),
    F.rating >= 0,
    ~(F.rating > 0),
    F.place == "",
    F.place.prefix("a"),
    ~F.place.prefix("a"),
    F.place.prefix("a%"),
    F.place.is_in(["海", "AB"]),
    F.tags.any("x", "xy"),
    F.tags.none("y"),
    F.tags.all("x", "y"),
    F.tags.any(""),
    F.public == True,  # noqa: E712  # a filter is made of it
    F.public != True,  # noqa: E712
    F.taken.exists(),
    ~F.taken.exists(),
    *(F.taken >= FAR + timedelta(microseconds=n) for n in range(10)),
    *(F.taken > FAR + timedelta(microseconds=n) for n in range(9)),
    *(F.taken < FAR + timedelta(microseconds=n) for n in range(10)),
    *(F.taken <= FAR + timedelta(microseconds=n) for n in range(9)),
    F.taken.between(FAR + timedelta(microseconds=2), FAR + timedelta(microseconds=5)),
    ~(F.taken < FAR + timedelta(microseconds=3)),
    F.taken == FAR + timedelta(microseconds=3),
    F.start == 0.1,
    F.start >= 3,
    F.end.between(1.05, 2.05),
    F.video_id.is_in(["v1", "v3"]),
    F.uri.prefix("file:///v"),
    F.channel == "fused",
    ((F.year > 2000) | (F.place == "ab")) & ~(F.tags.any("x") & (F.public == False)),  # noqa: E712
]


def ids(store: VectorStore, where: Filter = ALL) -> set[str]:
    return {found.id for found in store.scan(where)}


def expected(records: Sequence[Record], where: Filter) -> set[str]:
    def values(of: Record) -> dict[str, object]:
        own = {name: getattr(of, name) for name in ("video_id", "uri", "scope", "channel", "start", "end")}
        return {**of.fields, **own}

    return {each.id for each in records if matches(where, values(each), FIELDS)}


@pytest.fixture
def store(make_store: MakeStore) -> Iterator[VectorStore]:
    with make_store() as store:
        store.open(spec(), create=True)
        yield store


_CHILD = """
import os, signal, sys, time
from pathlib import Path
from polyreel.backends.qdrant import QdrantEdgeStore, folder
from polyreel.core.records import Record
from polyreel.core.space import CollectionSpec, Space

spec = CollectionSpec("clips", Space("test", "made-up", "1", 4))
store = QdrantEdgeStore(path=Path(sys.argv[1]), lock_wait=20)

def records(first, count=5):
    return [Record(str(n), "v", "u", content=[1, n, 0, 0]) for n in range(first, first + count)]

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def say(what):
    print(what, flush=True)

"""


@contextmanager
def child(root: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, which speaks by its standard output; it is killed at the end."""
    command = [sys.executable, "-c", _CHILD + code, str(root / "stores")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


PLAIN = spec(fields={})

# -- the folder -------------------------------------------------------------------------------------------


def test_kill_9_loses_no_record_that_was_acknowledged(root: Path, make_store: MakeStore) -> None:
    endless = """
store.open(spec, create=True)
for n in range(0, 10**9, 5):
    store.upsert(records(n))
    say(n + 5)
"""
    acknowledged = 0
    for _ in range(3):
        with child(root, endless) as process:
            for _ in range(40):
                acknowledged = int(said(process))
            process.kill()
            last = process.stdout.read().split() if process.stdout else []
        acknowledged = int(last[-1]) if last else acknowledged
        with make_store() as store:
            store.open(PLAIN, create=False)
            assert ids(store) >= {str(n) for n in range(acknowledged)}
            found = store.fetch([str(acknowledged - 1)], vectors=True)[str(acknowledged - 1)]
            assert found.content is not None
            store.delete(where=ALL)


def test_another_process_is_named_and_waited_for(root: Path) -> None:
    with child(
        root, "store.open(spec, create=True); say('open'); input(); store.close(); say('closed'); input()"
    ) as other:
        assert said(other) == "open"
        impatient = QdrantEdgeStore(path=root / "stores", lock_wait=0.1)
        with pytest.raises(LockedError, match=rf"'clips' in .* process {other.pid}: .*python") as caught:
            impatient.open(PLAIN, create=True)
        assert "stop the other one or wait" in str(caught.value)
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
        with QdrantEdgeStore(path=root / "stores", lock_wait=20) as patient:
            patient.open(PLAIN, create=False)  # while the other process lives on
            assert other.poll() is None


def test_a_process_that_was_killed_holds_nothing(root: Path, make_store: MakeStore) -> None:
    with child(root, "store.open(spec, create=True); store.upsert(records(0)); killed()") as other:
        assert other.wait(20) == -signal.SIGKILL
    with make_store() as store:
        store.open(PLAIN, create=False)
        assert store.count() == 5


def test_a_folder_that_another_program_has_open_is_locked(root: Path, make_store: MakeStore) -> None:
    with make_store() as store:
        store.open(PLAIN, create=True)
    shard = qdrant_edge.EdgeShard.load(str(root / "stores" / "clips" / "shard"))
    with pytest.raises(LockedError, match="another program"), make_store() as store:
        store.open(PLAIN, create=False)
    shard.close()
    with make_store() as store:
        store.open(PLAIN, create=False)


def test_close_frees_every_file(make_store: MakeStore) -> None:
    def files() -> list[str]:
        links = []
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the one that lists this folder
                links.append(str(descriptor.readlink()))
        maps = Path("/proc/self/maps").read_text().splitlines()
        return [name for name in (*links, *maps) if "/clips/" in name]

    store = make_store()
    store.open(spec(), create=True)
    store.upsert(various())
    assert files()
    store.close()
    assert files() == []
    store.open(spec(), create=False)
    assert store.count() == 60
    store.drop()
    assert files() == []


@pytest.mark.parametrize(
    "moment",
    [
        "folder.EdgeShard = type('', (), {'create': killed})",
        "folder.UpdateOperation = type('', (), {'create_field_index': killed})",
        "folder.replacing = killed",
        "folder.json.dumps = killed",
    ],
    ids=["first", "indexes", "description", "writing"],
)
def test_a_creation_that_was_killed_half_way_is_made_anew(
    root: Path, make_store: MakeStore, moment: str
) -> None:
    with child(root, f"{moment}; store.open(spec, create=True)") as process:
        assert process.wait(20) == -signal.SIGKILL
    with make_store() as store:
        with pytest.raises(NotFoundError):
            store.open(spec(), create=False)
        store.open(spec(), create=True)
        store.upsert(various())
        assert ids(store, F.year == 2003) == expected(various(), F.year == 2003) != set()


def test_two_creators_make_one_collection(root: Path, make_store: MakeStore) -> None:
    with child(root, "store.open(spec, create=True); say('open'); input(); store.close()") as other:
        assert said(other) == "open"
        (root / "stores" / "clips" / "polyreel.json").rename(root / "kept")  # as if it were not written yet
        with ThreadPoolExecutor(1) as pool, QdrantEdgeStore(path=root / "stores", lock_wait=20) as store:
            opening = pool.submit(store.open, PLAIN, create=True)
            time.sleep(0.2)
            assert not opening.done()
            (root / "kept").rename(root / "stores" / "clips" / "polyreel.json")
            other.communicate("\n")
            opening.result()
            assert store.meta.uid in (root / "stores" / "clips" / "polyreel.json").read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "can't be read"),
        (b"[1, 2]", "can't be read"),
        (b'"text"', "can't be read"),
        (b"\xff\xfe", "can't be read"),
        (b'{"format": 1, "uid": "x", "spec": {}}', "can't be read"),
        (b'{"format": 2}', "format 2, this version reads 1"),
    ],
)
def test_a_corrupt_description_is_a_clear_error(
    root: Path, make_store: MakeStore, content: bytes, words: str
) -> None:
    with make_store() as store:
        store.open(spec(), create=True)
        store.close()
        (root / "stores" / "clips" / "polyreel.json").write_bytes(content)
        for create in (False, True):
            with pytest.raises(IntegrityError, match=words) as caught:
                store.open(spec(), create=create)
            assert "polyreel.json" in str(caught.value)
            assert "restore it from a copy" in str(caught.value)


@pytest.mark.parametrize("damaged", ["edge_config.json", "segment.json", "status.dat", "shard"])
def test_a_damaged_shard_is_a_clear_error(root: Path, make_store: MakeStore, damaged: str) -> None:
    with make_store() as store:
        store.open(spec(), create=True)
        store.upsert(various())
    shard = root / "stores" / "clips" / "shard"
    if damaged == "shard":
        shutil.rmtree(shard)
    for file in shard.rglob(damaged):
        os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(IntegrityError, match=r"clips.*ingest again"), make_store() as store:
        store.open(spec(), create=True)
    with pytest.raises(IntegrityError), make_store() as store:  # the lock was given back
        store.open(spec(), create=False)


def test_drop_leaves_other_collections_and_strangers_files(root: Path, make_store: MakeStore) -> None:
    for name in ("clips", "other"):
        with make_store() as store:
            store.open(spec(name), create=True)
            store.upsert(various())
    (root / "stores" / "clips" / "notes.txt").write_text("mine")
    with make_store() as store:
        store.open(spec("clips"), create=False)
        store.drop()
        assert [file.name for file in (root / "stores" / "clips").iterdir()] == ["notes.txt"]
        store.open(spec("other"), create=False)
        assert store.count() == 60
        store.drop()
    assert [file.name for file in (root / "stores").iterdir()] == ["clips"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(root: Path) -> None:
    (root / "file").touch()
    store = QdrantEdgeStore(path=root / "file")
    with pytest.raises(ConfigurationError, match=r"File exists|Not a directory"):
        store.open(spec(), create=True)


# -- records and filters ----------------------------------------------------------------------------------


KINDS = ("indexed", "unindexed", "optimized")


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_changes_no_result(shelf: dict[str, QdrantEdgeStore], kind: str) -> None:
    for where in FILTERS:
        found = ids(shelf[kind], where)
        assert found == expected(various(), where), where
        assert shelf[kind].count(where) == len(found), where


@pytest.fixture(scope="module")
def shelf() -> Iterator[dict[str, QdrantEdgeStore]]:
    """The same records with indexes on the payload, without, and with an index of the vectors, too."""
    with ExitStack() as stack:
        root = stack.enter_context(quick_folder())
        made = {kind: stack.enter_context(QdrantEdgeStore(path=root / kind)) for kind in KINDS}
        for kind, store in made.items():
            with pytest.MonkeyPatch.context() as patch:
                if kind == "unindexed":
                    patch.setattr(folder, "wanted", lambda *_: {})
                store.open(spec(), create=True)
            store.upsert(various())
        made["optimized"].close()
        _build_index(root / "optimized" / "clips" / "shard")
        made["optimized"].open(spec(), create=False)
        yield made


def _build_index(path: Path) -> None:
    """Let the engine index few vectors, which it would not do by itself."""
    rng = np.random.default_rng(0)
    vectors = qdrant_edge.EdgeVectorParams(size=4, distance=qdrant_edge.Distance.Cosine)
    low = qdrant_edge.EdgeOptimizersConfig(indexing_threshold=1)
    shard = qdrant_edge.EdgeShard.load(str(path), qdrant_edge.EdgeConfig(vectors=vectors, optimizers=low))
    fill = [qdrant_edge.Point(n, rng.standard_normal(4).tolist(), {"id": str(n)}) for n in range(5000)]
    shard.update(qdrant_edge.UpdateOperation.upsert_points(fill))
    assert shard.optimize()
    assert shard.info().indexed_vectors_count > 0
    shard.update(qdrant_edge.UpdateOperation.delete_points(list(range(5000))))
    shard.close()


def test_a_field_declared_later_is_null_in_older_records(make_store: MakeStore) -> None:
    old, new = various(), [replace(each, id=f"new {each.id}") for each in various()]
    bare = [replace(each, fields={}) for each in old]
    with make_store() as store:
        store.open(PLAIN, create=True)
        store.upsert(bare)
        store.close()
        store.open(spec(), create=False)
        store.upsert(new)
        for _ in range(2):
            for where in FILTERS:
                assert ids(store, where) == expected([*bare, *new], where), where
            store.close()
            store.open(PLAIN, create=False)  # keeps what was declared
        assert store.fetch(["r1", "new r1"]).keys() == {"r1", "new r1"}
        assert store.fetch(["r1"])["r1"].fields == {}
        assert store.fetch(["new r1"])["new r1"].fields != {}
        store.update_fields(["r1"], fields={"year": 7})
        assert ids(store, F.year == 7) == {"r1"}


def test_the_indexes_are_of_exactly_the_declared_types(store: VectorStore) -> None:
    assert isinstance(store, QdrantEdgeStore)
    schema = store._folder.shard.info().payload_schema
    kinds = {name: str(index.data_type).rpartition(".")[2] for name, index in schema.items()}
    assert kinds == {
        **dict.fromkeys(("video_id", "scope", "channel", "f.present", "f.place", "f.tags"), "Keyword"),
        **dict.fromkeys(("start", "end", "f.year", "f.public", "f.taken"), "Integer"),
        "f.rating": "Float",
    }


def test_ints_in_a_float_field_are_stored_as_floats(store: VectorStore) -> None:
    store.upsert([record("a", fields={"rating": 1}), record("b", fields={"rating": 1.0})])
    store.update_fields(["b"], fields={"rating": 1})
    assert ids(store, F.rating == 1) == ids(store, F.rating == 1.0) == {"a", "b"}
    assert isinstance(store, QdrantEdgeStore)
    for payload in (points.payload(record("a", fields={"rating": 1.0}), FIELDS), *_payloads(store)):
        assert type(payload["f"]["rating"]) is float
        assert type(payload["f"]["year"]) is int


def _payloads(store: QdrantEdgeStore) -> list[Any]:
    found, _ = store._folder.shard.scroll(qdrant_edge.ScrollRequest(limit=10, with_payload=True))
    return [point.payload for point in found]


def test_names_of_columns_may_be_names_of_fields(make_store: MakeStore) -> None:
    names = ("id", "recipe", "text", "extra", "f", "start_ms", "content")
    with make_store() as store:
        store.open(spec(fields=dict.fromkeys(names, FieldType.STRING)), create=True)
        given = record("a", fields={name: f"my {name}" for name in names}, text=Text("title"), recipe="r")
        store.upsert([given, record("b")])
        assert store.fetch(["a"])["a"] == replace(given, content=None)
        for name in names:
            assert ids(store, F[name] == f"my {name}") == {"a"}
            assert ids(store, ~F[name].exists()) == {"b"}


def test_a_change_leaves_nothing_of_what_it_replaces(store: VectorStore) -> None:
    full = record("a", text=Text("t", ("x",), "c"), fields={"year": 1, "tags": ["x"]}, extra={"k": 1, "l": 2})
    store.upsert([full])
    (before,) = _payloads(cast("QdrantEdgeStore", store))
    store.update_fields(["a", "unknown"], fields={"place": "here"}, text=Text(caption="new"))
    (after,) = _payloads(cast("QdrantEdgeStore", store))
    assert after == points.payload(
        replace(full, text=Text(caption="new"), fields={"place": "here"}, extra={}), FIELDS
    )
    assert before.keys() == after.keys()
    assert store.count() == 1


@pytest.mark.parametrize(
    "vector",
    [
        [1, 2, 3, 4],
        (1.0, 2.0, 3.0, 4.0),
        array("f", [1, 2, 3, 4]),
        array("d", [1, 2, 3, 4]),
        np.array([1, 2, 3, 4], np.float32),
        np.array([1, 2, 3, 4], np.float16),
        np.array([1, 9, 2, 9, 3, 9, 4, 9])[::2],
        np.array([1, 2, 3, 4], ">f4"),
        [1e-29, 2e-29, 3e-29, 4e-29],
        [1e37, 2e37, 3e37, 4e37],
    ],
    ids=str,
)
def test_any_sequence_of_numbers_is_a_vector(store: VectorStore, vector: Any) -> None:
    store.upsert([record("a", content=vector), record("b", content=[4.0, -3.0, 2.0, -1.0])])
    for query in (vector, [1.0, 2.0, 3.0, 4.0]):
        (answer,) = store.search([SearchRequest(NearVector(query))])
        assert [hit.id for hit in answer.hits] == ["a", "b"]
        assert answer.hits[0].score == pytest.approx(1, abs=1e-5)


# -- words, and options -----------------------------------------------------------------------------------


def _by_words(store: VectorStore, words: str) -> set[str]:
    return {hit.id for hit in store.search([SearchRequest(Lexical(words), limit=100)])[0].hits}


def _without_words(root: Path) -> None:
    """Make a collection as it was before words were kept."""
    path = root / "stores" / "clips"
    shard = qdrant_edge.EdgeShard.load(str(path / "shard"))
    shard.update(qdrant_edge.UpdateOperation.delete_vector_name("words"))
    shard.close()
    described = json.loads((path / "polyreel.json").read_text())
    del described["words"], described["options"]
    (path / "polyreel.json").write_text(json.dumps(described))


@pytest.mark.parametrize("killed", [False, True])
def test_an_older_collection_gets_its_words_in_place(root: Path, make_store: MakeStore, killed: bool) -> None:
    rows = [record(f"r{n}", text=Text(title=f"kite{n % 3}") if n % 2 else Text()) for n in range(2500)]
    with make_store() as store:
        store.open(spec(), create=True)
        store.upsert(rows)
        uid, found = store.meta.uid, _by_words(store, "kite1")
    _without_words(root)
    if killed:
        moment = "folder.PointVectors = killed; store.open(spec, create=False)"
        with child(root, moment) as process:
            assert process.wait(20) == -signal.SIGKILL
    for _ in range(2):
        with make_store() as store:
            store.open(spec(), create=False)
            assert store.meta.uid == uid
            assert store.count() == 2500
            assert _by_words(store, "kite1") == found
            assert len(found) == 100
            assert {hit.id for hit in store.search([SearchRequest(NearVector([1, 2, 3, 4]))])[0].hits}


def _optimize(path: Path, config: qdrant_edge.EdgeConfig) -> None:
    """Let the engine index fewer vectors than it would by itself."""
    low = qdrant_edge.EdgeConfig(
        vectors=config.vectors,
        sparse_vectors=config.sparse_vectors,
        optimizers=qdrant_edge.EdgeOptimizersConfig(indexing_threshold=1),
    )
    shard = qdrant_edge.EdgeShard.load(str(path), low)
    assert shard.optimize()
    shard.close()


@pytest.mark.parametrize("quantization", ["scalar", "product", "binary"])
def test_scores_are_those_of_the_whole_vectors_whatever_the_options(
    root: Path, quantization: Quantization
) -> None:
    rng = np.random.default_rng(5)
    rows = [
        record(f"r{n}", content=vector, fields={"place": f"p{n % 3}"})
        for n, vector in enumerate(rng.standard_normal((5000, 32)))
    ]
    query = rng.standard_normal(32).tolist()
    shape: dict[str, Any] = {
        "hnsw": Hnsw(m=24, ef_construct=64, full_scan_threshold=10, on_disk=False, ef=256),
        "vectors_on_disk": True,
        "payload_on_disk": False,
        "tenant": "place",
    }
    wide = spec(dimension=32)
    with QdrantEdgeStore(path=root / "a", quantization=quantization, **shape) as store:
        store.open(wide, create=True)
        store.upsert(rows)
        store.close()
        _optimize(root / "a" / "clips" / "shard", folder._config(wide, store._options, 1))
        store.open(wide, create=False)
        assert store._folder.shard.info().indexed_vectors_count > 0
        exact, near = store.search([SearchRequest(NearVector(query), exact=each) for each in (True, False)])
        vectors = np.array([row.content for row in rows])
        cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
        scores = dict(zip((row.id for row in rows), cosines, strict=True))
        for answer in (exact, near):
            assert len(answer.hits) == 10
            assert all(hit.score == pytest.approx(scores[hit.id], abs=1e-5) for hit in answer.hits)
    with (
        pytest.raises(ConfigurationError, match=r"hnsw.m is 8, stored 24"),
        QdrantEdgeStore(path=root / "a", hnsw=Hnsw(m=8)) as store,
    ):
        store.open(wide, create=True)
    with QdrantEdgeStore(path=root / "a", hnsw=Hnsw(ef=256)) as store:  # says nothing of quantization
        store.open(wide, create=False)
        hits = store.search([SearchRequest(NearVector(query))])[0].hits
        assert len(hits) == 10
        assert all(hit.score == pytest.approx(scores[hit.id], abs=1e-5) for hit in hits)


@pytest.mark.parametrize("quantization", ["scalar", "product", "binary"])
def test_the_nearest_are_found_among_compressed_vectors(root: Path, quantization: Quantization) -> None:
    rng = np.random.default_rng(6)
    middles = rng.standard_normal((50, 128))
    vectors = middles[rng.integers(50, size=4000)] + rng.standard_normal((4000, 128)) / 2
    queries = middles + rng.standard_normal((50, 128)) / 2
    wide = spec(dimension=128)
    with QdrantEdgeStore(path=root, quantization=quantization) as store:
        store.open(wide, create=True)
        store.upsert(record(f"r{n}", content=vector) for n, vector in enumerate(vectors))
        store.close()
        _optimize(root / "clips" / "shard", folder._config(wide, store._options, 1))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = [{f"r{n}" for n in np.argsort(-(units @ query))[:10]} for query in queries]
    with QdrantEdgeStore(path=root) as store:  # how they are compressed is kept with the collection
        store.open(wide, create=False)
        for exact, least in ((False, 0.95), (True, 1.0)):
            answers = store.search(
                [SearchRequest(NearVector(each.tolist()), exact=exact) for each in queries]
            )
            found = [{hit.id for hit in answer.hits} for answer in answers]
            assert np.mean([len(a & b) / 10 for a, b in zip(found, nearest, strict=True)]) >= least


def test_opening_again_changes_the_threads_of_a_search_and_nothing_else(root: Path) -> None:
    def stored() -> dict[str, Any]:
        config: dict[str, Any] = json.loads((root / "clips" / "shard" / "edge_config.json").read_bytes())
        return config

    shape: dict[str, Any] = {
        "hnsw": Hnsw(m=24, ef_construct=64, full_scan_threshold=10, on_disk=True),
        "quantization": "scalar",
        "vectors_on_disk": True,
        "payload_on_disk": True,
    }
    with QdrantEdgeStore(path=root, **shape) as store:
        store.open(spec(), create=True)
        store.upsert([record("r")])
    made = stored()
    assert made["max_search_threads"] == 1
    assert made["vectors"][""]["hnsw_config"]["m"] == 24
    with QdrantEdgeStore(path=root, search_threads=3) as store:
        store.open(spec(), create=False)
        assert store.count() == 1
    assert stored() == made | {"max_search_threads": 3}


def test_a_search_takes_a_thread_at_least(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="search_threads is 0; it must be at least 1"):
        QdrantEdgeStore(path=root, search_threads=0)


def test_a_tenant_must_be_a_declared_text(root: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="tenant 'year'"),
        QdrantEdgeStore(path=root, tenant="year") as store,
    ):
        store.open(spec(), create=True)
    assert list(root.iterdir()) == []


# -- the engine -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points_count", "indexed", "pays"),
    [
        (10_000, 0, False),
        (10_001, 0, True),
        (50_000, 41_000, False),
        (12_000, 9_000, True),
        (10**6, 985_000, True),
    ],
)
def test_optimize_runs_only_when_it_pays(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch, points_count: int, indexed: int, pays: bool
) -> None:
    calls: list[str] = []
    info = SimpleNamespace(points_count=points_count, indexed_vectors_count=indexed)
    shard = SimpleNamespace(
        count=lambda _: 0,
        info=lambda: info,
        optimize=lambda: calls.append("optimize"),
        flush=lambda: calls.append("flush"),
    )
    monkeypatch.setattr(QdrantEdgeStore, "_folder", SimpleNamespace(shard=shard))
    heard: list[float] = []
    store.optimize(progress=heard.append)
    assert calls == (["optimize", "flush"] if pays else [])
    assert heard[-1] == 1.0


@pytest.mark.parametrize("worded", [0, 150, 300])
def test_vectors_of_words_hide_no_record_without_an_index(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch, worded: int
) -> None:
    """The engine counts vectors of words among the indexed ones."""
    monkeypatch.setattr(edge, "_SMALL", 100)
    store.upsert(record(f"r{n}", text=Text("red ball") if n < worded else Text()) for n in range(300))
    heard: list[float] = []
    store.optimize(progress=heard.append)
    assert heard == [0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Service runtime error: failed to open WAL /x: Can't init WAL: Kind(WouldBlock)", LockedError),
        ("Service runtime error: Shard is not initialized", ConfigurationError),
        ("Service runtime error: IO Error: No space left on device (os error 28)", UnavailableError),
        ("Vector dimension error: expected dim: 4, got 1", IntegrityError),
        ("something new", UnavailableError),
    ],
)
def test_the_engine_s_bare_exceptions_are_told_apart(text: str, kind: type[PolyreelError]) -> None:
    ours = folder.translate(Exception(text), Path("/store/clips"))
    assert type(ours) is kind
    assert "/store/clips" in str(ours)


@pytest.mark.parametrize("error", [TypeError("x"), ValueError("x"), KeyError("x"), RuntimeError("x")])
def test_our_own_bugs_pass_untranslated(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(edge, "_FILTERS", SimpleNamespace(condition=fail))
    with pytest.raises(type(error)) as caught:
        store.count()
    assert caught.value is error


def test_opening_loads_neither_numpy_nor_the_engine_too_early(root: Path) -> None:
    code = """
store.open(spec, create=True)
store.upsert(records(1))
from polyreel.core.requests import NearVector, SearchRequest
store.search([SearchRequest(NearVector([1, 2, 3, 4]))])
say("numpy" in sys.modules)
"""
    with child(root, code) as process:
        assert said(process) == "False"
    early = "import sys, polyreel.backends.qdrant; print('qdrant_edge' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", early], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "False"
