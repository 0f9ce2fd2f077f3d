"""Colours in OKLab, and a table that sorts every colour into soft bins at once (numpy only).

OKLab is Björn Ottosson's, "A perceptual color space for image processing" (2020): equal steps look equal, and
the hue of a colour doesn't drift with its lightness.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .colours import AREAS

Floats = NDArray[np.float32]

COLOURS = 16**3
"""Rows of the table: 16 steps per channel."""

GLOBAL_BINS = 6 + 12 * 3
CELL_BINS = 4 + 8
NAMES = len(AREAS)

_GREY_TO, _COLOURED_FROM = 0.02, 0.07
"""Up to this OKLab chroma a colour counts as grey, from that on as coloured, between them as part of each."""

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=np.float32,
)

_SAMPLES: dict[str, tuple[int, ...]] = {
    "black": (0x000000, 0x18181A),
    "grey": (0x4B4B4B, 0x6E7072, 0x969696, 0xB9BABC),
    "white": (0xE8E8E8, 0xFFFFFF),
    "red": (0xE1191E, 0x960F19, 0xBE3C3C),
    "orange": (0xFF8C00, 0xF07328, 0xE19650),
    "yellow": (0xFFE600, 0xD7BE32, 0xFAEB82),
    "green": (0x00A028, 0x325F28, 0x78AF4B, 0x4B693C, 0x8CDC78),
    "cyan": (0x00C8CD, 0x46969B, 0x82E1E1),
    "blue": (0x0F28D2, 0x3269BE, 0x7DAFEB, 0x192D5F),
    "purple": (0x7D148C, 0x9155CD, 0x502864),
    "pink": (0xFF69B4, 0xFAAAC3, 0xE13C82),
    "brown": (0x73411E, 0x50321E, 0x9B6941),
}
"""What each colour name looks like (sRGB, chosen by eye)."""

_SHARPNESS = 400.0
"""How firmly a colour belongs to its nearest sample: its share is as exp(-_SHARPNESS x distance squared)."""


def linear(srgb: NDArray[np.uint8]) -> Floats:
    """Undo the gamma of sRGB (IEC 61966-2-1): 0 to 255 becomes 0 to 1."""
    return _gamma()[srgb]


def oklab(rgb: Floats) -> Floats:
    """Convert linear RGB (3 x n) to OKLab: lightness 0 to 1, a (green to red), b (blue to yellow)."""
    return np.asarray(_TO_LAB @ np.cbrt(_TO_CONES @ rgb), dtype=np.float32)


def index(planes: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Give every pixel of 3 x height x width the number of its row in the table."""
    red, green, blue = (planes >> 4).astype(np.intp)
    return np.asarray((red << 8) | (green << 4) | blue)


def sorted_out(counts: Floats) -> Floats:
    """Bring counts of the 4096 colours (n x 4096) to the bins of the table (n x 66).

    The product is made in 16 pieces: one large product would wake all threads of the BLAS, which costs more
    than it brings (measured: four times the time on a busy machine).
    """
    pieces = counts.reshape(len(counts), 16, -1).swapaxes(0, 1) @ _bins()
    return np.asarray(pieces.sum(axis=0))


@cache
def _bins() -> Floats:
    """Tabulate 4096 colours as 16 pieces of 256 rows: shares in 42 global bins, 12 cell bins and 12 names."""
    steps = np.arange(16, dtype=np.uint8) * 16 + 8
    lab = oklab(linear(np.stack(np.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, -1)))
    table = np.concatenate([_soft(lab, 6, 12, 3), _soft(lab, 4, 8, 1), _names(lab)], axis=1)
    return table.reshape(16, COLOURS // 16, -1)


@cache
def _gamma() -> Floats:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _soft(lab: Floats, greys: int, hues: int, tones: int) -> Floats:
    """Share every colour out to grey levels and to hues x tones of lightness."""
    lightness, a, b = lab
    coloured = np.clip((np.hypot(a, b) - _GREY_TO) / (_COLOURED_FROM - _GREY_TO), 0, 1)[:, None]
    turn = np.arctan2(b, a) / (2 * np.pi) % 1.0
    hue = _neighbours(turn * hues, hues, circular=True)
    tone = _neighbours((lightness - 0.15) / 0.7 * tones - 0.5, tones)
    both = (hue[:, :, None] * tone[:, None, :]).reshape(len(hue), -1)
    return np.concatenate(
        [(1 - coloured) * _neighbours(lightness * greys - 0.5, greys), coloured * both], axis=1
    )


def _neighbours(position: Floats, count: int, *, circular: bool = False) -> Floats:
    """Share each position out to the two bins next to it, by linear interpolation."""
    held = position if circular else np.clip(position, 0, count - 1)
    distance = np.abs(held[:, None] - np.arange(count))
    if circular:
        distance = np.minimum(distance, count - distance)
    return np.asarray(np.clip(1 - distance, 0, 1), dtype=np.float32)


def _names(lab: Floats) -> Floats:
    nearness = np.stack([_nearness(lab, _SAMPLES[name]) for name in AREAS], axis=1)
    return np.asarray(nearness / nearness.sum(axis=1, keepdims=True), dtype=np.float32)


def _nearness(lab: Floats, samples: tuple[int, ...]) -> Floats:
    rgb = np.array([[colour >> shift & 255 for colour in samples] for shift in (16, 8, 0)], dtype=np.uint8)
    square = ((lab[:, :, None] - oklab(linear(rgb))[:, None, :]) ** 2).sum(axis=0).min(axis=1)
    return np.asarray(np.exp(-_SHARPNESS * square) + 1e-12, dtype=np.float32)
