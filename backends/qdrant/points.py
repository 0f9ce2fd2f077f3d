"""Records as Qdrant's points and back; every form keeps the same payload.

A payload has the record's own columns at its top and the declared ones, with `present`, under `f`, so that no
field clashes with a column; `text` and `extra` are JSON text, which keeps any key and any integer exactly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise, starmap
from operator import gt
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ...core import lexical
from ...core.checks import SCORE_KIND
from ...core.fields import BUILT_IN, PRESENT, Schema, read_row, row
from ...core.records import Channel, Hit, Known, Record, Rest, Scope, ScoreKind, Text, Vector
from ...core.requests import Answer, Lexical, Near, Patch
from ...core.space import CollectionSpec

WORDS = "words"
"""The name of the sparse vectors, in which words are found; a record without a word has none."""

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # `json.dumps` would make one a text
_NAMESPACE = uuid5(NAMESPACE_URL, "polyreel").bytes
_PLAIN = {word: word.value for word in (*Scope, *Channel)}
"""Members as plain text, which Qdrant's packages read much faster than a member."""
_SCOPES = {scope.value: scope for scope in Scope}
_CHANNELS = {channel.value: channel for channel in Channel}
"""Reading is done for each hit of a search: these, and the decoder, take a third of the usual calls' time."""
_decoded = json.JSONDecoder().raw_decode
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def point_id(id: str) -> str:
    """The point's id, for Qdrant takes no text: `uuid5`, also of an id that is a UUID already."""
    digest = hashlib.sha1(_NAMESPACE + id.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANTS[digest[16]]  # what `uuid5` does, in half of its time
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def sparse(weights: lexical.Sparse) -> tuple[list[int], list[float]]:
    """Weights of terms as Qdrant takes them: the numbers, and the weights in the same order.

    They rise, for local mode sorts and validates others anew, which takes longer than all else with them.
    """
    numbers = sorted(weights)
    return numbers, [weights[number] for number in numbers]


def path(column: str) -> str:
    """Where a filter finds a stored column in the payload."""
    return column if column in BUILT_IN else f"f.{column}"


def payload(record: Record, schema: Schema) -> dict[str, object]:
    """All of a record but its vector."""
    return {
        "id": record.id,
        "video_id": record.video_id,
        "uri": record.uri,
        "scope": _PLAIN[record.scope],
        "start": record.start_ms,
        "end": record.end_ms,
        "channel": _PLAIN[record.channel],
        "recipe": record.recipe,
        "text": _written(record.text.to_json()) if record.text else "",
        "extra": _written(record.extra) if record.extra else "",
        "f": row(schema, record.fields),
    }


def characters(payload: Mapping[str, Any]) -> int:
    """About how long a payload is as JSON; the parts without a bound of their own count."""
    strings = (value for value in payload["f"].values() if isinstance(value, str | list))
    return (
        1000 + len(payload["text"]) + len(payload["extra"]) + len(payload["uri"]) + sum(map(_length, strings))
    )


def changes(patch: Patch, schema: Schema) -> dict[str, object]:
    """The parts of a payload that a patch replaces, each of them whole."""
    changed: dict[str, object] = {}
    if patch.fields is not None:
        changed = {"f": row(schema, patch.fields), "extra": _written(patch.extra) if patch.extra else ""}
    if patch.text is not None:
        changed["text"] = _written(patch.text.to_json())
    if patch.uri is not None:
        changed["uri"] = patch.uri
    return changed


def text(payload: Mapping[str, Any]) -> Text:
    """The text in a payload, of which no more need be there."""
    written = payload["text"]
    return Text.from_json(_decoded(written)[0]) if written else Text()


def record(payload: Mapping[str, Any], vector: Vector | None, schema: Schema) -> Record:
    """The record that the payload was made from; fields that were declared later are null."""
    return Record(*_known(payload), vector, *_rest(payload, schema))


def answer(near: Near, found: Sequence[Any], spec: CollectionSpec) -> Answer:
    """The answer that scored points are; what is dear to read of a hit is read when it is looked at."""
    kind = ScoreKind.WEIGHTED if isinstance(near, Lexical) else SCORE_KIND[spec.space.metric]
    schema = spec.fields
    scores = _scores([point.score for point in found], kind)
    payloads = [point.payload or {} for point in found]
    hits = [
        Hit.bare(Record.read_later(_known(payload), partial(_rest, payload, schema)), score, kind)
        for payload, score in zip(payloads, scores, strict=True)
    ]
    if not all(starmap(gt, pairwise(scores))):  # each form orders equal scores in its own way
        hits.sort(key=lambda hit: (-hit.score, hit.id))
    return Answer(tuple(hits))


def _scores(scores: list[float], kind: ScoreKind) -> list[float]:
    """Similarities, higher for better; Qdrant gives L2 as a distance, and cosines that are rounded."""
    if kind is ScoreKind.NEG_L2:
        return [0.0 - score for score in scores]
    if kind is ScoreKind.COSINE and scores and not -1.0 <= min(scores) <= max(scores) <= 1.0:
        return [max(-1.0, min(score, 1.0)) for score in scores]
    return scores


def _known(payload: Mapping[str, Any]) -> Known:
    return (
        payload["id"],
        payload["video_id"],
        payload["uri"],
        _SCOPES[payload["scope"]],
        payload["start"],
        payload["end"],
        _CHANNELS[payload["channel"]],
        payload["recipe"],
    )


def _rest(payload: Mapping[str, Any], schema: Schema) -> Rest:
    extra, fields = payload["extra"], payload["f"]
    return (
        text(payload),
        read_row(schema, fields) if fields[PRESENT] else {},
        _decoded(extra)[0] if extra else {},
    )


def _length(value: str | list[str]) -> int:
    return len(value) if isinstance(value, str) else sum(map(len, value)) + 3 * len(value)


def _written(value: Mapping[str, object]) -> str:
    return _JSON.encode(dict(value))
