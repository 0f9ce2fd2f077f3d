"""The builtin embedder: colour, light, texture, motion, and the words of titles, tags and captions.

It has no weights and no semantics: "puppy" doesn't find "dog", and a text finds pictures only through their
own text or through colour and light words. What it reaches, measured, stands in `docs/builtin.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ...core.embedder import ClipInput, Embedded, Embedder, HandOver, Takes
from ...core.errors import InvalidQueryError
from ...core.levels import Levels
from ...core.media import Media, Modality
from ...core.records import Vector
from ...core.space import Space
from ..querying import pictures
from .blocks import DIMENSIONS, Picture, query_vector, record_vector, with_text, without_slack

if TYPE_CHECKING:
    from .picture import FrameDescription

_FILE = HandOver(schemes=frozenset({"file"}))
_QUERY_FPS = 2.0
_QUERY_FRAMES = 240  # of a query video, or of one piece of a longer one
_VIDEO = replace(_FILE, max_seconds=_QUERY_FRAMES / _QUERY_FPS)


class BuiltinEmbedder(Embedder):
    """Descriptors of pictures and words in one vector of 768 numbers."""

    kind: ClassVar[str] = "builtin"
    takes = Takes.FRAMES
    frame_size = 160
    reads_text = True
    swaps_text = True
    asymmetric = True
    joint = True
    free = True
    levels: ClassVar[Mapping[Modality, Levels]] = {
        Modality.TEXT: Levels(medium=0.15, high=0.25),
        Modality.IMAGE: Levels(medium=0.4, high=0.5),
        Modality.VIDEO: Levels(medium=0.4, high=0.5),
    }
    """Read off `bench.builtin_quality` (`docs/builtin.md`)."""

    def __init__(self) -> None:
        super().__init__()
        self.space = Space(self.kind, "descriptors", "1", DIMENSIONS)
        self.accepts = {Modality.TEXT: _FILE, Modality.IMAGE: _FILE, Modality.VIDEO: _VIDEO}

    def _embed_query(self, parts: Sequence[Media]) -> Embedded:
        text = "\n".join(part.text or "" for part in parts if part.modality is Modality.TEXT)
        described = [
            each for part in parts if part.modality is not Modality.TEXT for each in _described(part)
        ]
        vector = query_vector(_pooled(described), text)
        if vector is None:
            raise InvalidQueryError(
                f"there is no word in the query text {text[:40]!r}", hint="use letters or digits"
            )
        return Embedded(vector)

    def _embed_frames(self, clips: Sequence[ClipInput]) -> list[Embedded]:
        from .picture import picture_block  # numpy: a text query does without

        return [
            Embedded(record_vector(picture_block([frame.image for frame in clip.frames]), clip.text))
            for clip in clips
        ]

    def query_of(self, vector: Vector) -> Vector:
        """Without the slack, which records share that aren't alike."""
        return without_slack(vector)

    def _swap_text(self, vector: Vector, text: str) -> Vector:
        return with_text(vector, text)


def _described(part: Media) -> list[FrameDescription]:
    """The descriptions of a query's picture, or of the frames of its video."""
    from .picture import describe_frame

    size = BuiltinEmbedder.frame_size
    sampled = pictures(part, kind=BuiltinEmbedder.kind, size=size, fps=_QUERY_FPS, most=_QUERY_FRAMES)
    return [describe_frame(picture) for picture in sampled]


def _pooled(described: Sequence[FrameDescription]) -> Picture | None:
    if not described:
        return None
    from .picture import pool

    return pool(described)
