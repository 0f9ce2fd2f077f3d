"""S3 on two real servers, Swift and rclone: the contract of object stores, and what a remote store adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyreel.testing.objects import ObjectContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyreel.core.objects import ObjectStore

    from .conftest import Server


class TestSwift(ObjectContract):
    @pytest.fixture
    def objects(self, swift: Server) -> Iterator[ObjectStore]:
        with swift.objects() as objects:
            objects.ensure_bucket()
            yield objects


class TestRclone(ObjectContract):
    @pytest.fixture
    def objects(self, rclone: Server) -> Iterator[ObjectStore]:
        with rclone.objects() as objects:
            objects.ensure_bucket()
            yield objects
