"""What is measured of a single frame: pure functions from pixels to numbers, one per descriptor (numpy only)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from . import palette
from .palette import Floats

Image = NDArray[np.uint8]

GRID = 3
"""Cells per side for colours and motion."""

EDGE_CELLS = 4
EDGE_DIRECTIONS = 8

_CENTRE = 0.4
"""Say of the middle cell in the colour names: what a picture shows is mostly in its middle."""

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_YCBCR = np.array(  # ITU-R BT.601, all three about 0 to 1 or -.5 to .5
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    dtype=np.float32,
)
_BAR_LEVEL, _BAR_SHARE = 18, 0.05


def without_bars(image: Image) -> Image:
    """Cut off black bars: outer rows and columns where at most 5 % of the pixels are brighter than 18 of 255."""
    bright = image.max(axis=2) > _BAR_LEVEL
    rows = np.flatnonzero(bright.mean(axis=1) > _BAR_SHARE)
    columns = np.flatnonzero(bright.mean(axis=0) > _BAR_SHARE)
    if not rows.size or not columns.size:
        return image
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def at_least(image: Image, side: int) -> Image:
    """Repeat pixels until both sides have that many."""
    height, width = image.shape[:2]
    if min(height, width) >= side:
        return image
    rows, columns = (np.arange(max(length, side)) * length // max(length, side) for length in (height, width))
    return image[rows][:, columns]


def cell_means(image: Image | Floats, side: int) -> Floats:
    """Average the pixels of side x side cells."""
    for axis in (0, 1):
        length = image.shape[axis]
        edges = np.arange(side) * length // side
        counts = np.maximum(np.diff(np.append(edges, length)), 1).astype(np.float32)
        sums = np.add.reduceat(image, edges, axis=axis, dtype=np.float32)
        image = sums / counts.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return np.asarray(image, dtype=np.float32)


def luma(image: Image | Floats) -> Floats:
    """Weigh red, green and blue as the eye does (BT.601), 0 to 255."""
    return np.asarray(image @ _LUMA, dtype=np.float32)


def colours(image: Image) -> tuple[Floats, Floats, Floats]:
    """Sort the pixels into the soft bins of `palette`: 42 over all, 12 in each of 3 x 3 cells, 12 names.

    One count of 4096 colours per cell and one matrix product do all three.
    """
    counts = _counts(image)
    shares = (counts / counts.sum(axis=1, keepdims=True)) @ palette.bins()
    whole = shares.mean(axis=0)
    cut = palette.GLOBAL_BINS + palette.CELL_BINS
    names = _CENTRE * shares[len(shares) // 2, cut:] + (1 - _CENTRE) * whole[cut:]
    return whole[: palette.GLOBAL_BINS], shares[:, palette.GLOBAL_BINS : cut].ravel(), names


def _counts(image: Image) -> Floats:
    cells, colours = GRID * GRID, palette.LEVELS**3
    numbers = palette.index(image) + _cell_numbers(*image.shape[:2], GRID) * colours
    counts = np.bincount(numbers.ravel(), minlength=cells * colours)
    return counts.reshape(cells, colours).astype(np.float32)


@cache
def _cell_numbers(height: int, width: int, side: int) -> NDArray[np.intp]:
    rows, columns = np.arange(height) * side // height, np.arange(width) * side // width
    return rows[:, None] * side + columns


def layout(small: Floats) -> Floats:
    """Colour layout of MPEG-7 (ISO/IEC 15938-3, 6.6): DCT of 8 x 8 cells, 15 of luma and 6 of each chroma.

    Args:
        small: A thumbnail whose sides are multiples of 8, RGB, 0 to 255.
    """
    planes = np.moveaxis(cell_means(small, 8) / 255 @ _YCBCR.T, 2, 0)
    planes[0] -= 0.45
    coefficients = _dct() @ planes @ _dct().T
    rows, columns = _zigzag()
    luma, blue, red = coefficients[:, rows, columns]
    return np.concatenate([luma, 1.5 * blue[:6], 1.5 * red[:6]])


@cache
def _dct() -> Floats:
    """Orthonormal DCT-II of 8 points."""
    row, column = np.arange(8)[:, None], np.arange(8)
    basis = np.cos(np.pi * (column + 0.5) * row / 8) / 2
    basis[0] /= 2**0.5
    return basis.astype(np.float32)


@cache
def _zigzag() -> tuple[list[int], list[int]]:
    """The first 15 places of the zigzag through 8 x 8, lowest frequencies first."""
    places = sorted(((r, c) for r in range(5) for c in range(5 - r)), key=lambda p: (p[0] + p[1], p))
    return [row for row, _ in places], [column for _, column in places]


def edges_and_texture(grey: Floats) -> tuple[Floats, Floats]:
    """Histograms of oriented gradients (Dalal & Triggs 2005), 4 x 4 cells x 8 directions, and texture.

    Texture is LBP riu2 with radius 1 and 2, and how strong gradients are (8 logarithmic bins).
    """
    down, across = np.gradient(grey)
    strength = np.hypot(down, across)
    steps = np.clip(np.log2(strength + 1), 0, 7.999).astype(np.intp)
    texture = [_patterns(grey, 1), _patterns(grey, 2), np.bincount(steps.ravel(), minlength=8) / steps.size]
    return _oriented(down, across, strength), np.concatenate(texture).astype(np.float32)


def _oriented(down: Floats, across: Floats, strength: Floats) -> Floats:
    """Share every gradient out to the two directions next to its own, sign ignored."""
    position = np.arctan2(down, across) * (EDGE_DIRECTIONS / np.pi)
    lower = np.floor(position)
    upper_share = (position - lower) * strength
    first = _cell_numbers(*strength.shape, EDGE_CELLS) * EDGE_DIRECTIONS
    bins = EDGE_CELLS**2 * EDGE_DIRECTIONS
    lower = lower.astype(np.intp)
    total = np.zeros(bins)
    for step, share in ((lower, strength - upper_share), (lower + 1, upper_share)):
        numbers = first + step % EDGE_DIRECTIONS
        total += np.bincount(numbers.ravel(), weights=share.ravel(), minlength=bins)
    return (total / strength.size).astype(np.float32)


def _patterns(grey: Floats, radius: int) -> Floats:
    """Local binary patterns, rotation invariant and uniform (riu2, Ojala et al. 2002): 10 shares.

    The 8 neighbours are taken at whole pixels of a square ring, not interpolated on a circle. A neighbour counts as
    set when it is at least as bright as the middle. Bin n < 9 counts pixels with n neighbours set in one arc, bin 9 the rest.
    """
    height, width = grey.shape
    middle = grey[radius : height - radius, radius : width - radius]
    code = np.zeros(middle.shape, dtype=np.uint8)
    for bit, (row, column) in enumerate(_RING):
        top, left = radius * (1 + row), radius * (1 + column)
        code |= (grey[top : top + middle.shape[0], left : left + middle.shape[1]] >= middle).astype(np.uint8) << bit
    counts = np.bincount(code.ravel(), minlength=256)
    return np.bincount(_riu2(), weights=counts, minlength=10) / max(code.size, 1)


_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


@cache
def _riu2() -> NDArray[np.intp]:
    codes = np.arange(256)
    turned = (codes >> 1) | ((codes & 1) << 7)
    ones, changes = (np.array([int(code).bit_count() for code in row]) for row in (codes, codes ^ turned))
    return np.where(changes <= 2, ones, 9)


def moods(image: Image, small: Floats) -> Floats:
    """Judge the picture as a whole, 0 to 1 each: black-and-white, dark, bright, vivid.

    Black-and-white (or toned) means that 99 % of the pixels have nearly the same chroma: the mean fails, since a
    grey road with one red car has hardly any colour on average.
    """
    lab = palette.oklab(small.reshape(-1, 3) / 255)
    light = float(lab[:, 0].mean())
    chroma = float(np.hypot(lab[:, 1], lab[:, 2]).mean())
    spread = _chroma_spread(image[::2, ::2])
    values = (
        (0.035 - spread) / 0.02,
        (0.40 - light) / 0.2,
        (light - 0.65) / 0.2,
        (chroma - 0.06) / 0.08,
    )
    return np.clip(np.array(values, dtype=np.float32), 0, 1)


def _chroma_spread(image: Image) -> float:
    lab = palette.oklab(image.reshape(-1, 3) / np.float32(255))[:, 1:]
    distance = np.hypot(*(lab - lab.mean(axis=0)).T)
    return float(np.quantile(distance, 0.99))


def motion(thumbs: list[Image]) -> Floats:
    """How much neighbouring thumbnails differ: where (3 x 3 cells) and, last, how little. Zeros for one picture."""
    if len(thumbs) < 2:
        return np.zeros(GRID * GRID + 1, dtype=np.float32)
    stack = np.stack(thumbs).astype(np.float32) / 255
    change = np.abs(np.diff(stack, axis=0)).mean(axis=0)
    cells = np.sqrt(cell_means(change[:, :, None], GRID).ravel())
    level = float(np.exp(-change.mean() / 0.05))
    where = cells / max(float(np.linalg.norm(cells)), 1e-6)
    return np.append(where * (1 - level), level).astype(np.float32)
