"""Milvus Lite: the contract of stores, and the traps of an engine that runs a server in our process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import grpc
import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from polyreel.backends.memory import MemoryStore
from polyreel.backends.milvus import (
    MilvusStore,
    collection,
    connection,
    errors,
    expressions,
    filtering,
    forms,
    lite,
    rows,
    tuning,
)
from polyreel.backends.milvus.client import Client
from polyreel.backends.milvus.index import Index
from polyreel.core.capabilities import Feature, Form
from polyreel.core.deadline import RetryPolicy, within
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidQueryError,
    LockedError,
    NotFoundError,
    PolyreelError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filters import ALL, F, Filter
from polyreel.core.records import Record, Text
from polyreel.core.requests import Lexical, NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.core.store import VectorStore
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests
from polyreel.testing.store.rows import HOSTILE


class _Lite(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return partial(MilvusStore, path=tmp_path / "clips.db", lock_wait=0.2)


class TestMilvusLite(_Lite, StoreContract):
    pass


class TestMilvusLiteAgreesWithMemory(_Lite, ParityContract):
    examples = 25


class TestACollectionOfBeforeAgreesWithMemory(_Lite, ParityContract):
    """One that an earlier version made, whose lists are Milvus' own."""

    examples = 5

    @pytest.fixture(autouse=True)
    def _of_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forms, "packs_lists", lambda _: False)


FIELDS = {"year": FieldType.INT, "place": FieldType.STRING, "tags": FieldType.STRINGS}
SERVER = rows.Layout(words=False, packs=False)


def spec(name: str = "clips", *, fields: dict[str, FieldType] = FIELDS) -> CollectionSpec:
    return CollectionSpec(name, Space("test", "made-up", "1", 4), fields)


def test_pymilvus_without_lite_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "milvus_lite", None)  # as if it weren't there
    with pytest.raises(
        ConfigurationError, match=r"'milvus_lite', which .*; pip install \"polyreel\[milvus\]"
    ):
        MilvusStore(path=tmp_path / "clips.db")
    MilvusStore(url="http://127.0.0.1:19530")


def record(id: str, **parts: object) -> Record:
    given = {"video_id": "v", "uri": "file:///v.mp4", "content": [1.0, 2.0, 3.0, 4.0], **parts}
    return Record(id=id, **given)  # type: ignore[arg-type]


def various(count: int = 60) -> list[Record]:
    vectors = np.random.default_rng(3).standard_normal((count, 4))
    return [record(f"r{n}", content=vector, fields={"year": n}) for n, vector in enumerate(vectors)]


def ids(store: VectorStore, where: Filter = ALL) -> set[str]:
    return {found.id for found in store.scan(where)}


def near(store: VectorStore, vector: Sequence[float] = (1.0, 2.0, 3.0, 4.0), limit: int = 10) -> list[str]:
    return [hit.id for hit in store.search([SearchRequest(NearVector(vector), limit=limit)])[0].hits]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clips.db"


@pytest.fixture
def make_store(path: Path) -> MakeStore:
    return partial(MilvusStore, path=path, lock_wait=0.2)


@pytest.fixture
def store(make_store: MakeStore) -> Iterator[VectorStore]:
    with make_store() as store:
        store.open(spec(), create=True)
        yield store


_CHILD = """
import sys
from pathlib import Path
from polyreel.backends.milvus import MilvusStore
from polyreel.core.records import Record
from polyreel.core.space import CollectionSpec, Space

spec = CollectionSpec("clips", Space("test", "made-up", "1", 4), {})
path = Path(sys.argv[1])
store = MilvusStore(path=path, lock_wait=20)

def records(first, count=5):
    return [Record(str(n), "v", "u", content=[1, n, 0, 0]) for n in range(first, first + count)]

def say(what):
    print(what, flush=True)

"""


@contextmanager
def child(path: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, which speaks by its standard output; it is killed at the end."""
    command = [sys.executable, "-P", "-c", _CHILD + code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# -- the file ---------------------------------------------------------------------------------------------


def test_a_file_that_another_process_has_open_is_locked_and_the_holder_is_named(
    path: Path, make_store: MakeStore
) -> None:
    with child(
        path, "store.open(spec, create=True); say('open'); input(); store.close(); say('closed'); input()"
    ) as other:
        assert said(other) == "open"
        with pytest.raises(LockedError, match=f"process {other.pid}"), make_store() as store:
            store.open(spec(fields={}), create=True)
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
        assert said(other) == "closed"  # it lives on, and the file is free
        with make_store() as store:
            store.open(spec(fields={}), create=False)


def test_a_file_that_another_program_has_open_is_locked(path: Path, make_store: MakeStore) -> None:
    with make_store() as store:
        store.open(spec(fields={}), create=True)
    raw = "from pymilvus import MilvusClient; MilvusClient(sys.argv[1]); say('open'); input()"
    with child(path, raw) as other:
        assert said(other) == "open"
        with pytest.raises(LockedError, match="another program"), make_store() as store:
            store.open(spec(fields={}), create=False)


def test_two_collections_of_one_file_are_open_at_once(path: Path, make_store: MakeStore) -> None:
    with make_store() as one, make_store() as other:
        one.open(spec("one"), create=True)
        other.open(spec("other"), create=True)
        one.upsert([record("a")])
        other.upsert([record("b"), record("c")])
        assert (one.count(), other.count()) == (1, 2)
        one.close()
        assert other.count() == 2  # the file stays open for it
        with pytest.raises(LockedError, match="open in this process"), make_store() as third:
            third.open(spec("other"), create=False)
        assert other.count() == 2
        other.drop()
    with make_store() as store:
        store.open(spec("one"), create=False)
        assert ids(store) == {"a"}


def test_close_frees_the_file_and_its_port(store: VectorStore, path: Path) -> None:
    from milvus_lite.server_manager import server_manager_instance

    store.upsert(various())
    assert str(path) in server_manager_instance._servers
    store.close()
    assert str(path) not in server_manager_instance._servers
    links: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists this folder
            links.append(str(descriptor.readlink()))
    assert not [link for link in links if str(path) in link]


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf_flat"])
def test_index_files_that_are_cut_short_are_made_anew(path: Path, kind: Any) -> None:
    index = Index(kind, nlist=4) if kind == "ivf_flat" else Index(kind)
    with MilvusStore(path=path, index=index) as store:
        store.open(spec(), create=True)
        store.upsert(various(200))
        store.optimize()
        expected = near(store, limit=5)
    files = list(path.rglob("*.idx"))
    assert files
    for file in files:
        os.truncate(file, file.stat().st_size // 2)
    with MilvusStore(path=path, index=index) as store:
        store.open(spec(), create=False)
        assert near(store, limit=5) == expected
        assert store.count() == 200


def test_kill_9_while_flushing_and_building_loses_nothing_acknowledged(
    path: Path, make_store: MakeStore
) -> None:
    code = """
store.open(spec, create=True)
for n in range(0, 10000, 50):
    store.upsert(records(n, 50)); say(n + 50); store.flush() if n % 200 else store.optimize()
"""
    for lines in (3, 7, 12):
        with child(path, code) as process:
            told = [said(process) for _ in range(lines)]
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        with make_store() as store:
            store.open(spec(fields={}), create=False)
            assert store.count() >= int(told[-1])
            assert set(store.fetch([str(n) for n in range(int(told[-1]))])) == set(
                map(str, range(int(told[-1])))
            )
            assert len(near(store, (1, 3, 0, 0))) == 10


def test_a_creation_that_was_killed_half_way_is_finished(path: Path, make_store: MakeStore) -> None:
    code = """
import os, signal
from polyreel.backends.milvus import collection
collection.make_ready = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
store.open(spec, create=True)
"""
    with child(path, code) as process:
        assert process.wait(30) == -signal.SIGKILL
    with make_store() as store:
        store.open(spec(fields={}), create=True)
        store.upsert([record("a")])
        assert near(store) == ["a"]
        assert [hit.id for hit in store.search([SearchRequest(Lexical("x"))])[0].hits] == []


@pytest.mark.parametrize("name", ["clips", "clips.sqlite", "clips.db.old"])
def test_a_path_that_milvus_lite_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must end in \.db"):
        MilvusStore(path=tmp_path / name)


def test_a_single_file_of_an_old_milvus_lite_is_one_clear_line(path: Path, make_store: MakeStore) -> None:
    path.write_bytes(b"SQLite format 3\0")
    with pytest.raises(ConfigurationError, match=r"clips\.db"), make_store() as store:
        store.open(spec(), create=False)
    assert path.read_bytes() == b"SQLite format 3\0"


def test_a_collection_that_polyreel_did_not_make_is_left_alone(path: Path, make_store: MakeStore) -> None:
    client = MilvusClient(str(path), dedicated=True)
    client.create_collection("clips", 4)
    client.close()
    with pytest.raises(ConfigurationError, match="wasn't made by polyreel"), make_store() as store:
        store.open(spec(), create=True)


# -- speed ------------------------------------------------------------------------------------------------


def test_flush_writes_every_row_to_files_that_searches_read_fast(store: VectorStore, path: Path) -> None:
    import pyarrow.parquet

    store.upsert(various(50))
    assert list(path.rglob("data_*.parquet")) == []  # a search would walk them in Python
    store.flush()
    (file,) = path.rglob("data_*.parquet")
    assert pyarrow.parquet.read_table(file).num_rows == 50
    assert len(near(store, limit=50)) == 50


def test_a_search_and_an_opening_right_after_a_flush_find_everything(make_store: MakeStore) -> None:
    for turn in range(5):
        with make_store() as store:
            store.open(spec(), create=True)
            store.upsert([record(f"{turn}-{n}") for n in range(20)])
            store.optimize()
            assert len(near(store, limit=200)) == 20 * (turn + 1)
        with make_store() as store:
            store.open(spec(), create=False)
            assert len(near(store, limit=200)) == 20 * (turn + 1)


def test_many_rows_get_a_graph_by_optimize_and_few_are_compared(
    store: VectorStore, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_SMALL", 100)
    store.upsert(various(100))
    store.optimize()
    assert Feature.EXACT in store.can.features
    store.upsert(various(150))
    store.optimize()
    assert Feature.EXACT not in store.can.features
    with pytest.raises(UnsupportedError, match="exact"):
        store.search([SearchRequest(NearVector([1, 2, 3, 4]), exact=True)])
    store.upsert([record("new")])
    store.optimize()
    assert near(store)[0] == "new"
    store.close()
    with make_store() as again:
        again.open(spec(), create=False)
        assert Feature.EXACT not in again.can.features
        assert near(again)[0] == "new"
        assert again.count() == 151


@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.L2])  # of products a graph finds enough, yet others
def test_a_search_in_the_midst_of_deleted_rows_finds_the_nearest_others(path: Path, metric: Metric) -> None:
    rng = np.random.default_rng(5)
    gone = [record(f"gone{n}", content=list(rng.normal([1, 2, 3, 4], 0.1))) for n in range(2000)]
    kept = [record(f"r{n}", content=list(rng.normal([9, 2, -3, 1], 2.0))) for n in range(300)]
    here = replace(spec(), space=replace(spec().space, metric=metric))
    with MilvusStore(path=path, index=Index("hnsw")) as store, MemoryStore() as memory:
        memory.open(here, create=True)
        memory.upsert(kept)
        store.open(here, create=True)
        store.upsert([*gone, *kept])
        store.optimize()
        store.delete([each.id for each in gone])
        requests = [SearchRequest(NearVector(v), limit=20) for v in ([1.0, 2, 3, 4], [1.1, 2, 3, 4])]
        for found, right in zip(store.search(requests), memory.search(requests), strict=True):
            assert [hit.id for hit in found.hits] == [hit.id for hit in right.hits]
            assert [hit.score for hit in found.hits] == pytest.approx(
                [hit.score for hit in right.hits], abs=1e-5
            )
            assert all(hit.record.content is None for hit in found.hits)
        assert store.search([SearchRequest(NearVector([1, 2, 3, 4]), F.year == 7)])[0].hits == ()


def test_all_are_read_where_few_were_found_and_counted_first_where_many_were(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MilvusStore(path=path, index=Index("hnsw")) as store:
        store.open(spec(), create=True)
        store.upsert(various(700))
        store.optimize()
        asked = list[str]()
        for name in ("_count", "_scan"):
            monkeypatch.setattr(store, name, partial(_told, getattr(store, name), name, asked))
        for where, hits, calls in ((F.year < 5, 5, ["_scan"]), (F.year >= 0, 700, ["_count"])):
            (answer,) = store.search([SearchRequest(NearVector([1, 2, 3, 4]), where, limit=1000)])
            assert len(answer.hits) == hits
            assert asked == calls
            asked.clear()


def _told(call: Any, name: str, asked: list[str], *given: Any, **named: Any) -> Any:
    asked.append(name)
    return call(*given, **named)


def test_another_index_of_the_configuration_is_made_by_optimize(path: Path, make_store: MakeStore) -> None:
    with make_store() as store:
        store.open(spec(), create=True)
        store.upsert(various(100))
    with MilvusStore(path=path, index=Index("ivf_sq8", nlist=8, nprobe=8)) as store:
        store.open(spec(), create=False)
        assert Feature.EXACT in store.can.features
        store.optimize()
        assert Feature.EXACT not in store.can.features
        assert len(near(store, limit=100)) == 100


def test_the_parameters_of_an_index_reach_milvus_lite(path: Path) -> None:
    import faiss

    with MilvusStore(path=path, index=Index("hnsw", m=5, ef_construction=33)) as store:
        store.open(spec(), create=True)
        store.upsert(various(100))
        store.optimize()
    (file,) = path.rglob("*.hnsw.idx")
    index: Any = faiss.read_index(str(file))
    assert (index.hnsw.nb_neighbors(1), index.hnsw.efConstruction) == (5, 33)


@pytest.mark.parametrize("kind", ["ivf_pq", "scann", "diskann"])
def test_an_index_that_milvus_lite_accepts_and_never_builds_is_refused(path: Path, kind: Any) -> None:
    with pytest.raises(ConfigurationError, match=kind):
        MilvusStore(path=path, index=Index(kind))


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"kind": "flat", "ef": 8}, "has no 'ef'"),
        ({"kind": "hnsw", "nlist": 8}, "it has: m, ef_construction, ef"),
        ({"kind": "ivf_flat", "nprobe": 0}, "at least 1"),
        ({"m": 8}, "has no 'm'"),
    ],
)
def test_a_parameter_of_another_index_is_refused(index: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Index(**index)


def test_a_search_looks_at_as_many_candidates_as_it_wants_hits() -> None:
    assert Index("hnsw").search(10) == {"ef": 64}
    assert Index("hnsw", ef=32).search(500) == {"ef": 500}
    assert Index("diskann").search(100) == {"search_list": 100}
    assert Index("ivf_flat", nlist=64).search(500) == {"nprobe": 16}
    assert Index("hnsw").search(10, sifting=1024) == {"ef": 1024}
    assert Index("hnsw", ef=32).search(10, sifting=1024) == {"ef": 32}
    assert Index("ivf_flat").search(10, sifting=1024) == {"nprobe": 16}
    assert Index("auto").search(10, sifting=1024) == {}
    assert Index("ivf_pq", m=16).build() == {"nlist": 128, "m": 16, "nbits": 8}


@pytest.mark.parametrize(
    ("index", "sifting", "usual"), [(Index("hnsw"), 4096, 64), (Index("hnsw", ef=99), 99, 99)]
)
def test_milvus_lite_meets_more_candidates_where_a_condition_takes_some_away(
    path: Path, index: Index, sifting: int, usual: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MilvusStore(path=path, index=index) as store:
        store.open(spec(), create=True)
        store.upsert(various())
        store.optimize()
        assert store._connection is not None
        client, asked = store._connection.client, list[int]()
        search = client.search

        def spy(*given: Any, **named: Any) -> Any:
            asked.append(named["search_params"]["params"]["ef"])
            return search(*given, **named)

        monkeypatch.setattr(client, "search", spy)
        store.search([SearchRequest(NearVector([1, 2, 3, 4]), F.year < 50)])
        assert len(near(store)) == 10
        assert asked == [sifting, usual]


@pytest.mark.parametrize(
    ("form", "version", "text", "number", "texts"),
    [
        (forms.LITE, "milvus_lite-3.2.2", None, None, None),
        (forms.SERVER, "v2.3.5-lite", "Trie", "STL_SORT", None),
        (forms.SERVER, "v2.4.1", "Trie", "STL_SORT", None),  # its INVERTED finds what doesn't match
        (forms.SERVER, "2.5.0", "INVERTED", "INVERTED", "INVERTED"),
        (forms.SERVER, "v2.10.0", "INVERTED", "INVERTED", "INVERTED"),
        (forms.CLOUD, "", "INVERTED", "INVERTED", "INVERTED"),
    ],
)
def test_a_column_gets_the_index_that_the_version_has(
    form: Form, version: str, text: str | None, number: str | None, texts: str | None
) -> None:
    kinds = filtering.kinds(form, version)
    assert [kinds.get(type) for type in (DataType.VARCHAR, DataType.INT64, DataType.ARRAY)] == [
        text,
        number,
        texts,
    ]
    assert kinds.get(DataType.DOUBLE) == number


def test_milvus_lite_gets_indexes_of_vectors_and_words_only(spy: Spy, make_store: MakeStore) -> None:
    with make_store() as store:
        store.open(spec(), create=True)
    assert len(spy.named("create_index")) == 2


# -- calls ------------------------------------------------------------------------------------------------


class Spy:
    """Every call of pymilvus: its name and keywords."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(("Client", kwargs))
        made, spy = Client(*args, **kwargs), self

        class Watched:
            def __getattr__(self, name: str) -> Any:
                def call(*args: Any, **kwargs: Any) -> Any:
                    spy.calls.append((name, kwargs))
                    return getattr(made, name)(*args, **kwargs)

                return call

        return Watched()

    def named(self, name: str) -> list[dict[str, Any]]:
        return [kwargs for called, kwargs in self.calls if called == name]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    spy = Spy()
    monkeypatch.setattr(lite, "Client", spy.client)
    return spy


LOCAL = {"close", "create_schema", "prepare_index_params"}


def test_every_call_has_a_timeout_and_none_has_ids_or_a_template(
    spy: Spy, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_SMALL", 10)
    with make_store() as store:
        store.open(spec(), create=True)
        store.upsert(various(30))
        store.update_fields(["r1", "r2"], fields={"year": 1})
        near(store)
        store.search([SearchRequest(Lexical("word"))])
        store.fetch(["r1"], vectors=True)
        assert len(ids(store, F.year > 3)) == 26
        store.count(F.year > 3)
        store.flush()
        store.optimize()
        store.delete(["r1"])
        store.delete(where=F.year > 20)
        store.drop()
    called = {name for name, _ in spy.calls}
    assert {"search", "query", "upsert_columns", "delete", "flush", "load_collection", "drop_index"} <= called
    for name, kwargs in spy.calls:
        if name not in LOCAL:
            assert 0 < kwargs["timeout"] <= 3600, name
        assert not kwargs.keys() & {"ids", "filter_params"}, name
    assert all("output_fields" in kwargs for name in ("search", "query") for kwargs in spy.named(name))
    assert all("anns_field" in kwargs for kwargs in spy.named("search"))


def test_a_call_gets_what_is_left_of_the_deadline(spy: Spy, path: Path) -> None:
    with MilvusStore(path=path, timeout=25) as store:
        store.open(spec(), create=True)
        store.upsert(various(3))
        near(store)
    assert 0 < spy.named("search")[0]["timeout"] <= 25


def test_searches_that_differ_in_their_vector_only_are_one_call(spy: Spy, make_store: MakeStore) -> None:
    with make_store() as store:
        store.open(spec(), create=True)
        store.upsert([record(f"{n}", content=axis, fields={"year": n}) for n, axis in enumerate(np.eye(4))])
        requests = [SearchRequest(NearVector(axis), limit=2) for axis in np.eye(4).tolist()]
        requests += [replace(request, where=F.year >= 1) for request in requests]
        requests += [SearchRequest(Lexical("a")), SearchRequest(Lexical("b"))]
        answers = store.search([requests[at] for at in (8, 0, 4, 1, 5, 2, 6, 3, 7, 9)])
    assert sorted(len(kwargs["data"]) for kwargs in spy.named("search")) == [2, 4, 4]
    assert [answers[at].hits[0].id for at in (1, 3, 5, 7)] == ["0", "1", "2", "3"]
    assert [answers[at].hits[0].id for at in (4, 6, 8)] == ["1", "2", "3"]


def test_a_failing_call_is_tried_once(path: Path) -> None:
    class Failing:
        tried = 0

        def __call__(self, *_: object, **__: object) -> None:
            self.tried += 1
            raise _Status(grpc.StatusCode.UNKNOWN, "oops")

    with MilvusStore(path=path, retry=RetryPolicy(attempts=1)) as store:
        store.open(spec(), create=True)
        failing = Failing()
        assert store._connection is not None
        store._connection.client._get_connection()._stub.Search = failing
        with pytest.raises(UnavailableError, match="oops"):
            near(store)
        assert failing.tried == 1


def test_callers_take_turns_and_none_waits_beyond_its_deadline(path: Path) -> None:
    # A reader can miss rows while Milvus Lite writes its memory to disk, and two writers mix theirs.
    with MilvusStore(path=path, retry=RetryPolicy(attempts=1)) as store, ThreadPoolExecutor(1) as pool:

        def hurried() -> int:
            with within(1):
                return store.count()

        store.open(spec(), create=True)
        store.upsert([record("a")])
        assert store._connection is not None
        with store._connection.alone():
            reading = pool.submit(store.count)
            with pytest.raises(TimeoutError):
                reading.result(0.3)
        assert reading.result() == 1
        with store._connection.alone(), pytest.raises(UnavailableError, match="busy"):
            pool.submit(hurried).result()
        assert store.count() == 1


def test_errors_are_not_written_to_the_terminal(
    store: VectorStore, capfd: pytest.CaptureFixture[str]
) -> None:
    store.upsert(various(3))
    assert isinstance(store, MilvusStore)
    assert store._connection is not None
    with pytest.raises(MilvusException):
        store._connection.client.query("clips", "nope == 1", output_fields=["id"], timeout=connection.limit())
    assert capfd.readouterr().err == ""


# -- records ----------------------------------------------------------------------------------------------


def test_names_of_columns_and_words_of_milvus_may_be_names_of_fields(make_store: MakeStore) -> None:
    names = (
        "id",
        "vector",
        "words",
        "text",
        "extra",
        "in",
        "like",
        "and",
        "exists",
        "true",
        "array_contains",
    )
    with make_store() as store:
        store.open(spec(fields=dict.fromkeys(names, FieldType.STRING)), create=True)
        given = record("a", fields={name: f"my {name}" for name in names}, text=Text("title"))
        store.upsert([given, record("b")])
        assert store.fetch(["a"])["a"] == replace(given, content=None)
        for name in names:
            assert ids(store, F[name] == f"my {name}") == {"a"}
            assert ids(store, ~F[name].exists()) == {"b"}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"uri": "u" * 65_536}, "65536 bytes in 'uri'"),
        ({"video_id": "海" * 22_000}, "66000 bytes in 'video_id'"),
        ({"text": Text(transcript="t" * 65_536)}, "in 'text'"),
        ({"extra": {"k": "v" * 65_530}}, "in 'extra'"),
        ({"fields": {"place": "p" * 70_000}}, "in 'place'"),
        ({"fields": {"tags": ["t" * 70_000]}}, "in 'tags'"),
        ({"fields": {"tags": ["t"] * 4_097}}, "4097 items in 'tags'"),
    ],
)
def test_what_is_longer_than_milvus_keeps_is_refused_before_the_call(
    store: VectorStore, parts: dict[str, Any], words: str
) -> None:
    store.upsert([record("before")])
    with pytest.raises(InvalidQueryError, match=words):
        store.upsert([record("a"), record("long", **parts)])
    assert ids(store) == {"before"}
    if parts.keys() <= {"uri", "text", "fields"}:
        with pytest.raises(InvalidQueryError, match=words):
            store.update_fields(["before"], **parts)
    longest = record("longest", uri="海" * 21_845, fields={"tags": ["t"] * 4_096})
    store.upsert([longest])
    assert store.fetch(["longest"])["longest"] == replace(
        longest, content=None, fields={"tags": ("t",) * 4_096}
    )


def test_rows_go_in_messages_that_a_server_takes() -> None:
    long = rows.row(record("a", uri="u" * 60_000), FIELDS, SERVER)
    parts = list(rows.pieces([long] * 300, 4))
    assert sum(map(len, parts)) == 300
    assert 2 < len(parts) < 10
    assert list(rows.pieces([], 4)) == []


def test_texts_of_lists_and_of_rows_with_nothing_in_their_place_count_for_a_message() -> None:
    many = rows.row(record("a", fields={"tags": ("t" * 60_000,)}), FIELDS, replace(SERVER, words=True))
    few = rows.row(record("b"), FIELDS, replace(SERVER, words=True))
    parts = list(rows.pieces([few, *[many] * 150], 4))
    assert [row for part in parts for row in part] == [few, *[many] * 150]
    assert len(parts) == 2
    nothing = {**few, "f_place": None, "f_tags": None}  # as a field that was added later
    assert list(rows.pieces([many, nothing], 4)) == [[many, nothing]]
    assert len(list(rows.pieces([many, nothing] * 150, 4))) == 2


def test_more_fields_than_milvus_has_room_for_are_refused(make_store: MakeStore) -> None:
    fields = {f"field{n}": FieldType.INT for n in range(52)}
    with pytest.raises(ConfigurationError, match="52 declared fields"), make_store() as store:
        store.open(spec(fields=fields), create=True)
    with make_store() as store:
        store.open(spec(fields=dict(list(fields.items())[:51])), create=True)
        store.upsert([record("a", fields={"field50": 7})])
        assert ids(store, F.field50 == 7) == {"a"}


def test_mmap_is_said_of_a_collection_that_is_out_of_memory() -> None:
    client = create_autospec(MilvusClient, instance=True)
    collection.set_mmap(client, "clips", mmap=True)
    released, altered = client.method_calls  # a server refuses it for one that is loaded
    assert released[:2] == ("release_collection", ("clips",))
    assert altered[:2] == ("alter_collection_properties", ("clips", {"mmap.enabled": "true"}))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_literal_is_read_as_what_was_written(text: str) -> None:
    from milvus_lite.search.filter import parse_expr

    parsed: Any = parse_expr(f"id in [{expressions.literal(text)}, {expressions.literal('x')}]")
    assert [each.value for each in parsed.values.elements] == [text, "x"]


@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        ("a", "b"),
        ("50%", "50&"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff", ""),
        ("\ud7ff", "\ue000"),
        ("x\uffff", "x\U00010000"),
    ],
)
def test_a_prefix_ends_before_the_next_text(text: str, beyond: str) -> None:
    assert expressions._beyond(text) == beyond
    if beyond:
        assert text < text + "\U0010ffff" < beyond


def test_flush_syncs_what_milvus_lite_only_writes(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store.upsert(various(10))
    assert not any(name.endswith(".parquet") for name in synced)
    store.flush()
    assert any(name.endswith(".parquet") for name in synced)


# -- tenants ----------------------------------------------------------------------------------------------


def test_a_tenant_keeps_rows_apart_and_a_record_may_change_its_tenant(
    path: Path, make_store: MakeStore
) -> None:
    with MilvusStore(path=path, tenant="place") as store:
        store.open(spec(), create=True)
        store.upsert([record(f"{n}", fields={"place": f"p{n % 3}"}) for n in range(30)])
        assert ids(store, F.place == "p1") == {str(n) for n in range(1, 30, 3)}
        store.update_fields(["1"], fields={"place": "p2"})
        store.upsert([record("4", fields={"place": "new"})])
        assert store.count() == len(ids(store)) == 30
        assert ids(store, F.place == "new") == {"4"}
        assert "1" in ids(store, F.place == "p2")
        store.delete(["4"])
        assert store.count() == 29
    with pytest.raises(ConfigurationError, match="tenant"), make_store() as store:
        store.open(spec(), create=False)
    wrong = MilvusStore(path=path, tenant="year")
    with pytest.raises(ConfigurationError, match="no declared field of type string"), wrong as store:
        store.open(spec("another"), create=True)


# -- configuration and errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "either path or url"),
        ({"path": Path("a.db"), "url": "http://h"}, "either path or url"),
        ({"path": Path("a.db"), "server_name": "h"}, "are a server's"),
        ({"path": Path("a.db"), "mmap": False}, "mmap is a server's"),
        ({"url": "h:19530"}, "http://host:port"),
        ({"url": "tcp://h:19530"}, "http://host:port"),
        ({"url": "http://root:secret@h"}, "holds a password"),
        ({"url": "http://h/db"}, "key `database`"),
        ({"url": "http://h", "server_name": "x"}, "says http"),
        ({"url": "https://h", "ca_file": Path("missing.pem")}, "no file missing.pem"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MilvusStore(**keys)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_keys_of_a_configuration_reach_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyreel.config import build_stack, load

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYREEL_STACKS__SHARED__STORE__TOKEN", "root:hidden-password")
    (tmp_path / "polyreel.toml").write_text("""
        [stacks.shared]
        preset = "local"
        [stacks.shared.store]
        kind = "milvus"
        url = "https://milvus.example:19530"
        tenant = "customer"
        mmap = true
        lexical = false
        [stacks.shared.store.index]
        kind = "hnsw"
        ef = 100
        [stacks.shared.fields]
        customer = "string"
    """)
    store = build_stack(load(stack="shared")).store
    assert isinstance(store, MilvusStore)
    assert (store._index, store._tenant, store._mmap) == (Index("hnsw", ef=100), "customer", True)
    assert store._lexical is False
    assert store._address is not None
    assert store._address.url == "https://milvus.example:19530"
    assert "hidden-password" not in repr(store._address)
    (tmp_path / "polyreel.toml").write_text(
        (tmp_path / "polyreel.toml").read_text().replace("ef = 100", "nlist = 100")
    )
    with pytest.raises(ConfigurationError, match=r"store\.index.*no 'nlist'"):
        build_stack(load(stack="shared"))


class _Status(grpc.RpcError, grpc.Call):  # type: ignore[misc]  # grpc has no types
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def _unused(self, *_: object) -> None:
        raise NotImplementedError

    initial_metadata = trailing_metadata = is_active = time_remaining = cancel = add_callback = _unused


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_Status(grpc.StatusCode.UNAUTHENTICATED, "x"), AuthenticationError),
        (_Status(grpc.StatusCode.PERMISSION_DENIED, "x"), AuthenticationError),
        (_Status(grpc.StatusCode.UNIMPLEMENTED, "x"), UnsupportedError),
        (_Status(grpc.StatusCode.DEADLINE_EXCEEDED, "x"), UnavailableError),
        (_Status(grpc.StatusCode.INTERNAL, "x"), UnavailableError),
        (_Status(grpc.StatusCode.RESOURCE_EXHAUSTED, "x"), RejectedError),
        (
            caused(MilvusException(2, "Fail connecting"), _Status(grpc.StatusCode.UNAUTHENTICATED, "x")),
            AuthenticationError,
        ),
        (
            caused(MilvusException(2, "Fail connecting"), _Status(grpc.StatusCode.UNAVAILABLE, "x")),
            UnavailableError,
        ),
        (MilvusException(8, "rate limit"), RateLimitedError),
        (MilvusException(100, "no collection"), NotFoundError),
        (MilvusException(101, "not loaded"), UnavailableError),
        (MilvusException(65535, "bad filter"), RejectedError),
        (MilvusException(1, "wait for loading collection timeout"), UnavailableError),
        (
            MilvusException(65535, "fail to Search, reason=delegator closed during wait tsafe"),
            UnavailableError,
        ),
        (MilvusException(10, "busy"), UnavailableError),
    ],
)
def test_errors_of_pymilvus_are_told_apart(error: Exception, kind: type[PolyreelError]) -> None:
    ours = errors.translate(error, "Milvus at x")
    assert type(ours) is kind
    assert str(ours).startswith("Milvus at x")
    assert errors.translate(ValueError("ours"), "x") is None


def test_the_driver_is_loaded_when_a_store_is_made(tmp_path: Path) -> None:
    code = "import sys, polyreel.backends.milvus; print('pymilvus' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


def test_the_driver_puts_no_variables_of_a_file_into_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("POLYREEL_STACK=other\nPATH=/nowhere\n")
    code = """
import dotenv, os, sys
load = dotenv.load_dotenv
dotenv.load_dotenv = lambda: load(sys.argv[1])  # as if it lay above the package's folder
from polyreel.backends.milvus import MilvusStore
print(os.environ.get("POLYREEL_STACK"), os.environ["PATH"])
load(sys.argv[1])
print(os.environ.get("POLYREEL_STACK"))
"""
    command = [sys.executable, "-P", "-c", code, str(tmp_path / ".env")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == [f"None {os.environ['PATH']}", "other"]
