"""VikingDB (Volcengine) as a vector store: it takes vectors, or vectorizes videos by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import VikingDBStore

__all__ = ["VikingDBStore"]


def __getattr__(name: str) -> object:
    """Load the SDK when the store is first asked for."""
    if name != "VikingDBStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .store import VikingDBStore

    return VikingDBStore
