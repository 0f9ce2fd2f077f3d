"""A strict stand-in for TOS on this machine, for tests.

    with emulating() as emulator:
        objects = TosObjects(
            bucket="video-demo1",
            endpoint=emulator.endpoint,
            proxy=emulator.url,
            access_key=emulator.settings.access_key,
            secret_key=SecretStr(emulator.settings.secret_key),
        )

It verifies signatures, keeps to the rules of parts, lists in pages and fails on command. It was written from
documents and from recordings of the vendor's SDK; it isn't the service, and nothing that a user runs uses it.
"""

from .emulator import Emulator, Settings, emulating
from .state import Bucket, Stored, crc64

__all__ = ["Bucket", "Emulator", "Settings", "Stored", "crc64", "emulating"]
