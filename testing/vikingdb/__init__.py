"""A strict stand-in for VikingDB (API V2, both planes) on this machine, for tests.

    with emulating() as emulator:
        store = VikingDBStore(
            access_key=emulator.access_key,
            secret_key=SecretStr(emulator.secret_key),
            control_endpoint=emulator.url,
            data_endpoint=emulator.url,
        )

It refuses what the vendor's pages don't allow, takes its time to build an index and to show a write there,
vectorizes media and fails on command. It was written from documents and from recordings of the vendor's SDKs;
it isn't the service, and nothing that a user runs uses it.
"""

from ..faults import Fault
from .emulator import Emulator, Settings
from .media import Part, Vectorizer, picture_space
from .server import emulating

__all__ = ["Emulator", "Fault", "Part", "Settings", "Vectorizer", "emulating", "picture_space"]
