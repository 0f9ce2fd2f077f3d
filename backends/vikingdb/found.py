"""What a search found, read with the tolerance that documents which disagree call for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ...core.errors import IntegrityError
from ...core.records import ScoreKind


@dataclass(frozen=True, slots=True)
class Found:
    """One item of a search's `data`.

    Args:
        id: The row's key.
        fields: The columns asked for.
        score: The final score.
        raw: `ann_score`, before the service's post-processing.
    """

    id: str
    fields: Mapping[str, Any]
    score: float
    raw: float | None

    @classmethod
    def of(cls, item: Any, request_id: str | None) -> Self:
        """Read an item.

        Raises:
            IntegrityError: It isn't what any document shows.
        """
        try:
            raw = item.get("ann_score")
            score = item.get("score", raw)
            return cls(
                str(item["id"]),
                item.get("fields") or {},
                float(score or 0.0),
                None if raw is None else float(raw),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError("VikingDB sent a hit that can't be read", request_id=request_id) from error


def similarity(score: float, kind: ScoreKind) -> float:
    """A score as the contract has it: cosines that a quantised index lets pass 1 are cut there."""
    return max(-1.0, min(1.0, score)) if kind is ScoreKind.COSINE else score
