"""One query API for video search, on any stack.

import polyreel

with polyreel.open() as vs:
    vs.ingest("holiday/")
    for hit in vs.search("red flower"):
        print(hit.score, hit.uri, hit.start, hit.end)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core.errors import PolyreelError
    from .core.filters import F
    from .core.query import Query
    from .core.records import Hit, Moment, Record, Text
    from .core.result import Result
    from .core.search import VideoSearch
    from .core.shape import Moments
    from .opening import open

__version__ = "0.1.0"
__all__ = [
    "F",
    "Hit",
    "Moment",
    "Moments",
    "PolyreelError",
    "Query",
    "Record",
    "Result",
    "Text",
    "VideoSearch",
    "open",
]

_HOMES = {
    "F": "core.filters",
    "Hit": "core.records",
    "Moment": "core.records",
    "Moments": "core.shape",
    "PolyreelError": "core.errors",
    "Query": "core.query",
    "Record": "core.records",
    "Result": "core.result",
    "Text": "core.records",
    "VideoSearch": "core.search",
    "open": "opening",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import polyreel` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
