"""What is measured of a single frame: functions from pixels to numbers, one per descriptor (numpy only)."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from . import palette
from .palette import Floats

Bytes = NDArray[np.uint8]

GRID = 3
"""Cells per side for colours and motion."""

EDGE_CELLS = 4
EDGE_DIRECTIONS = 8
"""A power of two: the circle is closed by masking."""

_CENTRE = 0.4
"""Say of the middle cell in the colour names: what a picture is about is mostly in its middle."""

_YCBCR = np.array(  # ITU-R BT.601
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    dtype=np.float32,
)
_BAR_LEVEL, _BAR_SHARE = 18, 0.05
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def without_bars(planes: Bytes) -> Bytes:
    """Cut off black bars: outer rows and columns where at most 5 % of the pixels are brighter than 18 of 255.

    Where less than a quarter of a side would be left, it isn't a picture in bars but one bright thing in the
    dark, and nothing is cut. All these functions take pictures as planes: 3 x height x width.
    """
    bright = planes.max(axis=0) > _BAR_LEVEL
    rows = np.flatnonzero(bright.mean(axis=1) > _BAR_SHARE)
    columns = np.flatnonzero(bright.mean(axis=0) > _BAR_SHARE)
    if not rows.size or not columns.size:
        return planes
    inner = planes[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return (
        inner
        if all(4 * left >= whole for left, whole in zip(inner.shape, planes.shape, strict=True))
        else planes
    )


def at_least(planes: Bytes, side: int) -> Bytes:
    """Repeat pixels until both sides have that many."""
    height, width = planes.shape[1:]
    if min(height, width) >= side:
        return planes
    rows, columns = (np.arange(max(size, side)) * size // max(size, side) for size in (height, width))
    return planes[:, rows][:, :, columns]


def cell_means(planes: Floats, side: int) -> Floats:
    """Average the pixels of side x side cells of each plane, which has at least that many pixels a side."""
    numbers = _cell_numbers(*planes.shape[-2:], side).ravel()
    pixels = np.bincount(numbers)
    flat = planes.reshape(-1, numbers.size)
    means = [np.bincount(numbers, weights=plane) / pixels for plane in flat]
    return np.array(means, dtype=np.float32).reshape(*planes.shape[:-2], side, side)


def luma(planes: Floats) -> Floats:
    """Weigh red, green and blue as the eye does (BT.601), in the units of the planes."""
    red, green, blue = planes
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)


def colours(planes: Bytes) -> tuple[Floats, Floats, Floats]:
    """Sort the pixels into the soft bins of `palette`: 42 over all, 12 in each of 3 x 3 cells, 12 names.

    One count of 4096 colours per cell and one matrix product do all three.
    """
    counts = _counts(planes)
    shares = palette.sorted_out(counts / counts.sum(axis=1, keepdims=True))
    whole = shares.mean(axis=0)
    names_at = palette.GLOBAL_BINS + palette.CELL_BINS
    names = _CENTRE * shares[len(shares) // 2, names_at:] + (1 - _CENTRE) * whole[names_at:]
    return whole[: palette.GLOBAL_BINS], shares[:, palette.GLOBAL_BINS : names_at].ravel(), names


def _counts(planes: Bytes) -> Floats:
    cells, steps = GRID * GRID, palette.COLOURS
    numbers = palette.index(planes) + _cell_numbers(*planes.shape[1:], GRID) * steps
    counts = np.bincount(numbers.ravel(), minlength=cells * steps)
    return counts.reshape(cells, steps).astype(np.float32)


@lru_cache(maxsize=32)
def _cell_numbers(height: int, width: int, side: int) -> NDArray[np.intp]:
    """The number of the cell that each pixel is in, row by row."""
    rows, columns = np.arange(height) * side // height, np.arange(width) * side // width
    return rows[:, None] * side + columns


def layout(small: Floats) -> Floats:
    """Colour layout of MPEG-7 (ISO/IEC 15938-3): DCT of 8 x 8 cells, 15 of luma and 6 of each chroma.

    Args:
        small: A thumbnail, 3 x side x side, RGB, 0 to 1.
    """
    planes = np.tensordot(_YCBCR, cell_means(small, 8), axes=1)
    planes[0] -= 0.45
    rows, columns = _zigzag()
    light, blue, red = (_dct() @ planes @ _dct().T)[:, rows, columns]
    return np.concatenate([light, 1.5 * blue[:6], 1.5 * red[:6]])


@cache
def _dct() -> Floats:
    """Orthonormal DCT-II of 8 points."""
    row, column = np.arange(8)[:, None], np.arange(8)
    basis = np.cos(np.pi * (column + 0.5) * row / 8) / 2
    basis[0] /= 2**0.5
    return basis.astype(np.float32)


@cache
def _zigzag() -> tuple[list[int], list[int]]:
    """The first 15 places of 8 x 8, the lowest frequencies first."""
    places = sorted(((r, c) for r in range(5) for c in range(5 - r)), key=lambda place: (sum(place), place))
    return [row for row, _ in places], [column for _, column in places]


def edges_and_texture(grey: Floats) -> tuple[Floats, Floats]:
    """Histograms of oriented gradients (Dalal & Triggs 2005), 4 x 4 cells x 8 directions, and 28 of texture.

    Texture is LBP riu2 with radius 1 and 2, and how strong gradients are (8 logarithmic bins).

    Args:
        grey: Height x width, 0 to 255.
    """
    down, across = (np.gradient(grey, axis=axis) for axis in (0, 1))
    strength = np.sqrt(down * down + across * across)
    steps = np.minimum(np.log2(strength + 1), 7).astype(np.intp)
    strengths = np.bincount(steps.ravel(), minlength=8) / steps.size
    texture = np.concatenate([_patterns(grey, 1), _patterns(grey, 2), strengths])
    return _oriented(down, across, strength), texture.astype(np.float32)


def _oriented(down: Floats, across: Floats, strength: Floats) -> Floats:
    """Share every gradient out to the two directions next to its own, sign ignored."""
    position = np.arctan2(down, across) * np.float32(EDGE_DIRECTIONS / np.pi) + EDGE_DIRECTIONS
    lower = position.astype(np.intp)
    to_upper = (position - lower).astype(np.float32) * strength
    first = _cell_numbers(*strength.shape, EDGE_CELLS) * EDGE_DIRECTIONS
    bins = EDGE_CELLS**2 * EDGE_DIRECTIONS
    total = np.zeros(bins)
    for step, share in ((lower, strength - to_upper), (lower + 1, to_upper)):
        numbers = first + (step & (EDGE_DIRECTIONS - 1))
        total += np.bincount(numbers.ravel(), weights=share.ravel(), minlength=bins)
    return (total / strength.size).astype(np.float32)


def _patterns(grey: Floats, radius: int) -> NDArray[np.float64]:
    """Rotation-invariant uniform local binary patterns (riu2; Ojala, Pietikäinen & Mäenpää 2002): 10 shares.

    The 8 neighbours are whole pixels of a square ring, not interpolated on a circle. One counts as set when
    it is at least as bright as the middle. Bin n < 9 is for n neighbours set in one arc, bin 9 for the rest.
    """
    height, width = (size - 2 * radius for size in grey.shape)
    middle = grey[radius:-radius, radius:-radius]
    code = np.zeros(middle.shape, dtype=np.uint8)
    for bit, (row, column) in enumerate(_RING):
        neighbour = grey[radius * row : radius * row + height, radius * column : radius * column + width]
        code |= (neighbour >= middle).view(np.uint8) * np.uint8(1 << bit)
    counts = np.bincount(code.ravel(), minlength=256)
    return np.bincount(_riu2(), weights=counts, minlength=10) / code.size


@cache
def _riu2() -> NDArray[np.intp]:
    """The bin of each of the 256 patterns."""
    turned = [(code >> 1) | ((code & 1) << 7) for code in range(256)]
    return np.array(
        [code.bit_count() if (code ^ turned[code]).bit_count() <= 2 else 9 for code in range(256)]
    )


def moods(planes: Bytes) -> Floats:
    """Judge the picture as a whole, 0 to 1 each: black-and-white, dark, bright, vivid.

    Black-and-white (or evenly toned) means that 99 % of the pixels have nearly the same chroma. The mean
    would not do: a grey road with a red car has hardly any colour on average.
    """
    lab = palette.oklab(palette.linear(planes[:, 1::3, 1::3].reshape(3, -1)))
    light = lab[0].mean()
    chroma = np.hypot(lab[1], lab[2]).mean()
    distance = np.sort(np.hypot(lab[1] - lab[1].mean(), lab[2] - lab[2].mean()))
    spread = distance[int(0.99 * (distance.size - 1))]
    values = ((0.024 - spread) / 0.018, (0.55 - light) / 0.3, (light - 0.55) / 0.25, (chroma - 0.05) / 0.07)
    return np.clip(np.array(values, dtype=np.float32), 0, 1)


def motion(thumbs: Floats) -> Floats:
    """Where neighbouring pictures differ (3 x 3 cells) and, last, how little. Zeros for one picture.

    Args:
        thumbs: Count x side x side, luma, 0 to 1, in the order of time.
    """
    if len(thumbs) < 2:
        return np.zeros(GRID * GRID + 1, dtype=np.float32)
    change = np.abs(np.diff(thumbs, axis=0)).mean(axis=0)
    cells = np.sqrt(cell_means(change, GRID)).ravel()
    stillness = np.exp(-change.mean() / 0.05)
    moving = (1 - stillness) * cells / max(float(np.linalg.norm(cells)), 1e-6)
    return np.append(moving, stillness).astype(np.float32)
