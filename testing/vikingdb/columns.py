"""Values of columns: what each field type takes, and how it is kept."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .refusal import Refusal, invalid

SCALARS = frozenset(
    {"string", "int64", "float32", "bool", "list<string>", "list<int64>", "date_time", "geo_point"}
)
MEDIA = frozenset({"text", "image", "video"})
TYPES = SCALARS | MEDIA | {"vector", "sparse_vector", "list<geo_point>"}
NO_DEFAULT = MEDIA | {"vector", "sparse_vector"}

_FLOAT32 = 3.4028234663852886e38
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)")
_DEFAULTS: Mapping[str, object] = {
    "string": "",
    "int64": 0,
    "float32": 0.0,
    "bool": False,
    "list<string>": [],
    "list<int64>": [],
}


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a collection."""

    name: str
    type: str
    dim: int = 0
    primary: bool = False
    default: object = None

    def missing(self) -> object:
        """What a row has that doesn't give it; None where it must be given."""
        return self.default if self.default is not None else _DEFAULTS.get(self.type)


def kept(column: Column, value: Any) -> Any:
    """The value as it is kept.

    Raises:
        Refusal: It isn't of the column's type, or beyond its limits.
    """
    made = _vector(value, column.dim) if column.type == "vector" else _KEEP[column.type](value)
    if made is None:
        raise _wrong(column, value)
    if column.primary and (made in (0, "") or len(str(made).encode()) > 256):
        raise invalid(f"the primary key {column.name} is 0, empty or longer than 256 bytes")
    return made


def _wrong(column: Column, value: Any) -> Refusal:
    return invalid(f"the field {column.name} of type {column.type} doesn't take a {type(value).__name__}")


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value.encode()) <= 65_535 else None


def _int64(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and -(2**63) <= value < 2**63 else None


def _float32(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _FLOAT32:
        return None
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _strings(value: Any) -> list[str] | None:
    if not isinstance(value, list) or len(value) > 20_000:
        return None
    fits = all(isinstance(item, str) and len(item.encode()) <= 1024 for item in value)
    return list(value) if fits and sum(len(item.encode()) for item in value) <= 1 << 20 else None


def _integers(value: Any) -> list[int] | None:
    fits = isinstance(value, list) and len(value) <= 1024
    return list(value) if fits and all(_int64(item) is not None for item in value) else None


def _vector(value: Any, dim: int) -> list[float] | None:
    if isinstance(value, str):
        try:
            packed = base64.b64decode(value, validate=True)
            value = list(struct.unpack(f"<{len(packed) // 4}f", packed))
        except (binascii.Error, struct.error):
            return None
    if not isinstance(value, list) or len(value) != dim:
        return None
    plain = [_float32(item) for item in value]
    finite = all(item is not None and math.isfinite(item) for item in plain)
    return plain if finite and any(plain) else None  # type: ignore[return-value]  # none of them is None


def _sparse(value: Any) -> dict[str, float] | None:
    fits = isinstance(value, dict) and all(_float32(item) is not None for item in value.values())
    return dict(value) if fits else None


def _words(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value.encode()) < 65_535 else None


def is_address(value: Any) -> bool:
    """Whether the service would fetch it."""
    return isinstance(value, str) and value.partition("://")[0] in ("tos", "http", "https")


def _image(value: Any) -> str | None:
    return value if is_address(value) else None


def _video(value: Any) -> dict[str, Any] | None:
    if (
        not isinstance(value, dict)
        or not value.keys() <= {"value", "fps"}
        or not is_address(value.get("value"))
    ):
        return None
    fps = value.get("fps", 1.0)
    fits = isinstance(fps, int | float) and not isinstance(fps, bool) and 0.2 <= fps <= 5
    return dict(value) if fits else None


def _instant(value: Any) -> str | None:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return None
    try:
        return value if 1970 <= datetime.fromisoformat(value).year <= 3000 else None
    except ValueError:
        return None


def _point(value: Any) -> str | None:
    try:
        longitude, latitude = map(float, value.split(","))
    except (AttributeError, ValueError):
        return None
    return str(value) if -180 < longitude < 180 and -90 < latitude < 90 else None


def _points(value: Any) -> list[str] | None:
    fits = isinstance(value, list) and all(_point(item) for item in value)
    return list(value) if fits else None


_KEEP: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "int64": _int64,
    "float32": _float32,
    "bool": _bool,
    "list<string>": _strings,
    "list<int64>": _integers,
    "sparse_vector": _sparse,
    "text": _words,
    "image": _image,
    "video": _video,
    "date_time": _instant,
    "geo_point": _point,
    "list<geo_point>": _points,
}
