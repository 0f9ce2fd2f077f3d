"""What a model that looks at video samples of it: frames, tokens and pixels, before anything is sent.

Ark, "video understanding", usage notes; `FAMILIES` holds its numbers. The document gives the bounds of a
frame's tokens and the budget of a video, not the formula: that the budget is shared evenly is our inference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import ConfigurationError
from .media import VideoInfo
from .rates import Rate

_DUST = 1e-6  # of a frame: 0.1 * 30 is a little more than 3


@dataclass(frozen=True, slots=True)
class Family:
    """How the models of one family look at a video.

    Args:
        name: As the configuration says it.
        max_frames: Of one video; a longer one has them further apart.
        min_frames: A short video is looked at more closely, until it has as many.
        frame_tokens: The least and the most that one frame takes.
        token_side: Pixels on a side of what becomes one token.
        budget: Tokens of one video.
    """

    name: str
    max_frames: int
    frame_tokens: tuple[int, int]
    token_side: int
    min_frames: int = 16
    budget: int = 80 * 1024


FAMILIES = {
    family.name: family
    for family in (
        Family("seed_1_6", max_frames=640, frame_tokens=(128, 640), token_side=28),
        Family("seed_1_8", max_frames=1280, frame_tokens=(64, 384), token_side=42),
    )
}
"""`seed_1_6` stands for every model before doubao-seed-1.8."""


@dataclass(frozen=True, slots=True)
class FramePlan:
    """What becomes of one video on its way into the model.

    Args:
        duration: Seconds.
        fps: Frames a second that are asked for.
        frames: That the model gets.
        interval: Seconds from one to the next.
        tokens_per_frame: At most.
        pixels_per_frame: At most; a larger picture is scaled down to it.
        tokens: Of all frames, at most. The time mark before each frame isn't counted: nothing says its size.
        spread: Whether there are fewer frames than asked for, since a video may have only so many.
    """

    duration: float
    fps: float
    frames: int
    interval: float
    tokens_per_frame: int
    pixels_per_frame: int
    tokens: int
    spread: bool = False

    def cost(self, rate: Rate) -> float | None:
        """What the frames cost by a rate; None where it says no price. The answer costs more."""
        return rate.tokens(self.tokens, 0)

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "duration": round(self.duration, 3),
            "fps": self.fps,
            "frames": self.frames,
            "interval": round(self.interval, 4),
            "tokens_per_frame": self.tokens_per_frame,
            "pixels_per_frame": self.pixels_per_frame,
            "tokens": self.tokens,
            "spread": self.spread,
        }


def frame_plan(info: VideoInfo, fps: float, family: Family) -> FramePlan:
    """The plan of a video.

    Args:
        info: Of the video; only its length, size and own frame rate count.
        fps: Frames a second to ask for.
        family: Of the model.
    """
    duration = info.duration_ms / 1000
    wanted = max(1, math.ceil(duration * fps - _DUST))
    there = max(1, math.ceil(duration * info.fps - _DUST)) if info.fps else wanted
    least = min(family.min_frames, max(there, wanted))
    frames = min(max(wanted, least), family.max_frames)
    low, high = family.frame_tokens
    area = family.token_side**2
    share = max(low, min(high, family.budget // frames))
    own = max(1, math.ceil(info.width * info.height / area))
    tokens = min(share, own)
    return FramePlan(
        duration=duration,
        fps=fps,
        frames=frames,
        interval=duration / frames if frames != wanted else 1 / fps,
        tokens_per_frame=tokens,
        pixels_per_frame=min(tokens * area, info.width * info.height),
        tokens=tokens * frames,
        spread=frames < wanted,
    )


def family_of(model: str, named: str | None) -> Family:
    """The family of a model, by the configuration or by the model's name.

    Raises:
        ConfigurationError: Neither tells it.
    """
    known = ", ".join(FAMILIES)
    if named is not None:
        if named not in FAMILIES:
            raise ConfigurationError(f"there is no family {named!r} of models", hint=f"known are {known}")
        return FAMILIES[named]
    bare = model.lower().replace(".", "-")
    if "seed-1-8" in bare:
        return FAMILIES["seed_1_8"]
    if bare.startswith(("doubao-seed-1-6", "doubao-1-5")):
        return FAMILIES["seed_1_6"]
    raise ConfigurationError(
        f"nothing tells how {model!r} looks at frames",
        hint=f"set `family` of `understanding` to {' or '.join(FAMILIES)}",
    )
