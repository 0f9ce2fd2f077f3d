"""Whether a copy is what the source is: by number, and by a sample that is compared part by part."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from itertools import islice

from .copy_sources import Source
from .copy_targets import Target
from .errors import IntegrityError
from .records import Record, Vector
from .space import Metric

_SAMPLE = 200
_SEED = 20  # the same records in every try
_AT_ONCE = 50
_FAR = 1e-3
"""How far a vector may be from the source's, as a share of its length: engines keep float32 or less."""
_CLOSE = 1e-6
"""How far a number of a field may be, since some vendors keep float32 only."""


def verify(source: Source, target: Target, *, total: int, listed: int, merge: bool) -> int:
    """Compare; returns how many records of the sample were.

    Args:
        source: What was copied.
        target: Where it is now.
        total: Records of the source.
        listed: Places from which to take the sample.
        merge: Whether the target may hold other records beside.

    Raises:
        IntegrityError: Something isn't as it should be.
    """
    found = _held(source, target) if merge else target.count()
    if found != total:
        raise IntegrityError(
            f"the target holds {found} records of the copy, {source.what} has {total}",
            hint="something wrote to one of the two meanwhile: let nothing write, and copy again",
        )
    places = sorted(random.Random(_SEED).sample(range(listed), min(_SAMPLE, listed)))
    cosine = source.spec.space.metric is Metric.COSINE
    compared = 0
    for record, copied in _pairs(source, target, places):
        difference = _difference(target.expected(record), copied, cosine=cosine)
        if difference:
            raise IntegrityError(
                f"the record {record.id!a} came out otherwise: {difference}",
                hint="let nothing write to either collection, and copy into a new one",
            )
        compared += 1
    return compared


def _held(source: Source, target: Target) -> int:
    """How many of the source's records the target has, among others."""
    return sum(len(target.fetch(ids, vectors=False)) for ids in source.ids())


def _pairs(source: Source, target: Target, places: list[int]) -> Iterator[tuple[Record, Record | None]]:
    """Records of the source with what the target has of them."""
    rest = iter(places)
    while some := list(islice(rest, _AT_ONCE)):
        records = source.at(some)
        there: Mapping[str, Record] = target.fetch([record.id for record in records])
        yield from ((record, there.get(record.id)) for record in records)


def _difference(expected: Record, found: Record | None, *, cosine: bool) -> str | None:
    """In what a record is another one; None where it is the same."""
    if found is None:
        return "it is missing"
    plain, other = replace(expected, content=None, fields={}), replace(found, content=None, fields={})
    for part in fields(Record):
        if getattr(plain, part.name) != getattr(other, part.name):
            return f"its {part.name} differs"
    if not _same_values(expected.fields, found.fields):
        return "its fields differ"
    if not _near(expected.content, found.content, cosine=cosine):
        return "its vector differs"
    return None


def _same_values(expected: Mapping[str, object], found: Mapping[str, object]) -> bool:
    def same(one: object, other: object) -> bool:
        if isinstance(one, float) and isinstance(other, float):
            return math.isclose(one, other, rel_tol=_CLOSE)
        return one == other

    return expected.keys() == found.keys() and all(same(expected[name], found[name]) for name in expected)


def _near(expected: object, found: object, *, cosine: bool) -> bool:
    """Whether two vectors are one within the tolerance; their lengths don't matter for cosines."""
    one, other = _numbers(expected), _numbers(found)
    if one is None or other is None or len(one) != len(other):
        return False
    length, its = math.hypot(*one), math.hypot(*other)
    scale = length / its if cosine else 1.0
    return math.dist(one, [value * scale for value in other]) <= _FAR * length


def _numbers(vector: object) -> list[float] | None:
    if vector is None:
        return None
    values: Vector = vector  # type: ignore[assignment]  # no store of vectors gives media
    return [float(value) for value in values]
