"""What both suites share: who listens, the folder of a run, and going on where an earlier start ended."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ConfigurationError
from ..core.locks import FolderLock, disk_error
from . import stacks
from .results import Machine, Outcome, Results, read

FILE = "results.json"
"""The name of the results in the folder of a run."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is being done.

    Args:
        stack: Whose turn it is.
        step: In which step.
        at: The turn's number, from 0.
        rounds: How many the step has.
        done: Turns that are over, of all.
        total: Of how many.
    """

    stack: str
    step: str
    at: int
    rounds: int
    done: int
    total: int


Listener = Callable[[Turn | Outcome], None]
"""Hears of each turn as it begins, and of each step on a stack as it is done, failed or left."""


def nobody(_: Turn | Outcome) -> None:
    """Nobody listens."""


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold the folder of a run.

    Raises:
        LockedError: Another benchmark runs in it.
        ConfigurationError: It can't be made or written.
    """
    lock = FolderLock(out, what="the benchmark")
    try:
        lock.acquire()
    except OSError as error:
        raise disk_error(error, f"the folder {out} can't be used") from error
    try:
        yield
    finally:
        lock.release()


def machine() -> Machine:
    """Where this process runs."""
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        pages = 0
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processors=os.cpu_count() or 1,
        memory=round(pages / (1 << 20)),
        packages=stacks.versions(),
    )


def begun(out: Path, fresh: Results) -> Results:
    """The results that are in the folder already, if they are of the same benchmark; else the fresh ones.

    Some of its stacks may be left out this time, such as one that takes too long.

    Raises:
        ConfigurationError: They are of another one.
    """
    if not (out / FILE).exists():
        return fresh
    old = read(out)
    names = {each.name for each in old.stacks}
    for what, one, other in (
        ("suite", old.suite, fresh.suite),
        ("settings", old.settings, fresh.settings),
        ("stacks", names, names | {each.name for each in fresh.stacks}),
        ("data", old.data, fresh.data),
        ("versions", old.machine.packages, fresh.machine.packages),
    ):
        if one != other:
            raise ConfigurationError(
                f"{out} holds the results of a benchmark with other {what}",
                hint="choose another folder with --out, or delete this one",
            )
    return old
