"""A strict stand-in for Ark's multimodal embedding on this machine, for tests.

    with emulating() as emulator:
        embedder = ArkEmbedder(api_key=SecretStr(emulator.settings.api_key), base_url=emulator.url)

It checks what documents and recordings of the vendor's package say of the call, and embeds in the builtin
embedder's picture space. It isn't the service, and nothing that a user runs uses it.
"""

from .emulator import Emulator, Settings, emulating

__all__ = ["Emulator", "Settings", "emulating"]
