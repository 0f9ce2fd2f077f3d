"""Drawing in SVG: scales, axes and marks. Every text is escaped, and colours are classes of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 560
"""Units of a drawing's width; the page scales it."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From a number to a place.

    Args:
        low: The number at `start`.
        high: The number at `stop`.
        start: A place in units.
        stop: The other end.
        log: Whether equal factors are equal distances.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], start: float, stop: float, *, log: bool = False) -> Scale:
        """A scale that holds all values: from 0 on, or from a round number below the least in `log`."""
        least, most = min(values), max(values)
        if not log:
            return cls(0.0, _ceiling(most), start, stop)
        low, high = _half_decade(least, up=False), _half_decade(most, up=True)
        return cls(low, high if high > low else low * 10, start, stop, log=True)

    def __call__(self, value: float) -> float:
        """The place of a number; what lies outside is put on the edge."""
        if self.log:
            value = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        else:
            value = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, value)) * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round numbers on the scale."""
        if not self.log:
            return [self.low + (self.high - self.low) * at / 4 for at in range(5)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        wide = len(decades) > 3
        found = [each * 10.0**power for power in decades for each in ((1,) if wide else (1, 3))]
        return [each for each in found if self.low <= each * 1.0001 and each <= self.high * 1.0001]


def number(value: float) -> str:
    """A number in three significant digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    if abs(value) < 0.0005:
        return "<0.001" if value > 0 else ">-0.001"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 6)}f}".replace(",", "\u202f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def drawing(height: float, parts: Sequence[str], title: str) -> str:
    """A whole SVG."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def words(x: float, y: float, said: str, *, kind: str = "", anchor: str = "start") -> str:
    """Text at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(said)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def dot(x: float, y: float, kind: str, title: str, radius: float = 5) -> str:
    """A round mark that says what it is when one points at it."""
    said = f"<title>{escape(title)}</title>"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}">{said}</circle>'


def bar(x: float, y: float, width: float, height: float, *, kind: str, title: str) -> str:
    """A bar that says what it is when one points at it."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}"'
    return f'<rect {place} rx="2" class="{kind}"><title>{escape(title)}</title></rect>'


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line through points."""
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" class="{kind}"/>'


def across(scale: Scale, top: float, bottom: float, label: str) -> list[str]:
    """A horizontal axis: a grid, numbers below it, and what they are."""
    parts = []
    for tick in scale.ticks:
        x = scale(tick)
        parts += [
            line(x, top, x, bottom, "grid"),
            words(x, bottom + 16, number(tick), kind="tick", anchor="middle"),
        ]
    return [*parts, words((scale.start + scale.stop) / 2, bottom + 34, label, kind="axis", anchor="middle")]


def up(scale: Scale, left: float, right: float, label: str) -> list[str]:
    """A vertical axis: a grid, numbers beside it, and what they are above."""
    parts = []
    for tick in scale.ticks:
        y = scale(tick)
        parts += [
            line(left, y, right, y, "grid"),
            words(left - 8, y + 4, number(tick), kind="tick", anchor="end"),
        ]
    return [*parts, words(left - 44, scale.stop - 14, label, kind="axis")]


def _half_decade(value: float, *, up: bool) -> float:
    """The nearest of 1, 3, 10, 30, … at or beyond a number."""
    value = max(value, 1e-9)  # as of a rate of nothing
    power = math.floor(math.log10(value))
    steps = [each * 10.0**at for at in (power - 1, power, power + 1, power + 2) for each in (1, 3)]
    if up:
        return min(step for step in steps if step >= value * 0.9999)
    return max(step for step in steps if step <= value * 1.0001)


def _ceiling(value: float) -> float:
    """A round number at or above one, whose quarters are round, too."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        each * power for each in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if each * power >= value * 0.9999
    )
