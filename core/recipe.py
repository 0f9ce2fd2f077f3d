"""How a video is cut and sampled. A recipe belongs to the record: a changed one re-ingests the video."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise

from .errors import ConfigurationError
from .records import Channel, Scope
from .space import Space, digest

_NAMESPACE = uuid.UUID("6f1f8d0c-6c0b-5f3e-9a5b-0b7f4c1d2e3a")


class Segmentation(StrEnum):
    """Fixed windows, or the shots of the film."""

    FIXED = "fixed"
    SHOTS = "shots"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a video is cut and sampled.

    Args:
        segmentation: Windows of `window` seconds, or shots (longer shots are cut into windows).
        window: Seconds of a clip.
        shortest: A last piece shorter than this, in seconds, joins the one before.
        fps: Frames sampled a second.
        scopes: Which records are made; the vector of the whole video is the mean of its clips, by length.
        channels: Which channels are asked of an embedder that has several; `proxy` asks a store that
            vectorizes for a record of the whole video, which is one more medium to pay for.
    """

    segmentation: Segmentation = Segmentation.FIXED
    window: float = 5.0
    shortest: float = 1.0
    fps: float = 2.0
    scopes: tuple[Scope, ...] = (Scope.CLIP, Scope.VIDEO)
    channels: tuple[Channel, ...] = (Channel.FUSED,)

    def __post_init__(self) -> None:
        """Refuse what can't be cut.

        Raises:
            ConfigurationError: A value is out of its range.
        """
        for name, low, high in (("window", 0.2, 3600.0), ("shortest", 0.0, self.window), ("fps", 0.01, 60.0)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigurationError(f"recipe.{name} is {value:g}; it must be from {low:g} to {high:g}")
        if not self.scopes:
            raise ConfigurationError("recipe.scopes is empty", hint='name "clip", "video" or both')
        if Channel.PROXY in self.channels and Scope.VIDEO not in self.scopes:
            raise ConfigurationError(
                "recipe.channels names proxy, and recipe.scopes not the video that it would stand for",
                hint='name "video" among the scopes, or leave proxy out',
            )

    @property
    def key(self) -> str:
        """A short digest; equal for equal recipes."""
        return digest(asdict(self))

    def spans(self, duration_ms: int, shots: Sequence[int] = ()) -> list[tuple[int, int]]:
        """The clips of a video: (start, end) in milliseconds, without gap or overlap.

        Args:
            duration_ms: Of the video.
            shots: Where new shots begin, for `Segmentation.SHOTS`.
        """
        window, shortest = round(self.window * 1000), round(self.shortest * 1000)
        edges = _spaced(
            [0, *sorted({at for at in shots if 0 < at < duration_ms}), max(duration_ms, 1)], shortest
        )
        return [span for start, end in pairwise(edges) for span in _windows(start, end, window, shortest)]


def _spaced(edges: list[int], shortest: int) -> list[int]:
    """The edges without those that would leave a shot shorter than `shortest`."""
    kept = edges[:1]
    for edge, following in pairwise(edges[1:]):
        if following - edge >= shortest and edge - kept[-1] >= shortest:
            kept.append(edge)
    return [*kept, edges[-1]]


def _windows(start: int, end: int, window: int, shortest: int) -> list[tuple[int, int]]:
    edges = list(range(start, end, window))
    if len(edges) > 1 and end - edges[-1] < shortest:
        edges.pop()
    return list(zip(edges, [*edges[1:], end], strict=True))


def record_id(
    video_id: str, span: tuple[int, int], scope: Scope, channel: Channel, *, space: Space, recipe: Recipe
) -> str:
    """The id of a record: equal for the same span of the same video, made in the same way."""
    name = f"{video_id}/{span[0]}-{span[1]}/{scope}/{channel}/{space.key}/{recipe.key}"
    return str(uuid.uuid5(_NAMESPACE, name))
