"""A real Milvus server (2.3.5): the contract of stores, TLS, logins, and a server that fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np
import pytest
import trustme
from pydantic import SecretStr
from pymilvus import MilvusClient

from polyreel.backends.memory import MemoryStore
from polyreel.backends.milvus import MilvusStore, connection, forms, tuning
from polyreel.backends.milvus.collection import describe
from polyreel.backends.milvus.index import Index, active
from polyreel.core.capabilities import Feature, Form
from polyreel.core.deadline import RetryPolicy, poll
from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    PolyreelError,
    UnavailableError,
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filters import ALL, F, Filter
from polyreel.core.records import Record
from polyreel.core.requests import Group, Lexical, NearVector, SearchRequest
from polyreel.core.space import CollectionSpec, Metric, Space
from polyreel.core.store import VectorStore
from polyreel.testing.parity import ParityContract
from polyreel.testing.store import MakeStore, StoreContract, StoreTests

pytestmark = pytest.mark.slow  # each call waits for the server's clock

Serve = Callable[..., str]


@pytest.fixture(scope="module")
def url(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    return serve("milvus", "--data", str(tmp_path_factory.mktemp("milvus")), "--fast")


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[MilvusClient]:
    client = MilvusClient(url, timeout=10, dedicated=True)
    yield client
    client.close()


def tidy(client: MilvusClient, keep: CollectionSpec | None = None) -> None:
    """Drop what other tests have left; the collection to keep, whose making takes 3 seconds, is emptied."""
    for name in client.list_collections(timeout=10):
        stored = describe(client, name, "the server") if keep and name == keep.name else None
        if stored is None or stored.meta.spec != keep or stored.tenant:
            client.drop_collection(name, timeout=10)
            continue
        client.load_collection(name, timeout=30)
        client.delete(name, filter='id != ""', timeout=10)
        assert client.query(name, "", output_fields=["count(*)"], timeout=10)[0]["count(*)"] == 0


class _Server(StoreTests):
    metrics = tuple(Metric)

    @pytest.fixture
    def make_store(self, request: pytest.FixtureRequest, url: str, client: MilvusClient) -> MakeStore:
        # A test of the fixture `store` begins with an empty collection; any other begins with none.
        tidy(client, self.spec() if "store" in request.fixturenames else None)
        return partial(MilvusStore, url=url)


class TestMilvusServer(_Server, StoreContract):
    pass


class TestMilvusServerAgreesWithMemory(_Server, ParityContract):
    examples = 6


def spec(name: str = "clips", dimension: int = 4) -> CollectionSpec:
    fields = {"year": FieldType.INT, "place": FieldType.STRING}
    return CollectionSpec(name, Space("test", "made-up", "1", dimension), fields)


def record(id: str, **parts: object) -> Record:
    given = {"video_id": "v", "uri": "file:///v.mp4", "content": [1.0, 2.0, 3.0, 4.0], **parts}
    return Record(id=id, **given)  # type: ignore[arg-type]


def ids(store: VectorStore, where: Filter = ALL) -> set[str]:
    return {found.id for found in store.scan(where)}


def near(store: VectorStore, limit: int = 10) -> list[str]:
    return [hit.id for hit in store.search([SearchRequest(NearVector([1, 2, 3, 4]), limit=limit)])[0].hits]


@pytest.fixture
def store(url: str, client: MilvusClient) -> Iterator[VectorStore]:
    tidy(client, spec())
    with MilvusStore(url=url) as store:
        store.open(spec(), create=True)
        yield store


# -- what an old server can't do --------------------------------------------------------------------------


def test_what_this_version_lacks_is_refused(store: VectorStore) -> None:
    assert store.can.version.startswith("v2.3.5")
    assert store.can.features == {Feature.PREFIX, Feature.DURABLE, Feature.SHARED, Feature.EXACT}
    store.upsert([record("a")])
    with pytest.raises(UnsupportedError, match="group"):  # which the server would pass over
        store.search([SearchRequest(NearVector([1, 2, 3, 4]), group=Group())])
    with pytest.raises(UnsupportedError, match="lexical"):
        store.search([SearchRequest(Lexical("a"))])


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v2.3.5-lite", (2, 3)),
        ("2.6.2", (2, 6)),
        ("v2.10.0", (2, 10)),
        ("milvus_lite-3.2.2", (3, 2)),
        ("dev", (0, 0)),
    ],
)
def test_a_version_is_read_by_its_numbers(version: str, expected: tuple[int, int]) -> None:
    assert connection.release(version) == expected


def test_few_records_among_many_deleted_ones_are_found(store: VectorStore) -> None:
    store.upsert([record(f"gone {n}", content=[n % 7 + 1, n % 11, n % 13, 1]) for n in range(6000)])
    store.delete(where=ALL)
    store.upsert([record(f"r{n}", content=[1, n, 0, 0]) for n in range(6)])
    assert set(near(store)) == {f"r{n}" for n in range(6)}


def test_optimize_returns_when_every_row_is_indexed(
    store: VectorStore, client: MilvusClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_SMALL", 2000)
    store.upsert([record(f"r{n}", content=[1, n, n % 7, n % 11]) for n in range(3000)])
    heard: list[float] = []
    store.optimize(progress=heard.append)
    index = client.describe_index("clips", "vector", timeout=10)
    assert (index["index_type"], index["pending_index_rows"]) == ("AUTOINDEX", 0)
    assert index["indexed_rows"] >= 3000  # with rows that other tests have deleted
    assert Feature.EXACT not in store.can.features
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert len(near(store, limit=100)) == 100
    assert store.count() == 3000
    client.drop_collection("clips", timeout=10)


@pytest.mark.parametrize("kind", ["auto", "hnsw"])
def test_with_a_condition_a_graph_finds_the_nearest_of_those_that_match(
    url: str, client: MilvusClient, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_SMALL", 2000)
    tidy(client)
    rng = np.random.default_rng(7)
    made, asked = rng.standard_normal((12_000, 64)), rng.standard_normal((20, 64))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    with MilvusStore(url=url, index=Index(kind)) as store:
        store.open(spec(dimension=64), create=True)
        store.upsert(
            record(f"r{n}", content=made[n].tolist(), fields={"year": n % 10}) for n in range(12_000)
        )
        store.optimize()
        given = searched_with(store, monkeypatch)
        requests = [SearchRequest(NearVector(each.tolist()), F.year == 3) for each in asked]
        answers = store.search(requests)
        store.search([SearchRequest(NearVector(asked[0].tolist()))])
        store.drop()
    assert [each["params"] for each in given] == [{"ef": 1024}, {"ef": 64}]
    nearest = [{f"r{n * 10 + 3}" for n in np.argsort(-(made[3::10] @ each))[:10]} for each in asked]
    found = [{hit.id for hit in answer.hits} for answer in answers]
    assert sum(len(one & other) for one, other in zip(nearest, found, strict=True)) >= 0.98 * 200


def searched_with(store: MilvusStore, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The parameters of searches, as they are asked from now on."""
    assert store._connection is not None
    client, given = store._connection.client, list[Any]()
    search = client.search

    def spy(*arguments: Any, **named: Any) -> Any:
        given.append(named["search_params"])
        return search(*arguments, **named)

    monkeypatch.setattr(client, "search", spy)
    return given


@pytest.mark.parametrize(
    ("form", "version", "kind"),
    [
        (forms.LITE, "milvus_lite-3.2.2", "auto"),
        (forms.SERVER, "v2.3.5-lite", "hnsw"),
        (forms.SERVER, "v2.4.1", "auto"),
        (forms.SERVER, "dev", "auto"),
        (forms.CLOUD, "", "auto"),
    ],
)
def test_parameters_go_to_an_index_of_the_servers_choice_where_it_is_known_to_take_them(
    form: Form, version: str, kind: str
) -> None:
    assert forms.auto_index(form, version) == kind
    assert active(Index("auto"), "AUTOINDEX", auto=forms.auto_index(form, version)) == Index(kind)


def test_the_parameters_of_an_index_reach_the_server(url: str, client: MilvusClient) -> None:
    tidy(client)
    with MilvusStore(url=url, index=Index("hnsw", m=5, ef_construction=33)) as store:
        store.open(spec(), create=True)
        index = client.describe_index("clips", "vector", timeout=10)
        assert (index["index_type"], index["params"]) == ("HNSW", {"M": 5, "efConstruction": 33})
        store.upsert([record(f"r{n}", content=[1, n, 0, 0]) for n in range(50)])
        assert len(near(store, limit=50)) == 50
        store.drop()


@pytest.mark.parametrize(
    "index",
    [
        Index("ivf_sq8", nlist=8, nprobe=8),
        Index("ivf_pq", nlist=8, m=2, nprobe=8),
        Index("scann", nlist=8, nprobe=8),
    ],
    ids=lambda index: str(index.kind),
)
def test_every_kind_of_index_is_made_and_searched(url: str, client: MilvusClient, index: Index) -> None:
    tidy(client)
    with MilvusStore(url=url, index=index) as store:
        store.open(spec(), create=True)
        assert client.describe_index("clips", "vector", timeout=10)["index_type"] == index.type
        store.upsert([record(f"r{n}", content=[1, n, n % 7, n % 11]) for n in range(1500)])
        store.optimize()
        assert client.describe_index("clips", "vector", timeout=10)["pending_index_rows"] == 0
        assert near(store, limit=3)
        store.drop()


def test_an_index_that_is_never_finished_ends_with_the_deadline(url: str, client: MilvusClient) -> None:
    tidy(client)
    with MilvusStore(url=url, index=Index("diskann"), retry=HASTY) as store:  # which this package can't build
        store.open(spec(), create=True)
        store.upsert([record(f"r{n}", content=[1, n, n % 7, n % 11]) for n in range(1500)])
        with pytest.raises(UnavailableError, match="the index of 'clips' is not ready"):
            store.optimize(timeout=6)
        assert len(near(store)) == 10  # searches go on
        store.drop()


def made_of(client: MilvusClient, name: str = "clips") -> dict[str, str]:
    """The kind of index that each column of a collection has."""
    indexes = [
        client.describe_index(name, index, timeout=10) for index in client.list_indexes(name, timeout=10)
    ]
    return {index["field_name"]: index["index_type"] for index in indexes}


def test_columns_that_filters_read_are_indexed_and_no_list_is(
    store: VectorStore, client: MilvusClient
) -> None:
    assert made_of(client) == {
        "vector": "FLAT",
        "video_id": "Trie",
        "scope": "Trie",
        "channel": "Trie",
        "f_place": "Trie",
        "f_year": "STL_SORT",
    }


def test_an_index_of_a_column_changes_no_answer(url: str, client: MilvusClient) -> None:
    tidy(client)
    texts = ("", "a", "ab", "Ab", "b", "日本", "\U0010ffff", 'q"uo\\te', "\n", "50%")
    rows = [
        record(
            f"r{n}",
            video_id=f"v{n % 37}",
            content=[1, n, n % 7, 1],
            fields={"year": n % 50 - 25, **({"place": texts[n % 11]} if n % 11 < 10 else {})},
        )
        for n in range(2500)
    ]
    wheres: list[Filter] = [
        F.year == 3,
        F.year < -20,
        F.year.between(-1, 1),
        ~(F.year > 0),
        F.video_id == "v3",
    ]
    wheres += [F.place == text for text in texts] + [
        F.place != "ab",
        ~F.place.exists(),
        F.place.is_in(["a", "日本"]),
    ]
    wheres += [F.place.prefix(text) for text in texts if text] + [
        F.video_id.is_in(["v1", "v2"]) & (F.year >= 0)
    ]
    with MilvusStore(url=url) as store, MemoryStore() as memory:
        for each in (store, memory):
            each.open(spec(), create=True)
            each.upsert(rows)
        store.optimize()  # rows are looked up in an index once they are flushed
        for name in ("f_place", "f_year", "video_id"):
            poll(partial(is_indexed, client, name, len(rows)), what=name, timeout=60)
        for where in wheres:
            assert ids(store, where) == ids(memory, where), where
        assert 0 < store.count(F.place.prefix("a")) < 2500
        store.drop()


def is_indexed(client: MilvusClient, name: str, count: int) -> bool:
    return int(client.describe_index("clips", name, timeout=10)["indexed_rows"]) == count


def test_an_older_collection_gets_its_indexes_when_it_is_opened(url: str, client: MilvusClient) -> None:
    tidy(client)
    with MilvusStore(url=url) as store:
        store.open(spec(), create=True)
        store.upsert([record("a", fields={"year": 3})])
    expected = made_of(client)
    assert {"video_id", "f_place", "f_year"} <= expected.keys()
    client.release_collection("clips", timeout=10)
    for name in expected.keys() - {"vector"}:
        client.drop_index("clips", name, timeout=10)
    assert made_of(client) == {"vector": "FLAT"}
    with MilvusStore(url=url) as store:
        store.open(spec(), create=False)
        assert made_of(client) == expected
        assert ids(store, F.year == 3) == {"a"}
        store.drop()


def test_words_are_refused_before_anything_is_made(url: str, client: MilvusClient) -> None:
    tidy(client)
    with (
        pytest.raises(UnsupportedError, match=r"2\.3\.5.* keeps no words; leave lexical out"),
        MilvusStore(url=url, lexical=True) as store,
    ):
        store.open(spec(), create=True)
    assert client.list_collections(timeout=10) == []


@pytest.mark.parametrize("mmap", [True, False])
def test_mmap_is_refused_before_anything_is_made(url: str, client: MilvusClient, mmap: bool) -> None:
    tidy(client)
    with pytest.raises(UnsupportedError, match=r"2\.3\.5.*mmap"), MilvusStore(url=url, mmap=mmap) as store:
        store.open(spec(), create=True)
    assert client.list_collections(timeout=10) == []


def test_mmap_is_a_property_of_the_collection_which_stays_what_it_was(
    url: str, client: MilvusClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_MMAP_SINCE", (2, 3))  # 2.3.5 keeps any property, and passes this one over
    tidy(client)

    def property_of() -> object:
        return client.describe_collection("clips", timeout=10)["properties"].get("mmap.enabled")

    with MilvusStore(url=url) as store:
        store.open(spec(), create=True)
        store.upsert([record("a")])
        uid = store.meta.uid
    assert property_of() is None
    for mmap, expected in ((True, "true"), (None, "true"), (False, "false")):
        with MilvusStore(url=url, mmap=mmap) as store:
            store.open(spec(), create=False)
            assert property_of() == expected
            assert (store.meta.uid, near(store)) == (uid, ["a"])
    client.drop_collection("clips", timeout=10)
    with MilvusStore(url=url, mmap=True) as store:
        store.open(spec(), create=True)
        assert property_of() == "true"
        store.drop()


def test_tenants_are_refused_where_their_rows_would_be_lost(url: str, client: MilvusClient) -> None:
    tidy(client)
    with pytest.raises(UnsupportedError, match="tenants"), MilvusStore(url=url, tenant="place") as store:
        store.open(spec(), create=True)
    assert client.list_collections(timeout=10) == []


def test_a_collection_that_polyreel_did_not_make_is_left_alone(url: str, client: MilvusClient) -> None:
    tidy(client)
    client.create_collection("clips", 4, timeout=30)
    with pytest.raises(ConfigurationError, match="wasn't made by polyreel"), MilvusStore(url=url) as store:
        store.open(spec(), create=True)
    assert client.has_collection("clips", timeout=10)
    client.drop_collection("clips", timeout=10)


def test_creators_at_once_make_one_collection(url: str, client: MilvusClient) -> None:
    tidy(client)
    stores = [MilvusStore(url=url) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda store: store.open(spec(), create=True), stores))
    assert len({store.meta.uid for store in stores}) == 1
    stores[0].upsert([record("a")])
    assert [store.count() for store in stores] == [1, 1, 1]
    for store in stores:
        store.close()


def test_eight_writers_and_eight_readers_agree_in_the_end(store: VectorStore) -> None:
    done = threading.Event()

    def read() -> int:
        times = 0
        while not done.is_set():
            assert len(set(near(store, limit=50))) <= 50
            assert store.count() >= 0
            times += 1
        return times

    def write(writer: int) -> None:
        for turn in range(5):
            store.upsert([record(f"{writer}-{turn}-{n}", fields={"year": writer}) for n in range(20)])

    with ThreadPoolExecutor(16) as pool:
        readers = [pool.submit(read) for _ in range(8)]
        try:
            list(pool.map(write, range(8)))
        finally:
            done.set()
        assert min(reader.result() for reader in readers) >= 1
    assert store.count() == len(ids(store)) == 800
    assert store.count(F.year == 3) == 100


# -- a server that fails ----------------------------------------------------------------------------------


class Relay:
    """Hands bytes to a server and back, until it is cut."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._open: list[socket.socket] = []
        self._listener = self._listening(0)
        self.port = self._listener.getsockname()[1]

    def _listening(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._to)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._hand, args=(one, other), daemon=True).start()

    def _hand(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(65_536):
                other.sendall(piece)

    def cut(self) -> None:
        """As if the server had died."""
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def mend(self) -> None:
        """As if it had come back."""
        self._listener = self._listening(self.port)


@pytest.fixture
def relay(url: str) -> Iterator[Relay]:
    relay = Relay(int(url.rpartition(":")[2]))
    yield relay
    relay.cut()


HASTY = RetryPolicy(attempts=1)


def test_a_server_that_is_down_is_unavailable_at_once() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    start = time.monotonic()
    with (
        pytest.raises(UnavailableError, match=f"127.0.0.1:{port}.*is the server running"),
        MilvusStore(url=f"http://127.0.0.1:{port}", retry=HASTY) as store,
    ):
        store.open(spec(), create=True)
    assert time.monotonic() - start < 5


def test_a_server_that_hangs_is_unavailable_after_the_timeout() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        with (
            pytest.raises(UnavailableError),
            MilvusStore(url=f"http://127.0.0.1:{port}", timeout=1.5) as store,
        ):
            store.open(spec(), create=True)
        assert 1 < time.monotonic() - start < 15  # of the 30 that are usual


def test_a_server_that_dies_in_mid_call_and_comes_back_loses_nothing(
    client: MilvusClient, relay: Relay
) -> None:
    tidy(client, spec())
    with MilvusStore(url=f"http://127.0.0.1:{relay.port}", retry=RetryPolicy(attempts=8, base=0.2)) as store:
        store.open(spec(), create=True)
        written: list[str] = []

        def write() -> None:
            for n in range(30):
                store.upsert([record(f"{n}-{m}") for m in range(10)])
                written.extend(f"{n}-{m}" for m in range(10))

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            for _ in range(2):
                time.sleep(0.3)
                relay.cut()
                time.sleep(0.5)
                relay.mend()
            writing.result()
        assert ids(store) == set(written)
        assert store.count() == 300


def test_a_call_to_a_server_that_died_fails_and_the_next_one_after_its_return_works(
    client: MilvusClient, relay: Relay
) -> None:
    tidy(client, spec())
    with MilvusStore(url=f"http://127.0.0.1:{relay.port}", timeout=5, retry=HASTY) as store:
        store.open(spec(), create=True)
        store.upsert([record("a")])
        relay.cut()
        start = time.monotonic()
        for call in (store.count, lambda: near(store), lambda: store.upsert([record("b")])):
            with pytest.raises(UnavailableError):
                call()
        assert time.monotonic() - start < 15
        relay.mend()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(UnavailableError):
                assert store.count() == 1
                break
        assert near(store) == ["a"]


def test_a_collection_that_was_released_is_loaded_again(store: VectorStore, client: MilvusClient) -> None:
    store.upsert([record("a")])
    client.release_collection("clips", timeout=10)  # as after a restart of some servers
    assert near(store) == ["a"]
    assert store.count() == 1


# -- TLS and logins ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A server with TLS and logins: its address and the file of its authority."""
    folder = tmp_path_factory.mktemp("secured")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other.pem"))
    files = ["--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")]
    url = serve("milvus", "--data", str(folder / "data"), "--fast", "--auth", *files)
    return {"url": url, "ca_file": folder / "ca.pem"}


TOKEN = SecretStr("root:Milvus")


@contextmanager
def opened(**keys: Any) -> Iterator[VectorStore]:
    with MilvusStore(**keys, timeout=20, retry=HASTY) as store:
        store.open(spec(), create=True)
        yield store


def test_tls_and_a_token_open_the_server(secured: dict[str, Any]) -> None:
    with opened(**secured, token=TOKEN) as store:
        store.upsert([record("a")])
        assert near(store) == ["a"]
    by_number = secured["url"].replace("localhost", "127.0.0.1")
    with opened(url=by_number, ca_file=secured["ca_file"], server_name="localhost", token=TOKEN) as store:
        assert near(store) == ["a"]


@pytest.mark.parametrize(
    "token", [None, SecretStr("root:wrong-password"), SecretStr("nobody:Milvus")], ids=str
)
def test_a_wrong_token_is_told_apart_from_a_dead_server(secured: dict[str, Any], token: Any) -> None:
    with pytest.raises(AuthenticationError, match="token") as caught, opened(**secured, token=token):
        pass
    assert "wrong-password" not in f"{caught.value}{caught.value.__cause__}"


def test_a_server_that_cannot_prove_itself_is_not_talked_to(secured: dict[str, Any]) -> None:
    with opened(**secured, token=TOKEN):  # whose connection the others must not get
        plain = secured["url"].replace("https", "http")
        wrong: list[dict[str, Any]] = [
            {"url": secured["url"]},  # signed by nobody that the system knows
            {"url": secured["url"], "ca_file": secured["ca_file"].with_name("other.pem")},
            {"url": secured["url"], "ca_file": secured["ca_file"], "server_name": "elsewhere"},
            {"url": plain},
        ]
        for keys in wrong:
            with pytest.raises(PolyreelError) as caught, opened(**keys, token=TOKEN):
                pass
            assert isinstance(caught.value, UnavailableError), keys


def test_a_user_without_the_right_is_told_so(secured: dict[str, Any]) -> None:
    admin = MilvusClient(
        secured["url"],
        token="root:Milvus",
        server_pem_path=str(secured["ca_file"]),
        timeout=10,
        dedicated=True,
    )
    admin.create_user("guest", "guest-password", timeout=10)
    try:
        store = MilvusStore(**secured, token=SecretStr("guest:guest-password"), retry=HASTY)
        with pytest.raises(AuthenticationError), store:
            store.open(spec("forbidden"), create=True)
    finally:
        admin.drop_user("guest", timeout=10)
        admin.close()


READING = ("Load", "Search", "Query", "IndexDetail", "GetLoadingProgress", "GetLoadState")


def test_a_user_who_may_only_read_opens_an_older_collection(secured: dict[str, Any]) -> None:
    admin = MilvusClient(
        secured["url"],
        token="root:Milvus",
        server_pem_path=str(secured["ca_file"]),
        timeout=10,
        dedicated=True,
    )
    with opened(**secured, token=TOKEN) as store:
        store.upsert([record("a", fields={"year": 3})])
    admin.release_collection("clips", timeout=10)
    admin.drop_index("clips", "f_year", timeout=10)
    admin.create_user("reader", "reader-password", timeout=10)
    admin.create_role("reading", timeout=10)
    for privilege in READING:
        admin.grant_privilege("reading", "Collection", privilege, "clips", timeout=10)
    for privilege in ("DescribeCollection", "ShowCollections"):
        admin.grant_privilege("reading", "Global", privilege, "*", timeout=10)
    admin.grant_role("reader", "reading", timeout=10)
    try:
        store = MilvusStore(**secured, token=SecretStr("reader:reader-password"), retry=HASTY)
        with store:
            store.open(spec(), create=False)
            assert ids(store, F.year == 3) == {"a"}
            assert near(store) == ["a"]
        assert "f_year" not in admin.list_indexes("clips", timeout=10)
    finally:
        admin.drop_user("reader", timeout=10)
        admin.drop_collection("clips", timeout=10)
        admin.close()
