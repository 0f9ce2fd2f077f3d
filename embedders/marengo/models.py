"""What each Marengo model takes and gives, as data.

Sources: the TwelveLabs API reference v1.3 and the docstrings of its SDK 1.3.6. Nobody has asked the service
itself: `docs/marengo.md` says which of this is unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...core.embedder import HandOver
from ...core.errors import ConfigurationError
from ...core.media import Modality
from ...core.records import Channel

_MB = 1_000_000
_SENT = frozenset({"file", "data", "https"})
_PICTURES = frozenset({"image/jpeg", "image/png"})


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Args:
        name: As the service calls it.
        dimensions: Lengths of vectors that can be asked for, the default first.
        options: The `embedding_option` of each channel, in the order of the service's default.
        queries: How the parts of a query may be handed over.
        whole_video: How the videos of tasks may be.
        inline: Bytes up to which a query's file travels inside the request, by modality.
        fuses: Whether it gives a vector of all options together.
        legacy: Whether it is served by version 1 of the API only.
        multi: Whether every query is a `multi_input`, and segmentation is wrapped in `temporal`.
        joins: Modalities that may stand beside each other in one query.
    """

    name: str
    dimensions: tuple[int, ...]
    options: Mapping[Channel, str]
    queries: Mapping[Modality, HandOver]
    whole_video: HandOver
    inline: Mapping[Modality, int]
    fuses: bool = False
    legacy: bool = False
    multi: bool = False
    joins: frozenset[Modality] = frozenset()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that it has vectors for."""
        return (*self.options, Channel.FUSED) if self.fuses else tuple(self.options)


SHORTEST_SIDE, LONGEST_SIDE, SHORT_OF_LONGEST = 360, 5184, 2160
"""Pixels of a video: from 360 x 360 to 5184 x 2160."""

WIDEST = 2.4
"""The long side of a video in short sides."""

SHORTEST_SECONDS = 4.0
"""Of a video or sound."""

RESULTS_LAST = 7 * 86_400.0
"""Seconds for which the service keeps a result."""

_MARENGO_30 = Model(
    "marengo3.0",
    dimensions=(512,),
    options={Channel.VISUAL: "visual", Channel.AUDIO: "audio", Channel.TRANSCRIPTION: "transcription"},
    queries={
        Modality.TEXT: HandOver(frozenset({"data"})),
        Modality.IMAGE: HandOver(_SENT, max_bytes=32 * _MB, types=_PICTURES),
        Modality.VIDEO: HandOver(_SENT, max_bytes=200 * _MB, max_seconds=600.0),
        Modality.AUDIO: HandOver(_SENT, max_bytes=200 * _MB, max_seconds=600.0),
    },
    whole_video=HandOver(frozenset({"https", "file"}), max_bytes=4_000 * _MB, max_seconds=4 * 3600.0),
    inline={Modality.IMAGE: 5 * _MB, Modality.VIDEO: 36 * _MB, Modality.AUDIO: 36 * _MB},
    fuses=True,
    joins=frozenset({Modality.TEXT, Modality.IMAGE}),
)

_MARENGO_35 = Model(
    "marengo3.5",
    dimensions=(512, 256, 128),
    options={Channel.VISUAL: "visual", Channel.AUDIO: "audio"},
    queries={
        Modality.TEXT: HandOver(frozenset({"data"})),
        Modality.IMAGE: HandOver(_SENT, max_bytes=32 * _MB, types=_PICTURES),
        Modality.VIDEO: HandOver(_SENT, max_bytes=32 * _MB, max_seconds=30.0),
        Modality.AUDIO: HandOver(_SENT, max_bytes=32 * _MB, max_seconds=30.0),
    },
    whole_video=HandOver(frozenset({"https", "file"}), max_bytes=4_000 * _MB, max_seconds=4 * 3600.0),
    inline={Modality.IMAGE: 5 * _MB, Modality.VIDEO: 32 * _MB, Modality.AUDIO: 32 * _MB},
    multi=True,
    joins=frozenset({Modality.TEXT, Modality.IMAGE, Modality.VIDEO, Modality.AUDIO}),
)

_MARENGO_27 = Model(
    "Marengo-retrieval-2.7",
    dimensions=(1024,),
    options={Channel.VISUAL: "visual-text", Channel.AUDIO: "audio"},
    queries={
        Modality.TEXT: HandOver(frozenset({"data"})),
        Modality.IMAGE: HandOver(_SENT, max_bytes=5 * _MB, types=_PICTURES),
        Modality.AUDIO: HandOver(_SENT, max_bytes=36 * _MB),
    },
    whole_video=HandOver(frozenset({"https", "file"}), max_bytes=2_000 * _MB, max_seconds=2 * 3600.0),
    inline={Modality.IMAGE: 5 * _MB, Modality.AUDIO: 36 * _MB},
    legacy=True,
)

MODELS: Mapping[str, Model] = {model.name: model for model in (_MARENGO_30, _MARENGO_35, _MARENGO_27)}
"""Every model by name; the first is the default."""


def model(name: str) -> Model:
    """The model of a name.

    Raises:
        ConfigurationError: There is none.
    """
    if name not in MODELS:
        raise ConfigurationError(f"there is no Marengo model {name!r}", hint=f"known are {', '.join(MODELS)}")
    return MODELS[name]
