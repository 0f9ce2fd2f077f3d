"""The files that ship with the package: preset stacks, rates, and what `polyreel init` writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def presets() -> dict[str, dict[str, Any]]:
    """Every preset stack by name: the keys of a `[stacks.<name>]` section."""
    files = sorted((_HERE / "presets").glob("*.toml"))
    return {file.stem: tomllib.loads(file.read_text("utf-8")) for file in files}


def rates() -> dict[str, dict[str, Any]]:
    """What is known of the cost of embedding without asking anybody: the sections `[rates.<kind>]`."""
    return tomllib.loads((_HERE / "rates.toml").read_text("utf-8"))


def init_text() -> str:
    """A commented polyreel.toml that works as it is."""
    return (_HERE / "template.toml").read_text("utf-8")
