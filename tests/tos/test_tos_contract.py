"""TOS keeps the contract of object stores: through its own SDK, over the emulator."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

from polyreel.testing.objects import ObjectContract
from polyreel.testing.tos import Emulator, Settings, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyreel.core.objects import ObjectStore

    from .conftest import Connect


class TestTos(ObjectContract):
    """With a prefix, and pages so small that every listing has several."""

    @pytest.fixture
    def emulator(self) -> Iterator[Emulator]:
        with emulating(Settings(page=7)) as emulator:
            yield emulator

    @pytest.fixture
    def objects(self, emulator: Emulator, connect: Connect) -> Iterator[ObjectStore]:
        self.proxy = urllib.request.ProxyHandler({"http": emulator.url})
        with connect(emulator, prefix="films") as objects:
            objects.ensure_bucket()
            yield objects

    def download(self, url: str) -> bytes:
        opener = urllib.request.build_opener(self.proxy)
        with opener.open(url, timeout=10) as answer:
            content: bytes = answer.read()
            return content


class TestCustomDomain(ObjectContract):
    """The endpoint is the bucket's own, and there is no proxy."""

    @pytest.fixture
    def objects(self, connect: Connect) -> Iterator[ObjectStore]:
        with emulating(Settings(domain="video-demo1")) as emulator:
            settings = {"endpoint": emulator.url, "custom_domain": True, "proxy": None}
            with connect(emulator, **settings) as objects:
                objects.ensure_bucket()
                yield objects
