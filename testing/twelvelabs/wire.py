"""Requests and replies: forms, JSON, checked fields, and the documented shapes of errors."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qs, urlsplit


class RefusedError(Exception):
    """A request that the service would refuse."""

    def __init__(self, code: str, message: str, status: int = 400, **details: object) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.details = code, message, status, details


@dataclass(frozen=True, slots=True)
class File:
    """A part of a form that has a file's name."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Args:
        path: Below the version.
        headers: By names in small letters.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        """From what arrived."""
        parts = urlsplit(target)
        small = {name.lower(): value for name, value in headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        return cls(method, parts.path.removeprefix("/v1.3"), query, small, body)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        if "application/json" not in self.headers.get("content-type", ""):
            raise RefusedError("parameter_invalid", "The body must be JSON.")
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise RefusedError("parameter_invalid", "The body is no JSON.") from error
        return mapping(value, "the body")

    def form(self) -> dict[str, list[str | File]]:
        """The fields of a form. A retry of the SDK that lost its body is told loudly."""
        kind = self.headers.get("content-type", "")
        if not self.body or not kind.startswith("multipart/form-data"):
            raise RefusedError("parameter_invalid", "The body must be a form with multipart/form-data.")
        message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + self.body, policy=policy.HTTP)
        fields: dict[str, list[str | File]] = {}
        for part in message.iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            content, file = bytes(part.get_payload(decode=True) or b""), part.get_filename()
            value = File(file, part.get_content_type(), content) if file else content.decode()
            fields.setdefault(name, []).append(value)
        return fields

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number of the query."""
        given = self.query.get(name, [str(default)])[-1]
        if not given.isdigit() or not low <= int(given) <= high:
            raise RefusedError("parameter_invalid", f"{name} must be from {low} to {high}.")
        return int(given)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON, or nothing."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The bytes of the body."""
        return b"" if self.status == 204 else json.dumps(self.body).encode()


def mapping(value: object, what: str) -> dict[str, Any]:
    """An object without null: the service takes what is left out, not what is empty."""
    if not isinstance(value, dict):
        raise RefusedError("parameter_invalid", f"{what} must be an object.")
    for name, each in value.items():
        if each is None:
            raise RefusedError("parameter_invalid", f"{name} must not be null.")
    return value


def known(value: Mapping[str, Any], names: Collection[str], needed: Collection[str] = ()) -> None:
    """Refuse fields that nobody documented, and the lack of one that must be there."""
    for name in value:
        if name not in names:
            raise RefusedError("parameter_unknown", f"The parameter {name} is unknown.")
    for name in needed:
        if name not in value:
            raise RefusedError("parameter_not_provided", f"The parameter {name} is required.")


def choice(value: object, allowed: Collection[object], name: str) -> Any:
    """One of the documented values."""
    if isinstance(value, bool) or value not in allowed:
        names = ", ".join(map(str, allowed))
        raise RefusedError("parameter_invalid", f"{name} must be one of: {names}", field=name)
    return value


def choices(value: object, allowed: Collection[str], name: str) -> list[str]:
    """A list of documented values, none twice."""
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        raise RefusedError("parameter_invalid", f"{name} must be a list without doubles.")
    return [choice(each, allowed, name) for each in value]


def single(form: Mapping[str, list[str | File]], name: str) -> str | None:
    """A text field that may stand in a form once, and not empty."""
    values = form.get(name)
    if values is None:
        return None
    if len(values) != 1 or not isinstance(values[0], str) or not values[0]:
        raise RefusedError("parameter_invalid", f"{name} must be one text.")
    return values[0]


def error_body(error: RefusedError, *, nested: bool) -> dict[str, object]:
    """The documented shape: nested on version 2 of embedding, flat elsewhere."""
    inner: dict[str, object] = {"code": error.code, "message": error.message}
    if nested:
        return {"error": {**inner, **({"details": error.details} if error.details else {})}}
    return inner
