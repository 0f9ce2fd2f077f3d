"""VikingDB (Volcengine) as a vector store, which may vectorize videos by itself, and as a reranker."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reranker import VikingDBReranker
    from .store import VikingDBStore

__all__ = ["VikingDBReranker", "VikingDBStore"]

_HOMES = {"VikingDBReranker": "reranker", "VikingDBStore": "store"}


def __getattr__(name: str) -> object:
    """Load the SDK when the store or the reranker is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
