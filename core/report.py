"""What an ingest did, video by video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .frameplan import FramePlan
from .rates import Estimate


class Outcome(StrEnum):
    """What became of one file."""

    INGESTED = "ingested"
    REINGESTED = "reingested"
    UPDATED = "updated"
    MOVED = "moved"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What became of one file.

    Args:
        path: As it was found.
        outcome: In a dry run, what would become of it.
        video_id: None when the file couldn't be read.
        records: How many were written.
        embedded: How many vectors were made.
        duration: Seconds of video.
        seconds: Spent on it.
        damage: What of the file couldn't be read, although the rest was taken in.
        reason: Why it failed, or which file it is a duplicate of.
        usage: What providers counted.
        submits: Paid tasks that were submitted; more than one where a reply was lost, or a task failed.
        lost: Submits whose reply was lost: the task was found again, or else submitted once more.
        request_ids: By which the provider can be asked about it.
        estimate: In a dry run, what embedding it would take; None where it wouldn't be embedded.
        frame_plan: In a dry run, how the stack's model would see it; None where it wouldn't be embedded, or
            there is no model.
    """

    path: str
    outcome: Outcome
    video_id: str | None = None
    records: int = 0
    embedded: int = 0
    duration: float = 0.0
    seconds: float = 0.0
    damage: str | None = None
    reason: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    submits: int = 0
    lost: int = 0
    request_ids: tuple[str, ...] = ()
    estimate: Estimate | None = None
    frame_plan: FramePlan | None = None

    @property
    def failed(self) -> bool:
        """Whether nothing of it was taken in."""
        return self.outcome is Outcome.FAILED

    def to_json(self) -> dict[str, object]:
        """A JSON object without the parts that say nothing."""
        values = {
            "path": self.path,
            "outcome": self.outcome.value,
            "video_id": self.video_id,
            "records": self.records,
            "embedded": self.embedded,
            "duration": round(self.duration, 3),
            "seconds": round(self.seconds, 3),
            "damage": self.damage,
            "reason": self.reason,
            "usage": dict(self.usage),
            "submits": self.submits,
            "lost": self.lost,
            "request_ids": list(self.request_ids),
            "estimate": self.estimate.to_json() if self.estimate else None,
            "frame_plan": self.frame_plan.to_json() if self.frame_plan else None,
        }
        return {name: value for name, value in values.items() if value not in (None, {}, [])}


Listener = Callable[[VideoReport], None]
"""Hears of each video as it is done, from the thread that asked for the ingest."""


@dataclass(slots=True)
class Totals:
    """Sums over the videos of a run, which need no memory of each."""

    outcomes: Counter[str] = field(default_factory=Counter)
    damaged: int = 0
    records: int = 0
    embedded: int = 0
    submits: int = 0
    lost: int = 0
    estimate: Estimate = field(default_factory=Estimate)
    frame_tokens: int = 0

    def add(self, video: VideoReport) -> None:
        """Count a video."""
        self.outcomes[video.outcome.value] += 1
        self.damaged += video.damage is not None
        self.records += video.records
        self.embedded += video.embedded
        self.submits += video.submits
        self.lost += video.lost
        if video.estimate:
            self.estimate += video.estimate
        if video.frame_plan:
            self.frame_tokens += video.frame_plan.tokens


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did, or would do (`dry_run`).

    Args:
        videos: In the order in which they were done; without `details` only what failed or is damaged.
        totals: Sums over all of them.
        seconds: Spent on all.
        stopped: Whether it was asked to stop, so that videos may be missing.
        undeclared: In a first ingest, the names of values without a declared field: returned, not filterable.
        unsettled: Why the store could not be flushed or indexed afterwards; the videos are in all the same.
    """

    videos: tuple[VideoReport, ...]
    totals: Totals
    seconds: float
    dry_run: bool = False
    stopped: bool = False
    undeclared: tuple[str, ...] = ()
    unsettled: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many files had each outcome, and how many were damaged."""
        damaged = self.totals.damaged
        return {**self.totals.outcomes, **({"damaged": damaged} if damaged else {})}

    @property
    def ok(self) -> bool:
        """Whether every file was taken in whole, and the store was settled."""
        return not (self.unsettled or self.totals.damaged or self.totals.outcomes[Outcome.FAILED.value])

    @property
    def estimate(self) -> Estimate | None:
        """What embedding all of them would take; None unless it is a dry run."""
        return self.totals.estimate if self.dry_run else None

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel ingest --json`."""
        return {**self.summary(), "videos": [video.to_json() for video in self.videos]}

    def summary(self) -> dict[str, object]:
        """That form without the videos."""
        estimate: dict[str, object] = {"estimate": self.estimate.to_json()} if self.estimate else {}
        if self.totals.frame_tokens:
            estimate["frame_tokens"] = self.totals.frame_tokens
        return {
            "dry_run": self.dry_run,
            "stopped": self.stopped,
            "counts": self.counts,
            "records": self.totals.records,
            "embedded": self.totals.embedded,
            "submits": self.totals.submits,
            "lost": self.totals.lost,
            "seconds": round(self.seconds, 3),
            **estimate,
            **({"undeclared": list(self.undeclared)} if self.undeclared else {}),
            **({"unsettled": self.unsettled} if self.unsettled else {}),
        }
