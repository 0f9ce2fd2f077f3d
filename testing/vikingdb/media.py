"""Vectors of media: fetched as the service would, and embedded in the builtin embedder's picture space."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from ... import media
from ...core.errors import MediaError, PolyreelError
from ...embedders.builtin.blocks import Picture, query_vector, record_vector
from ...embedders.builtin.picture import describe_frame, picture_block, pool
from .refusal import invalid

if TYPE_CHECKING:
    from ...core.media import Image

_MOST = 50 << 20  # bytes of a video
_SIZE = 160  # pixels on the long side, as the builtin embedder has it
_HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Part:
    """A text, or the bytes of an image or a video with the frames a second at which it is sampled."""

    modality: str
    text: str = ""
    data: bytes = b""
    fps: float = 1.0


Vectorizer = Callable[[Sequence[Part], bool], list[float]]
"""One vector of several parts together; the flag says that they are a query and not a record."""

Resolve = Callable[[str], bytes]
"""The bytes of a `tos://` address; `KeyError` where there is nothing."""


def no_objects(address: str) -> bytes:
    """Nothing is stored anywhere."""
    raise KeyError(address)


def fetched(address: str, resolve: Resolve) -> bytes:
    """The bytes of a medium, from the test's own objects or from a web server of this machine.

    Raises:
        Refusal: It can't be fetched, or is too large.
    """
    try:
        data = resolve(address) if address.startswith("tos://") else _downloaded(address)
    except (KeyError, OSError, URLError) as error:
        raise invalid("the medium can't be fetched") from error
    if len(data) > _MOST:
        raise invalid("the medium is larger than 50 MB")
    return data


def picture_space(parts: Sequence[Part], query: bool) -> list[float]:  # noqa: FBT001 - one shape for all
    """A vector of pictures, and of the colours and moods that words name.

    Raises:
        Refusal: A medium can't be read.
    """
    text = "\n".join(part.text for part in parts if part.modality == "text")
    try:
        frames = [frame for part in parts if part.modality != "text" for frame in _frames(part)]
        if query:
            picture: Picture | None = pool([describe_frame(one) for one in frames]) if frames else None
            vector = query_vector(picture, text)
        else:
            vector = record_vector(picture_block(frames), text) if frames else query_vector(None, text)
    except (MediaError, PolyreelError) as error:
        raise invalid("the medium can't be read") from error
    if vector is None:
        raise invalid("there is no word in the text")
    return [float(value) for value in vector]


def _frames(part: Part) -> list[Image]:
    with tempfile.TemporaryDirectory(prefix="polyreel-") as folder:
        path = Path(folder) / "medium"
        path.write_bytes(part.data)
        if part.modality == "image":
            return [media.image(path, size=_SIZE)]
        with media.frames(path, fps=part.fps, size=_SIZE) as frames:
            return [frame.image for frame in frames]


def _downloaded(address: str) -> bytes:
    if urlsplit(address).hostname not in _HERE:
        raise invalid("the emulator fetches from this machine only")
    with urlopen(address, timeout=10) as answer:  # noqa: S310 - loopback, checked above
        return bytes(answer.read(_MOST + 1))
