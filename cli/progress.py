"""How far a command is: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import output

Counted = Callable[[str, int, int | None], None]
_STEP = 10  # percent between two lines where there is no terminal

if TYPE_CHECKING:
    from ..core.rates import Estimate
    from ..core.report import Listener, VideoReport


@dataclass(slots=True)
class Tally:
    """What a run has done so far, in words.

    Args:
        total: How many videos there are; None while nobody knows.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    video_seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, video: VideoReport) -> None:
        """Count a video that is done."""
        self.done += 1
        self.failed += video.failed
        self.video_seconds += video.duration

    def words(self, now: float) -> str:
        """Counts, rates, and the time left where the total is known; `now` is monotonic seconds."""
        spent = max(now - self.began, 1e-3)
        of = "" if self.total is None else f" of {max(self.total, self.done)}"
        parts = [f"{self.done}{of} videos"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.done:
            parts.append(f"{self.done * 60 / spent:.0f} videos/min")
        if self.video_seconds:
            parts.append(f"{self.video_seconds / spent:.1f}x real time")
        if self.done and self.total is not None:
            left = max(self.total - self.done, 0) * spent / self.done
            parts.append(f"{output.clock(left).partition('.')[0]} left")
        return ", ".join(parts)


@contextmanager
def progress(*, total: int | None, lines: bool) -> Iterator[Listener]:
    """A listener that shows a bar, and a line for what went wrong; a line for each video where `lines`."""
    if lines or not sys.stderr.isatty():
        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tally = Tally(total)
        task = bar.add_task(tally.words(tally.began), total=total)

        def listener(video: VideoReport) -> None:
            tally.add(video)
            bar.update(task, advance=1, description=tally.words(time.monotonic()))
            trouble(video)

        yield listener


@contextmanager
def indexing() -> Iterator[Callable[[float], None]]:
    """A listener of `optimize`: says once that indexes are built, and on a terminal how far they are."""
    said = -1

    def listener(part: float) -> None:
        nonlocal said
        percent = int(part * 100)
        if percent == said or (said < 0 and percent == 100):  # there was nothing to do
            return
        if sys.stderr.isatty():
            sys.stderr.write(f"\rbuilding indexes: {percent} %{'' if percent < 100 else chr(10)}")
            sys.stderr.flush()
        elif said < 0:
            output.message("building indexes")
        said = percent

    yield listener


@contextmanager
def saving() -> Iterator[Callable[[int, int], None] | None]:
    """A listener of `save` that counts the files on a terminal; none elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return

    def listener(done: int, total: int) -> None:
        sys.stderr.write(f"\rsaving: {done} of {total}")
        sys.stderr.flush()

    try:
        yield listener
    finally:
        sys.stderr.write("\r\x1b[K")


def trouble(video: VideoReport) -> None:
    """Say what went wrong with a video, if anything did."""
    outcome = f"{video.outcome}, damaged" if video.damage else video.outcome
    if video.damage or video.reason:
        reason = str(video.damage or video.reason)
        output.message(f"{outcome}: {reason if video.path in reason else f'{video.path}: {reason}'}")


def line(video: VideoReport) -> None:
    """Say what became of a video, or would."""
    if video.damage or video.reason:
        trouble(video)
    elif video.estimate:
        output.message(f"would be {video.outcome}: {video.path} ({estimated(video.estimate)})")
    else:
        output.message(f"{video.outcome}: {video.path} ({video.records} records, {video.seconds:.1f} s)")


def estimated(estimate: Estimate) -> str:
    """What embedding would take, in words."""
    cost = "unknown" if estimate.cost is None else f"{estimate.cost:.4g} {estimate.currency}".rstrip()
    spent = "unknown" if estimate.seconds is None else output.clock(estimate.seconds)
    about = "about " if estimate.approximate else ""
    return (
        f"{output.clock(estimate.video_seconds)} of video, {about}{estimate.clips} clips, "
        f"{about}{estimate.requests} requests, cost {cost}, time {spent}"
    )


@contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Counted | None]:
    """Hears what is being done, how much, and of how much: a bar on a terminal, a line a tenth elsewhere."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar(what) as progress:
            yield progress
    else:
        yield _Lines()


@contextmanager
def _bar(what: str) -> Iterator[Counted]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.completed} {task.description}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda now, done, total: bar.update(task, description=now, completed=done, total=total)


class _Lines:
    """Says how far it is, now and then."""

    def __init__(self) -> None:
        self._what, self._said = "", 0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Hear it; the end is told by the report."""
        if what != self._what:
            self._what, self._said = what, 0
        if total and done < total and (percent := done * 100 // total) >= self._said + _STEP:
            self._said = percent
            output.message(f"{done} of {total} {what}")
