"""Records as rows of a collection and back, and the columns that a collection has.

| column             | what it is                                                                            |
|--------------------|---------------------------------------------------------------------------------------|
| polyreel_id        | the key                                                                               |
| polyreel_vector    | the vector, where the collection is handed vectors                                    |
| polyreel_video, …  | the medium, where it vectorizes                                                       |
| polyreel_place     | 52 bits of a digest of the id, by which a scan goes through the collection            |
| polyreel_version   | another number after each write, by which `wait` sees that the index has caught up    |
| polyreel_origin    | the same in every row, by its default: the collection's id, and a digest of its space |
| polyreel_recipe    | the record's recipe                                                                   |
| polyreel_text      | title, tags, caption and transcript as JSON                                           |
| polyreel_extra     | JSON: what can't be filtered, and the floats that a `float32` doesn't hold exactly    |

The built-in columns, the declared ones and `present` have their own names. All have a default, so that a
column added later is never missing in an older row.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...core.errors import ConfigurationError, IntegrityError, InvalidQueryError, UnsupportedError
from ...core.fields import BUILT_IN, PRESENT, SPAN, FieldType, Schema, default_column, read_row, row
from ...core.media import Media, Modality
from ...core.records import Channel, Record, Scope, Text, Vector
from ...core.requests import Patch
from ...core.space import CollectionMeta, CollectionSpec, digest
from .control import Field
from .filters import float32
from .limits import MAX_FPS, MAX_ITEM, MAX_ITEMS, MAX_STRING, MIN_FPS

ID = "polyreel_id"
VECTOR = "polyreel_vector"
PLACE = "polyreel_place"
REVISION = "polyreel_version"
ORIGIN = "polyreel_origin"
RECIPE = "polyreel_recipe"
TEXT = "polyreel_text"
EXTRA = "polyreel_extra"
MEDIA: Mapping[Modality, str] = {
    Modality.TEXT: "polyreel_words",
    Modality.IMAGE: "polyreel_image",
    Modality.VIDEO: "polyreel_video",
}
"""The columns of what is vectorized."""

SCHEMES = frozenset({"tos", "https", "http"})
"""Addresses that the service fetches by itself."""

_PREFIX = "polyreel_"
_BITS = 52
_COLUMNS: Mapping[FieldType, str] = {
    FieldType.STRING: "string",
    FieldType.INT: "int64",
    FieldType.FLOAT: "float32",
    FieldType.BOOL: "int64",
    FieldType.DATETIME: "int64",
    FieldType.STRINGS: "list<string>",
}
_TEXTS = (RECIPE, TEXT, EXTRA)


def fields(meta: CollectionMeta) -> list[Field]:
    """All columns of a collection.

    Raises:
        ConfigurationError: A declared field has a name that begins like our own columns'.
    """
    spec = meta.spec
    for name in spec.fields:
        if name.lower().startswith(_PREFIX):
            raise ConfigurationError(f"{name!r} can't be a field of VikingDB: {_PREFIX}… are its own columns")
    if spec.media:
        content = [Field(MEDIA[one], one.value) for one in MEDIA if one in spec.media]
    else:
        content = [Field(VECTOR, "vector", dim=spec.space.dimension)]
    own = [Field(ID, "string", primary=True), *content]
    own += [Field(name, "int64", default=0) for name in (PLACE, REVISION)]
    own += [Field(name, "string", default="") for name in _TEXTS]
    own.append(Field(ORIGIN, "string", default=origin(meta)))
    built_in = [_built_in(name, kind) for name, kind in BUILT_IN.items()]
    return [*own, *built_in, Field(PRESENT, "list<string>", default=[]), *declared(spec.fields)]


def origin(meta: CollectionMeta) -> str:
    """What every row says of its collection, for those who can't read the collection's own description."""
    made = {"space": meta.spec.space.to_json(), "media": sorted(one.value for one in meta.spec.media)}
    return f"{meta.uid} {digest(made)}"


def undeclared(columns: Mapping[str, Any], schema: Schema) -> set[str]:
    """The names of columns that are neither ours nor those of declared fields."""
    own = {name for name in columns if name.startswith(_PREFIX)} | BUILT_IN.keys() | {PRESENT}
    return columns.keys() - own - schema.keys()


def declared(schema: Schema) -> list[Field]:
    """The columns of declared fields."""
    return [Field(name, _COLUMNS[kind], default=default_column(kind)) for name, kind in schema.items()]


def filterable(schema: Schema) -> list[str]:
    """The columns that an index must hold: what is filtered, ordered or compared."""
    return [PLACE, REVISION, *BUILT_IN, PRESENT, *schema]


def readable(schema: Schema) -> list[str]:
    """The columns of a record without its vector."""
    return [*_TEXTS, *BUILT_IN, PRESENT, *schema]


def place(id: str) -> int:
    """Where a scan meets the record."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:8]) >> (64 - _BITS)


def revision() -> int:
    """A number that no earlier write of the record had."""
    return secrets.randbits(_BITS)


def numbers(vector: Vector) -> list[float]:
    """The vector as Python's own floats."""
    return [float(value) for value in vector]


def address(medium: Media, fps: float | None = None) -> object:
    """The medium as the service takes it: a text, an address, or an address with `fps`.

    Raises:
        UnsupportedError: The service can't reach it, or can't see a part of it only.
        InvalidQueryError: The frames a second are out of range.
    """
    if medium.modality is Modality.TEXT:
        return medium.text or ""
    if medium.uri is None or medium.uri.partition("://")[0].lower() not in SCHEMES:
        raise UnsupportedError(
            f"VikingDB fetches a {medium.modality.value} by itself, from tos:// or https:// only",
            hint="use a stack whose object store is TOS",
        )
    if medium.start_ms or medium.end_ms is not None:
        raise UnsupportedError("VikingDB vectorizes whole files, not a part of one", hint="cut it out first")
    if medium.modality is Modality.IMAGE:
        return medium.uri
    rate = medium.fps if medium.fps is not None else fps
    if rate is None:
        return {"value": medium.uri}
    if not MIN_FPS <= rate <= MAX_FPS:
        raise InvalidQueryError(
            f"a video is sampled at {rate:g} frames a second; VikingDB takes {MIN_FPS:g} to {MAX_FPS:g}",
            hint="set fps in the recipe",
        )
    return {"value": medium.uri, "fps": rate}


def written(record: Record, spec: CollectionSpec, fps: float | None = None) -> dict[str, Any]:
    """The row of a record.

    Raises:
        InvalidQueryError: A part of it is longer than the service takes.
        UnsupportedError: The service can't reach its medium.
    """
    content = record.content
    if isinstance(content, Media):
        carried = {MEDIA[content.modality]: address(content, fps)}
    else:
        carried = {VECTOR: numbers(cast("Vector", content))}
    columns = {
        ID: record.id,
        PLACE: place(record.id),
        REVISION: revision(),
        RECIPE: record.recipe,
        "video_id": record.video_id,
        "scope": record.scope.value,
        "start": record.start_ms,
        "end": record.end_ms,
        "uri": record.uri,
        "channel": record.channel.value,
        TEXT: _text(record.text),
        **_given(spec.fields, record.fields, record.extra),
    }
    _check_lengths(columns, f"the record {record.id!r}")
    return {**columns, **carried}


def changes(patch: Patch, schema: Schema) -> dict[str, Any]:
    """The columns that a patch replaces, without the key.

    Raises:
        InvalidQueryError: A part of it is longer than the service takes.
    """
    changed: dict[str, Any] = {REVISION: revision()}
    if patch.fields is not None:
        changed |= _given(schema, patch.fields, patch.extra or {})
    if patch.text is not None:
        changed[TEXT] = _text(patch.text)
    if patch.uri is not None:
        changed["uri"] = patch.uri
    _check_lengths(changed, "the change")
    return changed


def record(id: str, columns: Mapping[str, Any], schema: Schema, vector: Vector | None = None) -> Record:
    """The record of a row. Columns that the service leaves out, being empty, are taken for empty.

    Raises:
        IntegrityError: Another program wrote the row.
    """
    defaults = {name: default_column(kind) for name, kind in schema.items()}
    kept = {**defaults, PRESENT: [], **columns}
    try:
        more = json.loads(kept.get(EXTRA) or "{}")
        words = json.loads(kept.get(TEXT) or "{}")
        scope, channel = Scope(kept["scope"]), Channel(kept["channel"])
        exact = more.get("exact", {})
        given = read_row(schema, kept)
        start, end = int(kept["start"]), int(kept["end"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"the row {id!r} in VikingDB was not written by polyreel") from error
    return Record(
        id=id,
        video_id=str(kept.get("video_id", "")),
        uri=str(kept.get("uri", "")),
        scope=scope,
        start_ms=start,
        end_ms=end,
        channel=channel,
        recipe=str(kept.get(RECIPE, "")),
        content=vector,
        text=Text.from_json(words),
        fields={name: exact.get(name, value) for name, value in given.items()},
        extra=more.get("extra", {}),
    )


def _built_in(name: str, kind: FieldType) -> Field:
    if name in SPAN:
        return Field(name, "int64", default=0)
    return Field(name, _COLUMNS[kind], default="")


def _given(schema: Schema, given: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, Any]:
    """The declared columns and `present`; floats rounded as the service keeps them, and exact ones apart."""
    columns: dict[str, Any] = dict(row(schema, given))
    exact: dict[str, float] = {}
    for name, kind in schema.items():
        if kind is FieldType.FLOAT:
            value = columns[name]
            columns[name] = float32(value)
            if name in given and columns[name] != value:
                exact[name] = value
    more = {key: value for key, value in (("extra", dict(extra)), ("exact", exact)) if value}
    return {**columns, EXTRA: _json(more) if more else ""}


def _text(text: Text) -> str:
    return _json(text.to_json()) if text else ""


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _check_lengths(columns: Mapping[str, object], what: str) -> None:
    for name, value in columns.items():
        if isinstance(value, str) and len(value.encode()) > MAX_STRING:
            shown = {TEXT: "text", EXTRA: "metadata"}.get(name, name)
            raise InvalidQueryError(
                f"{what} has {len(value.encode())} bytes of {shown}; VikingDB keeps {MAX_STRING} of a column"
            )
        if isinstance(value, list) and not _fits(value):
            raise InvalidQueryError(
                f"{what} has too much in {name}; VikingDB keeps {MAX_ITEMS} strings of {MAX_ITEM} bytes"
            )


def _fits(items: Sequence[object]) -> bool:
    return len(items) <= MAX_ITEMS and all(len(str(item).encode()) <= MAX_ITEM for item in items)
