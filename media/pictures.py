"""From a decoded frame to pixels: scaled while converting, turned upright, never enlarged."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
from av.video.frame import VideoFrame

if TYPE_CHECKING:
    from ..core.media import Image


def turns(frame: VideoFrame) -> int:
    """Quarter turns counterclockwise that bring the stored picture upright (its display matrix)."""
    return round(frame.rotation / 90) % 4


def display_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height of the stored picture with square pixels, before it is turned.

    Args:
        frame: A decoded frame.
        aspect: Width of a pixel over its height (sample aspect ratio); None is square.
    """
    wide = round(frame.width * aspect) if aspect and aspect > 0 else frame.width
    return max(1, wide), frame.height


def fit(width: int, height: int, size: int) -> tuple[int, int]:
    """Scale to at most `size` on the long side, at least 1 pixel each, never enlarged."""
    scale = min(1.0, size / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def to_rgb(frame: VideoFrame, size: int, aspect: Fraction | None = None) -> Image:
    """Convert a frame to height x width x 3, RGB, uint8, upright, at most `size` on the long side."""
    width, height = fit(*display_size(frame, aspect), size)
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
    return upright(cast("Image", pixels), turns(frame))


def upright(pixels: Image, quarter_turns: int) -> Image:
    """Turn pixels counterclockwise; the same array where there is nothing to turn."""
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns)) if quarter_turns else pixels
