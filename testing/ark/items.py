"""The items of a call's `input`, checked, and the media behind them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ..vikingdb.media import Part, fetched, no_objects
from ..vikingdb.refusal import Refusal as Unseen

_MOST = {"image": 10 << 20, "video": 50 << 20}  # bytes
_TYPES = {
    "image": ("image/jpeg", "image/png", "image/gif", "image/webp"),
    "video": ("video/mp4", "video/avi", "video/mov"),
}
_VIDEO_KEYS: Mapping[str, tuple[float, float]] = {
    "fps": (0.2, 5),
    "max_video_tokens": (10_240, 204_800),
    "min_frame_tokens": (16, 128),
    "max_frame_tokens": (128, 640),
    "min_frames": (5, 16),
}


class Refusal(Exception):  # noqa: N818 - an answer of the service, no failure of ours
    """An answer that isn't a success.

    Args:
        status: Of HTTP.
        code: The service's.
        message: For a person.
        param: Of the body.
        retry_after: Seconds in the header `Retry-After`.
    """

    def __init__(
        self, status: int, code: str, message: str, *, param: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after


def invalid(message: str, param: str) -> Refusal:
    """A wrong parameter."""
    return Refusal(400, "InvalidParameter", message, param=param)


def parts(given: Any, *, frames: bool) -> list[Part]:
    """What the items show.

    Args:
        given: `input`.
        frames: Whether a video may say its frames a second.
    """
    if not isinstance(given, list) or not given:
        raise invalid("input is a list of items", "input")
    return [_part(one, frames) for one in given]


def _part(one: Any, frames: bool) -> Part:  # noqa: FBT001 - as `parts` is told it
    match one:
        case {"type": "text", "text": str(text), **rest} if not rest and text:
            return Part("text", text=text)
        case {"type": "image_url", "image_url": {"url": str(url), **more}, **rest} if not rest and not more:
            return Part("image", data=seen("image", url))
        case {"type": "video_url", "video_url": {"url": str(url), **more}, **rest} if not rest:
            return Part("video", data=seen("video", url), fps=_rate(more, frames))
    raise invalid("an item is a text, an image_url or a video_url, and nothing else", "input")


def _rate(more: Mapping[Any, Any], frames: bool) -> float:  # noqa: FBT001 - as `parts` is told it
    """The frames a second, once all that is said of the video was checked."""
    said = {name: value for name, value in more.items() if value is not None}
    for name, value in said.items():
        least, most = _VIDEO_KEYS.get(name, (1, 0))
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value <= most or not frames:
            raise invalid(f"{name} is unknown, out of range, or not for this model", "input")
    return float(said.get("fps", 1.0))


def seen(modality: str, url: str) -> bytes:
    """The bytes behind an address, or those that it holds.

    Raises:
        Refusal: They can't be had, are too many, or of another type.
    """
    if url.startswith("data:"):
        kind, _, rest = url.removeprefix("data:").partition(";base64,")
        if kind not in _TYPES[modality]:
            raise invalid(f"{kind[:40]!r} is no type of a {modality}", "input")
        try:
            data = base64.b64decode(rest, validate=True)
        except binascii.Error as error:
            raise invalid("this is no base64", "input") from error
    elif url.startswith(("http://", "https://")):
        try:
            data = fetched(url, no_objects)
        except Unseen as error:
            raise Refusal(400, f"Invalid{modality.title()}URL.Fetch", error.message, param="input") from error
    else:
        raise invalid("an address begins with http or data", "input")
    if len(data) > _MOST[modality]:
        raise invalid(f"the {modality} is too large", "input")
    return data
