"""Buckets of the emulator of TOS, called through the vendor's own SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from pydantic import SecretStr

from polyreel.core.deadline import RetryPolicy
from polyreel.storage.tos import TosObjects
from polyreel.testing.tos import Emulator, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "video-demo1"


class Connect(Protocol):
    """Makes stores of one emulator."""

    def __call__(self, emulator: Emulator, **settings: Any) -> TosObjects: ...


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys of the developer nor a proxy of the machine change a test."""
    for name in ("TOS_ACCESS_KEY", "TOS_SECRET_KEY", "TOS_SECURITY_TOKEN", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with emulating() as emulator:
        yield emulator


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a store would have waited."""
    return []


@pytest.fixture
def connect(waits: list[float]) -> Connect:
    """`connect(emulator, part_mib=5)` is a store whose bucket isn't made yet; it doesn't really wait."""

    def make(emulator: Emulator, **settings: Any) -> TosObjects:
        given = {
            "bucket": BUCKET,
            "region": emulator.settings.region,
            "endpoint": emulator.endpoint,
            "proxy": emulator.url,
            "access_key": emulator.settings.access_key,
            "secret_key": SecretStr(emulator.settings.secret_key),
            "patience": 5.0,
            "retry": RetryPolicy(attempts=3, base=0.001, cap=0.01, sleep=waits.append),
        }
        return TosObjects(**{**given, **settings})

    return make


@pytest.fixture
def objects(emulator: Emulator, connect: Connect) -> Iterator[TosObjects]:
    """A store with an empty bucket."""
    with connect(emulator) as objects:
        objects.ensure_bucket()
        yield objects
