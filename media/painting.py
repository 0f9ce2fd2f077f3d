"""The scenes of the sample clips, drawn with numpy: each is a function of time alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..core.media import Image

Plane = NDArray[np.float64]
Color = tuple[int, int, int]
Scene = Callable[["Canvas", float], "Image"]


class Canvas(NamedTuple):
    """The coordinates of every pixel: x and y from 0 to 1, y downwards, and width over height."""

    x: Plane
    y: Plane
    ratio: float


def canvas(width: int, height: int) -> Canvas:
    """The canvas of a size in pixels."""
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    return Canvas(x[None, :], y[:, None], width / height)


def sunset(at: Canvas, t: float) -> Image:
    """An orange sun sinks into a rippling sea."""
    sun_y = 0.22 + 0.025 * t
    sky = _blend((70, 40, 110), (255, 140, 50), _column(at) / 0.6)
    _disc(sky, at, (0.5, sun_y, 0.09), (255, 225, 120))
    ripple = np.sin(90 * at.y + 4 * t + 6 * np.sin(9 * at.x + t))
    glitter = np.exp(-(((at.x - 0.5) / 0.12) ** 2)) * (0.5 + 0.5 * ripple)
    sea = _blend((20, 40, 90), (250, 150, 70), glitter)
    return _over(sky, sea, at.y > 0.6)


def ball(at: Canvas, t: float) -> Image:
    """A red ball bounces on a grey floor, and wanders to the right."""
    wall = _blend((150, 150, 150), (120, 120, 120), _column(at))
    _paint(wall, (at.y > 0.85) & (at.x >= 0), (90, 90, 90))
    height = abs(np.sin(2.2 * t))
    x = 0.12 + 0.065 * t
    _disc(wall, at, (x, 0.9, 0.05), (70, 70, 70), top=0.85)
    _disc(wall, at, (x, 0.77 - 0.55 * height, 0.08), (215, 25, 30))
    return wall


def meadow(at: Canvas, t: float) -> Image:
    """Grass waves under a blue sky with white clouds."""
    sky = _blend((60, 130, 225), (170, 210, 250), _column(at))
    for index, (x, y, size) in enumerate(((0.2, 0.15, 0.05), (0.6, 0.25, 0.07), (0.9, 0.1, 0.04))):
        shift = (x + 0.02 * t + 0.1 * index) % 1.1
        for part in (-0.6, 0.0, 0.7):
            _disc(sky, at, (shift + part * size, y, size), (245, 248, 252))
    blades = np.sin(150 * at.x + 5 * np.sin(25 * at.y) + 3 * t) * np.sin(60 * at.y)
    return _over(sky, _blend((40, 130, 35), (95, 185, 60), 0.5 + 0.5 * blades), at.y > 0.5)


def snow(at: Canvas, t: float) -> Image:
    """Flakes fall on white hills before a pale sky."""
    picture = _blend((185, 200, 220), (225, 232, 242), _column(at))
    hills = at.y > 0.68 + 0.07 * np.sin(5 * at.x + 1)
    _paint(picture, hills, (248, 250, 255))
    flakes = np.random.default_rng(7).random((60, 3))
    for x, y, speed in flakes:
        fallen = (y + (0.08 + 0.12 * speed) * t) % 1.0
        drift = float((x + 0.02 * np.sin(t + 9 * y)) % 1)
        _disc(picture, at, (drift, float(fallen), 0.006 + 0.006 * float(speed)), (255, 255, 255))
    return picture


def city(at: Canvas, t: float) -> Image:
    """Lit windows of dark towers; headlights pass below."""
    picture = _blend((6, 8, 24), (25, 22, 55), _column(at))
    column, row = np.floor(at.x * 24).astype(int), np.floor(at.y * 24).astype(int)
    tops = np.random.default_rng(3).integers(5, 15, 8)[column // 3 % 8]
    _paint(picture, (row >= tops) & (row < 21), (14, 14, 20))
    lit = np.random.default_rng(5).random((25, 25))[row.clip(0, 24), column.clip(0, 24)] + 0.15 * np.sin(
        t + column
    )
    inside = ((at.x * 24) % 1 > 0.3) & ((at.y * 24) % 1 > 0.4)
    _paint(picture, inside & (lit > 0.55) & (row >= tops) & (row < 20), (250, 205, 95))
    for lane, color in ((0.92, (255, 250, 225)), (0.96, (230, 30, 30))):
        for car in range(4):
            x = (0.25 * car + (0.15 if lane < 0.95 else -0.12) * t) % 1
            _disc(picture, at, (x, lane, 0.012), color)
    return picture


def desert(at: Canvas, t: float) -> Image:
    """Wind moves over yellow dunes under a hazy sky."""
    sky = _blend((150, 190, 215), (240, 225, 190), _column(at))
    ridge = 0.5 + 0.1 * np.sin(4 * at.x + 0.3)
    waves = 0.5 + 0.5 * np.sin(70 * (at.y - 0.2 * at.x) + 2 * t)
    return _over(sky, _blend((190, 140, 70), (235, 195, 115), waves), at.y > ridge)


def aquarium(at: Canvas, t: float) -> Image:
    """Fish of three colours swim in blue-green water."""
    light = 0.5 + 0.5 * np.sin(12 * at.x + 3 * np.sin(2 * at.y + t))
    picture = _blend((0, 70, 110), (20, 150, 165), light * (1 - at.y))
    for index, color in enumerate(((255, 120, 20), (250, 220, 50), (190, 60, 200))):
        x = (0.1 + 0.3 * index + 0.1 * t) % 1.2 - 0.1
        y = 0.25 + 0.25 * index + 0.04 * float(np.sin(2 * t + index))
        _disc(picture, at, (x, y, 0.06), color)
        _paint(picture, (abs(at.y - y) < (x - 0.03 - at.x)) & (at.x > x - 0.08), color)
    return picture


def _column(at: Canvas) -> Plane:
    """The height of every pixel, from 0 at the top to 1."""
    return np.broadcast_to(at.y, (at.y.shape[0], at.x.shape[1]))


def _disc(
    picture: Image, at: Canvas, place: tuple[float, float, float], color: Color, top: float = 0.0
) -> None:
    """Paint a round disc (x, y, radius) below `top`; the radius counts in heights of the picture."""
    height, width = picture.shape[:2]
    x, y, radius = place
    across = radius / at.ratio
    columns = slice(max(0, int((x - across) * width)), max(0, int((x + across) * width) + 2))
    rows = slice(max(0, int(max(y - radius, top) * height)), max(0, int((y + radius) * height) + 2))
    inside = ((at.x[:, columns] - x) * at.ratio) ** 2 + (at.y[rows] - y) ** 2 < radius**2
    picture[rows, columns][inside] = color


def _blend(first: Color, second: Color, share: NDArray[np.floating]) -> Image:
    steps = np.linspace(0, 1, 256)[:, None]
    palette = (np.array(first) * (1 - steps) + np.array(second) * steps + 0.5).astype(np.uint8)
    picture: Image = palette[(np.clip(share, 0, 1) * 255).astype(np.uint8)]
    return picture


def _paint(picture: Image, where: NDArray[np.bool_], color: Color) -> None:
    picture[where] = color


def _over(back: Image, front: Image, where: NDArray[np.bool_]) -> Image:
    return np.where(where[..., None], front, back)
