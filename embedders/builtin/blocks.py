"""How the 768 numbers of a builtin vector are laid out and weighed. Pure Python.

| block | dimensions | what | weight in a record |
|---|---|---|---|
| look | 343 | colour, layout, edges, texture and motion of the pictures | .62 |
| colours | 16 | shares of named colours, and light | .25 |
| words | 408 | title, tags, caption, subtitles | .74 |
| slack | 1 | what fills the record up to the common norm; always 0 in a query | 0 to 1 |

A record that lacks a block (no text, a text without letters, a still picture without motion) is shorter
than the others. Cosine would stretch it back to unit length and so lift it above records that look just the
same and have text besides. The slack takes up the difference instead: every record has the same norm before
it is scaled, and queries don't see the slack. So a record's likeness to a picture doesn't depend on whether
it has text, nor its likeness to a text on whether it has pictures.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

from . import words
from .colours import AXES, colour_query

LOOK = 343
COLOURS = len(AXES)
DIMENSIONS = LOOK + COLOURS + words.DIMENSIONS + 1

LOOK_WEIGHT = 0.62
COLOURS_WEIGHT = 0.25
WORDS_WEIGHT = 0.74
COLOUR_WORDS_WEIGHT = 0.55
"""Of the colour words in a text query, beside 1.0 for its words."""

_NORM = (LOOK_WEIGHT**2 + COLOURS_WEIGHT**2 + WORDS_WEIGHT**2) ** 0.5

VISUAL_MAXIMUM = (LOOK_WEIGHT**2 + COLOURS_WEIGHT**2) ** 0.5 / _NORM
"""The cosine of a record with its own picture (.670): the most an image or video query can reach."""

TEXT_MAXIMUM = WORDS_WEIGHT / _NORM
"""The cosine of a record with its own text (.742): the most that words alone can reach."""


class Picture(NamedTuple):
    """The two visual blocks of an image or a clip, each of norm 1 at most."""

    look: Sequence[float]
    colours: Sequence[float]


def record_vector(picture: Picture | None, text: str) -> list[float]:
    """Lay out what is stored for a clip, a video or an image.

    Args:
        picture: Its visual blocks; None where only the text counts.
        text: Title, tags, caption, subtitles; may be empty.

    Returns:
        768 numbers of unit norm, each exactly a float32. A record without any feature is all slack: it is
        stored like any other and no query is like it.
    """
    return _record(_scaled(picture, LOOK_WEIGHT, COLOURS_WEIGHT), text)


def with_text(record: Sequence[float], text: str) -> list[float]:
    """The record vector of the same pictures with another text; the mean of records may be given, too."""
    seen = [_NORM * float(value) for value in record[: LOOK + COLOURS]]
    excess = max(1.0, _square(seen) ** 0.5 / (VISUAL_MAXIMUM * _NORM))
    return _record([value / excess for value in seen], text)


def without_slack(record: Sequence[float]) -> list[float]:
    """The query that a record makes: records without text must not be alike for the want of it."""
    return _unit([*map(float, record[:-1]), 0.0]) if any(record[:-1]) else list(record)


def query_vector(picture: Picture | None, text: str | None) -> list[float] | None:
    """Lay out a query: a picture, a text, or both with an equal say.

    Returns:
        768 numbers of unit norm, each exactly a float32; None where the query has no features at all, as
        "???" has none: nothing can be like it, and the caller says so.
    """
    parts = [_picture_query(picture), _text_query(text or "")]
    units = [_unit(part) for part in parts if any(part)]
    return _unit([sum(values) for values in zip(*units, strict=True)]) if units else None


def _record(seen: list[float], text: str) -> list[float]:
    blocks = [*seen, *(WORDS_WEIGHT * value for value in words.text_block(text))]
    slack = max(0.0, _NORM**2 - _square(blocks)) ** 0.5
    return _unit([*blocks, slack])


def _picture_query(picture: Picture | None) -> list[float]:
    return [*_scaled(picture, LOOK_WEIGHT, COLOURS_WEIGHT), *[0.0] * words.DIMENSIONS, 0.0]


def _text_query(text: str) -> list[float]:
    colours = [COLOUR_WORDS_WEIGHT * value for value in colour_query(text)]
    return [*[0.0] * LOOK, *colours, *words.text_block(text), 0.0]


def _scaled(picture: Picture | None, look: float, colours: float) -> list[float]:
    if picture is None:
        return [0.0] * (LOOK + COLOURS)
    return [look * float(value) for value in picture.look] + [
        colours * float(value) for value in picture.colours
    ]


def _square(values: Sequence[float]) -> float:
    return fsum(value * value for value in values)


def _unit(values: Sequence[float]) -> list[float]:
    """Scale to unit norm and round to float32, the type that stores keep."""
    norm = _square(values) ** 0.5
    return array("f", [value / norm for value in values]).tolist()
