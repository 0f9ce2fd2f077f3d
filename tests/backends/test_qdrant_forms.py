"""One kind, several classes: which keys choose which form, and what each form takes."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from polyreel.backends import qdrant
from polyreel.backends.qdrant import QdrantEdgeStore, QdrantLocalStore, QdrantServerStore, qdrant_store
from polyreel.backends.qdrant.forms import FORMS, WAYS, Way
from polyreel.backends.qdrant.options import Hnsw, Options, Quantization, oversampling
from polyreel.config import build_stack, load
from polyreel.config.hints import keys_of
from polyreel.core.errors import ConfigurationError
from polyreel.core.fields import FieldType
from polyreel.core.space import CollectionSpec, Space

SPEC = CollectionSpec(
    "clips", Space("test", "made-up", "1", 4), {"owner": FieldType.STRING, "n": FieldType.INT}
)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"path": Path("x")}, QdrantEdgeStore),
        ({"client_path": Path("x")}, QdrantLocalStore),
        ({"client_memory": True}, QdrantLocalStore),
        ({"url": "http://localhost:6333"}, QdrantServerStore),
        ({"url": "https://h", "grpc": True, "api_key": SecretStr("k"), "tenant": "owner"}, QdrantServerStore),
        ({"path": Path("x"), "hnsw": Hnsw(m=8), "quantization": "scalar", "lock_wait": 1.0}, QdrantEdgeStore),
    ],
)
def test_a_key_chooses_the_form(keys: dict[str, Any], kind: type) -> None:
    with qdrant_store(**keys) as store:
        assert type(store) is kind
        assert set(store.forms) <= set(FORMS)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, r"isn't told where the records are; set one of path, client_path, client_memory, url"),
        ({"client_memory": False}, "isn't told"),
        ({"path": Path("x"), "url": "http://h"}, r"path and url say different places .* keep one of"),
        ({"client_memory": True, "client_path": Path("x")}, "client_path and client_memory say different"),
        (
            {"path": Path("x"), "api_key": SecretStr("s3cret")},
            r"api_key can't be set with path; .*goes with url",
        ),
        ({"client_path": Path("x"), "quantization": "binary"}, r"quantization .* goes with path or url"),
        ({"client_memory": True, "search_threads": 1}, r"search_threads .* goes with path"),
        ({"client_memory": True, "lock_wait": 1.0}, r"lock_wait .* goes with path or client_path"),
        ({"url": "http://h", "lock_wait": 1.0, "shards": 2}, "lock_wait can't be set with url"),
        ({"path": Path("x"), "shards": 2, "grpc": True}, r"grpc, shards can't be set with path"),
        ({"url": "localhost:6333"}, "url must begin with http"),
        ({"url": "ftp://h"}, "url must begin with http"),
        ({"url": "http://me:s3cret@h"}, "url holds a user, a password or a query; set the key as api_key"),
        ({"url": "http://h:port"}, "url is no address"),
    ],
)
def test_wrong_combinations_are_one_clear_line(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        qdrant_store(**keys)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_is_an_answer_and_not_the_same_as_saying_nothing(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"vectors_on_disk": False, "payload_on_disk": False, "lexical": False}
    with qdrant_store(path=tmp_path, **keys) as store:
        store.open(SPEC, create=True)
    described = json.loads((tmp_path / "clips" / "polyreel.json").read_text())
    assert described["options"] == keys
    with pytest.raises(ConfigurationError, match="vectors_on_disk can't be set with client_memory"):
        qdrant_store(client_memory=True, vectors_on_disk=False)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.key)
def test_a_form_takes_the_keys_that_its_class_takes(way: Way) -> None:
    parameters = set(inspect.signature(getattr(qdrant, way.name)).parameters) - {"timeout", "retry"}
    place = {way.place} - {""} if way.place else {"path", "lock_wait"}  # memory has no place and no lock
    assert parameters - place == way.takes - place
    assert way.takes | {way.key} <= keys_of(qdrant_store).keys()
    assert getattr(qdrant, way.name).forms[-1] in FORMS


def test_every_key_belongs_to_a_form() -> None:
    known = {key for way in WAYS for key in (way.key, *way.takes)} | {"timeout"}
    assert keys_of(qdrant_store).keys() == known
    assert qdrant_store.forms == FORMS  # type: ignore[attr-defined]  # `in_forms` sets it
    assert len({form.name for form in FORMS}) == len(FORMS) == 5


def test_the_configuration_says_every_form(tmp_path: Path) -> None:
    file = tmp_path / "polyreel.toml"
    stack = "[stacks.{name}]\n[stacks.{name}.store]\nkind = 'qdrant'\n{keys}\n"
    rest = "[stacks.{name}.embedder]\nkind = 'builtin'\n[stacks.{name}.objects]\nkind = 'local'\npath = 'o'\n"
    forms = {
        "server": "url = 'https://h'\napi_key = 'k'\ngrpc = true\n[stacks.server.store.hnsw]\nm = 32",
        "folder": "client_path = 'there'",
        "memory": "client_memory = true",
    }
    file.write_text("".join((stack + rest).format(name=name, keys=keys) for name, keys in forms.items()))
    made = {name: type(build_stack(load(file), name).store) for name in forms if name != "memory"}
    assert made == {"server": QdrantServerStore, "folder": QdrantLocalStore}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import polyreel.backends.qdrant", ("qdrant_edge", "qdrant_client")),
        ("from polyreel.backends.qdrant import QdrantEdgeStore", ("qdrant_client", "grpc", "httpx")),
        ("from polyreel.backends.qdrant import QdrantLocalStore", ("qdrant_edge",)),
        ("from polyreel.backends.qdrant import QdrantServerStore", ("qdrant_edge",)),
    ],
)
def test_a_form_loads_the_package_of_no_other(code: str, absent: tuple[str, ...]) -> None:
    asked = f"import sys; {code}; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    for name in ("client", "local", "server", "refusals"):
        monkeypatch.delitem(sys.modules, f"polyreel.backends.qdrant.{name}", raising=False)
    with pytest.raises(
        ConfigurationError, match=r"'qdrant' with url needs .* pip install \"polyreel\[qdrant\]\""
    ):
        qdrant_store(url="http://localhost:6333")


# -- options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantization", "limit", "times"),
    [
        ("scalar", 10, 2.0),
        ("binary", 10, 16.0),
        ("product", 100, 8.0),
        ("binary", 8192, 2.0),
        ("scalar", 16_385, 1.0),
    ],
)
def test_more_are_looked_for_among_compressed_vectors_up_to_a_number(
    quantization: Quantization, limit: int, times: float
) -> None:
    assert oversampling(quantization, limit) == times


def test_an_option_that_was_another_one_is_refused_by_name() -> None:
    made = Options(hnsw=Hnsw(m=16, ef=10), quantization="scalar").to_json()
    assert made == {"hnsw": {"m": 16}, "quantization": "scalar"}
    Options().refuse_other("clips", made)
    Options(hnsw=Hnsw(m=16, ef=99), quantization="scalar").refuse_other("clips", made)
    with pytest.raises(
        ConfigurationError, match=r"'clips' .*hnsw.m is 32, stored 16; tenant is 'a', stored None;"
    ):
        Options(hnsw=Hnsw(m=32), tenant="a").refuse_other("clips", made)


@pytest.mark.parametrize("tenant", ["n", "unknown", "video_id"])
def test_a_tenant_is_a_declared_field_of_text(tenant: str) -> None:
    Options(tenant="owner").check(SPEC)
    with pytest.raises(ConfigurationError, match=rf"tenant '{tenant}' .*declare {tenant} = \"string\""):
        Options(tenant=tenant).check(SPEC)


@pytest.mark.parametrize("keys", [{"m": 0}, {"ef_construct": 3}, {"full_scan_threshold": 1}, {"ef": 0}])
def test_numbers_that_qdrant_would_refuse_are_refused_at_once(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be at least"):
        Hnsw(**keys)
