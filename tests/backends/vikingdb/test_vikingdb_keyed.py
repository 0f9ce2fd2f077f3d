"""An API key alone: what it opens, what it refuses by name, and what it can't know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from polyreel.core.errors import (
    AuthenticationError,
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    UnsupportedError,
)
from polyreel.core.fields import FieldType
from polyreel.core.filters import F
from polyreel.core.records import Record
from polyreel.core.requests import NearVector, SearchRequest
from polyreel.core.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from polyreel.backends.vikingdb import VikingDBStore
    from polyreel.core.space import CollectionSpec
    from polyreel.testing.vikingdb import Emulator

    StoreOf = Callable[..., Callable[[], VikingDBStore]]


@pytest.fixture
def made(emulator: Emulator, store_of: StoreOf, plain: CollectionSpec) -> str:
    """A collection that the account's own keys made, with one record; its id."""
    with store_of(emulator)() as store:
        store.open(plain, create=True)
        record = Record("a", "v", "tos://b/v.mp4", content=[1.0, 2.0, 3.0, 4.0], fields={"year": 2020})
        store.wait(store.upsert([record]))
        return store.meta.uid


@pytest.fixture
def keyed(emulator: Emulator, store_of: StoreOf) -> Iterator[VikingDBStore]:
    key = SecretStr("vk-test")
    with store_of(emulator, access_key=None, secret_key=None, api_key=key)() as store:
        yield store


def test_it_opens_reads_and_writes_what_is_there(
    emulator: Emulator, keyed: VikingDBStore, plain: CollectionSpec, made: str
) -> None:
    emulator.seen.clear()
    keyed.open(plain, create=True)
    assert keyed.meta.uid == made
    assert keyed.count(F.year == 2020) == 1
    again = Record("b", "v", "tos://b/v.mp4", content=[2.0, 1.0, 0.0, 0.0], start_ms=5, end_ms=9)
    keyed.wait(keyed.upsert([again]))
    (answer,) = keyed.search([SearchRequest(NearVector([2.0, 1.0, 0.0, 0.0]), limit=1)])
    assert [hit.id for hit in answer.hits] == ["b"]
    keyed.wait(keyed.update_fields(["b"], fields={"year": 2021}))
    keyed.wait(keyed.delete(where=F.year == 2020))
    assert [record.id for record in keyed.scan()] == ["b"]
    assert not [seen for seen in emulator.seen if "Action=" in seen.target]


def test_the_control_plane_is_refused_by_name(
    emulator: Emulator, keyed: VikingDBStore, plain: CollectionSpec, made: str
) -> None:
    with pytest.raises(UnsupportedError, match=r"data plane alone: it can't make.*set access_key"):
        keyed.open(replace(plain, name="others"), create=True)
    with pytest.raises(NotFoundError):
        keyed.open(replace(plain, name="others"), create=False)
    keyed.open(plain, create=False)
    with pytest.raises(UnsupportedError, match="data plane alone"):
        keyed.drop()
    with pytest.raises(UnsupportedError, match="data plane alone"):
        keyed.control.collection("clips")
    assert "clips" in emulator.control.collections


def test_an_empty_collection_tells_nothing(
    emulator: Emulator, store_of: StoreOf, keyed: VikingDBStore, plain: CollectionSpec
) -> None:
    with store_of(emulator)() as store:
        store.open(plain, create=True)
    with pytest.raises(UnsupportedError, match=r"'clips' is empty.*open it with access_key and secret_key"):
        keyed.open(plain, create=False)


def test_another_space_or_other_fields_are_refused(
    keyed: VikingDBStore, plain: CollectionSpec, made: str
) -> None:
    for spec, message in (
        (replace(plain, space=Space("k", "m", "2", 4)), "made for another embedder"),
        (replace(plain, fields={**plain.fields, "place": FieldType.STRING}), "lacks a column.*place"),
        (replace(plain, fields={"year": FieldType.INT}), "has the fields rating"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            keyed.open(spec, create=False)


def test_a_collection_of_another_program_is_refused(
    emulator: Emulator, keyed: VikingDBStore, plain: CollectionSpec, made: str
) -> None:
    rows = emulator.control.collections["clips"].seen
    rows["a"].values["polyreel_origin"] = ""
    with pytest.raises(IntegrityError, match="wasn't made by polyreel"):
        keyed.open(plain, create=False)


def test_a_wrong_key_is_told(emulator: Emulator, store_of: StoreOf, plain: CollectionSpec, made: str) -> None:
    key = SecretStr("vk-wrong")
    store = store_of(emulator, access_key=None, secret_key=None, api_key=key)()
    with pytest.raises(AuthenticationError):
        store.open(plain, create=False)


def test_one_of_the_two_keys_or_none_at_all_is_refused(store_of: StoreOf, emulator: Emulator) -> None:
    for given in ({"secret_key": None}, {"access_key": None}, {"access_key": None, "secret_key": None}):
        with pytest.raises(ConfigurationError, match="access_key and secret_key, or api_key"):
            store_of(emulator, **given)()
