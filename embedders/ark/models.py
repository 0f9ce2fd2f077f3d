"""The models of Ark's multimodal embedding, as data. None was tried on the service.

Sources: the vendor's list of models (VikingDB, document 1791154) and, for what Ark takes, a third-party page.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...core import doubao
from ...core.errors import ConfigurationError
from ...core.registry import nearest

NAME = "doubao-embedding-vision"
MIN_FPS, MAX_FPS = 0.2, 5.0  # frames a second (VikingDB, document 1791154)
MAX_VIDEO = 50 << 20  # bytes
MAX_IMAGE = 10 << 20  # bytes
MAX_INLINE_VIDEO = 46 << 20  # bytes; as base64 it must fit into a request of 64 MB beside the rest


@dataclass(frozen=True, slots=True)
class Model:
    """One version of the model.

    Args:
        version: As the name at Ark ends.
        query: The instruction for a query.
        document: For what is stored.
        instructs: Whether an instruction is a parameter of the call; older versions have it before the text.
        dimensions: Lengths of its vectors, the usual one first.
    """

    version: str
    query: str
    document: str = ""
    instructs: bool = False
    dimensions: tuple[int, ...] = (2048, 1024)


MODELS = {
    model.version: model
    for model in (
        Model("250615", doubao.QUESTION),
        Model("251215", doubao.QUESTION_251215, doubao.COMPRESS_251215, instructs=True),
    )
}
"""Versions that see text, images and video."""


def find(version: str) -> Model:
    """A version.

    Raises:
        ConfigurationError: There is none.
    """
    if version not in MODELS:
        raise ConfigurationError(f"there is no {NAME} of version {version!r}", hint=nearest(version, MODELS))
    return MODELS[version]
