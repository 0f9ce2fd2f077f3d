"""Images and clips as 343 numbers of look and 16 of named colours, without training (numpy only).

Each frame is described once (`describe_frame`); a clip or a whole video is the mean of its frames (`pool`),
so overlapping uses share the work. Motion is how much neighbouring frames differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import features, palette
from .blocks import Picture

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

BLOCKS: tuple[tuple[str, int, float], ...] = (
    ("colours", palette.GLOBAL_BINS, 0.8),
    ("cells", features.GRID**2 * palette.CELL_BINS, 0.8),
    ("layout", 27, 0.8),
    ("edges", features.EDGE_CELLS**2 * features.EDGE_DIRECTIONS, 1.2),
    ("texture", 28, 0.5),
)
"""The blocks of the look that a frame has: name, dimensions, weight. Motion, with 10, follows them."""

MOTION_WEIGHT = 0.3
"""Between samples of 2 fps; on the clips of `bench/builtin_quality.py` it neither helps nor hurts (.002)."""

_NORM = (sum(weight**2 for _, _, weight in BLOCKS) + MOTION_WEIGHT**2) ** 0.5
_THUMB = 32


@dataclass(frozen=True, slots=True, eq=False)
class FrameDescription:
    """What is kept of one frame, about 5.5 KB.

    Args:
        features: The blocks of `BLOCKS` in their order, then 12 colour shares and 4 moods, not yet scaled.
        thumb: Grey thumbnail, 32 x 32, 0 to 1: motion is the difference of two.
    """

    features: Floats
    thumb: Floats


def describe_frame(image: Image) -> FrameDescription:
    """Describe one frame.

    Args:
        image: Height x width x 3, RGB, uint8, upright; best at 160 pixels on the long side. Black bars are
            cut off.

    Raises:
        ValueError: The array isn't such an image, or is empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"an image is height x width x 3 of uint8, not {image.shape} of {image.dtype}")
    planes = features.without_bars(np.ascontiguousarray(np.moveaxis(image, 2, 0)))
    planes = features.at_least(planes, _THUMB)
    exact = planes.astype(np.float32)
    small = features.cell_means(exact, _THUMB) / np.float32(255)
    edges, texture = features.edges_and_texture(features.luma(exact))
    shares, cells, names = features.colours(planes)
    parts = [shares, cells, features.layout(small), edges, texture, names, features.moods(planes)]
    return FrameDescription(np.concatenate(parts), features.luma(small))


def pool(descriptions: Sequence[FrameDescription]) -> Picture:
    """Bring the frames of one clip, in the order of time, to its two visual blocks.

    Each part is the mean over the frames, its square root where it is a histogram, at unit norm, times
    its weight. A part without content (the motion of a single frame, the edges of an even wall) is zeros
    and leaves the look a little shorter than 1; `blocks` makes up for it.

    Returns:
        343 numbers of look, 16 of colours, of norm 1 at most.

    Raises:
        ValueError: There are no frames.
    """
    if not descriptions:
        raise ValueError("a clip needs at least one frame")
    mean = np.stack([one.features for one in descriptions]).astype(np.float64).mean(axis=0)
    parts, at = [], 0
    for name, width, weight in BLOCKS:
        parts.append(weight * _finished(name, mean[at : at + width]))
        at += width
    parts.append(MOTION_WEIGHT * _unit(features.motion(np.stack([one.thumb for one in descriptions]))))
    names, moods = np.split(mean[at:], [palette.NAMES])
    look = np.concatenate(parts) / _NORM
    return Picture(look.tolist(), _unit(np.concatenate([np.sqrt(names), moods])).tolist())


def picture_block(frames: Sequence[Image]) -> Picture:
    """Describe and pool the frames of one clip in the order of time, or a single image."""
    return pool([describe_frame(image) for image in frames])


def _finished(name: str, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    values = mean if name == "layout" else np.sqrt(mean)
    return _unit(values - values.mean() if name == "edges" else values)


def _unit(values: NDArray[np.floating]) -> NDArray[np.float64]:
    norm = float(np.linalg.norm(values))
    return np.asarray(values / norm if norm > 1e-6 else np.zeros_like(values), dtype=np.float64)
