"""What a recipe means to the service: segmentation, options and scopes; and which videos it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import ConfigurationError, MediaError
from ...core.media import VideoInfo
from ...core.orders import Order
from ...core.recipe import Recipe, Segmentation
from ...core.records import Channel, Scope
from .models import LONGEST_SIDE, SHORT_OF_LONGEST, SHORTEST_SECONDS, SHORTEST_SIDE, WIDEST, Model

SCOPES: Mapping[Scope, str] = {Scope.CLIP: "clip", Scope.VIDEO: "asset"}
_FIXED = range(2, 11)  # seconds of a window
_DYNAMIC = range(2, 6)  # seconds of the shortest piece


@dataclass(frozen=True, slots=True)
class Asked:
    """Which vectors are asked for.

    Args:
        options: Of the service.
        types: `embedding_type` of the service; none where there is but one option.
        channels: The channels of an option's vectors.
    """

    options: tuple[str, ...]
    types: tuple[str, ...]
    channels: Mapping[str, tuple[Channel, ...]]


def asked(order: Order, model: Model) -> Asked:
    """The options that give a recipe's channels.

    What is fused is all that the video has. A video without sound has its pictures only, whose vectors then
    stand in the channel `fused`, too.

    Raises:
        ConfigurationError: The model lacks a channel of the recipe.
        MediaError: The video has none of them.
    """
    wanted = order.recipe.channels
    for channel in wanted:
        if channel not in model.channels:
            raise ConfigurationError(
                f"{model.name} has no channel {channel.value!r}",
                hint=f'set `channels` of the recipe, such as ["{model.channels[0].value}"]; '
                f"it has {', '.join(model.channels)}",
            )
    heard = order.info.audio_codec is not None
    there = {
        channel: option for channel, option in model.options.items() if heard or channel is Channel.VISUAL
    }
    fused = Channel.FUSED in wanted
    options = tuple(option for channel, option in there.items() if fused or channel in wanted)
    if not options:
        raise MediaError(f"the video has no sound, and only {', '.join(wanted)} is asked for")
    channels = {option: (channel,) for channel, option in there.items() if channel in wanted}
    if not fused:
        return Asked(options, (), channels)
    if len(options) == 1:
        return Asked(options, (), {options[0]: (*channels.get(options[0], ()), Channel.FUSED)})
    separate = ("separate_embedding",) if channels else ()
    return Asked(options, (*separate, "fused_embedding"), {**channels, "fused": (Channel.FUSED,)})


def segmentation(recipe: Recipe, model: Model) -> dict[str, Any]:
    """How the service shall cut, as the model wants it said.

    Raises:
        ConfigurationError: The service can't cut like that.
    """
    if recipe.segmentation is Segmentation.FIXED:
        cut: dict[str, Any] = {"strategy": "fixed", "fixed": {"duration_sec": window(recipe)}}
    else:
        shortest = max(_DYNAMIC.start, math.ceil(recipe.shortest))
        if shortest not in _DYNAMIC:
            raise _not_from("shortest", recipe.shortest, _DYNAMIC)
        cut = {"strategy": "dynamic", "dynamic": {"min_duration_sec": shortest}}
    return {"temporal": cut} if model.multi else cut


def window(recipe: Recipe) -> int:
    """The whole seconds of a window."""
    if recipe.window not in _FIXED:
        raise _not_from("window", recipe.window, _FIXED)
    return int(recipe.window)


def check_video(info: VideoInfo, longest: float | None = None) -> None:
    """Refuse pictures and lengths that the service would refuse.

    Args:
        info: Of the video.
        longest: Seconds; None where that is checked elsewhere.

    Raises:
        MediaError: They are outside its limits.
    """
    short, long = sorted((info.width, info.height))
    size = f"the video has {info.width} x {info.height} pixels"
    if short < SHORTEST_SIDE:
        raise MediaError(f"{size}; Marengo takes {SHORTEST_SIDE} x {SHORTEST_SIDE} or more")
    if long > LONGEST_SIDE or short > SHORT_OF_LONGEST:
        raise MediaError(f"{size}; Marengo takes {LONGEST_SIDE} x {SHORT_OF_LONGEST} or less")
    if long > WIDEST * short:
        raise MediaError(f"{size}; Marengo takes no side longer than {WIDEST:g} times the other")
    seconds = f"the video is {info.duration_ms / 1000:.1f} s long"
    if info.duration_ms < SHORTEST_SECONDS * 1000:
        raise MediaError(f"{seconds}; Marengo takes {SHORTEST_SECONDS:g} s or more")
    if longest is not None and info.duration_ms > longest * 1000:
        raise MediaError(f"{seconds}; Marengo takes {longest:g} s of a query", hint="cut a piece out of it")


def _not_from(name: str, value: float, allowed: range) -> ConfigurationError:
    return ConfigurationError(
        f"recipe.{name} is {value:g}; Marengo takes whole seconds from {allowed.start} to {allowed.stop - 1}"
    )
