"""What the service answers, as vectors and segments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import UnavailableError
from ...core.orders import Segment
from ...core.records import Channel, Scope, Vector

_SCOPES = {"clip": Scope.CLIP, "local": Scope.CLIP, "asset": Scope.VIDEO, "video": Scope.VIDEO}
_PREFERRED = ("fused", "visual", "audio", "transcription", "visual-text")


@dataclass(frozen=True, slots=True)
class Piece:
    """One vector of an answer, of either version of the API."""

    vector: Vector
    option: str | None
    scope: str | None
    start: float | None
    end: float | None


def checked(vector: Vector | None, dimension: int) -> Vector:
    """The vector, if it is one of the space: the SDK lets empty ones, NaN and infinity pass.

    Raises:
        UnavailableError: It is none; the same call may give a whole one.
    """
    length = len(vector or ())
    if vector is None or length != dimension:
        raise UnavailableError(f"TwelveLabs sent a vector of {length} numbers in place of {dimension}")
    if not all(map(math.isfinite, vector)) or not any(vector):
        raise UnavailableError("TwelveLabs sent a vector of zeros, or with values that are not finite")
    return vector


def best(pieces: Iterable[Piece], dimension: int) -> Vector:
    """The vector of a query: of the whole of it, and of all that is in it where there is such a one."""

    def rank(piece: Piece) -> tuple[bool, int]:
        known = piece.option in _PREFERRED
        whole = _SCOPES.get(piece.scope or "") is not Scope.CLIP
        return not whole, _PREFERRED.index(str(piece.option)) if known else len(_PREFERRED)

    found = sorted(pieces, key=rank)
    return checked(found[0].vector if found else None, dimension)


def segments(
    pieces: Iterable[Piece],
    channels: Mapping[str, tuple[Channel, ...]],
    *,
    scopes: Iterable[Scope],
    duration_ms: int,
    dimension: int,
) -> tuple[Segment, ...]:
    """The segments that were asked for, in order: the service promises none.

    Where it measures the video a little longer than we do, a span ends where the video does.
    """
    wanted, found = set(scopes), {}
    for piece in pieces:
        scope = _SCOPES.get(piece.scope or "")
        if scope is None or scope not in wanted:
            continue
        start = round((piece.start or 0.0) * 1000)
        end = duration_ms if piece.end is None else round(piece.end * 1000)
        if start < end:
            end = min(end, duration_ms)
        if start == end or start >= duration_ms:
            continue  # a sliver behind the end
        for channel in channels.get(piece.option or "", ()):
            segment = Segment(start, end, checked(piece.vector, dimension), scope, channel)
            found[scope.value, channel.value, start, end] = segment
    return tuple(found[key] for key in sorted(found))


def usage(answer: Any) -> dict[str, float]:
    """Tokens by what they were of, where the service counts them."""
    counted = getattr(answer, "usage", None)
    return {f"{name}_tokens": count for name, count in counted.input_tokens.items()} if counted else {}
