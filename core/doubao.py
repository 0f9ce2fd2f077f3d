"""Instructions of the Doubao models, which VikingDB and Ark put round texts in the same way.

Vectors that were made with another instruction can't be compared, so there is one place for the words. They
are those of the vendor's list of models (VikingDB, document 1791154); none was tried on the service.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .media import Modality

QUESTION = "根据这个问题，找到能回答这个问题的相应文本或图片："
"""Before the text of a query, up to `doubao-embedding-vision` 250615."""

QUESTION_251215 = "Target_modality: {}.\nInstruction:根据这个问题，找到能回答这个问题的相应文本或图片\nQuery:"
"""For a query of 251215; `{}` stands for what is searched."""

COMPRESS_251215 = "Instruction:Compress the {} into one word.\nQuery:"
"""For what is stored by 251215; `{}` stands for what it is."""

_ORDER = (Modality.TEXT, Modality.IMAGE, Modality.VIDEO)


def named(modalities: Iterable[Modality]) -> str:
    """Modalities as an instruction names them, such as `text and video`."""
    given = set(modalities)
    return " and ".join(one.value for one in _ORDER if one in given)


def templates(query: str, document: str, content: Collection[Modality]) -> dict[str, str]:
    """The instructions for records of these modalities, as a `Space` has them: `query` and `document`."""
    made = {"query": query.format(named(content)), "document": document.format(named(content))}
    return {name: text for name, text in made.items() if text}
