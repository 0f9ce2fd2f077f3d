"""Manifests: the commit marks of videos, kept beside the files.

A video is in the collection when its manifest is written, and that happens when every record it names can be
found. Manifests lie in the object store under `manifests/<collection uid>/<video_id>.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from math import isfinite
from types import NoneType
from typing import Any

from .errors import IntegrityError, NotFoundError
from .generated import Generated
from .objects import ObjectStore
from .records import Text

Broken = Callable[[str, IntegrityError], None]
"""Hears of the id of a video whose manifest can't be read, and why."""

ID_LENGTH = 64
"""Characters of a video's id: a sha256 in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a collection knows of one video.

    Args:
        video_id: Hexadecimal sha256 of the file.
        uri: Where the file is now.
        space: `Space.key` of its vectors.
        recipe: `Recipe.key` of its records.
        text_hash: Digest of its title, tags, captions.
        fields_hash: Digest of its fields.
        records: Ids of its records; any other record of this video is a leftover.
        clips: Keys of the clip files that belong to it.
        text: Title, tags and caption of the whole video.
        fields: Declared fields and extra values, as JSON has them.
        duration: Seconds.
        width: Pixels of the upright picture.
        height: Pixels of the upright picture.
        damage: What of the file couldn't be read.
        ingested: When it was written, ISO 8601.
        generated: What a model said of it (`polyreel enrich`); None where none was asked.
    """

    video_id: str
    uri: str
    space: str
    recipe: str
    text_hash: str
    fields_hash: str
    records: tuple[str, ...]
    clips: tuple[str, ...] = ()
    text: Text = field(default_factory=Text)
    fields: Mapping[str, object] = field(default_factory=dict)
    duration: float = 0.0
    width: int = 0
    height: int = 0
    damage: str | None = None
    ingested: str = ""
    format: int = 1
    generated: Generated | None = None

    @property
    def title(self) -> str:
        """The title, or the last part of the address."""
        return self.text.title or self.uri.rpartition("/")[2]

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        said = {"generated": self.generated.to_json() if self.generated else None}
        return {**asdict(self), "text": self.text.to_json(), **said}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Manifest:
        """The opposite of `to_json`; parts that a later version added are left out.

        Raises:
            KeyError: A part is missing.
            TypeError: A part is of another type.
            ValueError: A part can't have this value.
        """
        known = [part for part in fields(cls) if part.name in value or _is_needed(part)]
        parts = {part.name: value[part.name] for part in known}
        _check_types(parts)
        text, records, clips = parts.get("text"), parts["records"], parts.get("clips", [])
        parts["text"] = Text.from_json(text) if isinstance(text, Mapping) else Text()
        parts |= {"records": tuple(records), "clips": tuple(clips)}  # type: ignore[arg-type]
        said = parts.get("generated")
        parts["generated"] = Generated.from_json(said) if isinstance(said, Mapping) else None
        return cls(**parts)  # type: ignore[arg-type]


class Manifests:
    """The manifests of one collection."""

    def __init__(self, objects: ObjectStore, collection_uid: str) -> None:
        self._objects = objects
        self._prefix = f"manifests/{collection_uid}/"

    def get(self, video_id: str) -> Manifest | None:
        """The manifest of a video; None where it isn't in the collection."""
        try:
            return _read(self._objects.read(self._key(video_id)), video_id)
        except NotFoundError:
            return None

    def has(self, video_id: str) -> bool:
        """Whether a video is in the collection, by the cheapest look."""
        return self._objects.exists(self._key(video_id))

    def put(self, manifest: Manifest) -> None:
        """Commit a video."""
        body = json.dumps(manifest.to_json(), ensure_ascii=False, indent=1).encode()
        self._objects.put(self._key(manifest.video_id), body, content_type="application/json")

    def delete(self, video_id: str) -> None:
        """Take the mark away; a missing one is fine."""
        self._objects.delete(self._key(video_id))

    def ids(self, start: str = "") -> Iterator[str]:
        """The ids of all videos whose id starts like this."""
        for info in self._objects.list(self._prefix + start):
            if info.key.endswith(".json"):
                yield info.key.rpartition("/")[2].removesuffix(".json")

    def __iter__(self) -> Iterator[Manifest]:
        """Every manifest, by video id.

        Raises:
            IntegrityError: One can't be read.
        """
        return self.readable(_refuse)

    def readable(self, broken: Broken) -> Iterator[Manifest]:
        """Every manifest that can be read, by video id; `broken` hears of the others."""
        for video_id in self.ids():
            try:
                manifest = self.get(video_id)
            except IntegrityError as error:
                broken(video_id, error)
                continue
            if manifest is not None:  # deleted meanwhile
                yield manifest

    def elsewhere(self, video_ids: Collection[str]) -> Iterator[Manifest]:
        """The manifests of these videos in other collections of this object store."""
        for info in self._objects.list("manifests/"):
            video_id = info.key.rpartition("/")[2].removesuffix(".json")
            if video_id in video_ids and not info.key.startswith(self._prefix):
                yield _read(self._objects.read(info.key), video_id)

    def _key(self, video_id: str) -> str:
        return f"{self._prefix}{video_id}.json"


def _refuse(_: str, error: IntegrityError) -> None:
    raise error


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "records": (list, tuple),
    "clips": (list, tuple),
    "text": dict,
    "fields": dict,
    "duration": (int, float),
    "width": int,
    "height": int,
    "damage": (str, NoneType),
    "format": int,
    "generated": (dict, NoneType),
}
"""Of the parts that aren't texts."""


def _is_needed(part: Field[object]) -> bool:
    return part.default is MISSING and part.default_factory is MISSING


def _check_types(parts: Mapping[str, Any]) -> None:
    texts = [*parts["records"], *parts.get("clips", ())]
    if not all(isinstance(each, str) for each in texts):
        raise TypeError("records and clips are texts")
    for name, part in parts.items():
        if not isinstance(part, _TYPES.get(name, str)) or isinstance(part, bool):
            raise TypeError(f"{name} is of another type")
    if not isfinite(parts.get("duration", 0.0)):
        raise ValueError("no video lasts so long")


def _read(body: bytes, video_id: str) -> Manifest:
    try:
        return _parsed(body, video_id)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise IntegrityError(
            f"the manifest of video {video_id} can't be read: {_why(error)}",
            hint="ingest the video again, which writes it anew, or delete it from the collection",
        ) from error


def _parsed(body: bytes, video_id: str) -> Manifest:
    manifest = Manifest.from_json(json.loads(body))
    if manifest.video_id != video_id:
        raise ValueError("it is that of another video")
    return manifest


def _why(error: Exception) -> str:
    match error:
        case json.JSONDecodeError() | UnicodeDecodeError() | RecursionError():
            return "it is no JSON"
        case KeyError():
            return f"it has no {error.args[0]}"
        case _:
            return "a part of it isn't what polyreel writes there"
