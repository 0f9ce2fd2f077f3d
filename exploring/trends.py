"""How many records of each cluster there are in each period of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from .report import Trend

_FORMS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
_LONGEST = {"hour": timedelta(days=2), "day": timedelta(days=62), "month": timedelta(days=3 * 366)}


def trend(field: str, when: Sequence[datetime | None], clusters: Sequence[int]) -> Trend | None:
    """The trend over instants; None where no record has one.

    Args:
        field: Its name.
        when: The instant of each record.
        clusters: The cluster of each record.
    """
    dated = zip(when, clusters, strict=True)
    known = [(instant.astimezone(UTC), label) for instant, label in dated if instant]
    if not known:
        return None
    first, last = min(instant for instant, _ in known), max(instant for instant, _ in known)
    period = next((name for name, longest in _LONGEST.items() if last - first <= longest), "year")
    periods = list(_periods(period, first, last))
    counted = Counter((_named(period, instant), label) for instant, label in known)
    labels = range(max(clusters) + 1)
    counts = tuple(tuple(counted[each, label] for each in periods) for label in labels)
    return Trend(field, period, tuple(periods), counts, _change(counts))


def _periods(period: str, first: datetime, last: datetime) -> Iterator[str]:
    """Every period from the first to the last, without gaps."""
    step = timedelta(hours=1) if period == "hour" else timedelta(days=1)
    if period == "year":
        yield from (f"{year:04d}" for year in range(first.year, last.year + 1))
        return
    at, said = first, ""
    end = _named(period, last)
    while said != end:
        name = _named(period, at)
        if name != said:
            said = name
            yield name
        at += step


def _named(period: str, instant: datetime) -> str:
    return f"{instant.year:04d}" if period == "year" else instant.strftime(_FORMS[period])


def _change(counts: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Of each cluster: its share in the later half minus that in the earlier one."""
    middle = len(counts[0]) // 2
    early, late = sum(sum(each[:middle]) for each in counts), sum(sum(each[middle:]) for each in counts)
    if not early or not late:
        return tuple(0.0 for _ in counts)
    return tuple(sum(each[middle:]) / late - sum(each[:middle]) / early for each in counts)
