"""What the contract's tests write: a schema, records, vectors and texts that break what isn't careful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

import numpy as np

from ...core.fields import FieldType
from ...core.records import Channel, Record, Scope, Text
from ...core.space import Metric

DIMENSION = 8

SCHEMA: Mapping[str, FieldType] = {
    "year": FieldType.INT,
    "rating": FieldType.FLOAT,
    "place": FieldType.STRING,
    "outdoors": FieldType.BOOL,
    "taken": FieldType.DATETIME,
    "tags": FieldType.STRINGS,
}
"""One field of each type."""

NOON = datetime(2024, 6, 1, 12, 0, 0, 1, UTC)
"""An instant with a microsecond."""

FULL = Record(
    id="full",
    video_id="video-of-full",
    uri="file:///videos/a%20b.mp4",
    scope=Scope.VIDEO,
    start_ms=1,
    end_ms=7_200_001,
    channel=Channel.TRANSCRIPTION,
    recipe="0123456789abcdef",
    text=Text("A title", ("one", "two"), "A caption\nof two lines", "说明 and words", "A model's words"),
    fields={
        "year": -(2**53),
        "rating": -1234.5625,
        "place": "Tōkyō",
        "outdoors": False,
        "taken": NOON.astimezone(timezone(timedelta(hours=8))),
        "tags": ("sea", "sea", ""),
    },
    extra={"nested": {"list": [1, 2.5, None, True, "x"], "empty": {}}, "year2": 7},
)
"""A record that gives every part, without its vector."""

HOSTILE: tuple[str, ...] = (
    "it's",
    'say "hi"',
    "back\\slash",
    "\\",
    "'",
    '"',
    "'] or id in ['",
    "x' OR '1'='1",
    '"; DROP TABLE records; --',
    "{{name}} ${name} %s %(id)s {0}",
    "a,b;c|d&e",
    "(1) or (2)",
    "*?[a-z]%_",
    "line\nbreak\r\n\ttab",
    "nul\x00inside",
    "\x00",
    "\x7f\x1b[31m",
    " leading and trailing ",
    " ",
    "é and e\u0301",
    "日本語 — 海辺の動画",
    "مرحبا\u200f",
    "🏖️👩\u200d👩\u200d👧",
    "null",
    "None",
    "true",
    "0",
    "-1",
    "1e400",
    "00000000-0000-0000-0000-000000000000",
    "../../etc/passwd",
    "n" * 256,
    "海" * 85,
)
"""Ids and values of 1 to 256 bytes that a careless adapter lets through into its query language."""


def vectors(count: int, *, seed: int = 7) -> list[list[float]]:
    """Random vectors of different lengths; the same ones for the same seed."""
    made = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return [[float(value) for value in vector] for vector in made]


def axis(number: int) -> list[float]:
    """The unit vector along one axis."""
    return [1.0 if at == number else 0.0 for at in range(DIMENSION)]


def likeness(metric: Metric, one: Sequence[float], other: Sequence[float]) -> float:
    """The score that two vectors must have, in double precision."""
    left, right = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if metric is Metric.L2:
        return -float(np.linalg.norm(left - right))
    product = float(left @ right)
    return product if metric is Metric.IP else product / float(np.linalg.norm(left) * np.linalg.norm(right))
