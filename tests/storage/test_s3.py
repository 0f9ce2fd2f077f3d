"""S3 on two real servers: Swift, which checks signatures strictly, and rclone, which is odd elsewhere."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

import pytest

from polyreel.core.errors import IntegrityError
from polyreel.testing.objects import ObjectContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyreel.core.objects import ObjectStore

    from .conftest import Server


pytestmark = pytest.mark.slow


class TestSwift(ObjectContract):
    @pytest.fixture
    def objects(self, swift: Server) -> Iterator[ObjectStore]:
        with swift.bucket() as objects:
            yield objects


class TestRclone(ObjectContract):
    gaps: ClassVar = {
        "test_deleting_what_is_missing_is_fine": "upstream: rclone keeps files; to delete a key that "
        "is a folder it answers with 500",
    }
    shared: ClassVar = ""  # rclone takes a folder away with its last object, even while one is written there

    @pytest.fixture
    def objects(self, rclone: Server) -> Iterator[ObjectStore]:
        with rclone.bucket() as objects:
            yield objects

    def read_replaced(self, objects: ObjectStore, key: str) -> bytes:
        """It writes over a file in place: what a reader finds of both is refused, and here read again."""
        while True:
            with suppress(IntegrityError):
                return objects.read(key)
