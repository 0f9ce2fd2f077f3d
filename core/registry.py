"""Adapters by kind. Built-in ones and strangers' register in the same way, by entry points.

[project.entry-points."polyreel.stores"]
mystore = "my_package.store:MyStore"
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from .errors import ConfigurationError

GROUPS = {
    "store": "polyreel.stores",
    "embedder": "polyreel.embedders",
    "objects": "polyreel.objects",
    "reranker": "polyreel.rerankers",
    "understanding": "polyreel.understanding",
}
"""The entry point group of each role of a stack."""

EXTRAS = {
    "scenedetect": "shots",
    "fastembed": "clip",
    "huggingface_hub": "clip",
    "onnxruntime": "clip",
    "qdrant_client": "qdrant",
    "pymilvus": "milvus",
    "milvus_lite": "milvus",
    "twelvelabs": "twelvelabs",
    "volcengine": "volcengine",
    "volcenginesdkarkruntime": "ark",
    "tos": "tos",
    "boto3": "s3",
    "pyarrow": "bundle",
    "h5py": "bench",
    "sklearn": "explore",
    "threadpoolctl": "explore",
}
"""Which extra of polyreel brings a package."""


@cache  # each look reads the metadata of every installed package; one installed later needs another process
def kinds(role: str) -> Mapping[str, EntryPoint]:
    """The registered adapters of a role, such as `store` or `embedder`, by kind."""
    return MappingProxyType({entry.name: entry for entry in sorted(entry_points(group=GROUPS[role]))})


def load(role: str, kind: str) -> Any:
    """The class, or the function that makes the instance, of a kind.

    Raises:
        ConfigurationError: There is no such kind, or its package isn't installed.
    """
    known = kinds(role)
    if kind not in known:
        raise ConfigurationError(f"there is no {role} of kind {kind!r}", hint=nearest(kind, known))
    try:
        return known[kind].load()
    except ModuleNotFoundError as error:
        raise missing(error, f"the {role} {kind!r}") from error


def missing(error: ModuleNotFoundError, what: str) -> Exception:
    """What to install for an import that failed; the error itself when it is none of our extras."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return error
    return ConfigurationError(
        f"{what} needs the package {error.name!r}, which is not installed",
        hint=f'pip install "polyreel[{extra}]"',
    )


def nearest(name: str, known: object) -> str:
    """A hint that names the nearest known name, or all of them."""
    names = sorted(map(str, known))  # type: ignore[call-overload]
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names) or 'none'}"
