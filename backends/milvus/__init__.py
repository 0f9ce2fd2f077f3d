"""Milvus as a vector store: Lite in this process, a server, or Zilliz Cloud, by its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import MilvusStore

__all__ = ["MilvusStore"]


def __getattr__(name: str) -> object:
    """Load pymilvus, which takes a second, when the store is first asked for."""
    if name != "MilvusStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .store import MilvusStore

    return MilvusStore
