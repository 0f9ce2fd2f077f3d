"""What the cosine of a hit says: levels of confidence, read off queries with known answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .media import Modality
from .records import Confidence

if TYPE_CHECKING:
    from .evaluating import Scored
    from .query_parts import Part

LEAST = 20
"""Best wrong videos from which levels are read: of fewer, one in twenty is none."""
_ONE_IN = 20
_STEPS = 1000  # levels are rounded up to thousandths


@dataclass(frozen=True, slots=True)
class Levels:
    """What the cosine of a query by one medium with a record says, as measured (docs/search.md#scores).

    Args:
        medium: Reached by one wrong video of twenty at most; what lies below can't be told from chance.
        high: Reached by no wrong video.
    """

    medium: float
    high: float

    def __post_init__(self) -> None:
        """Refuse what no cosines are.

        Raises:
            ConfigurationError: A level isn't from -1 to 1, or `medium` is above `high`.
        """
        for name, level in (("medium", self.medium), ("high", self.high)):
            if not -1 <= level <= 1:
                raise ConfigurationError(f"{name} is {level:g}; it must be a cosine, from -1 to 1")
        if self.medium > self.high:
            raise ConfigurationError(f"medium is {self.medium:g}, which is above high, {self.high:g}")

    def confidence(self, cosine: float) -> Confidence:
        """What a hit of this cosine is called."""
        if cosine >= self.high:
            return Confidence.HIGH
        return Confidence.MEDIUM if cosine >= self.medium else Confidence.LOW


def medium_alone(parts: Sequence[Part]) -> Modality | None:
    """The medium of a query that asks by it alone; None of any other query, of which levels say nothing."""
    if len(parts) != 1 or parts[0].weight < 0:
        return None
    media = parts[0].media
    return media.modality if media else None


@dataclass(frozen=True, slots=True)
class Measured:
    """The cosines that queries by one medium found on one stack.

    Args:
        right: Of the best relevant video of each query; a query that found none has none.
        wrong: Of the best other video of each query, in the same way.
    """

    right: Sequence[float]
    wrong: Sequence[float]

    @property
    def levels(self) -> Levels | None:
        """The levels that these cosines give; None where `why` says why not."""
        if self.why:
            return None
        falling = sorted(self.wrong, reverse=True)
        return Levels(_above(falling[len(falling) // _ONE_IN]), _above(falling[0]))

    @property
    def why(self) -> str:
        """Why they give none; empty where they do."""
        if len(self.wrong) < LEAST:
            return f"queries with a wrong video among those found: {len(self.wrong)}, of {LEAST} needed"
        if _above(max(self.wrong)) > 1:
            return "a wrong video is as like its query as can be: name it as relevant, or ignore it"
        return ""

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel evaluate --json`; what isn't known is null."""
        levels = self.levels
        return {
            "medium": levels.medium if levels else None,
            "high": levels.high if levels else None,
            "right": called(self.right, levels) if levels else None,
            "wrong": called(self.wrong, levels) if levels else None,
            "why": self.why or None,
        }


def measured(scored: Iterable[Scored]) -> dict[Modality, Measured]:
    """The cosines of one stack's queries by one medium alone, by that medium."""
    right: dict[Modality, list[float]] = {}
    wrong: dict[Modality, list[float]] = {}
    for each in scored:
        if each.medium and each.cosines:
            for best, relevant in ((right, True), (wrong, False)):
                found = [cosine for id, cosine in each.cosines.items() if (id in each.ranks) is relevant]
                best.setdefault(each.medium, []).extend([max(found)] if found else [])
    return {medium: Measured(right[medium], wrong[medium]) for medium in right}


def called(cosines: Iterable[float], levels: Levels) -> dict[str, int]:
    """How many cosines get each label."""
    labels = [levels.confidence(cosine) for cosine in cosines]
    return {label.value: labels.count(label) for label in Confidence}


def _above(cosine: float) -> float:
    """The least level that a cosine doesn't reach."""
    return (math.floor(cosine * _STEPS) + 1) / _STEPS
