"""The exact store in memory, which a folder may keep."""

from .store import MemoryStore

__all__ = ["MemoryStore"]
