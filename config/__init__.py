"""Configuration: settings, presets and the building of stacks. Each is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .build import build_stack
    from .settings import Ingest, Settings, StackSettings, load
    from .shipped import init_text
    from .showing import Shown, effective

__all__ = ["Ingest", "Settings", "Shown", "StackSettings", "build_stack", "effective", "init_text", "load"]

_HOMES = {"Shown": "showing", "effective": "showing", "build_stack": "build", "init_text": "shipped"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES.get(name, 'settings')}", __name__), name)
