"""Milvus as a vector store: Lite in this process, a server, or Zilliz Cloud, by its keys."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import MilvusStore

__all__ = ["MilvusStore"]


def __getattr__(name: str) -> object:
    """Load pymilvus, which takes a second, when the store is first asked for.

    As it is loaded it puts the variables of a `.env` above its own folder, which may well be the project's,
    into the environment of the process; they are taken out again.
    """
    if name != "MilvusStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    before = set(os.environ)
    try:
        from .store import MilvusStore
    finally:
        for added in os.environ.keys() - before:
            del os.environ[added]
    return MilvusStore
