"""What the benchmark and the process of a stack tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .results import Sample
from .settings import VectorSettings
from .stacks import Chosen


@dataclass(frozen=True, slots=True)
class Begin:
    """The first thing that is sent: what is measured with which settings, and where its vectors are."""

    chosen: Chosen
    settings: VectorSettings
    data: Path


@dataclass(frozen=True, slots=True)
class Call:
    """What the process shall do, by the name that the worker has for it, and the arguments."""

    name: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call returned, or what it raised."""

    value: Any = None
    error: str | None = None
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a turn gave.

    Args:
        samples: What it measured by itself.
        found: Rows (in `grouped`, numbers of videos) by case and query, to be compared with the truth.
    """

    samples: tuple[Sample, ...]
    found: Mapping[str, list[list[int] | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a stack once it is open."""

    form: str
    version: str
    durable: bool
