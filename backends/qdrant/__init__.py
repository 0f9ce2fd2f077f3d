"""Qdrant as a vector store: `edge` runs its engine in process, over a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .edge import QdrantEdgeStore

__all__ = ["QdrantEdgeStore"]


def __getattr__(name: str) -> object:
    """Load the engine when the store is first asked for."""
    if name != "QdrantEdgeStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .edge import QdrantEdgeStore

    return QdrantEdgeStore
