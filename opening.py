"""Opening a stack: configuration, adapters and media tools joined into a `VideoSearch`."""

from __future__ import annotations

from pathlib import Path

from .core.logs import LOGGER
from .core.search import VideoSearch


def open(stack: str | None = None, config: str | Path | None = None) -> VideoSearch:  # reads as polyreel.open
    """Open a stack by its name.

    Args:
        stack: A section of the configuration or a preset; the configured default when left out.
        config: The configuration file; `POLYREEL_CONFIG`, or `polyreel.toml` in the working directory, when
            left out.

    Raises:
        ConfigurationError: The configuration is wrong, or a package is missing.
    """
    from . import media
    from .config import build_stack, load
    from .storage.https import HttpsDownloads

    settings = load(None if config is None else Path(config), stack=stack)
    built = build_stack(settings, settings.default_stack)
    kinds = {"store": built.store.kind, "embedder": built.embedder and built.embedder.kind}
    LOGGER.info("stack", extra={"stack": built.name, **kinds, "objects": built.objects.kind})
    return VideoSearch(built, media, HttpsDownloads())
