"""What all charts of a report share: where they begin and end, a stack's colour, what a mark says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..results import Measure, Results
from .drawing import WIDTH, number, words

LEFT, RIGHT = 128, WIDTH - 18
ROW = 30
_NAME = 17  # letters of a name that fit before a row


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing.

    Args:
        title: Its heading.
        says: How it is read.
        svg: The drawing.
    """

    title: str
    says: str
    svg: str


def colour(results: Results, stack: str) -> int:
    """The number of a stack's colour, the same in every chart."""
    return [each.name for each in results.stacks].index(stack) % 8


def named(results: Results, stack: str, y: float) -> Iterator[str]:
    """A stack's name before its row, and below it that it is an emulator if it is."""
    emulated = stack in results.emulated
    short = stack if len(stack) <= _NAME else f"{stack[: _NAME - 1]}…"
    yield words(LEFT - 10, y - (5 if emulated else 0), short, kind="label", anchor="end")
    if emulated:
        yield words(LEFT - 10, y + 8, "emulated", kind="tick", anchor="end")


def said(measure: Measure) -> str:
    """What a mark says when one points at it."""
    case = f", {measure.case}" if measure.case else ""
    turns = f"{number(measure.low)} to {number(measure.high)} in {len(measure.samples)} turns"
    once = "measured once" if len(measure.samples) == 1 else turns
    return f"{measure.stack}: {measure.name}{case} {number(measure.median)} {measure.unit} ({once})"


def in_order(results: Results, found: Sequence[Measure]) -> list[Measure]:
    """Measures in the order of the stacks."""
    return sorted(found, key=lambda each: colour(results, each.stack))
