"""Colours in OKLab, and tables that sort every colour into soft bins at once.

OKLab is Björn Ottosson's, "A perceptual color space for image processing" (2020): equal steps look equal, and the
hue of a colour doesn't drift with its lightness.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .colours import AREAS

Floats = NDArray[np.float32]

LEVELS = 16
"""Steps per channel of the tables; 16 x 16 x 16 = 4096 colours."""

GLOBAL_BINS = 6 + 12 * 3
CELL_BINS = 4 + 8
NAMES = len(AREAS)

_GREY_FROM, _GREY_TO = 0.02, 0.07
"""Below this OKLab chroma a colour counts as grey, above that as coloured, between them as part of each."""

_SAMPLES = {
    "black": [(0, 0, 0), (24, 24, 26)],
    "grey": [(75, 75, 75), (110, 112, 114), (150, 150, 150), (185, 186, 188)],
    "white": [(232, 232, 232), (255, 255, 255)],
    "red": [(225, 25, 30), (150, 15, 25), (190, 60, 60)],
    "orange": [(255, 140, 0), (240, 115, 40), (225, 150, 80)],
    "yellow": [(255, 230, 0), (215, 190, 50), (250, 235, 130)],
    "green": [(0, 160, 40), (50, 95, 40), (120, 175, 75), (75, 105, 60), (140, 220, 120)],
    "cyan": [(0, 200, 205), (70, 150, 155), (130, 225, 225)],
    "blue": [(15, 40, 210), (50, 105, 190), (125, 175, 235), (25, 45, 95)],
    "purple": [(125, 20, 140), (145, 85, 205), (80, 40, 100)],
    "pink": [(255, 105, 180), (250, 170, 195), (225, 60, 130)],
    "brown": [(115, 65, 30), (80, 50, 30), (155, 105, 65)],
}
"""What each colour name looks like (sRGB)."""

_SHARPNESS = 400.0
"""How firmly a colour belongs to its nearest sample: exp(-SHARPNESS x squared OKLab distance)."""


def oklab(rgb: Floats) -> Floats:
    """Convert sRGB (0 to 1, last axis) to OKLab: lightness 0 to 1, a (green to red), b (blue to yellow)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(linear @ _TO_CONES.T)
    return np.asarray(cones @ _TO_LAB.T, dtype=np.float32)


_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@cache
def bins() -> Floats:
    """Tabulate 4096 colours against 42 global bins, 12 cell bins and 12 names; the shares of each group sum to 1."""
    steps = (np.arange(LEVELS, dtype=np.float32) + 0.5) / LEVELS
    lab = oklab(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3))
    return np.concatenate([_soft_bins(lab, 6, 12, 3), _soft_bins(lab, 4, 8, 1), _names(lab)], axis=1)


def index(image: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Number the colour of every pixel, 0 to 4095."""
    steps = (image >> 4).astype(np.intp)
    return steps[..., 0] * 256 + steps[..., 1] * 16 + steps[..., 2]


def _soft_bins(lab: Floats, greys: int, hues: int, tones: int) -> Floats:
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    coloured = np.clip((chroma - _GREY_FROM) / (_GREY_TO - _GREY_FROM), 0, 1)[:, None]
    turn = np.arctan2(lab[:, 2], lab[:, 1]) / (2 * np.pi) % 1.0
    hue = _between(turn * hues, hues, circular=True)
    tone = _between((lab[:, 0] - 0.15) / 0.7 * tones - 0.5, tones)
    grey = _between(lab[:, 0] * greys - 0.5, greys)
    both = (hue[:, :, None] * tone[:, None, :]).reshape(len(lab), -1)
    return np.concatenate([(1 - coloured) * grey, coloured * both], axis=1).astype(np.float32)


def _between(position: Floats, count: int, *, circular: bool = False) -> Floats:
    """Share a position out to the two bins next to it, by linear interpolation."""
    if not circular:
        position = np.clip(position, 0, count - 1)
    distance = np.abs(position[:, None] - np.arange(count))
    if circular:
        distance = np.minimum(distance, count - distance)
    return np.asarray(np.clip(1 - distance, 0, 1), dtype=np.float32)


def _names(lab: Floats) -> Floats:
    shares = np.stack([_nearness(lab, name) for name in AREAS], axis=1)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)


def _nearness(lab: Floats, name: str) -> Floats:
    samples = oklab(np.array(_SAMPLES[name], dtype=np.float32) / 255)
    square = ((lab[:, None, :] - samples) ** 2).sum(axis=-1).min(axis=1)
    return np.asarray(np.exp(-_SHARPNESS * square) + 1e-12, dtype=np.float32)
