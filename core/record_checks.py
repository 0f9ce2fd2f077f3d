"""What the base of the stores checks of records before they are written.

Nearly all batches are right and hold the very values that a store keeps. So a batch is looked at as a whole
first, which takes two thirds of the time of checking each record; each is only where something looks unusual.
"""

from __future__ import annotations

from collections.abc import Sequence

from .checks import (
    WrongVectorError,
    are_usual_vectors,
    checked_id,
    comparable,
    no_text,
)
from .errors import InvalidQueryError, UnsupportedError
from .fields import are_plain_extra, are_plain_fields, check_extra, check_fields
from .media import Media
from .records import Channel, Record, Scope, Text, Vector
from .space import CollectionSpec
from .values import MAX_INT

_SHORT_ID = 64
"""Characters that are 256 bytes at most."""


def checked_records(records: Sequence[Record], spec: CollectionSpec) -> Sequence[Record]:
    """The records with normalised fields, the same ones where nothing had to change.

    Raises:
        InvalidQueryError: One can't be stored; the message names the first such one, and the part.
        UnsupportedError: One carries what the collection doesn't take.
    """
    return records if _are_usual(records, spec) else [checked_record(record, spec) for record in records]


def checked_record(record: Record, spec: CollectionSpec) -> Record:
    """The record with normalised fields; itself where nothing had to change, for a copy takes 3 µs.

    Raises:
        InvalidQueryError: Some part of it can't be stored; the message names the record and the part.
    """
    checked_id(record.id)
    _check_texts(record)
    _check_kinds(record)
    content = _checked_content(record, spec)
    fields, undeclared = check_fields(spec.fields, record.fields)
    extra = check_extra(record.extra)
    if undeclared:
        extra = {**extra, **undeclared}
    if content is record.content and fields is record.fields and extra is record.extra:
        return record
    return record.changed(content, fields, extra)


def _are_usual(records: Sequence[Record], spec: CollectionSpec) -> bool:
    """Whether `checked_record` gives each of them back itself; False only says that one may be odd."""
    try:
        return (
            not spec.media
            and _have_usual_parts(records)
            and are_usual_vectors([record.content for record in records], spec.space)
            and are_plain_fields(spec.fields, [record.fields for record in records])
            and are_plain_extra([record.extra for record in records])
        )
    except (AttributeError, TypeError, ValueError, OverflowError):  # something of another type, or no UTF-8
        return False


def _have_usual_parts(records: Sequence[Record]) -> bool:
    """The same of their own parts: all but vectors and metadata."""
    texts = list[str]()
    for record in records:
        id, video_id, text = record.id, record.video_id, record.text
        start, end = record.start_ms, record.end_ms
        if not (
            type(id) is str
            and 0 < len(id) <= _SHORT_ID
            and video_id != ""
            and type(text) is Text
            and type(record.scope) is Scope
            and type(record.channel) is Channel
            and type(start) is int
            and type(end) is int
            and 0 <= start <= end <= MAX_INT
        ):
            return False
        texts += id, video_id, record.uri, record.recipe
        texts += text.title, text.caption, text.transcript, text.generated
        texts += text.tags
    "".join(texts).encode()
    return True


def _check_texts(record: Record) -> None:
    text = record.text
    if not isinstance(text, Text):
        raise no_text(text, _named(record))
    own = record.video_id, record.uri, record.recipe
    try:
        "".join((*own, text.title, *text.tags, text.caption, text.transcript, text.generated)).encode()
    except (UnicodeEncodeError, TypeError) as error:
        raise InvalidQueryError(f"{_named(record)} has a text that is no UTF-8 string") from error


def _check_kinds(record: Record) -> None:
    if not record.video_id:
        raise InvalidQueryError(f"{_named(record)} has no video_id")
    if not isinstance(record.scope, Scope) or not isinstance(record.channel, Channel):
        raise InvalidQueryError(f"{_named(record)} has scope {record.scope!r} and channel {record.channel!r}")
    start, end = record.start_ms, record.end_ms
    if not (type(start) is int and type(end) is int and 0 <= start <= end <= MAX_INT):
        raise InvalidQueryError(
            f"{_named(record)} spans {start} to {end} ms; a span has whole 0 <= start <= end"
        )


def _checked_content(record: Record, spec: CollectionSpec) -> Vector | Media:
    content = record.content
    if isinstance(content, Media):
        if content.modality not in spec.media:
            raise UnsupportedError(
                f"{_named(record)} carries {content.modality} to vectorize, which this collection doesn't",
                hint="use a stack with an embedder",
            )
        return content
    if content is None:
        raise InvalidQueryError(f"{_named(record)} has neither a vector nor a medium")
    if spec.media:
        raise UnsupportedError(
            f"{_named(record)} carries a vector, but this collection vectorizes media itself"
        )
    try:
        return comparable(content, spec.space)
    except WrongVectorError as wrong:
        raise InvalidQueryError(f"the vector of {_named(record)} {wrong}") from wrong.__cause__


def _named(record: Record) -> str:
    return f"the record {record.id!r}"
