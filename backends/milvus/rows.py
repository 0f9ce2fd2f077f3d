"""Records as Milvus' rows and back: typed columns that are never missing, `text` and `extra` as JSON text.

| column                              | type               |
|-------------------------------------|--------------------|
| id                                  | VARCHAR, the key   |
| video_id, uri, scope, channel       | VARCHAR            |
| start, end                          | INT64, ms          |
| recipe, text, extra                 | VARCHAR            |
| present                             | a list             |
| f_<field>                           | by the field's type|
| vector                              | FLOAT_VECTOR       |
| words, where it finds words         | SPARSE_FLOAT_VECTOR|

A list is an ARRAY of VARCHAR on a server, and on Milvus Lite a VARCHAR (`lists`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from ...core import fields, lexical
from ...core.errors import InvalidQueryError
from ...core.fields import PRESENT, FieldType, Schema
from ...core.records import Channel, Record, Scope, Text, Vector, floats
from ...core.requests import Patch
from . import lists
from .expressions import ID, column

VECTOR = "vector"
WORDS = "words"
MAX_BYTES = 65_535
"""Of a VARCHAR, and of an item of a list (Milvus' limit; Lite counts characters, and is held to it, too)."""
MAX_ITEMS = 4_096
"""Of a list."""

_OWN = (ID, "video_id", "uri", "scope", "start", "end", "channel", "recipe", "text", "extra", PRESENT)
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # `json.dumps` would make one a text
_NO_WORDS = {2**31: 1.0}  # a row must have a vector, and no term has this number
_PIECE = 24 << 20  # bytes; a server takes 64 MiB in one message

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """In what the rows of two collections may differ.

    Args:
        words: Whether they have vectors of words.
        packs: Whether they keep lists as texts (`lists`).
    """

    words: bool
    packs: bool


def output_fields(schema: Schema) -> list[str]:
    """The columns of a record without its vector."""
    return [*_OWN, *map(column, schema)]


def row(record: Record, schema: Schema, layout: Layout) -> Row:
    """A record as a row.

    Raises:
        InvalidQueryError: A text or a list is longer than Milvus keeps.
    """
    columns = fields.row(schema, record.fields)
    made: Row = {
        ID: record.id,
        "video_id": record.video_id,
        "uri": record.uri,
        "scope": record.scope.value,
        "start": record.start_ms,
        "end": record.end_ms,
        "channel": record.channel.value,
        "recipe": record.recipe,
        "text": _written(record.text.to_json()) if record.text else "",
        "extra": _written(record.extra) if record.extra else "",
        **{column(name): value for name, value in columns.items()},
    }
    _check_sizes(made, f"the record {record.id!r}")
    if layout.packs:
        made = lists.all_packed(made)
    made[VECTOR] = floats(cast("Vector", record.content))
    if layout.words:
        made[WORDS] = dict(lexical.document(record.text)) or _NO_WORDS
    return made


def record(entity: Mapping[str, Any], schema: Schema) -> Record:
    """The record that the row was made from."""
    text, extra = entity["text"], entity["extra"]
    return Record(
        id=entity[ID],
        video_id=entity["video_id"],
        uri=entity["uri"],
        scope=Scope(entity["scope"]),
        start_ms=entity["start"],
        end_ms=entity["end"],
        channel=Channel(entity["channel"]),
        recipe=entity["recipe"],
        content=entity.get(VECTOR),
        text=Text.from_json(json.loads(text)) if text else Text(),
        fields=_fields(entity, schema),
        extra=json.loads(extra) if extra else {},
    )


def changed(entity: Mapping[str, Any], patch: Patch, schema: Schema, layout: Layout) -> Row:
    """A stored row, with its vector, after a change.

    Raises:
        InvalidQueryError: A text or a list is longer than Milvus keeps.
    """
    change: Row = {}
    if patch.fields is not None:
        change = {column(name): value for name, value in fields.row(schema, patch.fields).items()}
        change["extra"] = _written(patch.extra) if patch.extra else ""
    if patch.text is not None:
        change["text"] = _written(patch.text.to_json()) if patch.text else ""
    if patch.uri is not None:
        change["uri"] = patch.uri
    _check_sizes(change, "the change")
    made = {**entity, **(lists.all_packed(change) if layout.packs else change)}
    if layout.words:
        held = Text.from_json(json.loads(made["text"])) if made["text"] else Text()
        made[WORDS] = dict(lexical.document(held)) or _NO_WORDS
    return made


def pieces(rows: Sequence[Row], dimension: int) -> Iterator[list[Row]]:
    """The rows in parts, each of which fits into one message; nearly always all of them do."""
    if rows and _size(rows, dimension) <= _PIECE:
        yield list(rows)
        return
    piece: list[Row] = []
    size = 0
    for each in rows:
        needed = _size([each], dimension)
        if piece and size + needed > _PIECE:
            yield piece
            piece, size = [], 0
        piece.append(each)
        size += needed
    if piece:
        yield piece


def _fields(entity: Mapping[str, Any], schema: Schema) -> dict[str, fields.Value]:
    present = _list(entity[PRESENT])
    if not present:
        return {}
    columns = {name: entity[column(name)] for name in present}
    given = {
        name: _list(value) if schema.get(name) is FieldType.STRINGS else value
        for name, value in columns.items()
    }
    return fields.read_row(schema, {PRESENT: present, **given})


def _list(value: str | Sequence[str]) -> list[str]:
    """A list as a list: it is a text, or over the network protobuf's."""
    return lists.unpacked(value) if isinstance(value, str) else list(value)


def _check_sizes(made: Row, what: str) -> None:
    listed = [value for value in made.values() if type(value) is list]
    texts = [value for value in made.values() if type(value) is str]
    characters = len("".join(chain(texts, *listed)))
    if 4 * characters <= MAX_BYTES and all(len(items) <= MAX_ITEMS for items in listed):
        return  # as nearly always: all texts together are no longer than one may be
    for name, value in made.items():
        texts = value if isinstance(value, list) else [value]
        if len(texts) > MAX_ITEMS:
            raise InvalidQueryError(
                f"{what} has {len(texts)} items in {_named(name)!r}; Milvus keeps {MAX_ITEMS}",
                hint="shorten the list",
            )
        for text in texts:
            # Few texts are so long that they must be encoded to know.
            if (
                isinstance(text, str)
                and len(text) * 4 > MAX_BYTES
                and (size := len(text.encode())) > MAX_BYTES
            ):
                message = f"{what} has {size} bytes in {_named(name)!r}; Milvus keeps {MAX_BYTES}"
                raise InvalidQueryError(message, hint="shorten it, or use another store")


def _named(name: str) -> str:
    return name.removeprefix("f_")


def _size(rows: Sequence[Row], dimension: int) -> int:
    """Bytes of rows with the same columns, at most; by columns, which takes a third of the time."""
    columns = ([row[name] for row in rows] for name in rows[0] if name != VECTOR)
    return 4 * dimension * len(rows) + sum(map(_column_size, columns))


def _column_size(values: Sequence[Any]) -> int:
    """Four bytes a character, eight a number and a word's weight."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return 4 * len("".join(values))
    if kinds == {list}:
        return 4 * sum(map(len, chain.from_iterable(values)))
    if kinds == {dict}:
        return 8 * sum(map(len, values))
    return 8 * len(values) if len(kinds) == 1 else sum(_column_size([value]) for value in values)


def _written(value: Mapping[str, object]) -> str:
    return _JSON.encode(dict(value))
