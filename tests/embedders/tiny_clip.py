"""A pair of towers, as small as they can be and still mean something: colours, and colour words.

Files and layout are those of the real repositories, so the genuine loading code runs over them. Both towers
measure how much of each colour there is, and turn that into the same space: a text is the sum of its colour
words, a picture the mean over its pixels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

DIMENSION = 16
MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's own
STD = (0.26862954, 0.26130258, 0.27577711)

_COLOURS = {  # weights of red, green and blue from 0 to 1, and what is taken off
    "red": (1, -0.5, -0.5, -0.1),
    "green": (-0.5, 1, -0.5, -0.1),
    "blue": (-0.5, -0.5, 1, -0.1),
    "yellow": (0.5, 0.5, -1, -0.1),
    "white": (1 / 3, 1 / 3, 1 / 3, -0.7),
    "black": (-1 / 3, -1 / 3, -1 / 3, 0.3),
}
_ANYTHING = 0.02  # in every vector, so that none is zero
_START, _END, _UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unk|>"
_OTHER_WORDS = ("a", "photo", "of", "ball", "the")


def build(
    folder: Path, *, seed: int = 1, dimension: int = DIMENSION, vision_dimension: int | None = None
) -> Path:
    """The layout of two repositories: `text/` and `vision/`, as of `clip-vit-b-32`.

    Args:
        folder: Made when missing.
        seed: Other weights for another seed.
        dimension: Of the text tower's vectors.
        vision_dimension: Of the vision tower's; the same where None.
    """
    _text_files(folder / "text")
    _save(_text_graph(_turned(seed, dimension), "text_embeds"), folder / "text" / "model.onnx")
    _preprocessor(
        folder / "vision",
        image_processor_type="CLIPImageProcessor",
        size={"shortest_edge": 224},
        do_center_crop=True,
        crop_size={"height": 224, "width": 224},
    )
    graph = _vision_graph(_turned(seed, vision_dimension or dimension), "image_embeds")
    _save(graph, folder / "vision" / "model.onnx")
    return folder


def build_in_one(folder: Path) -> Path:
    """The layout of one repository with both towers, as of `siglip2-base-patch16-224`.

    Its towers give more than the vector, and its pictures are squeezed instead of cropped.
    """
    _text_files(folder)
    _preprocessor(folder, image_processor_type="SiglipImageProcessor", size={"height": 224, "width": 224})
    turned = _turned(1, DIMENSION)
    _save(_text_graph(turned, "pooler_output", "last_hidden_state"), folder / "onnx" / "text_model.onnx")
    _save(_vision_graph(turned, "pooler_output", "last_hidden_state"), folder / "onnx" / "vision_model.onnx")
    return folder


# -- files ---------------------------------------------------------------------------------------------------


def _text_files(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(_vocabulary())}, _UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}", special_tokens=[(_START, 0), (_END, 1)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder / "tokenizer_config.json", {"model_max_length": 77, "pad_token": _END})
    _write(folder / "special_tokens_map.json", {"bos_token": _START, "eos_token": _END, "pad_token": _END})
    _write(folder / "config.json", {"model_type": "clip_text_model"})


def _preprocessor(folder: Path, **settings: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shared = {"do_resize": True, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255}
    normalize = {"do_normalize": True, "image_mean": MEAN, "image_std": STD}
    _write(folder / "preprocessor_config.json", shared | normalize | settings)


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value))


# -- networks ------------------------------------------------------------------------------------------------


def _vocabulary() -> list[str]:
    return [_START, _END, _UNKNOWN, *_COLOURS, *_OTHER_WORDS]


def _turned(seed: int, dimension: int) -> Array:
    """A turn of the colours, and of what is in every vector, into a space in which no axis is a colour."""
    noise = np.random.default_rng(seed).normal(size=(dimension, len(_COLOURS) + 1))
    return np.linalg.qr(noise)[0].T.astype(np.float32)


def _text_graph(turned: Array, vector: str, hidden: str | None = None) -> onnx.GraphProto:
    """Looks up every token, adds up, turns; only a tower with one output asks which tokens are padding."""
    table = np.zeros((len(_vocabulary()), len(turned)), np.float32)
    for at, colour in enumerate(_COLOURS):
        table[_vocabulary().index(colour), at] = 1
    table[_vocabulary().index(_START), -1] = _ANYTHING
    lookup = helper.make_node("Gather", ["table", "input_ids"], [hidden or "tokens"])
    mask = [
        helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["mask"]),
        helper.make_node("Mul", ["tokens", "mask"], ["masked"]),
    ]
    total = [
        helper.make_node("ReduceSum", [hidden or "masked", "positions"], ["summed"], keepdims=0),
        helper.make_node("MatMul", ["summed", "turned"], [vector]),
    ]
    constants = {"table": table, "positions": np.array([1]), "turned": turned}
    ids, attention = (_tensor(name, TensorProto.INT64, 2) for name in ("input_ids", "attention_mask"))
    output = _tensor(vector, TensorProto.FLOAT, 2)
    if hidden:
        outputs = [_tensor(hidden, TensorProto.FLOAT, 3), output]
        return helper.make_graph([lookup, *total], "text", [ids], outputs, _constants(**constants))
    constants["last"] = np.array([2])
    nodes = [lookup, *mask, *total]
    return helper.make_graph(nodes, "text", [ids, attention], [output], _constants(**constants))


def _vision_graph(turned: Array, vector: str, hidden: str = "positive") -> onnx.GraphProto:
    """How much of each colour every pixel has, the mean of that, and the same turn."""
    weights = np.array(list(_COLOURS.values()), np.float32)
    of_pixels = weights[:, :3] * np.array(STD, np.float32)  # undoes what the preprocessing did
    offsets = weights[:, 3] + weights[:, :3] @ np.array(MEAN, np.float32)
    kernel = np.vstack([of_pixels, np.zeros((1, 3), np.float32)])[:, :, None, None]
    return helper.make_graph(
        [
            helper.make_node("Conv", ["pixel_values", "kernel", "offsets"], ["measured"]),
            helper.make_node("Relu", ["measured"], [hidden]),
            helper.make_node("GlobalAveragePool", [hidden], ["averaged"]),
            helper.make_node("Flatten", ["averaged"], ["colours"]),
            helper.make_node("MatMul", ["colours", "turned"], [vector]),
        ],
        "vision",
        [_tensor("pixel_values", TensorProto.FLOAT, 4)],
        [
            *([_tensor(hidden, TensorProto.FLOAT, 4)] if hidden != "positive" else []),
            _tensor(vector, TensorProto.FLOAT, 2),
        ],
        _constants(kernel=kernel, offsets=np.append(offsets, np.float32(_ANYTHING)), turned=turned),
    )


def _tensor(name: str, kind: int, rank: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [None] * rank)


def _constants(**values: NDArray[np.generic]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(value, name) for name, value in values.items()]


def _save(graph: onnx.GraphProto, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
