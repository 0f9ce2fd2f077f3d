"""What an enrichment did, video by video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from .frameplan import FramePlan
from .structured import Spent


class Outcome(StrEnum):
    """What became of one video."""

    ENRICHED = "enriched"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Enriched:
    """What became of one video.

    Args:
        video_id: Its id.
        uri: Where it is.
        outcome: In a dry run, what would become of it.
        events: How many were written.
        records: How many records have the text now.
        reason: Why it failed.
        spent: What its answer took.
        plan: In a dry run, how the video would be sampled.
        cost: In a dry run, what its frames would cost; the answer comes on top. None is unknown.
    """

    video_id: str
    uri: str
    outcome: Outcome
    events: int = 0
    records: int = 0
    reason: str | None = None
    spent: Spent = field(default_factory=Spent)
    plan: FramePlan | None = None
    cost: float | None = None

    def to_json(self) -> dict[str, object]:
        """A JSON object without the parts that say nothing."""
        values: dict[str, object] = {
            "video_id": self.video_id,
            "uri": self.uri,
            "outcome": self.outcome.value,
            "events": self.events,
            "records": self.records,
            "reason": self.reason,
            **(self.spent.to_json() if self.spent.asked or self.spent.cached else {}),
            **({"plan": self.plan.to_json(), "cost": self.cost} if self.plan else {}),
        }
        return {name: value for name, value in values.items() if value not in (None, {})}


@dataclass(frozen=True, slots=True)
class EnrichReport:
    """What an enrichment did, or would do (`dry_run`).

    Args:
        videos: In the order in which they were done.
        spent: By all of them.
        currency: Of costs.
        dry_run: Whether nothing was sent.
        stopped: Whether it was asked to stop, so that videos may be missing.
        hears: Whether the model heard the sound, too.
    """

    videos: tuple[Enriched, ...]
    spent: Spent
    currency: str = ""
    dry_run: bool = False
    stopped: bool = False
    hears: bool = False

    @property
    def ok(self) -> bool:
        """Whether no video failed."""
        return all(video.outcome is not Outcome.FAILED for video in self.videos)

    @property
    def counts(self) -> dict[str, int]:
        """How many videos had each outcome."""
        outcomes = [video.outcome for video in self.videos]
        return {each.value: outcomes.count(each) for each in Outcome if each in outcomes}

    @property
    def planned_tokens(self) -> int:
        """In a dry run, the tokens of all frames."""
        return sum(video.plan.tokens for video in self.videos if video.plan)

    @property
    def planned_cost(self) -> float | None:
        """In a dry run, what all frames would cost; None is unknown."""
        costs = [video.cost for video in self.videos if video.plan]
        return None if None in costs else sum(cost or 0.0 for cost in costs)

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel enrich --json`."""
        planned = {"planned_tokens": self.planned_tokens, "planned_cost": self.planned_cost}
        return {
            "dry_run": self.dry_run,
            "stopped": self.stopped,
            "counts": self.counts,
            **self.spent.to_json(),
            **(planned if self.dry_run else {}),
            "currency": self.currency,
            "sound_heard": self.hears,
            "videos": [video.to_json() for video in self.videos],
        }


Listener = Callable[[Enriched], None]
"""Hears of each video as it is done."""
