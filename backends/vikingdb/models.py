"""The models that VikingDB vectorizes with, as data (doc 1791154, list of models; not tried)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...core import doubao
from ...core.errors import ConfigurationError
from ...core.media import Modality
from ...core.registry import nearest

_TEXT = frozenset({Modality.TEXT})
_PICTURES = frozenset({Modality.TEXT, Modality.IMAGE})
_ALL = frozenset({Modality.TEXT, Modality.IMAGE, Modality.VIDEO})
_SENTENCE = "为这个句子生成表示以用于检索相关文章："


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model.

    Args:
        name: As the service writes it.
        version: The same; empty where a model has none.
        modalities: What it vectorizes.
        dimensions: Lengths of its vectors, the usual one first.
        query: What is put before a query's text when an instruction is asked for; empty where the model has
            none. `{}` stands for the modalities of the collection.
        document: What is put before what is stored.
        sequences: Whether any series of media becomes one vector (`full_modal_seq`).
    """

    name: str
    version: str
    modalities: frozenset[Modality]
    dimensions: tuple[int, ...]
    query: str = ""
    document: str = ""
    sequences: bool = False

    @property
    def instructs(self) -> bool:
        """Whether a search must say if it wants the instruction (`need_instruction`)."""
        return bool(self.query)

    @property
    def prefixes(self) -> bool:
        """Whether the instruction is plain text before the query's text; later versions take it apart."""
        return "{}" not in self.query

    def templates(self, content: Collection[Modality]) -> dict[str, str]:
        """The instructions for a collection of these modalities, by `query` and `document`."""
        return doubao.templates(self.query, self.document, content)


MODELS = (
    Model("bge-large-zh", "", _TEXT, (1024,), _SENTENCE),
    Model("bge-m3", "", _TEXT, (1024,)),
    Model("bge-visualized-m3", "", _PICTURES, (1024,)),
    Model("doubao-embedding", "240715", _TEXT, (2048, 512, 1024), _SENTENCE),
    Model("doubao-embedding-large", "240915", _TEXT, (2048, 512, 1024, 4096), _SENTENCE),
    Model("doubao-embedding-vision", "250328", _PICTURES, (2048, 1024), doubao.QUESTION),
    Model("doubao-embedding-vision", "250615", _ALL, (2048, 1024), doubao.QUESTION, sequences=True),
    Model(
        "doubao-embedding-vision",
        "251215",
        _ALL,
        (2048, 1024),
        doubao.QUESTION_251215,
        doubao.COMPRESS_251215,
        sequences=True,
    ),
)
"""Every model that a collection may be made with."""


def find(name: str, version: str) -> Model:
    """The model of a name and version.

    Raises:
        ConfigurationError: There is none.
    """
    known = {(model.name, model.version): model for model in MODELS}
    if (name, version) not in known:
        names = sorted({f"{model.name} {model.version}".strip() for model in MODELS})
        raise ConfigurationError(
            f"there is no model {name!r} of version {version!r}", hint=nearest(f"{name} {version}", names)
        )
    return known[name, version]
