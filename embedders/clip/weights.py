"""The weights of a model: which there are, where they lie, how they come here, and what tells them apart."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fastembed import ImageEmbedding, TextEmbedding
from httpx import HTTPError
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import tqdm

from ...core.errors import ConfigurationError, UnavailableError
from ...core.logs import redacted
from ...core.registry import nearest
from ...core.space import digest

_LOG = logging.getLogger(__name__)
_GUIDE = "docs/clip.md says how it is laid out"

PAIRS: Mapping[str, tuple[str, str]] = {
    "clip-vit-b-32": ("Qdrant/clip-ViT-B-32-text", "Qdrant/clip-ViT-B-32-vision"),
    "jina-clip-v1": ("jinaai/jina-clip-v1", "jinaai/jina-clip-v1"),
    "siglip2-base-patch16-224": ("google/siglip2-base-patch16-224", "google/siglip2-base-patch16-224"),
}
"""Our name of a model, and fastembed's names of its text tower and its vision tower."""

_TEXT_FILES = ("tokenizer.json", "tokenizer_config.json")
_VISION_FILES = ("preprocessor_config.json",)
_TEXT_EXTRAS = ("special_tokens_map.json", "config.json")  # read where they are there


@dataclass(frozen=True, slots=True)
class Tower:
    """One of the two networks of a model.

    Args:
        name: `text` or `vision`.
        model: Its name in fastembed, which knows how it is fed.
        repository: Where it lies on the Hugging Face hub.
        files: Those that must be there, the network first.
        extras: Those that are used where they are there.
    """

    name: str
    model: str
    repository: str
    files: tuple[str, ...]
    extras: tuple[str, ...] = ()

    def missing(self, folder: Path) -> list[str]:
        """The files that a folder lacks."""
        return [name for name in self.files if not (folder / name).is_file()]


@dataclass(frozen=True)
class Weights:
    """Both towers and the folders in which they lie, checked."""

    text: Tower
    vision: Tower
    text_folder: Path
    vision_folder: Path

    @cached_property
    def version(self) -> str:
        """A digest of the content of every file that has a say in a vector.

        The names in the hub's cache would be cheaper, but are no digests to rely on: some versions of its
        client name a file by its SHA-256, others by another hash.
        """
        towers = ((self.text, self.text_folder), (self.vision, self.vision_folder))
        return digest({tower.name: _digests(tower, folder) for tower, folder in towers})


def pair(model: str) -> tuple[Tower, Tower]:
    """The text tower and the vision tower of a model.

    Raises:
        ConfigurationError: There is no such model.
    """
    if model not in PAIRS:
        raise ConfigurationError(f"clip has no model {model!r}", hint=nearest(model, PAIRS))
    text, vision = PAIRS[model]
    return (
        _tower("text", text, TextEmbedding.list_supported_models(), _TEXT_FILES, _TEXT_EXTRAS),
        _tower("vision", vision, ImageEmbedding.list_supported_models(), _VISION_FILES),
    )


def in_folder(model: str, folder: Path) -> Weights:
    """The weights of a model in a folder of the user's own; nothing is fetched.

    Raises:
        ConfigurationError: The folder isn't there, lacks a file, or a file of settings is no JSON.
    """
    text, vision = pair(model)
    if not folder.is_dir():
        raise ConfigurationError(f"model_path {folder} is no folder", hint=_GUIDE)
    return Weights(text, vision, _checked(text, folder), _checked(vision, folder))


def in_cache(model: str, cache: Path | None = None) -> Weights:
    """The weights of a model in the cache of the hub's client, fetched if they aren't there.

    Args:
        model: A key of `PAIRS`.
        cache: The cache's folder; None is the client's own (`HF_HOME` moves it).

    Raises:
        UnavailableError: They aren't there and can't be fetched.
    """
    towers = pair(model)
    cache = cache or Path(constants.HF_HUB_CACHE)
    found = {tower.name: _cached(tower, cache) for tower in towers}
    lacking = [tower for tower in towers if found[tower.name] is None]
    if lacking:
        found |= _fetched(model, lacking, cache)
    text, vision = (found[tower.name] for tower in towers)
    assert text is not None
    assert vision is not None
    return Weights(*towers, text, vision)


# -- a folder ------------------------------------------------------------------------------------------------


def _checked(tower: Tower, folder: Path) -> Path:
    """The tower's own sub-folder, or the folder itself where both towers lie in one."""
    own = folder / tower.name
    place = own if own.is_dir() else folder
    if missing := tower.missing(place):
        raise ConfigurationError(
            f"{place} lacks {', '.join(missing)} of the {tower.name} tower {tower.model}",
            hint=f"copy the repository {tower.repository} to {own}; {_GUIDE}",
        )
    for name in (*tower.files, *tower.extras):
        file = place / name
        if file.suffix == ".json" and file.is_file():
            _check_json(file)
    return place


def _check_json(file: Path) -> None:
    try:
        value = json.loads(file.read_bytes())
    except ValueError as error:
        raise ConfigurationError(f"{file} can't be read: {error}", hint="copy it again") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{file} can't be read: it is no JSON object", hint="copy it again")


# -- the hub -------------------------------------------------------------------------------------------------


def _cached(tower: Tower, cache: Path) -> Path | None:
    """The tower's folder in the cache, if it is whole."""
    try:
        folder = Path(_snapshot(tower, cache, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return None if tower.missing(folder) else folder


def _fetched(model: str, towers: Sequence[Tower], cache: Path) -> dict[str, Path | None]:
    """The folders of towers that the cache lacks; says what is fetched before it begins."""
    names = " and ".join(dict.fromkeys(tower.repository for tower in towers))
    try:
        planned = {
            (tower.repository, file.filename): file.file_size or 0
            for tower in towers
            for file in _snapshot(tower, cache, dry_run=True)
            if file.will_download
        }
        _LOG.warning(
            "fetching the weights of %s (%d MB) from %s on the Hugging Face hub into %s; "
            "to do without, set model_path to a folder that holds them",
            model,
            math.ceil(sum(planned.values()) / 1e6),
            names,
            cache,
        )
        return {tower.name: Path(_snapshot(tower, cache)) for tower in towers}
    except (OSError, HTTPError) as error:
        raise UnavailableError(
            f"the weights of {model} are not in {cache}, and {names} can't be fetched: {_reason(error)}",
            hint=f"connect this machine once, or set model_path to a folder that holds them: {_GUIDE}",
        ) from error


def _snapshot(tower: Tower, cache: Path, *, local_files_only: bool = False, dry_run: bool = False) -> Any:
    """One call of the hub's client, which resumes what was interrupted and shows a bar on a terminal."""
    return snapshot_download(
        tower.repository,
        cache_dir=cache,
        allow_patterns=[*tower.files, *tower.extras],
        local_files_only=local_files_only,
        dry_run=dry_run,
        tqdm_class=_NoBar if dry_run else _Bar,
    )


class _Bar(tqdm):
    """The client's bar, on a terminal only: some of its bars are drawn into files too."""

    hidden = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        shown = not self.hidden and sys.stderr.isatty()
        super().__init__(*args, **(kwargs | {"disable": not shown}))  # type: ignore[no-untyped-call]


class _NoBar(_Bar):
    """None, where nothing is fetched."""

    hidden = True


def _reason(error: BaseException) -> str:
    """The first line of what the client says, or of why it says so."""
    said = str(error.__cause__ or error).strip()
    return redacted(said.splitlines()[0]) if said else type(error).__name__


# -- inside --------------------------------------------------------------------------------------------------


def _tower(
    name: str,
    model: str,
    known: Sequence[Mapping[str, Any]],
    files: tuple[str, ...],
    extras: tuple[str, ...] = (),
) -> Tower:
    """A tower as fastembed's list describes it."""
    (described,) = (each for each in known if each["model"] == model)
    network = (described["model_file"], *described["additional_files"])
    return Tower(name, model, described["sources"]["hf"], (*network, *files), extras)


def _digests(tower: Tower, folder: Path) -> dict[str, str]:
    """Of the files of a tower, and of weights beside its network (`model.onnx_data`)."""
    named = [folder / name for name in (*tower.files, *tower.extras)]
    beside = named[0].parent.glob(f"{named[0].name}?*")
    files = [file for file in (*named, *sorted(beside)) if file.is_file()]
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
