"""The forms of VikingDB as data, and what an opened one can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.capabilities import Capabilities, Feature, Form
from ...core.media import Modality
from ...core.space import CollectionSpec
from .limits import (
    MAX_FPS,
    MAX_IDS,
    MAX_LIMIT,
    MAX_ROWS,
    MAX_VECTORIZED_ROWS,
    MAX_VIDEO,
    MIN_FPS,
    VIDEO_ENDINGS,
)
from .options import TOLERANCE, IndexOptions, IndexType, Quant, Vectorize
from .rows import SCHEMES
from .wire import VERSION

_FEATURES = frozenset({Feature.NEAR_RECORD, Feature.ADD_FIELD, Feature.DURABLE, Feature.SHARED})
VECTORS = Form(
    name="service, vectors given",
    configure="`access_key`, with an embedder",
    features=_FEATURES,
    tried="an emulator of ours, never the service",
    notes="Numbers with a fraction are compared as float32. Writes are found after about 20 s.",
)
MEDIA = Form(
    name="service, vectorizes media",
    configure="`access_key`, without an embedder",
    features=_FEATURES,
    tried="an emulator of ours, never the service",
    notes="One video a second for an account; the service fetches `tos://` and https addresses.",
)


def capabilities(
    spec: CollectionSpec, vectorize: Vectorize, index: IndexOptions, built: Mapping[str, Any], *, keyed: bool
) -> Capabilities:
    """What an opened collection can do.

    Args:
        spec: Of the collection.
        vectorize: The model that vectorizes, where it is handed media.
        index: As it would be made.
        built: As the service says that it is; empty where it doesn't.
        keyed: Whether an API key alone opened it, which adds no columns.
    """
    quant = built.get("Quant", index.quant.value)
    exact = built.get("IndexType", index.type.value) == IndexType.FLAT and quant == Quant.FLOAT
    form = MEDIA if spec.media else VECTORS
    lacking = frozenset({Feature.ADD_FIELD}) if keyed else frozenset()
    return Capabilities(
        form.name,
        form.features - lacking | ({Feature.EXACT} if exact else set()),
        version=f"API V2, {VERSION}",
        tolerance=TOLERANCE.get(quant, max(TOLERANCE.values())),
        max_batch=MAX_VECTORIZED_ROWS if spec.media else MAX_ROWS,
        max_ids=MAX_IDS,
        max_limit=MAX_LIMIT,
        vectorizes=vectorize.known.modalities if spec.media else frozenset(),
        joint=bool(spec.media),
        schemes=SCHEMES if spec.media else frozenset(),
        max_video_bytes=MAX_VIDEO,
        video_endings=VIDEO_ENDINGS,
        video_fps=(MIN_FPS, MAX_FPS),
        proxies=Modality.VIDEO in spec.media,
    )
