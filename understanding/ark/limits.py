"""What Ark takes, as data. None of it was tried on the service.

Sources: Ark, "video understanding" (ways, sizes, types, frames a second) and document 1885708 (files).
"""

from __future__ import annotations

from enum import StrEnum

from ...core.embedder import HandOver
from ...core.questions import Way

MODEL = "doubao-seed-1-6-251015"
FPS = (0.2, 5.0)
MAX_FILE = 512 << 20  # bytes, by the Files API
MAX_VIDEO = 50 << 20  # bytes, by address or as base64
MAX_IMAGE = 10 << 20  # bytes; what Ark's embedding takes, since nothing is said of these models
MAX_INLINE = 46 << 20  # bytes in one request, which as base64 must fit into 64 MB beside the rest
KEPT_DAYS = (1.0, 30.0)
"""How long a file can be kept."""

_VIDEOS = frozenset({"video/mp4", "video/avi", "video/quicktime"})
_ADDRESSED = frozenset({"video/mp4", "video/quicktime"})
"""Of an address, the server tells the type, and for AVI hardly any says the documented one."""
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


class Api(StrEnum):
    """Which of Ark's interfaces is asked."""

    RESPONSES = "responses"
    CHAT = "chat"


class Handing(StrEnum):
    """How videos reach Ark."""

    AUTO = "auto"
    FILE = "file"
    URL = "url"
    BASE64 = "base64"


def video_ways(api: Api, handing: Handing) -> dict[Way, HandOver]:
    """The ways of a video, with their limits; an uploaded file is known to the Responses API only."""
    insists = handing is Handing.URL
    ways = {
        Way.BASE64: HandOver(frozenset({"file"}), max_bytes=min(MAX_VIDEO, MAX_INLINE), types=_VIDEOS),
        Way.URL: HandOver(
            frozenset({"https"}), max_bytes=MAX_VIDEO, types=_ADDRESSED, public_only=not insists
        ),
        Way.FILE: HandOver(frozenset({"file"}), max_bytes=MAX_FILE, types=_VIDEOS),
    }
    if api is Api.CHAT:
        del ways[Way.FILE]
    return (
        ways
        if handing is Handing.AUTO
        else {way: hand for way, hand in ways.items() if way.value == handing.value}
    )


def image_ways() -> dict[Way, HandOver]:
    """The ways of a picture."""
    return {Way.BASE64: HandOver(frozenset({"file"}), max_bytes=MAX_IMAGE, types=_IMAGES)}
