"""What the base of the stores checks before any call, but for whole records (`record_checks`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any

from . import lexical
from .capabilities import Capabilities, Feature
from .errors import InvalidQueryError, UnsupportedError
from .fields import FieldType, check_fields
from .filter_check import check
from .filters import Filter
from .lowering import NotPrefix, Prefix, leaves, lower_checked
from .records import ScoreKind, Text, Vector
from .requests import (
    CheckedRequest,
    Group,
    Lexical,
    Near,
    NearMedia,
    NearRecord,
    NearVector,
    Patch,
    SearchRequest,
    Where,
)
from .space import CollectionSpec, Metric, Space

SCORE_KIND = {
    Metric.COSINE: ScoreKind.COSINE,
    Metric.IP: ScoreKind.IP,
    Metric.L2: ScoreKind.NEG_L2,
}
_LARGEST = 3.4e38  # float32, in which every engine keeps vectors
_SMALLEST = 1e-30
_SHORT, _LONG = 0.01, 1e6  # lengths that any engine can square and divide by


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
        _norm(vector, dimension)
    except WrongVectorError as wrong:
        raise InvalidQueryError(f"{what} {wrong}") from wrong.__cause__


class WrongVectorError(ValueError):
    """What is wrong with a vector, as the end of a sentence that begins with whose it is."""


def comparable(vector: Vector, space: Space) -> Vector:
    """The vector, checked; where cosines are compared, one that is very long or short at unit length.

    Engines divide by the length in float32, in which squares of such lengths overflow or vanish.
    """
    norm = _norm(vector, space.dimension)
    if _SHORT < norm < _LONG or space.metric is not Metric.COSINE:
        return vector
    return [value / norm for value in _plain(vector)]


def are_usual_vectors(vectors: Sequence[Any], space: Space) -> bool:
    """Whether `comparable` gives each of them back itself.

    Raises:
        WrongVectorError: It refuses one.
        TypeError: A value of a list is no number.
        OverflowError: It is too large for one.
    """
    if set(map(type, vectors)) != {list}:
        return all(comparable(vector, space) is vector for vector in vectors)
    if set(map(len, vectors)) != {space.dimension}:
        return False
    return all(_SHORT < length < _LONG for length in starmap(math.hypot, vectors))


def _norm(vector: Vector, dimension: int) -> float:
    """The length of a vector that can be compared; else `WrongVectorError`."""
    try:
        if len(vector) != dimension:
            raise WrongVectorError(f"has {len(vector)} dimensions, the collection has {dimension}")
        if type(vector) is list:  # most are, and this is the dearest check of a record
            norm = math.hypot(*vector)
        else:
            norm = _norm_of_array(vector) or math.hypot(*_plain(vector))
    except TypeError as error:
        raise WrongVectorError("is not a sequence of numbers") from error
    except OverflowError:  # a whole number beyond any float
        norm = math.inf
    if _SMALLEST <= norm < _LARGEST:
        return norm
    raise WrongVectorError(
        "is all zeros, which is like nothing" if norm < _SMALLEST else "has values that are not finite"
    )


def _norm_of_array(vector: object) -> float:
    """The length of a numpy array, if it is a usual one, else 0: a NaN, an infinity or zeros give none.

    It takes a third of the time that Python's floats take.
    """
    if isinstance(vector, tuple):
        return 0.0
    import numpy as np  # here, for a list needs none

    if not isinstance(vector, np.ndarray) or vector.ndim != 1 or vector.dtype.kind != "f":
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        norm = math.sqrt(abs(vector.dot(vector)))
    return norm if _SHORT < norm < _LONG else 0.0


def _plain(vector: Vector) -> Sequence[float]:
    """The numbers of an array as Python's own, which are read ten times as fast."""
    return vector if isinstance(vector, list | tuple) else getattr(vector, "tolist", lambda: vector)()


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
        raise no_text(text, what)
    _check_strings((text.title, *text.tags, text.caption, text.transcript, text.generated), what)


def _check_strings(texts: Sequence[str], what: str) -> None:
    try:
        "".join(texts).encode()
    except (UnicodeEncodeError, TypeError) as error:
        raise InvalidQueryError(f"{what} has a text that is no UTF-8 string") from error


def no_text(text: object, what: str) -> InvalidQueryError:
    """Of a record or a change whose text is something else."""
    return InvalidQueryError(f"{what} has a {type(text).__name__} for its text", hint="use records.Text")


def checked_where(where: Filter, schema: Mapping[str, FieldType], can: Capabilities) -> Where:
    """The condition in both forms.

    Raises:
        InvalidQueryError: A field isn't declared, or its type lacks the operator or the value.
        UnsupportedError: The engine can't evaluate an operator.
    """
    tree = check(where, schema)
    node = lower_checked(tree, schema)
    if Feature.PREFIX not in can.features and any(
        isinstance(leaf, Prefix | NotPrefix) for leaf in leaves(node)
    ):
        raise UnsupportedError(f"{can.form} can't filter by prefix", hint="use == or in")
    return Where(tree, node)


def checked_request(
    request: SearchRequest, where: Where, spec: CollectionSpec, can: Capabilities
) -> CheckedRequest:
    """The request, ready for an adapter.

    Args:
        request: As it was made.
        where: Its condition, checked.
        spec: Of the collection.
        can: What the store can do.

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
    if request.group is not None:
        _check_group(request.group, can)
    if request.min_score is not None:
        _check_min_score(request.min_score)
    if request.exact and Feature.EXACT not in can.features:
        raise UnsupportedError(f"{can.form} has no exact search", hint="leave exact out")
    near = request.near
    if isinstance(near, NearVector):
        try:
            vector = comparable(near.vector, spec.space)
        except WrongVectorError as wrong:
            raise InvalidQueryError(f"the query vector {wrong}") from wrong.__cause__
        near = near if vector is near.vector else NearVector(vector)
    else:
        _check_near(near, request, can)
    return CheckedRequest(near, where, request.limit, request.group, request.exact, request.lean)


def _check_min_score(value: object) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return
    raise InvalidQueryError(f"min_score is {value!r}; it must be a number")


def _check_group(group: Group, can: Capabilities) -> None:
    if group.size < 1:
        raise InvalidQueryError(f"the group's size is {group.size}; it must be at least 1")
    if Feature.GROUP not in can.features:
        raise UnsupportedError(
            f"{can.form} can't group", hint="search through VideoSearch, which groups by itself"
        )


def _check_near(near: Near, request: SearchRequest, can: Capabilities) -> None:
    if isinstance(near, NearRecord):
        checked_id(near.id)
    elif isinstance(near, Lexical):
        if Feature.LEXICAL not in can.features:
            raise UnsupportedError(
                f"this collection ({can.form}) has no lexical search", hint="search by vectors alone"
            )
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
