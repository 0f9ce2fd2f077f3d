"""What the base of the stores checks before any call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from . import lexical
from .capabilities import Capabilities, Feature
from .errors import InvalidQueryError, UnsupportedError
from .fields import MAX_INT, FieldType, check_fields
from .filter_check import check
from .filters import Filter
from .lowering import NotPrefix, Prefix, leaves, lower
from .media import Media
from .records import Channel, Record, Scope, ScoreKind, Text, Vector
from .requests import (
    CheckedRequest,
    Group,
    Lexical,
    NearMedia,
    NearRecord,
    NearVector,
    Patch,
    SearchRequest,
    Where,
)
from .space import CollectionSpec, Metric

SCORE_KIND = {
    Metric.COSINE: ScoreKind.COSINE,
    Metric.IP: ScoreKind.IP,
    Metric.L2: ScoreKind.NEG_L2,
}
_LARGEST = 3.4e38  # float32, in which every engine keeps vectors
_SMALLEST = 1e-30


def checked_id(value: object) -> str:
    """An id of 1 to 256 bytes of UTF-8, or `InvalidQueryError`."""
    if isinstance(value, str):
        try:
            if 1 <= len(value.encode()) <= 256:
                return value
        except UnicodeEncodeError:
            pass
    raise InvalidQueryError(f"the id {str(value)[:40]!a} is not a UTF-8 string of 1 to 256 bytes")


def checked_ids(values: Sequence[str]) -> list[str]:
    """Ids without repetition, in order."""
    if isinstance(values, str):
        raise InvalidQueryError(f"ids must be a list of strings, got the string {values[:40]!r}")
    return list(dict.fromkeys(map(checked_id, values)))


def check_vector(vector: Vector, dimension: int, what: str) -> None:
    """Refuse a vector of another length, with a value that is not finite, or of zeros.

    Raises:
        InvalidQueryError: It can't be compared with vectors of this dimension.
    """
    try:
        length = len(vector)
    except TypeError as error:
        raise InvalidQueryError(f"{what} is not a sequence of numbers") from error
    if length != dimension:
        raise InvalidQueryError(f"{what} has {length} dimensions, the collection has {dimension}")
    try:
        norm = math.hypot(*_plain(vector))
    except TypeError as error:
        raise InvalidQueryError(f"{what} is not a sequence of numbers") from error
    if not norm < _LARGEST:
        raise InvalidQueryError(f"{what} has values that are not finite")
    if norm < _SMALLEST:
        raise InvalidQueryError(f"{what} is all zeros, which is like nothing")


def _plain(vector: Vector) -> Sequence[float]:
    """The numbers of an array as Python's own, which are read ten times as fast."""
    return vector if isinstance(vector, list | tuple) else getattr(vector, "tolist", lambda: vector)()


def checked_record(record: Record, spec: CollectionSpec, schema: Mapping[str, FieldType]) -> Record:
    """The record with normalised fields.

    Raises:
        InvalidQueryError: Some part of it can't be stored; the message names the record and the part.
    """
    checked_id(record.id)
    what = f"the record {record.id!r}"
    _check_strings((record.video_id, record.uri, record.recipe), what)
    _check_text(record.text, what)
    _check_kinds(record, what)
    _check_content(record, spec, what)
    if not record.fields and not record.extra:
        return record
    fields, undeclared = check_fields(schema, record.fields)
    _, extra = check_fields({}, record.extra)
    return replace(record, fields=fields, extra=extra | undeclared)


def checked_patch(
    schema: Mapping[str, FieldType], fields: Mapping[str, object] | None, text: Text | None, uri: str | None
) -> Patch:
    """The change of records, with normalised fields.

    Raises:
        InvalidQueryError: Some part of it can't be stored.
    """
    if text is not None:
        _check_text(text, "the change")
    if uri is not None:
        _check_strings((uri,), "the change")
    declared, extra = check_fields(schema, fields) if fields is not None else (None, None)
    return Patch(declared, extra, text, uri)


def _check_text(text: object, what: str) -> None:
    if not isinstance(text, Text):
        raise InvalidQueryError(f"{what} has a {type(text).__name__} for its text", hint="use records.Text")
    _check_strings((text.title, *text.tags, text.caption, text.transcript), what)


def _check_strings(texts: Sequence[str], what: str) -> None:
    try:
        "".join(texts).encode()
    except (UnicodeEncodeError, TypeError) as error:
        raise InvalidQueryError(f"{what} has a text that is no UTF-8 string") from error


def _check_kinds(record: Record, what: str) -> None:
    if not record.video_id:
        raise InvalidQueryError(f"{what} has no video_id")
    if not isinstance(record.scope, Scope) or not isinstance(record.channel, Channel):
        raise InvalidQueryError(f"{what} has scope {record.scope!r} and channel {record.channel!r}")
    whole = type(record.start_ms) is int and type(record.end_ms) is int
    if not (whole and 0 <= record.start_ms <= record.end_ms <= MAX_INT):
        raise InvalidQueryError(
            f"{what} spans {record.start_ms} to {record.end_ms} ms; a span has whole 0 <= start <= end"
        )


def _check_content(record: Record, spec: CollectionSpec, what: str) -> None:
    content = record.content
    if isinstance(content, Media):
        if content.modality not in spec.media:
            raise UnsupportedError(
                f"{what} carries {content.modality} to vectorize, which this collection doesn't",
                hint="use a stack with an embedder",
            )
    elif content is None:
        raise InvalidQueryError(f"{what} has neither a vector nor a medium")
    elif spec.media:
        raise UnsupportedError(f"{what} carries a vector, but this collection vectorizes media itself")
    else:
        check_vector(content, spec.space.dimension, f"the vector of {what}")


def checked_where(where: Filter, schema: Mapping[str, FieldType], can: Capabilities) -> Where:
    """The condition in both forms.

    Raises:
        InvalidQueryError: A field isn't declared, or its type lacks the operator or the value.
        UnsupportedError: The engine can't evaluate an operator.
    """
    tree = check(where, schema)
    node = lower(tree, schema)
    if Feature.PREFIX not in can.features and any(
        isinstance(leaf, Prefix | NotPrefix) for leaf in leaves(node)
    ):
        raise UnsupportedError(f"{can.form} can't filter by prefix", hint="use == or in")
    return Where(tree, node)


def checked_request(
    request: SearchRequest, spec: CollectionSpec, schema: Mapping[str, FieldType], can: Capabilities
) -> CheckedRequest:
    """The request, ready for an adapter.

    Raises:
        InvalidQueryError: Some part of it is wrong.
        UnsupportedError: The store can't do it.
    """
    if isinstance(request.limit, bool) or not isinstance(request.limit, int) or request.limit < 1:
        raise InvalidQueryError(f"limit is {request.limit!r}; it must be a whole number of at least 1")
    if request.limit > can.max_limit:
        raise InvalidQueryError(
            f"limit is {request.limit}; {can.form} gives at most {can.max_limit} hits a search"
        )
    _check_group(request.group, can)
    _check_min_score(request.min_score)
    if request.exact and Feature.EXACT not in can.features:
        raise UnsupportedError(f"{can.form} has no exact search", hint="leave exact out")
    _check_near(request, spec, can)
    where = checked_where(request.where, schema, can)
    return CheckedRequest(request.near, where, request.limit, request.group, request.exact)


def _check_min_score(value: object) -> None:
    if value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ):
        return
    raise InvalidQueryError(f"min_score is {value!r}; it must be a number")


def _check_group(group: Group | None, can: Capabilities) -> None:
    if group is None:
        return
    if group.size < 1:
        raise InvalidQueryError(f"the group's size is {group.size}; it must be at least 1")
    if Feature.GROUP not in can.features:
        raise UnsupportedError(
            f"{can.form} can't group", hint="search through VideoSearch, which groups by itself"
        )


def _check_near(request: SearchRequest, spec: CollectionSpec, can: Capabilities) -> None:
    near = request.near
    if isinstance(near, NearVector):
        check_vector(near.vector, spec.space.dimension, "the query vector")
    elif isinstance(near, NearRecord):
        checked_id(near.id)
    elif isinstance(near, Lexical):
        if Feature.LEXICAL not in can.features:
            raise UnsupportedError(f"{can.form} has no lexical search", hint="search by vectors alone")
        if not lexical.query(near.text):
            raise InvalidQueryError("the text has no word to look for", hint="give at least one word")
        if request.min_score is not None:
            raise InvalidQueryError("min_score needs similarities; lexical scores are none")
    elif isinstance(near, NearMedia):
        _check_media(near, can)


def _check_media(near: NearMedia, can: Capabilities) -> None:
    if not near.parts:
        raise InvalidQueryError("the query has no parts")
    for part in near.parts:
        if part.modality not in can.vectorizes:
            raise UnsupportedError(
                f"{can.form} doesn't vectorize {part.modality}", hint="use a stack with an embedder"
            )
    if len(near.parts) > 1 and not can.joint:
        raise UnsupportedError(f"{can.form} takes one medium a query", hint="use fusion='sum' or 'rank'")
