"""A strict stand-in for Ark on this machine, for tests: embeddings, files, responses and chat.

    with emulating() as emulator:
        embedder = ArkEmbedder(api_key=SecretStr(emulator.settings.api_key), base_url=emulator.url)
        emulator.script.say("A red ball bounces.")
        model = ArkUnderstanding(api_key=SecretStr(emulator.settings.api_key), base_url=emulator.url)

It checks what documents and recordings of the vendor's package say of the calls. It embeds in the builtin
embedder's picture space, and its model says what a test has scripted. It isn't the service, and nothing that
a user runs uses it.
"""

from .emulator import Emulator, Settings, emulating
from .script import Asked, Said

__all__ = ["Asked", "Emulator", "Said", "Settings", "emulating"]
