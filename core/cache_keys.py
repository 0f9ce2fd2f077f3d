"""Keys of the caches: digests of all that decides what an embedder makes of parts, or answers a query."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from .digests import sha256_of
from .filter_json import to_json
from .filters import Filter
from .media import Media, Modality
from .records import Hit

if TYPE_CHECKING:
    from .embedder import Embedder
    from .query import Query


def parts_key(embedder: Embedder, parts: Sequence[Media]) -> bytes | None:
    """The key of what an embedder makes of parts; None where their content isn't known, as of an address."""
    contents = [_content(part) for part in parts]
    if None in contents:
        return None
    return _digest([embedder.space.to_json(), dict(embedder.query_settings), contents])


def query_key(query: Query, seen: Sequence[Hit]) -> bytes | None:
    """The key of a query's answer; None where the content of a part isn't known."""
    contents = [_content(part.media) for part in query.parts() if part.media]
    if None in contents:
        return None
    asked = {each.name: _plain(getattr(query, each.name)) for each in fields(query)}
    return _digest([asked, contents, sorted((hit.id, *hit.span_ms) for hit in seen)])


def _content(part: Media) -> list[object] | None:
    """What a medium is, wherever it lies; None where only an address is known."""
    if part.modality is Modality.TEXT:
        return [part.modality.value, part.text]
    if part.path is None or not part.path.is_file():
        return None
    return [part.modality.value, sha256_of(part.path), part.start_ms, part.end_ms, part.fps]


def _plain(value: object) -> object:
    """A value of a query as JSON has it; of what JSON hasn't, an exact text."""
    if isinstance(value, Filter):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(_plain(getattr(value, each.name)) for each in fields(value))]
    listed = getattr(value, "tolist", None)  # an array
    if listed is not None:
        return listed()
    return [*map(_plain, value)] if isinstance(value, Sequence | frozenset | set) else repr(value)


def _digest(value: object) -> bytes:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).digest()
