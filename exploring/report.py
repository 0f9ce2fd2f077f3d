"""What was found in a collection, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.records import Record


@dataclass(frozen=True, slots=True)
class Point:
    """A record of the sample.

    Args:
        record: Without its vector.
        cluster: The place of its cluster in `Exploration.clusters`.
        x: On the map, from 0 to 1; near points are alike, and distances say no more than that.
        y: The same, downwards.
    """

    record: Record
    cluster: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """Records that are alike.

    Args:
        words: What titles, tags and captions here say more often than elsewhere.
        size: Records.
        videos: Different videos among them.
        typical: Ids of the records nearest to its middle.
    """

    words: tuple[str, ...]
    size: int
    videos: int
    typical: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "words": list(self.words),
            "size": self.size,
            "videos": self.videos,
            "typical": list(self.typical),
        }


@dataclass(frozen=True, slots=True)
class Outlier:
    """A record that is like no other video.

    Args:
        id: The record's.
        distance: Mean cosine distance to the nearest records of other videos.
        usual: What that is in the middle of the sample.
    """

    id: str
    distance: float
    usual: float


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two videos that show the same, or nearly.

    Args:
        videos: Their ids.
        records: The two records that are most alike.
        similarity: Of those, a cosine.
        clips: Pairs of records that reach the threshold, of the nearest twenty of each record.
    """

    videos: tuple[str, str]
    records: tuple[str, str]
    similarity: float
    clips: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Records over time.

    Args:
        field: The field of instants.
        period: `hour`, `day`, `month` or `year`.
        periods: Their beginnings, in order and without gaps: `2024-05`.
        counts: Records of each cluster in each period.
        change: By cluster, its share in the later half of the periods minus that in the earlier half.
    """

    field: str
    period: str
    periods: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    change: tuple[float, ...]

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "field": self.field,
            "period": self.period,
            "periods": list(self.periods),
            "counts": [list(each) for each in self.counts],
            "change": [round(each, 4) for each in self.change],
        }


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found.

    Args:
        total: Records that match.
        sampled: Those that were looked at; the same ones in every run.
        points: The sample.
        clusters: The largest first.
        outliers: The farthest first.
        duplicates: The most alike first.
        trend: None where there is no field of instants, or none was asked for.
    """

    total: int
    sampled: int
    points: tuple[Point, ...] = field(repr=False)
    clusters: tuple[Cluster, ...]
    outliers: tuple[Outlier, ...]
    duplicates: tuple[Duplicate, ...]
    trend: Trend | None

    @property
    def records(self) -> Mapping[str, Record]:
        """The records of the sample by id."""
        return {point.record.id: point.record for point in self.points}

    def to_json(self) -> dict[str, object]:
        """The form of `polyreel explore --json`."""
        return {
            "total": self.total,
            "sampled": self.sampled,
            "clusters": [cluster.to_json() for cluster in self.clusters],
            "outliers": [
                {"id": each.id, "distance": round(each.distance, 4), "usual": round(each.usual, 4)}
                for each in self.outliers
            ],
            "duplicates": [
                {
                    "videos": list(each.videos),
                    "records": list(each.records),
                    "similarity": round(each.similarity, 4),
                    "clips": each.clips,
                }
                for each in self.duplicates
            ],
            "trend": self.trend.to_json() if self.trend else None,
            "points": [_point(point) for point in self.points],
        }


def _point(point: Point) -> dict[str, object]:
    record = point.record
    return {
        "id": record.id,
        "video_id": record.video_id,
        "uri": record.uri,
        "start": record.start,
        "end": record.end,
        "title": record.text.title,
        "cluster": point.cluster,
        "x": round(point.x, 4),
        "y": round(point.y, 4),
    }
