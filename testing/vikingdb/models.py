"""The models that the emulator plays, with their instructions (doc 1791154)."""

from __future__ import annotations

from dataclasses import dataclass

from .refusal import invalid, missing

_QUESTION = "根据这个问题，找到能回答这个问题的相应文本或图片："
_SENTENCE = "为这个句子生成表示以用于检索相关文章："


@dataclass(frozen=True, slots=True)
class PlayedModel:
    """A version of a model: what it sees, how long its vectors are, what it puts before a query's text."""

    key: str
    sees: frozenset[str]
    dims: frozenset[int]
    prefix: str = ""

    @property
    def instructs(self) -> bool:
        """Whether a search must say `need_instruction`."""
        return bool(self.prefix)


def _model(key: str, sees: str, dims: str, prefix: str = "") -> PlayedModel:
    return PlayedModel(key, frozenset(sees.split()), frozenset(map(int, dims.split())), prefix)


_MODELS = {
    ("bge-large-zh", ""): _model("bge-large-zh", "text", "1024", _SENTENCE),
    ("bge-m3", ""): _model("bge-m3", "text", "1024"),
    ("bge-visualized-m3", ""): _model("bge-visualized-m3", "text image", "1024"),
    ("doubao-embedding", "240715"): _model("doubao-embedding__240715", "text", "512 1024 2048", _SENTENCE),
    ("doubao-embedding-large", "240915"): _model(
        "doubao-embedding-large__240915", "text", "512 1024 2048 4096", _SENTENCE
    ),
    ("doubao-embedding-vision", "250328"): _model(
        "doubao-embedding-vision__250328", "text image", "1024 2048", _QUESTION
    ),
    ("doubao-embedding-vision", "250615"): _model(
        "doubao-embedding-vision__250615", "text image video", "1024 2048", _QUESTION
    ),
    ("doubao-embedding-vision", "251215"): _model(
        "doubao-embedding-vision__251215",
        "text image video",
        "1024 2048",
        "Target_modality: {}.\nInstruction:根据这个问题，找到能回答这个问题的相应文本或图片\nQuery:",
    ),
}


def played(name: str, version: str | None, dim: int | None) -> PlayedModel:
    """The model that a body names.

    Raises:
        Refusal: There is none, its version is missing, or it lacks the dimension.
    """
    if name.startswith("doubao") and version is None:
        raise missing("ModelVersion")
    model = _MODELS.get((name, version or ""))
    if model is None:
        raise invalid(f"there is no model {name} {version or ''}")
    if dim is not None and dim not in model.dims:
        raise invalid(f"{name} has no vectors of {dim}")
    return model
