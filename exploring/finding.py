"""All that is read out of a sample: clusters with names, outliers, near-duplicates, a trend."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .analysis import clustered, components, nearness, placed, typical
from .report import Cluster, Duplicate, Exploration, Outlier, Point, Trend
from .trends import trend
from .words import typical_words

if TYPE_CHECKING:
    from ..core.records import Record
    from .analysis import Nearness
    from .sampling import Rows, Sample

_TYPICAL = 6
_TOLD = 50  # outliers and duplicates
_FAR = 3.0  # deviations from what is usual


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for, as `explore` takes it; `trend` is a field of instants."""

    clusters: int | None
    duplicates: float
    trend: str | None
    seed: int


def find(sample: Sample, wish: Wish) -> Exploration:
    """What is in a sample of three records or more."""
    records, rows = sample.records, sample.rows
    reduced = components(rows, wish.seed)
    labels = [int(label) for label in clustered(reduced, wish.clusters, wish.seed)]
    places = placed(reduced, wish.seed)
    near = nearness(rows, [record.video_id for record in records], wish.duplicates)
    points = tuple(
        Point(record, label, float(x), float(y))
        for record, label, (x, y) in zip(records, labels, places, strict=True)
    )
    return Exploration(
        total=sample.total,
        sampled=len(records),
        points=points,
        clusters=_clusters(records, labels, reduced),
        outliers=_outliers(records, near),
        duplicates=_duplicates(records, near),
        trend=_trend(records, labels, wish.trend),
    )


def _clusters(records: Sequence[Record], labels: Sequence[int], reduced: Rows) -> tuple[Cluster, ...]:
    words = typical_words([record.text for record in records], labels)
    made = []
    for label, own in enumerate(words):
        members = [at for at, each in enumerate(labels) if each == label]
        middle = typical(reduced, members, _TYPICAL)
        videos = {records[at].video_id for at in members}
        made.append(Cluster(own, len(members), len(videos), tuple(records[at].id for at in middle)))
    return tuple(made)


def _outliers(records: Sequence[Record], near: Nearness) -> tuple[Outlier, ...]:
    """What is farther than three deviations from the middle, by medians, which outliers don't move."""
    distances = [float(each) for each in near.distances]
    usual = statistics.median(distances)
    deviation = 1.4826 * statistics.median(abs(each - usual) for each in distances)
    bound = usual + _FAR * max(deviation, 1e-6)
    far = sorted(
        (Outlier(record.id, distance, usual) for record, distance in zip(records, distances, strict=True)),
        key=lambda each: (-each.distance, each.id),
    )
    return tuple(each for each in far if each.distance > bound)[:_TOLD]


def _duplicates(records: Sequence[Record], near: Nearness) -> tuple[Duplicate, ...]:
    """Pairs of videos, each by its two records that are most alike."""
    pairs: dict[tuple[str, str], list[tuple[float, str, str]]] = {}
    for (one, other), similarity in near.pairs.items():
        first, second = sorted((records[one], records[other]), key=lambda record: record.video_id)
        pairs.setdefault((first.video_id, second.video_id), []).append((-similarity, first.id, second.id))
    found = []
    for videos, alike in pairs.items():
        similarity, first_id, second_id = min(alike)
        found.append(Duplicate(videos, (first_id, second_id), min(1.0, -similarity), len(alike)))
    return tuple(sorted(found, key=lambda each: (-round(each.similarity, 6), each.videos))[:_TOLD])


def _trend(records: Sequence[Record], labels: Sequence[int], field: str | None) -> Trend | None:
    if field is None:
        return None
    instants = [record.fields.get(field) for record in records]
    return trend(field, [each if isinstance(each, datetime) else None for each in instants], labels)
